"""Offers: made, put on sale, paused, closed, and given more or less."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel import ids
from config.kernel.api.caller import caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import IdempotencyConflict
from stores.errors import BrandNotFound, BrandRequired
from stores.permissions import Permission
from stores.queries import brand_for_caller, require_permission
from vouchers import errors
from vouchers.api.deals import BRAND_HELP, MOST_UNITS
from vouchers.models import Deal, DealTerms, Offer
from vouchers.queries.units import PartShown, parts_shown
from vouchers.services import offers


class OfferBody(StrictSerializer):
    terms = serializers.CharField(help_text="trm_…: what is promised.")
    price_fen = serializers.IntegerField()
    allotment = serializers.IntegerField(max_value=MOST_UNITS, help_text="Taken out of the deal's free stock.")
    per_customer_limit = serializers.IntegerField(required=False, allow_null=True, max_value=10**6)
    opens_at = serializers.DateTimeField(required=False, help_text="Now where it is left out.")
    closes_at = serializers.DateTimeField(required=False, allow_null=True)


class AllotmentBody(StrictSerializer):
    allotment = serializers.IntegerField(min_value=1, max_value=MOST_UNITS)


class OffersQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)
    deal = serializers.CharField(required=False, help_text="dea_…")
    state = serializers.ChoiceField(required=False, choices=Offer.State.choices)


class PartAnswer(serializers.Serializer[PartShown]):
    title = serializers.CharField()
    kind = serializers.ChoiceField(choices=Deal.Kind.choices)
    count = serializers.IntegerField()
    use_fen = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="What each of its uses is worth, and gives back where it is refunded unused.",
    )


class OfferAnswer(serializers.Serializer[Offer]):
    id = serializers.CharField(source="public_id", help_text="off_…")
    deal = serializers.SerializerMethodField(help_text="dea_…")
    terms = serializers.SerializerMethodField(help_text="trm_…")
    price_fen = serializers.IntegerField()
    parts = serializers.SerializerMethodField(help_text="What one unit is made of; they sum to its price.")
    allotment = serializers.IntegerField()
    sold = serializers.IntegerField()
    per_customer_limit = serializers.IntegerField(allow_null=True)
    opens_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField(allow_null=True)
    state = serializers.ChoiceField(choices=Offer.State.choices)
    is_held_back = serializers.BooleanField(help_text="Its live session is not open.")
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    drained_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(PartAnswer(many=True))
    def get_parts(self, offer: Offer) -> Any:
        return [PartAnswer(part).data for part in parts_shown(offer.terms_id, offer.price_fen)]

    def get_deal(self, offer: Offer) -> str:
        return ids.public(Deal.PREFIX, offer.deal_id)

    def get_terms(self, offer: Offer) -> str:
        return ids.public(DealTerms.PREFIX, offer.terms_id)


class Offers(APIView):
    """/api/v1/offers"""

    @extend_schema(
        operation_id="create_offer",
        summary="Make a draft offer with stock of its deal",
        request=OfferBody,
        responses={
            200: OfferAnswer,
            201: OfferAnswer,
            **errors_of(
                errors.TermsNotFound,
                errors.OfferInvalid,
                errors.DealStockExhausted,
                IdempotencyConflict,
            ),
        },
        tags=["offers"],
    )
    def post(self, request: Request) -> Response:
        by, at = caller(request), timezone.now()
        request_id = idempotency_key(request)
        body = body_of(request, OfferBody).validated_data
        terms = _terms_for_caller(request, body.pop("terms"))
        made = offers.create(terms=terms, request_id=request_id, by=by, at=at, **body)
        return Response(OfferAnswer(made.row).data, status=201 if made.is_new else 200)

    @extend_schema(
        operation_id="list_offers",
        summary="A brand's offers, newest first",
        parameters=[OffersQuery],
        responses={200: page_schema(OfferAnswer), **errors_of(BrandNotFound, BrandRequired)},
        tags=["offers"],
    )
    def get(self, request: Request) -> Response:
        asked = query_of(request, OffersQuery).validated_data
        brand = asked.pop("brand", None)
        rows = Offer.objects.filter(
            brand_id=brand_for_caller(caller(request), Permission.SELL, at=timezone.now(), brand=brand)
        )
        if "deal" in asked:
            rows = rows.filter(deal_id=ids.parse(Deal.PREFIX, asked.pop("deal")))
        if "state" in asked:
            rows = rows.filter(state=asked.pop("state"))
        return Response(page_of(rows, by="created_at", **asked).body(lambda offer: OfferAnswer(offer).data))


class OneOffer(APIView):
    """/api/v1/offers/{offer}"""

    @extend_schema(
        operation_id="get_offer",
        summary="One offer",
        responses={200: OfferAnswer, **errors_of(errors.OfferNotFound)},
        tags=["offers"],
    )
    def get(self, request: Request, offer: str) -> Response:
        return Response(OfferAnswer(offer_for_caller(request, offer)).data)


class OfferAllotment(APIView):
    """/api/v1/offers/{offer}/allotment"""

    @extend_schema(
        operation_id="change_allotment",
        summary="Give the offer more of the deal's free stock, or take some back",
        request=AllotmentBody,
        responses={
            200: OfferAnswer,
            **errors_of(
                errors.OfferNotFound, errors.AllotmentBelowSold, errors.DealStockExhausted, errors.OfferStateRefuses
            ),
        },
        tags=["offers"],
    )
    def put(self, request: Request, offer: str) -> Response:
        found = offer_for_caller(request, offer)
        allotment = body_of(request, AllotmentBody).validated_data["allotment"]
        changed = offers.change_allotment(offer=found, allotment=allotment, by=caller(request), at=timezone.now())
        return Response(OfferAnswer(changed).data)


def _turn(operation_id: str, summary: str) -> Callable[..., Any]:
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        request=None,
        responses={200: OfferAnswer, **errors_of(errors.OfferNotFound, errors.OfferStateRefuses)},
        tags=["offers"],
    )


class OpenOffer(APIView):
    """/api/v1/offers/{offer}/open"""

    @_turn("open_offer", "Put a draft on sale; repeating changes nothing")
    def post(self, request: Request, offer: str) -> Response:
        return _turned(request, offer, offers.open_offer)


class PauseOffer(APIView):
    """/api/v1/offers/{offer}/pause"""

    @_turn("pause_offer", "Stop selling for now; repeating changes nothing")
    def post(self, request: Request, offer: str) -> Response:
        return _turned(request, offer, offers.pause)


class ResumeOffer(APIView):
    """/api/v1/offers/{offer}/resume"""

    @_turn("resume_offer", "Sell on; repeating changes nothing")
    def post(self, request: Request, offer: str) -> Response:
        return _turned(request, offer, offers.resume)


class CloseOffer(APIView):
    """/api/v1/offers/{offer}/close"""

    @_turn("close_offer", "End the sale for good; repeating changes nothing")
    def post(self, request: Request, offer: str) -> Response:
        return _turned(request, offer, offers.close)


def offer_for_caller(request: Request, offer: str) -> Offer:
    """
    An offer that the caller may sell.

    Raises:
        MalformedId, OfferNotFound: not there for her.
        NotAllowed: there, and she may not.
    """
    found = Offer.objects.filter(pk=ids.parse(Offer.PREFIX, offer)).first()
    if found is None:
        raise errors.OfferNotFound
    at = timezone.now()
    require_permission(caller(request), Permission.SELL, brand_id=found.brand_id, at=at, missing=errors.OfferNotFound)
    return found


def _terms_for_caller(request: Request, terms: str) -> DealTerms:
    found = DealTerms.objects.select_related("deal").filter(pk=ids.parse(DealTerms.PREFIX, terms)).first()
    if found is None:
        raise errors.TermsNotFound(param="terms")
    at = timezone.now()
    require_permission(
        caller(request), Permission.SELL, brand_id=found.deal.brand_id, at=at, missing=errors.TermsNotFound
    )
    return found


def _turned(request: Request, offer: str, act: Callable[..., Offer]) -> Response:
    found = offer_for_caller(request, offer)
    return Response(OfferAnswer(act(offer=found, by=caller(request), at=timezone.now())).data)
