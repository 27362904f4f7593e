"""Acts on one brand's people follow each other."""

from collections.abc import Callable

import pytest

from config.kernel.caller import Caller, CallerKind
from stores.models import Brand, Staff
from stores.services import brands, staffing, trail
from tests import factories
from tests.factories import NOW
from tests.races.at_once import at_once, meet_after

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


def two_owners_end_each_other(brand: Brand) -> list[str]:
    first, second = (factories.staff(brand, role="owner") for _ in range(2))

    def ending(by: Staff, whom: Staff) -> Callable[[], Staff]:
        caller = Caller(kind=CallerKind.STAFF, id=by.user_id)
        return lambda: staffing.end(staff_id=whom.id, by=caller, at=NOW)

    answers = at_once(ending(first, second), ending(second, first))
    return sorted("ended" if isinstance(answer, Staff) else answer.code for answer in answers)


def test_two_owners_who_end_each_other_leave_one(monkeypatch: pytest.MonkeyPatch) -> None:
    meet_after(monkeypatch, trail, "leave")  # between the look at the other owners and the commit
    brand = factories.brand()

    assert two_owners_end_each_other(brand) == ["ended", "last_owner"]
    assert Staff.objects.filter(brand=brand, ended_at=None).count() == 1


def test_without_the_lock_on_the_brand_nobody_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    meet_after(monkeypatch, trail, "leave")  # between the look at the other owners and the commit
    monkeypatch.setattr(brands, "lock", lambda brand_id: Brand.objects.get(id=brand_id))
    brand = factories.brand()

    assert two_owners_end_each_other(brand) == ["ended", "ended"]
    assert not Staff.objects.filter(brand=brand, ended_at=None).exists()
