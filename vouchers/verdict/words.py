"""
The terms as sentences, in Chinese and English: what the product page promises and what a refusal quotes.

One sentence a rule, made from the same ``Terms`` that decide, so a page cannot promise what a counter denies.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from uuid import UUID

from config.kernel.errors import DomainError
from vouchers import errors
from vouchers.models import Deal, DealTerms
from vouchers.verdict.calendar import MINUTES_A_DAY
from vouchers.verdict.terms import Terms, zone_named

MOST_NAMED = 12
WEEKDAYS_ZH = "一二三四五六日"
WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
Names = Mapping[UUID, str]
Said = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as a sentence. ``code`` is the refusal that quotes it; None where it only promises."""

    name: str
    code: str | None
    zh: str
    en: str


def rules_in_words(terms: Terms, names: Names) -> list[Rule]:
    """Every rule of the terms, in the order in which people ask; ``names`` say what ids stand for."""
    said = []
    for name, (refusal, sentence) in RULES.items():
        if words := sentence(terms, names):
            said.append(Rule(name, refusal.code if refusal and _refuses(name, terms) else None, *words))
    return said


def rule_in_words(name: str, terms: Terms, names: Names) -> Rule:
    """The sentence of one rule that the terms have."""
    refusal, sentence = RULES[name]
    words = sentence(terms, names)
    assert words is not None, "a rule that refuses is one that the terms have"
    return Rule(name, refusal.code if refusal else None, *words)


def yuan(fen: int) -> str:
    """``2050`` → ``20.5``: as prices are written."""
    return f"{fen / 100:.2f}".rstrip("0").rstrip(".")


def _refuses(name: str, terms: Terms) -> bool:
    """Whether the rule, as these terms have it, ever refuses anything; it only promises otherwise."""
    if name == "holiday_rule":
        return terms.holiday_rule != DealTerms.HolidayRule.USABLE
    if name == "dearer_stores":
        return terms.dearer_stores == DealTerms.DearerStores.EXCLUDED
    if name == "refundable_unused":
        return not terms.refundable_unused
    if name == "store_scope":
        return not terms.scope.everywhere or bool(
            terms.scope.except_stores or terms.scope.except_regions or terms.scope.except_groups
        )
    return True


def _worth(terms: Terms, names: Names) -> Said | None:
    if terms.face_value_fen is None:
        return None
    face = yuan(terms.face_value_fen)
    return f"抵 {face} 元，不找零", f"Takes ¥{face} off; gives no change"


def _discount(terms: Terms, names: Names) -> Said | None:
    if terms.discount_rate_bps is None:
        return None
    zh = f"{(10_000 - terms.discount_rate_bps) / 1_000:g} 折" if terms.discount_rate_bps < 10_000 else "免单"
    en = f"{terms.discount_rate_bps / 100:g}% off"
    if terms.discount_cap_fen is not None:
        cap = yuan(terms.discount_cap_fen)
        return f"{zh}，最多减 {cap} 元", f"{en}, ¥{cap} at most"
    return zh, en


def _uses(terms: Terms, names: Names) -> Said | None:
    if terms.kind != Deal.Kind.TIMES_CARD:
        return None
    return f"可用 {len(terms.use_list_fen)} 次", f"Good for {len(terms.use_list_fen)} uses"


def _validity(terms: Terms, names: Names) -> Said:
    if (days := terms.days_now) is not None:
        return f"购买后 {days} 天内有效", f"Valid on the day of purchase and for {days} days after it"
    assert terms.usable_from is not None, "terms_say_when_they_hold"
    assert terms.until_now is not None, "terms_say_when_they_hold"
    zone = zone_named(terms.zone)
    first = terms.usable_from.astimezone(zone).date()
    last = (terms.until_now.astimezone(zone) - timedelta(microseconds=1)).date()
    return f"{_day_zh(first)}至{_day_zh(last)}有效", f"Valid from {_day_en(first)} to {_day_en(last)}"


def _weekdays(terms: Terms, names: Names) -> Said | None:
    if not terms.weekdays:
        return None
    runs = _runs(sorted(terms.weekdays))
    zh = "、".join(
        f"周{WEEKDAYS_ZH[first - 1]}" + (f"至周{WEEKDAYS_ZH[last - 1]}" if last > first else "") for first, last in runs
    )
    en = ", ".join(
        WEEKDAYS_EN[first - 1] + (f" to {WEEKDAYS_EN[last - 1]}" if last > first else "") for first, last in runs
    )
    return f"{zh}可用", f"Usable {en}"


def _day_spans(terms: Terms, names: Names) -> Said | None:
    if not terms.day_spans:
        return None
    zh = "、".join(f"{_clock(first, '')}–{_clock(last, '次日')}" for first, last in terms.day_spans)
    en = ", ".join(f"{_clock(first, '')}–{_clock(last, 'next day ')}" for first, last in terms.day_spans)
    return f"可用时段 {zh}", f"Usable at {en}"


def _holiday_rule(terms: Terms, names: Names) -> Said:
    return {
        DealTerms.HolidayRule.USABLE: ("节假日通用", "Holidays are like other days"),
        DealTerms.HolidayRule.EXCLUDED: ("法定节假日不可用", "Not usable on public holidays"),
        DealTerms.HolidayRule.ONLY: ("仅法定节假日可用", "Usable on public holidays only"),
    }[DealTerms.HolidayRule(terms.holiday_rule)]


def _makeup_rule(terms: Terms, names: Names) -> Said | None:
    if not terms.weekdays:
        return None
    if terms.makeup_rule == DealTerms.MakeupRule.WORKDAY:
        return "调休上班日按工作日算", "A weekend day worked for a holiday counts as a workday"
    return "调休上班日按当天星期几算", "A weekend day worked for a holiday stays the weekday it is"


def _special_dates(terms: Terms, names: Names) -> Said | None:
    if not terms.special_dates:
        return None
    zh, en = _dates(terms.special_dates)
    return f"另外可用：{zh}", f"Usable besides: {en}"


def _blackout_dates(terms: Terms, names: Names) -> Said | None:
    if not terms.blackout_dates:
        return None
    zh, en = _dates(terms.blackout_dates)
    return f"不可用日期：{zh}", f"Not usable on {en}"


def _store_scope(terms: Terms, names: Names) -> Said:
    scope = terms.scope
    taken_in = _named([*scope.regions, *scope.groups, *scope.stores], names)
    excepted = _named([*scope.except_regions, *scope.except_groups, *scope.except_stores], names)
    zh = "全部门店可用" if scope.everywhere else f"限这些门店使用：{taken_in[0]}"
    en = "Honoured at every store" if scope.everywhere else f"Honoured at: {taken_in[1]}"
    return (f"{zh}（{excepted[0]}除外）", f"{en}, except {excepted[1]}") if excepted[0] else (zh, en)


def _dearer_stores(terms: Terms, names: Names) -> Said:
    return {
        DealTerms.DearerStores.INCLUDED: ("高价门店同样可用，不加价", "Honoured at dearer stores too, at no extra"),
        DealTerms.DearerStores.PAY_DIFFERENCE: (
            "机场、景区等高价门店需补差价",
            "At dearer stores the difference is paid",
        ),
        DealTerms.DearerStores.EXCLUDED: (
            "机场、景区等高价门店不可用",
            "Not honoured at dearer stores such as airports",
        ),
    }[DealTerms.DearerStores(terms.dearer_stores)]


def _product_scope(terms: Terms, names: Names) -> Said:
    scope = terms.product_scope
    taken_in = _listed([*sorted(scope.categories), *_names(scope.products, names)])
    excepted = _listed(_names(scope.except_products, names))
    zh = "全部商品可用" if scope.everything else f"限这些商品使用：{taken_in[0]}"
    en = "For everything on the menu" if scope.everything else f"For: {taken_in[1]}"
    return (f"{zh}（{excepted[0]}除外）", f"{en}, except {excepted[1]}") if excepted[0] else (zh, en)


def _substitutes(terms: Terms, names: Names) -> Said | None:
    if not terms.substitutes:
        return None
    pairs = sorted((names.get(one, "?"), _listed(_names(instead, names))) for one, instead in terms.substitutes.items())
    zh = "；".join(f"{one}可换{instead[0]}" for one, instead in pairs)
    en = "; ".join(f"{one} may be {instead[1]} instead" for one, instead in pairs)
    return zh, en


def _min_spend(terms: Terms, names: Names) -> Said | None:
    if not terms.min_spend_fen:
        return None
    least = yuan(terms.min_spend_fen)
    return f"满 {least} 元可用", f"For bills of ¥{least} or more"


def _max_per_order(terms: Terms, names: Names) -> Said | None:
    if terms.max_per_order is None:
        return None
    return f"每单最多用 {terms.max_per_order} 张", f"At most {terms.max_per_order} an order"


def _stacking_group(terms: Terms, names: Names) -> Said | None:
    if not terms.stacking_group:
        return None
    return "不能和其他同享组的券一起用", "Does not combine with vouchers of another stacking group"


def _refundable_unused(terms: Terms, names: Names) -> Said:
    if terms.refundable_unused:
        return "未使用随时退", "Refunded any time before use"
    return "未使用也不退款", "Not refunded, even unused"


def _refunds_on_expiry(terms: Terms, names: Names) -> Said:
    return (
        ("过期自动退", "Refunded when it expires")
        if terms.refunds_on_expiry
        else ("过期不退", "Not refunded after it expires")
    )


Sentence = Callable[[Terms, Names], Said | None]
RULES: Mapping[str, tuple[type[DomainError] | None, Sentence]] = {
    "face_value": (None, _worth),
    "discount": (errors.BillAmountRequired, _discount),
    "uses": (errors.VoucherAlreadyRedeemed, _uses),
    "validity": (errors.VoucherExpired, _validity),
    "weekdays": (errors.VoucherNotUsableNow, _weekdays),
    "day_spans": (errors.VoucherNotUsableNow, _day_spans),
    "holiday_rule": (errors.VoucherNotUsableNow, _holiday_rule),
    "makeup_rule": (errors.VoucherNotUsableNow, _makeup_rule),
    "special_dates": (None, _special_dates),
    "blackout_dates": (errors.VoucherNotUsableNow, _blackout_dates),
    "store_scope": (errors.WrongStore, _store_scope),
    "dearer_stores": (errors.WrongStore, _dearer_stores),
    "product_scope": (None, _product_scope),
    "substitutes": (None, _substitutes),
    "min_spend": (errors.MinSpendNotReached, _min_spend),
    "max_per_order": (errors.TooManyOfOneDeal, _max_per_order),
    "stacking_group": (errors.VouchersDoNotCombine, _stacking_group),
    "refundable_unused": (errors.VoucherNotRefundable, _refundable_unused),
    "refunds_on_expiry": (None, _refunds_on_expiry),
}
"""Every rule by its name: the refusal that quotes it, and its sentence."""


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """``[1, 2, 3, 6]`` → ``[(1, 3), (6, 6)]``; ``numbers`` ascend."""
    breaks = [0, *(place for place, (one, other) in enumerate(pairwise(numbers), 1) if other > one + 1), len(numbers)]
    return [(numbers[first], numbers[last - 1]) for first, last in pairwise(breaks)]


def _clock(minutes: int, next_day: str) -> str:
    late, minutes = divmod(minutes, MINUTES_A_DAY) if minutes > MINUTES_A_DAY else (0, minutes)
    return f"{next_day if late else ''}{minutes // 60:02d}:{minutes % 60:02d}"


def _dates(days: Collection[date]) -> Said:
    shown = sorted(days)
    zh = "、".join(_day_zh(day) for day in shown[:MOST_NAMED]) + (
        f"等 {len(shown)} 天" if len(shown) > MOST_NAMED else ""
    )
    en = ", ".join(_day_en(day) for day in shown[:MOST_NAMED])
    return zh, en + (f" and {len(shown) - MOST_NAMED} more days" if len(shown) > MOST_NAMED else "")


def _named(ids: Iterable[UUID], names: Names) -> Said:
    return _listed(_names(ids, names))


def _names(ids: Iterable[UUID], names: Names) -> list[str]:
    return sorted(names.get(one, "?") for one in ids)


def _listed(names: Sequence[str]) -> Said:
    more = len(names) - MOST_NAMED
    zh, en = "、".join(names[:MOST_NAMED]), ", ".join(names[:MOST_NAMED])
    return (f"{zh}等 {len(names)} 项", f"{en} and {more} more") if more > 0 else (zh, en)


def _day_zh(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _day_en(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"
