"""Holiday calendars."""

from contextlib import closing
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import caller
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import NotAllowed, RequestTooLarge, UnsupportedMediaType
from stores import queries
from stores.api.csv_upload import CsvParser, uploaded
from stores.errors import (
    BrandNotFound,
    BrandRequired,
    CalendarFileRefused,
    CalendarInvalid,
    CalendarNotFound,
    ListEmpty,
    ListEncodingUnknown,
)
from stores.models import HolidayCalendar
from stores.permissions import Permission
from stores.services import holidays
from stores.services.holidays import LONGEST_NAME, NewCalendar

BRAND_HELP = "brd_…, where you serve several."


class Holiday(StrictSerializer):
    date = serializers.DateField()
    name = serializers.CharField(max_length=LONGEST_NAME, allow_blank=True, default="")


class HolidayAnswer(serializers.Serializer[Any]):
    date = serializers.DateField()
    name = serializers.CharField()


class CalendarAnswer(serializers.ModelSerializer[HolidayCalendar]):
    id = serializers.CharField(source="public_id", help_text="cal_…")
    holidays = HolidayAnswer(many=True)
    workdays = serializers.ListField(child=serializers.DateField(), help_text="Worked to make up for holidays.")

    class Meta:
        model = HolidayCalendar
        fields = ("id", "year", "number", "holidays", "workdays", "published_at")


class NewCalendarBody(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)
    year = serializers.IntegerField(min_value=2000, max_value=2199)
    holidays = serializers.ListField(child=Holiday(), allow_empty=False, max_length=366)
    workdays = serializers.ListField(child=serializers.DateField(), max_length=366, default=list)


class CalendarsQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)
    year = serializers.IntegerField(required=False, min_value=2000, max_value=2199)


class CalendarImportQuery(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)


class Calendars(APIView):
    @extend_schema(
        operation_id="list_calendars",
        summary="A brand's holiday calendars with all their versions, newest first",
        parameters=[CalendarsQuery],
        responses={200: page_schema(CalendarAnswer), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=["calendars"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/calendars"""
        asked = query_of(request, CalendarsQuery).validated_data
        brand, year = asked.pop("brand", None), asked.pop("year", None)
        brand_id = queries.brand_for_caller(caller(request), Permission.VIEW_STORES, at=timezone.now(), brand=brand)
        rows = HolidayCalendar.objects.filter(brand_id=brand_id)
        page = page_of(rows if year is None else rows.filter(year=year), by="published_at", **asked)
        return Response(page.body(lambda calendar: CalendarAnswer(calendar).data))

    @extend_schema(
        operation_id="publish_calendar",
        summary="The next version of a year's holidays; what equals the latest is the latest",
        description="Vouchers sold under an earlier version may gain days by it, and never lose one.",
        request=NewCalendarBody,
        responses={
            200: CalendarAnswer,
            201: CalendarAnswer,
            **errors_of(BrandNotFound, BrandRequired, CalendarInvalid, NotAllowed),
        },
        tags=["calendars"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/calendars"""
        by, at = caller(request), timezone.now()
        body = body_of(request, NewCalendarBody).validated_data
        brand_id = queries.brand_for_caller(by, Permission.EDIT_STORES, at=at, brand=body.get("brand"))
        days_off = {one["date"]: one["name"] for one in body["holidays"]}
        new = NewCalendar(body["year"], days_off, frozenset(body["workdays"]))
        made = holidays.publish(brand_id=brand_id, new=new, by=by, at=at)
        return Response(CalendarAnswer(made.row).data, status=201 if made.is_new else 200)


class OneCalendar(APIView):
    @extend_schema(
        operation_id="get_calendar",
        summary="One version of a year's holidays",
        responses={200: CalendarAnswer, **errors_of(CalendarNotFound, NotAllowed)},
        tags=["calendars"],
    )
    def get(self, request: Request, calendar: str) -> Response:
        """GET /api/v1/calendars/{calendar}"""
        found = HolidayCalendar.objects.filter(pk=ids.parse(HolidayCalendar.PREFIX, calendar)).first()
        if found is None:
            raise CalendarNotFound
        queries.require_permission(
            caller(request),
            Permission.VIEW_STORES,
            brand_id=found.brand_id,
            at=timezone.now(),
            missing=CalendarNotFound,
        )
        return Response(CalendarAnswer(found).data)


class CalendarImports(APIView):
    parser_classes = (CsvParser,)

    @extend_schema(
        operation_id="import_calendar",
        summary="Publish a year's holidays from a CSV list, all of it or nothing",
        description="Columns: date, kind (holiday or workday; 休 or 班) and name. The same list again changes nothing.",
        parameters=[CalendarImportQuery],
        request={"text/csv": OpenApiTypes.STR},
        responses={
            200: CalendarAnswer,
            201: CalendarAnswer,
            **errors_of(
                BrandNotFound,
                BrandRequired,
                CalendarFileRefused,
                CalendarInvalid,
                NotAllowed,
                RequestTooLarge,
                ListEmpty,
                ListEncodingUnknown,
                UnsupportedMediaType,
            ),
        },
        tags=["calendars"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/calendars/imports"""
        by, at = caller(request), timezone.now()
        asked = query_of(request, CalendarImportQuery).validated_data
        brand_id = queries.brand_for_caller(by, Permission.EDIT_STORES, at=at, brand=asked.get("brand"))
        with closing(uploaded(request)) as source:
            made = holidays.import_csv(brand_id=brand_id, source=source, by=by, at=at)
        return Response(CalendarAnswer(made.row).data, status=201 if made.is_new else 200)
