"""From a voucher or a menu to a cart: use it, the menu, the cart with its plan."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.kernel.errors import DomainError
from config.kernel.ids import parse, public
from config.pages.design.words import say
from config.pages.shop.basket import Basket, Line, basket_of, keep, keep_place, place_of
from config.pages.shop.explaining import Explained, explain
from config.pages.shop.frame import Visit, for_customers, open_to_all
from config.pages.shop.places import shown, store_of
from orders.errors import NoStoreTakesItNow, SlotNotOffered
from orders.services import quoting, using
from orders.services.quoting import Cart, Quote
from orders.services.taking import PickUp
from stores.errors import SlotFull
from stores.models import Option, Product, Store
from stores.queries import Chosen, Menu, MenuOption, MenuProduct, menu_of
from vouchers.models import Voucher
from vouchers.queries.plannable import open_wallet


@dataclass(frozen=True)
class ShownLine:
    """A line of the cart; ``refusal`` is why it cannot be had here."""

    line: Line
    name: str
    code: str
    options: list[str]
    unit_fen: int
    off_fen: int
    refusal: DomainError | None = None

    @property
    def total_fen(self) -> int:
        return self.unit_fen * self.line.quantity

    @property
    def due_fen(self) -> int:
        return self.total_fen - self.off_fen


@dataclass(frozen=True)
class Counted:
    """The cart as it would be ordered now; ``refusal`` is what stands in the way of the whole."""

    lines: list[ShownLine]
    quote: Quote | None
    plan: Explained | None
    refusal: DomainError | None
    ready_at: datetime | None = None


@require_POST
@for_customers
def use(visit: Visit, voucher: str) -> HttpResponse:
    """去使用: the nearest store that takes it now, with a cart in it; else the list of those that take it."""
    place = keep_place(visit) or place_of(visit)
    if place is None:
        return visit.go("stores", voucher=voucher)
    try:
        found = using.use_now(
            voucher_id=parse(Voucher.PREFIX, voucher),
            customer_id=visit.customer_id,
            latitude=place[0],
            longitude=place[1],
            at=visit.at,
        )
    except NoStoreTakesItNow as nowhere:
        visit.tell_refusal(nowhere)
        return visit.go("stores", voucher=voucher)
    except DomainError as refusal:
        visit.tell_refusal(refusal)
        return visit.go("ticket", voucher)
    basket = Basket(store_id=found.near.store.id)
    for line in found.lines:
        basket.add(line.product_id, line.option_ids, line.quantity)
    keep(visit, basket)
    return visit.go("cart")


@require_safe
@open_to_all
def menu(visit: Visit) -> HttpResponse:
    basket = basket_of(visit)
    store = store_of(visit, basket.store_id)
    if store is None:
        return visit.go("stores")
    offered = menu_of(store, at=visit.at)
    sections: dict[str, list[MenuProduct]] = {}
    for product in offered.products:
        sections.setdefault(product.categories[0] if product.categories else "", []).append(product)
    context = {"tab": "menu", "here": shown(visit, store), "sections": sections, "basket": basket}
    return visit.page("menu.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@open_to_all
def product(visit: Visit, product: str) -> HttpResponse:
    """One product with its questions; answered, it is in the cart."""
    basket = basket_of(visit)
    store = store_of(visit, basket.store_id)
    if store is None:
        return visit.go("stores")
    offered = menu_of(store, at=visit.at)
    found = next((one for one in offered.products if one.public_id == product), None)
    if found is None:
        raise Http404
    if visit.request.method == "POST":
        return _add(visit, basket, offered, found)
    context = {"tab": "menu", "product": found, "here": shown(visit, store)}
    return visit.page("product.html", context)


@require_safe
@for_customers
def cart(visit: Visit) -> HttpResponse:
    return visit.page("cart.html", cart_context(visit))


@require_POST
@for_customers
def edit_cart(visit: Visit) -> HttpResponse:
    """A line's quantity, or a voucher in or out; answered with the cart and its new plan."""
    form, basket = visit.request.POST, basket_of(visit)
    number, removed = _number(form.get("quantity", "")), None
    if "line" in form and number is not None:
        removed = _removed(visit, basket, form["line"]) if number == 0 else None
        basket.set_quantity(form["line"], number)
    if "again" in form:
        options = [parse(Option.PREFIX, one) for one in form.getlist("option")]
        basket.add(parse(Product.PREFIX, form["again"]), options, max(1, min(number or 1, quoting.MOST_UNITS)))
    if "use" in form:
        wanted = parse(Voucher.PREFIX, form["use"])
        basket.leave = [one for one in basket.leave if one != wanted]
        basket.use = [*basket.use, wanted] if wanted not in basket.use else basket.use
    if "leave" in form:
        unwanted = parse(Voucher.PREFIX, form["leave"])
        basket.use = [one for one in basket.use if one != unwanted]
        basket.leave = [*basket.leave, unwanted] if unwanted not in basket.leave else basket.leave
    if "best" in form:
        basket.use, basket.leave = [], []
    if "clear" in form:
        basket.lines = []
    keep(visit, basket)
    return visit.page("cart.html", cart_context(visit) | {"removed": removed}) if visit.is_htmx else visit.go("cart")


def _removed(visit: Visit, basket: Basket, line_id: str) -> dict[str, Any] | None:
    """What a tap takes out of the cart, for the toast that puts it back."""
    line = next((one for one in basket.lines if one.id == line_id), None)
    product = Product.objects.filter(id=line.product_id, brand=visit.brand).first() if line else None
    if line is None or product is None:
        return None
    return {
        "name": product.name_en if visit.language == "en" and product.name_en else product.name,
        "product": product.public_id,
        "options": [public(Option.PREFIX, one) for one in line.option_ids],
        "quantity": line.quantity,
    }


def cart_context(visit: Visit) -> dict[str, Any]:
    """The cart as it would be ordered now; a time that cannot be had any more is given up and said so."""
    basket = basket_of(visit)
    store = store_of(visit, basket.store_id)
    counted = _counted(visit, basket, store)
    here = replace(shown(visit, store), ready_at=counted.ready_at) if store else None
    return {"tab": "menu", "basket": basket, "here": here, "counted": counted}


def _counted(visit: Visit, basket: Basket, store: Store | None) -> Counted:
    if store is None or not basket.lines:
        return Counted([], None, None, None)
    wallet = open_wallet(visit.customer_id, visit.brand.id, named={*basket.use, *basket.leave}, at=visit.at)
    # A voucher that was used or refunded meanwhile is no wish any more.
    forced, excluded = ({one for one in wished if one in wallet} for wished in (basket.use, basket.leave))
    try:
        priced = quoting.priced_cart(store_id=store.id, brand_id=visit.brand.id, lines=basket.wanted, at=visit.at)
        pick_up = _planned(visit, basket, priced)
    except DomainError as refusal:
        lines = _lines_one_by_one(visit, basket, menu_of(store, at=visit.at))
        is_a_lines = any(line.refusal for line in lines)
        return Counted(lines, None, None, None if is_a_lines else refusal)
    quote = quoting.best(priced, wallet, forced=forced, excluded=excluded, at=visit.at)
    best = quoting.best(priced, wallet, at=visit.at) if forced or excluded else None
    plan = explain(quote, wallet, language=visit.language, forced=forced, best=best)
    lines = [
        _shown_line(visit, line, chosen, off_fen=of.off_fen)
        for line, (chosen, _), of in zip(basket.lines, priced.lines, quote.priced.lines, strict=True)
    ]
    return Counted(lines, quote, plan, None, pick_up.ready_at)


def _planned(visit: Visit, basket: Basket, priced: Cart) -> PickUp:
    """When she wants it or, where that cannot be had any more, as soon as possible."""
    try:
        return quoting.planned(priced, basket.pick_up_at, at=visit.at)
    except (SlotNotOffered, SlotFull):
        if basket.pick_up_at is None:
            raise
        basket.pick_up_at = None
        keep(visit, basket)
        visit.tell(say("confirm.slot_gone", visit.language), "wait")
        return quoting.planned(priced, None, at=visit.at)


def _lines_one_by_one(visit: Visit, basket: Basket, offered: Menu) -> list[ShownLine]:
    """Which of them cannot be had here, so that she can take just those away."""
    lines = []
    for line in basket.lines:
        try:
            lines.append(_shown_line(visit, line, offered.choose(line.product_id, line.option_ids), off_fen=0))
        except DomainError as refusal:
            product = next((one for one in offered.products if one.product_id == line.product_id), None)
            name = _named(visit, product) if product else ""
            lines.append(ShownLine(line, name, product.code if product else "", [], 0, 0, refusal))
    return lines


def _shown_line(visit: Visit, line: Line, chosen: Chosen, *, off_fen: int) -> ShownLine:
    options = [_named(visit, option) for option in chosen.options]
    return ShownLine(line, _named(visit, chosen.product), chosen.product.code, options, chosen.unit_fen, off_fen)


def _named(visit: Visit, one: MenuProduct | MenuOption) -> str:
    return one.name_en if visit.language == "en" and one.name_en else one.name


def _number(text: str) -> int | None:
    return int(text[:4]) if text.isdecimal() else None


def _add(visit: Visit, basket: Basket, offered: Menu, product: MenuProduct) -> HttpResponse:
    form = visit.request.POST
    quantity = _number(form.get("quantity", "")) or 1
    try:
        # Radio buttons of one question have a name of their own: option:opg_…
        answers = [one for name, found in form.lists() if name.partition(":")[0] == "option" for one in found]
        options = [parse(Option.PREFIX, one) for one in answers]
        offered.choose(product.product_id, options)
    except DomainError as refusal:
        visit.tell_refusal(refusal)
        return visit.go("product", product.public_id)
    basket.add(product.product_id, options, max(1, min(quantity, quoting.MOST_UNITS)))
    keep(visit, basket)
    return visit.go("menu")
