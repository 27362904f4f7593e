"""holidays.publish numbers a year's calendars; a list of them is taken whole or not at all."""

import io
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry
from stores.errors import CalendarFileRefused, CalendarInvalid, ListEmpty
from stores.models import Brand, HolidayCalendar
from stores.services import holidays
from stores.services.holidays import NewCalendar
from stores.services.made import Made
from stores.signals import calendar_published
from tests import factories
from tests.factories import NOW
from tests.vouchers.http import as_staff

pytestmark = pytest.mark.django_db(transaction=True)

OWNER = Caller(kind=CallerKind.STAFF, id=uuid4())
NATIONAL_DAY, MADE_UP = date(2026, 10, 1), date(2026, 10, 10)
PLAIN = "date,kind,name\n2026-10-01,holiday,国庆节\n2026-10-10,workday,国庆节\n"


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def publish(brand: Brand, *, year: int = 2026, days: Any = None, worked: Any = ()) -> Made[HolidayCalendar]:
    new = NewCalendar(year, {NATIONAL_DAY: "国庆节"} if days is None else days, frozenset(worked))
    return holidays.publish(brand_id=brand.id, new=new, by=OWNER, at=NOW)


def imported(brand: Brand, text: str | bytes) -> Made[HolidayCalendar]:
    raw = text.encode() if isinstance(text, str) else text
    return holidays.import_csv(brand_id=brand.id, source=io.BytesIO(raw), by=OWNER, at=NOW)


def test_versions_are_numbered_in_their_year_and_announced(brand: Brand) -> None:
    heard = []

    def listen(sender: object, brand_id: Any, year: int, **_: Any) -> None:
        heard.append((brand_id, year))

    calendar_published.connect(listen)
    try:
        first = publish(brand)
        second = publish(brand, worked=[MADE_UP])
        other_year = publish(brand, year=2027, days={date(2027, 1, 1): "元旦"})
    finally:
        calendar_published.disconnect(listen)

    assert [made.row.number for made in (first, second, other_year)] == [1, 2, 1]
    assert heard == [(brand.id, 2026), (brand.id, 2026), (brand.id, 2027)]
    assert AuditEntry.objects.filter(act="calendar.published", actor_id=OWNER.id).count() == 3


def test_what_equals_the_latest_is_the_latest(brand: Brand) -> None:
    first = publish(brand)

    again = publish(brand)

    assert (again.row.id, again.is_new) == (first.row.id, False)
    assert HolidayCalendar.objects.count() == 1


@pytest.mark.parametrize(
    ("days", "worked"), [({date(2025, 12, 31): ""}, []), ({NATIONAL_DAY: ""}, [NATIONAL_DAY]), ({}, [date(2027, 1, 1)])]
)
def test_a_calendar_that_contradicts_itself_is_refused(brand: Brand, days: Any, worked: Any) -> None:
    with pytest.raises(CalendarInvalid):
        publish(brand, days=days, worked=worked)


def test_a_calendar_is_written_once(brand: Brand) -> None:
    publish(brand)

    for act in (lambda: HolidayCalendar.objects.update(number=9), lambda: HolidayCalendar.objects.all().delete()):
        with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
            act()


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "\ufeff" + PLAIN,
        PLAIN.encode("gbk"),
        "类型,名称,日期\n休,国庆节,2026/10/1\n\n班,国庆节,2026年10月10日\n",
        PLAIN.replace("2026-10-01", "２０２６-１０-０１"),
    ],
)
def test_a_list_is_read_as_people_write_it(brand: Brand, text: str | bytes) -> None:
    calendar = imported(brand, text).row

    assert (calendar.year, calendar.workdays) == (2026, [MADE_UP])
    assert calendar.holidays == [{"date": "2026-10-01", "name": "国庆节"}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("date,name\n2026-10-01,x\n", [(1, "column_missing")]),
        (PLAIN + "2026-13-01,holiday,\n2026-10-02,feast,\n", [(4, "not_a_date"), (5, "kind_unknown")]),
        (PLAIN + "2026-10-01,workday,\n", [(4, "day_twice")]),
        (PLAIN + "2026-10-03,holiday," + "节" * 33 + "\n", [(4, "name_unusable")]),
        (PLAIN + '2026-10-03,holiday,"no end\n', [(1, "not_csv")]),
        ("date,kind\n" + "2026-10-01,holiday\n" * 1_001, [(1_001, "too_many_lines")]),
    ],
)
def test_a_list_at_fault_names_its_lines_and_publishes_nothing(brand: Brand, text: str, told: Any) -> None:
    with pytest.raises(CalendarFileRefused) as refused:
        imported(brand, text)

    assert [(one["line"], one["code"]) for one in refused.value.details["problems"]] == told
    assert not HolidayCalendar.objects.exists()


@pytest.mark.parametrize("text", ["", "date,kind,name\n", "date,kind\n\n , \n"])
def test_a_list_of_nothing_is_refused(brand: Brand, text: str) -> None:
    with pytest.raises(ListEmpty):
        imported(brand, text)


def send(method: str, path: str, who: dict[str, str], body: Any = None, content_type: str = "application/json") -> Any:
    return getattr(Client(), method)(f"/api/v1/{path}", body, content_type=content_type, headers=who)


def test_over_http_a_brand_publishes_imports_and_reads_its_own(brand: Brand) -> None:
    operator, stranger = (as_staff(factories.staff(one, role="operator").user) for one in (brand, factories.brand()))
    body = {"year": 2026, "holidays": [{"date": "2026-10-01", "name": "国庆节"}], "workdays": ["2026-10-10"]}

    first = send("post", "calendars", operator, body)
    same = send("post", "calendars/imports", operator, PLAIN, "text/csv")
    second = send("post", "calendars/imports", operator, PLAIN + "2026-10-02,休,国庆节\n", "text/csv")

    assert [answer.status_code for answer in (first, same, second)] == [201, 200, 201]
    assert (first.json()["id"], second.json()["number"]) == (same.json()["id"], 2)
    mine = Client().get("/api/v1/calendars?year=2026", headers=operator).json()["items"]
    assert [one["number"] for one in mine] == [2, 1]
    one = f"calendars/{first.json()['id']}"
    assert Client().get(f"/api/v1/{one}", headers=operator).json()["workdays"] == ["2026-10-10"]
    assert Client().get(f"/api/v1/{one}", headers=stranger).status_code == 404
    assert send("post", "calendars/imports", operator, "", "text/csv").json()["error"]["code"] == "list_empty"
    clerk = as_staff(factories.staff(brand, store=factories.store(brand)).user)
    assert send("post", "calendars", clerk, body).status_code == 403
