"""
Stock promised and given back: building blocks in the transaction of the order that wants it.

A product without a ``StockLevel``, or in the mode *switch*, is not counted. Of the others each is one row
(and one tally a day), locked in key order and moved by one conditional UPDATE: the last cup has one buyer.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from uuid import UUID

from django.db import connection

from config.kernel.jobs import nudge_after_commit
from config.kernel.pipeline import Cursor, Send, as_jsonb, pipelined
from stores.errors import ProductSoldOut
from stores.models import Product, StockReservation

# The level's lock also keeps its mode as it is until the reservation is written.
RESERVE = """
    WITH asked AS MATERIALIZED (
        SELECT p, n FROM jsonb_to_recordset(%(quantities)s::jsonb) AS k(p uuid, n bigint)
    ), level AS MATERIALIZED (
        SELECT l.id, l.product_id, l.mode, l.daily_limit, asked.n
        FROM stores_stocklevel l JOIN asked ON asked.p = l.product_id
        WHERE l.store_id = %(store_id)s AND l.mode <> 'switch' ORDER BY l.product_id FOR NO KEY UPDATE OF l
    ), counted AS (
        UPDATE stores_stocklevel l SET reserved = l.reserved + level.n FROM level
        WHERE l.id = level.id AND level.mode = 'counted' AND l.on_hand - l.reserved >= level.n
        RETURNING l.product_id
    ), tallied AS (
        INSERT INTO stores_dailytally AS tally (store_id, product_id, business_date, taken)
        SELECT %(store_id)s, product_id, %(business_date)s, n
        FROM level WHERE mode = 'daily_limit' AND n <= daily_limit ORDER BY product_id
        ON CONFLICT (store_id, product_id, business_date) DO UPDATE SET taken = tally.taken + excluded.taken
        WHERE tally.taken + excluded.taken <= (
            SELECT daily_limit FROM level WHERE level.product_id = excluded.product_id)
        RETURNING tally.product_id
    ), taken AS (
        SELECT product_id FROM counted UNION ALL SELECT product_id FROM tallied
    ), reserved AS (
        INSERT INTO stores_stockreservation
            (store_id, product_id, quantity, mode, business_date, source_kind, source_id, state, reserved_at)
        SELECT %(store_id)s, product_id, n, mode, %(business_date)s, %(source_kind)s, %(source_id)s, 'open', %(at)s
        FROM level WHERE product_id IN (SELECT product_id FROM taken)
    )
    SELECT product_id FROM level WHERE product_id NOT IN (SELECT product_id FROM taken)
"""
MAKE = """
    UPDATE stores_stockreservation SET made_at = greatest(%(at)s, reserved_at)
    WHERE source_id = %(source_id)s AND source_kind = %(source_kind)s AND state = 'open' AND made_at IS NULL
"""
# A reservation that the worker is moving makes this wait, and comes back as it is then: what is open becomes free,
# what was moved comes back. The state it had says which, so that neither happens twice. So do materials, by what the
# row says was taken: this statement cannot see the movements of a worker that it has waited for.
GIVE_BACK = """
    WITH ended AS (
        UPDATE stores_stockreservation
        SET state = CASE state WHEN 'open' THEN 'released' ELSE 'returned' END, ended_at = greatest(%(at)s, reserved_at)
        WHERE source_id = ANY(%(source_ids)s) AND source_kind = %(source_kind)s AND state IN ('open', 'moved')
        RETURNING store_id, product_id, business_date, mode, quantity, source_kind, source_id, state
    ), unused AS (
        UPDATE stores_materialuse
        SET state = CASE state WHEN 'open' THEN 'released' ELSE 'returned' END, ended_at = greatest(%(at)s, made_at)
        WHERE source_id = ANY(%(source_ids)s) AND source_kind = %(source_kind)s AND state IN ('open', 'consumed')
        RETURNING store_id, business_date, source_kind, source_id, taken
    ), restored AS MATERIALIZED (
        SELECT store_id, key::uuid AS product_id, business_date, value::bigint AS quantity, source_kind, source_id
        FROM unused CROSS JOIN jsonb_each_text(taken)
    ), level AS MATERIALIZED (
        SELECT l.id, back.free, back.returned
        FROM (SELECT store_id, product_id, sum(free) AS free, sum(returned) AS returned
              FROM (SELECT store_id, product_id,
                           CASE WHEN mode = 'counted' AND state = 'released' THEN quantity ELSE 0 END AS free,
                           CASE WHEN mode = 'counted' AND state = 'returned' THEN quantity ELSE 0 END AS returned
                    FROM ended
                    UNION ALL SELECT store_id, product_id, 0, quantity FROM restored) each
              GROUP BY store_id, product_id) back
        JOIN stores_stocklevel l ON l.store_id = back.store_id AND l.product_id = back.product_id
        ORDER BY l.store_id, l.product_id FOR NO KEY UPDATE OF l
    ), tallied AS MATERIALIZED (
        SELECT t.id, back.n
        FROM (SELECT store_id, product_id, business_date, sum(quantity) AS n FROM ended WHERE mode = 'daily_limit'
              GROUP BY store_id, product_id, business_date) back
        JOIN stores_dailytally t ON t.store_id = back.store_id AND t.product_id = back.product_id
            AND t.business_date = back.business_date
        WHERE (SELECT count(*) FROM level) >= 0 /* every level first, as RESERVE takes them */
        ORDER BY t.store_id, t.product_id, t.business_date FOR NO KEY UPDATE OF t
    ), given_back AS (
        UPDATE stores_stocklevel l SET reserved = l.reserved - level.free, on_hand = l.on_hand + level.returned
        FROM level WHERE l.id = level.id AND level.free + level.returned > 0
    ), untallied AS (
        UPDATE stores_dailytally t SET taken = t.taken - tallied.n FROM tallied WHERE t.id = tallied.id
    ), put_back AS (
        INSERT INTO stores_stockmovement
            (store_id, product_id, quantity, kind, source_kind, source_id, business_date, moved_at)
        SELECT store_id, product_id, quantity, 'put_back', source_kind, source_id, business_date, %(at)s
        FROM ended WHERE state = 'returned' AND mode = 'counted'
        UNION ALL
        SELECT store_id, product_id, quantity, 'restored', source_kind, source_id, business_date, %(at)s
        FROM restored
    )
    SELECT count(*) FROM ended
"""
LOCK = """
    SELECT l.id FROM stores_stocklevel l
    JOIN jsonb_to_recordset(%(places)s::jsonb) AS k(s uuid, p uuid) ON l.store_id = k.s AND l.product_id = k.p
    WHERE l.mode <> 'switch' ORDER BY l.store_id, l.product_id FOR NO KEY UPDATE OF l
"""


def reserve(
    *,
    store_id: UUID,
    business_date: date,
    quantities: Mapping[UUID, int],
    source_kind: StockReservation.Source,
    source_id: UUID,
    at: datetime,
) -> None:
    """
    Promise so many units of each product to one source, all or nothing.

    Runs inside the caller's transaction, after its vouchers' locks: levels come later in every order of
    locks. A refusal leaves the transaction to be rolled back.

    Raises:
        ProductSoldOut: too little is left of one, or of today's.
    """
    with pipelined() as send:
        reserving = send_reserve(
            send,
            store_id=store_id,
            business_date=business_date,
            quantities=quantities,
            source_kind=source_kind,
            source_id=source_id,
            at=at,
        )
    check_reserved(reserving)


def send_reserve(
    send: Send,
    *,
    store_id: UUID,
    business_date: date,
    quantities: Mapping[UUID, int],
    source_kind: StockReservation.Source,
    source_id: UUID,
    at: datetime,
) -> Cursor:
    """``reserve`` on the caller's trip; ``check_reserved`` reads the answer."""
    return send(
        RESERVE,
        {
            "store_id": store_id,
            "business_date": business_date,
            "quantities": as_jsonb([{"p": product_id, "n": count} for product_id, count in quantities.items()]),
            "source_kind": source_kind.value,
            "source_id": source_id,
            "at": at,
        },
    )


def check_reserved(reserving: Cursor) -> None:
    """
    See that everything was there.

    Raises:
        ProductSoldOut: names the first that was not; roll back.
    """
    missing = [row[0] for row in reserving.fetchall()]
    if missing:
        raise sold_out(min(missing))


def lock(places: Collection[tuple[UUID, UUID]]) -> None:
    """
    Lock the levels of these (store, product): for whoever reserves or gives back for several sources in one
    transaction, so that it meets nobody in a circle. What is made is given back one source at a time: the worker
    that moves it has its reservations before its levels.

    Runs inside the caller's transaction, after its vouchers' locks.
    """
    assert connection.in_atomic_block, "a lock ends with its transaction"
    with pipelined() as send:
        send(LOCK, {"places": as_jsonb([{"s": store_id, "p": product_id} for store_id, product_id in places])})


def sold_out(product_id: UUID) -> ProductSoldOut:
    """The refusal that names the product."""
    product = Product.objects.get(id=product_id)
    return ProductSoldOut(name=product.name, product=product.public_id)


def make(*, source_kind: StockReservation.Source, source_id: UUID, at: datetime) -> None:
    """
    What the source reserved stands there ready: the ``stock`` worker moves it. Repeating changes nothing.

    Runs inside the caller's transaction.
    """
    with pipelined() as send:
        send(MAKE, {"source_kind": source_kind.value, "source_id": source_id, "at": at})
    nudge_after_commit("stores.settle_stock", queue="stock")


def give_back(*, source_kind: StockReservation.Source, source_ids: Collection[UUID], at: datetime) -> int:
    """
    Undo what these sources took: promises end, and what was moved is put back. Repeating changes nothing.

    Runs inside the caller's transaction; says how many reservations that were.
    """
    assert connection.in_atomic_block, "stock comes back with what gave it back"
    with pipelined() as send:
        asked = {"source_kind": source_kind.value, "source_ids": list(source_ids), "at": at}
        given = send(GIVE_BACK, asked)
    [(count,)] = given.fetchall()
    return int(count)
