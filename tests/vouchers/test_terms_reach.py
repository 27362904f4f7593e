"""deals.publish_terms refuses terms that nobody in the brand could ever meet, and says which field makes them so."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.caller import Caller, CallerKind
from stores.models import Brand, Region, StoreGroup, StoreGroupMember
from stores.services import holidays
from stores.services.holidays import NewCalendar
from tests import factories
from tests.factories import NOW
from vouchers import queries
from vouchers.errors import TermsInvalid
from vouchers.models import DealTerms
from vouchers.services import deals
from vouchers.services.terms_check import NewTerms

pytestmark = pytest.mark.django_db(transaction=True)

BY = Caller(kind=CallerKind.STAFF, id=uuid4())
CASH = NewTerms(title="20 元代金券", list_price_fen=2_000, face_value_fen=2_000, usable_days=30)
MONDAY = datetime(2026, 6, 8, tzinfo=UTC)
ONE_WEEK = {"usable_days": None, "usable_from": MONDAY, "usable_until": MONDAY + timedelta(days=4)}


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def publish(brand: Brand, *, kind: str = "cash", at: datetime = NOW, **fields: Any) -> DealTerms:
    new = CASH if kind == "cash" else replace(CASH, face_value_fen=None)
    return deals.publish_terms(deal=factories.deal(brand, kind=kind), new=replace(new, **fields), by=BY, at=at).row


def refused(brand: Brand, **fields: Any) -> str | None:
    with pytest.raises(TermsInvalid) as refusal:
        publish(brand, **fields)
    assert not DealTerms.objects.exists()
    return refusal.value.param


def publish_holidays(brand: Brand, *days: date, year: int = 2026) -> None:
    new = NewCalendar(year, dict.fromkeys(days, ""), frozenset())
    holidays.publish(brand_id=brand.id, new=new, by=BY, at=NOW)


# --- days and hours ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({**ONE_WEEK, "weekdays": [7]}, "weekdays"),
        ({**ONE_WEEK, "blackout_dates": [date(2026, 6, 7) + timedelta(days=n) for n in range(7)]}, "blackout_dates"),
        ({**ONE_WEEK, "usable_until": MONDAY + timedelta(hours=2), "day_spans": [["20:00", "22:00"]]}, "day_spans"),
        ({"holiday_rule": "only"}, "holiday_rule"),
        ({**ONE_WEEK, "special_dates": [date(2026, 8, 1)]}, "special_dates"),
        ({"special_dates": [date(2026, 6, 9)], "blackout_dates": [date(2026, 6, 9)]}, "special_dates"),
        ({"day_spans": [["10:00", "14:00"], ["13:00", "18:00"]]}, "day_spans"),
        ({"day_spans": [["00:00", "03:00"], ["18:00", "26:00"]]}, "day_spans"),
        ({"day_spans": [["00:00", "25:00"]]}, "day_spans"),
        ({"usable_days": None, "usable_from": NOW, "usable_until": NOW + timedelta(days=4_000)}, "usable_until"),
    ],
)
def test_a_time_that_never_comes_is_refused(brand: Brand, fields: dict[str, Any], param: str) -> None:
    assert refused(brand, **fields) == param


@pytest.mark.parametrize(
    "fields",
    [
        {**ONE_WEEK, "weekdays": [5]},
        {**ONE_WEEK, "weekdays": [7], "special_dates": [date(2026, 6, 10)]},
        # Sunday's late hours still run when Monday begins.
        {**ONE_WEEK, "weekdays": [7], "day_spans": [["18:00", "34:00"]]},
        {"day_spans": [["00:00", "03:00"], ["18:00", "26:00"]], "weekdays": [1, 4]},
        {"day_spans": [["18:00", "26:00"], ["10:00", "14:00"]]},
    ],
)
def test_a_time_that_comes_once_is_enough(brand: Brand, fields: dict[str, Any]) -> None:
    assert publish(brand, **fields).number == 1


def test_a_window_full_of_holidays_is_refused_where_those_are_excluded(brand: Brand) -> None:
    publish_holidays(brand, *(date(2026, 6, 8) + timedelta(days=n) for n in range(5)))

    assert refused(brand, **ONE_WEEK, holiday_rule="excluded") == "holiday_rule"
    assert publish(brand, **ONE_WEEK, holiday_rule="only").number == 1


def test_a_window_is_met_by_the_clock_of_whichever_store_takes_it(brand: Brand) -> None:
    factories.store(brand, zone="America/New_York")
    sunday_in_new_york = {
        "usable_days": None,
        "usable_from": datetime(2026, 6, 8, 1, tzinfo=UTC),
        "usable_until": datetime(2026, 6, 8, 3, tzinfo=UTC),
    }

    assert publish(brand, **sunday_in_new_york, weekdays=[7]).number == 1
    factories.store(other := factories.brand(), zone="Asia/Shanghai")
    with pytest.raises(TermsInvalid):
        publish(other, **sunday_in_new_york, weekdays=[7])


def test_terms_remember_the_calendars_of_their_day_where_they_heed_them(brand: Brand) -> None:
    publish_holidays(brand, date(2026, 10, 1))
    publish_holidays(brand, date(2026, 10, 1), date(2026, 10, 2))
    publish_holidays(brand, date(2027, 1, 1), year=2027)

    assert publish(brand, holiday_rule="excluded").calendar_versions == {"2026": 2, "2027": 1}
    assert publish(brand).calendar_versions == {}


def test_a_calendar_published_later_gives_days_at_once_and_takes_none(brand: Brand) -> None:
    publish_holidays(brand, date(2026, 10, 1))
    sold = publish(brand, holiday_rule="excluded")
    assert queries.terms([sold.id])[sold.id].listed_days == {date(2026, 10, 1): False}

    publish_holidays(brand, date(2026, 10, 2))

    assert queries.terms([sold.id])[sold.id].listed_days == {date(2026, 10, 1): True, date(2026, 10, 2): True}


# --- places -----------------------------------------------------------------------------------------


def test_a_scope_that_takes_in_no_store_is_refused(brand: Brand) -> None:
    empty = Region.objects.create(brand=brand, code="54", name="西藏")
    group = StoreGroup.objects.create(brand=brand, code="air", name="机场店", created_at=NOW)
    store = factories.store(brand, is_dearer=True)
    closed = factories.store(brand, status="closed", closed_at=NOW)

    for scope in (
        {"regions": [empty.public_id]},
        {"groups": [group.public_id]},
        {"everywhere": True, "except_stores": [store.public_id]},
        {"stores": [closed.public_id]},
        {"stores": [factories.store(factories.brand()).public_id]},
        {"regions": [f"rgn_{uuid4().hex}"]},
        {"groups": []},
        {"everywhere": False},
        {"shops": []},
        {"stores": "sto_"},
    ):
        assert refused(brand, store_scope=scope) == "store_scope", scope
    assert refused(brand, dearer_stores="excluded") == "store_scope"

    StoreGroupMember.objects.create(group=group, store=store)
    assert publish(brand, store_scope={"groups": [group.public_id]}).number == 1


def test_a_brand_without_stores_may_publish_for_all_that_will_open(brand: Brand) -> None:
    assert publish(brand, dearer_stores="excluded").number == 1


# --- products ---------------------------------------------------------------------------------------


def test_a_scope_that_takes_in_no_product_is_refused(brand: Brand) -> None:
    tea = factories.product(brand, categories=["茶"])
    gone = factories.product(brand, categories=["旧"], is_sold=False, withdrawn_at=NOW)

    for scope in (
        {"categories": ["咖啡"]},
        {"categories": ["旧"]},
        {"products": [gone.public_id]},
        {"products": [f"prd_{uuid4().hex}"]},
        {"products": [tea.public_id], "except_products": [tea.public_id]},
        {"categories": []},
        {"categories": [7]},
        {"things": []},
    ):
        assert refused(brand, product_scope=scope) == "product_scope", scope
    assert publish(brand, product_scope={"categories": ["茶"]}).number == 1


def test_a_package_names_products_and_their_own_options(brand: Brand) -> None:
    tea, other, gone = (factories.product(brand) for _ in range(3))
    size = factories.option_group(brand, tea, options={"大杯": 300, "中杯": 0})
    big, middle = size.options.order_by("-price_delta_fen")
    type(gone).objects.filter(pk=gone.pk).update(is_sold=False, withdrawn_at=NOW)
    stranger = factories.product(factories.brand())

    def package(*items: Any, choose: Any = 1) -> dict[str, Any]:
        return {"kind": "package", "package_groups": [{"name": "饮品", "choose": choose, "items": list(items)}]}

    def item(product: Any, **fields: Any) -> dict[str, Any]:
        return {"product": product.public_id, **fields}

    for wrong in (
        package(item(gone)),
        package(item(stranger)),
        package(item(other, options={size.public_id: [big.public_id]})),
        package(item(tea, options={size.public_id: [f"opt_{uuid4().hex}"]})),
        package(item(tea, options={size.public_id: []})),
        package(item(tea, options=[])),
        package(item(tea, count=0)),
        package(item(tea, sugar=1)),
        package("tea"),
        package(item(tea), choose=2),
        package(item(tea), choose=True),
    ):
        assert refused(brand, **wrong) == "package_groups", wrong
    right = package(item(tea, count=2, options={size.public_id: [big.public_id, middle.public_id]}), item(other))
    assert publish(brand, **right).number == 1


def test_a_bundle_has_no_minimum_spend_because_it_is_never_at_a_counter(brand: Brand) -> None:
    child = publish(brand)
    children = [{"terms": child.public_id, "count": 1}]

    with pytest.raises(TermsInvalid) as refusal:
        publish(brand, kind="bundle", bundle_children=children, min_spend_fen=1)

    assert refusal.value.param == "min_spend_fen"
