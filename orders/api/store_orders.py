"""Ordering at a store: what it would cost, the order itself, what became of it, and giving it up."""

from collections.abc import Iterable
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller_id, customer_caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import IdempotencyConflict
from config.kernel.ids import parse, public
from orders import errors
from orders.api.quotes import (
    CART_ERRORS,
    PICK_UP_HELP,
    CartLineBody,
    QuotedLine,
    instead,
    language_in,
    lines_of,
    shown_quote,
)
from orders.models import Payment, StoreOrder, StoreOrderLine
from orders.providers import registry
from orders.services import checkout, order_moves, order_payment
from orders.services.checkout import FreshPlan
from orders.services.order_payment import order_payment_parameters
from orders.services.priced_orders import PricedLine
from stores.models import Product, Store
from vouchers.models import Voucher


class UseBody(StrictSerializer):
    voucher = serializers.CharField(max_length=64, help_text="vch_…")
    serial = serializers.IntegerField(min_value=1, max_value=999)


class OrderBody(StrictSerializer):
    lines = CartLineBody(many=True)
    uses = serializers.ListField(child=UseBody(), required=False, max_length=100, help_text="As the quote named them.")
    due_fen = serializers.IntegerField(min_value=0, max_value=10**12, help_text="As the quote said.")
    pick_up_at = serializers.DateTimeField(required=False, help_text=PICK_UP_HELP)
    provider = serializers.ChoiceField(choices=registry.NAMES, default=registry.DEFAULT)


class OrderPaymentBody(StrictSerializer):
    provider = serializers.ChoiceField(choices=registry.NAMES, default=registry.DEFAULT)


class StoreOrderAnswer(serializers.Serializer[Any]):
    """An order at a store as its customer and its store follow it."""

    id = serializers.CharField()
    store = serializers.CharField()
    status = serializers.ChoiceField(choices=StoreOrder.Status.choices)
    pickup_number = serializers.IntegerField(allow_null=True)
    total_fen = serializers.IntegerField()
    off_fen = serializers.IntegerField()
    due_fen = serializers.IntegerField()
    reason = serializers.CharField(allow_blank=True)
    pick_up_at = serializers.DateTimeField(allow_null=True, help_text="null for as soon as possible.")
    expected_at = serializers.DateTimeField(help_text="When it was expected to be ready, as it was placed.")
    placed_at = serializers.DateTimeField()
    pay_until = serializers.DateTimeField()
    confirmed_at = serializers.DateTimeField(allow_null=True)
    accepted_at = serializers.DateTimeField(allow_null=True)
    making_at = serializers.DateTimeField(allow_null=True)
    ready_at = serializers.DateTimeField(allow_null=True)
    collected_at = serializers.DateTimeField(allow_null=True)
    lines = QuotedLine(many=True)


class OrderPayment(serializers.Serializer[Any]):
    id = serializers.CharField()
    provider = serializers.CharField()
    amount_fen = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Payment.Status.choices)
    parameters = serializers.DictField(help_text="Hand these to the provider as they are; signed.")


class PlacedAnswer(StoreOrderAnswer):
    payment = OrderPayment(allow_null=True, help_text="null where vouchers pay for everything.")


# One for all answers: a new one copies every field of it and of what it nests.
PLACED_ANSWER = PlacedAnswer()


class StoreOrders(APIView):
    """POST /api/v1/stores/{store}/orders"""

    @extend_schema(
        operation_id="place_order",
        summary="Order a cart with exactly the uses and the price of its quote",
        request=OrderBody,
        responses={
            200: PlacedAnswer,
            201: PlacedAnswer,
            **errors_of(
                *CART_ERRORS, errors.PlanChanged, errors.VoucherNamedTwice, errors.ProviderNotFound, IdempotencyConflict
            ),
        },
        auth=only("customerToken"),
        tags=["orders"],
    )
    def post(self, request: Request, store: str) -> Response:
        who = customer_caller(request)
        body = body_of(request, OrderBody).validated_data
        assert who.brand_id is not None, "customers belong to a brand"
        try:
            placed = checkout.place_order(
                store_id=parse(Store.PREFIX, store),
                brand_id=who.brand_id,
                customer_id=caller_id(who),
                lines=lines_of(body["lines"]),
                uses=[(parse(Voucher.PREFIX, one["voucher"]), one["serial"]) for one in body.get("uses", ())],
                due_fen=body["due_fen"],
                provider=body["provider"],
                request_id=idempotency_key(request),
                pick_up_at=body.get("pick_up_at"),
                at=timezone.now(),
            )
        except FreshPlan as changed:
            changed.details["plan"] = shown_quote(changed.fresh, language=language_in(request))
            raise
        lines = None if placed.is_repeat else placed.lines
        answer = {**shown(placed.order, lines), "payment": _payment(placed.order, placed.payment)}
        return Response(PLACED_ANSWER.to_representation(answer), status=200 if placed.is_repeat else 201)


class Orders(APIView):
    """GET /api/v1/orders"""

    @extend_schema(
        operation_id="list_orders",
        summary="Her orders at stores, newest first",
        parameters=[PageQuery],
        responses={200: page_schema(StoreOrderAnswer)},
        auth=only("customerToken"),
        tags=["orders"],
    )
    def get(self, request: Request) -> Response:
        mine = StoreOrder.objects.filter(customer_id=caller_id(customer_caller(request))).prefetch_related("lines")
        asked = query_of(request, PageQuery).validated_data
        return Response(page_of(mine, by="placed_at", **asked).body(lambda order: StoreOrderAnswer(shown(order)).data))


class OneOrder(APIView):
    """GET /api/v1/orders/{order}"""

    @extend_schema(
        operation_id="get_order",
        summary="What became of an order at a store",
        responses={200: StoreOrderAnswer, **errors_of(errors.StoreOrderNotFound)},
        auth=only("customerToken"),
        tags=["orders"],
    )
    def get(self, request: Request, order: str) -> Response:
        mine = StoreOrder.objects.filter(customer_id=caller_id(customer_caller(request)))
        found = mine.filter(pk=parse(StoreOrder.PREFIX, order)).first()
        if found is None:
            raise errors.StoreOrderNotFound
        return Response(StoreOrderAnswer(shown(found)).data)


class CancelOrder(APIView):
    """POST /api/v1/orders/{order}/cancel"""

    @extend_schema(
        operation_id="cancel_order",
        summary="Give an order up before it is made: vouchers and money back",
        request=None,
        responses={200: StoreOrderAnswer, **errors_of(errors.StoreOrderNotFound, errors.OrderMovedOn)},
        auth=only("customerToken"),
        tags=["orders"],
    )
    def post(self, request: Request, order: str) -> Response:
        who = caller_id(customer_caller(request))
        cancelled = order_moves.cancel(order_id=parse(StoreOrder.PREFIX, order), customer_id=who, at=timezone.now())
        return Response(StoreOrderAnswer(shown(cancelled)).data)


class OrderPayments(APIView):
    """POST /api/v1/orders/{order}/payment"""

    @extend_schema(
        operation_id="start_order_payment",
        summary="Try again to pay an order at a store",
        request=OrderPaymentBody,
        responses={
            200: OrderPayment,
            201: OrderPayment,
            **errors_of(
                errors.StoreOrderNotFound,
                errors.StoreOrderAlreadyPaid,
                errors.StoreOrderNoLongerPayable,
                errors.TooManyPaymentAttempts,
                IdempotencyConflict,
            ),
        },
        auth=only("customerToken"),
        tags=["orders"],
    )
    def post(self, request: Request, order: str) -> Response:
        attempt = order_payment.new_attempt(
            order_id=parse(StoreOrder.PREFIX, order),
            customer_id=caller_id(customer_caller(request)),
            provider=body_of(request, OrderPaymentBody).validated_data["provider"],
            request_id=idempotency_key(request),
            at=timezone.now(),
        )
        paid_for = attempt.payment.store_order
        assert paid_for is not None, "an attempt to pay an order"
        answer = OrderPayment(_payment(paid_for, attempt.payment))
        return Response(answer.data, status=200 if attempt.is_repeat else 201)


def _stored_lines(order: StoreOrder) -> list[StoreOrderLine]:
    return sorted(order.lines.all(), key=lambda one: one.position)


def shown(order: StoreOrder, lines: Iterable[PricedLine | StoreOrderLine] | None = None) -> dict[str, Any]:
    """The order with its lines, for whoever may see it; read where they are not at hand."""
    return {
        "id": order.public_id,
        "store": public(Store.PREFIX, order.store_id),
        **{
            name: getattr(order, name)
            for name in (
                *("status", "pickup_number", "total_fen", "off_fen", "due_fen", "reason", "placed_at", "pay_until"),
                *("pick_up_at", "expected_at", "confirmed_at", "accepted_at", "making_at", "ready_at", "collected_at"),
            )
        },
        "lines": [
            {
                "product": public(Product.PREFIX, line.product_id),
                "name": line.name,
                "options": line.options,
                "unit_fen": line.unit_fen,
                "quantity": line.quantity,
                "off_fen": line.off_fen,
                "due_fen": line.due_fen,
                **instead(line),
            }
            for line in (lines if lines is not None else _stored_lines(order))
        ],
    }


def _payment(order: StoreOrder, payment: Payment | None) -> dict[str, Any] | None:
    if payment is None:
        return None
    return {
        "id": payment.public_id,
        "provider": payment.provider,
        "amount_fen": payment.amount_fen,
        "status": payment.status,
        "parameters": order_payment_parameters(order, payment),
    }
