"""The one lock of a surcharge: its row. Whoever pays, closes or gives it back takes it first and looks after."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection

from orders.models import Surcharge

UNDONE_WITH_ITS_DRINK = (Surcharge.Status.OPEN, Surcharge.Status.PAID)


def lock(ids: Collection[UUID]) -> list[Surcharge]:
    """Their rows, held, in key order. Runs inside the caller's transaction."""
    assert connection.in_atomic_block, "a lock ends with its transaction"
    return list(Surcharge.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"))


def lock_of(redemption_ids: Collection[UUID]) -> list[Surcharge]:
    """Those of these redemptions that wait or are paid, held, in key order. Runs inside the caller's transaction."""
    assert connection.in_atomic_block, "a lock ends with its transaction"
    rows = Surcharge.objects.select_for_update(no_key=True).filter(redemption_id__in=redemption_ids)
    return list(rows.filter(status__in=UNDONE_WITH_ITS_DRINK).order_by("pk"))
