"""RC: bills and our books; every line and every fact of a day is accounted for, closed days are explained."""

from orders.invariants.check import Check, Invariant

INVARIANT = Invariant(
    "RC",
    "of a bill every line, of its day every payment and refund is accounted for; a closed day is explained",
    (
        Check(
            "bills",
            """
            SELECT bill.id AS bill, bill.bill_date, bill.line_count, bill.matched_count, bill.others_count,
                   bill.known_count, coalesce(differing.lines, 0) AS differing_lines,
                   coalesce(differing.facts, 0) AS differing_facts,
                   entry.id IS NOT NULL AS has_trail
            FROM orders_billfile bill
            LEFT JOIN (
                SELECT difference.bill_id, count(*) FILTER (WHERE line IS NOT NULL) AS lines,
                       count(*) FILTER (
                           WHERE kind IN ('amount', 'missing_there') AND ours_date = difference.bill_date) AS facts
                FROM orders_billdifference difference GROUP BY difference.bill_id
            ) AS differing ON differing.bill_id = bill.id
            LEFT JOIN kernel_auditentry entry ON entry.subject_id = bill.id AND entry.act = 'bill.taken'
            """,
            {
                "every_line_is_accounted_for": "line_count = matched_count + others_count + differing_lines",
                "every_fact_of_the_day_is_accounted_for": "known_count = matched_count + differing_facts",
                "bill_has_its_trail": "has_trail",
            },
            {"lines": "sum(line_count)", "matched": "sum(matched_count)"},
            in_slices=False,
        ),
        Check(
            "bill_differences",
            """
            SELECT difference.id AS difference, difference.kind, difference.outcome, difference.closed_by_id AS by,
                   entry.actor_id AS actor, entry.id IS NOT NULL AS has_trail,
                   explaining.id IS NULL
                       OR explaining.brand_id = difference.brand_id AND explaining.provider = difference.provider
                   AS is_explained_at_home
            FROM orders_billdifference difference
            LEFT JOIN kernel_auditentry entry
                ON entry.subject_id = difference.id AND entry.act = 'difference.' || difference.outcome
            LEFT JOIN orders_billfile explaining ON explaining.id = difference.explained_by_id
            """,
            {
                "difference_is_worked_off_by_somebody": (
                    "CASE WHEN outcome IN ('explained', 'booked')"
                    " THEN has_trail AND actor IS NOT DISTINCT FROM by ELSE NOT has_trail END"
                ),
                "difference_is_explained_by_its_own_bills": "is_explained_at_home",
            },
            {"open": "count(*) FILTER (WHERE outcome IS NULL)"},
            in_slices=False,
        ),
        Check(
            "day_closes",
            """
            SELECT closed.id AS day_close, closed.bill_date, closed.difference_count, bill.superseded_at,
                   closed.brand_id = bill.brand_id AND closed.provider = bill.provider
                       AND closed.bill_date = bill.bill_date AND closed.captured_fen = bill.captured_fen
                       AND closed.refunded_fen = bill.refunded_fen AND closed.fee_fen = bill.fee_fen AS is_its_bill,
                   coalesce(differing.rows, 0) AS differences, coalesce(differing.open, 0) AS open,
                   entry.actor_id IS NOT DISTINCT FROM closed.closed_by_id AND entry.id IS NOT NULL AS has_trail
            FROM orders_dayclose closed
            JOIN orders_billfile bill ON bill.id = closed.bill_id
            LEFT JOIN (
                SELECT bill_id, count(*) AS rows, count(*) FILTER (WHERE closed_at IS NULL) AS open
                FROM orders_billdifference GROUP BY bill_id
            ) AS differing ON differing.bill_id = closed.bill_id
            LEFT JOIN kernel_auditentry entry ON entry.subject_id = closed.id AND entry.act = 'day.closed'
            """,
            {
                "closed_day_is_explained": "open = 0 AND differences = difference_count",
                "closed_day_says_what_its_bill_says": "is_its_bill AND superseded_at IS NULL",
                "day_close_has_its_trail": "has_trail",
            },
            in_slices=False,
        ),
    ),
)
