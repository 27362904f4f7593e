"""The end of a surcharge's refund: the money is back with the customer."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from orders.models import Surcharge
from orders.services.surcharge_locks import lock


def finish(*, surcharge_ids: Sequence[UUID], at: datetime) -> None:
    """
    RETURNING → GIVEN_BACK: the provider has paid. Repeating changes nothing.

    Runs inside the caller's transaction; locks the surcharges in key order.
    """
    assert connection.in_atomic_block, "a refund ends with its notice"
    lock(surcharge_ids)
    returning = Surcharge.objects.filter(pk__in=surcharge_ids, status=Surcharge.Status.RETURNING)
    returning.update(status=Surcharge.Status.GIVEN_BACK, given_back_at=at)
