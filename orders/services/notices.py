"""Providers' notices: stored before they are answered, applied in batches by a worker."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import orjson
from django.db import transaction

from config.kernel.jobs import nudge_after_commit
from config.kernel.pipeline import pipelined
from orders.models import Surcharge
from orders.providers.interface import EventKind, NoticeEvent
from orders.services import captures, inbox, order_captures, refund_results, surcharge_captures
from orders.services.inbox import Outcome, StoredNotice

# Sorted, so that two batches with the same events wait for each other in one direction only.
STORE = """
    INSERT INTO orders_paymentnotice (provider, provider_event_id, kind, reference, provider_reference, amount_fen,
        currency, occurred_at, received_at, looks, look_at)
    SELECT e.provider, e.event_id, e.kind, e.reference, e.provider_reference, e.amount_fen, e.currency, e.occurred_at,
        %(at)s, 0, %(at)s
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS e(provider text, event_id text, kind text, reference text,
        provider_reference text, amount_fen bigint, currency text, occurred_at timestamptz)
    ORDER BY e.provider, e.event_id
    ON CONFLICT (provider, provider_event_id) DO NOTHING
"""

CAPTURES = (EventKind.PAYMENT_CAPTURED,)
REFUND_RESULTS = (EventKind.REFUND_SUCCEEDED, EventKind.REFUND_FAILED)


def store_notices(notices: Sequence[NoticeEvent], *, at: datetime) -> int:
    """
    Put events into the inbox, durably, and say how many were new.

    Called before the provider gets its answer, so a 2xx means they will be applied. Safe to repeat
    in any mixture: an event is stored once.
    """
    with transaction.atomic(durable=True):
        with pipelined() as send:
            stored = send(STORE, {"rows": orjson.dumps(list(notices)).decode(), "at": at})
        if stored.rowcount:
            nudge_after_commit("orders.apply_notices", queue="issue")
    return stored.rowcount


def apply_notices(*, limit: int, at: datetime) -> int:
    """
    Apply up to ``limit`` stored captures and as many refund results; say how many were taken.

    Workers share the inbox: each claims rows nobody holds. One of something we do not know is put
    off and alarmed, and holds up nobody.
    """
    taken = _apply(CAPTURES, _apply_captures, limit=limit, at=at)
    return taken + _apply(REFUND_RESULTS, refund_results.apply, limit=limit, at=at)


def _apply_captures(claimed: Sequence[StoredNotice], *, at: datetime) -> dict[int, Outcome | None]:
    """Store orders first, whose vouchers are locked; then purchases before surcharges, as the ends of refunds lock."""
    of_surcharges: list[StoredNotice] = []
    of_payments: list[StoredNotice] = []
    for notice in claimed:
        is_surcharge = notice.subject_id(Surcharge.PREFIX) is not None
        (of_surcharges if is_surcharge else of_payments).append(notice)
    outcomes: dict[int, Outcome | None] = order_captures.apply(of_payments, at=at) if of_payments else {}
    if of_purchases := [notice for notice in of_payments if notice.id not in outcomes]:
        outcomes |= captures.apply(of_purchases, at=at)
    if of_surcharges:
        outcomes |= surcharge_captures.apply(of_surcharges, at=at)
    return outcomes


Apply = Callable[..., dict[int, Outcome | None]]


def _apply(kinds: Collection[EventKind], apply: Apply, *, limit: int, at: datetime) -> int:
    with transaction.atomic(durable=True):
        claimed: list[StoredNotice] = inbox.claim(kinds=kinds, limit=limit, at=at)
        if claimed:
            inbox.settle(apply(claimed, at=at), at=at)
    return len(claimed)
