"""Refunds: a customer gives back what is unused; the brand sees what is on its way and what is stuck."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller, caller_id, customer_caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import query_of
from config.kernel.errors import IdempotencyConflict, NotAllowed
from config.kernel.ids import parse, public
from orders import queries
from orders.errors import RefundNotFound, RefundNotGivenUp
from orders.models import Payment, Purchase, Refund, StoreOrder, Surcharge
from orders.services import refund_failures, refunds
from orders.services.refunds import RefundAnswer
from stores.errors import BrandNotFound, BrandRequired
from stores.models import Customer
from stores.permissions import Permission
from stores.queries import brand_for_caller
from vouchers import errors
from vouchers.models import Voucher


class RefundRequestSerializer(serializers.Serializer[Any]):
    """What she gave back; ``refund`` is null where it had cost nothing."""

    id = serializers.CharField()
    voucher = serializers.CharField()
    amount_fen = serializers.IntegerField()
    requested_at = serializers.DateTimeField()
    refund = serializers.CharField(allow_null=True)
    refund_status = serializers.ChoiceField(choices=Refund.Status.choices, allow_null=True)


class RefundSerializer(serializers.Serializer[Any]):
    """Money on its way back."""

    id = serializers.CharField()
    purchase = serializers.CharField(allow_null=True, help_text="pur_…")
    store_order = serializers.CharField(allow_null=True, help_text="ord_…, where it paid an order at a store.")
    payment = serializers.CharField(allow_null=True)
    surcharge = serializers.CharField(allow_null=True, help_text="sur_…, where it goes back to one.")
    customer = serializers.CharField()
    source_kind = serializers.ChoiceField(choices=Refund.Source.choices)
    amount_fen = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Refund.Status.choices)
    attempts = serializers.IntegerField()
    last_error = serializers.CharField(allow_blank=True)
    requested_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    succeeded_at = serializers.DateTimeField(allow_null=True)


class RefundQuery(PageQuery):
    status = serializers.ChoiceField(
        choices=Refund.Status.choices, required=False, help_text="`failed`: the work list."
    )
    brand = serializers.CharField(required=False, help_text="Which, for people who work for several.")


class VoucherRefunds(APIView):
    """POST /api/v1/vouchers/{voucher}/refund"""

    @extend_schema(
        operation_id="refund_voucher",
        summary="Give back what is unused of a voucher",
        request=None,
        responses={
            200: RefundRequestSerializer,
            201: RefundRequestSerializer,
            **errors_of(
                errors.VoucherNotFound,
                errors.VoucherRefunded,
                errors.VoucherAlreadyRedeemed,
                errors.VoucherHeld,
                errors.VoucherExpired,
                errors.VoucherNotRefundable,
                errors.RefundAtIssuer,
                IdempotencyConflict,
            ),
        },
        auth=only("customerToken"),
    )
    def post(self, request: Request, voucher: str) -> Response:
        answer = refunds.request_refund(
            voucher_id=parse(Voucher.PREFIX, voucher),
            customer_id=caller_id(customer_caller(request)),
            request_id=idempotency_key(request),
            at=timezone.now(),
        )
        return Response(_shown_request(answer), status=200 if answer.is_repeat else 201)


class RefundList(APIView):
    """GET /api/v1/refunds"""

    @extend_schema(
        operation_id="list_refunds",
        summary="The brand's refunds, newest first",
        parameters=[RefundQuery],
        responses={200: page_schema(RefundSerializer), **errors_of(BrandNotFound, BrandRequired)},
        auth=only("staffToken", "apiKey"),
    )
    def get(self, request: Request) -> Response:
        asked = query_of(request, RefundQuery).validated_data
        brand_id = brand_for_caller(
            caller(request), Permission.SERVE_CUSTOMERS, at=timezone.now(), brand=asked.pop("brand", None)
        )
        rows = queries.refunds_of_brand(brand_id, status=asked.pop("status", None))
        return Response(page_of(rows, by="requested_at", **asked).body(_shown))


class RetryRefund(APIView):
    """POST /api/v1/refunds/{refund}/retry"""

    @extend_schema(
        operation_id="retry_refund",
        summary="Send a refund again that was given up",
        request=None,
        responses={200: RefundSerializer, **errors_of(RefundNotFound, RefundNotGivenUp, NotAllowed)},
        auth=only("staffToken", "apiKey"),
    )
    def post(self, request: Request, refund: str) -> Response:
        at, by = timezone.now(), caller(request)
        found = queries.refund_for_caller(by, refund, permission=Permission.SERVE_CUSTOMERS, at=at)
        return Response(_shown(refund_failures.retry(refund=found, by=by, at=at)))


def _shown_request(answer: RefundAnswer) -> Any:
    request = answer.request
    return RefundRequestSerializer(
        {
            "id": request.public_id,
            "voucher": public(Voucher.PREFIX, request.voucher_id),
            "amount_fen": request.amount_fen,
            "requested_at": request.requested_at,
            "refund": request.refund.public_id if request.refund else None,
            "refund_status": request.refund.status if request.refund else None,
        }
    ).data


def _shown(refund: Refund) -> Any:
    return RefundSerializer(
        {
            "id": refund.public_id,
            "purchase": public(Purchase.PREFIX, refund.purchase_id) if refund.purchase_id else None,
            "store_order": public(StoreOrder.PREFIX, refund.store_order_id) if refund.store_order_id else None,
            "payment": public(Payment.PREFIX, refund.payment_id) if refund.payment_id else None,
            "surcharge": public(Surcharge.PREFIX, refund.surcharge_id) if refund.surcharge_id else None,
            "customer": public(Customer.PREFIX, refund.customer_id),
            "source_kind": refund.source_kind,
            "amount_fen": refund.amount_fen,
            "status": refund.status,
            "attempts": refund.attempts,
            "last_error": refund.last_error,
            "requested_at": refund.requested_at,
            "sent_at": refund.sent_at,
            "succeeded_at": refund.succeeded_at,
        }
    ).data
