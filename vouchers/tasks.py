"""What workers do for vouchers; the clock is read here."""

from celery import shared_task
from django.utils import timezone

from config.kernel import jobs
from vouchers.services import expiry, extending, grant_issuing, grant_reversal, holds, issuer_asking, offer_closing

BATCHES_AT_MOST = 200
"""A run ends after so many; the next tick goes on, and the soft time limit is far away."""


@shared_task(name="vouchers.expire_due")
def expire_due() -> None:
    """Vouchers whose time is over, in batches until none is due."""
    for _ in range(BATCHES_AT_MOST):
        if not expiry.expire_due(limit=500, at=timezone.now()):
            return


@shared_task(name="vouchers.close_due_offers")
def close_due_offers() -> None:
    """Offers whose sale has ended, in batches until none is due."""
    for _ in range(BATCHES_AT_MOST):
        if not offer_closing.close_due(limit=100, at=timezone.now()):
            return


@shared_task(name="vouchers.release_overdue")
def release_overdue() -> None:
    """Leases whose time is over, in batches until none is."""
    for _ in range(BATCHES_AT_MOST):
        if not holds.release_overdue(limit=100, at=timezone.now()):
            return


GRANT_BATCHES_AT_MOST = 10
"""About two seconds; the rest goes to the end of the queue, behind vouchers that somebody has paid for."""


@shared_task(name="vouchers.issue_granted")
def issue_granted() -> None:
    """Vouchers of grants."""
    for _ in range(GRANT_BATCHES_AT_MOST):
        if not grant_issuing.issue_granted(at=timezone.now()):
            return
    jobs.nudge("vouchers.issue_granted", queue="issue")


@shared_task(name="vouchers.reverse_granted")
def reverse_granted() -> None:
    """Unused vouchers of reversed grants, taken back."""
    for _ in range(GRANT_BATCHES_AT_MOST):
        if not grant_reversal.reverse_granted(at=timezone.now()):
            return
    jobs.nudge("vouchers.reverse_granted", queue="issue")


@shared_task(name="vouchers.ask_issuers")
def ask_issuers() -> None:
    """Platforms about what they have not decided: a few, since a silent one takes seconds; the next tick goes on."""
    issuer_asking.ask_due(limit=40, at=timezone.now())


@shared_task(name="vouchers.extend_sold")
def extend_sold() -> None:
    """Sold vouchers that an amendment made to last longer, in batches until none is left."""
    for _ in range(BATCHES_AT_MOST):
        if not extending.extend_sold(limit=2_000, at=timezone.now()):
            return
