"""What a cart costs at a store: her vouchers applied in the best way, and why the others stay."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller_id, customer_caller
from config.kernel.api.exceptions import language_of
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of
from config.kernel.ids import parse, public
from orders import errors
from orders.models import StoreOrderLine
from orders.services import quoting
from orders.services.priced_orders import PricedLine
from orders.services.quoting import CartLine, Quote
from stores.errors import (
    OptionNotFound,
    OptionsDoNotFit,
    ProductNotFound,
    ProductSoldOut,
    SlotFull,
    StoreNotFound,
    SubstituteNotNeeded,
    SubstituteNotOffered,
)
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
    instead_of = serializers.CharField(
        max_length=64,
        required=False,
        allow_null=True,
        help_text="prd_… that is sold out and offers `product` instead: priced as it, and paid by its vouchers.",
    )


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


class QuotedLine(serializers.Serializer[Any]):
    product = serializers.CharField()
    name = serializers.CharField()
    options = serializers.ListField(child=serializers.DictField())
    unit_fen = serializers.IntegerField()
    quantity = serializers.IntegerField()
    off_fen = serializers.IntegerField()
    due_fen = serializers.IntegerField()
    instead_of = serializers.CharField(allow_null=True, help_text="prd_… that was sold out; the price is that one's.")
    instead_of_name = serializers.CharField(allow_blank=True)


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
    left_away = serializers.IntegerField(
        help_text="Usable vouchers of a very large wallet that were not weighed; then is_best is false."
    )
    pick_up_at = serializers.DateTimeField(allow_null=True, help_text="As asked; null for as soon as possible.")
    ready_at = serializers.DateTimeField(help_text="Expected; by the cups that are to be made first.")


NOT_NOW = (
    *(errors.StoreShut, errors.PastCutOff, errors.OrderingPaused, errors.StoreAbsent, StoreNotFound),
    *(voucher_errors.StoreClosedForGood, voucher_errors.StorePaused),
)
CART_ERRORS = (
    *NOT_NOW,
    *(SubstituteNotNeeded, SubstituteNotOffered),
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
            "lines": lines_of(body["lines"]),
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
        return Response(shown_quote(found, language=language_in(request)))


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
                **instead(line),
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
        "is_best": found.is_best,
        "left_away": found.left_away,
        "pick_up_at": pick_up.wanted_at,
        "ready_at": pick_up.ready_at,
    }


def instead(line: PricedLine | StoreOrderLine) -> dict[str, Any]:
    """What the line stands in for."""
    named = public(Product.PREFIX, line.instead_of_id) if line.instead_of_id else None
    return {"instead_of": named, "instead_of_name": line.instead_of_name}


def language_in(request: Request) -> str:
    return language_of(request.headers.get("Accept-Language", ""))


def lines_of(lines: list[dict[str, Any]]) -> list[CartLine]:
    return [
        CartLine(
            parse(Product.PREFIX, line["product"]),
            tuple(parse(Option.PREFIX, option) for option in line.get("options", ())),
            line["quantity"],
            parse(Product.PREFIX, line["instead_of"]) if line.get("instead_of") else None,
        )
        for line in lines[: quoting.MOST_LINES + 1]  # one more than may come is enough to refuse
    ]
