"""Surcharges at the counter: 补差 for a size, toppings, a dearer store."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller_id, staff_caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import IdempotencyConflict, NotAllowed
from config.kernel.ids import parse, public
from orders import errors, queries
from orders.models import Surcharge
from orders.providers import registry
from orders.services import surcharges
from orders.services.surcharges import Extra, payment_parameters
from stores.api.shown import PublicId
from stores.errors import OptionNotFound, OptionsDoNotFit, ProductNotFound, ProductSoldOut, StoreNotFound
from stores.models import Store
from stores.permissions import Permission
from stores.queries import store_for_staff, stores_for_clerks
from vouchers.errors import RedemptionAlreadyReversed, RedemptionNotFound
from vouchers.models import Redemption

MOST_FEN = 1_000_000


class SurchargeRequest(StrictSerializer):
    way = serializers.ChoiceField(
        choices=Surcharge.Way.choices, help_text="`provider`: by QR, to be paid now; `till`: has been paid there."
    )
    provider = serializers.ChoiceField(choices=registry.NAMES, default=registry.DEFAULT, help_text="With `provider`.")
    amount_fen = serializers.IntegerField(min_value=1, max_value=MOST_FEN, required=False, help_text="With a reason.")
    reason = serializers.CharField(max_length=128, required=False)
    product = PublicId("prd", source="product_id", required=False, help_text="prd_…: the amount follows from options.")
    options = serializers.ListField(
        child=PublicId("opt"), source="option_ids", required=False, max_length=32, help_text="opt_… she chose."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("amount_fen" in attrs) == ("product_id" in attrs):
            raise serializers.ValidationError({"amount_fen": ["either an amount, or a product with its options"]})
        if "amount_fen" in attrs and not attrs.get("reason"):
            raise serializers.ValidationError({"reason": ["an amount needs its reason"]})
        if "option_ids" in attrs and "product_id" not in attrs:
            raise serializers.ValidationError({"options": ["options are a product's"]})
        return attrs


class SurchargeAnswer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="sur_…")
    redemption = serializers.CharField(help_text="red_…")
    store = serializers.CharField(help_text="sto_…")
    way = serializers.ChoiceField(choices=Surcharge.Way.choices)
    status = serializers.ChoiceField(choices=Surcharge.Status.choices)
    amount_fen = serializers.IntegerField()
    reason = serializers.CharField()
    items = serializers.ListField(child=serializers.DictField(), help_text="What it was computed from.")
    created_at = serializers.DateTimeField()
    paid_at = serializers.DateTimeField(allow_null=True)
    given_back_at = serializers.DateTimeField(allow_null=True)
    parameters = serializers.DictField(
        allow_null=True, help_text="Show these as a QR, as they are; signed. Null unless it waits for its money."
    )


class AskSurcharge(APIView):
    @extend_schema(
        operation_id="ask_surcharge",
        summary="Ask for what a drink costs beyond the voucher that was just redeemed",
        request=SurchargeRequest,
        responses={
            200: SurchargeAnswer,
            201: SurchargeAnswer,
            **errors_of(
                IdempotencyConflict,
                OptionNotFound,
                OptionsDoNotFit,
                ProductNotFound,
                ProductSoldOut,
                RedemptionAlreadyReversed,
                RedemptionNotFound,
                errors.NothingToSurcharge,
                errors.SurchargeTooLate,
            ),
        },
        tags=["redemptions"],
        auth=only("staffToken"),
    )
    def post(self, request: Request, redemption: str) -> Response:
        """POST /api/v1/redemptions/{redemption}/surcharges"""
        by = caller_id(staff_caller(request))
        body = body_of(request, SurchargeRequest).validated_data
        extra = Extra(
            reason=body.get("reason", ""),
            amount_fen=body.get("amount_fen"),
            product_id=body.get("product_id"),
            option_ids=tuple(body.get("option_ids", ())),
        )
        given: dict[str, Any] = {
            "redemption_id": parse(Redemption.PREFIX, redemption),
            "extra": extra,
            "operator_id": by,
            "request_id": idempotency_key(request),
            "at": timezone.now(),
        }
        if body["way"] == Surcharge.Way.TILL:
            asked = surcharges.record_at_till(**given)
        else:
            asked = surcharges.ask_by_qr(provider=body["provider"], **given)
        return Response(_shown(asked.surcharge), status=200 if asked.is_repeat else 201)


class OneSurcharge(APIView):
    @extend_schema(
        operation_id="get_surcharge",
        summary="Has it been paid?",
        responses={200: SurchargeAnswer, **errors_of(errors.SurchargeNotFound)},
        tags=["redemptions"],
        auth=only("staffToken"),
    )
    def get(self, request: Request, surcharge: str) -> Response:
        """GET /api/v1/surcharges/{surcharge}"""
        by, at = caller_id(staff_caller(request)), timezone.now()
        found = Surcharge.objects.filter(pk=parse(Surcharge.PREFIX, surcharge)).first()
        reached = found and stores_for_clerks([(found.store_id, by)], at, permission=Permission.VIEW_REDEMPTIONS)
        if found is None or not reached:
            raise errors.SurchargeNotFound
        return Response(_shown(found))


class StoreSurcharges(APIView):
    @extend_schema(
        operation_id="list_surcharges",
        summary="What a store asked for beyond its vouchers, newest first",
        parameters=[PageQuery],
        responses={200: page_schema(SurchargeAnswer), **errors_of(NotAllowed, StoreNotFound)},
        tags=["redemptions"],
        auth=only("staffToken"),
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/surcharges"""
        by, at = caller_id(staff_caller(request)), timezone.now()
        asked = query_of(request, PageQuery).validated_data
        found = store_for_staff(store, by, at=at, permission=Permission.VIEW_REDEMPTIONS)
        return Response(page_of(queries.surcharges_of_store(found.store_id), by="created_at", **asked).body(_shown))


def _shown(surcharge: Surcharge) -> Any:
    return SurchargeAnswer(
        {
            "id": surcharge.public_id,
            "redemption": public(Redemption.PREFIX, surcharge.redemption_id),
            "store": public(Store.PREFIX, surcharge.store_id),
            "way": surcharge.way,
            "status": surcharge.status,
            "amount_fen": surcharge.amount_fen,
            "reason": surcharge.reason,
            "items": surcharge.items,
            "created_at": surcharge.created_at,
            "paid_at": surcharge.paid_at,
            "given_back_at": surcharge.given_back_at,
            "parameters": payment_parameters(surcharge),
        }
    ).data
