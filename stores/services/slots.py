"""
Cups promised in a store's quarters of an hour: building blocks in the transaction of the order that wants them.

A slot is one row, taken by one conditional UPDATE: its last cups have one order. Slots are locked after stock
and before pick-up numbers, in key order.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from config.kernel.pipeline import Cursor, Send, as_jsonb, pipelined
from stores.errors import SlotFull
from stores.pick_up import AHEAD

# The first of the slots with room, unless somebody was faster; then nothing is taken, and the answer says so.
TAKE = """
    WITH candidate AS MATERIALIZED (
        SELECT asked.starts_at FROM unnest(%(starts)s::timestamptz[]) WITH ORDINALITY AS asked(starts_at, place)
        LEFT JOIN stores_pickupslot slot ON slot.store_id = %(store_id)s AND slot.starts_at = asked.starts_at
        WHERE %(most)s::int IS NULL OR coalesce(slot.cups, 0) + %(cups)s <= %(most)s::int
        ORDER BY asked.place LIMIT 1
    ), taken AS (
        INSERT INTO stores_pickupslot AS slot (store_id, starts_at, cups)
        SELECT %(store_id)s, starts_at, %(cups)s FROM candidate
        ON CONFLICT (store_id, starts_at) DO UPDATE SET cups = slot.cups + excluded.cups
        WHERE %(most)s::int IS NULL OR slot.cups + excluded.cups <= %(most)s::int
        RETURNING starts_at
    )
    SELECT candidate.starts_at, taken.starts_at IS NOT NULL, (
        SELECT coalesce(sum(before.cups - before.made), 0) FROM stores_pickupslot before
        WHERE before.store_id = %(store_id)s AND before.starts_at <= candidate.starts_at
            AND before.starts_at >= %(since)s)
    FROM candidate LEFT JOIN taken ON true
"""
CHANGE = """
    UPDATE stores_pickupslot SET cups = cups + %(cups)s, made = made + %(made)s
    WHERE store_id = %(store_id)s AND starts_at = %(starts_at)s
"""
LOCK = """
    SELECT slot.id FROM stores_pickupslot slot
    JOIN jsonb_to_recordset(%(places)s::jsonb) AS k(store_id uuid, starts_at timestamptz)
        ON slot.store_id = k.store_id AND slot.starts_at = k.starts_at
    ORDER BY slot.store_id, slot.starts_at FOR NO KEY UPDATE OF slot
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many ``cups`` of the first of these slots with room; a slot holds ``most`` (None: no limit)."""

    store_id: UUID
    starts: Sequence[datetime]
    cups: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Taken:
    """The slot that it became, and how many cups of it and of those before it were to be made already."""

    starts_at: datetime
    ahead: int


def send_take(send: Send, wanted: Wanted) -> Cursor:
    """``take`` on the caller's trip; ``taken`` reads the answer."""
    asked = {"store_id": wanted.store_id, "starts": list(wanted.starts), "cups": wanted.cups, "most": wanted.most}
    return send(TAKE, {**asked, "since": min(wanted.starts) - AHEAD})


def taken(taking: Cursor, wanted: Wanted) -> Taken:
    """
    Which slot it became.

    Runs inside the caller's transaction. Whoever was faster has filled a slot, so each further try finds a later one.

    Raises:
        SlotFull: none of them has room; roll back.
    """
    assert connection.in_atomic_block, "cups are promised with the order that wants them"
    while (row := taking.fetchone()) is not None:
        starts_at, is_taken, ahead = row
        if is_taken:
            return Taken(starts_at, int(ahead))
        with pipelined() as send:
            taking = send_take(send, wanted)
    raise SlotFull(param="pick_up_at")


def take(wanted: Wanted) -> Taken:
    """
    Take them, and say where.

    Runs inside the caller's transaction, after its stock.

    Raises:
        SlotFull: none of them has room; roll back.
    """
    with pipelined() as send:
        taking = send_take(send, wanted)
    return taken(taking, wanted)


def give_back(*, store_id: UUID, starts_at: datetime, cups: int) -> None:
    """An order that was not made needs its cups no more. Runs inside the caller's transaction, once for an order."""
    _change(store_id, starts_at, cups=-cups, made=0)


def give_back_made(*, store_id: UUID, starts_at: datetime, cups: int) -> None:
    """As ``give_back``, of an order that was made already."""
    _change(store_id, starts_at, cups=-cups, made=-cups)


def make(*, store_id: UUID, starts_at: datetime, cups: int) -> None:
    """The cups stand ready: nobody waits for them any more. Runs inside the caller's transaction."""
    _change(store_id, starts_at, cups=0, made=cups)


def lock(places: Collection[tuple[UUID, datetime]]) -> None:
    """
    Lock these (store, beginning of a slot): for whoever ends several orders in one transaction, so that it meets
    nobody in a circle.

    Runs inside the caller's transaction.
    """
    assert connection.in_atomic_block, "a lock ends with its transaction"
    with pipelined() as send:
        send(LOCK, {"places": as_jsonb([{"store_id": store, "starts_at": start} for store, start in places])})


def _change(store_id: UUID, starts_at: datetime, *, cups: int, made: int) -> None:
    assert connection.in_atomic_block, "a slot changes with its order"
    with pipelined() as send:
        send(CHANGE, {"store_id": store_id, "starts_at": starts_at, "cups": cups, "made": made})
