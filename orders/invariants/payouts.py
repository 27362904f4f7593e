"""PO: payouts and the ledger: each step is posted once, to the entity it pays, and each act left its trail."""

from orders.invariants.check import Check, Invariant

INVARIANT = Invariant(
    "PO",
    "a payout is posted as far as it has come, to its own entity and for its whole amount",
    (
        Check(
            "payouts",
            """
            SELECT payout.id AS payout, payout.status, payout.amount_fen, coalesce(posted.sent_fen, 0) AS sent_fen,
                   coalesce(posted.paid_fen, 0) AS paid_fen, coalesce(posted.back_fen, 0) AS back_fen,
                   coalesce(posted.returned_fen, 0) AS returned_fen,
                   coalesce(posted.strangers, 0) AS strangers, entity.brand_id = payout.brand_id AS is_of_its_brand,
                   account.id IS NULL OR account.entity_id = payout.entity_id AS goes_to_its_entity,
                   entry.id IS NOT NULL AS has_trail
            FROM {payouts} AS payout
            JOIN stores_settlemententity entity ON entity.id = payout.entity_id
            LEFT JOIN orders_bankaccount account ON account.id = payout.bank_account_id
            LEFT JOIN kernel_auditentry entry
                ON entry.subject_id = payout.batch_id AND entry.act = 'payout_batch.made'
            LEFT JOIN (
                SELECT transfer.source_id,
                       sum(transfer.amount_fen) FILTER (WHERE transfer.kind = 'payout') AS sent_fen,
                       sum(transfer.amount_fen) FILTER (WHERE transfer.kind = 'payout_paid') AS paid_fen,
                       sum(transfer.amount_fen) FILTER (WHERE transfer.kind = 'payout_back') AS back_fen,
                       sum(transfer.amount_fen) FILTER (WHERE transfer.kind = 'payout_returned') AS returned_fen,
                       count(*) FILTER (WHERE owed.owner <> paid.entity_id::text) AS strangers
                FROM {transfers} AS transfer
                JOIN {payouts} AS paid ON paid.id = transfer.source_id
                LEFT JOIN orders_account owed
                    ON owed.id IN (transfer.debit_id, transfer.credit_id) AND owed.kind = 'entity_payable'
                WHERE transfer.source_kind = 'payout' GROUP BY transfer.source_id
            ) AS posted ON posted.source_id = payout.id
            """,
            {
                "payout_is_posted_as_far_as_it_has_come": (
                    "sent_fen = CASE WHEN status IN ('withheld', 'offset') THEN 0 ELSE amount_fen END"
                    " AND paid_fen = CASE WHEN status IN ('paid', 'returned') THEN amount_fen ELSE 0 END"
                    " AND returned_fen = CASE status WHEN 'returned' THEN amount_fen ELSE 0 END"
                    " AND back_fen = CASE status WHEN 'failed' THEN amount_fen ELSE 0 END"
                ),
                "payout_goes_to_its_own_entity": "strangers = 0 AND goes_to_its_entity AND is_of_its_brand",
                "payout_batch_has_its_trail": "has_trail",
            },
            {"paid_fen": "sum(paid_fen - returned_fen)", "pending_fen": "sum(sent_fen - paid_fen - back_fen)"},
        ),
    ),
)
