"""What a store's board shows."""

from uuid import UUID

from django.db.models import QuerySet

from orders.models import StoreOrder

BOARD = ("confirmed", "accepted", "making", "ready")
"""The states in which an order is on its store's board."""


def board_of_store(store_id: UUID) -> QuerySet[StoreOrder]:
    """What a store is to make, and what stands ready, with its lines; oldest first, so that new ones append."""
    on_it = StoreOrder.objects.filter(store_id=store_id, status__in=BOARD)
    return on_it.prefetch_related("lines").order_by("placed_at", "id")
