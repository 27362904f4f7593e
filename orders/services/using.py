"""Use it now: from a voucher to a cart at the nearest store that takes it at this moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from config.kernel.errors import DomainError
from orders.errors import NoStoreTakesItNow
from orders.services import taking
from orders.services.quoting import CartLine
from orders.services.taking import PickUp
from stores.errors import OptionsDoNotFit, ProductSoldOut, SlotFull
from stores.models import Store
from stores.queries import Menu, MenuProduct, NearStore, StoreNow, menu_of, nearest_stores, slots_of, stores_at
from vouchers import queries
from vouchers.queries.accepting import accepting_stores
from vouchers.queries.plannable import NO_LIMIT, package_lines
from vouchers.queries.wallet import showable
from vouchers.verdict import Terms, refusal_of

LOOKED_AT = 10
"""Nearest stores that are asked whether they take it now."""


@dataclass(frozen=True, slots=True)
class UseNow:
    """``lines`` are a suggestion that she may change; they would be ready at ``pick_up.ready_at``."""

    near: NearStore
    lines: tuple[CartLine, ...]
    pick_up: PickUp


def use_now(*, voucher_id: UUID, customer_id: UUID, latitude: float, longitude: float, at: datetime) -> UseNow:
    """
    The nearest open store that takes the voucher now and has something for it, with a cart to begin with.

    Raises:
        VoucherNotFound, VoucherRefunded, VoucherAlreadyRedeemed, VoucherHeld, VoucherExpired: nothing left to use.
        NoStoreTakesItNow: none of the nearest is open, takes it at this hour and has something for it.
    """
    voucher = showable(customer_id, voucher_id, at=at)
    terms = queries.terms([voucher.terms_id])[voucher.terms_id]
    open_stores = accepting_stores(terms).filter(status=Store.Status.OPEN)
    nearest = nearest_stores(open_stores, latitude=latitude, longitude=longitude, limit=LOOKED_AT)
    now = stores_at([near.store.id for near in nearest], at)
    for near in nearest:
        store = now[near.store.id]
        if refusal_of(voucher, terms, store=store, bill_fen=NO_LIMIT, at=at) or not _takes_orders(store, at=at):
            continue
        lines = tuple(_cart(terms, menu_of(near.store, at=at)))
        if lines and (pick_up := _pick_up(store, sum(line.quantity for line in lines), at=at)):
            return UseNow(near, lines, pick_up)
    raise NoStoreTakesItNow


def cart_for(*, voucher_id: UUID, customer_id: UUID, menu: Menu, at: datetime) -> tuple[CartLine, ...]:
    """
    A cart to begin with at a store that she chose herself; empty where its menu has nothing for the voucher.

    Raises:
        VoucherNotFound, VoucherRefunded, VoucherAlreadyRedeemed, VoucherHeld, VoucherExpired: nothing left to use.
    """
    voucher = showable(customer_id, voucher_id, at=at)
    return tuple(_cart(queries.terms([voucher.terms_id])[voucher.terms_id], menu))


def _cart(terms: Terms, menu: Menu) -> Iterator[CartLine]:
    """What the package holds, else the first drink that the voucher pays for."""
    if named := package_lines(terms):
        lines = [CartLine(product_id, options, count) for product_id, options, count in named]
        yield from lines if all(_can_be_had(menu, line) for line in lines) else ()
        return
    for product in menu.products:
        line = CartLine(product.product_id, (), 1)
        if _counts(product, terms) and _can_be_had(menu, line):
            yield line
            return


def _counts(product: MenuProduct, terms: Terms) -> bool:
    scope = terms.product_scope
    if product.product_id in scope.except_products:
        return False
    if scope.everything or product.product_id in scope.products:
        return True
    return not scope.categories.isdisjoint(product.categories)


def _can_be_had(menu: Menu, line: CartLine) -> bool:
    product = next((one for one in menu.products if one.product_id == line.product_id), None)
    if product is None or (product.left is not None and product.left < line.quantity):
        return False
    try:
        menu.choose(line.product_id, line.option_ids)
    except (ProductSoldOut, OptionsDoNotFit):
        return False
    return True


def _takes_orders(store: StoreNow, *, at: datetime) -> bool:
    try:
        taking.check(store, at=at)
    except DomainError:  # whichever it is, the next store may
        return False
    return True


def _pick_up(store: StoreNow, cups: int, *, at: datetime) -> PickUp | None:
    try:
        return taking.planned(store, slots_of(store.store_id, at=at), cups=cups, wanted_at=None, at=at)
    except SlotFull:
        return None
