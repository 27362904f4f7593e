"""Whether a change of published terms can only please those who hold vouchers under them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vouchers.errors import AmendmentNotInFavour
from vouchers.models import DealTerms
from vouchers.services.terms_check import MOST_USABLE_DAYS
from vouchers.verdict import MINUTES_A_DAY, minutes_of, product_scope_of, scope_of
from vouchers.verdict.calendar import WORKDAYS

EVERY_DAY = frozenset(range(1, 8))
KINDNESS = (DealTerms.DearerStores.EXCLUDED, DealTerms.DearerStores.PAY_DIFFERENCE, DealTerms.DearerStores.INCLUDED)
Values = Mapping[str, Any]


def check_favour(before: Values, after: Values) -> None:
    """
    Refuse an amendment that could take anything from anybody, whatever her voucher, store, day or cart.

    Rules are compared by what they say, not by what happens to be so today: a scope that names other
    regions is refused even where those hold the same stores.

    Raises:
        AmendmentNotInFavour: names the field and what it would have to be.
    """
    for name, (is_in_favour, reason, zh) in FAVOUR.items():
        if before[name] != after[name] and not is_in_favour(before, after):
            raise AmendmentNotInFavour(param=name, reason=f"{name} {reason}", zh=zh)


def _later(before: Values, after: Values) -> bool:
    return bool(before["usable_until"] is not None and after["usable_until"] > before["usable_until"])


def _more_days(before: Values, after: Values) -> bool:
    days = before["usable_days"]
    return bool(days is not None and days < after["usable_days"] <= MOST_USABLE_DAYS)


def _more_weekdays(before: Values, after: Values) -> bool:
    return not after["weekdays"] or (bool(before["weekdays"]) and {*before["weekdays"]} <= {*after["weekdays"]})


def _longer_hours(before: Values, after: Values) -> bool:
    covered = _merged(after["day_spans"])
    return all(any(first <= a and b <= last for first, last in covered) for a, b in _merged(before["day_spans"]))


def _fewer_blackouts(before: Values, after: Values) -> bool:
    return {*after["blackout_dates"]} <= {*before["blackout_dates"]}


def _more_special_days(before: Values, after: Values) -> bool:
    return {*before["special_dates"]} <= {*after["special_dates"]}


def _holidays_usable(before: Values, after: Values) -> bool:
    return bool(after["holiday_rule"] == DealTerms.HolidayRule.USABLE)


def _makeup_days_gained(before: Values, after: Values) -> bool:
    """As a workday or as itself: whichever it was before, a worked weekend day stays usable where it was."""
    weekdays = {*after["weekdays"]} or EVERY_DAY
    if after["makeup_rule"] == DealTerms.MakeupRule.WORKDAY:
        return not WORKDAYS.isdisjoint(weekdays)
    return weekdays == EVERY_DAY


def _more_stores(before: Values, after: Values) -> bool:
    return scope_of(after["store_scope"]).takes_in(scope_of(before["store_scope"]))


def _kinder_at_dearer_stores(before: Values, after: Values) -> bool:
    return KINDNESS.index(after["dearer_stores"]) > KINDNESS.index(before["dearer_stores"])


def _more_products(before: Values, after: Values) -> bool:
    return product_scope_of(after["product_scope"]).takes_in(product_scope_of(before["product_scope"]))


def _lower(before: Values, after: Values) -> bool:
    return bool(0 <= after["min_spend_fen"] < before["min_spend_fen"])


def _combines_with_all(before: Values, after: Values) -> bool:
    return not after["stacking_group"]


def _more_an_order(before: Values, after: Values) -> bool:
    before_, after_ = before["max_per_order"], after["max_per_order"]
    return bool(after_ is None or (before_ is not None and after_ > before_))


def _turned_on(name: str) -> Callable[[Values, Values], bool]:
    return lambda before, after: bool(after[name])


def _merged(spans: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Spans as minutes, those that touch made one; no span at all is the whole day."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted((minutes_of(first), minutes_of(last)) for first, last in spans) or [(0, MINUTES_A_DAY)]:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


FAVOUR: Mapping[str, tuple[Callable[[Values, Values], bool], str, str]] = {
    "usable_until": (_later, "only moves to a later time, where the terms name dates", "有效期只能延长"),
    "usable_days": (_more_days, "only grows, where the terms count days", "有效天数只能增加"),
    "weekdays": (_more_weekdays, "only gains days", "可用星期只能增加"),
    "day_spans": (_longer_hours, "cover all hours they covered, those past midnight by name", "可用时段只能增加"),
    "blackout_dates": (_fewer_blackouts, "only loses dates", "不可用日期只能减少"),
    "special_dates": (_more_special_days, "only gains dates", "额外可用日期只能增加"),
    "holiday_rule": (_holidays_usable, "only becomes usable", "节假日规则只能改为可用"),
    "makeup_rule": (_makeup_days_gained, "changes only where no worked weekend day is lost", "调休规则会减少可用日期"),
    "store_scope": (_more_stores, "takes in all that it took in, by name", "适用门店只能增加"),
    "dearer_stores": (_kinder_at_dearer_stores, "only goes towards included", "高价门店规则只能放宽"),
    "product_scope": (_more_products, "takes in all that it took in, by name", "适用商品只能增加"),
    "min_spend_fen": (_lower, "only gets lower", "使用门槛只能降低"),
    "stacking_group": (_combines_with_all, "only goes away", "同享限制只能取消"),
    "max_per_order": (_more_an_order, "only grows, or goes away", "每单可用张数只能增加"),
    "refundable_unused": (_turned_on("refundable_unused"), "only becomes true", "只能改为未使用可退"),
    "refunds_on_expiry": (_turned_on("refunds_on_expiry"), "only becomes true", "只能改为过期自动退"),
}
