"""A store that goes to another region while that region goes elsewhere: each would be right alone."""

from typing import Any

import pytest

from config.kernel.caller import MACHINE
from stores.errors import StoreIsPromised
from stores.models import Brand, Region, Store
from stores.services import brands, opening, regions
from tests.factories import NOW
from tests.races.squeezed import squeeze
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from vouchers.queries import terms
from vouchers.queries.accepting import accepting_stores

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


def both_move(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Store]]:
    """The answer of the region that moves, and the stores that are left to the voucher."""
    above, elsewhere = (Region.objects.create(brand=counter.brand, code=code, name=code) for code in ("ZJ", "SH"))
    here, empty = (
        Region.objects.create(brand=counter.brand, code=code, name=code, parent=above) for code in ("HZ", "WZ")
    )
    Store.objects.filter(id=counter.store.id).update(region=here)
    sold = counter.voucher(counter.terms(store_scope={"regions": [above.public_id]}))
    moving = squeeze(
        monkeypatch,
        opening,
        "_ask_to_change",
        lambda: regions.edit(
            brand_id=counter.brand.id, region_id=empty.id, changes={"parent_id": elsewhere.id}, by=MACHINE, at=NOW
        ),
    )
    opening.edit(store_id=counter.store.id, changes={"region_id": empty.id}, by=MACHINE, at=NOW)
    return moving.answer(), list(accepting_stores(terms([sold.terms_id])[sold.terms_id]))


def test_the_region_waits_for_the_store_and_is_refused(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, left = both_move(counter, monkeypatch)

    assert isinstance(answer, StoreIsPromised)
    assert left == [counter.store]


def test_control_without_the_brands_lock_the_voucher_loses_its_store(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brands, "lock", lambda brand_id: Brand.objects.get(id=brand_id))

    answer, left = both_move(counter, monkeypatch)

    assert isinstance(answer, Region)
    assert left == []
