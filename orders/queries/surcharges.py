"""Reads of surcharges."""

from uuid import UUID

from django.db.models import QuerySet

from orders.models import Surcharge


def surcharges_of_store(store_id: UUID) -> QuerySet[Surcharge]:
    """What was asked for at a store beyond its vouchers."""
    return Surcharge.objects.filter(store_id=store_id)
