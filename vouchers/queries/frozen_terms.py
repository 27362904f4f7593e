"""Terms as every process remembers them: the row that was frozen, and what was given on top since."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from config.kernel.ids import parse
from stores.models import HolidayCalendar, Product
from vouchers.models import Amendment, DealTerms, TermsRevision
from vouchers.verdict import (
    Extension,
    Terms,
    YearDays,
    all_holidays,
    listed_days,
    minutes_of,
    product_scope_of,
    scope_of,
)

AMENDABLE = (
    *("usable_until", "usable_days", "weekdays", "day_spans", "blackout_dates", "special_dates"),
    *("holiday_rule", "makeup_rule", "store_scope", "dearer_stores", "product_scope", "min_spend_fen"),
    *("stacking_group", "max_per_order", "refundable_unused", "refunds_on_expiry"),
)
"""What an amendment may change, ``substitutes`` besides; everything else of the terms never moves."""

_terms: dict[UUID, Terms] = {}


def terms(ids: Collection[UUID], *, revisions: Mapping[UUID, int] | None = None) -> dict[UUID, Terms]:
    """
    The terms behind ``ids`` as they hold now, out of this process's memory where that is fresh.

    ``revisions`` are those of ``TermsRevision`` as a statement of the caller's has just read them; without
    it they are asked for. Only terms that are new here, or that have moved, are read again: a brand has
    hundreds, not millions.
    """
    now = revisions_of(ids) if revisions is None else revisions
    missing = [one for one in ids if one not in _terms or _terms[one].revision < now.get(one, 0)]
    if missing:
        _terms.update(_read(missing, now))
    return {one: _terms[one] for one in ids if one in _terms}


def forget() -> None:
    """All of them, as a process that has just begun."""
    _terms.clear()


def revisions_of(ids: Collection[UUID]) -> dict[UUID, int]:
    """How often the terms have moved since they were published; those that never did are left out."""
    return dict(TermsRevision.objects.filter(terms_id__in=ids).values_list("terms_id", "number"))


def not_yet_published(row: DealTerms) -> Terms:
    """What a row that is not stored yet would say."""
    years = _years({row.deal.brand_id})[row.deal.brand_id] if heeds_holidays(amended(row, [])) else {}
    return _frozen(row, [], years, 0)


def amended(row: DealTerms, amendments: Iterable[Amendment]) -> dict[str, Any]:
    """What of the terms may be amended, as it is after ``amendments``, in the types of ``DealTerms``."""
    values = {name: getattr(row, name) for name in AMENDABLE} | {"substitutes": {}}
    for amendment in amendments:
        said = amendment_values(amendment.changes)
        values["substitutes"] = _joined(values["substitutes"], said.pop("substitutes", {}))
        values |= said
    return values


def amendment_values(changes: Mapping[str, Any]) -> dict[str, Any]:
    """``Amendment.changes`` in the types of ``DealTerms``."""
    values = dict(changes)
    for name in ("blackout_dates", "special_dates"):
        if name in values:
            values[name] = [date.fromisoformat(day) for day in values[name]]
    if "usable_until" in values:
        values["usable_until"] = datetime.fromisoformat(values["usable_until"])
    return values


def _read(ids: Collection[UUID], known: Mapping[UUID, int]) -> dict[UUID, Terms]:
    # The revisions were known first: what is read after them may be newer than they say, and never older.
    revisions = {one: known[one] for one in ids if one in known}
    rows = list(DealTerms.objects.filter(id__in=ids).select_related("deal__brand"))
    amendments: defaultdict[UUID, list[Amendment]] = defaultdict(list)
    if revisions:
        for amendment in Amendment.objects.filter(terms_id__in=revisions).order_by("number"):
            amendments[amendment.terms_id].append(amendment)
    heeding = {row.deal.brand_id for row in rows if heeds_holidays(amended(row, amendments[row.id]))}
    years = _years(heeding) if heeding else {}
    return {
        row.id: _frozen(row, amendments[row.id], years.get(row.deal.brand_id, {}), revisions.get(row.id, 0))
        for row in rows
    }


def heeds_holidays(rules: Mapping[str, Any]) -> bool:
    """Whether a holiday calendar can make a difference to terms with these rules."""
    usable, own_weekday = DealTerms.HolidayRule.USABLE, DealTerms.MakeupRule.OWN_WEEKDAY
    return bool(rules["holiday_rule"] != usable or rules["makeup_rule"] != own_weekday)


def _years(brand_ids: Collection[UUID]) -> dict[UUID, dict[int, list[YearDays]]]:
    found: dict[UUID, dict[int, list[YearDays]]] = {brand_id: defaultdict(list) for brand_id in brand_ids}
    for calendar in HolidayCalendar.objects.filter(brand_id__in=brand_ids).order_by("year", "number"):
        days_off = frozenset(date.fromisoformat(holiday["date"]) for holiday in calendar.holidays)
        of_year = YearDays(calendar.number, days_off, frozenset(calendar.workdays))
        found[calendar.brand_id][calendar.year].append(of_year)
    return found


def _frozen(
    row: DealTerms, amendments: Collection[Amendment], years: Mapping[int, Collection[YearDays]], revision: int
) -> Terms:
    now = amended(row, amendments)
    weekdays = frozenset(now["weekdays"])
    return Terms(
        id=row.id,
        deal_id=row.deal_id,
        brand_id=row.deal.brand_id,
        number=row.number,
        kind=row.deal.kind,
        title=row.title,
        use_list_fen=tuple(row.use_list_fen),
        face_value_fen=row.face_value_fen,
        discount_rate_bps=row.discount_rate_bps,
        discount_cap_fen=row.discount_cap_fen,
        min_spend_fen=now["min_spend_fen"],
        usable_from=row.usable_from,
        usable_until=row.usable_until,
        usable_days=row.usable_days,
        weekdays=weekdays,
        day_spans=tuple((minutes_of(first), minutes_of(last)) for first, last in now["day_spans"]),
        blackout_dates=frozenset(now["blackout_dates"]),
        scope=scope_of(now["store_scope"]),
        stacking_group=now["stacking_group"],
        max_per_order=now["max_per_order"],
        refundable_unused=now["refundable_unused"],
        refunds_on_expiry=now["refunds_on_expiry"],
        special_dates=frozenset(now["special_dates"]),
        holiday_rule=now["holiday_rule"],
        makeup_rule=now["makeup_rule"],
        holidays=all_holidays(years),
        listed_days=listed_days(
            years,
            frozen={int(year): number for year, number in row.calendar_versions.items()},
            holiday_rule=now["holiday_rule"],
            makeup_rule=now["makeup_rule"],
            weekdays=weekdays,
        ),
        dearer_stores=now["dearer_stores"],
        product_scope=product_scope_of(now["product_scope"]),
        substitutes={
            parse(Product.PREFIX, product): tuple(parse(Product.PREFIX, one) for one in instead)
            for product, instead in now["substitutes"].items()
        },
        extensions=_extensions(row, amendments),
        zone=row.deal.brand.zone,
        revision=revision,
        package_groups=tuple(row.package_groups),
    )


def _extensions(row: DealTerms, amendments: Iterable[Amendment]) -> tuple[Extension, ...]:
    days, made = row.usable_days, []
    for amendment in amendments:
        said = amendment_values(amendment.changes)
        if "usable_until" in said:
            made.append(Extension(until=said["usable_until"]))
        if "usable_days" in said:
            assert days is not None, "terms in days stay terms in days"
            made.append(Extension(more_days=said["usable_days"] - days, zone=row.deal.brand.zone))
            days = said["usable_days"]
    return tuple(made)


def _joined(one: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> dict[str, list[str]]:
    joined = {product: list(instead) for product, instead in one.items()}
    for product, instead in other.items():
        known = joined.setdefault(product, [])
        known += [each for each in instead if each not in known]
    return joined
