"""
What a cart costs at a store with the vouchers she holds: the best plan, or exactly the one she names.

Reads only, and by the same rules as checkout: menu, stock, hours, the vouchers' own verdicts. Four statements
(store, cart, slots, wallet); one for the names and nearest stores in what is said, unless asked within minutes; and
those for terms that this process meets for the first time.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from config.kernel.ids import parse, public
from orders.errors import CartTooLarge
from orders.services import substituting, taking
from orders.services.priced_orders import PricedLine, PricedOrder, PricedUse
from orders.services.taking import PickUp
from stores.errors import ProductNotFound, ProductSoldOut
from stores.models import Option
from stores.queries import Chosen, Menu, StoreNow, slots_of
from stores.queries.carts import menu_for
from stores.queries.substitutes import offering
from vouchers.errors import VoucherNotFound
from vouchers.models import Voucher
from vouchers.plan import best_plan
from vouchers.plan import model as plan
from vouchers.plan.model import Plan
from vouchers.queries.left_out import Said, in_words
from vouchers.queries.plannable import Owned, Wallet, foremost, open_wallet, plan_lines, plan_vouchers

MOST_LINES = 50
MOST_UNITS = 99


@dataclass(frozen=True, slots=True)
class CartLine:
    """What she wants: a product, her answers to its questions, how many; and instead of which that is sold out."""

    product_id: UUID
    option_ids: tuple[UUID, ...]
    quantity: int
    instead_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Cart:
    """A cart as the store's menu prices it."""

    store: StoreNow
    lines: tuple[tuple[Chosen, int], ...]
    list_fen: dict[UUID, int]

    @property
    def cups(self) -> int:
        return sum(quantity for _, quantity in self.lines)


@dataclass(frozen=True, slots=True)
class Quote:
    """
    The plan for a cart, the order that it would be, why vouchers stay, and when it would be ready; ``left_away``
    usable vouchers of a very large wallet were not weighed.
    """

    cart: Cart
    plan: Plan
    priced: PricedOrder
    not_used: tuple[Said, ...] = ()
    pick_up: PickUp | None = None
    left_away: int = 0

    @property
    def is_best(self) -> bool:
        """Proven: nothing in her wallet makes it cheaper."""
        return self.plan.optimal and not self.left_away


def quote(
    *,
    store_id: UUID,
    brand_id: UUID,
    customer_id: UUID,
    lines: Sequence[CartLine],
    forced: Collection[UUID] = (),
    excluded: Collection[UUID] = (),
    pick_up_at: datetime | None = None,
    at: datetime,
) -> Quote:
    """
    The plan of least true cost; ``forced`` vouchers are in it wherever they can be, ``excluded`` ones never.

    Raises:
        DomainError: whatever ``priced_cart`` raises.
        SlotNotOffered, SlotFull: she cannot pick it up then.
        VoucherNotFound: a forced or excluded one is not hers, or not open.
    """
    cart = priced_cart(store_id=store_id, brand_id=brand_id, lines=lines, at=at)
    pick_up = planned(cart, pick_up_at, at=at)
    wallet = open_wallet(customer_id, brand_id, named={*forced, *excluded}, at=at)
    if {*forced, *excluded} - wallet.keys():
        raise VoucherNotFound(param="vouchers")
    return replace(best(cart, wallet, forced=forced, excluded=excluded, at=at), pick_up=pick_up)


def quote_without_vouchers(
    *, store_id: UUID, brand_id: UUID, lines: Sequence[CartLine], pick_up_at: datetime | None = None, at: datetime
) -> Quote:
    """
    The same cart where she keeps all of them.

    Raises:
        DomainError: as ``quote``.
    """
    cart = priced_cart(store_id=store_id, brand_id=brand_id, lines=lines, at=at)
    return replace(best(cart, Wallet(), at=at), pick_up=planned(cart, pick_up_at, at=at))


def planned(cart: Cart, pick_up_at: datetime | None, *, at: datetime) -> PickUp:
    """When the cart would be ready; one statement."""
    slots = slots_of(cart.store.store_id, at=at)
    return taking.planned(cart.store, slots, cups=cart.cups, wanted_at=pick_up_at, at=at)


def best(
    cart: Cart,
    wallet: Wallet,
    *,
    forced: Collection[UUID] = (),
    excluded: Collection[UUID] = (),
    at: datetime,
) -> Quote:
    """The best plan of this wallet for this cart. Reads nothing but packages met for the first time."""
    vouchers = plan_vouchers(
        wallet.values(),
        cart=[chosen for chosen, _ in cart.lines],
        list_fen=cart.list_fen,
        store=cart.store,
        at=at,
    )
    lines, named = plan_lines(cart.lines), _public(forced)
    weighed, left_away = foremost(vouchers, named=_public({*forced, *excluded}))
    found = best_plan(lines=lines, vouchers=weighed, forced=named, excluded=_public(excluded))
    found = as_ordered(found, lines, weighed, forced=named)
    said = in_words(found.left_out, wallet, store=cart.store, at=at)
    return Quote(cart, found, priced_order(cart, found), tuple(said), left_away=left_away + wallet.not_read)


def as_ordered(
    found: Plan, lines: Sequence[plan.Line], vouchers: Sequence[plan.Voucher], *, forced: Collection[str] = ()
) -> Plan:
    """
    The plan, or what of it ``exactly`` finds again with nothing but its own uses, so that it can be ordered.

    A plan that is settled is the best of its own uses, too. Another may be beaten by a part of itself, which then
    takes its place: each time there are fewer uses, so this ends.
    """
    while not found.settled:
        of_plan = {(one.voucher_id, one.serial) for one in found.applied}
        alone = best_plan(lines=lines, vouchers=_only(of_plan, vouchers), forced={name for name, _ in of_plan})
        used = {(one.voucher_id, one.serial) for one in alone.applied}
        objective = replace(alone.objective, forced_left_out=len({*forced} - {name for name, _ in used}))
        found = replace(
            found,
            objective=objective,
            applied=alone.applied,
            lines=alone.lines,
            left_out=found.left_out + alone.left_out,
            optimal=found.bound_fen == objective.cost_fen,
        )
        if used == of_plan:
            break
    return found


def _only(uses: Collection[tuple[str, int]], vouchers: Sequence[plan.Voucher]) -> list[plan.Voucher]:
    serials: defaultdict[str, set[int]] = defaultdict(set)
    for name, serial in uses:
        serials[name].add(serial)
    return [
        replace(voucher, uses=tuple(use for use in voucher.uses if use.serial in serials[voucher.id]))
        for voucher in vouchers
        if voucher.id in serials
    ]


def exactly(cart: Cart, wallet: dict[UUID, Owned], uses: Collection[tuple[UUID, int]], *, at: datetime) -> Quote | None:
    """The price with just these uses, every one of them; None where one of them does not apply any more."""
    serials: defaultdict[UUID, set[int]] = defaultdict(set)
    for voucher_id, serial in uses:
        serials[voucher_id].add(serial)
    vouchers = plan_vouchers(
        (owned for voucher_id, owned in wallet.items() if voucher_id in serials),
        cart=[chosen for chosen, _ in cart.lines],
        list_fen=cart.list_fen,
        store=cart.store,
        only=serials,
        at=at,
    )
    found = best_plan(lines=plan_lines(cart.lines), vouchers=vouchers, forced=_public(serials))
    applied = {(parse(Voucher.PREFIX, one.voucher_id), one.serial) for one in found.applied}
    return Quote(cart, found, priced_order(cart, found)) if applied == set(uses) else None


def priced_cart(*, store_id: UUID, brand_id: UUID, lines: Sequence[CartLine], at: datetime) -> Cart:
    """
    The cart at the store's prices, where the store takes orders now.

    Raises:
        CartTooLarge: not 1 to 50 lines of 1 to 99 each.
        StoreNotFound: not there.
        DomainError: whatever ``taking.check`` raises: not now.
        ProductNotFound, OptionNotFound, OptionsDoNotFit: as the menu says.
        ProductSoldOut: says what the store offers instead.
        SubstituteNotNeeded, SubstituteNotOffered: see ``substituting.check``.
    """
    if not 1 <= len(lines) <= MOST_LINES or any(not 1 <= line.quantity <= MOST_UNITS for line in lines):
        raise CartTooLarge(most_lines=MOST_LINES, most_units=MOST_UNITS, param="lines")
    store = taking.store_of_brand(store_id, brand_id, at=at)
    taking.check(store, at=at)
    named = {line.product_id for line in lines} | {line.instead_of for line in lines if line.instead_of is not None}
    menu, list_fen = menu_for(store, named)
    try:
        chosen = tuple((_chosen(menu, line), line.quantity) for line in lines)
        _check_enough(chosen)
    except ProductSoldOut as refusal:
        raise offering(refusal, store_id=store_id, today=store.business_date) from None
    substituting.check(store, chosen)
    return Cart(store, chosen, list_fen)


def _chosen(menu: Menu, line: CartLine) -> Chosen:
    chosen = menu.choose(line.product_id, line.option_ids)
    if line.instead_of is None:
        return chosen
    product = menu.find(line.instead_of)
    if product is None:
        raise ProductNotFound(param="instead_of")
    return replace(chosen, instead_of=product)


def _check_enough(chosen: Sequence[tuple[Chosen, int]]) -> None:
    """As checkout reserves: all lines of one product together."""
    wanted: Counter[UUID] = Counter()
    for one, quantity in chosen:
        wanted[one.product.product_id] += quantity
        if one.product.left is not None and one.product.left < wanted[one.product.product_id]:
            raise ProductSoldOut(name=one.product.name, product=one.product.public_id)


def priced_order(cart: Cart, found: Plan) -> PricedOrder:
    """The plan as the order it would be: by line and by use, to the fen."""
    off: Counter[int] = Counter()
    uses = []
    for one in found.applied:
        by_line = {int(line): fen for line, fen in one.off_fen.items() if fen}
        off.update(by_line)
        uses.append(PricedUse(parse(Voucher.PREFIX, one.voucher_id), one.serial, by_line))
    priced = PricedOrder(
        lines=tuple(
            PricedLine(
                product_id=chosen.product.product_id,
                name=chosen.product.name,
                options=tuple(
                    {
                        "option": public(Option.PREFIX, option.option_id),
                        "name": option.name,
                        "price_delta_fen": option.price_delta_fen,
                    }
                    for option in chosen.options
                ),
                unit_fen=chosen.unit_fen,
                quantity=quantity,
                off_fen=off[place],
                instead_of_id=chosen.instead_of.product_id if chosen.instead_of else None,
                instead_of_name=chosen.instead_of.name if chosen.instead_of else "",
            )
            for place, (chosen, quantity) in enumerate(cart.lines)
        ),
        uses=tuple(uses),
    )
    assert priced.due_fen == found.due_fen, "the plan's parts sum to what it says is due"
    return priced


def _public(ids: Collection[UUID]) -> list[str]:
    return [public(Voucher.PREFIX, voucher_id) for voucher_id in ids]
