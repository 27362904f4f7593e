"""Sending refunds to their providers, and asking about those that stay silent."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from uuid import UUID

from django.db import transaction

from config.kernel import audit
from config.kernel.caller import MACHINE
from config.kernel.ids import public
from config.kernel.pipeline import as_jsonb, pipelined
from orders.models import Payment, Refund, Surcharge
from orders.providers import registry
from orders.providers.interface import (
    Provider,
    ProviderSilent,
    RefundAnswer,
    RefundOrder,
    RefundState,
)
from orders.services import asking, notices, refund_failures

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 30
LONGEST_PAUSE_SECONDS = 60 * 60
ORDERS_AT_ONCE = 4

DUE = """
    SELECT id FROM orders_refund
    WHERE due_at <= %(at)s AND status IN ('requested', 'sent', 'failed') AND (status <> 'failed' OR attempts < %(most)s)
    ORDER BY due_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
"""
# The pause runs from the attempt that begins now: a worker that dies over it leaves a row that comes due again.
SENT = """
    UPDATE orders_refund r
    SET status = 'sent', attempts = least(r.attempts + 1, 1000), sent_at = coalesce(r.sent_at, %(at)s),
        due_at = %(at)s::timestamptz + least(%(first)s * 2 ^ least(r.attempts, 20), %(longest)s) * interval '1 second'
    FROM orders_refund before
    LEFT JOIN orders_payment y ON y.id = before.payment_id
    LEFT JOIN orders_surcharge s ON s.id = before.surcharge_id
    WHERE r.id = ANY(%(ids)s) AND before.id = r.id
    RETURNING r.id, r.payment_id, r.surcharge_id, coalesce(y.provider, s.provider), r.amount_fen, before.status
"""
SILENT = """
    UPDATE orders_refund r SET last_error = left(k.reason, 256)
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(id uuid, reason text) WHERE r.id = k.id AND r.status = 'sent'
"""


@dataclass(frozen=True, slots=True)
class _Due:
    """A refund claimed by this run; ``was`` is the status it was claimed in."""

    id: UUID
    payment_id: UUID | None
    surcharge_id: UUID | None
    provider: str
    amount_fen: int
    was: str

    @property
    def reference(self) -> str:
        return public(Refund.PREFIX, self.id)

    @property
    def order(self) -> RefundOrder:
        return RefundOrder(self.reference, self._paid_as, self.amount_fen)

    @property
    def _paid_as(self) -> str:
        """The reference under which the provider took the money: a payment's, or a surcharge's own."""
        if self.payment_id is not None:
            return public(Payment.PREFIX, self.payment_id)
        assert self.surcharge_id is not None, "a refund goes to what was paid"
        return public(Surcharge.PREFIX, self.surcharge_id)


def send_refunds(*, limit: int, at: datetime) -> int:
    """
    Take up to ``limit`` due refunds to their providers and say about how many these answered.

    Safe to repeat and to run beside itself: the refund's id makes an order harmless to repeat at the
    provider. Success comes through the inbox, told or asked for. A refusal is FAILED and sent again
    ever later, a bounded number of times; silence stays SENT and is asked about without end.
    """
    due = _claim(limit, at=at)
    by_provider: dict[str, list[_Due]] = defaultdict(list)
    for refund in due:
        by_provider[refund.provider].append(refund)
    answered = 0
    for name, refunds in by_provider.items():
        answers = _ask_or_order(registry.by_name(name), refunds)
        _settle(name, refunds, answers, at=at)
        answered += sum(answer.state != RefundState.UNKNOWN for answer in answers)
    return answered


def _claim(limit: int, *, at: datetime) -> list[_Due]:
    pauses = {"first": FIRST_PAUSE_SECONDS, "longest": LONGEST_PAUSE_SECONDS}
    with transaction.atomic(durable=True):
        with pipelined() as send:
            due = send(DUE, {"at": at, "limit": limit, "most": Refund.MOST_ATTEMPTS})
        ids = [refund_id for (refund_id,) in due.fetchall()]
        if not ids:
            return []
        with pipelined() as send:
            sent = send(SENT, {"ids": ids, "at": at, **pauses})
        audit.record(
            act="refunds.sent",
            actor_kind=MACHINE.kind,
            actor_id=None,
            subject_kind="refund",
            subject_count=len(ids),
            at=at,
        )
    return [_Due(*row) for row in sent.fetchall()]


def _ask_or_order(provider: Provider, refunds: Sequence[_Due]) -> list[RefundAnswer]:
    """Ask about those that were sent before, order the others and those the provider never heard of."""
    asked = [refund.reference for refund in refunds if refund.was == Refund.Status.SENT]
    heard = asking.answers(provider.ask_refunds, asked)
    never_arrived = {answer.reference for answer in heard if answer.state == RefundState.UNKNOWN}
    to_order = [r for r in refunds if r.was != Refund.Status.SENT or r.reference in never_arrived]
    is_silent = Event()
    with ThreadPoolExecutor(ORDERS_AT_ONCE) as pool:
        ordered = list(pool.map(lambda refund: _order(provider, refund.order, is_silent), to_order))
    return [answer for answer in heard if answer.reference not in never_arrived] + ordered


def _order(provider: Provider, order: RefundOrder, is_silent: Event) -> RefundAnswer:
    """One order; after the first silence of a run nobody waits for the next one."""
    if is_silent.is_set():
        return RefundAnswer(order.reference, RefundState.UNKNOWN, reason="not sent: the provider was silent")
    try:
        return provider.refund(order)
    except ProviderSilent as silence:
        is_silent.set()
        log.warning("refund %s: the provider is silent (%s); it is asked again", order.reference, silence)
        return RefundAnswer(order.reference, RefundState.UNKNOWN, reason=str(silence))


def _settle(name: str, refunds: Sequence[_Due], answers: Sequence[RefundAnswer], *, at: datetime) -> None:
    ids = {refund.reference: refund.id for refund in refunds}
    if succeeded := [asking.refund_event(name, a) for a in answers if a.state == RefundState.SUCCEEDED]:
        notices.store_notices(succeeded, at=at)
    refused = {ids[a.reference]: a.reason for a in answers if a.state == RefundState.FAILED}
    silent = [{"id": ids[a.reference], "reason": a.reason} for a in answers if a.state == RefundState.UNKNOWN]
    with transaction.atomic(durable=True):
        refund_failures.fail(refused, at=at)
        if silent:
            with pipelined() as send:
                send(SILENT, {"rows": as_jsonb(silent)})
