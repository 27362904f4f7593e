"""I7: what was used settles once, after its window, by its rule; lines, transfers and statements say the same."""

from orders.invariants.check import Check, Invariant
from orders.models.settlement import AMOUNTS

_SUMS = ", ".join(f"sum({name}) AS {name}" for name in AMOUNTS)
_SAME = " AND ".join(f"coalesce(counted.{name}, 0) = coalesce(stored.{name}, 0)" for name in ("lines", *AMOUNTS))

INVARIANT = Invariant(
    "I7",
    "each live use settles once, after its window; everybody's lines are what they were paid",
    (
        Check(
            "uses",
            """
            SELECT redemption.id AS redemption, redemption.settled_at, redemption.reversed_at,
                   redemption.reversible_until, line.id IS NOT NULL AS has_line,
                   CASE WHEN voucher.source_kind IN ('purchase', 'platform') THEN redemption.amount_fen ELSE 0 END
                       AS amount_fen, line.paid_fen,
                   (line.store_id, line.business_date, line.terms_id) = (
                       redemption.store_id, redemption.business_date, voucher.terms_id)
                       AND line.entity_id IS NOT DISTINCT FROM redemption.entity_id
                       AND line.purchase_id IS NOT DISTINCT FROM
                           CASE voucher.source_kind WHEN 'purchase' THEN voucher.source_id END
                       AND line.redemption_id = redemption.id AS is_traced
            FROM {redemptions} AS redemption
            JOIN {vouchers} AS voucher ON voucher.id = redemption.voucher_id
            LEFT JOIN {settlements} AS line ON line.id = redemption.id AND line.source_kind = 'redemption'
            """,
            {
                "settled_use_has_its_line": "has_line = (settled_at IS NOT NULL)",
                "undone_use_never_settles": "reversed_at IS NULL OR (settled_at IS NULL AND NOT has_line)",
                "use_settles_after_its_window": "settled_at IS NULL OR settled_at >= reversible_until",
                "line_is_what_was_paid_for_its_use": "NOT has_line OR (paid_fen = amount_fen AND is_traced)",
            },
            {"settled": "count(*) FILTER (WHERE has_line)", "settled_fen": "sum(paid_fen)"},
        ),
        Check(
            "surcharges",
            """
            SELECT surcharge.id AS surcharge, surcharge.settled_at, surcharge.status, surcharge.amount_fen,
                   line.paid_fen, line.till_fen, line.redemption_id = surcharge.redemption_id AS is_traced,
                   CASE WHEN surcharge.way = 'till' AND line.entity_id IS NOT NULL THEN surcharge.amount_fen
                        ELSE 0 END AS kept_fen
            FROM {surcharges} AS surcharge
            LEFT JOIN {settlements} AS line ON line.id = surcharge.id AND line.source_kind = 'surcharge'
            """,
            {
                "settled_surcharge_has_its_line": "(settled_at IS NOT NULL) = (paid_fen IS NOT NULL)",
                "surcharge_line_is_what_was_paid": (
                    "paid_fen IS NULL OR"
                    " (status = 'paid' AND paid_fen = amount_fen AND till_fen = kept_fen AND is_traced)"
                ),
            },
            {"settled_fen": "sum(paid_fen)"},
        ),
        Check(
            "store_orders",
            """
            SELECT store_order.id AS store_order, store_order.settled_at, store_order.status, store_order.due_fen,
                   line.paid_fen
            FROM {store_orders} AS store_order
            LEFT JOIN {settlements} AS line ON line.id = store_order.id AND line.source_kind = 'store_order'
            """,
            {
                "settled_order_has_its_line": "(settled_at IS NOT NULL) = (paid_fen IS NOT NULL)",
                "order_line_is_what_was_due": (
                    "paid_fen IS NULL OR (status IN ('ready', 'collected', 'uncollected') AND paid_fen = due_fen)"
                ),
            },
            {"settled_fen": "sum(paid_fen)"},
        ),
        Check(
            "refunds_after_use",
            """
            SELECT refund.id AS refund, refund.amount_fen, -line.paid_fen AS taken_fen,
                   coalesce(posted.amount_fen, 0) AS posted_fen, line.redemption_id = refund.source_id AS is_traced,
                   used.settled_at IS NOT NULL AS is_settled
            FROM {refunds} AS refund
            LEFT JOIN {settlements} AS line ON line.id = refund.id AND line.source_kind = 'after_use'
            LEFT JOIN {redemptions} AS used ON used.id = refund.source_id
            LEFT JOIN {transfers} AS posted ON posted.source_id = refund.id AND posted.kind = 'after_use_refund'
            WHERE refund.source_kind = 'after_use'
            """,
            {
                "refund_after_use_is_taken_back": (
                    "taken_fen = amount_fen AND posted_fen = amount_fen AND is_traced AND is_settled"
                ),
            },
            {"fen": "sum(amount_fen)"},
        ),
        Check(
            "remakes",
            """
            SELECT coalesce(remake.id, line.id) AS case, remake.status, line.entity_fen, use.entity_fen AS use_fen,
                   line.redemption_id = remake.redemption_id AND line.store_id = remake.store_id AS is_traced,
                   line.fault = CASE remake.fault WHEN 'store' THEN 'store' ELSE 'brand' END AS is_borne_by_it,
                   line.entity_id IS NOT NULL AND (line.fault = 'brand' OR coalesce(
                       terms.settlement_rules -> line.rule::int ->> 'remakes_by', 'entity') = 'brand') AS is_brands
            FROM (SELECT * FROM {cases} AS one WHERE outcome = 'remake') AS remake
            FULL JOIN (SELECT * FROM {settlements} AS one WHERE source_kind = 'remake') AS line ON line.id = remake.id
            LEFT JOIN {settlements} AS use ON use.id = line.redemption_id AND use.settled_at <= line.settled_at
            LEFT JOIN vouchers_dealterms terms ON terms.id = line.terms_id
            """,
            {
                "done_remake_has_its_line": "(status = 'done') = (entity_fen IS NOT NULL)",
                "remake_is_at_the_cost_of_who_bears_it": "entity_fen IS NULL OR (is_traced AND is_borne_by_it AND"
                " CASE WHEN NOT is_brands THEN entity_fen = 0"
                " ELSE use_fen IS NULL OR entity_fen = greatest(0, use_fen) END)",
            },
            {"fen": "sum(entity_fen)"},
        ),
        Check(
            "uses_refunded_after_use",
            """
            SELECT line.redemption_id AS redemption, sum(line.paid_fen) AS left_fen, count(*) AS lines
            FROM {settlements} AS line WHERE line.source_kind IN ('redemption', 'after_use')
            GROUP BY line.redemption_id
            """,
            {"no_more_is_refunded_than_was_paid": "left_fen >= 0"},
            {"left_fen": "sum(left_fen)"},
        ),
        Check(
            "lines_and_transfers",
            """
            SELECT line.id AS settlement, line.source_kind, line.entity_fen, line.till_fen, line.promoter_fen,
                   line.provider_fen, line.platform_fen,
                   CASE WHEN line.source_kind = 'after_use' THEN 0 ELSE line.paid_fen END AS came_in_fen,
                   coalesce(posted.came_in_fen, 0) AS posted_in_fen, coalesce(posted.entity_fen, 0) AS to_entity_fen,
                   coalesce(posted.till_fen, 0) AS to_till_fen, coalesce(posted.promoter_fen, 0) AS to_promoter_fen,
                   coalesce(posted.provider_fen, 0) AS to_provider_fen,
                   coalesce(posted.platform_fen, 0) AS to_platform_fen, coalesce(posted.strangers, 0) AS strangers
            FROM {settlements} AS line
            LEFT JOIN (
                SELECT of.id,
                       sum(fen) FILTER (WHERE kind IN (
                           'settlement', 'settled_surcharge', 'settled_order_cash')) AS came_in_fen,
                       sum(CASE WHEN kind IN ('entity_share', 'remake_share') THEN fen
                           WHEN kind = 'entity_charge' THEN -fen END) AS entity_fen,
                       sum(fen) FILTER (WHERE kind = 'till_kept') AS till_fen,
                       sum(CASE kind WHEN 'promoter_share' THEN fen WHEN 'promoter_back' THEN -fen END)
                           AS promoter_fen,
                       sum(CASE kind WHEN 'agency_share' THEN fen WHEN 'agency_back' THEN -fen END) AS provider_fen,
                       sum(fen) FILTER (WHERE kind = 'platform_fee') AS platform_fen,
                       count(*) FILTER (WHERE payee <> wanted) AS strangers
                FROM (
                    SELECT of.id, transfer.kind, transfer.amount_fen AS fen, account.owner AS payee,
                           CASE account.kind WHEN 'entity_payable' THEN of.entity_id::text
                               WHEN 'platform_receivable' THEN account.owner
                               ELSE of.promoter_id::text END AS wanted
                    FROM {settlements} AS of
                    JOIN {transfers} AS transfer
                        ON transfer.source_id = of.id AND transfer.source_kind = 'settlement'
                    LEFT JOIN orders_account account ON account.id IN (transfer.debit_id, transfer.credit_id)
                        AND account.kind IN ('entity_payable', 'promoter_payable', 'agency_payable',
                                             'platform_receivable')
                ) AS of GROUP BY of.id
            ) AS posted ON posted.id = line.id
            """,
            {
                "line_is_posted_to_everybody": (
                    "came_in_fen = posted_in_fen AND entity_fen = to_entity_fen AND till_fen = to_till_fen"
                    " AND promoter_fen = to_promoter_fen AND provider_fen = to_provider_fen"
                    " AND platform_fen = to_platform_fen"
                ),
                "line_is_posted_to_its_own_parties": "strangers = 0",
            },
            {"entity_fen": "sum(entity_fen)"},
        ),
        Check(
            "statements",
            f"""
            SELECT coalesce(counted.store_id, stored.store_id) AS store, coalesce(counted.day, stored.day) AS day,
                   coalesce(counted.entity_id, stored.entity_id) AS entity, counted.entity_fen AS lines_fen,
                   stored.entity_fen AS statement_fen, {_SAME} AS is_same
            FROM (
                SELECT store_id, entity_id, booked_date AS day, count(*) AS lines, {_SUMS}
                FROM orders_settlement GROUP BY store_id, entity_id, booked_date
            ) AS counted
            FULL JOIN orders_storestatement stored ON stored.store_id = counted.store_id
                AND stored.day = counted.day
                AND coalesce(stored.entity_id, stored.store_id) = coalesce(counted.entity_id, counted.store_id)
            """,  # noqa: S608 - constants
            {"statement_is_the_sum_of_its_lines": "is_same"},
            {"entity_fen": "sum(statement_fen)"},
            in_slices=False,
        ),
        Check(
            "closed_statements",
            f"""
            SELECT coalesce(stored.store_id, counted.store_id) AS store, coalesce(stored.since, counted.since) AS since,
                   stored.kind, counted.entity_fen AS days_fen, stored.entity_fen AS closed_fen, {_SAME} AS is_same
            FROM (
                SELECT * FROM orders_closedstatement
            ) AS stored
            FULL JOIN (
                SELECT span.kind, day.store_id, day.entity_id, span.since, sum(lines) AS lines, {_SUMS}
                FROM (
                    SELECT 'month' AS kind, NULL::uuid AS store_id, brand_id, month::date AS since,
                           (month + interval '1 month')::date AS until
                    FROM (
                        SELECT statement.brand_id, date_trunc('month', statement.day::timestamp) AS month
                        FROM orders_storestatement statement
                        JOIN orders_settlementbooks books ON books.brand_id = statement.brand_id
                            AND statement.day < books.open_from
                        GROUP BY statement.brand_id, date_trunc('month', statement.day::timestamp)
                    ) AS closed_month
                    UNION ALL
                    SELECT DISTINCT 'final', store_id, brand_id, since, until
                    FROM orders_closedstatement WHERE kind = 'final'
                ) AS span
                JOIN orders_storestatement day ON day.brand_id = span.brand_id AND day.day >= span.since
                    AND day.day < span.until AND (span.store_id IS NULL OR span.store_id = day.store_id)
                GROUP BY span.kind, day.store_id, day.entity_id, span.since
            ) AS counted ON counted.kind = stored.kind AND counted.store_id = stored.store_id
                AND counted.since = stored.since
                AND coalesce(stored.entity_id, stored.store_id) = coalesce(counted.entity_id, counted.store_id)
            """,  # noqa: S608 - constants
            {"closed_statement_never_changes": "is_same"},
            {"closed_fen": "sum(closed_fen)"},
            in_slices=False,
        ),
        Check(
            "batches",
            """
            SELECT coalesce(lines.brand_id, acts.brand_id) AS brand, coalesce(lines.count, 0) AS lines,
                   coalesce(acts.count, 0) AS told
            FROM (
                SELECT brand_id, count(*) AS count FROM orders_settlement
                WHERE source_kind <> 'after_use' GROUP BY brand_id
            ) AS lines
            FULL JOIN (
                SELECT brand_id, sum(subject_count) AS count FROM kernel_auditentry
                WHERE act = 'settlement.booked' AND subject_kind <> 'after_use' GROUP BY brand_id
            ) AS acts ON acts.brand_id = lines.brand_id
            """,
            {"each_batch_of_lines_left_its_trail": "lines = told"},
            in_slices=False,
        ),
    ),
)
