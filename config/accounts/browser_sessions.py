"""What browsers keep on the server between two pages: forgotten when it is over."""

from datetime import datetime

from django.contrib.sessions.models import Session
from django.db import transaction


def forget(*, limit: int, at: datetime) -> int:
    """Delete up to ``limit`` browser sessions that expired; how many. (``clearsessions`` in bounded batches.)"""
    with transaction.atomic(durable=True):
        old = Session.objects.filter(expire_date__lt=at).order_by("expire_date").values_list("pk", flat=True)
        locked = list(old.select_for_update(skip_locked=True)[:limit])
        return Session.objects.filter(pk__in=locked).delete()[0]
