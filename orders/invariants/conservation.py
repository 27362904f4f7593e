"""I6: no fen of a purchase is lost or made, and every fact about money is posted as it says."""

from orders.invariants.check import Check, Invariant

INVARIANT = Invariant(
    "I6",
    "per purchase: captured = redeemed + refunded + breakage + liability, to the fen",
    (
        Check(
            "purchases",
            """
            SELECT purchase.id AS purchase, purchase.status, purchase.total_fen,
                   purchase.paid_at IS NOT NULL AS is_paid, coalesce(captured.fen, 0) AS captured_fen,
                   coalesce(redeemed.fen, 0) AS redeemed_fen, coalesce(refunded.fen, 0) AS refunded_fen,
                   coalesce(breakage.fen, 0) AS breakage_fen,
                   CASE WHEN purchase.status = 'paid' THEN purchase.total_fen
                        ELSE coalesce(owed.owed_fen, 0) END AS liability_fen
            FROM {purchases} AS purchase
            LEFT JOIN (
                SELECT payment.purchase_id, sum(transfer.amount_fen) AS fen
                FROM {transfers} AS transfer JOIN {payments} AS payment ON payment.id = transfer.source_id
                WHERE transfer.kind = 'capture' GROUP BY payment.purchase_id
            ) AS captured ON captured.purchase_id = purchase.id
            LEFT JOIN (
                SELECT voucher.source_id,
                       sum(CASE transfer.kind WHEN 'redemption' THEN amount_fen ELSE -amount_fen END) AS fen
                FROM (
                    SELECT redemption.voucher_id, transfer.kind, transfer.amount_fen
                    FROM {transfers} AS transfer JOIN {redemptions} AS redemption ON redemption.id = transfer.source_id
                    WHERE transfer.kind IN ('redemption', 'reversal')
                ) AS transfer JOIN {vouchers} AS voucher ON voucher.id = transfer.voucher_id
                GROUP BY voucher.source_id
            ) AS redeemed ON redeemed.source_id = purchase.id
            LEFT JOIN (
                SELECT refund.purchase_id, sum(transfer.amount_fen) AS fen
                FROM {transfers} AS transfer JOIN {refunds} AS refund ON refund.id = transfer.source_id
                WHERE transfer.kind IN ('refund_unused', 'refund_expired') GROUP BY refund.purchase_id
            ) AS refunded ON refunded.purchase_id = purchase.id
            LEFT JOIN (
                SELECT voucher.source_id, sum(transfer.amount_fen) AS fen
                FROM {transfers} AS transfer
                JOIN {endings} AS ending ON lpad(to_hex(ending.id), 32, '0')::uuid = transfer.source_id
                JOIN {vouchers} AS voucher ON voucher.id = ending.voucher_id
                WHERE transfer.kind = 'breakage' GROUP BY voucher.source_id
            ) AS breakage ON breakage.source_id = purchase.id
            LEFT JOIN {owed} AS owed ON owed.purchase_id = purchase.id
            """,
            {
                "captured_is_all_accounted_for": (
                    "captured_fen = redeemed_fen + refunded_fen + breakage_fen + liability_fen"
                ),
                "paid_purchase_was_captured_in_full": ("captured_fen = CASE WHEN is_paid THEN total_fen ELSE 0 END"),
            },
            {
                "captured_fen": "sum(captured_fen)",
                "redeemed_fen": "sum(redeemed_fen)",
                "refunded_fen": "sum(refunded_fen)",
                "breakage_fen": "sum(breakage_fen)",
                "liability_fen": "sum(liability_fen)",
            },
        ),
        Check(
            "captures",
            """
            SELECT payment.id AS payment, payment.status, payment.captured_fen, transfer.amount_fen AS posted_fen,
                   coalesce(unwanted.refunds, 0) AS refunds
            FROM {payments} AS payment
            LEFT JOIN {transfers} AS transfer
                ON transfer.source_id = payment.id AND transfer.kind IN ('capture', 'order_capture')
                AND transfer.source_kind = 'payment'
            LEFT JOIN (
                SELECT payment_id, count(*) AS refunds FROM {refunds} AS refund
                WHERE source_kind = 'unwanted_capture' GROUP BY payment_id
            ) AS unwanted ON unwanted.payment_id = payment.id
            WHERE payment.status = 'captured' OR transfer.id IS NOT NULL
            """,
            {
                "captured_payment_is_wanted_or_on_its_way_back": "posted_fen IS NOT NULL OR refunds > 0",
                "capture_is_posted_in_full": "posted_fen IS NULL OR posted_fen = captured_fen",
            },
            {"fen": "sum(posted_fen)"},
        ),
        Check(
            "issues",
            """
            SELECT purchase.id AS purchase, purchase.issued_at IS NOT NULL AS is_issued, purchase.total_fen,
                   coalesce(transfer.amount_fen, 0) AS posted_fen
            FROM {purchases} AS purchase
            LEFT JOIN {transfers} AS transfer
                ON transfer.source_id = purchase.id AND transfer.kind = 'issue' AND transfer.source_kind = 'purchase'
            """,
            {"issue_is_posted": "posted_fen = CASE WHEN is_issued THEN total_fen ELSE 0 END"},
            {"fen": "sum(posted_fen)"},
        ),
        Check(
            "redemptions",
            """
            SELECT redemption.id AS redemption, redemption.reversed_at IS NOT NULL AS is_reversed,
                   CASE WHEN voucher.source_kind = 'purchase' THEN redemption.amount_fen ELSE 0 END AS amount_fen,
                   coalesce(redeemed.amount_fen, 0) AS redeemed_fen, coalesce(undone.amount_fen, 0) AS undone_fen
            FROM {redemptions} AS redemption
            JOIN {vouchers} AS voucher ON voucher.id = redemption.voucher_id
            LEFT JOIN {transfers} AS redeemed ON redeemed.source_id = redemption.id AND redeemed.kind = 'redemption'
            LEFT JOIN {transfers} AS undone ON undone.source_id = redemption.id AND undone.kind = 'reversal'
            """,
            {
                "redemption_is_posted": "redeemed_fen = amount_fen",
                "reversal_is_posted": "undone_fen = CASE WHEN is_reversed THEN amount_fen ELSE 0 END",
            },
            {"redeemed_fen": "sum(redeemed_fen)", "undone_fen": "sum(undone_fen)"},
        ),
        Check(
            "refunds",
            """
            SELECT refund.id AS refund, refund.source_kind, refund.amount_fen, refund.status, begun.kind,
                   begun.amount_fen AS begun_fen, coalesce(paid.amount_fen, 0) AS paid_fen
            FROM {refunds} AS refund
            LEFT JOIN {transfers} AS begun ON begun.source_id = refund.id
                AND begun.kind IN ('unwanted_capture', 'refund_unused', 'refund_expired', 'surcharge_refund',
                                   'refund_order', 'after_use_refund')
            LEFT JOIN {transfers} AS paid ON paid.source_id = refund.id AND paid.kind = 'refund_paid'
            """,
            {
                "refund_is_posted": (
                    "begun_fen = amount_fen AND kind = CASE source_kind WHEN 'voucher' THEN 'refund_unused'"
                    " WHEN 'expired_voucher' THEN 'refund_expired' WHEN 'surcharge' THEN 'surcharge_refund'"
                    " WHEN 'store_order' THEN 'refund_order' WHEN 'after_use' THEN 'after_use_refund'"
                    " ELSE source_kind END"
                ),
                "paid_refund_is_posted": "paid_fen = CASE WHEN status = 'succeeded' THEN amount_fen ELSE 0 END",
            },
            {"fen": "sum(amount_fen)", "paid_fen": "sum(paid_fen)"},
        ),
        Check(
            "refunded_uses",
            """
            SELECT coalesce(given_back.voucher_id, refunded.source_id) AS voucher,
                   coalesce(given_back.fen, 0) AS uses_fen, coalesce(refunded.fen, 0) AS refunds_fen
            FROM (
                SELECT voucher_id, sum(amount_fen) AS fen FROM {endings} AS ending
                JOIN {vouchers} AS voucher ON voucher.id = ending.voucher_id
                WHERE refunding_at IS NOT NULL AND voucher.source_kind = 'purchase' GROUP BY voucher_id
            ) AS given_back
            FULL JOIN (
                SELECT source_id, sum(amount_fen) AS fen FROM {refunds} AS refund
                WHERE source_kind IN ('voucher', 'expired_voucher') GROUP BY source_id
            ) AS refunded ON refunded.source_id = given_back.voucher_id
            """,
            {"refunds_are_what_the_uses_cost": "uses_fen = refunds_fen"},
            {"fen": "sum(refunds_fen)"},
        ),
        Check(
            "expiries",
            """
            SELECT ending.id AS ending, ending.refund_follows, ending.amount_fen, voucher.source_kind,
                   ending.refunding_at IS NULL AS is_kept, coalesce(transfer.amount_fen, 0) AS posted_fen
            FROM {endings} AS ending
            JOIN {vouchers} AS voucher ON voucher.id = ending.voucher_id
            LEFT JOIN {transfers} AS transfer
                ON transfer.source_id = lpad(to_hex(ending.id), 32, '0')::uuid AND transfer.kind = 'breakage'
            """,
            {
                "breakage_is_posted": (
                    "posted_fen = CASE WHEN is_kept AND NOT refund_follows AND source_kind = 'purchase'"
                    " THEN amount_fen ELSE 0 END"
                ),
            },
            {"fen": "sum(posted_fen)"},
        ),
        Check(
            "transfers",
            """
            SELECT transfer.id AS transfer, transfer.kind, transfer.source_kind, transfer.source_id AS source,
                   coalesce(payment.id, purchase.id, redemption.id, refund.id, surcharge.id, settlement.id, payout.id,
                            transfer_of_use.source_id)
                   IS NOT NULL AS has_source
            FROM {transfers} AS transfer
            LEFT JOIN {payments} AS payment
                ON transfer.source_kind = 'payment' AND payment.id = transfer.source_id
            LEFT JOIN {purchases} AS purchase
                ON transfer.source_kind = 'purchase' AND purchase.id = transfer.source_id
            LEFT JOIN {redemptions} AS redemption
                ON transfer.source_kind = 'redemption' AND redemption.id = transfer.source_id
            LEFT JOIN {refunds} AS refund
                ON transfer.source_kind = 'refund' AND refund.id = transfer.source_id
            LEFT JOIN {surcharges} AS surcharge
                ON transfer.source_kind = 'surcharge' AND surcharge.id = transfer.source_id
            LEFT JOIN {settlements} AS settlement
                ON transfer.source_kind = 'settlement' AND settlement.id = transfer.source_id
            LEFT JOIN {payouts} AS payout
                ON transfer.source_kind = 'payout' AND payout.id = transfer.source_id
            LEFT JOIN (SELECT lpad(to_hex(id), 32, '0')::uuid AS source_id FROM {endings} AS ending) AS transfer_of_use
                ON transfer.source_kind = 'use_ending' AND transfer_of_use.source_id = transfer.source_id
            """,
            {"transfer_has_its_source": "has_source"},
            in_slices=False,
        ),
    ),
)
