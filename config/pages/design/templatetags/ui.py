"""The template tags of the design: words, money, codes, times, drawings. They are built in: no ``{% load %}``."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from config.kernel.errors import DomainError
from config.pages.design import words
from config.pages.design.icons import ICONS

register = template.Library()


@register.simple_tag(takes_context=True)
def say(context: Context, key: str, **values: Any) -> str:
    """A text of the catalogue in the page's language. Values are escaped as all text is."""
    return words.say(key, context["language"], **values)


@register.simple_tag
def icon(name: str, cls: str = "") -> SafeString:
    """A drawing beside words; nobody reads it aloud."""
    return format_html(
        '<svg class="icon {}" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="{}"/></svg>',
        cls,
        ICONS[name],
    )


@register.simple_tag
def money(fen: int, cls: str = "") -> SafeString:
    """``1234`` as ¥12.34: two decimals always, the sign smaller, a minus before it."""
    sign = "\N{MINUS SIGN}" if fen < 0 else ""
    figure = f"{abs(fen) // 100:,}.{abs(fen) % 100:02d}"
    return format_html('<span class="money {}">{}<span class="money-sign">¥</span>{}</span>', cls, sign, figure)


@register.filter
def figure(fen: int) -> str:
    """``1234`` as ``12.34``, for a sum that is spelled out beside its money."""
    return f"{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


@register.simple_tag
def code(digits: str, cls: str = "") -> SafeString:
    """A voucher's code in groups of four, read aloud digit by digit."""
    shown = f"••••{digits[-4:]}" if "•" in digits else digits
    groups = " ".join(shown[place : place + 4] for place in range(0, len(shown), 4))
    aloud = " ".join(digits.replace("•", ""))
    return format_html('<span class="code {}" role="text" aria-label="{}">{}</span>', cls, aloud, groups)


@register.simple_tag(takes_context=True)
def refusal(context: Context, error: DomainError) -> str:
    """Why not, in the page's language; never the code."""
    return error.message(context["language"])


@register.simple_tag(takes_context=True)
def distance(context: Context, metres: int) -> str:
    """480 米, 1.2 公里."""
    if metres < 1_000:
        return words.say("metres", context["language"], n=metres)
    return words.say("kilometres", context["language"], n=f"{metres / 1_000:.1f}")


@register.simple_tag
def clock(at: datetime | str, zone: str = "Asia/Shanghai", *, seconds: bool = False) -> SafeString:
    """14:06 in the store's zone, as a ``<time>``."""
    moment = _moment(at)
    local = moment.astimezone(ZoneInfo(zone))
    return format_html(
        '<time datetime="{}">{}</time>', moment.isoformat(), local.strftime("%H:%M:%S" if seconds else "%H:%M")
    )


@register.simple_tag(takes_context=True)
def day_and_time(context: Context, at: datetime | str, zone: str, now: datetime) -> str:
    """今天 14:06, 昨天 09:30, 3 月 5 日 12:00."""
    local, today = _moment(at).astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    time, language = local.strftime("%H:%M"), context["language"]
    if local.date() == today:
        return words.say("today_at", language, time=time)
    if local.date() == today - timedelta(days=1):
        return words.say("yesterday_at", language, time=time)
    return words.say("on_day_at", language, month=local.month, day=local.day, time=time)


@register.simple_tag(takes_context=True)
def ago(context: Context, at: datetime | str, now: datetime) -> str:
    """21 分钟前; empty from a day on, when the date says more."""
    minutes = int((now - _moment(at)).total_seconds()) // 60
    if minutes < 1:
        return words.say("just_now", context["language"])
    if minutes < 60:
        return words.say("minutes_ago", context["language"], n=minutes)
    return words.say("hours_ago", context["language"], n=minutes // 60) if minutes < 24 * 60 else ""


@register.simple_tag
def countdown(until: datetime, now: datetime, cls: str = "") -> SafeString:
    """
    Time left, ticking by the server's clock (``data-now`` is its time when the page was made).

    The page only counts: at zero it sends ``countdown-over``, and whoever listens asks the server.
    """
    left = max(int((until - now).total_seconds()), 0)
    return format_html(
        '<time class="countdown {}" data-until="{}" data-now="{}" datetime="PT{}S" aria-live="off">{}</time>',
        cls,
        int(until.timestamp() * 1000),
        int(now.timestamp() * 1000),
        left,
        _left(left),
    )


@register.simple_tag
def empty_picture() -> SafeString:
    """A cup nobody has filled yet: what stands on a page without rows."""
    return mark_safe(
        '<svg class="drawing" viewBox="0 0 96 96" aria-hidden="true" focusable="false">'
        '<path d="M28 34h40l-4.5 46h-31z"/><path d="M24 34l4-10h40l4 10z"/><path d="M56 24l6-16h9"/>'
        '<path d="M36 56c5 4 8-4 13 0s8 3 11 0"/></svg>'
    )


def _left(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours:d}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"


def _moment(at: datetime | str) -> datetime:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@register.filter
def get_request_id(meta: dict[str, Any]) -> str:
    """What to name when asking for help about this answer."""
    return str(meta.get("hexiao.request_id", ""))


@register.filter
def milliseconds(at: datetime) -> int:
    """A moment as a page's script counts it."""
    return int(at.timestamp() * 1000)
