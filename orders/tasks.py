"""The workers' edge: each task drains its work in bounded batches; what a lost nudge left, beat finds."""

from celery import shared_task
from django.utils import timezone

from orders.services import folding, issuing, notices

BATCHES_AT_MOST = 200
"""A run ends after so many; the next tick goes on, and the soft time limit is far away."""


@shared_task(name="orders.apply_notices")
def apply_notices() -> None:
    """What providers told, onto purchases and refunds."""
    for _ in range(BATCHES_AT_MOST):
        if not notices.apply_notices(limit=500, at=timezone.now()):
            return


@shared_task(name="orders.issue_paid")
def issue_paid() -> None:
    """Vouchers for what was paid."""
    for _ in range(BATCHES_AT_MOST):
        if not issuing.issue_paid(at=timezone.now()):
            return


@shared_task(name="orders.fold_transfers")
def fold_transfers() -> None:
    """Transfers into balances."""
    for _ in range(BATCHES_AT_MOST):
        if not folding.fold_transfers(limit=5_000, at=timezone.now()).transfers:
            return
