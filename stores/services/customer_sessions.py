"""A customer's sessions in browsers: a random key in a cookie, its hash in a row that she can end."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from stores.models import Customer, CustomerSession
from stores.services import bearer_keys


@dataclass(frozen=True, slots=True)
class Begun:
    """``key`` is here once and nowhere after."""

    customer: Customer
    key: str
    expires_at: datetime


def begin(*, customer: Customer, at: datetime) -> Begun:
    """A session for a customer who has just proved who she is. Runs inside the caller's transaction."""
    assert connection.in_atomic_block, "a session commits with its proof"
    secret = bearer_keys.new_secret()
    session = CustomerSession.objects.create(
        customer=customer,
        key_hash=bearer_keys.hash_of(secret),
        began_at=at,
        expires_at=at + timedelta(seconds=settings.CUSTOMER_SESSION_SECONDS),
    )
    return Begun(customer=customer, key=secret, expires_at=session.expires_at)


def end(*, key: str, at: datetime) -> None:
    """Sign this browser out; repeating changes nothing."""
    with transaction.atomic(durable=True):
        CustomerSession.objects.filter(key_hash=bearer_keys.hash_of(key), ended_at__isnull=True).update(ended_at=at)


def forget(*, limit: int, at: datetime) -> int:
    """Delete up to ``limit`` sessions that expired; how many."""
    with transaction.atomic(durable=True):
        old = CustomerSession.objects.filter(expires_at__lt=at).order_by("expires_at").values_list("id", flat=True)
        locked = list(old.select_for_update(skip_locked=True)[:limit])
        return CustomerSession.objects.filter(id__in=locked).delete()[0]
