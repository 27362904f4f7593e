"""
A store's stock books under one hand: building blocks of what people do to stock.

Acts at one store follow each other under the store's row, so that a copy of a request finds what the first one did;
then the levels are locked in key order and looked at. Redemptions and orders do not wait for the store's row, and
for a level only as long as the act writes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, QuerySet, Sum

from config.kernel.caller import Caller
from config.kernel.errors import IdempotencyConflict
from config.kernel.idempotency import content_hash
from config.kernel.ids import public
from stores.business_days import business_date
from stores.errors import ProductNotCounted, ProductNotFound, StockLinesInvalid, StockTooLow, StoreNotFound
from stores.models import (
    Product,
    StockAct,
    StockLevel,
    StockMode,
    StockMovement,
    StockReservation,
    StockTransfer,
    Store,
)
from stores.services import consuming, trail
from stores.services.made import Made

MOST_LINES = 200
MOST_UNITS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class StockLine:
    """So many units of a product: what came or went, or what was counted."""

    product_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Who does what at which store, under which key; ``about`` is what else a repeat must carry again."""

    store_id: UUID
    lines: Sequence[StockLine]
    request_id: UUID
    by: Caller
    at: datetime
    reason: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def product_ids(self) -> list[UUID]:
        return [line.product_id for line in self.lines]


def begin(asked: Asked, kind: StockAct.Kind) -> tuple[Store, Made[StockAct] | None]:
    """
    The store under its lock, and what this request did before; None where it is the first.

    Raises:
        StoreNotFound: as it says.
        IdempotencyConflict: ``request_id`` came before with other content.
    """
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    store = Store.objects.select_for_update(no_key=True).filter(id=asked.store_id).first()
    if store is None:
        raise StoreNotFound
    first = StockAct.objects.filter(store=store, request_id=asked.request_id).first()
    if first is None:
        return store, None
    if bytes(first.content_hash) != _content(asked, kind):
        raise IdempotencyConflict(param="Idempotency-Key")
    return store, Made(first, is_new=False)


def check_lines(lines: Sequence[StockLine], *, least: int = 1) -> None:
    """
    See that they say something definite.

    Raises:
        StockLinesInvalid: no line or more than 200, a product twice, or a quantity out of its range.
    """
    products = {line.product_id for line in lines}
    if not 1 <= len(lines) <= MOST_LINES or len(products) < len(lines):
        raise StockLinesInvalid(most=MOST_LINES, param="lines")
    if any(not least <= line.quantity <= MOST_UNITS for line in lines):
        raise StockLinesInvalid(most=MOST_LINES, param="lines")


def lock_levels(store: Store, product_ids: Collection[UUID]) -> dict[UUID, StockLevel]:
    """The levels of these products at the store, held, in key order; whatever mode they are in."""
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    rows = StockLevel.objects.filter(store=store, product_id__in=product_ids).order_by("product_id")
    return {level.product_id: level for level in rows.select_for_update(no_key=True)}


def lock_counted(store: Store, product_ids: Collection[UUID]) -> dict[UUID, StockLevel]:
    """
    ``lock_levels`` of what the store counts.

    Raises:
        ProductNotFound: there is none, or it is another brand's.
        ProductNotCounted: it is a switch here, or has a limit a day.
    """
    levels = lock_levels(store, product_ids)
    counted = {one for one, level in levels.items() if level.mode == StockMode.COUNTED}
    if others := set(product_ids) - counted:
        known = list(Product.objects.filter(id__in=others, brand_id=store.brand_id).order_by("id"))
        if len(known) < len(others):
            raise ProductNotFound(param="lines")
        raise ProductNotCounted(name=known[0].name, product=known[0].public_id, param="lines")
    return levels


def require(level: StockLevel, quantity: int, *, there: int) -> None:
    """
    See that as many are there.

    Raises:
        StockTooLow: fewer than ``quantity`` are ``there``.
    """
    if there < quantity:
        product = Product.objects.get(id=level.product_id)
        raise StockTooLow(name=product.name, product=product.public_id, there=max(0, there), param="lines")


def differences(levels: Mapping[UUID, StockLevel], counted: Mapping[UUID, int]) -> dict[UUID, int]:
    """
    What the books lack to what was counted.

    What is promised and not made still stands there. What was made and is not settled does not, though the books have
    it still: it is added to what was counted, and so is what cups that were made have used of a material. ``levels``
    are locked before this looks at either, and the worker changes both together under the same locks, so it has
    settled either wholly or not at all.
    """
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    stores = {level.store_id for level in levels.values()}
    made = StockReservation.objects.filter(
        store_id__in=stores,
        product_id__in=levels,
        state=StockReservation.State.OPEN,
        mode=StockMode.COUNTED,
        made_at__isnull=False,
    )
    gone = dict(made.values("product_id").annotate(units=Sum("quantity")).values_list("product_id", "units"))
    used = consuming.waiting(store_ids=stores, material_ids=levels)
    return {one: count + gone.get(one, 0) + used.get(one, 0) - levels[one].on_hand for one, count in counted.items()}


def write(
    asked: Asked,
    store: Store,
    kind: StockAct.Kind,
    *,
    transfer: StockTransfer | None = None,
    undoes: StockAct | None = None,
) -> StockAct:
    """The act and its trail. Runs inside the caller's transaction."""
    lines = [{"product": public(Product.PREFIX, one.product_id), "quantity": one.quantity} for one in asked.lines]
    act = StockAct.objects.create(
        store=store,
        kind=kind,
        request_id=asked.request_id,
        content_hash=_content(asked, kind),
        lines=lines,
        reason=asked.reason,
        transfer=transfer,
        undoes=undoes,
        by_kind=asked.by.kind,
        by_id=asked.by.id,
        done_at=asked.at,
    )
    details = {"store": store.public_id, "lines": len(lines), "reason": asked.reason}
    trail.leave(f"stock.{kind}", act, brand_id=store.brand_id, by=asked.by, at=asked.at, details=details)
    return act


def move(act: StockAct, kind: StockMovement.Kind, quantities: Mapping[UUID, int]) -> None:
    """What an act moves, under the levels' locks; nothing where the difference is nothing."""
    store = act.store
    day = business_date(hours=store.hours, zone=store.zone, at=act.done_at)
    changed = {product_id: quantity for product_id, quantity in quantities.items() if quantity}
    StockMovement.objects.bulk_create(
        StockMovement(
            store=store,
            product_id=product_id,
            quantity=quantity,
            kind=kind,
            source_kind="stock_act",
            source_id=act.id,
            business_date=day,
            moved_at=act.done_at,
        )
        for product_id, quantity in changed.items()
    )
    for product_id, quantity in changed.items():
        StockLevel.objects.filter(store=store, product_id=product_id).update(on_hand=F("on_hand") + quantity)


def movements_of(act: StockAct) -> QuerySet[StockMovement]:
    return StockMovement.objects.filter(source_id=act.id, source_kind="stock_act").order_by("id")


def _content(asked: Asked, kind: StockAct.Kind) -> bytes:
    lines = sorted([str(line.product_id), line.quantity] for line in asked.lines)
    return content_hash(kind=kind.value, lines=lines, reason=asked.reason, **asked.about)
