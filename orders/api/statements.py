"""Statements: what stores' days and months came to, for whom, and the lines behind them."""

from datetime import date, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.ids import parse
from orders import errors
from orders.models import CashRule, ClosedStatement, Settlement
from orders.models.settlement import AMOUNTS
from orders.queries import statement_lines
from orders.services import cash_rules, month_close
from stores.api.shown import PublicId
from stores.errors import BrandNotFound, BrandRequired, EntityNotFound
from stores.models import SettlementEntity, Store
from stores.permissions import Permission
from stores.queries import Books, books_for_caller, brand_for_caller

BRAND_HELP = "brd_…; only for people who serve several brands."
MOST_DAYS = 366


class DaysQuery(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)
    store = serializers.CharField(required=False, help_text="sto_…")
    since = serializers.DateField(help_text="The first business day.")
    until = serializers.DateField(help_text="The day after the last.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not timedelta(0) < attrs["until"] - attrs["since"] <= timedelta(days=MOST_DAYS):
            raise serializers.ValidationError({"until": f"1 to {MOST_DAYS} days after since"})
        return attrs


class DayQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)
    store = serializers.CharField(help_text="sto_…")
    day = serializers.DateField()


class MonthQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)
    store = serializers.CharField(required=False, help_text="sto_…")
    month = serializers.RegexField(r"^[1-9]\d{3}-(0[1-9]|1[0-2])$", required=False, help_text="2026-11")


class CloseBody(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)


class CashRuleBody(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)
    entity = serializers.CharField(required=False, help_text="ent_…; without it for all.")
    kind = serializers.ChoiceField(choices=CashRule.Kind.choices)
    from_date = serializers.DateField(help_text="A business day that has not begun.")
    fee_bps = serializers.IntegerField(min_value=0, max_value=10_000, help_text="What the brand takes: 500 is 5 %.")


class AmountsAnswer(serializers.Serializer[Any]):
    paid_fen = serializers.IntegerField(help_text="entity + brand + promoter + provider + platform.")
    share_fen = serializers.IntegerField(help_text="The entity's, before the rest.")
    subsidy_fen = serializers.IntegerField(help_text="Added by the brand.")
    fee_fen = serializers.IntegerField(help_text="Taken by the brand.")
    borne_fen = serializers.IntegerField(help_text="What the entity bears of the others'.")
    promoter_fen = serializers.IntegerField()
    provider_fen = serializers.IntegerField()
    platform_fen = serializers.IntegerField()
    entity_fen = serializers.IntegerField(help_text="share + subsidy - fee - borne.")
    brand_fen = serializers.IntegerField()
    till_fen = serializers.IntegerField(help_text="Of entity_fen, what lies in the store's till already.")


class StatementAnswer(AmountsAnswer):
    store = PublicId("sto", source="store_id")
    entity = PublicId("ent", source="entity_id", allow_null=True, help_text="ent_…; null: a store of nobody's.")
    lines = serializers.IntegerField()


class DayAnswer(StatementAnswer):
    day = serializers.DateField()


class ClosedStatementAnswer(StatementAnswer):
    id = serializers.CharField(source="public_id", help_text="stm_…")
    kind = serializers.ChoiceField(choices=ClosedStatement.Kind.choices)
    month = serializers.DateField(help_text="Its first day.")
    since = serializers.DateField()
    until = serializers.DateField(help_text="Exclusive.")
    closed_at = serializers.DateTimeField()


class LineAnswer(serializers.ModelSerializer[Settlement]):
    id = serializers.CharField(source="public_id", help_text="stl_…")
    store = PublicId("sto", source="store_id")
    entity = PublicId("ent", source="entity_id", allow_null=True)
    redemption = PublicId("red", source="redemption_id", allow_null=True)
    purchase = PublicId("pur", source="purchase_id", allow_null=True)
    terms = PublicId("trm", source="terms_id", allow_null=True)
    promoter = PublicId("prm", source="promoter_id", allow_null=True)
    substituted = serializers.CharField(help_text="What was sold out and what was made instead: 乌龙→绿茶.")

    class Meta:
        model = Settlement
        fields = (
            *("id", "source_kind", "store", "entity", "redemption", "purchase", "terms", "rule", "promoter"),
            *("fault", "substituted", "business_date", "booked_date", "settled_at", *AMOUNTS),
        )


class BooksAnswer(serializers.Serializer[Any]):
    open_from = serializers.DateField(help_text="The first day that is not closed.")


class CashRuleAnswer(serializers.ModelSerializer[CashRule]):
    entity = PublicId("ent", source="entity_id", allow_null=True, help_text="ent_…; null: all.")

    class Meta:
        model = CashRule
        fields = ("entity", "kind", "from_date", "fee_bps", "created_at")


class StatementDays(APIView):
    """/api/v1/statements"""

    @extend_schema(
        operation_id="list_statements",
        summary="What each store's days came to, for whom; a franchisee sees his own",
        parameters=[DaysQuery],
        responses={200: DayAnswer(many=True), **errors_of(BrandNotFound, BrandRequired, errors.TooManyStatements)},
        tags=["settlement"],
    )
    def get(self, request: Request) -> Response:
        rows = statement_lines.statements(**_within(request)).order_by("day", "store_id", "entity_id")
        return Response(DayAnswer(_at_most(rows), many=True).data)


class StatementSums(APIView):
    """/api/v1/statements/sums"""

    @extend_schema(
        operation_id="sum_statements",
        summary="What the days add up to for each store and entity: a month that is still open",
        parameters=[DaysQuery],
        responses={
            200: StatementAnswer(many=True),
            **errors_of(BrandNotFound, BrandRequired, errors.TooManyStatements),
        },
        tags=["settlement"],
    )
    def get(self, request: Request) -> Response:
        return Response(StatementAnswer(_at_most(statement_lines.months(**_within(request))), many=True).data)


class StatementLines(APIView):
    """/api/v1/statements/lines"""

    @extend_schema(
        operation_id="list_statement_lines",
        summary="The lines behind one store's day: each with its redemption, purchase and rule",
        parameters=[DayQuery],
        responses={200: page_schema(LineAnswer), **errors_of(BrandNotFound, BrandRequired)},
        tags=["settlement"],
    )
    def get(self, request: Request) -> Response:
        books = _books(request)
        asked = _asked(request, DayQuery)
        store_id = parse(Store.PREFIX, asked.pop("store"))
        rows = statement_lines.lines_of_day(books=books, store_id=store_id, day=asked.pop("day"))
        page = page_of(rows, by="settled_at", **asked)
        return Response(page.body(lambda row: LineAnswer(row).data))


class ClosedStatements(APIView):
    """/api/v1/statements/closed"""

    @extend_schema(
        operation_id="list_closed_statements",
        summary="Statements that never change again: closed months, and the last ones of stores that closed",
        parameters=[MonthQuery],
        responses={200: page_schema(ClosedStatementAnswer), **errors_of(BrandNotFound, BrandRequired)},
        tags=["settlement"],
    )
    def get(self, request: Request) -> Response:
        books = _books(request)
        asked = _asked(request, MonthQuery)
        store, month = asked.pop("store", None), asked.pop("month", None)
        rows = statement_lines.closed_statements(
            books=books,
            month=month and date.fromisoformat(f"{month}-01"),
            store_id=store and parse(Store.PREFIX, store),
        )
        page = page_of(rows, by="closed_at", **asked)
        return Response(page.body(lambda row: ClosedStatementAnswer(row).data))


class MonthClose(APIView):
    """/api/v1/statements/months/{month}/close"""

    @extend_schema(
        operation_id="close_month",
        summary="Freeze a month's statements; what still comes for it is booked after it",
        request=CloseBody,
        responses={
            200: BooksAnswer,
            **errors_of(
                BrandNotFound,
                BrandRequired,
                errors.MonthMalformed,
                errors.MonthNotOver,
                errors.EarlierMonthOpen,
                errors.MonthHasOpenWork,
            ),
        },
        auth=only("staffToken"),
        tags=["settlement"],
    )
    def post(self, request: Request, month: str) -> Response:
        body, at, by = body_of(request, CloseBody).validated_data, timezone.now(), caller(request)
        brand_id = brand_for_caller(by, Permission.CLOSE_BOOKS, at=at, brand=body.get("brand"))
        try:
            first = date.fromisoformat(f"{month}-01")
        except ValueError:
            raise errors.MonthMalformed(param="month") from None
        return Response(BooksAnswer(month_close.close_month(brand_id=brand_id, month=first, by=by, at=at)).data)


class CashRules(APIView):
    """/api/v1/cash-rules"""

    @extend_schema(
        operation_id="set_cash_rule",
        summary="What the brand takes of surcharges or of store orders' cash, from a business day on",
        request=CashRuleBody,
        responses={
            200: CashRuleAnswer,
            201: CashRuleAnswer,
            **errors_of(BrandNotFound, BrandRequired, EntityNotFound, errors.CashRuleStands),
        },
        auth=only("staffToken"),
        tags=["settlement"],
    )
    def post(self, request: Request) -> Response:
        body, at, by = body_of(request, CashRuleBody).validated_data, timezone.now(), caller(request)
        brand_id = brand_for_caller(by, Permission.CLOSE_BOOKS, at=at, brand=body.pop("brand", None))
        entity = body.pop("entity", None)
        made = cash_rules.set_rule(
            brand_id=brand_id,
            entity_id=entity and parse(SettlementEntity.PREFIX, entity),
            kind=CashRule.Kind(body.pop("kind")),
            by=by,
            at=at,
            **body,
        )
        return Response(CashRuleAnswer(made.row).data, status=201 if made.is_new else 200)


def _books(request: Request) -> Books:
    """Whose money the caller may see, asked before anything is said about the rest of the question."""
    return books_for_caller(caller(request), at=timezone.now(), brand=request.query_params.get("brand"))


def _asked(request: Request, form: type[StrictSerializer]) -> dict[str, Any]:
    said: dict[str, Any] = query_of(request, form).validated_data
    said.pop("brand", None)
    return said


def _within(request: Request) -> dict[str, Any]:
    books, asked = _books(request), _asked(request, DaysQuery)
    store = asked.pop("store", None)
    return {"books": books, "store_id": store and parse(Store.PREFIX, store), **asked}


def _at_most(rows: Any) -> list[Any]:
    found = list(rows[: errors.TooManyStatements.MOST + 1])
    if len(found) > errors.TooManyStatements.MOST:
        raise errors.TooManyStatements(most=errors.TooManyStatements.MOST)
    return found
