"""Captured money meets its surcharge: wanted once, at the right amount, in time; everything else goes back."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid5

from django.db import connection

from config.kernel import audit
from config.kernel.caller import MACHINE
from config.kernel.jobs import nudge_after_commit
from orders.models import LedgerTransfer, Refund, Surcharge
from orders.providers.interface import CURRENCY
from orders.services import alarms, ledger, surcharge_locks
from orders.services.captures import ALARMING
from orders.services.inbox import Outcome, StoredNotice
from orders.services.ledger import Posting
from orders.services.surcharges import posting

TAKEN = (Surcharge.Status.PAID, Surcharge.Status.RETURNING, Surcharge.Status.GIVEN_BACK)


def apply(notices: Sequence[StoredNotice], *, at: datetime) -> dict[int, Outcome | None]:
    """
    Apply captures of surcharges, in order: OPEN → PAID, anything else is refunded in full.

    Runs inside the caller's transaction; locks the surcharges in key order. Safe to repeat: a capture is known by
    surcharge and provider transaction. None for a surcharge we do not know.
    """
    assert connection.in_atomic_block, "a capture commits with its notice"
    batch = _Batch.locked(notices, at=at)
    outcomes = {notice.id: batch.decide(notice) for notice in notices}
    batch.write()
    return outcomes


@dataclass(slots=True)
class _Batch:
    surcharges: dict[UUID, Surcharge]
    given_back: set[UUID]
    at: datetime
    paid: list[Surcharge] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    alarming: dict[tuple[str, UUID], list[str]] = field(default_factory=lambda: defaultdict(list))
    unknown: list[str] = field(default_factory=list)

    @classmethod
    def locked(cls, notices: Sequence[StoredNotice], *, at: datetime) -> "_Batch":
        ids = [key for notice in notices if (key := notice.subject_id(Surcharge.PREFIX)) is not None]
        rows = surcharge_locks.lock(ids)
        given_back = Refund.objects.filter(source_kind=Refund.Source.UNWANTED_CAPTURE, surcharge__in=ids)
        return cls({row.pk: row for row in rows}, set(given_back.values_list("source_id", flat=True)), at)

    def decide(self, notice: StoredNotice) -> Outcome | None:
        key = notice.subject_id(Surcharge.PREFIX)
        surcharge = self.surcharges.get(key) if key else None
        if surcharge is None or surcharge.provider != notice.provider:
            if notice.looks == 0:
                self.unknown.append(notice.reference)
            return None
        capture_id = uuid5(surcharge.pk, notice.provider_reference)
        is_taken = surcharge.status in TAKEN
        if capture_id in self.given_back or (is_taken and surcharge.provider_reference == notice.provider_reference):
            return Outcome.REPEATED
        if reason := self._why_unwanted(notice, surcharge):
            self._give_back(notice, surcharge, capture_id=capture_id, reason=reason)
            return Outcome.REFUNDED
        surcharge.status, surcharge.paid_at = Surcharge.Status.PAID, notice.occurred_at
        surcharge.provider_reference = notice.provider_reference
        self.paid.append(surcharge)
        self.postings.append(posting(LedgerTransfer.Kind.SURCHARGE, surcharge))
        return Outcome.APPLIED

    def _why_unwanted(self, notice: StoredNotice, surcharge: Surcharge) -> str | None:
        if notice.currency != CURRENCY:
            return "wrong_currency"
        if notice.amount_fen != surcharge.amount_fen:
            return "wrong_amount"
        if surcharge.status == Surcharge.Status.OPEN:
            return None
        return "came_too_late" if surcharge.status == Surcharge.Status.CLOSED else "second_capture"

    def _give_back(self, notice: StoredNotice, surcharge: Surcharge, *, capture_id: UUID, reason: str) -> None:
        self.given_back.add(capture_id)
        refund = Refund(
            surcharge=surcharge,
            customer_id=surcharge.customer_id,
            source_kind=Refund.Source.UNWANTED_CAPTURE,
            source_id=capture_id,
            amount_fen=notice.amount_fen,
            due_at=self.at,
            requested_at=self.at,
        )
        self.refunds.append(refund)
        self.postings.append(
            Posting(
                kind=LedgerTransfer.Kind.UNWANTED_CAPTURE,
                brand_id=surcharge.brand_id,
                amount_fen=notice.amount_fen,
                source_kind="refund",
                source_id=refund.pk,
                owner=notice.provider,
            )
        )
        if reason in ALARMING:
            self.alarming[reason, surcharge.brand_id].append(notice.reference)

    def write(self) -> None:
        if self.paid:
            Surcharge.objects.bulk_update(self.paid, ["status", "paid_at", "provider_reference"])
            audit.record(
                act="surcharges.captured",
                actor_kind=MACHINE.kind,
                actor_id=None,
                subject_kind="surcharge",
                subject_count=len(self.paid),
                at=self.at,
            )
        Refund.objects.bulk_create(self.refunds)
        for (reason, brand_id), references in self.alarming.items():
            alarms.raise_alarm(
                reason=reason, subject_kind="surcharge", references=references, brand_id=brand_id, at=self.at
            )
        if self.unknown:
            alarms.raise_alarm(
                reason="unknown_payment", subject_kind="payment_notice", references=self.unknown, at=self.at
            )
        ledger.post(self.postings, at=self.at)
        if self.refunds:
            nudge_after_commit("orders.send_refunds", queue="outside")
