"""I2 and I3: a request is sold once, and a purchase issues what it paid for, once and not before."""

from orders.invariants.check import Check, Invariant

SOLD_ONCE = Invariant(
    "I2",
    "one purchase per (customer, request_id), with the content that was answered",
    (
        Check(
            "purchases",
            """
            SELECT customer_id AS customer, request_id AS request, count(*) AS times, sum(quantity) AS units,
                   sum(total_fen) AS total_fen, sum(quantity * unit_price_fen) AS units_fen
            FROM {purchases_of_customers} AS purchase GROUP BY customer_id, request_id
            """,
            {
                "purchase_is_accepted_once": "times = 1",
                "purchase_total_is_its_units": "total_fen = units_fen",
            },
            {"units": "sum(units)", "fen": "sum(total_fen)"},
        ),
        Check(
            "payments",
            """
            SELECT payment.id AS payment, payment.amount_fen, payment.customer_id AS payer,
                   purchase.customer_id AS buyer, purchase.total_fen
            FROM {payments} AS payment JOIN {purchases} AS purchase ON purchase.id = payment.purchase_id
            """,
            {"payment_asks_its_buyer_for_the_total": "amount_fen = total_fen AND payer = buyer"},
        ),
    ),
)

ISSUED_AS_PAID = Invariant(
    "I3",
    "vouchers issued per source = quantity, never before it is paid",
    (
        Check(
            "purchases",
            """
            SELECT purchase.id AS purchase, purchase.status, purchase.quantity, purchase.total_fen,
                   purchase.issued_at IS NOT NULL AS is_issued, count(voucher.id) AS vouchers,
                   coalesce(sum(voucher.paid_fen), 0) AS paid_fen,
                   count(*) FILTER (
                       WHERE voucher.customer_id <> purchase.customer_id OR voucher.brand_id <> purchase.brand_id
                          OR voucher.terms_id <> purchase.terms_id OR voucher.issuer <> 'own') AS strange
            FROM {purchases} AS purchase
            LEFT JOIN {vouchers} AS voucher ON voucher.source_id = purchase.id AND voucher.source_kind = 'purchase'
            GROUP BY purchase.id, purchase.status, purchase.quantity, purchase.total_fen, purchase.issued_at
            """,
            {
                "issued_vouchers_are_the_quantity": "vouchers = CASE WHEN is_issued THEN quantity ELSE 0 END",
                "issued_vouchers_cost_the_total": "paid_fen = CASE WHEN is_issued THEN total_fen ELSE 0 END",
                "issued_vouchers_are_the_buyers": "strange = 0",
            },
            {"purchases_issued": "count(*) FILTER (WHERE is_issued)", "vouchers": "sum(vouchers)"},
        ),
        Check(
            "vouchers",
            """
            SELECT voucher.id AS voucher, voucher.source_kind, purchase.id AS purchase
            FROM {vouchers} AS voucher LEFT JOIN {purchases} AS purchase ON purchase.id = voucher.source_id
            WHERE voucher.source_kind = 'purchase'
            """,
            {"voucher_has_its_source": "purchase IS NOT NULL"},
        ),
    ),
)
