"""Orders at a store: their parts sum, and vouchers, stock and cash are where their state says."""

from orders.invariants.check import Check, Invariant

UNDONE = "('cancelled', 'rejected')"

INVARIANT = Invariant(
    "SO",
    "store orders: lines and vouchers sum; uses, cups and cash follow the state",
    (
        Check(
            "orders",
            """
            SELECT store_order.id AS store_order, status, store_order.total_fen, store_order.off_fen,
                   store_order.due_fen, placed_at, confirmed_at,
                   accepted_at, making_at, ready_at, collected_at, lapsed_at, ended_at,
                   coalesce(lines.total_fen, 0) AS lines_fen, coalesce(lines.off_fen, 0) AS lines_off_fen,
                   coalesce(lines.due_fen, 0) AS lines_due_fen, coalesce(applied.off_fen, 0) AS applied_fen
            FROM {store_orders} AS store_order
            LEFT JOIN (
                SELECT order_id, sum(unit_fen * quantity) AS total_fen, sum(off_fen) AS off_fen, sum(due_fen) AS due_fen
                FROM orders_storeorderline GROUP BY order_id
            ) AS lines ON lines.order_id = store_order.id
            LEFT JOIN (
                SELECT order_id, sum(off_fen) AS off_fen FROM orders_appliedvoucher GROUP BY order_id
            ) AS applied ON applied.order_id = store_order.id
            """,
            {
                "order_is_the_sum_of_its_lines": "total_fen = lines_fen AND due_fen = lines_due_fen",
                "order_is_paid_by_its_vouchers": "off_fen = lines_off_fen AND off_fen = applied_fen",
                "order_status_agrees_with_its_times": """CASE
                    WHEN status = 'placed' THEN confirmed_at IS NULL AND lapsed_at IS NULL AND ended_at IS NULL
                    WHEN status = 'lapsed' THEN confirmed_at IS NULL AND lapsed_at IS NOT NULL
                    WHEN status IN ('cancelled', 'rejected') THEN confirmed_at IS NOT NULL AND ended_at IS NOT NULL
                    ELSE confirmed_at IS NOT NULL AND confirmed_at >= placed_at
                        AND (status = 'confirmed') = (accepted_at IS NULL)
                        AND (status IN ('ready', 'collected', 'uncollected')) = (ready_at IS NOT NULL)
                        AND (status = 'collected') = (collected_at IS NOT NULL)
                        AND (status = 'uncollected') = (ended_at IS NOT NULL) END""",
            },
            {"total_fen": "sum(total_fen)", "off_fen": "sum(off_fen)", "due_fen": "sum(due_fen)"},
            in_slices=False,
        ),
        Check(
            "uses",
            """
            SELECT store_order.id AS store_order, store_order.status, store_order.ready_at IS NOT NULL AS was_ready,
                   count(applied.id) AS applied,
                   count(redemption.id) AS redeemed,
                   count(redemption.id) FILTER (WHERE redemption.reversed_at IS NULL) AS live,
                   count(redemption.id) FILTER (WHERE redemption.reversible_until IS NOT NULL) AS with_window,
                   count(DISTINCT redemption.id) AS different
            FROM {store_orders} AS store_order
            LEFT JOIN orders_appliedvoucher applied ON applied.order_id = store_order.id
            LEFT JOIN vouchers_redemption redemption ON redemption.request_id = store_order.redemption_request_id
                AND redemption.voucher_id = applied.voucher_id AND redemption.serial = applied.serial
            GROUP BY store_order.id, store_order.status, store_order.ready_at
            """,
            {
                "confirmed_order_redeemed_its_uses": """
                    redeemed = CASE WHEN status IN ('placed', 'lapsed') THEN 0 ELSE applied END
                    AND different = redeemed""",
                "undone_order_gave_its_uses_back": f"live = CASE WHEN status IN {UNDONE} THEN 0 ELSE redeemed END",
                "window_begins_when_the_order_is_ready": "with_window = CASE WHEN was_ready THEN redeemed ELSE 0 END",
            },
            {"redeemed": "sum(redeemed)", "live": "sum(live)"},
            in_slices=False,
        ),
        Check(
            "holds",
            """
            SELECT hold.id AS hold, store_order.status, applied.id AS applied
            FROM vouchers_hold hold
            LEFT JOIN {store_orders} AS store_order ON store_order.id = hold.source_id
            LEFT JOIN orders_appliedvoucher applied ON applied.order_id = hold.source_id
                AND applied.voucher_id = hold.voucher_id AND applied.serial = hold.serial
            WHERE hold.source_kind = 'store_order' AND hold.ended_at IS NULL
            """,
            {"held_use_is_a_placed_orders": "status = 'placed' AND applied IS NOT NULL"},
            {"held": "count(*)"},
            in_slices=False,
        ),
        Check(
            "cups",
            """
            SELECT reservation.id AS reservation, reservation.quantity, store_order.status,
                   (SELECT sum(line.quantity) FROM orders_storeorderline line
                    WHERE line.order_id = store_order.id AND line.product_id = reservation.product_id) AS ordered
            FROM stores_stockreservation reservation
            LEFT JOIN {store_orders} AS store_order ON store_order.id = reservation.source_id
            WHERE reservation.source_kind = 'store_order' AND reservation.state = 'open'
            """,
            {
                "reserved_cups_are_an_orders": f"quantity = ordered AND status NOT IN {UNDONE} AND status <> 'lapsed'",
            },
            {"cups": "sum(quantity)"},
            in_slices=False,
        ),
        Check(
            "cash",
            """
            SELECT store_order.id AS store_order, status, due_fen, confirmed_at IS NOT NULL AS is_paid,
                   coalesce(captured.fen, 0) AS captured_fen, coalesce(refunded.fen, 0) AS refunded_fen
            FROM {store_orders} AS store_order
            LEFT JOIN (
                SELECT payment.store_order_id, sum(transfer.amount_fen) AS fen
                FROM {transfers} AS transfer JOIN {payments} AS payment ON payment.id = transfer.source_id
                WHERE transfer.kind = 'order_capture' GROUP BY payment.store_order_id
            ) AS captured ON captured.store_order_id = store_order.id
            LEFT JOIN (
                SELECT refund.store_order_id, sum(transfer.amount_fen) AS fen
                FROM {transfers} AS transfer JOIN {refunds} AS refund ON refund.id = transfer.source_id
                WHERE transfer.kind = 'refund_order' GROUP BY refund.store_order_id
            ) AS refunded ON refunded.store_order_id = store_order.id
            """,
            {
                "confirmed_order_was_paid_in_full": "captured_fen = CASE WHEN is_paid THEN due_fen ELSE 0 END",
                "undone_order_is_refunded_in_full": (
                    f"refunded_fen = CASE WHEN status IN {UNDONE} THEN due_fen ELSE 0 END"
                ),
            },
            {"captured_fen": "sum(captured_fen)", "refunded_fen": "sum(refunded_fen)"},
            in_slices=False,
        ),
        Check(
            "substitutes",
            """
            SELECT line.order_id AS store_order, line.position, logged.id AS logged,
                   logged.store_id = store_order.store_id AND logged.by_id = store_order.customer_id AS is_hers,
                   (SELECT count(*) FROM orders_appliedvoucher applied
                    JOIN vouchers_redemption redemption ON redemption.request_id = store_order.redemption_request_id
                        AND redemption.voucher_id = applied.voucher_id AND redemption.serial = applied.serial
                    WHERE applied.order_id = line.order_id
                        AND jsonb_exists(applied.off_lines, line.position::text)
                        AND NOT EXISTS (
                            SELECT FROM stores_substitution of_use WHERE of_use.source_id = redemption.id
                                AND (of_use.product_id, of_use.substitute_id) = (line.instead_of_id, line.product_id)
                   )) AS unlogged_uses
            FROM {store_orders} AS store_order
            JOIN orders_storeorderline line ON line.order_id = store_order.id AND line.instead_of_id IS NOT NULL
            LEFT JOIN stores_substitution logged ON logged.source_id = line.order_id
                AND (logged.product_id, logged.substitute_id) = (line.instead_of_id, line.product_id)
            """,
            {
                "substitute_of_an_order_is_logged": "logged IS NOT NULL AND is_hers",
                "substitute_that_a_use_paid_for_is_logged": "unlogged_uses = 0",
            },
        ),
        Check(
            "substitutions",
            """
            SELECT logged.id AS substitution, count(line.order_id) AS lines
            FROM {store_orders} AS store_order
            JOIN stores_substitution logged ON logged.source_id = store_order.id
            LEFT JOIN orders_storeorderline line ON line.order_id = store_order.id
                AND (line.instead_of_id, line.product_id) = (logged.product_id, logged.substitute_id)
            GROUP BY logged.id
            """,
            {"substitution_is_of_its_line": "lines > 0"},
        ),
        Check(
            "acts_trail",
            """
            SELECT act.store_order, act.act, count(entry.id) AS entries
            FROM (
                SELECT store_order.id AS store_order, done.act
                FROM {store_orders} AS store_order,
                     LATERAL (VALUES
                        ('store_order.placed', placed_at), ('store_order.accepted', accepted_at),
                        ('store_order.making', making_at), ('store_order.ready', ready_at),
                        ('store_order.collected', collected_at),
                        ('store_order.cancelled', CASE WHEN status = 'cancelled' THEN ended_at END)
                     ) AS done(act, at)
                WHERE done.at IS NOT NULL
            ) AS act
            LEFT JOIN kernel_auditentry entry ON entry.subject_id = act.store_order AND entry.act = act.act
            GROUP BY act.store_order, act.act
            """,
            {"order_act_has_its_trail": "entries = 1"},
            in_slices=False,
        ),
        Check(
            "ends_trail",
            """
            SELECT (SELECT count(*) FROM {store_orders} AS store_order
                    WHERE status IN ('rejected', 'uncollected') OR lapsed_at IS NOT NULL) AS ended,
                   (SELECT coalesce(sum(subject_count), 0) FROM kernel_auditentry
                    WHERE act IN ('store_order.rejected', 'store_orders.rejected', 'store_orders.uncollected',
                                  'store_orders.lapsed')) AS entries
            """,
            {"orders_that_ended_have_their_trail": "ended <= entries"},
            {"ended": "sum(ended)"},
            in_slices=False,
        ),
    ),
)
