"""
On which days and at which hours: weekdays, holidays and the days worked for them, special days, blackouts, hours.

A day is decided by the first that speaks: a blackout (never), a special day (always), the holiday
calendar, the weekday. Hours hold on every usable day, special days included.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from vouchers.models import DealTerms
from vouchers.verdict.terms import Terms, zone_named

MINUTES_A_DAY = 24 * 60
WORKDAYS = frozenset({1, 2, 3, 4, 5})
Holidays, Makeup = DealTerms.HolidayRule, DealTerms.MakeupRule


@dataclass(frozen=True, slots=True)
class YearDays:
    """One version of a year's calendar: its holidays, and the days worked to make up for them."""

    number: int
    holidays: frozenset[date]
    workdays: frozenset[date]


def is_in_calendar(terms: Terms, *, zone: str, at: datetime) -> bool:
    """
    Whether the terms' days and hours allow ``at``.

    They speak of the store's own days, and a span past midnight belongs to the day it began on: Friday's
    18:00–26:00 holds at 1 o'clock on Saturday, blackout or not.
    """
    return any(is_usable_day(terms, day) for day in _days_open(terms, zone=zone, at=at))


def is_usable_day(terms: Terms, day: date) -> bool:
    """Whether what begins on ``day`` is allowed, its hours left aside."""
    if day in terms.blackout_dates:
        return False
    if day in terms.special_dates:
        return True
    listed = terms.listed_days.get(day)
    if listed is not None:
        return listed
    if terms.holiday_rule == Holidays.ONLY:
        return False
    return not terms.weekdays or day.isoweekday() in terms.weekdays


def why_not_then(terms: Terms, *, zone: str, at: datetime) -> str:
    """
    Which rule keeps ``at`` out, by the name that ``words.rules_in_words`` gives it.

    It speaks of the day whose hours ``at`` lies in, after midnight that is yesterday; outside all hours of today.
    """
    day = next(iter(_days_open(terms, zone=zone, at=at)), at.astimezone(zone_named(zone)).date())
    if is_usable_day(terms, day):
        return "day_spans"
    if day in terms.blackout_dates:
        return "blackout_dates"
    if terms.holiday_rule == Holidays.ONLY or (terms.holiday_rule == Holidays.EXCLUDED and day in terms.holidays):
        return "holiday_rule"
    return "weekdays" if terms.listed_days.get(day) is None else "makeup_rule"


def _days_open(terms: Terms, *, zone: str, at: datetime) -> list[date]:
    """The days whose hours ``at`` lies in, were they usable: today, and yesterday where its hours run past midnight."""
    local = at.astimezone(zone_named(zone))
    today, minute = local.date(), local.hour * 60 + local.minute
    if not terms.day_spans:
        return [today]
    days = ((today, minute), (today - timedelta(days=1), minute + MINUTES_A_DAY))
    return [day for day, then in days if any(first <= then < last for first, last in terms.day_spans)]


def listed_days(
    years: Mapping[int, Collection[YearDays]],
    *,
    frozen: Mapping[int, int],
    holiday_rule: str,
    makeup_rule: str,
    weekdays: frozenset[int],
) -> dict[date, bool]:
    """
    What the calendars say of each day they name: usable where any version says so, from the one on that
    the terms were published under.

    So a later version adds days to what was sold and never takes one away. ``frozen`` is that version by
    year; a year without one was published without a calendar, when no day of it was a holiday.
    """
    rules = (holiday_rule, makeup_rule, weekdays)
    listed: dict[date, bool] = {}
    for year, versions in years.items():
        counted = [version for version in versions if version.number >= frozen.get(year, 0)]
        if year not in frozen:
            counted.append(YearDays(0, frozenset(), frozenset()))
        for day in {day for version in counted for day in version.holidays | version.workdays}:
            listed[day] = any(_allows(version, day, *rules) for version in counted)
    return listed


def all_holidays(years: Mapping[int, Iterable[YearDays]]) -> frozenset[date]:
    return frozenset(day for versions in years.values() for version in versions for day in version.holidays)


def _allows(version: YearDays, day: date, holiday_rule: str, makeup_rule: str, weekdays: frozenset[int]) -> bool:
    fits = not weekdays or day.isoweekday() in weekdays
    if day in version.holidays:
        return fits and holiday_rule != Holidays.EXCLUDED
    if holiday_rule == Holidays.ONLY:
        return False
    if day in version.workdays and makeup_rule == Makeup.WORKDAY:
        return not weekdays or not weekdays.isdisjoint(WORKDAYS)
    return fits


def minutes_of(clock: str) -> int:
    """``"26:00"`` as minutes since the day's midnight; a day may run on to 48:00."""
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
