"""Whose a store's money is from which day on; days that have begun stand."""

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry
from stores.errors import CodeTaken, EarlierDaysStand, EntityNotFound, StoreNotFound
from stores.models import Brand, SettlementEntity, Store, StoreEntity
from stores.queries import entity_on
from stores.services import entities
from stores.services.made import Made
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

OWNER = Caller(kind=CallerKind.STAFF, id=uuid4())
TODAY, TOMORROW = date(2026, 6, 1), date(2026, 6, 2)


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def hand_over(store: Store, entity: SettlementEntity, from_date: date, at: datetime = NOW) -> StoreEntity:
    return entities.hand_over(
        brand_id=store.brand_id, store_id=store.id, entity_id=entity.id, from_date=from_date, by=OWNER, at=at
    )


def test_a_store_changes_hands_from_a_day_on_and_earlier_days_stay(brand: Brand) -> None:
    before, after = factories.entity(brand), factories.entity(brand)
    store = factories.store(brand, entity=before)

    hand_over(store, after, date(2026, 7, 1))

    assert entity_on(store.id, date(2026, 6, 30)) == before.id
    assert entity_on(store.id, date(2026, 7, 1)) == after.id
    trail = AuditEntry.objects.get(subject_id=store.id)
    assert trail.details == {"from": str(before.id), "to": str(after.id), "from_date": "2026-07-01"}


@pytest.mark.parametrize("day", [date(2026, 5, 31), date(2026, 5, 1), TODAY])
def test_a_day_that_has_begun_stands(brand: Brand, day: date) -> None:
    store = factories.store(brand, entity=factories.entity(brand))

    with pytest.raises(EarlierDaysStand):
        hand_over(store, factories.entity(brand), day)


def test_the_day_that_has_begun_is_the_business_day(brand: Brand) -> None:
    """At half past one on 2 June the store still works on 1 June, so 2 June may change hands."""
    late = {day: [["10:00", "26:00"]] for day in "1234567"}
    store = factories.store(brand, entity=factories.entity(brand), hours=late)
    at = datetime(2026, 6, 1, 17, 30, tzinfo=UTC)

    hand_over(store, factories.entity(brand), TOMORROW, at=at)

    with pytest.raises(EarlierDaysStand):
        hand_over(store, factories.entity(brand), TODAY, at=at)


def test_a_store_nobody_holds_is_given_from_today_on_and_not_before(brand: Brand) -> None:
    entity, store = factories.entity(brand), factories.store(brand)

    with pytest.raises(EarlierDaysStand):
        hand_over(store, entity, date(2026, 5, 31))
    hand_over(store, entity, TODAY)

    assert entity_on(store.id, TODAY) == entity.id
    with pytest.raises(EarlierDaysStand):
        hand_over(store, factories.entity(brand), TODAY)


def test_a_repeat_changes_nothing_and_a_plan_may_be_replaced(brand: Brand) -> None:
    first, second = factories.entity(brand), factories.entity(brand)
    store = factories.store(brand, entity=factories.entity(brand))

    for _ in range(2):
        hand_over(store, first, TOMORROW)
    hand_over(store, second, TOMORROW)

    assert entity_on(store.id, TOMORROW) == second.id
    assert StoreEntity.objects.filter(store=store).count() == 2
    assert AuditEntry.objects.filter(act="store.handed_over").count() == 2


def test_what_is_another_brands_is_not_there(brand: Brand) -> None:
    store, foreign = factories.store(brand), factories.entity(factories.brand())

    with pytest.raises(EntityNotFound):
        hand_over(store, foreign, TOMORROW)
    with pytest.raises(StoreNotFound):
        entities.hand_over(
            brand_id=foreign.brand_id, store_id=store.id, entity_id=foreign.id, from_date=TOMORROW, by=OWNER, at=NOW
        )
    with pytest.raises(EntityNotFound):
        entities.edit(brand_id=brand.id, entity_id=foreign.id, changes={"name": "x"}, by=OWNER, at=NOW)


def test_an_entity_is_added_once_and_edited(brand: Brand) -> None:
    def add(name: str = "青屿茶业") -> Made[SettlementEntity]:
        kind = SettlementEntity.Kind.COMPANY
        return entities.add(brand_id=brand.id, code="A", name=name, kind=kind, tax_number="", by=OWNER, at=NOW)

    made = add()
    assert made.is_new
    assert not add().is_new
    with pytest.raises(CodeTaken):
        add("别家")

    for _ in range(2):
        entities.edit(brand_id=brand.id, entity_id=made.row.id, changes={"name": "新名"}, by=OWNER, at=NOW)

    assert list(AuditEntry.objects.order_by("id").values_list("act", flat=True)) == ["entity.added", "entity.edited"]
