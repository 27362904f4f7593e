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
                   unit.vouchers AS each, purchase.issued_at IS NOT NULL AS is_issued, count(voucher.id) AS vouchers,
                   coalesce(sum(voucher.paid_fen), 0) AS paid_fen,
                   count(*) FILTER (
                       WHERE voucher.customer_id <> purchase.customer_id OR voucher.brand_id <> purchase.brand_id
                          OR voucher.issuer <> 'own') AS strange
            FROM {purchases} AS purchase
            LEFT JOIN (SELECT terms_id, sum(count) AS vouchers FROM {units} AS unit GROUP BY terms_id) AS unit
                ON unit.terms_id = purchase.terms_id
            LEFT JOIN {vouchers} AS voucher ON voucher.source_id = purchase.id AND voucher.source_kind = 'purchase'
            GROUP BY purchase.id, purchase.status, purchase.quantity, purchase.total_fen, purchase.issued_at,
                     unit.vouchers
            """,
            {
                "issued_vouchers_are_the_quantity": "vouchers = CASE WHEN is_issued THEN quantity * each ELSE 0 END",
                "issued_vouchers_cost_the_total": "paid_fen = CASE WHEN is_issued THEN total_fen ELSE 0 END",
                "issued_vouchers_are_the_buyers": "strange = 0",
            },
            {"purchases_issued": "count(*) FILTER (WHERE is_issued)", "vouchers": "sum(vouchers)"},
        ),
        Check(
            "purchases_and_terms",
            """
            SELECT coalesce(bought.purchase_id, issued.source_id) AS purchase,
                   coalesce(bought.terms_id, issued.terms_id) AS terms,
                   coalesce(bought.vouchers, 0) AS bought, coalesce(issued.vouchers, 0) AS issued
            FROM (
                SELECT purchase.id AS purchase_id, unit.issued_terms_id AS terms_id,
                       purchase.quantity * unit.count AS vouchers
                FROM {purchases} AS purchase JOIN {units} AS unit ON unit.terms_id = purchase.terms_id
                WHERE purchase.issued_at IS NOT NULL
            ) AS bought
            FULL JOIN (
                SELECT source_id, terms_id, count(*) AS vouchers FROM {vouchers} AS voucher
                WHERE source_kind = 'purchase' GROUP BY source_id, terms_id
            ) AS issued ON issued.source_id = bought.purchase_id AND issued.terms_id = bought.terms_id
            """,
            {"issued_vouchers_are_of_the_terms_that_were_sold": "issued = bought"},
            {"vouchers": "sum(issued)"},
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
        Check(
            "grants",
            """
            SELECT grant_.id AS grant, grant_.voucher_count, grant_.customer_count, grant_.vouchers_each,
                   coalesce(sum(batch.voucher_count), 0) AS in_batches,
                   coalesce(sum(cardinality(batch.customer_ids)), 0) AS customers
            FROM vouchers_grant grant_ LEFT JOIN vouchers_grantbatch batch ON batch.grant_id = grant_.id
            GROUP BY grant_.id
            """,
            {
                "grant_is_its_batches": "in_batches = voucher_count AND customers = customer_count",
            },
            {"planned": "sum(voucher_count)"},
            in_slices=False,
        ),
        Check(
            "grant_batches",
            """
            SELECT batch.id AS batch, batch.state, batch.voucher_count, batch.issued_at IS NOT NULL AS is_issued,
                   batch.taken_back, coalesce(issued.vouchers, 0) AS vouchers,
                   coalesce(issued.strange, 0) AS strange, coalesce(issued.refunded, 0) AS refunded
            FROM vouchers_grantbatch batch
            LEFT JOIN (
                SELECT voucher.source_id, count(*) AS vouchers,
                       count(*) FILTER (WHERE voucher.status = 'refunded') AS refunded,
                       count(*) FILTER (
                           WHERE voucher.customer_id IS DISTINCT FROM chosen.customer_id OR voucher.paid_fen <> 0
                              OR voucher.brand_id <> batch.brand_id OR voucher.issuer <> 'own'
                              OR unit.terms_id IS NULL) AS strange
                FROM {vouchers} AS voucher
                LEFT JOIN (
                    SELECT batch.id, batch.brand_id, grant_.vouchers_each, grant_.terms_id
                    FROM vouchers_grantbatch batch JOIN vouchers_grant grant_ ON grant_.id = batch.grant_id
                ) AS batch ON batch.id = voucher.source_id
                LEFT JOIN {units} AS unit
                    ON unit.terms_id = batch.terms_id AND unit.issued_terms_id = voucher.terms_id
                LEFT JOIN (
                    SELECT batch.id, customer.id AS customer_id, customer.place
                    FROM vouchers_grantbatch batch,
                         unnest(batch.customer_ids) WITH ORDINALITY AS customer(id, place)
                ) AS chosen ON chosen.id = batch.id
                    AND chosen.place = (voucher.ordinal - 1) / batch.vouchers_each + 1
                WHERE voucher.source_kind = 'grant' GROUP BY voucher.source_id
            ) AS issued ON issued.source_id = batch.id
            """,
            {
                "granted_vouchers_are_those_planned": "vouchers = CASE WHEN is_issued THEN voucher_count ELSE 0 END",
                "granted_vouchers_are_the_chosen_customers": "strange = 0",
                "reversed_grant_was_taken_back": "taken_back <= refunded",
            },
            {
                "planned": "sum(voucher_count)",
                "issued": "sum(vouchers)",
                "taken_back": "sum(taken_back)",
            },
            in_slices=False,
        ),
        Check(
            "granted_vouchers",
            """
            SELECT voucher.id AS voucher, batch.id AS batch
            FROM {vouchers} AS voucher LEFT JOIN vouchers_grantbatch batch ON batch.id = voucher.source_id
            WHERE voucher.source_kind = 'grant'
            """,
            {"granted_voucher_has_its_batch": "batch IS NOT NULL"},
            in_slices=False,
        ),
        Check(
            "platform_vouchers",
            """
            SELECT voucher.id AS voucher, voucher.issuer, voucher.external_id, voucher.use_amounts_fen,
                   sale.voucher_id IS NOT NULL AS has_sale,
                   ARRAY(SELECT part.customer + part.platform
                         FROM unnest(sale.customer_fen, sale.platform_fen) WITH ORDINALITY
                             AS part(customer, platform, place) ORDER BY part.place) AS parts_fen
            FROM {vouchers} AS voucher LEFT JOIN vouchers_issuervoucher sale ON sale.voucher_id = voucher.id
            WHERE voucher.source_kind = 'platform' OR voucher.issuer <> 'own' OR sale.voucher_id IS NOT NULL
            """,
            {
                "platform_voucher_has_its_sale": "has_sale AND issuer <> 'own' AND external_id <> ''",
                "platform_voucher_is_worth_its_parts": "use_amounts_fen = parts_fen",
            },
            {"vouchers": "count(*)"},
        ),
    ),
)
