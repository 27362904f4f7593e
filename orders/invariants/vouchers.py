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
                   coalesce(held.uses, 0) AS held,
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
            LEFT JOIN (
                SELECT voucher_id, count(*) AS uses FROM {holds} AS hold WHERE ended_at IS NULL GROUP BY voucher_id
            ) AS held ON held.voucher_id = voucher.id
            """,
            {
                "uses_left_are_those_not_consumed": "uses_left = uses_total - redeemed - ended",
                "uses_held_are_left": "uses_held BETWEEN 0 AND uses_left",
                "uses_held_are_its_live_holds": "uses_held = held",
                "voucher_status_follows_its_facts": "status = status_by_facts",
                "voucher_paid_is_its_uses": "paid_fen = uses_fen",
            },
            {
                "uses": "sum(uses_total)",
                "left": "sum(uses_left)",
                "held": "sum(held)",
                "redeemed": "sum(redeemed)",
                "ended": "sum(ended)",
            },
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
        Check(
            "holds",
            """
            SELECT hold.id AS hold, hold.voucher_id AS voucher, hold.serial, hold.outcome, hold.created_at,
                   hold.ended_at, voucher.uses_total,
                   EXISTS (SELECT FROM {redemptions} AS redemption
                           WHERE redemption.voucher_id = hold.voucher_id AND redemption.serial = hold.serial
                               AND redemption.reversed_at IS NULL) AS is_redeemed,
                   EXISTS (SELECT FROM {endings} AS ending
                           WHERE ending.voucher_id = hold.voucher_id AND ending.serial = hold.serial) AS is_ended
            FROM {holds} AS hold
            JOIN {vouchers} AS voucher ON voucher.id = hold.voucher_id
            """,
            {
                "held_use_is_not_consumed": "ended_at IS NOT NULL OR NOT (is_redeemed OR is_ended)",
                "held_use_is_one_of_its_voucher": "serial BETWEEN 1 AND uses_total",
                "hold_ends_with_its_outcome": (
                    "(ended_at IS NULL) = (outcome IS NULL) AND (ended_at IS NULL OR ended_at >= created_at)"
                ),
            },
            {"held": "count(*) FILTER (WHERE ended_at IS NULL)"},
        ),
        Check(
            "confirmed_holds",
            """
            SELECT hold.id AS hold, hold.voucher_id AS voucher, hold.serial, hold.source_kind,
                   hold.source_id AS source, redeemed.voucher_id IS NOT NULL AS is_redemption
            FROM {holds} AS hold
            LEFT JOIN (
                SELECT DISTINCT redemption.voucher_id, redemption.serial,
                       CASE request.source_kind WHEN 'store_order' THEN request.source_id ELSE request.id END AS source
                FROM {redemptions} AS redemption
                JOIN vouchers_redemptionrequest request ON request.id = redemption.request_id
            ) AS redeemed ON redeemed.voucher_id = hold.voucher_id AND redeemed.serial = hold.serial
                AND redeemed.source = hold.source_id
            WHERE hold.outcome = 'confirmed'
            """,
            {"confirmed_hold_is_a_redemption": "is_redemption"},
            in_slices=False,
        ),
        Check(
            "redemption_requests",
            """
            SELECT request.id AS request, request.outcome, call.outcome AS call_outcome, call.uses AS call_uses,
                   coalesce(redeemed.uses, 0) AS redeemed, coalesce(held.uses, 0) AS held,
                   coalesce(held.leases, 0) AS leases, coalesce(named.uses, 0) AS named
            FROM vouchers_redemptionrequest request
            LEFT JOIN vouchers_issuercall call ON call.redemption_request_id = request.id
            LEFT JOIN (
                SELECT request_id, count(*) AS uses FROM {redemptions} AS redemption GROUP BY request_id
            ) AS redeemed ON redeemed.request_id = request.id
            LEFT JOIN (
                SELECT source_id, count(*) AS uses, count(expires_at) AS leases FROM {holds} AS hold
                WHERE ended_at IS NULL AND source_kind = 'redemption_request' GROUP BY source_id
            ) AS held ON held.source_id = request.id
            LEFT JOIN (
                SELECT redemption.request_id, count(*) AS uses
                FROM vouchers_issuerredemption name
                JOIN {redemptions} AS redemption ON redemption.id = name.redemption_id GROUP BY redemption.request_id
            ) AS named ON named.request_id = request.id
            """,
            {
                "request_is_done_with_its_redemptions": "(outcome = 'done') = (redeemed > 0)",
                "undecided_request_holds_its_uses": (
                    "held = CASE WHEN outcome IN ('pending', 'unknown') THEN call_uses ELSE 0 END AND leases = 0"
                ),
                "request_says_what_its_platform_said": "call_outcome IS NULL OR call_outcome = outcome",
                "platform_redemption_has_its_name": (
                    "named = CASE WHEN call_outcome = 'done' THEN redeemed ELSE 0 END"
                    " AND (call_outcome IS NULL OR redeemed IN (0, call_uses))"
                ),
            },
            {"undecided": "count(*) FILTER (WHERE outcome IN ('pending', 'unknown'))"},
            in_slices=False,
        ),
    ),
)
