"""I1: nothing is sold that was not there, and nothing is lost on the way back."""

from orders.invariants.check import Check, Invariant

INVARIANT = Invariant(
    "I1",
    "stock: deals, offers and allowances count what was bought",
    (
        Check(
            "deals",
            """
            SELECT coalesce(stock.deal_id, offers.deal_id) AS deal, stock.total, stock.free,
                   coalesce(offers.given, 0) AS given
            FROM vouchers_dealstock stock
            FULL JOIN (
                SELECT deal_id, sum(CASE WHEN state = 'drained' THEN sold ELSE allotment END) AS given
                FROM vouchers_offer GROUP BY deal_id
            ) AS offers ON offers.deal_id = stock.deal_id
            """,
            {"deal_stock_is_free_or_with_an_offer": "total = free + given AND free >= 0"},
            {"total": "sum(total)", "free": "sum(free)"},
        ),
        Check(
            "offers",
            "SELECT id AS offer, sold, allotment FROM vouchers_offer",
            {"offer_is_never_oversold": "sold BETWEEN 0 AND allotment"},
            {"sold": "sum(sold)", "allotment": "sum(allotment)"},
        ),
        Check(
            "offers_and_purchases",
            """
            SELECT offer.id AS offer, offer.sold, coalesce(bought.units, 0) AS bought
            FROM vouchers_offer offer
            LEFT JOIN (
                SELECT offer_id, sum(quantity - returned_quantity) AS units
                FROM {purchases} AS purchase WHERE status <> 'closed' GROUP BY offer_id
            ) AS bought ON bought.offer_id = offer.id
            """,
            {"offer_sold_is_its_purchases": "sold = bought"},
            {"sold": "sum(sold)", "bought": "sum(bought)"},
            in_slices=False,
        ),
        Check(
            "allowances",
            """
            SELECT coalesce(allowance.offer_id, bought.offer_id) AS offer,
                   coalesce(allowance.customer_id, bought.customer_id) AS customer,
                   coalesce(allowance.bought, 0) AS allowance, coalesce(bought.units, 0) AS bought
            FROM {allowances} AS allowance
            FULL JOIN (
                SELECT offer_id, customer_id, sum(quantity - returned_quantity) AS units
                FROM {purchases_of_customers} AS purchase WHERE status <> 'closed' GROUP BY offer_id, customer_id
            ) AS bought ON bought.offer_id = allowance.offer_id AND bought.customer_id = allowance.customer_id
            """,
            {"allowance_is_what_the_customer_bought": "allowance = bought"},
            {"bought": "sum(bought)"},
        ),
        Check(
            "returned_units",
            """
            SELECT purchase.id AS purchase, purchase.quantity, purchase.returned_quantity AS returned,
                   terms.refund_returns_stock AS returns_stock, coalesce(refunded.units, 0) AS refunded
            FROM {purchases} AS purchase
            JOIN vouchers_dealterms terms ON terms.id = purchase.terms_id
            LEFT JOIN (
                SELECT voucher.source_id, count(*) AS units
                FROM {vouchers} AS voucher
                JOIN (
                    SELECT voucher_id, count(*) AS uses FROM {endings} AS ending
                    WHERE refunded_at IS NOT NULL GROUP BY voucher_id
                ) AS ended ON ended.voucher_id = voucher.id AND ended.uses = voucher.uses_total
                WHERE voucher.source_kind = 'purchase' GROUP BY voucher.source_id
            ) AS refunded ON refunded.source_id = purchase.id
            """,
            {"returned_units_are_those_refunded": "returned = CASE WHEN returns_stock THEN refunded ELSE 0 END"},
            {"refunded": "sum(refunded)", "returned": "sum(returned)"},
        ),
    ),
)
