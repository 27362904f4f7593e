"""Paying over HTTP: a customer's further attempt, and what providers tell us."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller_id, customer_caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of
from config.kernel.errors import IdempotencyConflict, MalformedRequest, RequestTooLarge
from config.kernel.ids import parse
from orders import errors
from orders.models import Payment, Purchase
from orders.providers import registry
from orders.services import notices, payments
from orders.services.payments import payment_parameters

LARGEST_NOTICE = 64 * 1024


class PaymentAttemptRequest(StrictSerializer):
    provider = serializers.ChoiceField(choices=registry.NAMES, default=registry.DEFAULT)


class PaymentAttempt(serializers.Serializer[Payment]):
    id = serializers.CharField(source="public_id")
    purchase_id = serializers.CharField(source="purchase.public_id")
    status = serializers.ChoiceField(choices=Payment.Status.choices)
    amount_fen = serializers.IntegerField()
    provider = serializers.CharField()
    parameters = serializers.SerializerMethodField(help_text="Hand these to the provider as they are; signed.")

    def get_parameters(self, payment: Payment) -> dict[str, Any]:
        assert payment.purchase is not None, "an attempt to pay a purchase"
        return payment_parameters(
            payment.id, payment.amount_fen, accepted_at=payment.purchase.accepted_at, provider=payment.provider
        )


class NoticeTaken(serializers.Serializer[dict[str, int]]):
    received = serializers.IntegerField(help_text="How many events came; one that is known already stays as it is.")


class PaymentAttempts(APIView):
    """POST /api/v1/purchases/{purchase}/payment"""

    @extend_schema(
        operation_id="start_payment",
        summary="Try again to pay a purchase",
        request=PaymentAttemptRequest,
        parameters=[OpenApiParameter("Idempotency-Key", OpenApiTypes.UUID, OpenApiParameter.HEADER, required=True)],
        responses={
            200: PaymentAttempt,
            201: PaymentAttempt,
            **errors_of(
                errors.PurchaseNotFound,
                errors.PurchaseAlreadyPaid,
                errors.PurchaseNoLongerPayable,
                errors.TooManyPaymentAttempts,
                IdempotencyConflict,
            ),
        },
        auth=only("customerToken"),
    )
    def post(self, request: Request, purchase: str) -> Response:
        body = body_of(request, PaymentAttemptRequest)
        attempt = payments.new_attempt(
            purchase_id=parse(Purchase.PREFIX, purchase),
            customer_id=caller_id(customer_caller(request)),
            request_id=idempotency_key(request),
            at=timezone.now(),
            **body.validated_data,
        )
        return Response(PaymentAttempt(attempt.payment).data, status=200 if attempt.is_repeat else 201)


class PaymentNotices(APIView):
    """POST /api/v1/payments/{provider}/notices"""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(
        operation_id="take_payment_notice",
        summary="A provider tells what happened",
        description="For payment providers: signed over the raw bytes, in the provider's own form. "
        "A 2xx means every event is stored; anything else means send it again.",
        request=OpenApiTypes.OBJECT,
        responses={
            200: NoticeTaken,
            **errors_of(errors.NoticeNotSigned, errors.ProviderNotFound, MalformedRequest, RequestTooLarge),
        },
        auth=[],
    )
    def post(self, request: Request, provider: str) -> Response:
        if int(request.headers.get("Content-Length") or 0) > LARGEST_NOTICE:
            raise RequestTooLarge
        at = timezone.now()
        events = registry.by_name(provider).read_notice(request.headers, request.body, at=at)
        notices.store_notices(events, at=at)
        return Response({"received": len(events)})
