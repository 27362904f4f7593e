"""Differences between a bill and our books, worked off by people: explained, or booked as the provider told it."""

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from config.kernel import audit
from config.kernel.caller import Caller
from config.kernel.errors import MalformedId
from config.kernel.ids import PublicIdModel, parse
from orders.errors import DifferenceClosed, DifferenceNotBookable, DifferenceNotFound
from orders.models import BillDifference, Payment, Refund, Surcharge
from orders.providers.interface import CURRENCY, EventKind, NoticeEvent
from orders.services import asking, notices

Outcome = BillDifference.Outcome


def explain(*, brand_id: UUID, difference_id: UUID, reason: str, by: Caller, at: datetime) -> BillDifference:
    """
    Work a difference off by saying what it was; the books stay as they are. The same again changes nothing.

    Raises:
        DifferenceNotFound: not this brand's.
        DifferenceClosed: it was worked off otherwise.
    """
    with transaction.atomic(durable=True):
        difference = _locked(brand_id, difference_id)
        if difference.outcome == Outcome.EXPLAINED and difference.reason == reason:
            return difference
        return _close(difference, Outcome.EXPLAINED, reason=reason, by=by, at=at)


def book(*, brand_id: UUID, difference_id: UUID, reason: str, by: Caller, at: datetime) -> BillDifference:
    """
    Take the provider's word for money we were not told of, as if its notice had come now.

    It goes through the inbox: a wanted capture pays its purchase, an unwanted one is refunded in full, a refund
    succeeds. Safe to repeat, and beside the notice itself should that come late.

    Raises:
        DifferenceNotFound: not this brand's.
        DifferenceClosed: it was worked off otherwise.
        DifferenceNotBookable: nothing is missing here, or it names no payment or refund of ours.
    """
    difference = BillDifference.objects.filter(id=difference_id, brand_id=brand_id).first()
    if difference is None:
        raise DifferenceNotFound
    # Before the difference is closed: a crash in between leaves it open, and the event is stored once.
    if difference.closed_at is None:
        notices.store_notices([_event(difference)], at=at)
    with transaction.atomic(durable=True):
        difference = _locked(brand_id, difference_id)
        if difference.outcome == Outcome.BOOKED:
            return difference
        return _close(difference, Outcome.BOOKED, reason=reason, by=by, at=at)


def _locked(brand_id: UUID, difference_id: UUID) -> BillDifference:
    assert connection.in_atomic_block, "the lock goes with the transaction"
    found = BillDifference.objects.select_for_update(no_key=True).filter(id=difference_id, brand_id=brand_id).first()
    if found is None:
        raise DifferenceNotFound
    return found


def _close(difference: BillDifference, outcome: Outcome, *, reason: str, by: Caller, at: datetime) -> BillDifference:
    if difference.closed_at is not None:
        raise DifferenceClosed(outcome=difference.outcome)
    difference.closed_at, difference.outcome, difference.reason, difference.closed_by_id = at, outcome, reason, by.id
    difference.save(update_fields=["closed_at", "outcome", "reason", "closed_by_id"])
    audit.record(
        act=f"difference.{outcome.value}",
        actor_kind=by.kind,
        actor_id=by.id,
        brand_id=difference.brand_id,
        subject_kind="billdifference",
        subject_id=difference.id,
        details={"kind": difference.kind, "reference": difference.reference, "reason": reason},
        at=at,
    )
    return difference


def _event(difference: BillDifference) -> NoticeEvent:
    subjects: tuple[type[PublicIdModel], ...] = (Refund,) if difference.is_refund else (Payment, Surcharge)
    if difference.kind != BillDifference.Kind.MISSING_HERE or not any(
        _is_there(subject, difference.reference) for subject in subjects
    ):
        raise DifferenceNotBookable
    assert difference.theirs_fen is not None, "it has a line"
    assert difference.theirs_at is not None, "it has a line"
    kind = EventKind.REFUND_SUCCEEDED if difference.is_refund else EventKind.PAYMENT_CAPTURED
    return NoticeEvent(
        provider=difference.provider,
        event_id=asking.event_id(kind, difference.transaction),
        kind=kind,
        reference=difference.reference,
        provider_reference=difference.transaction,
        amount_fen=difference.theirs_fen,
        currency=CURRENCY,
        occurred_at=difference.theirs_at,
    )


def _is_there(subject: type[PublicIdModel], reference: str) -> bool:
    try:
        return subject._default_manager.filter(id=parse(subject.PREFIX, reference)).exists()
    except MalformedId:
        return False
