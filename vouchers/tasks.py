"""What workers do for vouchers; the clock is read here."""

from celery import shared_task
from django.utils import timezone

from vouchers.services import expiry, holds

BATCHES_AT_MOST = 200
"""A run ends after so many; the next tick goes on, and the soft time limit is far away."""


@shared_task(name="vouchers.expire_due")
def expire_due() -> None:
    """Vouchers whose time is over, in batches until none is due."""
    for _ in range(BATCHES_AT_MOST):
        if not expiry.expire_due(limit=500, at=timezone.now()):
            return


@shared_task(name="vouchers.release_overdue")
def release_overdue() -> None:
    """Leases whose time is over, in batches until none is."""
    for _ in range(BATCHES_AT_MOST):
        if not holds.release_overdue(limit=100, at=timezone.now()):
            return
