"""I4: a voucher's counters and status follow from what happened to its uses."""

from orders.invariants.check import Check, Invariant

INVARIANT = Invariant(
    "I4",
    "uses of a voucher: left + held + redeemed + ended, each use once, status from facts",
    (
        Check(
            "vouchers",
            """
            SELECT voucher.id AS voucher, voucher.status, voucher.uses_total, voucher.uses_left, voucher.uses_held,
                   voucher.paid_fen, (SELECT sum(fen) FROM unnest(voucher.use_amounts_fen) AS fen) AS uses_fen,
                   coalesce(redeemed.uses, 0) AS redeemed, coalesce(ended.uses, 0) AS ended,
                   CASE WHEN ended.refunding > 0 THEN 'refunding'
                        WHEN voucher.uses_held > 0 THEN 'held'
                        WHEN voucher.uses_left > 0 THEN 'issued'
                        WHEN ended.refunded > 0 THEN 'refunded'
                        WHEN ended.uses > 0 THEN 'expired'
                        ELSE 'used' END AS status_by_facts
            FROM {vouchers} AS voucher
            LEFT JOIN (
                SELECT voucher_id, count(*) AS uses FROM {redemptions} AS redemption
                WHERE reversed_at IS NULL GROUP BY voucher_id
            ) AS redeemed ON redeemed.voucher_id = voucher.id
            LEFT JOIN (
                SELECT voucher_id, count(*) AS uses, count(refunded_at) AS refunded,
                       count(*) FILTER (WHERE refunding_at IS NOT NULL AND refunded_at IS NULL) AS refunding
                FROM {endings} AS ending GROUP BY voucher_id
            ) AS ended ON ended.voucher_id = voucher.id
            """,
            {
                "uses_left_are_those_not_consumed": "uses_left = uses_total - redeemed - ended",
                "uses_held_are_left": "uses_held BETWEEN 0 AND uses_left",
                "voucher_status_follows_its_facts": "status = status_by_facts",
                "voucher_paid_is_its_uses": "paid_fen = uses_fen",
            },
            {"uses": "sum(uses_total)", "left": "sum(uses_left)", "redeemed": "sum(redeemed)", "ended": "sum(ended)"},
        ),
        Check(
            "uses",
            """
            SELECT used.voucher_id AS voucher, used.serial, used.times, used.least_fen, used.most_fen,
                   voucher.uses_total, voucher.use_amounts_fen[used.serial] AS use_fen
            FROM (
                SELECT voucher_id, serial, count(*) AS times, min(amount_fen) AS least_fen, max(amount_fen) AS most_fen
                FROM (
                    SELECT voucher_id, serial, amount_fen FROM {redemptions} AS redemption WHERE reversed_at IS NULL
                    UNION ALL SELECT voucher_id, serial, amount_fen FROM {endings} AS ending
                ) AS consumed GROUP BY voucher_id, serial
            ) AS used
            JOIN {vouchers} AS voucher ON voucher.id = used.voucher_id
            """,
            {
                "use_is_consumed_once": "times = 1",
                "use_is_one_of_its_voucher": "serial BETWEEN 1 AND uses_total",
                "use_is_worth_what_was_paid_for_it": "least_fen = use_fen AND most_fen = use_fen",
            },
            {"uses": "sum(times)", "fen": "sum(most_fen)"},
        ),
    ),
)
