"""Providers' bills against the books: a file a day, what differs, and the close of the day."""

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
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import NotAllowed, RequestTooLarge, UnsupportedMediaType
from config.kernel.ids import parse, public
from orders import errors, queries
from orders.models import BillDifference, BillFile, DayClose
from orders.providers import registry
from orders.services import bill_differences, bills, day_closing
from stores.api.csv_upload import CsvParser, uploaded
from stores.errors import BrandNotFound, BrandRequired, ListEmpty
from stores.permissions import Permission
from stores.queries import brand_for_caller, require_permission

BRAND = "brd_…, where you serve several."
PROVIDER = "Whose bill: `sandbox`, …"


class BillAnswer(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id", help_text="bil_…")
    provider = serializers.CharField()
    bill_date = serializers.DateField(help_text="The provider's day, Beijing time.")
    sha256 = serializers.SerializerMethodField()
    taken_at = serializers.DateTimeField()
    superseded_at = serializers.DateTimeField(allow_null=True, help_text="Another file of the day took its place.")
    lines = serializers.IntegerField(source="line_count")
    matched = serializers.IntegerField(source="matched_count", help_text="Lines that agree with our books.")
    others = serializers.IntegerField(source="others_count", help_text="Lines of other brands at this merchant.")
    known = serializers.IntegerField(source="known_count", help_text="Payments and refunds we know of that day.")
    captured_fen = serializers.IntegerField()
    refunded_fen = serializers.IntegerField()
    fee_fen = serializers.IntegerField()
    open_differences = serializers.SerializerMethodField()

    def get_sha256(self, bill: BillFile) -> str:
        return bytes(bill.sha256).hex()

    def get_open_differences(self, bill: BillFile) -> int:
        return queries.open_differences(bill.id)


class TakenBillAnswer(serializers.Serializer[Any]):
    bill = BillAnswer()
    found = serializers.DictField(child=serializers.IntegerField(), help_text="How many differences of each kind.")


class DifferenceAnswer(serializers.ModelSerializer[BillDifference]):
    id = serializers.CharField(source="public_id", help_text="dif_…")
    bill = serializers.SerializerMethodField(help_text="bil_…")
    explained_by = serializers.SerializerMethodField(help_text="The bill of another day that explains it.")

    class Meta:
        model = BillDifference
        fields = (
            "id", "bill", "provider", "bill_date", "kind", "is_refund", "reference", "transaction", "line",
            "theirs_fen", "theirs_at", "ours_fen", "ours_date", "found_at", "closed_at", "outcome", "reason",
            "explained_by",
        )  # fmt: skip

    def get_bill(self, difference: BillDifference) -> str:
        return public(BillFile.PREFIX, difference.bill_id)

    def get_explained_by(self, difference: BillDifference) -> str | None:
        return public(BillFile.PREFIX, difference.explained_by_id) if difference.explained_by_id else None


class DayCloseAnswer(serializers.ModelSerializer[DayClose]):
    id = serializers.CharField(source="public_id", help_text="dcl_…")
    bill = serializers.SerializerMethodField(help_text="bil_…")

    class Meta:
        model = DayClose
        fields = (
            "id", "provider", "bill_date", "bill", "difference_count", "captured_fen", "refunded_fen", "fee_fen",
            "closed_at",
        )  # fmt: skip

    def get_bill(self, closed: DayClose) -> str:
        return public(BillFile.PREFIX, closed.bill_id)


class BillQuery(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND)
    provider = serializers.CharField(max_length=16, default=registry.DEFAULT, help_text=PROVIDER)
    bill_date = serializers.DateField(help_text="The provider's day.")


class BillsQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text=BRAND)


class DifferencesQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text=BRAND)
    bill = serializers.CharField(required=False, help_text="bil_…")
    kind = serializers.ChoiceField(choices=BillDifference.Kind.choices, required=False)
    open = serializers.BooleanField(required=False, help_text="Only those that wait, or only those that do not.")


class DifferenceReason(StrictSerializer):
    reason = serializers.CharField(max_length=256)


class Day(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND)
    provider = serializers.CharField(max_length=16, default=registry.DEFAULT, help_text=PROVIDER)
    bill_date = serializers.DateField()


class Bills(APIView):
    parser_classes = (CsvParser,)

    @extend_schema(
        operation_id="list_bills",
        summary="The bills that were taken, newest first",
        parameters=[BillsQuery],
        responses={200: page_schema(BillAnswer), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=["reconciliation"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/bills"""
        asked = query_of(request, BillsQuery).validated_data
        brand_id = brand_for_caller(
            caller(request), Permission.VIEW_BILLS, at=timezone.now(), brand=asked.pop("brand", None)
        )
        page = page_of(BillFile.objects.filter(brand_id=brand_id), by="taken_at", **asked)
        return Response(page.body(lambda bill: BillAnswer(bill).data))

    @extend_schema(
        operation_id="take_bill",
        summary="Compare a provider's bill of a day with the books",
        description="CSV in the shape of WeChat Pay's trade bill, up to 16 MB; longer ones by `manage.py take_bill`. "
        "All of it or nothing; the same bytes answer with the first bill. A refusal names the first hundred lines.",
        parameters=[BillQuery],
        request={"text/csv": OpenApiTypes.STR},
        responses={
            201: TakenBillAnswer,
            200: TakenBillAnswer,
            **errors_of(
                BrandNotFound,
                BrandRequired,
                ListEmpty,
                NotAllowed,
                RequestTooLarge,
                UnsupportedMediaType,
                errors.BillColumnsMissing,
                errors.BillCurrencyWrong,
                errors.BillEmpty,
                errors.BillIncomplete,
                errors.BillRefused,
                errors.BillTotalsWrong,
                errors.DayIsClosed,
                errors.ProviderNotFound,
            ),
        },
        tags=["reconciliation"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/bills"""
        by, at = caller(request), timezone.now()
        brand_id = brand_for_caller(by, Permission.RECONCILE, at=at, brand=request.query_params.get("brand"))
        asked = query_of(request, BillQuery).validated_data
        provider = registry.by_name(asked["provider"]).name
        with closing(uploaded(request)) as source:
            taken = bills.take(
                brand_id=brand_id, provider=provider, day=asked["bill_date"], source=source, by=by, at=at
            )
        return Response(TakenBillAnswer(taken).data, status=200 if taken.is_repeat else 201)


class OneBill(APIView):
    @extend_schema(
        operation_id="get_bill",
        summary="One bill and what it came to",
        responses={200: BillAnswer, **errors_of(NotAllowed, errors.BillNotFound)},
        tags=["reconciliation"],
    )
    def get(self, request: Request, bill: str) -> Response:
        """GET /api/v1/bills/{bill}"""
        found = BillFile.objects.filter(id=parse(BillFile.PREFIX, bill)).first()
        if found is None:
            raise errors.BillNotFound
        require_permission(
            caller(request),
            Permission.VIEW_BILLS,
            brand_id=found.brand_id,
            at=timezone.now(),
            missing=errors.BillNotFound,
        )
        return Response(BillAnswer(found).data)


class Differences(APIView):
    @extend_schema(
        operation_id="list_bill_differences",
        summary="What bills and books differ in; with `open` the work list",
        parameters=[DifferencesQuery],
        responses={200: page_schema(DifferenceAnswer), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=["reconciliation"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/bill-differences"""
        asked = query_of(request, DifferencesQuery).validated_data
        brand_id = brand_for_caller(
            caller(request), Permission.VIEW_BILLS, at=timezone.now(), brand=asked.pop("brand", None)
        )
        bill = asked.pop("bill", None)
        rows = queries.differences(
            brand_id,
            bill_id=parse(BillFile.PREFIX, bill) if bill else None,
            kind=asked.pop("kind", None),
            is_open=asked.pop("open", None),
        )
        return Response(page_of(rows, by="found_at", **asked).body(lambda row: DifferenceAnswer(row).data))


class ExplainDifference(APIView):
    @extend_schema(
        operation_id="explain_bill_difference",
        summary="Work a difference off with a reason; the books stay as they are",
        request=DifferenceReason,
        responses={
            200: DifferenceAnswer,
            **errors_of(NotAllowed, errors.DifferenceClosed, errors.DifferenceNotFound),
        },
        tags=["reconciliation"],
    )
    def post(self, request: Request, difference: str) -> Response:
        """POST /api/v1/bill-differences/{difference}/explanation"""
        return Response(DifferenceAnswer(bill_differences.explain(**_act(request, difference))).data)


class BookDifference(APIView):
    @extend_schema(
        operation_id="book_bill_difference",
        summary="Book money the provider moved and never told us of: as its notice would have",
        request=DifferenceReason,
        responses={
            200: DifferenceAnswer,
            **errors_of(NotAllowed, errors.DifferenceClosed, errors.DifferenceNotBookable, errors.DifferenceNotFound),
        },
        tags=["reconciliation"],
    )
    def post(self, request: Request, difference: str) -> Response:
        """POST /api/v1/bill-differences/{difference}/booking"""
        return Response(DifferenceAnswer(bill_differences.book(**_act(request, difference))).data)


def _act(request: Request, difference: str) -> dict[str, Any]:
    by, at = caller(request), timezone.now()
    found = BillDifference.objects.filter(id=parse(BillDifference.PREFIX, difference)).first()
    if found is None:
        raise errors.DifferenceNotFound
    require_permission(by, Permission.RECONCILE, brand_id=found.brand_id, at=at, missing=errors.DifferenceNotFound)
    reason = body_of(request, DifferenceReason).validated_data["reason"]
    return {"brand_id": found.brand_id, "difference_id": found.id, "reason": reason, "by": by, "at": at}


class DayCloses(APIView):
    @extend_schema(
        operation_id="list_day_closes",
        summary="The days that are final, last closed first",
        parameters=[BillsQuery],
        responses={200: page_schema(DayCloseAnswer), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=["reconciliation"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/day-closes"""
        asked = query_of(request, BillsQuery).validated_data
        brand_id = brand_for_caller(
            caller(request), Permission.VIEW_BILLS, at=timezone.now(), brand=asked.pop("brand", None)
        )
        page = page_of(DayClose.objects.filter(brand_id=brand_id), by="closed_at", **asked)
        return Response(page.body(lambda closed: DayCloseAnswer(closed).data))

    @extend_schema(
        operation_id="close_day",
        summary="Close a provider's day whose differences are all explained; final",
        request=Day,
        responses={
            201: DayCloseAnswer,
            200: DayCloseAnswer,
            **errors_of(
                BrandNotFound, BrandRequired, NotAllowed, errors.BillNotFound, errors.DayNotExplained,
                errors.ProviderNotFound,
            ),
        },
        tags=["reconciliation"],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """POST /api/v1/day-closes"""
        by, at = caller(request), timezone.now()
        asked = body_of(request, Day).validated_data
        brand_id = brand_for_caller(by, Permission.RECONCILE, at=at, brand=asked.get("brand"))
        provider = registry.by_name(asked["provider"]).name
        made = day_closing.close(brand_id=brand_id, provider=provider, day=asked["bill_date"], by=by, at=at)
        return Response(DayCloseAnswer(made.row).data, status=201 if made.is_new else 200)
