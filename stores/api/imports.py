"""A brand's list of stores as CSV."""

from contextlib import closing
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import query_of
from config.kernel.errors import NotAllowed, RequestTooLarge, UnsupportedMediaType
from stores import queries
from stores.api.csv_upload import CsvParser, ListQuery, uploaded
from stores.errors import (
    BrandNotFound,
    BrandRequired,
    HeadingAmbiguous,
    HeadingNotThere,
    HeadingsIncomplete,
    ListEmpty,
    ListEncodingUnknown,
    ListFieldUnknown,
    StoreFileRefused,
    ZoneUnknown,
)
from stores.permissions import Permission
from stores.services import store_import
from stores.services.store_import import Reading

SHOWN_AT_MOST = 1_000


class ImportQuery(ListQuery):
    zone = serializers.CharField(required=False, max_length=48, help_text="For new stores whose row names none.")
    entity = serializers.CharField(required=False, max_length=32, help_text="An entity's code, where a row names none.")


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
                HeadingsIncomplete,
                NotAllowed,
                RequestTooLarge,
                ListFieldUnknown,
                ListEmpty,
                ListEncodingUnknown,
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
        with closing(uploaded(request)) as source:
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
