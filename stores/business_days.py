"""
The business day: the date, in the store's zone, on which the opening period began.

Hours map ISO weekdays ``"1"``..``"7"`` to spans ``[["10:00", "26:00"]]``; 26:00 is 2 o'clock of the
next date, and what happens then still belongs to the day the store opened on. Outside every opening
period a moment belongs to its own calendar date. An empty map means always open.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Hours = Mapping[str, Sequence[Sequence[str]]]

DAY_MINUTES = 24 * 60
LATEST_CLOSING_MINUTES = 36 * 60
WEEKDAYS = tuple("1234567")


def business_date(*, hours: Hours, zone: str, at: datetime) -> date:
    """The business day of a store with these hours at this moment: where spans touch, the later one's own."""
    local = at.astimezone(ZoneInfo(zone))
    yesterday = local.date() - timedelta(days=1)
    minute = local.hour * 60 + local.minute
    return yesterday if _end_of_span(hours, yesterday, minute + DAY_MINUTES) else local.date()


def is_open(*, hours: Hours, zone: str, at: datetime) -> bool:
    """Whether the moment lies in an opening period; its end is exclusive."""
    if not hours:
        return True
    local = at.astimezone(ZoneInfo(zone))
    return _open_until(hours, local.date(), local.hour * 60 + local.minute) is not None


def closing_time(*, hours: Hours, zone: str, at: datetime) -> datetime | None:
    """
    When the doors shut after ``at``: the end of the spans around it that touch one another, over midnight too.

    Outside every opening period the next midnight. None where they stay open for more than a day from ``at``.
    """
    if not hours:
        return None
    local = at.astimezone(ZoneInfo(zone))
    day, now = local.date(), local.hour * 60 + local.minute
    end = _open_until(hours, day, now)
    if end is None:
        return _wall(day, DAY_MINUTES, zone)
    while end - now <= DAY_MINUTES and (later := _open_until(hours, day, end)) is not None:
        end = later
    return _wall(day, end, zone) if end - now <= DAY_MINUTES else None


def check_hours(hours: object) -> None:
    """
    Refuse hours that say nothing definite.

    Raises:
        ValueError: no map of weekdays to spans ``["HH:MM", "HH:MM"]``; a span that is empty, longer
            than a day or beyond 36:00; spans that overlap, those of the day before included.
    """
    if not isinstance(hours, dict):
        raise ValueError("hours map weekdays to spans")
    if unknown := sorted(set(hours) - set(WEEKDAYS)):
        raise ValueError(f"{unknown[0]!r} is no weekday; they are '1' (Monday) to '7'")
    week = sorted(span for day, spans in hours.items() for span in _spans_in_week(day, spans))
    if week:  # the week is a circle: Sunday's late hours meet Monday's
        week.append((week[0][0] + 7 * DAY_MINUTES, week[0][1] + 7 * DAY_MINUTES))
    for (_, end), (start, _) in pairwise(week):
        if start < end:
            raise ValueError("two opening spans overlap")


def check_zone(zone: str) -> None:
    """
    Refuse a zone nobody knows.

    Raises:
        ValueError: not a name of the IANA database, such as ``Asia/Shanghai``.
    """
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, such as "Asia"
        raise ValueError(f"{zone!r} is not a zone of the IANA database, such as Asia/Shanghai") from None


def _wall(day: date, minutes: int, zone: str) -> datetime:
    """What a clock on the wall says ``minutes`` after the day's midnight, as a moment."""
    later = day + timedelta(days=minutes // DAY_MINUTES)
    hour, minute = divmod(minutes % DAY_MINUTES, 60)
    return datetime(later.year, later.month, later.day, hour, minute, tzinfo=ZoneInfo(zone))


def _open_until(hours: Hours, day: date, minute: int) -> int | None:
    """The end of the span around ``minute``, both counted from midnight of ``day``; None where the doors are shut."""
    days, minute = divmod(minute, DAY_MINUTES)
    for before in (0, 1):  # no span is longer than a day
        that = day + timedelta(days=days - before)
        if (end := _end_of_span(hours, that, minute + before * DAY_MINUTES)) is not None:
            return (days - before) * DAY_MINUTES + end
    return None


def _end_of_span(hours: Hours, day: date, minute: int) -> int | None:
    """The end of the day's own span around ``minute``, which may be on the next date."""
    spans = ((_minutes(start), _minutes(end)) for start, end in hours.get(str(day.isoweekday()), ()))
    return next((end for start, end in spans if start <= minute < end), None)


def _spans_in_week(day: str, spans: object) -> Iterator[tuple[int, int]]:
    offset = (int(day) - 1) * DAY_MINUTES
    if not isinstance(spans, list):
        raise ValueError(f"weekday {day}: a list of spans is expected")
    for span in spans:
        if not (isinstance(span, list) and len(span) == 2 and all(isinstance(time, str) for time in span)):
            raise ValueError(f'weekday {day}: a span is two times, ["10:00", "22:00"]')
        start, end = (_minutes(time) for time in span)
        if not (start < DAY_MINUTES and start < end <= min(start + DAY_MINUTES, LATEST_CLOSING_MINUTES)):
            raise ValueError(f"weekday {day}: {span[0]}-{span[1]} must last up to a day and end by 36:00")
        yield offset + start, offset + end


@lru_cache(maxsize=4096)
def _minutes(time: str) -> int:
    hour, colon, minute = time.partition(":")
    if not (colon and len(hour) == len(minute) == 2 and (hour + minute).isascii() and (hour + minute).isdigit()):
        raise ValueError(f"{time!r} is not a time HH:MM")
    if int(minute) > 59:
        raise ValueError(f"{time!r} is not a time HH:MM")
    return int(hour) * 60 + int(minute)
