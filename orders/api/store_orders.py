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
from config.kernel.api.exceptions import language_of
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import IdempotencyConflict
from config.kernel.ids import parse, public
from orders import errors
from orders.models import Payment, StoreOrder, StoreOrderLine
from orders.providers import registry
from orders.services import checkout, order_moves, order_payment, quoting
from orders.services.checkout import FreshPlan
from orders.services.order_payment import order_payment_parameters
from orders.services.priced_orders import PricedLine
from orders.services.quoting import CartLine, Quote
from stores.errors import OptionNotFound, OptionsDoNotFit, ProductNotFound, ProductSoldOut, SlotFull, StoreNotFound
from stores.models import Option, Product, Store
from vouchers import errors as voucher_errors
from vouchers.models import Voucher

PICK_UP_HELP = "The beginning of one of the store's slots; without it as soon as possible."


class CartLineBody(StrictSerializer):
    product = serializers.CharField(max_length=64, help_text="prd_…")
    options = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, max_length=50, help_text="opt_…; else the defaults."
    )
    quantity = serializers.IntegerField(min_value=-(2**63), max_value=2**63)


class QuoteBody(StrictSerializer):
    lines = CartLineBody(many=True)
    use = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, max_length=100, help_text="vch_… that she wants in."
    )
    leave = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, max_length=200, help_text="vch_… to be left out."
    )
    vouchers = serializers.ChoiceField(choices=("best", "none"), default="best", help_text="none: she keeps them all.")
    pick_up_at = serializers.DateTimeField(required=False, help_text=PICK_UP_HELP)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["vouchers"] == "none" and attrs.get("use"):
            raise serializers.ValidationError({"use": "names vouchers, and none are to be used"})
        return attrs


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


class QuotedLine(serializers.Serializer[Any]):
    product = serializers.CharField()
    name = serializers.CharField()
    options = serializers.ListField(child=serializers.DictField())
    unit_fen = serializers.IntegerField()
    quantity = serializers.IntegerField()
    off_fen = serializers.IntegerField()
    due_fen = serializers.IntegerField()


class QuotedUse(serializers.Serializer[Any]):
    voucher = serializers.CharField()
    serial = serializers.IntegerField()
    off_fen = serializers.IntegerField()


class NotUsed(serializers.Serializer[Any]):
    voucher = serializers.CharField()
    code = serializers.CharField(help_text="Why it stays in her wallet.")
    message = serializers.CharField(help_text="The same as a sentence, with what it would take.")
    details = serializers.DictField(help_text="missing_fen, nearest stores, a comparison: by the code.")
    saves_fen = serializers.IntegerField(help_text="What it alone would take off, less the refund it gives up.")


class QuoteAnswer(serializers.Serializer[Any]):
    """A plan; an order repeats its lines, uses and due_fen."""

    store = serializers.CharField()
    lines = QuotedLine(many=True)
    uses = QuotedUse(many=True)
    not_used = NotUsed(many=True)
    total_fen = serializers.IntegerField()
    off_fen = serializers.IntegerField()
    due_fen = serializers.IntegerField()
    is_best = serializers.BooleanField(help_text="Proven: no plan costs less.")
    pick_up_at = serializers.DateTimeField(allow_null=True, help_text="As asked; null for as soon as possible.")
    ready_at = serializers.DateTimeField(help_text="Expected; by the cups that are to be made first.")


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


NOT_NOW = (
    *(errors.StoreShut, errors.PastCutOff, errors.OrderingPaused, errors.StoreAbsent, StoreNotFound),
    *(voucher_errors.StoreClosedForGood, voucher_errors.StorePaused),
)
CART_ERRORS = (
    *NOT_NOW,
    *(errors.CartTooLarge, ProductNotFound, OptionNotFound, OptionsDoNotFit, ProductSoldOut),
    *(errors.SlotNotOffered, SlotFull, voucher_errors.VoucherNotFound),
)


class Quotes(APIView):
    """POST /api/v1/stores/{store}/quotes"""

    @extend_schema(
        operation_id="quote",
        summary="What a cart costs here with the vouchers she holds, applied in the best way",
        request=QuoteBody,
        responses={200: QuoteAnswer, **errors_of(*CART_ERRORS)},
        auth=only("customerToken"),
        tags=["orders"],
    )
    def post(self, request: Request, store: str) -> Response:
        who = customer_caller(request)
        body = body_of(request, QuoteBody).validated_data
        assert who.brand_id is not None, "customers belong to a brand"
        cart: dict[str, Any] = {
            "store_id": parse(Store.PREFIX, store),
            "brand_id": who.brand_id,
            "lines": _lines(body["lines"]),
            "pick_up_at": body.get("pick_up_at"),
            "at": timezone.now(),
        }
        if body["vouchers"] == "none":
            found = quoting.quote_without_vouchers(**cart)
        else:
            found = quoting.quote(
                **cart,
                customer_id=caller_id(who),
                forced=[parse(Voucher.PREFIX, one) for one in body.get("use", ())],
                excluded=[parse(Voucher.PREFIX, one) for one in body.get("leave", ())],
            )
        return Response(shown_quote(found, language=_language(request)))


class StoreOrders(APIView):
    """POST /api/v1/stores/{store}/orders"""

    @extend_schema(
        operation_id="place_order",
        summary="Order a cart with exactly the uses and the price of its quote",
        request=OrderBody,
        responses={
            200: PlacedAnswer,
            201: PlacedAnswer,
            **errors_of(*CART_ERRORS, errors.PlanChanged, errors.ProviderNotFound, IdempotencyConflict),
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
                lines=_lines(body["lines"]),
                uses=[(parse(Voucher.PREFIX, one["voucher"]), one["serial"]) for one in body.get("uses", ())],
                due_fen=body["due_fen"],
                provider=body["provider"],
                request_id=idempotency_key(request),
                pick_up_at=body.get("pick_up_at"),
                at=timezone.now(),
            )
        except FreshPlan as changed:
            changed.details["plan"] = shown_quote(changed.fresh, language=_language(request))
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


def shown_quote(found: Quote, *, language: str) -> dict[str, Any]:
    priced, pick_up = found.priced, found.pick_up
    assert pick_up is not None, "who shows a plan says when it is ready"
    return {
        "store": found.cart.store.public_id,
        "lines": [
            {
                "product": public(Product.PREFIX, line.product_id),
                "name": line.name,
                "options": list(line.options),
                "unit_fen": line.unit_fen,
                "quantity": line.quantity,
                "off_fen": line.off_fen,
                "due_fen": line.due_fen,
            }
            for line in priced.lines
        ],
        "uses": [
            {
                "voucher": public(Voucher.PREFIX, use.voucher_id),
                "serial": use.serial,
                "off_fen": sum(use.off_lines.values()),
            }
            for use in priced.uses
        ],
        "not_used": [
            {
                "voucher": said.left.voucher_id,
                "code": said.left.code,
                "message": said.en if language == "en" else said.zh,
                "details": said.details,
                "saves_fen": said.left.saves_fen,
            }
            for said in found.not_used
        ],
        "total_fen": priced.total_fen,
        "off_fen": priced.off_fen,
        "due_fen": priced.due_fen,
        "is_best": found.plan.optimal,
        "pick_up_at": pick_up.wanted_at,
        "ready_at": pick_up.ready_at,
    }


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
            }
            for line in (lines if lines is not None else _stored_lines(order))
        ],
    }


def _language(request: Request) -> str:
    return language_of(request.headers.get("Accept-Language", ""))


def _lines(lines: list[dict[str, Any]]) -> list[CartLine]:
    return [
        CartLine(
            parse(Product.PREFIX, line["product"]),
            tuple(parse(Option.PREFIX, option) for option in line.get("options", ())),
            line["quantity"],
        )
        for line in lines[: quoting.MOST_LINES + 1]  # one more than may come is enough to refuse
    ]


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
