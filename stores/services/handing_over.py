"""
What a counter hands over, taken from the store's stock: a building block in the redemption's transaction.

The person stands there and the cup is in the clerk's hand, so the books follow it and do not stop it: what they say
is not there leaves less than nothing, and the level is short (ADR 0007). A brand that would rather refuse says so
(``Brand.counter_needs_stock``); then the caller hears what is short, rolls back, and looks before it decides.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from config.kernel.jobs import nudge_after_commit
from config.kernel.pipeline import Cursor, Send, as_jsonb, pipelined
from stores.models import StockReservation

Shelf = tuple[UUID, UUID]
"""A store and a product."""

# Levels in key order, as orders promise them; made at once, so that the worker moves it. How the cup was made nobody
# writes down at a counter: its recipe goes by the answers that stand in where a question is not answered.
HAND_OVER = """
    WITH asked AS MATERIALIZED (
        SELECT s, p, n, d, source, o FROM jsonb_to_recordset(%(taken)s::jsonb)
            AS k(s uuid, p uuid, n bigint, d date, source uuid, o jsonb)
    ), level AS MATERIALIZED (
        SELECT l.id, l.store_id, l.product_id, l.mode, l.daily_limit FROM stores_stocklevel l
        WHERE l.mode <> 'switch' AND (l.store_id, l.product_id) IN (SELECT s, p FROM asked)
        ORDER BY l.store_id, l.product_id FOR NO KEY UPDATE OF l
    ), wanted AS (
        SELECT level.id, level.store_id, level.product_id, level.mode, asked.d, sum(asked.n) AS n
        FROM level JOIN asked ON asked.s = level.store_id AND asked.p = level.product_id
        GROUP BY level.id, level.store_id, level.product_id, level.mode, asked.d
    ), counted AS (
        UPDATE stores_stocklevel l SET reserved = l.reserved + wanted.n FROM wanted
        WHERE l.id = wanted.id AND wanted.mode = 'counted'
        RETURNING l.store_id, l.product_id, l.on_hand - l.reserved AS free
    ), tallied AS (
        INSERT INTO stores_dailytally AS tally (store_id, product_id, business_date, taken)
        SELECT store_id, product_id, d, n FROM wanted WHERE mode = 'daily_limit' ORDER BY store_id, product_id, d
        ON CONFLICT (store_id, product_id, business_date) DO UPDATE SET taken = tally.taken + excluded.taken
        RETURNING tally.store_id, tally.product_id, tally.taken
    ), reserved AS (
        INSERT INTO stores_stockreservation (store_id, product_id, quantity, mode, business_date, source_kind,
            source_id, state, reserved_at, made_at)
        SELECT asked.s, asked.p, sum(asked.n), level.mode, asked.d, %(source_kind)s, asked.source, 'open', %(at)s,
               %(at)s
        FROM asked JOIN level ON level.store_id = asked.s AND level.product_id = asked.p
        GROUP BY asked.s, asked.p, level.mode, asked.d, asked.source
    ), made AS (
        INSERT INTO stores_materialuse
            (store_id, source_kind, source_id, business_date, cups, state, recipes, taken, made_at)
        SELECT s, %(source_kind)s, source, d, jsonb_agg(jsonb_build_object('p', p, 'n', n, 'o', coalesce(o, (
            SELECT coalesce(jsonb_agg(option.id), '[]') FROM stores_productoptiongroup question
            JOIN stores_option option ON option.group_id = question.group_id
            WHERE question.product_id = p AND option.is_default AND option.withdrawn_at IS NULL
        )))), 'open', '{}', '{}', %(at)s
        FROM asked
        WHERE EXISTS (SELECT FROM stores_recipe recipe WHERE recipe.product_id = p AND recipe.starts_at <= %(at)s)
        GROUP BY s, source, d
    )
    SELECT short.store_id, short.product_id
    FROM (
        SELECT store_id, product_id FROM counted WHERE free < 0
        UNION ALL
        SELECT store_id, product_id FROM tallied JOIN level USING (store_id, product_id) WHERE taken > daily_limit
    ) short
    JOIN stores_store store ON store.id = short.store_id
    JOIN stores_brand brand ON brand.id = store.brand_id
    WHERE brand.counter_needs_stock
"""
LOCK = """
    SELECT FROM stores_stocklevel l
    WHERE (l.store_id, l.product_id) IN (
        SELECT s, p FROM jsonb_to_recordset(%(shelves)s::jsonb) AS k(s uuid, p uuid))
    ORDER BY l.store_id, l.product_id FOR NO KEY UPDATE OF l
"""
# A statement of its own: it must see what was taken while the lock was waited for.
LEFT = """
    SELECT l.store_id, l.product_id, CASE l.mode WHEN 'counted' THEN l.on_hand - l.reserved
                                                 ELSE l.daily_limit - coalesce(tally.taken, 0) END
    FROM jsonb_to_recordset(%(shelves)s::jsonb) AS k(s uuid, p uuid, d date)
    JOIN stores_stocklevel l ON l.store_id = k.s AND l.product_id = k.p AND l.mode <> 'switch'
    LEFT JOIN stores_dailytally tally ON tally.store_id = k.s AND tally.product_id = k.p AND tally.business_date = k.d
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """
    So many units of one product, for one source on its business day.

    ``option_ids`` is None where nobody wrote down how it is made.
    """

    store_id: UUID
    product_id: UUID
    quantity: int
    business_date: date
    source_id: UUID
    option_ids: Collection[UUID] | None = None

    def as_row(self) -> dict[str, Any]:
        row = {"s": self.store_id, "p": self.product_id, "n": self.quantity, "d": self.business_date}
        options = {} if self.option_ids is None else {"o": list(self.option_ids)}
        return {**row, "source": self.source_id, **options}


def send_hand_over(
    send: Send,
    taken: Iterable[Taken],
    *,
    source_kind: StockReservation.Source = StockReservation.Source.REDEMPTION,
    at: datetime,
) -> Cursor:
    """
    Take it all from stock on the caller's trip, whatever is left; ``short_of`` reads what a brand minds.

    Runs inside the caller's transaction, after its vouchers' locks.
    """
    rows = [one.as_row() for one in taken]
    nudge_after_commit("stores.settle_stock", queue="stock")
    return send(HAND_OVER, {"taken": as_jsonb(rows), "source_kind": source_kind.value, "at": at})


def short_of(handing_over: Cursor) -> set[Shelf]:
    """Where more was taken than there was, at stores whose brand does not hand over what is not there."""
    return {(store_id, product_id) for store_id, product_id in handing_over.fetchall()}


def lock_left(shelves: Collection[tuple[UUID, UUID, date]]) -> dict[Shelf, int]:
    """
    What is left of each product at its store on that business day, held to the end of the caller's transaction.

    Left out is what is not counted there.
    """
    assert connection.in_atomic_block, "what is left stays so until the decision commits"
    rows = [{"s": store_id, "p": product_id, "d": day} for store_id, product_id, day in shelves]
    with pipelined() as send:
        send(LOCK, {"shelves": as_jsonb(rows)})
        looking = send(LEFT, {"shelves": as_jsonb(rows)})
    return {(store_id, product_id): int(left) for store_id, product_id, left in looking.fetchall()}
