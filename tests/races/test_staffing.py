"""Acts on one brand's people follow each other."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import connection

from config.kernel.caller import Caller, CallerKind
from stores.errors import LastOwner
from stores.models import Brand, Staff
from stores.services import brands, staffing, trail
from tests import factories
from tests.factories import NOW

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


def two_owners_end_each_other(brand: Brand) -> list[str]:
    first, second = (factories.staff(brand, role="owner") for _ in range(2))
    start = threading.Barrier(2)

    def end(by: Staff, whom: Staff) -> str:
        try:
            start.wait(timeout=10)
            staffing.end(staff_id=whom.id, by=Caller(kind=CallerKind.STAFF, id=by.user_id), at=NOW)
        except LastOwner as refusal:
            return refusal.code
        finally:
            connection.close()
        return "ended"

    with ThreadPoolExecutor(2) as threads:
        return sorted(threads.map(end, (first, second), (second, first)))


def both_look_before_either_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause between the look at the other owners and the commit; whoever holds no lock is met there."""
    looked = threading.Barrier(2)
    leave = trail.leave

    def slow(*args: object, **fields: object) -> None:
        leave(*args, **fields)  # type: ignore[arg-type]
        with suppress(threading.BrokenBarrierError):  # the other one waits for the lock
            looked.wait(timeout=0.5)

    monkeypatch.setattr(trail, "leave", slow)


def test_two_owners_who_end_each_other_leave_one(monkeypatch: pytest.MonkeyPatch) -> None:
    both_look_before_either_writes(monkeypatch)
    brand = factories.brand()

    assert two_owners_end_each_other(brand) == ["ended", "last_owner"]
    assert Staff.objects.filter(brand=brand, ended_at=None).count() == 1


def test_without_the_lock_on_the_brand_nobody_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    both_look_before_either_writes(monkeypatch)
    monkeypatch.setattr(brands, "lock", lambda brand_id: Brand.objects.get(id=brand_id))
    brand = factories.brand()

    assert two_owners_end_each_other(brand) == ["ended", "ended"]
    assert not Staff.objects.filter(brand=brand, ended_at=None).exists()
