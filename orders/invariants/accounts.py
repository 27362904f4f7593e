"""I5: accounts are the sum of their transfers, and agree with everything else that is stored."""

from orders.invariants.check import Check, Invariant
from orders.services.ledger import MAY_BE_NEGATIVE

_MAY_BE_NEGATIVE = ", ".join(sorted(f"'{kind.value}'" for kind in MAY_BE_NEGATIVE))

INVARIANT = Invariant(
    "I5",
    "accounts are the sum of their transfers, and say what the facts say",
    (
        Check(
            "accounts_and_transfers",
            """
            SELECT account.id AS account, account.kind, account.folded_fen,
                   coalesce(moved.folded_fen, 0) AS transfers_folded_fen,
                   coalesce(moved.unfolded_fen, 0) AS unfolded_fen
            FROM orders_account account
            FULL JOIN (
                SELECT account_id, sum(fen) FILTER (WHERE is_folded) AS folded_fen,
                       sum(fen) FILTER (WHERE NOT is_folded) AS unfolded_fen
                FROM (
                    SELECT credit_id AS account_id, amount_fen AS fen, folded_at IS NOT NULL AS is_folded
                    FROM {transfers} AS credited
                    UNION ALL
                    SELECT debit_id, -amount_fen, folded_at IS NOT NULL FROM {transfers} AS debited
                ) AS side GROUP BY account_id
            ) AS moved ON moved.account_id = account.id
            """,
            {"account_is_the_sum_of_its_transfers": "folded_fen = transfers_folded_fen"},
            {"sum_fen": "sum(folded_fen + unfolded_fen)", "unfolded_fen": "sum(abs(unfolded_fen)) / 2"},
            in_slices=False,
        ),
        Check(
            "accounts",
            """
            SELECT account.id AS account, account.kind, account.owner,
                   account.folded_fen + coalesce(moved.fen, 0) AS balance_fen
            FROM orders_account account
            LEFT JOIN (
                SELECT account_id, sum(fen) AS fen
                FROM orders_ledgertransfer,
                     LATERAL (VALUES (credit_id, amount_fen), (debit_id, -amount_fen)) AS side(account_id, fen)
                WHERE folded_at IS NULL GROUP BY account_id
            ) AS moved ON moved.account_id = account.id
            """,
            {
                "only_listed_accounts_are_negative": f"balance_fen >= 0 OR kind IN ({_MAY_BE_NEGATIVE})",
                "no_provider_paid_out_more_than_it_took": (
                    "balance_fen <= 0 OR kind NOT IN ('provider_clearing', 'platform_receivable', 'till')"
                ),
            },
            {"negative": "count(*) FILTER (WHERE balance_fen < 0)"},
        ),
        Check(
            "transfers_and_the_posting_table",
            """
            SELECT transfer.id AS transfer, transfer.kind, transfer.source_kind, transfer.amount_fen,
                   rule.source_kind AS rule_source_kind,
                   debit.kind = rule.debit AND credit.kind = rule.credit AS is_between_its_accounts,
                   debit.brand_id = transfer.brand_id AND credit.brand_id = transfer.brand_id AS is_in_its_brand
            FROM {transfers} AS transfer
            LEFT JOIN {posting_table} AS rule(kind, debit, credit, source_kind) ON rule.kind = transfer.kind
            LEFT JOIN orders_account debit ON debit.id = transfer.debit_id
            LEFT JOIN orders_account credit ON credit.id = transfer.credit_id
            """,
            {
                "transfer_follows_the_posting_table": "is_between_its_accounts AND source_kind = rule_source_kind",
                "transfer_stays_in_its_brand": "is_in_its_brand",
                "transfer_amount_is_positive": "amount_fen > 0",
            },
            {"fen": "sum(amount_fen)"},
        ),
        Check(
            "balances_and_facts",
            """
            SELECT coalesce(booked.brand_id, facts.brand_id) AS brand, coalesce(booked.kind, facts.kind) AS kind,
                   coalesce(booked.fen, 0) AS booked_fen, coalesce(facts.fen, 0) AS facts_fen
            FROM (
                SELECT account.brand_id, account.kind, sum(side.fen) AS fen
                FROM {transfers} AS transfer,
                     LATERAL (VALUES (credit_id, amount_fen), (debit_id, -amount_fen)) AS side(account_id, fen),
                     orders_account account
                WHERE account.id = side.account_id GROUP BY account.brand_id, account.kind
            ) AS booked
            FULL JOIN (
                SELECT brand_id, kind, sum(fen) AS fen FROM (
                    SELECT brand_id, 'prepaid_unissued' AS kind, total_fen AS fen
                    FROM {purchases} AS purchase WHERE status = 'paid'
                    UNION ALL
                    SELECT brand_id, 'provider_clearing', -total_fen
                    FROM {purchases} AS purchase WHERE paid_at IS NOT NULL
                    UNION ALL
                    SELECT brand_id, 'voucher_liability', owed_fen FROM {owed} AS owed
                    UNION ALL
                    SELECT voucher.brand_id, 'redeemed', redemption.amount_fen
                    FROM {redemptions} AS redemption JOIN {vouchers} AS voucher ON voucher.id = redemption.voucher_id
                    WHERE redemption.reversed_at IS NULL AND voucher.source_kind IN ('purchase', 'platform')
                    UNION ALL
                    SELECT voucher.brand_id, 'platform_receivable', -redemption.amount_fen
                    FROM {redemptions} AS redemption JOIN {vouchers} AS voucher ON voucher.id = redemption.voucher_id
                    WHERE redemption.reversed_at IS NULL AND voucher.source_kind = 'platform'
                    UNION ALL
                    SELECT voucher.brand_id, 'breakage', ending.amount_fen
                    FROM {endings} AS ending JOIN {vouchers} AS voucher ON voucher.id = ending.voucher_id
                    WHERE ending.refunding_at IS NULL AND NOT ending.refund_follows
                        AND voucher.source_kind = 'purchase'
                    UNION ALL
                    SELECT brand_id, 'surcharges', amount_fen FROM {surcharges} AS surcharge WHERE status = 'paid'
                    UNION ALL
                    SELECT brand_id, 'provider_clearing', -amount_fen
                    FROM {surcharges} AS surcharge WHERE paid_at IS NOT NULL AND way = 'provider'
                    UNION ALL
                    SELECT brand_id, 'till', -amount_fen
                    FROM {surcharges} AS surcharge WHERE status = 'paid' AND way = 'till'
                    UNION ALL
                    SELECT line.brand_id, side.kind, side.fen
                    FROM {settlements} AS line,
                         LATERAL (VALUES
                            ('redeemed', CASE line.source_kind WHEN 'redemption' THEN -line.paid_fen END),
                            ('surcharges', CASE line.source_kind WHEN 'surcharge' THEN -line.paid_fen END),
                            ('store_order_cash', CASE line.source_kind WHEN 'store_order' THEN -line.paid_fen END),
                            ('till', line.till_fen),
                            ('brand_share', line.brand_fen),
                            ('entity_payable', line.entity_fen - line.till_fen),
                            ('promoter_payable', line.promoter_fen),
                            ('agency_payable', line.provider_fen),
                            ('platform_receivable', line.platform_fen)
                         ) AS side(kind, fen)
                    WHERE side.fen IS NOT NULL
                    UNION ALL
                    SELECT payout.brand_id, side.kind, side.fen
                    FROM {payouts} AS payout,
                         LATERAL (VALUES
                            ('entity_payable', CASE WHEN status IN ('pending', 'paid') THEN -amount_fen END),
                            ('payouts_pending', CASE status WHEN 'pending' THEN amount_fen END),
                            ('paid_out', CASE status WHEN 'paid' THEN amount_fen END)
                         ) AS side(kind, fen)
                    WHERE side.fen IS NOT NULL
                    UNION ALL
                    SELECT paid.brand_id, side.kind, side.fen
                    FROM {store_orders} AS paid,
                         LATERAL (VALUES
                            ('store_order_cash', CASE WHEN status NOT IN ('cancelled', 'rejected') THEN due_fen END),
                            ('provider_clearing', -due_fen)
                         ) AS side(kind, fen)
                    WHERE paid.confirmed_at IS NOT NULL AND paid.due_fen > 0 AND side.fen IS NOT NULL
                    UNION ALL
                    SELECT coalesce(purchase.brand_id, surcharge.brand_id, store_order.brand_id), side.kind, side.fen
                    FROM {refunds} AS refund
                    LEFT JOIN {purchases} AS purchase ON purchase.id = refund.purchase_id
                    LEFT JOIN {store_orders} AS store_order ON store_order.id = refund.store_order_id
                    LEFT JOIN {surcharges} AS surcharge ON surcharge.id = refund.surcharge_id,
                         LATERAL (VALUES
                            ('refunds_payable', CASE WHEN refund.status <> 'succeeded' THEN refund.amount_fen END),
                            ('provider_clearing', CASE WHEN refund.status = 'succeeded' THEN refund.amount_fen END),
                            ('provider_clearing',
                             CASE WHEN refund.source_kind = 'unwanted_capture' THEN -refund.amount_fen END)
                         ) AS side(kind, fen)
                    WHERE side.fen IS NOT NULL
                ) AS fact GROUP BY brand_id, kind
            ) AS facts ON facts.brand_id = booked.brand_id AND facts.kind = booked.kind
            """,
            {"balance_is_what_the_facts_say": "booked_fen = facts_fen"},
            {"owed_fen": "sum(facts_fen) FILTER (WHERE kind = 'voucher_liability')"},
        ),
        Check(
            "surcharges",
            """
            SELECT surcharge.id AS surcharge, surcharge.status, surcharge.way, surcharge.amount_fen,
                   surcharge.paid_at IS NOT NULL AS is_paid, redemption.reversed_at IS NOT NULL AS is_undone,
                   coalesce(came.fen, 0) AS posted_fen, coalesce(gone.fen, 0) AS posted_back_fen,
                   coalesce(owed.refunds, 0) AS refunds, coalesce(owed.refunded_fen, 0) AS refunded_fen
            FROM {surcharges} AS surcharge
            JOIN {redemptions} AS redemption ON redemption.id = surcharge.redemption_id
            LEFT JOIN (
                SELECT source_id, kind, sum(amount_fen) AS fen FROM {transfers} AS transfer
                WHERE kind IN ('surcharge', 'surcharge_at_till') GROUP BY source_id, kind
            ) AS came ON came.source_id = surcharge.id
                AND came.kind = CASE surcharge.way WHEN 'till' THEN 'surcharge_at_till' ELSE 'surcharge' END
            LEFT JOIN (
                SELECT source_id, sum(amount_fen) AS fen FROM {transfers} AS transfer
                WHERE kind = 'surcharge_back_at_till' GROUP BY source_id
            ) AS gone ON gone.source_id = surcharge.id
            LEFT JOIN (
                SELECT source_id, count(*) AS refunds, sum(amount_fen) AS refunded_fen
                FROM {refunds} AS refund WHERE source_kind = 'surcharge' GROUP BY source_id
            ) AS owed ON owed.source_id = surcharge.id
            """,
            {
                "surcharge_is_posted": "posted_fen = CASE WHEN is_paid THEN amount_fen ELSE 0 END",
                "surcharge_goes_back_as_it_came": (
                    "posted_back_fen = CASE WHEN way = 'till' AND status = 'given_back' THEN amount_fen ELSE 0 END"
                    " AND refunded_fen = CASE WHEN way = 'provider' AND status IN ('returning', 'given_back')"
                    " THEN amount_fen ELSE 0 END AND refunds <= 1"
                ),
                "surcharge_of_an_undone_redemption_goes_back": (
                    "is_undone = (status IN ('returning', 'given_back')) OR status = 'closed'"
                ),
            },
            {"fen": "sum(amount_fen) FILTER (WHERE status = 'paid')"},
        ),
        Check(
            "platform_redemptions",
            """
            SELECT redemption.id AS redemption, redemption.reversed_at IS NOT NULL AS is_reversed, voucher.issuer,
                   sale.customer_fen[redemption.serial] AS customer_fen,
                   sale.platform_fen[redemption.serial] AS platform_fen,
                   coalesce(posted.customer_fen, 0) AS posted_customer_fen,
                   coalesce(posted.platform_fen, 0) AS posted_platform_fen,
                   coalesce(posted.customer_back_fen, 0) AS customer_back_fen,
                   coalesce(posted.platform_back_fen, 0) AS platform_back_fen,
                   coalesce(posted.owners, ARRAY[voucher.issuer]) AS owners
            FROM {redemptions} AS redemption
            JOIN {vouchers} AS voucher ON voucher.id = redemption.voucher_id
            JOIN vouchers_issuervoucher sale ON sale.voucher_id = voucher.id
            LEFT JOIN (
                SELECT transfer.source_id,
                       sum(amount_fen) FILTER (WHERE transfer.kind = 'platform_redemption') AS customer_fen,
                       sum(amount_fen) FILTER (WHERE transfer.kind = 'platform_subsidy') AS platform_fen,
                       sum(amount_fen) FILTER (WHERE transfer.kind = 'platform_reversal') AS customer_back_fen,
                       sum(amount_fen) FILTER (WHERE transfer.kind = 'platform_subsidy_back') AS platform_back_fen,
                       array_agg(DISTINCT owed.owner) AS owners
                FROM {transfers} AS transfer
                JOIN orders_account owed ON owed.id IN (transfer.debit_id, transfer.credit_id)
                    AND owed.kind = 'platform_receivable'
                GROUP BY transfer.source_id
            ) AS posted ON posted.source_id = redemption.id
            """,
            {
                "platform_owes_what_it_sold": (
                    "posted_customer_fen = customer_fen AND posted_platform_fen = platform_fen"
                    " AND owners = ARRAY[issuer]"
                ),
                "platform_owes_nothing_for_what_was_undone": (
                    "customer_back_fen = CASE WHEN is_reversed THEN customer_fen ELSE 0 END"
                    " AND platform_back_fen = CASE WHEN is_reversed THEN platform_fen ELSE 0 END"
                ),
            },
            {"customer_fen": "sum(customer_fen)", "platform_fen": "sum(platform_fen)"},
        ),
    ),
)
