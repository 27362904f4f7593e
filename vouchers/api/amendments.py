"""What terms say to people, and what a brand gives on top of them."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.exceptions import language_of
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.caller import CallerKind
from config.kernel.errors import IdempotencyConflict, NotAllowed
from config.kernel.ids import parse
from stores.errors import StoreNotFound
from stores.models import Store
from stores.permissions import Permission
from stores.queries import StoreNow, require_permission, store_now
from vouchers import errors, queries
from vouchers.api.counter import BILL_HELP, MOST_FEN, RefusalSerializer
from vouchers.models import Amendment, DealTerms
from vouchers.queries.rules_page import rules_page
from vouchers.services import amendments
from vouchers.services.terms_check import MOST_USABLE_DAYS


class AmendmentBody(StrictSerializer):
    """Fields of the terms as they shall be from now on; each only in the customers' favour."""

    reason = serializers.CharField(max_length=256)
    usable_until = serializers.DateTimeField(required=False, help_text="Later than now, where the terms name dates.")
    usable_days = serializers.IntegerField(required=False, min_value=1, max_value=MOST_USABLE_DAYS)
    weekdays = serializers.ListField(child=serializers.IntegerField(), required=False, max_length=7)
    day_spans = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(max_length=5), min_length=2, max_length=2),
        required=False,
        max_length=24,
    )
    blackout_dates = serializers.ListField(child=serializers.DateField(), required=False, max_length=1000)
    special_dates = serializers.ListField(child=serializers.DateField(), required=False, max_length=1000)
    holiday_rule = serializers.ChoiceField(choices=DealTerms.HolidayRule.choices, required=False)
    makeup_rule = serializers.ChoiceField(choices=DealTerms.MakeupRule.choices, required=False)
    store_scope = serializers.DictField(required=False)
    dearer_stores = serializers.ChoiceField(choices=DealTerms.DearerStores.choices, required=False)
    product_scope = serializers.DictField(required=False)
    min_spend_fen = serializers.IntegerField(required=False, min_value=0, max_value=MOST_FEN)
    stacking_group = serializers.CharField(max_length=32, required=False, allow_blank=True)
    max_per_order = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=32_767)
    refundable_unused = serializers.BooleanField(required=False)
    refunds_on_expiry = serializers.BooleanField(required=False)
    substitutes = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(max_length=64), allow_empty=False, max_length=100),
        required=False,
        help_text='Products that may stand in for one: {"prd_…": ["prd_…"]}.',
    )


class AmendmentAnswer(serializers.ModelSerializer[Amendment]):
    id = serializers.CharField(source="public_id", help_text="amd_…")
    terms = serializers.CharField(source="terms.public_id")
    changes = serializers.DictField(help_text="What it changes, as it is from `published_at` on.")

    class Meta:
        model = Amendment
        fields = ("id", "terms", "number", "changes", "reason", "published_at")


class RulesQuery(StrictSerializer):
    store = serializers.CharField(required=False, help_text="sto_…: would it be honoured there, now?")
    bill_fen = serializers.IntegerField(required=False, min_value=0, max_value=MOST_FEN, help_text=BILL_HELP)


class RuleSerializer(serializers.Serializer[Any]):
    rule = serializers.CharField(source="name", help_text="As docs/terms.md lists them.")
    code = serializers.CharField(allow_null=True, help_text="The refusal that quotes it; null where it only promises.")
    zh = serializers.CharField()
    en = serializers.CharField()


class RulesAnswer(serializers.Serializer[Any]):
    rules = RuleSerializer(many=True)
    is_usable = serializers.BooleanField(allow_null=True, help_text="At the store, now; null where none was named.")
    refusal = RefusalSerializer(allow_null=True)


class TermsRules(APIView):
    @extend_schema(
        operation_id="get_terms_rules",
        summary="What terms say, a sentence a rule; with a store, whether they are met there now",
        parameters=[RulesQuery],
        responses={200: RulesAnswer, **errors_of(errors.TermsNotFound, StoreNotFound)},
        auth=only("customerToken", "staffToken", "apiKey"),
        tags=["deals"],
    )
    def get(self, request: Request, terms: str) -> Response:
        """GET /api/v1/terms/{terms}/rules"""
        at = timezone.now()
        found = _terms(request, terms, Permission.VIEW_STORES)
        asked = query_of(request, RulesQuery).validated_data
        store = _store(asked["store"], found, at) if "store" in asked else None
        now = queries.terms([found.id])[found.id]
        page = rules_page(now, store=store, bill_fen=asked.get("bill_fen"), at=at)
        refusal, language = page.refusal, language_of(request.headers.get("Accept-Language", ""))
        told = (
            {"code": refusal.code, "message": refusal.message(language), "details": refusal.details}
            if refusal
            else None
        )
        shown = {"rules": page.rules, "is_usable": None if store is None else refusal is None, "refusal": told}
        return Response(RulesAnswer(shown).data)


class Amendments(APIView):
    """/api/v1/terms/{terms}/amendments"""

    @extend_schema(
        operation_id="amend_terms",
        summary="Change published terms in the customers' favour, for sold vouchers too",
        request=AmendmentBody,
        responses={
            200: AmendmentAnswer,
            201: AmendmentAnswer,
            **errors_of(
                errors.AmendmentChangesNothing,
                errors.AmendmentNotInFavour,
                errors.TermsInvalid,
                errors.TermsNotFound,
                IdempotencyConflict,
            ),
        },
        tags=["deals"],
    )
    def post(self, request: Request, terms: str) -> Response:
        found = _terms(request, terms, Permission.EDIT_DEALS)
        key = idempotency_key(request)
        changes = body_of(request, AmendmentBody).validated_data
        reason = changes.pop("reason")
        made = amendments.publish(
            terms=found, changes=changes, reason=reason, request_id=key, by=caller(request), at=timezone.now()
        )
        return Response(AmendmentAnswer(made.row).data, status=201 if made.is_new else 200)

    @extend_schema(
        operation_id="list_amendments",
        summary="What terms were given on top, newest first",
        parameters=[PageQuery],
        responses={200: page_schema(AmendmentAnswer), **errors_of(errors.TermsNotFound)},
        tags=["deals"],
    )
    def get(self, request: Request, terms: str) -> Response:
        found = _terms(request, terms, Permission.EDIT_DEALS)
        asked = query_of(request, PageQuery).validated_data
        page = page_of(Amendment.objects.filter(terms=found).select_related("terms"), by="published_at", **asked)
        return Response(page.body(lambda row: AmendmentAnswer(row).data))


def _terms(request: Request, terms: str, permission: Permission) -> DealTerms:
    """The terms, for whoever may do that with their brand's; a customer may read what her brand promises."""
    found = DealTerms.objects.select_related("deal__brand").filter(pk=parse(DealTerms.PREFIX, terms)).first()
    if found is None:
        raise errors.TermsNotFound
    by = caller(request)
    if by.kind is CallerKind.CUSTOMER:
        if by.brand_id != found.deal.brand_id:
            raise errors.TermsNotFound
        if permission is not Permission.VIEW_STORES:
            raise NotAllowed
        return found
    require_permission(by, permission, brand_id=found.deal.brand_id, at=timezone.now(), missing=errors.TermsNotFound)
    return found


def _store(public_id: str, terms: DealTerms, at: Any) -> StoreNow:
    found = store_now(parse(Store.PREFIX, public_id), at)
    if found is None or found.brand_id != terms.deal.brand_id:
        raise StoreNotFound
    return found
