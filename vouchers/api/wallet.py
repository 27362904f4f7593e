"""The customer's wallet."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller_id, customer_caller
from config.kernel.api.exceptions import language_of
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import query_of
from config.kernel.ids import parse
from vouchers import errors, qr
from vouchers.api.counter import RefusalSerializer
from vouchers.models import Deal, Redemption, UseEnding, Voucher
from vouchers.queries import terms, wallet
from vouchers.queries.wallet import VoucherDetail
from vouchers.verdict import Terms, valid_until_of


class VoucherSerializer(serializers.Serializer[Any]):
    """A voucher in her wallet. The code is hers alone: whoever has it can use it."""

    id = serializers.CharField()
    issuer = serializers.CharField(help_text="Who sold it; `own` is this site.")
    code = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(choices=Deal.Kind.choices)
    status = serializers.ChoiceField(choices=Voucher.Status.choices)
    uses_left = serializers.IntegerField()
    uses_total = serializers.IntegerField()
    paid_fen = serializers.IntegerField()
    face_value_fen = serializers.IntegerField(allow_null=True)
    discount_rate_bps = serializers.IntegerField(allow_null=True)
    discount_cap_fen = serializers.IntegerField(allow_null=True)
    min_spend_fen = serializers.IntegerField()
    valid_from = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(help_text="Exclusive.")
    issued_at = serializers.DateTimeField()


class UseSerializer(serializers.Serializer[Redemption]):
    id = serializers.CharField(source="public_id")
    serial = serializers.IntegerField()
    amount_fen = serializers.IntegerField()
    store = serializers.CharField(source="store.public_id")
    store_name = serializers.CharField(source="store.name")
    redeemed_at = serializers.DateTimeField()
    reversed_at = serializers.DateTimeField(allow_null=True)


class EndingSerializer(serializers.Serializer[UseEnding]):
    serial = serializers.IntegerField()
    amount_fen = serializers.IntegerField()
    expired_at = serializers.DateTimeField(allow_null=True)
    refunding_at = serializers.DateTimeField(allow_null=True)
    refunded_at = serializers.DateTimeField(allow_null=True)


class RefundNowSerializer(serializers.Serializer[Any]):
    amount_fen = serializers.IntegerField(help_text="What giving it back returns at this moment.")
    refusal = RefusalSerializer(allow_null=True)


class VoucherDetailSerializer(VoucherSerializer):
    """A voucher with its story, when it may be used, and what refunding gives now."""

    weekdays = serializers.ListField(child=serializers.IntegerField(), help_text="ISO; empty means every day.")
    day_spans = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    blackout_dates = serializers.ListField(child=serializers.DateField())
    uses = UseSerializer(many=True)
    endings = EndingSerializer(many=True)
    refund_now = RefundNowSerializer()


class QrAnswer(serializers.Serializer[Any]):
    text = serializers.CharField(help_text="What the code says; at most 180 characters.")
    svg = serializers.CharField(help_text="The code, black on white with its quiet zone.")
    expires_at = serializers.DateTimeField(help_text="Fetch another before.")


class WalletQuery(PageQuery):
    status = serializers.ChoiceField(choices=Voucher.Status.choices, required=False)


class Wallet(APIView):
    @extend_schema(
        operation_id="list_vouchers",
        summary="Her vouchers, newest first",
        parameters=[WalletQuery],
        responses={200: page_schema(VoucherSerializer)},
        auth=only("customerToken"),
        tags=["wallet"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/vouchers"""
        asked = query_of(request, WalletQuery).validated_data
        statuses = [asked.pop("status")] if "status" in asked else []
        hers = wallet.vouchers_of(caller_id(customer_caller(request)), statuses=statuses)
        page = page_of(hers, by="issued_at", **asked)
        known = terms({voucher.terms_id for voucher in page.items})
        return Response(page.body(lambda voucher: _voucher(voucher, known[voucher.terms_id])))


class OneVoucher(APIView):
    @extend_schema(
        operation_id="get_voucher",
        summary="One voucher of hers, with its story",
        responses={200: VoucherDetailSerializer, **errors_of(errors.VoucherNotFound)},
        auth=only("customerToken"),
        tags=["wallet"],
    )
    def get(self, request: Request, voucher: str) -> Response:
        """GET /api/v1/vouchers/{voucher}"""
        customer_id = caller_id(customer_caller(request))
        found = wallet.detail(customer_id, parse(Voucher.PREFIX, voucher), at=timezone.now())
        return Response(_detail(found, language_of(request.headers.get("Accept-Language", ""))))


class VoucherQr(APIView):
    @extend_schema(
        operation_id="get_voucher_qr",
        summary="A fresh QR code of one voucher, good for a minute",
        responses={
            200: QrAnswer,
            **errors_of(
                errors.VoucherNotFound, errors.VoucherRefunded, errors.VoucherAlreadyRedeemed, errors.VoucherExpired
            ),
        },
        auth=only("customerToken"),
        tags=["wallet"],
    )
    def get(self, request: Request, voucher: str) -> Response:
        """GET /api/v1/vouchers/{voucher}/qr"""
        at = timezone.now()
        hers = wallet.showable(caller_id(customer_caller(request)), parse(Voucher.PREFIX, voucher), at=at)
        token = qr.token_for(brand_id=hers.brand_id, code=hers.code, at=at)
        answer = {"text": token.text, "svg": qr.as_svg(token.text), "expires_at": token.expires_at}
        return Response(answer, headers={"Cache-Control": "no-store"})


def _voucher(voucher: Voucher, terms: Terms) -> dict[str, Any]:
    return {
        "id": voucher.public_id,
        "issuer": voucher.issuer,
        "code": voucher.code,
        "title": terms.title,
        "kind": terms.kind,
        "status": voucher.status,
        "uses_left": voucher.uses_left,
        "uses_total": voucher.uses_total,
        "paid_fen": voucher.paid_fen,
        "face_value_fen": terms.face_value_fen,
        "discount_rate_bps": terms.discount_rate_bps,
        "discount_cap_fen": terms.discount_cap_fen,
        "min_spend_fen": terms.min_spend_fen,
        "valid_from": voucher.valid_from,
        "valid_until": valid_until_of(voucher, terms),
        "issued_at": voucher.issued_at,
    }


def _detail(found: VoucherDetail, language: str) -> dict[str, Any]:
    refusal = found.refund_now.refusal
    told = {"code": refusal.code, "message": refusal.message(language), "details": refusal.details} if refusal else None
    return {
        **_voucher(found.voucher, found.terms),
        "weekdays": sorted(found.terms.weekdays),
        "day_spans": found.terms.spans_as_clocks,
        "blackout_dates": sorted(found.terms.blackout_dates),
        "uses": [UseSerializer(redemption).data for redemption in found.redemptions],
        "endings": [EndingSerializer(ending).data for ending in found.endings],
        "refund_now": {"amount_fen": found.refund_now.amount_fen, "refusal": told},
    }
