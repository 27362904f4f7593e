"""Captured money meets its purchase: wanted once, at the right amount, in time; everything else goes back."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db import connection

from config.kernel import audit
from config.kernel.caller import MACHINE
from config.kernel.ids import new_id
from config.kernel.jobs import nudge_after_commit
from config.kernel.pipeline import as_jsonb, pipelined
from orders.models import LedgerTransfer, Payment, Purchase, Refund
from orders.providers.interface import CURRENCY
from orders.services import alarms, ledger
from orders.services.inbox import Outcome, StoredNotice
from orders.services.ledger import Posting
from vouchers.services import offer_counters

# A purchase's row lock guards its payments as well: nobody changes those without it.
LOCK_PURCHASES = """
    SELECT id, brand_id, offer_id, customer_id, quantity, status FROM orders_purchase
    WHERE id IN (SELECT purchase_id FROM orders_payment WHERE id = ANY(%(ids)s))
    ORDER BY id FOR NO KEY UPDATE
"""
PAYMENTS = """
    SELECT id, purchase_id, provider, amount_fen, status, provider_reference FROM orders_payment
    WHERE id = ANY(%(ids)s) AND purchase_id IS NOT NULL
"""
GIVEN_BACK = "SELECT source_id FROM orders_refund WHERE source_kind = %(kind)s AND payment_id = ANY(%(ids)s)"
CAPTURE_PAYMENTS = """
    UPDATE orders_payment p
    SET status = 'captured', captured_fen = k.amount_fen, provider_reference = k.reference, captured_at = k.captured_at
    FROM jsonb_to_recordset(%(rows)s::jsonb)
        AS k(id uuid, amount_fen bigint, reference text, captured_at timestamptz)
    WHERE p.id = k.id
"""
PAY_PURCHASES = "UPDATE orders_purchase SET status = 'paid', paid_at = %(at)s WHERE id = ANY(%(ids)s)"
REQUEST_REFUNDS = """
    INSERT INTO orders_refund (id, payment_id, purchase_id, customer_id, source_kind, source_id, amount_fen, status,
        attempts, due_at, last_error, requested_at)
    SELECT k.id, k.payment_id, k.purchase_id, k.customer_id, %(kind)s, k.source_id, k.amount_fen, 'requested',
        0, %(at)s, '', %(at)s
    FROM jsonb_to_recordset(%(rows)s::jsonb)
        AS k(id uuid, payment_id uuid, purchase_id uuid, customer_id uuid, source_id uuid, amount_fen bigint)
"""

ALARMING = {"wrong_currency", "wrong_amount", "second_capture"}


@dataclass(slots=True)
class _Purchase:
    id: UUID
    brand_id: UUID
    offer_id: UUID
    customer_id: UUID
    quantity: int
    status: str


@dataclass(slots=True)
class _Payment:
    id: UUID
    purchase_id: UUID
    provider: str
    amount_fen: int
    status: str
    provider_reference: str


def apply(notices: Sequence[StoredNotice], *, at: datetime) -> dict[int, Outcome | None]:
    """
    Apply captures, in order: what is wanted pays its purchase, what is not is refunded in full.

    Runs inside the caller's transaction; locks the purchases in key order, then offers for late
    payments. Safe to repeat: a capture is known by payment and provider transaction. None for a
    payment we do not know.
    """
    assert connection.in_atomic_block, "a capture commits with its notice"
    batch = _Batch.locked(notices, at=at)
    outcomes: dict[int, Outcome | None] = {}
    # Late payments take the hot counters, so their offers are locked in key order and last.
    late: list[tuple[UUID, StoredNotice]] = []
    for notice in notices:
        if (closed := batch.closed_purchase_of(notice)) is not None:
            late.append((closed.offer_id, notice))
        else:
            outcomes[notice.id] = batch.decide(notice)
    for _, notice in sorted(late, key=lambda of_offer: (of_offer[0], of_offer[1].id)):
        outcomes[notice.id] = batch.decide(notice)
    batch.write()
    return outcomes


@dataclass(slots=True)
class _Batch:
    """One batch under its locks: decides in order, collects what to write, writes it set by set."""

    payments: dict[int, _Payment]  # by notice
    purchases: dict[UUID, _Purchase]
    given_back: set[UUID]
    at: datetime
    captured: list[dict[str, Any]] = field(default_factory=list)
    paid: list[UUID] = field(default_factory=list)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    alarming: dict[tuple[str, UUID], list[str]] = field(default_factory=lambda: defaultdict(list))
    unknown: list[str] = field(default_factory=list)

    @classmethod
    def locked(cls, notices: Sequence[StoredNotice], *, at: datetime) -> "_Batch":
        named = {notice.id: notice.subject_id(Payment.PREFIX) for notice in notices}
        ids = [payment_id for payment_id in named.values() if payment_id is not None]
        with pipelined() as send:
            # Statement by statement: each sees what had committed when the locks were granted.
            purchases = send(LOCK_PURCHASES, {"ids": ids})
            payments = send(PAYMENTS, {"ids": ids})
            given_back = send(GIVEN_BACK, {"ids": ids, "kind": Refund.Source.UNWANTED_CAPTURE})
        found = {row[0]: _Payment(*row) for row in payments.fetchall()}
        return cls(
            payments={
                notice.id: payment
                for notice in notices
                if (payment_id := named[notice.id]) is not None
                and (payment := found.get(payment_id)) is not None
                and payment.provider == notice.provider
            },
            purchases={row[0]: _Purchase(*row) for row in purchases.fetchall()},
            given_back={source_id for (source_id,) in given_back.fetchall()},
            at=at,
        )

    def closed_purchase_of(self, notice: StoredNotice) -> _Purchase | None:
        payment = self.payments.get(notice.id)
        purchase = self.purchases[payment.purchase_id] if payment else None
        return purchase if purchase and purchase.status == Purchase.Status.CLOSED else None

    def decide(self, notice: StoredNotice) -> Outcome | None:
        payment = self.payments.get(notice.id)
        if payment is None:
            if notice.looks == 0:
                self.unknown.append(notice.reference)
            return None
        is_first = payment.status != Payment.Status.CAPTURED
        capture_id = uuid5(payment.id, notice.provider_reference)
        if capture_id in self.given_back or (not is_first and payment.provider_reference == notice.provider_reference):
            return Outcome.REPEATED
        if is_first:
            self._capture(payment, notice)
        purchase = self.purchases[payment.purchase_id]
        if reason := self._why_unwanted(notice, payment, purchase, is_first=is_first):
            self._give_back(notice, payment, purchase, capture_id=capture_id, reason=reason)
            return Outcome.REFUNDED
        purchase.status = Purchase.Status.PAID
        self.paid.append(purchase.id)
        self._post(LedgerTransfer.Kind.CAPTURE, notice, purchase, source_kind="payment", source_id=payment.id)
        return Outcome.APPLIED

    def _capture(self, payment: _Payment, notice: StoredNotice) -> None:
        payment.status, payment.provider_reference = Payment.Status.CAPTURED, notice.provider_reference
        self.captured.append(
            {
                "id": payment.id,
                "amount_fen": notice.amount_fen,
                "reference": notice.provider_reference,
                "captured_at": notice.occurred_at,
            }
        )

    def _why_unwanted(
        self, notice: StoredNotice, payment: _Payment, purchase: _Purchase, *, is_first: bool
    ) -> str | None:
        if notice.currency != CURRENCY:
            return "wrong_currency"
        if notice.amount_fen != payment.amount_fen:
            return "wrong_amount"
        if not is_first:
            return "second_capture"
        if purchase.status == Purchase.Status.ACCEPTED:
            return None
        if purchase.status == Purchase.Status.CLOSED:
            return None if self._retake(purchase) else "came_too_late"
        return "second_capture"

    def _retake(self, purchase: _Purchase) -> bool:
        return offer_counters.retake(
            offer_id=purchase.offer_id, customer_id=purchase.customer_id, quantity=purchase.quantity
        )

    def _give_back(
        self, notice: StoredNotice, payment: _Payment, purchase: _Purchase, *, capture_id: UUID, reason: str
    ) -> None:
        refund_id = new_id()
        self.given_back.add(capture_id)
        # In the currency it came in: a provider gives a capture back as it took it.
        self.refunds.append(
            {
                "id": refund_id,
                "payment_id": payment.id,
                "purchase_id": purchase.id,
                "customer_id": purchase.customer_id,
                "source_id": capture_id,
                "amount_fen": notice.amount_fen,
            }
        )
        self._post(LedgerTransfer.Kind.UNWANTED_CAPTURE, notice, purchase, source_kind="refund", source_id=refund_id)
        if reason in ALARMING:
            self.alarming[reason, purchase.brand_id].append(notice.reference)

    def _post(
        self,
        kind: LedgerTransfer.Kind,
        notice: StoredNotice,
        purchase: _Purchase,
        *,
        source_kind: str,
        source_id: UUID,
    ) -> None:
        self.postings.append(
            Posting(
                kind=kind,
                brand_id=purchase.brand_id,
                amount_fen=notice.amount_fen,
                source_kind=source_kind,
                source_id=source_id,
                owner=notice.provider,
            )
        )

    def write(self) -> None:
        with pipelined() as send:
            if self.captured:
                send(CAPTURE_PAYMENTS, {"rows": as_jsonb(self.captured)})
            if self.paid:
                send(PAY_PURCHASES, {"ids": self.paid, "at": self.at})
            if self.refunds:
                kind = Refund.Source.UNWANTED_CAPTURE
                send(REQUEST_REFUNDS, {"rows": as_jsonb(self.refunds), "kind": kind, "at": self.at})
        if self.postings:
            ledger.post(self.postings, at=self.at)
        if self.captured:
            audit.record(
                act="payments.captured",
                actor_kind=MACHINE.kind,
                actor_id=None,
                subject_kind="payment",
                subject_count=len(self.captured),
                at=self.at,
            )
        if self.unknown:
            alarms.raise_alarm(
                reason="unknown_payment", subject_kind="payment_notice", references=self.unknown, at=self.at
            )
        for (reason, brand_id), references in self.alarming.items():
            alarms.raise_alarm(
                reason=reason, subject_kind="payment", references=references, brand_id=brand_id, at=self.at
            )
        if self.paid:
            nudge_after_commit("orders.issue_paid", queue="issue")
        if self.refunds:
            nudge_after_commit("orders.send_refunds", queue="outside")
