"""What a store has promised by quarters of an hour."""

from datetime import datetime
from uuid import UUID

from stores.models import PickupSlot
from stores.pick_up import AHEAD, SlotNow, slot_at


def slots_of(store_id: UUID, *, at: datetime) -> list[SlotNow]:
    """The store's slots around ``at``: those before, as far as something may still be made of them, and all after."""
    near = PickupSlot.objects.filter(store_id=store_id, starts_at__gte=slot_at(at) - AHEAD)
    return [SlotNow(*row) for row in near.order_by("starts_at").values_list("starts_at", "cups", "made")]
