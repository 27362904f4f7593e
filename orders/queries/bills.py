"""Reads of bills and what differs."""

from uuid import UUID

from django.db.models import QuerySet

from orders.models import BillDifference


def differences(
    brand_id: UUID, *, bill_id: UUID | None, kind: str | None, is_open: bool | None
) -> QuerySet[BillDifference]:
    """A brand's differences, narrowed by what is named."""
    rows = BillDifference.objects.filter(brand_id=brand_id)
    if bill_id is not None:
        rows = rows.filter(bill_id=bill_id)
    if kind is not None:
        rows = rows.filter(kind=kind)
    return rows if is_open is None else rows.filter(closed_at__isnull=is_open)


def open_differences(bill_id: UUID) -> int:
    """How many of a bill's differences wait for an explanation."""
    return BillDifference.objects.filter(bill_id=bill_id, closed_at__isnull=True).count()
