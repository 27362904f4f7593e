"""I7: what was used took from stock what it reserved, once; what was undone took nothing."""

from orders.invariants.check import Check, Invariant

INVARIANT = Invariant(
    "I7",
    "each live redemption and order has its stock movements, each once; what was undone has them put back",
    (
        Check(
            "stock_lines",
            """
            SELECT coalesce(reserved.source_id, moved.source_id) AS source,
                   coalesce(reserved.product_id, moved.product_id) AS product,
                   coalesce(reserved.moved, 0) AS moved, coalesce(moved.sold, 0) AS sold,
                   coalesce(reserved.returned, 0) AS returned, coalesce(moved.put_back, 0) AS put_back
            FROM (
                SELECT store_id, product_id, source_kind, source_id,
                       sum(quantity) FILTER (WHERE mode = 'counted' AND state IN ('moved', 'returned')) AS moved,
                       sum(quantity) FILTER (WHERE mode = 'counted' AND state = 'returned') AS returned
                FROM {reservations} AS reservation GROUP BY store_id, product_id, source_kind, source_id
            ) AS reserved
            FULL JOIN (
                SELECT store_id, product_id, source_kind, source_id,
                       -sum(quantity) FILTER (WHERE kind IN ('sale', 'remake')) AS sold,
                       sum(quantity) FILTER (WHERE kind = 'put_back') AS put_back
                FROM {movements} AS movement WHERE kind IN ('sale', 'remake', 'put_back')
                GROUP BY store_id, product_id, source_kind, source_id
            ) AS moved ON moved.source_id = reserved.source_id AND moved.product_id = reserved.product_id
                AND moved.store_id = reserved.store_id AND moved.source_kind = reserved.source_kind
            """,
            {
                "settled_stock_was_sold_once": "moved = sold",
                "returned_stock_was_put_back_once": "returned = put_back",
            },
            {"sold": "sum(sold)", "put_back": "sum(put_back)"},
        ),
        Check(
            "remakes_stock",
            """
            SELECT coalesce(took.source_id, movement.source_id) AS case, took.state, remake.status,
                   movement.kind, movement.source_kind
            FROM (SELECT * FROM {reservations} AS one WHERE source_kind = 'remake') AS took
            FULL JOIN (SELECT * FROM {movements} AS one WHERE kind = 'remake' OR source_kind = 'remake'
                       AND kind <> 'consumed') AS movement
                ON movement.source_id = took.source_id AND movement.product_id = took.product_id
            LEFT JOIN {cases} AS remake ON remake.id = took.source_id AND remake.outcome = 'remake'
            """,
            {
                "remake_takes_stock_once_decided": "status = 'done' AND state IN ('open', 'moved')"
                " AND (kind IS NULL OR (kind = 'remake' AND source_kind = 'remake' AND state = 'moved'))",
            },
        ),
        Check(
            "redemptions_stock",
            """
            SELECT reservation.id AS reservation, reservation.state, reservation.made_at,
                   reservation.store_id AS store, redemption.store_id AS redeemed_at_store,
                   redemption.reversed_at IS NULL AS is_live
            FROM {reservations} AS reservation
            LEFT JOIN {redemptions} AS redemption ON redemption.id = reservation.source_id
            WHERE reservation.source_kind = 'redemption'
            """,
            {
                "live_redemption_took_its_stock": "store = redeemed_at_store AND made_at IS NOT NULL AND"
                " is_live = (state IN ('open', 'moved'))",
            },
            {"waiting": "count(*) FILTER (WHERE state = 'open')"},
        ),
        Check(
            "orders_stock",
            """
            SELECT store_order.id AS store_order, store_order.status, reservation.product_id AS product,
                   coalesce(sum(reservation.quantity) FILTER (WHERE state IN ('open', 'moved')), 0) AS taken,
                   coalesce(sum(reservation.quantity) FILTER (WHERE state = 'open' AND made_at IS NULL), 0) AS unmade,
                   (SELECT sum(line.quantity) FROM orders_storeorderline line
                    WHERE line.order_id = store_order.id AND line.product_id = reservation.product_id) AS ordered
            FROM {reservations} AS reservation
            LEFT JOIN {store_orders} AS store_order ON store_order.id = reservation.source_id
            WHERE reservation.source_kind = 'store_order'
            GROUP BY store_order.id, store_order.status, reservation.product_id
            """,
            {
                "order_took_what_was_ordered": "taken = CASE"
                " WHEN status IN ('lapsed', 'cancelled', 'rejected') THEN 0 ELSE ordered END",
                "order_is_made_when_it_is_ready": "unmade = CASE"
                " WHEN status IN ('ready', 'collected', 'uncollected') THEN 0 ELSE taken END",
            },
            {"taken": "sum(taken)"},
        ),
    ),
)
