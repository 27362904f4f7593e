"""The date, in the store's zone, on which the opening period began."""

from datetime import UTC, date, datetime

import pytest

from stores.business_days import Hours, business_date, check_hours, check_zone, closing_time, is_open

SHANGHAI = "Asia/Shanghai"
LATE = {day: [["10:00", "26:00"]] for day in "1234567"}
MONDAY, TUESDAY = date(2026, 6, 1), date(2026, 6, 2)


def shanghai(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime.fromisoformat(f"2026-06-{day:02d}T{hour:02d}:{minute:02d}:00+08:00")


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (shanghai(1, 10), MONDAY),
        (shanghai(1, 23, 59), MONDAY),
        (shanghai(2, 0), MONDAY),
        (shanghai(2, 1, 59), MONDAY),
        (shanghai(2, 2), TUESDAY),  # closing is exclusive
        (shanghai(2, 9, 59), TUESDAY),
    ],
)
def test_hours_past_midnight_belong_to_the_day_they_began_on(at: datetime, day: date) -> None:
    assert business_date(hours=LATE, zone=SHANGHAI, at=at) == day


def test_the_day_before_counts_by_its_own_weekday() -> None:
    fridays_only = {"5": [["18:00", "28:00"]]}

    assert business_date(hours=fridays_only, zone=SHANGHAI, at=shanghai(6, 3, 30)) == date(2026, 6, 5)
    assert business_date(hours=fridays_only, zone=SHANGHAI, at=shanghai(7, 3, 30)) == date(2026, 6, 7)


def test_a_store_without_hours_changes_day_at_its_own_midnight() -> None:
    at = datetime(2026, 6, 1, 16, 30, tzinfo=UTC)

    assert business_date(hours={}, zone=SHANGHAI, at=at) == TUESDAY
    assert business_date(hours={}, zone="America/New_York", at=at) == MONDAY


def test_opening_is_inclusive_and_closing_is_not() -> None:
    assert not is_open(hours=LATE, zone=SHANGHAI, at=shanghai(1, 9, 59))
    assert is_open(hours=LATE, zone=SHANGHAI, at=shanghai(1, 10))
    assert is_open(hours=LATE, zone=SHANGHAI, at=shanghai(2, 1, 59))
    assert not is_open(hours=LATE, zone=SHANGHAI, at=shanghai(2, 2))
    assert is_open(hours={}, zone=SHANGHAI, at=shanghai(2, 4))


WHOLE_DAYS = {day: [["00:00", "24:00"]] for day in "1234567"}
SPLIT = {day: [["10:00", "14:00"], ["14:00", "22:00"]] for day in "1234567"}
OVER_MIDNIGHT = {"1": [["18:00", "24:00"]], "2": [["00:00", "02:00"], ["02:00", "06:00"], ["07:00", "22:00"]]}
OVER_THE_WEEKEND = {"7": [["20:00", "26:00"]], "1": [["02:00", "08:00"]]}
NIGHT_TO_NOON = {"1": [["12:00", "36:00"]], "2": [["12:00", "14:00"]]}


@pytest.mark.parametrize(
    ("hours", "at", "closes_at"),
    [
        (LATE, shanghai(1, 11), shanghai(2, 2)),
        (LATE, shanghai(2, 1, 59), shanghai(2, 2)),
        (LATE, shanghai(2, 3), shanghai(3, 0)),  # shut: the next midnight
        (SPLIT, shanghai(1, 10), shanghai(1, 22)),
        (SPLIT, shanghai(1, 13, 59), shanghai(1, 22)),
        (OVER_MIDNIGHT, shanghai(1, 23, 50), shanghai(2, 6)),
        (OVER_MIDNIGHT, shanghai(2, 1), shanghai(2, 6)),
        (OVER_MIDNIGHT, shanghai(2, 8), shanghai(2, 22)),
        (OVER_THE_WEEKEND, shanghai(7, 23), shanghai(8, 8)),
        (OVER_THE_WEEKEND, shanghai(8, 1), shanghai(8, 8)),
        (NIGHT_TO_NOON, shanghai(1, 13, 59), None),  # 24 hours and a minute
        (NIGHT_TO_NOON, shanghai(1, 14), shanghai(2, 14)),
        (WHOLE_DAYS, shanghai(1, 0), None),
        (WHOLE_DAYS, shanghai(1, 23, 59), None),
        ({}, shanghai(1, 23, 59), None),
    ],
)
def test_the_doors_shut_where_no_span_goes_on(hours: Hours, at: datetime, closes_at: datetime | None) -> None:
    assert closing_time(hours=hours, zone=SHANGHAI, at=at) == closes_at


def test_where_spans_touch_each_day_has_its_own_business() -> None:
    assert business_date(hours=WHOLE_DAYS, zone=SHANGHAI, at=shanghai(1, 23, 59)) == MONDAY
    assert business_date(hours=WHOLE_DAYS, zone=SHANGHAI, at=shanghai(2, 0)) == TUESDAY
    assert business_date(hours=OVER_THE_WEEKEND, zone=SHANGHAI, at=shanghai(8, 1, 59)) == date(2026, 6, 7)
    assert business_date(hours=OVER_THE_WEEKEND, zone=SHANGHAI, at=shanghai(8, 2)) == date(2026, 6, 8)


@pytest.mark.parametrize(
    "hours",
    [
        {},
        {"1": []},
        LATE,
        {"7": [["20:00", "26:00"]], "1": [["02:00", "08:00"]]},
        {day: [["00:00", "24:00"]] for day in "1234567"},
        {"2": [["07:00", "10:00"], ["11:00", "22:00"]]},
    ],
)
def test_definite_hours_are_taken(hours: object) -> None:
    check_hours(hours)


@pytest.mark.parametrize(
    "hours",
    [
        [],
        {"0": [["10:00", "22:00"]]},
        {"1": ["10:00-22:00"]},
        {"1": [["10:00"]]},
        {"1": "10:00"},
        {"1": [["10:00", "10:00"]]},
        {"1": [["22:00", "10:00"]]},
        {"1": [["9:00", "10:00"]]},
        {"1": [["09:60", "11:00"]]},
        {"1": [["24:00", "25:00"]]},
        {"1": [["20:00", "36:01"]]},
        {"1": [["10:00", "34:01"]]},
        {"1": [["10:00", "15:00"], ["14:00", "22:00"]]},
        {"1": [["20:00", "26:00"]], "2": [["01:00", "08:00"]]},
        {"7": [["20:00", "26:00"]], "1": [["01:00", "08:00"]]},
        {"1": [[10, 22]]},
        {"1": [["１０:00", "22:00"]]},
    ],
)
def test_indefinite_hours_are_refused(hours: object) -> None:
    with pytest.raises(ValueError, match=r"weekday|time|span|hours"):
        check_hours(hours)


@pytest.mark.parametrize("zone", ["Asia", "Asia/Nowhere", "", "../etc/passwd", "UTC+8"])
def test_a_zone_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        check_zone(zone)
