"""Unpaid purchases: the provider is asked first, then takes no payment any more, then the stock comes back."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from config.kernel import audit
from config.kernel.caller import MACHINE
from config.kernel.ids import parse
from config.kernel.pipeline import pipelined
from orders.models import Payment
from orders.services import notices
from orders.services.closing_payments import Attempt, ask_and_close
from vouchers.services import offer_counters

ASK_AGAIN_SECONDS = 60
"""How long an asked purchase is left to whoever asked, and to a provider that was silent."""

# Oldest first, along the index of open work: ``purchase_work``.
CLAIM = """
    SELECT p.id FROM orders_purchase p
    WHERE p.status = 'accepted' AND p.accepted_at <= %(accepted_until)s AND NOT EXISTS (
        SELECT 1 FROM orders_payment y WHERE y.purchase_id = p.id AND y.asked_at > %(asked_after)s)
    ORDER BY p.accepted_at LIMIT %(limit)s FOR NO KEY UPDATE OF p SKIP LOCKED
"""
ASKED = """
    UPDATE orders_payment SET asked_at = %(at)s
    WHERE purchase_id = ANY(%(ids)s) RETURNING id, purchase_id, provider, status
"""
LOCK_UNPAID = """
    SELECT id, offer_id, customer_id, quantity FROM orders_purchase
    WHERE id = ANY(%(ids)s) AND status = 'accepted' ORDER BY id FOR NO KEY UPDATE
"""
OPEN_PAYMENTS = """
    SELECT id, purchase_id FROM orders_payment WHERE purchase_id = ANY(%(ids)s) AND status IN ('created', 'pending')
"""
CLOSE_PURCHASES = "UPDATE orders_purchase SET status = 'closed', closed_at = %(at)s WHERE id = ANY(%(ids)s)"
CLOSE_PAYMENTS = """
    UPDATE orders_payment SET status = 'closed'
    WHERE purchase_id = ANY(%(ids)s) AND status IN ('created', 'pending')
"""


@dataclass(frozen=True, slots=True)
class Swept:
    """Purchases of one round: given up, found paid after all, or left for later."""

    closed: int
    captured: int
    left: int


def close_unpaid(*, limit: int, at: datetime) -> Swept:
    """
    Give up on up to ``limit`` purchases nobody paid in time, each only after its provider has said so.

    One found paid goes into the inbox as a capture; one whose provider is silent stays ACCEPTED and
    is asked again later. Safe to repeat and to run beside itself: a purchase is claimed for a
    minute, and closed under its lock only while it is still unpaid.
    """
    attempts = _claim(limit, at=at)
    if not attempts:
        return Swept(0, 0, 0)
    unpaid, captured = ask_and_close(attempt for of_purchase in attempts.values() for attempt in of_purchase)
    if captured:
        notices.store_notices(captured, at=at)
    given_up = [
        purchase_id
        for purchase_id, of_purchase in attempts.items()
        if all(attempt.payment_id in unpaid for attempt in of_purchase if attempt.is_open)
    ]
    closed = _close(given_up, unpaid, at=at)
    told = {parse(Payment.PREFIX, event.reference) for event in captured}
    paid = sum(any(attempt.payment_id in told for attempt in of_purchase) for of_purchase in attempts.values())
    return Swept(closed=closed, captured=paid, left=len(attempts) - closed - paid)


def _claim(limit: int, *, at: datetime) -> Mapping[UUID, Sequence[Attempt]]:
    """The attempts by purchase, marked as asked so that nobody else asks meanwhile."""
    window = {
        "accepted_until": at - timedelta(seconds=settings.UNPAID_AFTER_SECONDS),
        "asked_after": at - timedelta(seconds=ASK_AGAIN_SECONDS),
    }
    attempts: dict[UUID, list[Attempt]] = defaultdict(list)
    with transaction.atomic(durable=True):
        with pipelined() as send:
            claimed = send(CLAIM, {**window, "limit": limit})
        ids = [purchase_id for (purchase_id,) in claimed.fetchall()]
        if ids:
            with pipelined() as send:
                asked = send(ASKED, {"ids": ids, "at": at})
            for row in asked.fetchall():
                attempt = Attempt(*row)
                attempts[attempt.owner_id].append(attempt)
    return attempts


def _close(purchase_ids: Sequence[UUID], unpaid: set[UUID], *, at: datetime) -> int:
    with transaction.atomic(durable=True):
        with pipelined() as send:
            locking = send(LOCK_UNPAID, {"ids": list(purchase_ids)})
            opened = send(OPEN_PAYMENTS, {"ids": list(purchase_ids)})
        # An attempt the customer started after we asked: its provider has not been asked.
        unasked = {purchase_id for payment_id, purchase_id in opened.fetchall() if payment_id not in unpaid}
        back: Counter[tuple[UUID, UUID]] = Counter()
        closing = []
        for purchase_id, offer_id, customer_id, quantity in locking.fetchall():
            if purchase_id not in unasked:
                closing.append(purchase_id)
                back[offer_id, customer_id] += quantity
        if not closing:
            return 0
        with pipelined() as send:
            send(CLOSE_PURCHASES, {"ids": closing, "at": at})
            send(CLOSE_PAYMENTS, {"ids": closing})
        audit.record(
            act="purchases.closed_unpaid",
            actor_kind=MACHINE.kind,
            actor_id=None,
            subject_kind="purchase",
            subject_count=len(closing),
            at=at,
        )
        offer_counters.release(quantities=back)  # the hot counter last
    return len(closing)
