"""The sheet that asks once: where, when, for how much; and placing exactly what it showed."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST

from config.kernel.errors import DomainError, IdempotencyConflict
from config.kernel.ids import parse, public
from config.pages.design.words import say
from config.pages.shop.basket import Basket, basket_of, empty, keep, place_of
from config.pages.shop.frame import Visit, for_customers, key_of
from config.pages.shop.ordering import Counted, cart_context
from config.pages.shop.places import Shown
from config.pages.shop.sketch import Sketch, sketch_of
from orders.errors import SlotNotOffered
from orders.providers import registry
from orders.services import checkout, taking
from orders.services.checkout import FreshPlan
from orders.services.quoting import CartLine, Quote
from stores.errors import SlotFull
from stores.models import Option, Product, Store
from vouchers.errors import VoucherNotFound
from vouchers.models import Voucher

LARGEST_ORDER = 64 * 1024


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """What the sheet showed: lines are (prd_, [opt_], quantity), uses (vch_, serial)."""

    store: str
    lines: list[tuple[str, list[str], int]]
    uses: list[tuple[str, int]]
    due_fen: int
    pick_up_at: datetime | None = None


@require_http_methods(["GET", "HEAD", "POST"])
@for_customers
def confirm(visit: Visit) -> HttpResponse:
    """在这家店取？ Everything once more, and one button."""
    if visit.request.method == "POST":
        return _order(visit)
    context = cart_context(visit)
    counted: Counted = context["counted"]
    if counted.quote is None:
        return visit.go("cart")
    here: Shown = context["here"]
    basket: Basket = context["basket"]
    context |= {
        "sketch": _sketch(visit, here.store),
        "asks_again": here.is_far and "far" in visit.request.GET,
        "chosen_slot": basket.pick_up_at.isoformat() if basket.pick_up_at else "",
        "slots": _slots(visit, here.store, counted.quote),
        "wanted": _wanted(here.store, counted.quote, basket.pick_up_at),
        "key": basket.key,
    }
    return visit.page("confirm.html", context)


@require_POST
@for_customers
def choose_slot(visit: Visit) -> HttpResponse:
    """预约取餐: a quarter of an hour, or as soon as possible; the next count sees whether it can be had."""
    basket = basket_of(visit)
    try:
        wanted = datetime.fromisoformat(visit.request.POST.get("pick_up_at", ""))
    except ValueError:
        wanted = None
    basket.pick_up_at = wanted if wanted is not None and wanted.tzinfo else None
    keep(visit, basket)
    return visit.go("confirm")


def _slots(visit: Visit, store: Store, quote: Quote) -> list[tuple[str, str]]:
    """The quarters of an hour with room for the whole cart: what the form sends, and the store's clock."""
    try:
        free = taking.free_slots(store_id=store.id, brand_id=visit.brand.id, cups=quote.cart.cups, at=visit.at)
    except DomainError:
        return []  # it has just filled up or shut: the order will say which
    zone = ZoneInfo(store.zone)
    return [
        (slot.starts_at.isoformat(), "–".join(f"{at.astimezone(zone):%H:%M}" for at in (slot.starts_at, slot.ends_at)))
        for slot in free.slots
    ]


def _wanted(store: Store, quote: Quote, pick_up_at: datetime | None) -> str:
    wanted = Wanted(
        store=store.public_id,
        lines=[
            (public(Product.PREFIX, line.product_id), [one["option"] for one in line.options], line.quantity)
            for line in quote.priced.lines
        ],
        uses=[(public(Voucher.PREFIX, use.voucher_id), use.serial) for use in quote.priced.uses],
        due_fen=quote.priced.due_fen,
        pick_up_at=pick_up_at,
    )
    return msgspec.json.encode(wanted).decode()


def _order(visit: Visit) -> HttpResponse:
    """
    Place exactly what the sheet showed. The cart's key makes it one order, however often it is sent: twice
    by a nervous finger, again after a lost answer, or by a step back.
    """
    form = visit.request.POST
    try:
        wanted = msgspec.json.decode(form.get("wanted", "")[:LARGEST_ORDER], type=Wanted)
    except msgspec.MsgspecError:
        raise Http404 from None
    try:
        placed = checkout.place_order(
            store_id=parse(Store.PREFIX, wanted.store),
            brand_id=visit.brand.id,
            customer_id=visit.customer_id,
            lines=[_line(*line) for line in wanted.lines],
            uses=[(parse(Voucher.PREFIX, voucher), serial) for voucher, serial in wanted.uses],
            due_fen=wanted.due_fen,
            provider=registry.DEFAULT,
            request_id=key_of(visit.request),
            pick_up_at=wanted.pick_up_at,
            at=visit.at,
        )
    except FreshPlan as changed:
        now = changed.fresh.priced.due_fen
        then, fresh = f"{wanted.due_fen / 100:.2f}", f"{now / 100:.2f}"
        visit.tell(say("confirm.changed", visit.language, then=then, now=fresh), "wait")
        return visit.go("confirm")
    except (SlotNotOffered, SlotFull) as gone:
        basket = basket_of(visit)
        basket.pick_up_at = None
        keep(visit, basket)
        visit.tell(gone.message(visit.language), "wait")
        return visit.go("confirm")
    except IdempotencyConflict:
        visit.tell(say("confirm.ordered_already", visit.language), "wait")
        return visit.go("orders")
    except VoucherNotFound:
        visit.tell(say("confirm.voucher_gone", visit.language), "wait")
        return visit.go("cart")
    except DomainError as refusal:
        visit.tell_refusal(refusal)
        return visit.go("cart")
    basket = basket_of(visit)
    if basket.key == form.get("key"):
        empty(visit, basket)
    if placed.payment is not None and placed.order.status == placed.order.Status.PLACED:
        return visit.go("pay", placed.payment.public_id)
    return visit.go("order", placed.order.public_id)


def _line(product: str, options: list[str], quantity: int) -> CartLine:
    answers: tuple[UUID, ...] = tuple(parse(Option.PREFIX, one) for one in options)
    return CartLine(parse(Product.PREFIX, product), answers, quantity)


def _sketch(visit: Visit, store: Store) -> Sketch | None:
    place = place_of(visit)
    if place is None or store.latitude is None or store.longitude is None:
        return None
    return sketch_of(place, (float(store.latitude), float(store.longitude)))
