"""Use it now: from a voucher to a cart at the nearest store that takes it at this moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from django.db.models import QuerySet

from config.kernel.errors import DomainError
from orders.errors import NoStoreTakesItNow
from orders.services import taking
from orders.services.prefilling import prefilled
from orders.services.quoting import CartLine
from orders.services.taking import PickUp
from stores.errors import SlotFull
from stores.models import Store
from stores.queries import Menu, NearStore, StoreNow, menu_of, nearest_stores, slots_of, stores_at
from vouchers import queries
from vouchers.queries.accepting import accepting_stores
from vouchers.queries.plannable import NO_LIMIT
from vouchers.queries.wallet import showable
from vouchers.verdict import refusal_of

LOOKED_AT = (0, 10, 100, 1_000)
"""So many of the nearest stores are read at a time; past the last it is near no more."""
MENUS_READ = 20
"""Of open stores, until one has something for the voucher."""


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
        NoStoreTakesItNow: none of the nearest thousand is open, takes it at this hour and has something for it.
    """
    voucher = showable(customer_id, voucher_id, at=at)
    terms = queries.terms([voucher.terms_id])[voucher.terms_id]
    open_stores = accepting_stores(terms).filter(status=Store.Status.OPEN)
    menus = MENUS_READ
    for near, store in _by_distance(open_stores, latitude=latitude, longitude=longitude, at=at):
        if refusal_of(voucher, terms, store=store, bill_fen=NO_LIMIT, at=at) or not _takes_orders(store, at=at):
            continue
        lines = prefilled(terms, menu_of(near.store, at=at))
        if lines and (pick_up := _pick_up(store, sum(line.quantity for line in lines), at=at)):
            return UseNow(near, lines, pick_up)
        menus -= 1
        if not menus:
            break
    raise NoStoreTakesItNow


def _by_distance(
    stores: QuerySet[Store], *, latitude: float, longitude: float, at: datetime
) -> Iterator[tuple[NearStore, StoreNow]]:
    """Nearest first; a few are read before the many, for mostly one of the first is open."""
    for first, last in pairwise(LOOKED_AT):
        nearest = nearest_stores(stores, latitude=latitude, longitude=longitude, after=first, limit=last - first)
        now = stores_at([near.store.id for near in nearest], at)
        yield from ((near, now[near.store.id]) for near in nearest)
        if len(nearest) < last - first:
            return


def cart_for(*, voucher_id: UUID, customer_id: UUID, menu: Menu, at: datetime) -> tuple[CartLine, ...]:
    """
    A cart to begin with at a store that she chose herself; empty where its menu has nothing for the voucher.

    Raises:
        VoucherNotFound, VoucherRefunded, VoucherAlreadyRedeemed, VoucherHeld, VoucherExpired: nothing left to use.
    """
    voucher = showable(customer_id, voucher_id, at=at)
    return prefilled(queries.terms([voucher.terms_id])[voucher.terms_id], menu)


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
