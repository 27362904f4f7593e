"""A brand's list of stores as CSV."""

import tempfile
from collections.abc import Mapping
from contextlib import closing
from typing import IO, Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, query_of
from config.kernel.errors import NotAllowed, RequestTooLarge, UnsupportedMediaType
from stores import queries
from stores.errors import (
    BrandNotFound,
    BrandRequired,
    HeadingAmbiguous,
    HeadingNotThere,
    HeadingsWithoutName,
    StoreFieldUnknown,
    StoreFileEmpty,
    StoreFileEncodingUnknown,
    StoreFileRefused,
    ZoneUnknown,
)
from stores.permissions import Permission
from stores.services import store_import
from stores.services.store_import import Reading

BYTES_AT_MOST = 16 * 1024 * 1024  # some 100,000 stores
IN_MEMORY_AT_MOST = 256 * 1024
SHOWN_AT_MOST = 1_000


class CsvParser(BaseParser):
    """The body as a file that can be sought; beyond 256 KB it lies on disk, beyond 16 MB it is refused."""

    media_type = "text/csv"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """
        The spooled body.

        Raises:
            RequestTooLarge: more than 16 MB.
        """
        spooled = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_AT_MOST)  # noqa: SIM115 - the view closes it
        left = BYTES_AT_MOST
        while chunk := stream.read(min(1 << 16, left + 1)):
            left -= len(chunk)
            if left < 0:
                spooled.close()
                raise RequestTooLarge
            spooled.write(chunk)
        return spooled


class ImportQuery(StrictSerializer):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")
    map = serializers.CharField(
        required=False,
        max_length=1024,
        help_text="Which column holds what, where its heading does not say: `name=店名,city=城市`.",
    )
    zone = serializers.CharField(required=False, max_length=48, help_text="For new stores whose row names none.")
    entity = serializers.CharField(required=False, max_length=32, help_text="An entity's code, where a row names none.")
    dry_run = serializers.BooleanField(default=False, help_text="Report everything, change nothing.")

    def validate_map(self, value: str) -> dict[str, str]:
        pairs = [pair.partition("=") for pair in value.split(",")]
        if not all(field and heading for field, _, heading in pairs):
            raise serializers.ValidationError("field=heading, separated by commas")
        return {field.strip(): heading.strip() for field, _, heading in pairs}


class Derived(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()


class Changed(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    code = serializers.CharField()
    fields_changed = serializers.ListField(child=serializers.CharField(), source="fields")


class ImportReport(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    encoding = serializers.CharField(source="report.encoding")
    columns = serializers.DictField(source="report.columns.headings", child=serializers.CharField())
    ignored = serializers.ListField(source="report.columns.ignored", child=serializers.CharField())
    rows = serializers.IntegerField(source="report.rows")
    created = serializers.IntegerField(source="report.created")
    updated = serializers.IntegerField(source="report.updated")
    unchanged = serializers.IntegerField(source="report.unchanged")
    derived_count = serializers.IntegerField(source="report.derived_count")
    derived = Derived(many=True, help_text="Codes made from city and name, the first thousand.")
    changed = Changed(many=True, help_text="Stores that were updated, the first thousand.")


class StoreImports(APIView):
    parser_classes = (CsvParser,)

    @extend_schema(
        operation_id="import_stores",
        summary="Open and update stores from a CSV list, all of it or nothing",
        description="The same list again changes nothing. A refusal names every line at fault, the first hundred.",
        parameters=[ImportQuery],
        request={"text/csv": OpenApiTypes.STR},
        responses={
            200: ImportReport,
            **errors_of(
                BrandNotFound,
                BrandRequired,
                HeadingAmbiguous,
                HeadingNotThere,
                HeadingsWithoutName,
                NotAllowed,
                RequestTooLarge,
                StoreFieldUnknown,
                StoreFileEmpty,
                StoreFileEncodingUnknown,
                StoreFileRefused,
                UnsupportedMediaType,
                ZoneUnknown,
            ),
        },
        tags=["stores"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/stores/imports"""
        by, at = caller(request), timezone.now()
        asked = query_of(request, ImportQuery).validated_data
        brand_id = queries.brand_for_caller(by, Permission.EDIT_STORES, at=at, brand=asked.get("brand"))
        reading = Reading(mapping=asked.get("map", {}), zone=asked.get("zone"), entity=asked.get("entity"))
        body: Any = request.data
        if not isinstance(body, tempfile.SpooledTemporaryFile):  # without a body no parser is asked
            raise StoreFileEmpty
        with closing(body) as source:
            if asked["dry_run"]:
                report = store_import.rehearse(brand_id=brand_id, source=source, reading=reading, at=at)
            else:
                report = store_import.import_stores(brand_id=brand_id, source=source, reading=reading, by=by, at=at)
        shown = {
            "dry_run": asked["dry_run"],
            "report": report,
            "derived": report.derived[:SHOWN_AT_MOST],
            "changed": report.changed[:SHOWN_AT_MOST],
        }
        return Response(ImportReport(shown).data)
