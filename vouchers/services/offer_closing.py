"""Offers whose sale ends at a time of their own."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.kernel import audit
from config.kernel.caller import MACHINE
from vouchers.models import Offer

State = Offer.State


def close_due(*, limit: int, at: datetime) -> int:
    """
    OPEN, PAUSED → CLOSED for up to ``limit`` offers whose ``closes_at`` has come; says how many.

    Nothing was sold past that time anyway; closed, an offer drains and gives its remainder back. One that
    somebody is selling or acting on is left to the next run. One audit row a batch.
    """
    with transaction.atomic(durable=True):
        due = lock_due(limit=limit, at=at)
        if not due:
            return 0
        Offer.objects.filter(id__in=due).update(state=State.CLOSED, closed_at=at)
        audit.record(
            act="offers.closed_at_their_end",
            actor_kind=MACHINE.kind,
            actor_id=None,
            subject_kind="offer",
            subject_count=len(due),
            at=at,
        )
        return len(due)


def lock_due(*, limit: int, at: datetime) -> list[UUID]:
    """The offers that are due, oldest first, locked; those that are locked elsewhere are skipped."""
    due = Offer.objects.filter(state__in=[State.OPEN, State.PAUSED], closes_at__lte=at).order_by("closes_at")
    return list(due.select_for_update(skip_locked=True, no_key=True).values_list("id", flat=True)[:limit])
