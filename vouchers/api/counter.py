"""The counter: prepare, redeem, list, undo."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller_id, counter_caller
from config.kernel.api.exceptions import language_of
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.api.throttling import address_of
from config.kernel.caller import Caller
from config.kernel.errors import IdempotencyConflict, MalformedRequest, NotAllowed
from config.kernel.ids import parse
from stores.api.shown import PublicId
from stores.errors import ProductSoldOut, StoreNotFound, SubstituteNotNeeded, SubstituteNotOffered
from stores.models import Store
from stores.permissions import Permission
from stores.queries import store_at_counter
from vouchers import errors
from vouchers.api import misses
from vouchers.codes import masked
from vouchers.models import Deal, Redemption, RedemptionRequest, Voucher
from vouchers.queries import counter, issuer_requests
from vouchers.queries.answers import Redeemed, RedeemedUse
from vouchers.queries.counter import Prepared
from vouchers.queries.issuer_requests import RequestState
from vouchers.services import issuer_redemption, issuer_reversal, preparing
from vouchers.services.redemption import RedeemRequest
from vouchers.services.redemption_batch import MOST_AT_ONCE
from vouchers.verdict import valid_until_of

MOST_FEN = 10**11
MOST_INSTEAD = 16
BILL_HELP = "The undiscounted eligible amount; needed where a voucher is a discount or has a minimum spend."


class Codes(serializers.ListField):
    """Codes as scanned or typed: spaces, dashes and full-width digits are fine."""

    child = serializers.CharField(max_length=64)


class PrepareRequest(StrictSerializer):
    codes = Codes(required=False, min_length=1, max_length=MOST_AT_ONCE)
    qr = serializers.CharField(required=False, max_length=512, help_text="The text of a customer's QR code.")
    bill_fen = serializers.IntegerField(required=False, min_value=0, max_value=MOST_FEN, help_text=BILL_HELP)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Either what was typed or what was scanned."""
        if ("codes" in attrs) == ("qr" in attrs):
            raise MalformedRequest(param="codes", fields={"codes": ["send either codes or qr"]})
        return attrs


class InsteadBody(StrictSerializer):
    product = PublicId("prd", help_text="prd_… of the package that has run out.")
    substitute = PublicId("prd", help_text="prd_… that is handed over in its place.")


class RedeemBody(StrictSerializer):
    codes = Codes(max_length=64, help_text=f"1 to {MOST_AT_ONCE}; a card's code once for each use.")
    bill_fen = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=MOST_FEN, help_text=BILL_HELP
    )
    instead = serializers.ListField(
        child=InsteadBody(), required=False, default=list, max_length=MOST_INSTEAD, help_text="What has run out here."
    )


class RefusalSerializer(serializers.Serializer[Any]):
    """Why not, in the words of the error table."""

    code = serializers.CharField()
    message = serializers.CharField()
    details = serializers.DictField()


class InsteadAnswer(serializers.Serializer[Any]):
    product = serializers.CharField(help_text="prd_…")
    name = serializers.CharField()


class RunOutAnswer(serializers.Serializer[Any]):
    product = serializers.CharField(help_text="prd_…")
    name = serializers.CharField()
    instead = InsteadAnswer(many=True, help_text="Best first.")


class PreparedVoucher(serializers.Serializer[Any]):
    """One voucher, here and now; everything but ``code`` and ``refusal`` is null where there is none."""

    code = serializers.CharField(help_text="Full where it is usable: what redeeming takes. Masked otherwise.")
    voucher = serializers.CharField(allow_null=True)
    issuer = serializers.CharField(allow_null=True, help_text="Who sold it; `own` is this site.")
    title = serializers.CharField(allow_null=True)
    kind = serializers.ChoiceField(choices=Deal.Kind.choices, allow_null=True)
    status = serializers.ChoiceField(choices=Voucher.Status.choices, allow_null=True)
    uses_left = serializers.IntegerField(allow_null=True)
    uses_total = serializers.IntegerField(allow_null=True)
    face_value_fen = serializers.IntegerField(allow_null=True)
    discount_rate_bps = serializers.IntegerField(allow_null=True)
    needs_bill = serializers.BooleanField(help_text="Redeeming it takes `bill_fen`.")
    min_spend_fen = serializers.IntegerField()
    discount_fen = serializers.IntegerField(
        allow_null=True, help_text="What a discount takes off `bill_fen`, its cap included; null without a bill."
    )
    pays_difference = serializers.BooleanField(
        help_text="This store is dearer, and by the terms the customer pays the difference."
    )
    valid_until = serializers.DateTimeField(allow_null=True)
    is_usable = serializers.BooleanField()
    refusal = RefusalSerializer(allow_null=True)
    run_out = RunOutAnswer(many=True, help_text="What of the package the store has too little of, and offers instead.")


class PrepareAnswer(serializers.Serializer[Any]):
    vouchers = PreparedVoucher(many=True)


class RedemptionSerializer(serializers.Serializer[RedeemedUse]):
    """One use that was redeemed."""

    id = serializers.CharField(source="public_id")
    voucher = serializers.CharField(source="voucher_public_id")
    code = serializers.CharField(source="masked_code", help_text="Its last four digits.")
    title = serializers.CharField()
    serial = serializers.IntegerField(help_text="Which use of the voucher, from 1.")
    uses_left = serializers.IntegerField(help_text="What remains on the voucher now.")
    amount_fen = serializers.IntegerField(help_text="What was paid for this use.")
    discount_fen = serializers.IntegerField(allow_null=True, help_text="What a discount takes off the bill.")
    pays_difference = serializers.BooleanField(help_text="The customer pays this dearer store's difference.")
    redeemed_at = serializers.DateTimeField()
    reversible_until = serializers.DateTimeField(allow_null=True)
    reversed_at = serializers.DateTimeField(allow_null=True)


class RedeemAnswer(serializers.Serializer[Redeemed | RequestState]):
    """The request that was done."""

    request = serializers.CharField(source="public_id")
    store = serializers.CharField(source="store_public_id")
    bill_fen = serializers.IntegerField(allow_null=True)
    redemptions = RedemptionSerializer(many=True, source="uses")


class RequestAnswer(serializers.Serializer[RequestState]):
    """
    A redemption request as it is now. While it is `pending` (the platform looks at a risk, up to 48 h) or
    `unknown` (it has not answered) its uses are held and it has no redemptions; ask again in a while.
    """

    request = serializers.CharField(source="public_id")
    store = serializers.CharField(source="store_public_id")
    issuer = serializers.CharField(help_text="Who sold the vouchers; `own` is this site.")
    outcome = serializers.ChoiceField(choices=RedemptionRequest.Outcome.choices)
    bill_fen = serializers.IntegerField(allow_null=True)
    held_uses = serializers.IntegerField()
    redemptions = RedemptionSerializer(many=True, source="uses")
    reason_code = serializers.CharField(help_text="Of a refusal, in the platform's numbers; empty otherwise.")
    reason = serializers.CharField()
    requested_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)


class StoreRedemption(serializers.Serializer[Redemption]):
    """One line of a store's list."""

    id = serializers.CharField(source="public_id")
    request = serializers.CharField(source="request.public_id")
    voucher = serializers.CharField(source="voucher.public_id")
    code = serializers.SerializerMethodField(help_text="Its last four digits.")
    serial = serializers.IntegerField()
    amount_fen = serializers.IntegerField()
    business_date = serializers.DateField()
    operator = serializers.CharField(source="request.operator.display_name", allow_null=True, default=None)
    redeemed_at = serializers.DateTimeField()
    reversible_until = serializers.DateTimeField(allow_null=True)
    reversed_at = serializers.DateTimeField(allow_null=True)

    def get_code(self, redemption: Redemption) -> str:
        return masked(redemption.voucher.code)


class RedemptionsQuery(PageQuery):
    date = serializers.DateField(required=False, help_text="A business day; the one of this moment without it.")


class ReversalAnswer(serializers.Serializer[Redemption]):
    """The redemption that was undone, and what that leaves on its voucher."""

    id = serializers.CharField(source="public_id")
    voucher = serializers.CharField(source="voucher.public_id")
    serial = serializers.IntegerField()
    amount_fen = serializers.IntegerField()
    redeemed_at = serializers.DateTimeField()
    reversed_at = serializers.DateTimeField(allow_null=True, help_text="Null while a platform has not decided (202).")
    uses_left = serializers.IntegerField(source="voucher.uses_left")
    valid_until = serializers.DateTimeField(source="voucher.valid_until")


class PrepareRedemption(APIView):
    @extend_schema(
        operation_id="prepare_redemption",
        summary="What these codes, or a customer's QR, would be answered here and now",
        request=PrepareRequest,
        responses={
            200: PrepareAnswer,
            **errors_of(
                StoreNotFound,
                NotAllowed,
                errors.QrExpired,
                errors.QrNotOurs,
                errors.VoucherNotFound,
                errors.IssuerDoesNotAnswer,
                errors.IssuerProductUnknown,
            ),
        },
        auth=only("staffToken", "counterToken", "apiKey"),
        tags=["counter"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/redemptions/prepare"""
        by, at = counter_caller(request), timezone.now()
        asked = body_of(request, PrepareRequest).validated_data
        address = address_of(request)
        misses.require_room(clerk_id=caller_id(by), address=address)
        here = store_at_counter(store, by, at=at)
        bill_fen = asked.get("bill_fen")
        if "qr" in asked:
            with _missing(by, address):
                prepared = preparing.prepare_qr(store=here, text=asked["qr"], bill_fen=bill_fen, at=at)
        else:
            prepared = preparing.prepare(store=here, codes=asked["codes"], bill_fen=bill_fen, at=at)
        missed = sum(isinstance(one.refusal, misses.MISSED) for one in prepared)
        misses.count(missed, clerk_id=caller_id(by), address=address)
        language = language_of(request.headers.get("Accept-Language", ""))
        return Response({"vouchers": [_shown(one, bill_fen, language) for one in prepared]})


class StoreRedemptions(APIView):
    @extend_schema(
        operation_id="redeem",
        summary="Redeem 1 to 10 uses, all or nothing",
        request=RedeemBody,
        responses={
            200: RedeemAnswer,
            201: RedeemAnswer,
            202: RequestAnswer,
            **errors_of(
                errors.IssuerAlone,
                errors.IssuerNotThere,
                errors.StoreNotAtIssuer,
                errors.IssuerProductUnknown,
                errors.IssuerDoesNotAnswer,
                errors.RefusedByIssuer,
                errors.ClerkNotAtStore,
                errors.StoreClosedForGood,
                errors.StorePaused,
                errors.CodesOutOfRange,
                errors.VoucherNotFound,
                errors.VoucherRefunded,
                errors.VoucherAlreadyRedeemed,
                errors.VoucherHeld,
                errors.VoucherNotYetValid,
                errors.VoucherExpired,
                errors.WrongStore,
                errors.VoucherNotUsableNow,
                errors.BillAmountRequired,
                errors.MinSpendNotReached,
                errors.TooManyOfOneDeal,
                errors.VouchersDoNotCombine,
                ProductSoldOut,
                SubstituteNotNeeded,
                SubstituteNotOffered,
                IdempotencyConflict,
            ),
        },
        auth=only("staffToken", "counterToken", "apiKey"),
        tags=["counter"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/redemptions"""
        by, at = counter_caller(request), timezone.now()
        key = idempotency_key(request)
        asked = body_of(request, RedeemBody).validated_data
        address = address_of(request)
        misses.require_room(clerk_id=caller_id(by), address=address)
        wanted = RedeemRequest(parse(Store.PREFIX, store), by, tuple(asked["codes"]), asked.get("bill_fen"), key)
        pairs = tuple((one["product"], one["substitute"]) for one in asked["instead"])
        wanted = replace(wanted, instead=pairs)
        with _missing(by, address):
            done = issuer_redemption.redeem_wherever(wanted, at=at)
        if isinstance(done, RequestState) and not done.is_decided:
            return Response(RequestAnswer(done).data, status=202)
        return Response(RedeemAnswer(done).data, status=200 if done.is_repeat else 201)

    @extend_schema(
        operation_id="list_redemptions",
        summary="A store's redemptions of a business day, newest first",
        parameters=[RedemptionsQuery],
        responses={200: page_schema(StoreRedemption), **errors_of(StoreNotFound, NotAllowed)},
        auth=only("staffToken", "counterToken", "apiKey"),
        tags=["counter"],
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/redemptions"""
        at = timezone.now()
        asked = query_of(request, RedemptionsQuery).validated_data
        here = store_at_counter(store, counter_caller(request), at=at, permission=Permission.VIEW_REDEMPTIONS)
        day = asked.pop("date", here.business_date)
        page = page_of(counter.redemptions_of_store(here).filter(business_date=day), by="redeemed_at", **asked)
        return Response(page.body(lambda row: StoreRedemption(row).data))


class Reversal(APIView):
    @extend_schema(
        operation_id="reverse_redemption",
        summary="Undo a redemption made at the counter",
        request=None,
        responses={
            200: ReversalAnswer,
            201: ReversalAnswer,
            202: ReversalAnswer,
            **errors_of(
                errors.ReversalUndecided,
                errors.IssuerNotThere,
                errors.RefusedByIssuer,
                errors.RedemptionNotFound,
                errors.RedemptionBelongsToOrder,
                errors.RedemptionAlreadyReversed,
                errors.RedemptionSettled,
                errors.ReversalWindowOver,
                IdempotencyConflict,
            ),
        },
        auth=only("staffToken", "counterToken", "apiKey"),
        tags=["counter"],
    )
    def post(self, request: Request, redemption: str) -> Response:
        """POST /api/v1/redemptions/{redemption}/reversal"""
        by, at = counter_caller(request), timezone.now()
        undoing = issuer_reversal.reverse_wherever(
            redemption_id=parse(Redemption.PREFIX, redemption),
            operator=by,
            request_id=idempotency_key(request),
            at=at,
        )
        if not undoing.is_decided:
            return Response(ReversalAnswer(undoing.redemption).data, status=202)
        return Response(ReversalAnswer(undoing.redemption).data, status=200 if undoing.is_repeat else 201)


class OneRequest(APIView):
    @extend_schema(
        operation_id="get_redemption_request",
        summary="What became of a redemption that a platform decides",
        responses={200: RequestAnswer, **errors_of(errors.RequestNotFound)},
        auth=only("staffToken", "counterToken", "apiKey"),
        tags=["counter"],
    )
    def get(self, request: Request, redemption_request: str) -> Response:
        """GET /api/v1/redemption-requests/{request}"""
        asked = issuer_requests.for_counter(redemption_request, counter_caller(request), at=timezone.now())
        return Response(RequestAnswer(asked).data)


@contextmanager
def _missing(by: Caller, address: str) -> Iterator[None]:
    try:
        yield
    except misses.MISSED:
        misses.count(1, clerk_id=caller_id(by), address=address)
        raise


def _shown(prepared: Prepared, bill_fen: int | None, language: str) -> dict[str, Any]:
    voucher, terms, refusal = prepared.voucher, prepared.terms, prepared.refusal
    told = {"code": refusal.code, "message": refusal.message(language), "details": refusal.details} if refusal else None
    return {
        "code": masked(prepared.code) if refusal else prepared.code,
        "voucher": voucher.public_id if voucher else None,
        "issuer": voucher.issuer if voucher else None,
        "title": terms.title if terms else None,
        "kind": terms.kind if terms else None,
        "status": voucher.status if voucher else None,
        "uses_left": voucher.uses_left if voucher else None,
        "uses_total": voucher.uses_total if voucher else None,
        "face_value_fen": terms.face_value_fen if terms else None,
        "discount_rate_bps": terms.discount_rate_bps if terms else None,
        "needs_bill": terms.needs_bill if terms else False,
        "min_spend_fen": terms.min_spend_fen if terms else 0,
        "discount_fen": terms.discount_fen(bill_fen) if terms else None,
        "pays_difference": prepared.pays_difference,
        "valid_until": valid_until_of(voucher, terms) if voucher and terms else None,
        "is_usable": refusal is None,
        "refusal": told,
        "run_out": [
            {
                "product": one.product.public_id,
                "name": one.product.name,
                "instead": [{"product": other.public_id, "name": other.name} for other in one.instead],
            }
            for one in prepared.run_out
        ],
    }
