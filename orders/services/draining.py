"""Draining: a closed offer that waits for no payment any more gives its remainder back to the deal, once."""

from datetime import datetime

from django.db import connection, transaction

from config.kernel import audit
from config.kernel.caller import CallerKind
from vouchers.services import offers

# Nobody can begin to owe for a closed offer: selling looks at its state under the lock that closing took.
# So what is found without unpaid purchases here stays so.
DRAINABLE = """
SELECT offer.id FROM vouchers_offer offer
WHERE offer.state = 'closed' AND NOT EXISTS (
    SELECT FROM orders_purchase purchase WHERE purchase.status = 'accepted' AND purchase.offer_id = offer.id)
ORDER BY offer.id LIMIT %s
"""


def drain_closed(*, limit: int, at: datetime) -> int:
    """
    CLOSED → DRAINED for up to ``limit`` offers without an unpaid purchase; says how many.

    Safe to repeat and to run beside itself: the offer's state is decided under its lock. A payment
    that still comes afterwards is refunded.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(DRAINABLE, [limit])
            offer_ids = [row[0] for row in cursor.fetchall()]
        if not offer_ids:
            return 0
        drained = offers.drain(offer_ids=offer_ids, at=at)
        if drained:
            audit.record(
                act="offers.drained",
                actor_kind=CallerKind.MACHINE,
                actor_id=None,
                subject_kind="offer",
                subject_count=drained,
                at=at,
            )
    return drained
