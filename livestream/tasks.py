"""The workers' edge of livestream."""

from celery import shared_task
from django.utils import timezone

from livestream.services import sessions

BATCHES_AT_MOST = 20


@shared_task(name="livestream.close_due_sessions")
def close_due_sessions() -> None:
    """Sessions end at the time they were announced to."""
    for _ in range(BATCHES_AT_MOST):
        if not sessions.close_due(limit=50, at=timezone.now()):
            return
