"""Holiday calendars: each year's days off and the days worked to make up for them, in numbered versions."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Any
from uuid import UUID

from django.db import transaction

from config.kernel.caller import Caller
from stores.errors import CalendarFileRefused, CalendarInvalid, ListEmpty
from stores.models import HolidayCalendar
from stores.services import brands, trail
from stores.services.csv_lists import detect_encoding
from stores.services.made import Made
from stores.signals import calendar_published

HEADINGS = {"date": {"date", "日期"}, "kind": {"kind", "类型"}, "name": {"name", "名称", "节日"}}
KINDS = {
    **dict.fromkeys(("holiday", "休", "放假", "节假日", "假"), "holiday"),
    **dict.fromkeys(("workday", "班", "上班", "补班", "调休上班"), "workday"),
}
DAY = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?")
LONGEST_NAME = 32
MOST_LINES = 1_000


@dataclass(frozen=True, slots=True)
class LineProblem:
    """``line`` is the line of the file, the heading being on line 1."""

    line: int
    code: str
    value: str

    def told(self) -> dict[str, Any]:
        return {"line": self.line, "code": self.code, "value": self.value[:80]}


@dataclass(frozen=True, slots=True)
class NewCalendar:
    """A year as it is announced; ``holidays`` maps days off to their names."""

    year: int
    holidays: Mapping[date, str]
    workdays: frozenset[date]


def publish(*, brand_id: UUID, new: NewCalendar, by: Caller, at: datetime) -> Made[HolidayCalendar]:
    """
    The year's next version. What equals the latest version is the latest version.

    Raises:
        CalendarInvalid: a day of another year, or one that is a holiday and worked.
    """
    if strange := sorted(day for day in {*new.holidays, *new.workdays} if day.year != new.year):
        raise CalendarInvalid(day=strange[0].isoformat(), reason=f"it is not a day of {new.year}")
    if both := sorted(new.workdays & new.holidays.keys()):
        raise CalendarInvalid(day=both[0].isoformat(), reason="it cannot be both a holiday and worked")
    holidays = [{"date": day.isoformat(), "name": name} for day, name in sorted(new.holidays.items())]
    workdays = sorted(new.workdays)
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        versions = HolidayCalendar.objects.filter(brand_id=brand_id, year=new.year).order_by("-number")
        latest = versions.first()
        if latest is not None and (latest.holidays, latest.workdays) == (holidays, workdays):
            return Made(latest, is_new=False)
        calendar = HolidayCalendar.objects.create(
            brand_id=brand_id,
            year=new.year,
            number=latest.number + 1 if latest else 1,
            holidays=holidays,
            workdays=workdays,
            published_at=at,
        )
        told = {
            "year": new.year,
            "number": calendar.number,
            "holidays": len(holidays),
            "workdays": len(workdays),
        }
        trail.leave("calendar.published", calendar, brand_id=brand_id, by=by, at=at, details=told)
        calendar_published.send(sender=HolidayCalendar, brand_id=brand_id, year=new.year)
    return Made(calendar, is_new=True)


def import_csv(*, brand_id: UUID, source: IO[bytes], by: Caller, at: datetime) -> Made[HolidayCalendar]:
    """
    ``publish`` out of a list with the columns date, kind (holiday or workday) and, where it likes, name.

    All of it or nothing. The year is that of its days.

    Raises:
        ListEmpty, ListEncodingUnknown: not a list of anything.
        CalendarFileRefused: names every line at fault, the first hundred.
        CalendarInvalid: as it says.
    """
    text = io.TextIOWrapper(source, detect_encoding(source), newline="")
    try:
        new = read(text)
    finally:
        text.detach()  # the wrapper would close what is not ours
    return publish(brand_id=brand_id, new=new, by=by, at=at)


def read(text: io.TextIOBase) -> NewCalendar:
    """
    What the list says.

    Raises:
        ListEmpty: there is no row below a heading.
        CalendarFileRefused: headings or lines at fault.
    """
    holidays: dict[date, str] = {}
    workdays: set[date] = set()
    problems: list[LineProblem] = []
    try:
        rows = list(zip(range(1, MOST_LINES + 2), csv.reader(text, strict=True), strict=False))
    except csv.Error as error:
        raise CalendarFileRefused(problems=[LineProblem(1, "not_csv", str(error))]) from None
    if len(rows) > MOST_LINES:
        raise CalendarFileRefused(problems=[LineProblem(MOST_LINES + 1, "too_many_lines", "")])
    if len(rows) < 2:
        raise ListEmpty
    places = _columns(rows[0][1])
    for line, cells in rows[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        said = {name: cells[place].strip() if place < len(cells) else "" for name, place in places.items()}
        try:
            day = _day(said["date"])
        except ValueError:
            problems.append(LineProblem(line, "not_a_date", said["date"]))
            continue
        kind, name = KINDS.get(said["kind"].lower()), said.get("name", "")
        if kind is None:
            problems.append(LineProblem(line, "kind_unknown", said["kind"]))
        elif day in holidays or day in workdays:
            problems.append(LineProblem(line, "day_twice", day.isoformat()))
        elif len(name) > LONGEST_NAME or not name.isprintable():
            problems.append(LineProblem(line, "name_unusable", ascii(name)))
        elif kind == "holiday":
            holidays[day] = name
        else:
            workdays.add(day)
    if problems:
        raise CalendarFileRefused(problems=problems)
    if not holidays and not workdays:
        raise ListEmpty
    return NewCalendar(min((*holidays, *workdays)).year, holidays, frozenset(workdays))


def _day(text: str) -> date:
    if not (found := DAY.fullmatch(unicodedata.normalize("NFKC", text))):
        raise ValueError(text)
    return date(*map(int, found.groups()))


def _columns(headings: Sequence[str]) -> dict[str, int]:
    plain = [unicodedata.normalize("NFKC", heading).strip().lower() for heading in headings]
    places = {name: _first(plain, called) for name, called in HEADINGS.items()}
    missing = [name for name in ("date", "kind") if places[name] is None]
    if missing:
        raise CalendarFileRefused(problems=[LineProblem(1, "column_missing", name) for name in missing])
    return {name: place for name, place in places.items() if place is not None}


def _first(headings: Sequence[str], called: Iterable[str]) -> int | None:
    return next((place for place, heading in enumerate(headings) if heading in called), None)
