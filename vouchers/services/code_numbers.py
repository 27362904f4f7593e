"""Runs of the code sequence, reserved before the transaction that issues."""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.db.models import F

from vouchers.models import CodeCounter, Voucher


class CodeNumbers:
    """Numbers reserved for one issuing transaction, by brand; what is left over stays a harmless gap."""

    def __init__(self, reserved: Mapping[UUID, range]) -> None:
        self._reserved = dict(reserved)

    def take(self, brand_id: UUID, count: int) -> range:
        """The next ``count`` numbers of the brand's run; asking for more than was reserved is an error."""
        rest = self._reserved[brand_id]
        assert count <= len(rest), "reserve before issuing as many"
        self._reserved[brand_id] = rest[count:]
        return rest[:count]


def reserve(*, brand_id: UUID, issuer: str = Voucher.OWN, count: int) -> range:
    """
    Take the next ``count`` numbers of the sequence of (brand, issuer).

    A short durable transaction of its own, before the one that issues: the counter is never locked
    while vouchers are written. Numbers of a transaction that then fails are not used again.
    """
    assert count > 0, "nothing to reserve"
    with transaction.atomic(durable=True):
        counters = CodeCounter.objects.filter(brand_id=brand_id, issuer=issuer)
        if not counters.update(next_number=F("next_number") + count):
            CodeCounter.objects.bulk_create([CodeCounter(brand_id=brand_id, issuer=issuer)], ignore_conflicts=True)
            counters.update(next_number=F("next_number") + count)
        # Our own update locked the row: what we read is what we wrote.
        end = counters.values_list("next_number", flat=True).get()
    return range(end - count, end)


def reserve_for(counts: Mapping[UUID, int]) -> CodeNumbers:
    """Numbers for several brands' vouchers of our own, each in its own short transaction."""
    return CodeNumbers({brand_id: reserve(brand_id=brand_id, count=count) for brand_id, count in counts.items()})
