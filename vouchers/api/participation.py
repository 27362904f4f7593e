"""What a store receives for a use, and whether it takes part in a deal."""

from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import IdempotencyConflict
from config.kernel.ids import parse
from stores.errors import StoreIsPromised, StoreNotFound
from stores.permissions import Permission
from stores.queries import require_permission, store_for_caller, store_now
from vouchers import errors
from vouchers.api.counter import MOST_FEN
from vouchers.api.deals import deal_for_caller
from vouchers.models import DealTerms, ParticipationRound, StoreParticipation
from vouchers.queries.settlement_rules import settlement_rules
from vouchers.queries.store_shares import StoreShare, store_share
from vouchers.services import participation
from vouchers.settlement import Paid, rules_of

MOST_BPS = 10_000


class ShareQuery(StrictSerializer):
    terms = serializers.CharField(help_text="trm_…")
    paid_fen = serializers.IntegerField(
        min_value=0, max_value=MOST_FEN, help_text="What the customer paid for one use."
    )
    merchant_fen = serializers.IntegerField(
        min_value=0, max_value=MOST_FEN, default=0, help_text="What the brand gave up where another platform sold it."
    )
    promoter_rate_bps = serializers.IntegerField(min_value=0, max_value=MOST_BPS, default=0)
    provider_rate_bps = serializers.IntegerField(min_value=0, max_value=MOST_BPS, default=0)
    platform = serializers.BooleanField(default=False, help_text="Another platform sold it.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["promoter_rate_bps"] + attrs["provider_rate_bps"] > MOST_BPS:
            raise serializers.ValidationError({"provider_rate_bps": "the rates together are at most 10000"})
        return attrs


class ShareLineAnswer(serializers.Serializer[Any]):
    part = serializers.CharField(help_text="paid, share, subsidy, fee, promoter, provider or platform.")
    fen = serializers.IntegerField(help_text="Below zero where it is taken off.")
    rate_bps = serializers.IntegerField(allow_null=True)
    zh = serializers.CharField()
    en = serializers.CharField()


class ShareAnswer(serializers.Serializer[StoreShare]):
    store_receives_fen = serializers.IntegerField(source="receives_fen")
    rule = serializers.IntegerField(allow_null=True, help_text="Its place in the terms; null: the rule of all others.")
    zh = serializers.CharField()
    en = serializers.CharField(help_text="Your store receives ¥8.73 for this cup.")
    lines = ShareLineAnswer(many=True)


class StoreShares(APIView):
    """/api/v1/stores/{store}/share"""

    @extend_schema(
        operation_id="get_store_share",
        summary="What the store receives for one use of a voucher, line by line, as it will settle",
        parameters=[ShareQuery],
        responses={200: ShareAnswer, **errors_of(StoreNotFound, errors.TermsNotFound)},
        tags=["settlement"],
    )
    def get(self, request: Request, store: str) -> Response:
        at = timezone.now()
        found = store_for_caller(caller(request), store, permission=Permission.VIEW_SHARES, at=at)
        asked = query_of(request, ShareQuery).validated_data
        terms_id = parse(DealTerms.PREFIX, asked["terms"])
        if not DealTerms.objects.filter(pk=terms_id, deal__brand_id=found.brand_id).exists():
            raise errors.TermsNotFound
        now = store_now(found.pk, at)
        assert now is not None, "just found"
        paid = Paid(
            paid_fen=asked["paid_fen"],
            merchant_fen=asked["merchant_fen"],
            promoter_bps=0 if asked["platform"] else asked["promoter_rate_bps"],
            provider_bps=0 if asked["platform"] else asked["provider_rate_bps"],
            is_platforms=asked["platform"],
        )
        rules = settlement_rules([terms_id])[terms_id]
        share = store_share(rules, place=now, has_entity=now.entity_id is not None, paid=paid)
        return Response(ShareAnswer(share).data)


class RoundBody(StrictSerializer):
    store_scope = serializers.DictField(required=False, default=dict, help_text="Whom to ask, as terms name stores.")
    price_fen = serializers.IntegerField(min_value=0, max_value=MOST_FEN)
    settlement_rules = serializers.ListField(
        child=serializers.DictField(), required=False, default=list, max_length=100
    )
    note = serializers.CharField(max_length=512, required=False, default="", allow_blank=True)
    answer_until = serializers.DateTimeField()


class RoundAnswer(serializers.ModelSerializer[ParticipationRound]):
    id = serializers.CharField(source="public_id", help_text="prt_…")
    deal = serializers.CharField(source="deal.public_id")
    group = serializers.CharField(source="group.public_id", help_text="grp_…: what the terms' `store_scope` names.")
    asked = serializers.IntegerField(help_text="Stores that have not answered.")
    accepted = serializers.IntegerField()
    declined = serializers.IntegerField()

    class Meta:
        model = ParticipationRound
        fields = (
            *("id", "deal", "group", "price_fen", "settlement_rules", "note", "answer_until", "asked_at"),
            *("asked", "accepted", "declined"),
        )


class ParticipationAnswer(serializers.ModelSerializer[StoreParticipation]):
    round = serializers.CharField(source="round.public_id", help_text="prt_…")
    store = serializers.CharField(source="store.public_id", help_text="sto_…")
    store_code = serializers.CharField(source="store.code")

    class Meta:
        model = StoreParticipation
        fields = ("round", "store", "store_code", "status", "by_contract", "answered_at")


class AskedAnswer(serializers.ModelSerializer[StoreParticipation]):
    round = serializers.CharField(source="round.public_id", help_text="prt_…")
    deal_name = serializers.CharField(source="round.deal.name")
    price_fen = serializers.IntegerField(source="round.price_fen")
    note = serializers.CharField(source="round.note")
    answer_until = serializers.DateTimeField(source="round.answer_until")
    share = ShareAnswer(help_text="What the store would receive for one use sold at that price, before promoters.")

    class Meta:
        model = StoreParticipation
        fields = (
            *("round", "deal_name", "price_fen", "note", "answer_until", "status", "by_contract", "answered_at"),
            "share",
        )


class RoundStoresQuery(StrictSerializer):
    status = serializers.ChoiceField(choices=StoreParticipation.Status.choices, required=False)


def rounds() -> QuerySet[ParticipationRound]:
    """With how many stores answered what."""
    counts = {status.value: Count("stores", filter=Q(stores__status=status)) for status in StoreParticipation.Status}
    return ParticipationRound.objects.select_related("deal", "group").annotate(**counts)


class DealRounds(APIView):
    """/api/v1/deals/{deal}/participation-rounds"""

    @extend_schema(
        operation_id="ask_stores",
        summary="Ask stores to take part in a deal, by a deadline",
        request=RoundBody,
        responses={
            200: RoundAnswer,
            201: RoundAnswer,
            **errors_of(
                errors.DealNotFound,
                errors.TermsInvalid,
                errors.NobodyToAsk,
                errors.AnswerTooLate,
                IdempotencyConflict,
            ),
        },
        tags=["settlement"],
    )
    def post(self, request: Request, deal: str) -> Response:
        found = deal_for_caller(request, deal)
        body = body_of(request, RoundBody).validated_data
        made = participation.ask(
            deal=found, request_id=idempotency_key(request), by=caller(request), at=timezone.now(), **body
        )
        return Response(RoundAnswer(rounds().get(pk=made.row.pk)).data, status=201 if made.is_new else 200)

    @extend_schema(
        operation_id="list_participation_rounds",
        summary="Whom a deal's stores were asked by, newest first",
        parameters=[PageQuery],
        responses={200: page_schema(RoundAnswer), **errors_of(errors.DealNotFound)},
        tags=["settlement"],
    )
    def get(self, request: Request, deal: str) -> Response:
        found = deal_for_caller(request, deal)
        asked = query_of(request, PageQuery).validated_data
        page = page_of(rounds().filter(deal=found), by="asked_at", **asked)
        return Response(page.body(lambda one: RoundAnswer(one).data))


class RoundStores(APIView):
    """/api/v1/participation-rounds/{round}/stores"""

    @extend_schema(
        operation_id="list_round_stores",
        summary="What each store of a round answered, by store code",
        parameters=[RoundStoresQuery],
        responses={200: ParticipationAnswer(many=True), **errors_of(errors.RoundNotFound)},
        tags=["settlement"],
    )
    def get(self, request: Request, round: str) -> Response:
        found = ParticipationRound.objects.filter(pk=parse(ParticipationRound.PREFIX, round)).first()
        if found is None:
            raise errors.RoundNotFound
        require_permission(
            caller(request),
            Permission.EDIT_DEALS,
            brand_id=found.brand_id,
            at=timezone.now(),
            missing=errors.RoundNotFound,
        )
        asked = query_of(request, RoundStoresQuery).validated_data
        rows = found.stores.filter(**asked).select_related("store", "round").order_by("store__code")
        return Response(ParticipationAnswer(rows, many=True).data)


class StoreParticipations(APIView):
    """/api/v1/stores/{store}/participation"""

    @extend_schema(
        operation_id="list_store_participation",
        summary="What the store was asked, newest first, with what it would receive; the latest hundred",
        responses={200: AskedAnswer(many=True), **errors_of(StoreNotFound)},
        tags=["settlement"],
    )
    def get(self, request: Request, store: str) -> Response:
        at = timezone.now()
        found = store_for_caller(caller(request), store, permission=Permission.VIEW_SHARES, at=at)
        now = store_now(found.pk, at)
        assert now is not None, "just found"
        rows = list(
            StoreParticipation.objects.filter(store=found)
            .select_related("round__deal", "store")
            .order_by("-round__asked_at", "-round_id")[:100]
        )
        for row in rows:
            paid = Paid(paid_fen=row.round.price_fen)
            row.share = store_share(  # type: ignore[attr-defined]
                rules_of(row.round.settlement_rules), place=now, has_entity=now.entity_id is not None, paid=paid
            )
        return Response(AskedAnswer(rows, many=True).data)


class Acceptance(APIView):
    """/api/v1/stores/{store}/participation/{round}/acceptance"""

    @extend_schema(
        operation_id="accept_participation",
        summary="The store takes part",
        request=None,
        responses={200: ParticipationAnswer, **errors_of(StoreNotFound, errors.NotAsked, errors.AnswerTooLate)},
        auth=only("staffToken"),
        tags=["settlement"],
    )
    def put(self, request: Request, store: str, round: str) -> Response:
        return _answered(request, store, round, participation.accept)


class Refusal(APIView):
    """/api/v1/stores/{store}/participation/{round}/refusal"""

    @extend_schema(
        operation_id="decline_participation",
        summary="The store does not take part",
        request=None,
        responses={
            200: ParticipationAnswer,
            **errors_of(StoreNotFound, errors.NotAsked, errors.AnswerTooLate, errors.BoundByContract, StoreIsPromised),
        },
        auth=only("staffToken"),
        tags=["settlement"],
    )
    def put(self, request: Request, store: str, round: str) -> Response:
        return _answered(request, store, round, participation.decline)


def _answered(request: Request, store: str, round: str, act: Any) -> Response:
    at, by = timezone.now(), caller(request)
    found = store_for_caller(by, store, permission=Permission.ANSWER_PARTICIPATION, at=at)
    row = act(round_id=parse(ParticipationRound.PREFIX, round), store=found, by=by, at=at)
    row.store = found
    return Response(ParticipationAnswer(row).data)
