"""A brand's menu as CSV."""

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
    MenuFileRefused,
)
from stores.permissions import Permission
from stores.services import menu_import


class Flagged(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    flag = serializers.CharField(help_text="price_out_of_range: not sold; addon_category: an option.")
    reason = serializers.CharField()


class Repeated(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    first_line = serializers.IntegerField(help_text="With which it was merged, in both categories.")


class ChangedProduct(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    code = serializers.CharField()


class MenuImportReport(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    encoding = serializers.CharField(source="report.encoding")
    columns = serializers.DictField(source="report.columns.headings", child=serializers.CharField())
    ignored = serializers.ListField(source="report.columns.ignored", child=serializers.CharField())
    rows = serializers.IntegerField(source="report.rows")
    products = serializers.IntegerField(source="report.products", help_text="For sale, as the list has them.")
    notices = serializers.IntegerField(source="report.notices", help_text="Flagged by their price, and not sold.")
    addons = serializers.IntegerField(
        source="report.addons", help_text="Flagged by their category: options of a group of its name."
    )
    flagged_count = serializers.IntegerField(source="report.flagged_count")
    repeated_count = serializers.IntegerField(source="report.repeated_count")
    created = serializers.IntegerField(source="report.created")
    updated = serializers.IntegerField(source="report.updated")
    unchanged = serializers.IntegerField(source="report.unchanged")
    flagged = Flagged(source="report.flagged", many=True, help_text="The first ten thousand.")
    repeated = Repeated(source="report.repeated", many=True, help_text="The first ten thousand.")
    changed = ChangedProduct(source="report.changed", many=True, help_text="The first ten thousand.")


class MenuImports(APIView):
    parser_classes = (CsvParser,)

    @extend_schema(
        operation_id="import_menu",
        summary="Make and update products and toppings from a CSV list, all of it or nothing",
        description="The same list again changes nothing. A price above 20 times the list's median is a notice and "
        "not sold; a category of add-ons makes options; a code in several categories is one product. "
        "A refusal names every line at fault, the first hundred.",
        parameters=[ListQuery],
        request={"text/csv": OpenApiTypes.STR},
        responses={
            200: MenuImportReport,
            **errors_of(
                BrandNotFound,
                BrandRequired,
                HeadingAmbiguous,
                HeadingNotThere,
                HeadingsIncomplete,
                ListEmpty,
                ListEncodingUnknown,
                ListFieldUnknown,
                MenuFileRefused,
                NotAllowed,
                RequestTooLarge,
                UnsupportedMediaType,
            ),
        },
        tags=["products"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/products/imports"""
        by, at = caller(request), timezone.now()
        asked = query_of(request, ListQuery).validated_data
        brand_id = queries.brand_for_caller(by, Permission.EDIT_PRODUCTS, at=at, brand=asked.get("brand"))
        with closing(uploaded(request)) as source:
            given: dict[str, Any] = {
                "brand_id": brand_id,
                "source": source,
                "mapping": asked.get("map", {}),
                "at": at,
            }
            report = menu_import.rehearse(**given) if asked["dry_run"] else menu_import.import_menu(by=by, **given)
        return Response(MenuImportReport({"dry_run": asked["dry_run"], "report": report}).data)
