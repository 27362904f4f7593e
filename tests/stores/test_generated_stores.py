"""The demo brand's own stores."""

import csv
from collections import Counter
from math import cos, hypot, radians
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry
from stores.business_days import check_hours
from stores.models import Region, SettlementEntity, Store, StoreEntity
from stores.services import generated_stores
from stores.services.chinese_cities import CITIES, PROVINCES
from tests import factories
from tests.factories import NOW

BY = Caller(kind=CallerKind.OPERATOR, id=uuid4())


def test_the_same_count_gives_the_same_stores() -> None:
    assert generated_stores.generate(500) == generated_stores.generate(500)


def test_a_longer_list_moves_no_store_of_the_shorter() -> None:
    longer = {store.code: store for store in generated_stores.generate(2_000)}

    assert all(longer[store.code].latitude == store.latitude for store in generated_stores.generate(500))


def test_five_thousand_stores_lie_in_real_cities_by_residents() -> None:
    stores = generated_stores.generate(5_000)

    assert len(stores) == len({store.code for store in stores}) == len({store.name for store in stores}) == 5_000
    by_city = Counter(store.city.name for store in stores)
    assert len(by_city) == len(CITIES) >= 40
    assert [name for name, _ in by_city.most_common(3)] == ["重庆市", "上海市", "北京市"]
    for store in stores:
        north = float(store.latitude) - store.city.latitude
        east = (float(store.longitude) - store.city.longitude) * cos(radians(store.city.latitude))
        assert hypot(north, east) * 111.32 < 45, store


def test_some_are_open_past_midnight_and_all_hours_hold() -> None:
    stores = generated_stores.generate(1_000)

    for store in stores:
        check_hours(store.hours)
    late = sum(any(span[1] > "24:00" for spans in store.hours.values() for span in spans) for store in stores)
    assert 100 < late < 200


@pytest.mark.data
def test_codes_and_names_are_the_standards(shared_data: Path) -> None:
    with (shared_data / "regions" / "cities.csv").open(encoding="utf-8-sig") as file:
        cities = {int(row["code"]): row["name"] for row in csv.DictReader(file)}
    with (shared_data / "regions" / "provinces.csv").open(encoding="utf-8-sig") as file:
        provinces = {int(row["code"]): row["name"] for row in csv.DictReader(file)}

    assert provinces == PROVINCES
    for city in CITIES:
        name = cities[city.code]
        assert city.name == (PROVINCES[city.province] if name == "市辖区" else name)


@pytest.mark.django_db(transaction=True)
def test_a_brand_is_founded_set_based_with_regions_and_entities() -> None:
    brand = factories.brand()

    with CaptureQueriesContext(connection) as captured:
        stores = generated_stores.found(brand_id=brand.id, count=800, by=BY, at=NOW)

    assert len(captured) <= 12
    assert Store.objects.filter(brand=brand).count() == len(stores) == 800
    hangzhou = Region.objects.get(code="3301")
    assert hangzhou.parent is not None
    assert (hangzhou.name, hangzhou.parent.name) == ("杭州市", "浙江省")
    assert StoreEntity.objects.count() == 800
    company = SettlementEntity.objects.get(kind="company")
    assert 250 < company.store_memberships.count() < 390
    assert SettlementEntity.objects.filter(kind="franchisee").count() > 40
    assert AuditEntry.objects.get(act="stores.generated").subject_count == 800
    with pytest.raises(AssertionError):
        generated_stores.found(brand_id=brand.id, count=1, by=BY, at=NOW)
