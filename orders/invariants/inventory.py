"""I8: what a store has and what it has promised, in units and in time, are the sum of what happened."""

from orders.invariants.check import Check, Invariant

INVARIANT = Invariant(
    "I8",
    "inventory: on_hand = movements, reserved = open reservations, a day's tally = what it promised",
    (
        Check(
            "stock_levels",
            """
            SELECT coalesce(level.store_id, reserved.store_id, moved.store_id) AS store,
                   coalesce(level.product_id, reserved.product_id, moved.product_id) AS product,
                   level.on_hand, level.reserved, coalesce(reserved.units, 0) AS promised,
                   coalesce(moved.units, 0) AS moved
            FROM stores_stocklevel level
            FULL JOIN (
                SELECT store_id, product_id, sum(quantity) AS units FROM stores_stockreservation
                WHERE state = 'open' AND mode = 'counted' GROUP BY store_id, product_id
            ) AS reserved ON reserved.store_id = level.store_id AND reserved.product_id = level.product_id
            FULL JOIN (
                SELECT store_id, product_id, sum(quantity) AS units FROM stores_stockmovement
                GROUP BY store_id, product_id
            ) AS moved ON moved.store_id = coalesce(level.store_id, reserved.store_id)
                AND moved.product_id = coalesce(level.product_id, reserved.product_id)
            """,
            {
                "stock_on_hand_is_its_movements": "on_hand = moved",
                "stock_reserved_is_its_open_reservations": "reserved = promised",
            },
            {"on_hand": "sum(on_hand)", "reserved": "sum(reserved)"},
            in_slices=False,
        ),
        Check(
            "reserved_levels",
            """
            SELECT level.store_id AS store, level.product_id AS product, level.reserved, (
                SELECT coalesce(sum(quantity), 0) FROM stores_stockreservation open
                WHERE open.store_id = level.store_id AND open.product_id = level.product_id
                    AND open.state = 'open' AND open.mode = 'counted') AS promised
            FROM (
                SELECT DISTINCT store_id, product_id FROM {reservations} AS reservation WHERE mode = 'counted'
            ) AS touched JOIN stores_stocklevel level USING (store_id, product_id)
            """,
            {"touched_level_reserves_what_is_open": "reserved = promised"},
            {"reserved": "sum(reserved)"},
        ),
        Check(
            "stock_acts",
            """
            SELECT act.id AS act, act.kind, (
                       SELECT coalesce(sum((line ->> 'quantity')::bigint), 0)
                       FROM jsonb_array_elements(act.lines) AS line) AS said,
                   coalesce(moved.units, 0) AS moved, coalesce((
                       SELECT sum(quantity) FROM stores_stockmovement undone
                       WHERE undone.source_id = act.undoes_id), 0) AS undone,
                   (SELECT count(*) FROM kernel_auditentry entry
                    WHERE entry.subject_id = act.id AND entry.act = 'stock.' || act.kind) AS entries
            FROM {stock_acts} AS act
            LEFT JOIN (
                SELECT source_id, sum(quantity) AS units FROM {movements} AS movement
                WHERE source_kind = 'stock_act' GROUP BY source_id
            ) AS moved ON moved.source_id = act.id
            """,
            {
                "stock_act_moved_what_it_says": """CASE
                    WHEN kind IN ('receipt', 'received') THEN moved = said
                    WHEN kind IN ('waste', 'sent') THEN moved = -said
                    WHEN kind = 'undo' THEN moved = -undone
                    ELSE true END""",
                "stock_act_has_its_trail": "entries = 1",
            },
        ),
        Check(
            "transfers",
            """
            SELECT transfer.id AS transfer, transfer.state,
                   count(*) FILTER (WHERE act.kind = 'sent' AND undone.id IS NULL) AS sent,
                   count(*) FILTER (WHERE act.kind = 'received' AND undone.id IS NULL) AS received
            FROM stores_stocktransfer transfer
            LEFT JOIN stores_stockact act ON act.transfer_id = transfer.id AND act.kind IN ('sent', 'received')
            LEFT JOIN stores_stockact undone ON undone.undoes_id = act.id
            GROUP BY transfer.id, transfer.state
            """,
            {
                "transfer_state_follows_its_acts": (
                    "sent = CASE state WHEN 'called_back' THEN 0 ELSE 1 END"
                    " AND received = CASE state WHEN 'received' THEN 1 ELSE 0 END"
                ),
            },
            {"on_the_road": "count(*) FILTER (WHERE state = 'sent')"},
            in_slices=False,
        ),
        Check(
            "daily_tallies",
            """
            SELECT coalesce(tally.store_id, promised.store_id) AS store,
                   coalesce(tally.product_id, promised.product_id) AS product,
                   coalesce(tally.business_date, promised.business_date) AS day,
                   coalesce(tally.taken, 0) AS taken, coalesce(promised.units, 0) AS promised
            FROM stores_dailytally tally
            FULL JOIN (
                SELECT store_id, product_id, business_date, sum(quantity) AS units FROM stores_stockreservation
                WHERE state IN ('open', 'moved') AND mode = 'daily_limit' GROUP BY store_id, product_id, business_date
            ) AS promised ON promised.store_id = tally.store_id AND promised.product_id = tally.product_id
                AND promised.business_date = tally.business_date
            """,
            {"daily_tally_is_its_reservations": "taken = promised"},
            {"taken": "sum(taken)"},
            in_slices=False,
        ),
        Check(
            "pick_up_slots",
            """
            SELECT coalesce(slot.store_id, counted.store_id) AS store,
                   coalesce(slot.starts_at, counted.slot_at) AS starts_at,
                   coalesce(slot.cups, 0) AS cups, coalesce(slot.made, 0) AS made,
                   coalesce(counted.cups, 0) AS ordered, coalesce(counted.made, 0) AS ready
            FROM stores_pickupslot slot
            FULL JOIN (
                SELECT store_id, slot_at, sum(slot_cups) AS cups,
                       coalesce(sum(slot_cups) FILTER (WHERE ready_at IS NOT NULL), 0) AS made
                FROM orders_storeorder WHERE status NOT IN ('lapsed', 'cancelled', 'rejected')
                GROUP BY store_id, slot_at
            ) AS counted ON counted.store_id = slot.store_id AND counted.slot_at = slot.starts_at
            """,
            {
                "slot_promises_what_orders_count_in_it": "cups = ordered",
                "slot_has_made_what_is_ready": "made = ready",
            },
            {"cups": "sum(cups)", "made": "sum(made)"},
            in_slices=False,
        ),
        Check(
            "reservations",
            """
            SELECT id AS reservation, state, reserved_at, ended_at FROM stores_stockreservation
            """,
            {
                "reservation_ends_with_its_state": (
                    "(state = 'open') = (ended_at IS NULL) AND (ended_at IS NULL OR ended_at >= reserved_at)"
                ),
            },
            {"open": "count(*) FILTER (WHERE state = 'open')"},
            in_slices=False,
        ),
    ),
)
