"""IN: invoices and settlement lines: each line at most once, for what was paid, and a refund corrects it."""

from orders.invariants.check import Check, Invariant

INVARIANT = Invariant(
    "IN",
    "an invoice is what was really paid for what it names, and what was given back later is taken off it",
    (
        Check(
            "invoices",
            """
            SELECT invoice.id AS invoice, invoice.kind, invoice.amount_fen, coalesce(on_it.fen, 0) AS lines_fen,
                   on_it.strangers, together.left_fen,
                   entry.id IS NOT NULL OR invoice.kind = 'red' AS has_trail
            FROM {invoices} AS invoice
            LEFT JOIN (
                SELECT line.invoice_id, sum(line.amount_fen) AS fen,
                       count(*) FILTER (WHERE settlement.entity_id <> of_it.entity_id
                           OR settlement.customer_id <> of_it.customer_id) AS strangers
                FROM orders_invoiceline line JOIN {invoices} AS of_it ON of_it.id = line.invoice_id
                JOIN orders_settlement settlement ON settlement.id = line.settlement_id
                GROUP BY line.invoice_id
            ) AS on_it ON on_it.invoice_id = invoice.id
            JOIN (
                SELECT coalesce(corrects_id, id) AS blue_id, sum(amount_fen) AS left_fen
                FROM {invoices} AS one GROUP BY 1
            ) AS together ON together.blue_id = coalesce(invoice.corrects_id, invoice.id)
            LEFT JOIN kernel_auditentry entry ON entry.subject_id = invoice.id AND entry.act = 'invoice.asked'
            """,
            {
                "invoice_is_its_lines": "amount_fen = lines_fen",
                "invoice_is_of_its_seller_and_customer": "strangers = 0",
                "no_more_is_taken_off_than_was_invoiced": "left_fen >= 0",
                "invoice_has_its_trail": "has_trail",
            },
            {"invoiced_fen": "sum(amount_fen)"},
            in_slices=False,
        ),
        Check(
            "invoiced_lines",
            """
            SELECT line.id AS settlement, line.source_kind, own.amount_fen AS invoiced_fen,
                   CASE WHEN line.source_kind = 'redemption' AND sale.voucher_id IS NOT NULL
                        THEN sale.customer_fen[redemption.serial] ELSE line.paid_fen END AS paid_fen,
                   own.settlement_id IS NOT NULL AS is_invoiced, of_use.settlement_id IS NOT NULL AS use_is_invoiced
            FROM {settlements} AS line
            LEFT JOIN orders_invoiceline own ON own.settlement_id = line.id
            LEFT JOIN orders_invoiceline of_use ON of_use.settlement_id = line.redemption_id
            LEFT JOIN vouchers_redemption redemption ON redemption.id = line.id
            LEFT JOIN vouchers_issuervoucher sale ON sale.voucher_id = redemption.voucher_id
            WHERE own.settlement_id IS NOT NULL OR of_use.settlement_id IS NOT NULL
            """,
            {
                "invoiced_line_is_what_was_paid": "NOT is_invoiced OR invoiced_fen = paid_fen",
                "all_of_an_invoiced_use_is_invoiced": "is_invoiced = use_is_invoiced"
                " OR source_kind IN ('store_order', 'remake')",
            },
        ),
    ),
)
