"""The days and hours of a voucher: weekdays, holidays, the days worked for them, special days, blackouts."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.vouchers.test_verdict import terms
from vouchers.verdict import Terms, YearDays, all_holidays, is_in_calendar, is_usable_day, listed_days, why_not_then

WEEKDAYS, WEEKEND = frozenset({1, 2, 3, 4, 5}), frozenset({6, 7})
THURSDAY_OFF, SUNDAY_OFF = date(2026, 10, 1), date(2026, 10, 4)
SATURDAY_WORKED, MONDAY = date(2026, 10, 10), date(2026, 10, 12)
SHANGHAI = ZoneInfo("Asia/Shanghai")
VERSION_1 = YearDays(1, frozenset({THURSDAY_OFF, SUNDAY_OFF}), frozenset({SATURDAY_WORKED}))


def with_calendar(*versions: YearDays, frozen: dict[int, int] | None = None, **rules: Any) -> Terms:
    plain: dict[str, Any] = {"holiday_rule": "usable", "makeup_rule": "own_weekday", "weekdays": frozenset(), **rules}
    years = {2026: versions or (VERSION_1,)}
    decided = {name: plain[name] for name in ("holiday_rule", "makeup_rule", "weekdays")}
    listed = listed_days(years, frozen={2026: 1} if frozen is None else frozen, **decided)
    return terms(listed_days=listed, holidays=all_holidays(years), **plain)


@pytest.mark.parametrize(
    ("rules", "usable"),
    [
        # Thursday off, Sunday off, Saturday worked, plain Monday
        ({}, (True, True, True, True)),
        ({"weekdays": WEEKDAYS}, (True, False, False, True)),
        ({"holiday_rule": "excluded"}, (False, False, True, True)),
        ({"holiday_rule": "excluded", "weekdays": WEEKDAYS}, (False, False, False, True)),
        ({"holiday_rule": "only"}, (True, True, False, False)),
        ({"holiday_rule": "only", "weekdays": WEEKDAYS}, (True, False, False, False)),
        ({"makeup_rule": "workday", "weekdays": WEEKDAYS}, (True, False, True, True)),
        ({"makeup_rule": "workday", "weekdays": WEEKEND}, (False, True, False, False)),
        ({"makeup_rule": "own_weekday", "weekdays": WEEKEND}, (False, True, True, False)),
        ({"makeup_rule": "workday", "holiday_rule": "only"}, (True, True, False, False)),
        ({"special_dates": frozenset({SUNDAY_OFF}), "holiday_rule": "excluded"}, (False, True, True, True)),
        ({"special_dates": frozenset({MONDAY}), "weekdays": WEEKEND}, (False, True, True, True)),
        ({"blackout_dates": frozenset({MONDAY})}, (True, True, True, False)),
    ],
)
def test_a_day_is_decided_by_the_first_rule_that_speaks(rules: dict[str, Any], usable: tuple[bool, ...]) -> None:
    rule = with_calendar(**rules)

    assert tuple(is_usable_day(rule, day) for day in (THURSDAY_OFF, SUNDAY_OFF, SATURDAY_WORKED, MONDAY)) == usable


def test_a_later_calendar_adds_days_to_what_was_sold_and_takes_none_away() -> None:
    later = YearDays(2, frozenset({THURSDAY_OFF, MONDAY}), frozenset())

    sold_before = with_calendar(VERSION_1, later, frozen={2026: 1}, holiday_rule="excluded")
    sold_after = with_calendar(VERSION_1, later, frozen={2026: 2}, holiday_rule="excluded")

    assert is_usable_day(sold_before, SUNDAY_OFF), "no holiday any more"
    assert is_usable_day(sold_before, MONDAY), "was sold as a working day"
    assert not is_usable_day(sold_before, THURSDAY_OFF)
    assert (is_usable_day(sold_after, SUNDAY_OFF), is_usable_day(sold_after, MONDAY)) == (True, False)


def test_a_day_that_a_calendar_gave_is_kept_when_the_next_one_takes_it_back() -> None:
    versions = [VERSION_1, YearDays(2, frozenset(), frozenset()), YearDays(3, VERSION_1.holidays, frozenset())]

    assert is_usable_day(with_calendar(*versions, holiday_rule="excluded"), THURSDAY_OFF)


def test_a_year_that_had_no_calendar_when_it_was_sold_keeps_all_its_days() -> None:
    assert is_usable_day(with_calendar(frozen={}, holiday_rule="excluded"), THURSDAY_OFF)
    assert is_usable_day(with_calendar(frozen={}, holiday_rule="only"), THURSDAY_OFF), "and gains what it waited for"


@pytest.mark.parametrize(
    ("day", "rules", "rule"),
    [
        (MONDAY, {"blackout_dates": frozenset({MONDAY})}, "blackout_dates"),
        (MONDAY, {"weekdays": WEEKEND}, "weekdays"),
        (MONDAY, {"holiday_rule": "only"}, "holiday_rule"),
        (THURSDAY_OFF, {"holiday_rule": "excluded"}, "holiday_rule"),
        (SATURDAY_WORKED, {"weekdays": WEEKEND, "makeup_rule": "workday"}, "makeup_rule"),
        (MONDAY, {"day_spans": ((0, 60),)}, "day_spans"),
    ],
)
def test_it_names_the_rule_that_stands_in_the_way(day: date, rules: dict[str, Any], rule: str) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
    calendar = with_calendar(**rules)

    assert not is_in_calendar(calendar, zone="Asia/Shanghai", at=noon)
    assert why_not_then(calendar, zone="Asia/Shanghai", at=noon) == rule


@pytest.mark.parametrize(
    ("moment", "rules", "rule"),
    [
        (
            datetime(2026, 10, 16, 1, tzinfo=SHANGHAI),
            {"weekdays": frozenset({5})},
            "weekdays",
        ),  # Friday: Thursday's hours are not over
        (datetime(2026, 10, 13, 1, tzinfo=SHANGHAI), {"blackout_dates": frozenset({MONDAY})}, "blackout_dates"),
        (datetime(2026, 10, 2, 1, tzinfo=SHANGHAI), {"holiday_rule": "excluded"}, "holiday_rule"),
        (datetime(2026, 10, 16, 3, tzinfo=SHANGHAI), {"weekdays": frozenset({5})}, "day_spans"),
        (datetime(2026, 10, 15, 19, tzinfo=SHANGHAI), {"weekdays": frozenset({5})}, "weekdays"),
    ],
)
def test_after_midnight_it_names_the_rule_of_the_day_before(moment: datetime, rules: dict[str, Any], rule: str) -> None:
    late = with_calendar(day_spans=((18 * 60, 26 * 60),), **rules)

    assert not is_in_calendar(late, zone="Asia/Shanghai", at=moment)
    assert why_not_then(late, zone="Asia/Shanghai", at=moment) == rule


def test_hours_hold_on_special_days_too_and_by_each_stores_own_clock() -> None:
    rule = with_calendar(special_dates=frozenset({SUNDAY_OFF}), weekdays=WEEKDAYS, day_spans=((18 * 60, 26 * 60),))
    one_at_night = datetime(2026, 10, 4, 17, 30, tzinfo=UTC)  # 1:30 on Monday in Shanghai, Sunday evening in Berlin

    assert is_in_calendar(rule, zone="Asia/Shanghai", at=one_at_night)
    assert is_in_calendar(rule, zone="Europe/Berlin", at=one_at_night)
    assert not is_in_calendar(rule, zone="America/New_York", at=one_at_night)
