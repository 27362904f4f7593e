"""I9: states agree with their times, people's acts left a trail, batches were announced."""

from orders.invariants.check import Check, Invariant

INVARIANT = Invariant(
    "I9",
    "states agree with their times; every act and every batch left its trail",
    (
        Check(
            "purchases",
            """
            SELECT purchase.id AS purchase, status, accepted_at, paid_at, issued_at, closed_at,
                   coalesce(given_back.all_refunded, 0) AS vouchers_refunded, quantity * unit.vouchers AS vouchers,
                   coalesce(given_back.any_refunded, 0) AS vouchers_touched
            FROM {purchases} AS purchase
            LEFT JOIN (SELECT terms_id, sum(count) AS vouchers FROM {units} AS unit GROUP BY terms_id) AS unit
                ON unit.terms_id = purchase.terms_id
            LEFT JOIN (
                SELECT voucher.source_id, count(*) AS any_refunded,
                       count(*) FILTER (WHERE ended.uses = voucher.uses_total) AS all_refunded
                FROM {vouchers} AS voucher
                JOIN (
                    SELECT voucher_id, count(*) AS uses FROM {endings} AS ending
                    WHERE refunded_at IS NOT NULL GROUP BY voucher_id
                ) AS ended ON ended.voucher_id = voucher.id
                WHERE voucher.source_kind = 'purchase' GROUP BY voucher.source_id
            ) AS given_back ON given_back.source_id = purchase.id
            """,
            {
                "purchase_status_agrees_with_its_times": """CASE status
                    WHEN 'accepted' THEN paid_at IS NULL AND issued_at IS NULL AND closed_at IS NULL
                    WHEN 'closed' THEN paid_at IS NULL AND issued_at IS NULL AND closed_at IS NOT NULL
                    WHEN 'paid' THEN paid_at IS NOT NULL AND issued_at IS NULL
                    ELSE paid_at IS NOT NULL AND issued_at IS NOT NULL END""",
                "purchase_status_says_what_was_refunded": """CASE
                    WHEN vouchers_touched = 0 THEN status IN ('accepted', 'closed', 'paid', 'issued')
                    WHEN vouchers_refunded = vouchers THEN status = 'refunded'
                    ELSE status = 'partly_refunded' END""",
            },
        ),
        Check(
            "payments",
            "SELECT id AS payment, status, captured_at, captured_fen FROM {payments} AS payment",
            {
                "payment_status_agrees_with_its_time": (
                    "(status = 'captured') = (captured_at IS NOT NULL)"
                    " AND (captured_at IS NULL) = (captured_fen IS NULL)"
                ),
            },
        ),
        Check(
            "refunds",
            "SELECT id AS refund, status, sent_at, succeeded_at FROM {refunds} AS refund",
            {"refund_status_agrees_with_its_time": "(status = 'succeeded') = (succeeded_at IS NOT NULL)"},
        ),
        Check(
            "offers",
            "SELECT id AS offer, state, closed_at, drained_at FROM vouchers_offer",
            {
                "offer_state_agrees_with_its_times": (
                    "(state IN ('closed', 'drained')) = (closed_at IS NOT NULL)"
                    " AND (state = 'drained') = (drained_at IS NOT NULL)"
                ),
            },
        ),
        Check(
            "use_endings",
            "SELECT id AS ending, expired_at, refunding_at, refunded_at FROM {endings} AS ending",
            {
                "use_ending_has_a_reason": "expired_at IS NOT NULL OR refunding_at IS NOT NULL",
                "use_is_refunded_after_refunding": "refunded_at IS NULL OR refunding_at <= refunded_at",
            },
        ),
        Check(
            "redemptions_trail",
            """
            SELECT DISTINCT request.id AS request, entry.actor_id AS actor,
                   CASE WHEN request.source_kind = 'wallet' THEN redemption.customer_id
                        WHEN entry.actor_kind = 'api_client' AND request.operator_id IS NULL THEN program.id
                        ELSE request.operator_id END AS who
            FROM {redemptions} AS redemption
            JOIN vouchers_redemptionrequest request ON request.id = redemption.request_id
            LEFT JOIN kernel_auditentry entry ON entry.subject_id = request.id AND entry.act = 'voucher.redeem'
            LEFT JOIN stores_apiclient program ON program.id = entry.actor_id
            WHERE request.source_kind IN ('counter', 'wallet')
            """,
            {"redemption_has_its_trail": "actor = who"},
        ),
        Check(
            "reversals_trail",
            """
            SELECT redemption.id AS redemption, redemption.reversed_by_id AS operator, entry.actor_id AS actor
            FROM {redemptions} AS redemption
            JOIN vouchers_redemptionrequest request ON request.id = redemption.request_id
            LEFT JOIN kernel_auditentry entry ON entry.subject_id = redemption.id AND entry.act = 'voucher.reverse'
            WHERE redemption.reversed_at IS NOT NULL AND request.source_kind IN ('counter', 'wallet')
            """,
            {"reversal_has_its_trail": "actor = operator"},
        ),
        Check(
            "refund_requests_trail",
            """
            SELECT request.id AS request, request.customer_id AS customer, entry.actor_id AS actor
            FROM {refund_requests} AS request
            LEFT JOIN kernel_auditentry entry ON entry.subject_id = request.id AND entry.act = 'voucher.refund'
            """,
            {"refund_request_has_its_trail": "actor = customer"},
        ),
        Check(
            "grants_trail",
            """
            SELECT grant_.id AS grant, grant_.granted_by_id AS by, made.actor_id AS actor,
                   made.id IS NOT NULL AS has_trail,
                   grant_.reversed_at IS NOT NULL AS is_reversed, undone.id IS NOT NULL AS has_reversal,
                   count(batch.id) FILTER (WHERE batch.state IN ('reversing', 'reversed')) AS turned,
                   count(batch.id) AS batches
            FROM vouchers_grant grant_
            LEFT JOIN kernel_auditentry made ON made.subject_id = grant_.id AND made.act = 'grant.made'
            LEFT JOIN kernel_auditentry undone ON undone.subject_id = grant_.id AND undone.act = 'grant.reversed'
            LEFT JOIN vouchers_grantbatch batch ON batch.grant_id = grant_.id
            GROUP BY grant_.id, made.id, undone.id
            """,
            {
                "grant_has_its_trail": "has_trail AND actor IS NOT DISTINCT FROM by",
                "grant_reversal_has_its_trail": "is_reversed = has_reversal",
                "grant_reversal_turns_every_batch": "turned = CASE WHEN is_reversed THEN batches ELSE 0 END",
            },
            in_slices=False,
        ),
        Check(
            "recalls_trail",
            """
            SELECT recall.id AS recall, recall.begun_at, entry.at AS told_at
            FROM vouchers_recall recall
            LEFT JOIN kernel_auditentry entry ON entry.subject_id = recall.id AND entry.act = 'recall.begun'
            """,
            {"recall_has_its_trail": "told_at = begun_at"},
            in_slices=False,
        ),
        Check(
            "recalled_offers",
            """
            SELECT offer.id AS offer, offer.state
            FROM vouchers_recall recall JOIN vouchers_offer offer ON offer.terms_id = recall.terms_id
            """,
            {"recalled_terms_are_not_sold": "state NOT IN ('open', 'paused')"},
            in_slices=False,
        ),
        Check(
            "batches_trail",
            """
            SELECT facts.act, facts.rows, coalesce(trail.rows, 0) AS trail_rows
            FROM (
                SELECT 'purchases.issued' AS act, count(*) AS rows FROM {purchases} AS purchase
                WHERE issued_at IS NOT NULL
                UNION ALL
                SELECT 'payments.captured', count(*) FROM {payments} AS payment WHERE captured_at IS NOT NULL
                UNION ALL
                SELECT 'voucher.expire', count(DISTINCT (voucher_id, expired_at)) FROM {endings} AS ending
                WHERE expired_at IS NOT NULL
                UNION ALL
                SELECT 'vouchers.granted', coalesce(sum(voucher_count), 0) FROM vouchers_grantbatch
                WHERE issued_at IS NOT NULL
                UNION ALL
                SELECT 'vouchers.grant_reversed', coalesce(sum(taken_back), 0) FROM vouchers_grantbatch
                UNION ALL
                SELECT 'stock.settled', count(*) FROM stores_stockreservation WHERE state IN ('moved', 'returned')
                UNION ALL
                SELECT 'vouchers.refund_expired', count(*) FROM {refunds} AS refund
                WHERE source_kind = 'expired_voucher'
            ) AS facts
            LEFT JOIN (
                SELECT act, sum(subject_count) AS rows FROM kernel_auditentry
                WHERE actor_kind = 'machine' GROUP BY act
            ) AS trail ON trail.act = facts.act
            """,
            {"machine_batches_have_their_trail": "rows = trail_rows"},
            {"rows": "sum(rows)"},
            in_slices=False,
        ),
        Check(
            "announcements",
            """
            SELECT message.id AS message, message.topic, subscription.id AS subscription,
                   message.dispatched_at IS NULL AS is_waiting, delivery.id IS NOT NULL AS has_delivery
            FROM stores_webhooksubscription subscription
            JOIN kernel_outboxmessage message ON message.brand_id = subscription.brand_id
                AND (message.topic = ANY(subscription.topics) OR '*' = ANY(subscription.topics))
                AND message.occurred_at >= subscription.created_at
                AND (subscription.ended_at IS NULL OR message.dispatched_at < subscription.ended_at)
            LEFT JOIN stores_webhookdelivery delivery
                ON delivery.message_id = message.id AND delivery.subscription_id = subscription.id
            """,
            {"announced_batch_waits_or_is_delivered": "is_waiting OR has_delivery"},
            {"waiting": "count(*) FILTER (WHERE is_waiting)"},
            in_slices=False,
        ),
    ),
)
