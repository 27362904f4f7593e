"""A brand's list of stores, taken over whole or not at all."""

import io
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry
from stores.errors import StoreFileRefused, ZoneUnknown
from stores.models import Brand, Region, Store, StoreEntity
from stores.services import list_staging, store_import
from stores.services.store_import import Reading, Report
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

BY = Caller(kind=CallerKind.STAFF, id=uuid4())
LIST = """编码,门店名称,城市,地址,纬度,经度,营业时间,备注
HZ01,江南大道店,杭州市,滨江区,30.2,120.21,10:00-22:00,x
HZ02,湖滨店,杭州市,,30.25,120.16,10:00-02:00,
SG01,乌节店,新加坡,,1.30408,103.83181,,
"""


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def take(brand: Brand, text: str = LIST, *, mapping: Mapping[str, str] | None = None, **reading: str) -> Report:
    return store_import.import_stores(
        brand_id=brand.id,
        source=io.BytesIO(text.encode()),
        reading=Reading(mapping=mapping or {}, **reading),
        by=BY,
        at=NOW,
    )


def refused(brand: Brand, text: str, **reading: str) -> list[tuple[int, str]]:
    with pytest.raises(StoreFileRefused) as refusal:
        take(brand, text, **reading)
    assert refusal.value.details["count"] == len(refusal.value.problems)
    told = [problem.told() for problem in refusal.value.problems]
    return [(problem["line"], problem["code"]) for problem in told]


def snapshot() -> list[dict[str, object]]:
    return list(Store.objects.order_by("id").values())


def test_a_good_list_opens_every_store(brand: Brand) -> None:
    report = take(brand)

    assert (report.rows, report.created, report.updated, report.unchanged) == (3, 3, 0, 0)
    assert list(report.columns.ignored) == ["备注"]
    late = Store.objects.get(code="HZ02")
    assert (late.name, late.address, late.latitude) == ("湖滨店", "", Decimal("30.250000"))
    assert (late.hours["1"], late.zone, late.status) == ([["10:00", "26:00"]], "Asia/Shanghai", "open")
    assert Store.objects.get(code="SG01").zone == "Asia/Singapore"
    trail = AuditEntry.objects.get()
    assert (trail.act, trail.subject_count, trail.actor_id) == ("stores.imported", 3, BY.id)


def test_the_same_list_again_changes_nothing(brand: Brand) -> None:
    take(brand)
    before = snapshot()

    report = take(brand)

    assert (report.created, report.updated, report.unchanged) == (0, 0, 3)
    assert not report.changed
    assert snapshot() == before


def test_changed_rows_are_updated_and_named(brand: Brand) -> None:
    take(brand)

    report = take(brand, LIST.replace("江南大道店", "江南大道旗舰店").replace("1.30408", "1.30409"))

    assert (report.created, report.updated, report.unchanged) == (0, 2, 1)
    assert [(change.line, change.code, change.fields) for change in report.changed] == [
        (2, "HZ01", ["name"]),
        (4, "SG01", ["latitude"]),
    ]
    assert Store.objects.get(code="HZ01").name == "江南大道旗舰店"


def test_an_empty_cell_and_a_missing_column_leave_what_is_there(brand: Brand) -> None:
    take(brand)
    Store.objects.filter(code="HZ01").update(zone="Asia/Tokyo")

    report = take(brand, "编码,名称,地址\nHZ01,江南大道店,\n")

    kept = Store.objects.get(code="HZ01")
    assert report.unchanged == 1
    assert (kept.address, kept.city, kept.zone, kept.hours["7"]) == (
        "滨江区",
        "杭州市",
        "Asia/Tokyo",
        [["10:00", "22:00"]],
    )


def test_one_broken_row_in_the_middle_keeps_all_out(brand: Brand) -> None:
    take(brand, "编码,名称\nHZ01,江南大道店\n")
    before = snapshot()
    many = "".join(f"N{number},店{number}\n" for number in range(5_000))

    problems = refused(brand, f"编码,名称\nHZ01,改名店\n{many}X1,\n{many.replace('N', 'M')}X2,店,多\n")

    assert problems == [(5_003, "name_missing"), (10_004, "wrong_cell_count")]
    assert snapshot() == before
    assert AuditEntry.objects.count() == 1


def test_codes_given_twice_are_named_with_the_first_line(brand: Brand) -> None:
    with pytest.raises(StoreFileRefused) as refusal:
        take(brand, "编码,名称,城市\nA,一店,杭州市\nB,二店,杭州市\nA,三店,杭州市\n,四店,杭州市\n,四店,杭州市\n")

    first, second = (problem.told() for problem in refusal.value.problems)
    assert (first["line"], first["code"], first["value"]) == (4, "duplicate_code", "A = line 2")
    assert (second["line"], second["code"]) == (6, "duplicate_store")
    assert not Store.objects.exists()


def test_a_list_without_codes_gets_the_same_ones_each_time(brand: Brand) -> None:
    text = "名称,城市\n江南大道店,杭州市\n湖滨店,杭州市\n"

    first = take(brand, text)
    longer = take(brand, text + "城西店,杭州市\n")

    assert first.derived_count == 2
    assert [(code.line, code.name) for code in first.derived] == [(2, "江南大道店"), (3, "湖滨店")]
    assert list(longer.derived[:2]) == list(first.derived)
    assert (longer.created, longer.unchanged) == (1, 2)
    assert {store.code for store in Store.objects.all()} == {code.code for code in longer.derived}


def test_a_rehearsal_reports_the_same_and_leaves_nothing(brand: Brand) -> None:
    take(brand, "编码,名称\nHZ01,江南大道老店\n")
    before = snapshot()

    rehearsed = store_import.rehearse(brand_id=brand.id, source=io.BytesIO(LIST.encode()), reading=Reading(), at=NOW)

    assert snapshot() == before
    assert AuditEntry.objects.count() == 1
    assert take(brand) == rehearsed
    with pytest.raises(StoreFileRefused):
        store_import.rehearse(brand_id=brand.id, source=io.BytesIO(b"name\n,\nx,y\n"), reading=Reading(), at=NOW)


def test_regions_and_entities_go_by_their_codes(brand: Brand) -> None:
    region = Region.objects.create(brand=brand, code="HZ", name="杭州")
    company, franchisee = factories.entity(brand, code="C1"), factories.entity(brand, code="F1")

    take(brand, "编码,名称,区域,结算主体\nA,一店,HZ,F1\nB,二店,,\n", entity="C1")

    first, second = Store.objects.order_by("code")
    assert (first.region, second.region) == (region, None)
    assert StoreEntity.objects.get(store=first).entity == franchisee
    assert StoreEntity.objects.get(store=second).entity == company
    assert StoreEntity.objects.get(store=second).from_date == NOW.date()
    assert take(brand, "编码,名称,结算主体\nA,一店,F1\n").unchanged == 1


def test_an_import_hands_no_store_over(brand: Brand) -> None:
    for code in ("C1", "F1"):
        factories.entity(brand, code=code)
    factories.entity(factories.brand(), code="X1")
    take(brand, "编码,名称,结算主体\nA,一店,C1\n")

    problems = refused(brand, "编码,名称,区域,结算主体\nA,一店,,F1\nB,二店,XX,\nC,三店,,X1\n")

    assert problems == [(2, "entity_differs"), (3, "region_unknown"), (4, "entity_unknown")]


def test_a_store_without_an_entity_gets_one(brand: Brand) -> None:
    entity = factories.entity(brand, code="C1")
    take(brand, "编码,名称\nA,一店\n")

    take(brand, "编码,名称\nA,一店\n", entity="C1")

    assert StoreEntity.objects.get().entity == entity


def test_another_brands_stores_are_not_touched(brand: Brand) -> None:
    other = factories.brand()
    take(other)
    before = snapshot()

    assert take(brand, LIST.replace("江南大道店", "别的店")).created == 3
    assert [row for row in snapshot() if row["brand_id"] == other.id] == before


def test_a_zone_for_all_rows_must_be_one(brand: Brand) -> None:
    assert take(brand, "名称,纬度,经度\n店,40.7,-74\n", zone="America/New_York").created == 1
    assert Store.objects.get().zone == "America/New_York"
    with pytest.raises(ZoneUnknown):
        take(brand, "名称\n店\n", zone="New York")


def test_problems_are_counted_beyond_those_kept(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_staging, "PROBLEMS_KEPT", 10)

    with pytest.raises(StoreFileRefused) as refusal:
        take(brand, "编码,名称\n" + "A,\n" * 50)

    assert (refusal.value.details["count"], len(refusal.value.problems)) == (50, 10)


def test_rows_reach_the_brand_in_few_statements_however_many(brand: Brand) -> None:
    def statements(rows: int) -> int:
        text = "编码,名称\n" + "".join(f"N{number},店{number}\n" for number in range(rows))
        with CaptureQueriesContext(connection) as captured:
            take(brand, text)
        return len(captured)

    first, four_thousand = statements(10), statements(3_990)
    assert four_thousand - first == 1  # a second batch
    assert first <= 20


@pytest.mark.data
def test_the_real_list_comes_in_whole(brand: Brand, shared_data: Path) -> None:
    def heytea() -> Report:
        with (shared_data / "stores" / "heytea_stores.csv").open("rb") as source:
            return store_import.import_stores(
                brand_id=brand.id,
                source=source,
                reading=Reading(mapping={"name": "name", "city": "area"}),
                by=BY,
                at=NOW,
            )

    report, again = heytea(), heytea()

    assert (report.rows, report.created, report.derived_count) == (484, 484, 484)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 484)
    assert list(report.columns.ignored) == ["area_id"]
    zones = Store.objects.values_list("city", "zone").exclude(zone="Asia/Shanghai")
    assert sorted(zones) == sorted([("新加坡", "Asia/Singapore")] * 3 + [("香港特别行政區", "Asia/Hong_Kong")] * 3)
    assert Store.objects.get(name="新加坡金沙MBS店").latitude == Decimal("1.282758")
    assert len({store.code for store in Store.objects.all()}) == 484
