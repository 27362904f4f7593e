"""
Settling: what was made or handed over becomes movements, many lines in one statement.

An order's cups are settled from READY on, whether she collects them or not: that is when they are made and the
clock of the money starts, too. Until then they are only promised, because an order that is not ready may end with
everything back. What a counter handed over is settled at once. Each line belongs to the business day on which it was
promised, however late it is settled.
"""

from datetime import datetime

from django.db import transaction

from config.kernel.pipeline import pipelined
from stores.services.settled import Settled, leave_settled

LINES_AT_ONCE = 5_000
"""A transaction of a third of a second: so long may an order wait for the level of one of these products."""

# Claimed by state, and what another worker has claimed is hers. In the order of stores, so that a batch is a few
# stores with many lines each, and one row of a level takes all of its lines; two workers meet in one store at most.
# Reservations come before levels, as where they are given back; promising takes levels and only adds reservations.
SETTLE = """
    WITH claimed AS MATERIALIZED (
        SELECT id FROM stores_stockreservation WHERE state = 'open' AND made_at IS NOT NULL
        ORDER BY store_id, product_id, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
    ), ended AS (
        UPDATE stores_stockreservation r SET state = 'moved', ended_at = greatest(%(at)s, r.made_at)
        FROM claimed WHERE r.id = claimed.id AND r.state = 'open'
        RETURNING r.store_id, r.product_id, r.business_date, r.mode, r.quantity, r.source_kind, r.source_id
    ), sold AS MATERIALIZED (
        SELECT l.id, sum_.n
        FROM (SELECT store_id, product_id, sum(quantity) AS n FROM ended WHERE mode = 'counted'
              GROUP BY store_id, product_id) sum_
        JOIN stores_stocklevel l ON l.store_id = sum_.store_id AND l.product_id = sum_.product_id
        ORDER BY l.store_id, l.product_id FOR NO KEY UPDATE OF l
    ), moved AS (
        INSERT INTO stores_stockmovement
            (store_id, product_id, quantity, kind, source_kind, source_id, business_date, moved_at)
        SELECT store_id, product_id, -quantity, CASE source_kind WHEN 'remake' THEN 'remake' ELSE 'sale' END,
               source_kind, source_id, business_date, %(at)s
        FROM ended WHERE mode = 'counted'
    ), taken AS (
        UPDATE stores_stocklevel l SET on_hand = l.on_hand - sold.n, reserved = l.reserved - sold.n
        FROM sold WHERE l.id = sold.id
        RETURNING l.store_id, l.product_id, l.on_hand, l.on_hand + sold.n AS before
    )
    SELECT (SELECT count(*) FROM ended), store.brand_id, taken.store_id, taken.product_id, taken.on_hand
    FROM (SELECT) AS one
    LEFT JOIN (taken JOIN stores_store store ON store.id = taken.store_id)
        ON taken.on_hand < 0 AND taken.before >= 0
"""


def settle(*, limit: int = LINES_AT_ONCE, at: datetime) -> Settled:
    """
    Move up to ``limit`` lines that were made, each exactly once, however many workers there are.

    Claimed by state with SKIP LOCKED in one statement, O(lines) and blind to history. Nothing blocks: where more
    left a store than its books had, what is on hand is negative, and its subscribers of ``stock.short`` hear so once.
    """
    with transaction.atomic(durable=True):
        with pipelined() as send:
            settling = send(SETTLE, {"limit": limit, "at": at})
        return leave_settled(settling.fetchall(), act="stock.settled", subject_kind="stock_reservation", at=at)
