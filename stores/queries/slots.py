"""What a store has promised by quarters of an hour."""

from datetime import datetime
from uuid import UUID

from django.db import connection

from stores.pick_up import AHEAD, SlotNow, slot_at

NEAR = """
    SELECT starts_at, cups, made FROM stores_pickupslot
    WHERE store_id = %(store_id)s AND starts_at >= %(since)s ORDER BY starts_at
"""


def slots_of(store_id: UUID, *, at: datetime) -> list[SlotNow]:
    """The store's slots around ``at``: those before, as far as something may still be made of them, and all after."""
    with connection.cursor() as cursor:
        cursor.execute(NEAR, {"store_id": store_id, "since": slot_at(at) - AHEAD})
        return [SlotNow(*row) for row in cursor.fetchall()]
