"""Whether terms can be met in this brand at all: by a store, on a day, with products that there are."""

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model

from config.kernel.ids import parse
from stores.models import Option, OptionGroup, Product, Region, Store, StoreGroup
from vouchers.models import DealTerms
from vouchers.queries.accepting import accepting_stores
from vouchers.queries.frozen_terms import not_yet_published
from vouchers.services.terms_check import refuse
from vouchers.verdict import MINUTES_A_DAY, Terms, is_usable_day
from vouchers.verdict.terms import zone_named

A_YEAR = timedelta(days=366)


def check_reach(row: DealTerms, *, at: datetime) -> None:
    """
    Refuse terms, not yet stored, that nobody in this brand could ever meet.

    Raises:
        TermsInvalid: names the field and the reason.
    """
    terms = check_named(row)
    zones = set(accepting_stores(terms).exclude(status=Store.Status.CLOSED).values_list("zone", flat=True))
    check_days_of(terms, zones=zones or {terms.zone}, at=at)


def check_named(row: DealTerms) -> Terms:
    """
    Refuse terms, not yet stored, that name what is not there, or whose scopes take in nothing.

    Raises:
        TermsInvalid: names the field and the reason.
    """
    terms = not_yet_published(row)
    _check_places(terms)
    _check_products(terms, row.package_groups)
    return terms


def check_days_of(terms: Terms, *, zones: Iterable[str], at: datetime) -> None:
    """
    Refuse terms without a usable moment in any of ``zones``: within their dates, or within a year and
    their days from now.

    Raises:
        TermsInvalid: names what is never met.
    """
    begins, ends = _validity(terms, at=at)
    if not any(_has_moment(terms, zone, max(begins, at), ends) for zone in zones):
        refuse(_emptied_by(terms), "no day or hour within the validity is usable", "有效期内没有任何可用的日期或时段")
    check_special_dates(terms, terms.special_dates, at=at)


def check_special_dates(terms: Terms, days: Collection[date], *, at: datetime) -> None:
    """
    Refuse special days on which no voucher of these terms holds.

    Raises:
        TermsInvalid: names the day.
    """
    begins, ends = _validity(terms, at=at)
    if outside := [day for day in sorted(days) if not _touches(day, begins, ends)]:
        refuse("special_dates", f"{outside[0].isoformat()} lies outside the validity", "额外可用日期不在有效期内")


def _validity(terms: Terms, *, at: datetime) -> tuple[datetime, datetime]:
    """From when until when some voucher of the terms may hold: by their dates, or sold within a year from now."""
    if terms.usable_from is not None and terms.until_now is not None:
        return terms.usable_from, terms.until_now
    return at, at + timedelta(days=(terms.days_now or 0) + 1) + A_YEAR


def _check_places(terms: Terms) -> None:
    scope, brand_id = terms.scope, terms.brand_id
    for word, model in (("regions", Region), ("groups", StoreGroup), ("stores", Store)):
        named = getattr(scope, word) | getattr(scope, f"except_{word}")
        require_ours(model, named, brand_id, "store_scope", "门店范围里有不存在的编号")
    everywhere = scope.everywhere and not (scope.except_regions or scope.except_groups or scope.except_stores)
    of_brand = Store.objects.filter(brand_id=brand_id).exclude(status=Store.Status.CLOSED)
    if everywhere and (terms.dearer_stores != DealTerms.DearerStores.EXCLUDED or not of_brand.exists()):
        return  # a brand may publish before its first store opens
    if not accepting_stores(terms).exclude(status=Store.Status.CLOSED).exists():
        refuse("store_scope", "it takes in no store that is open or will be", "没有任何门店可用")


def _check_products(terms: Terms, groups: Collection[dict[str, Any]]) -> None:
    scope, of_brand = terms.product_scope, Product.objects.filter(brand_id=terms.brand_id)
    named = scope.products | scope.except_products
    require_ours(Product, named, terms.brand_id, "product_scope", "商品范围里有不存在的商品")
    if not scope.everything:
        on_sale = of_brand.filter(withdrawn_at__isnull=True).exclude(id__in=scope.except_products)
        of_category = on_sale.filter(categories__overlap=sorted(scope.categories))
        if not on_sale.filter(id__in=scope.products).exists() and not of_category.exists():
            refuse("product_scope", "it takes in no product on the menu", "没有任何商品可用")
    items = [item for group in groups for item in group["items"]]
    in_package = {parse(Product.PREFIX, item["product"]) for item in items}
    known = set(of_brand.filter(id__in=in_package, withdrawn_at__isnull=True).values_list("id", flat=True))
    if in_package - known:
        refuse("package_groups", "a product of it is not on the menu", "套餐里有不存在或已下架的商品")
    for item in items:
        _check_options(item)


def _check_options(item: dict[str, Any]) -> None:
    """Every group named is one that the product asks, every option one of its answers."""
    asked = {parse(OptionGroup.PREFIX, group): answers for group, answers in item.get("options", {}).items()}
    if not asked:
        return
    product_id = parse(Product.PREFIX, item["product"])
    asks = set(OptionGroup.objects.filter(products=product_id, id__in=asked).values_list("id", flat=True))
    answers = dict(Option.objects.filter(group_id__in=asks, withdrawn_at__isnull=True).values_list("id", "group_id"))
    for group_id, named in asked.items():
        if any(answers.get(parse(Option.PREFIX, one)) != group_id for one in named):
            refuse("package_groups", "an option of it is not one of that product", "套餐里有该商品没有的规格或加料")


def _has_moment(terms: Terms, zone: str, begins: datetime, ends: datetime) -> bool:
    """Whether some usable day's hours, by the clock of ``zone``, meet ``begins`` to ``ends``."""
    here = zone_named(zone)
    # A day before: its hours may run past midnight.
    day, last = begins.astimezone(here).date() - timedelta(days=1), ends.astimezone(here).date()
    spans = terms.day_spans or ((0, MINUTES_A_DAY),)
    while day <= last:
        if is_usable_day(terms, day):
            midnight = datetime.combine(day, time.min, here)
            for first, until in spans:
                opens, closes = (midnight + timedelta(minutes=minutes) for minutes in (first, until))
                if opens.astimezone(UTC) < ends and closes.astimezone(UTC) > begins:
                    return True
        day += timedelta(days=1)
    return False


def _emptied_by(terms: Terms) -> str:
    """The field that most likely is the mistake."""
    for field, is_set in (
        ("blackout_dates", terms.blackout_dates),
        ("holiday_rule", terms.holiday_rule != DealTerms.HolidayRule.USABLE),
        ("weekdays", terms.weekdays),
    ):
        if is_set:
            return field
    return "day_spans"


def _touches(day: date, begins: datetime, ends: datetime) -> bool:
    """Whether the day, somewhere on earth, meets the time from ``begins`` to ``ends``."""
    midnight = datetime.combine(day, time.min, UTC)
    return midnight - timedelta(hours=14) < ends and midnight + timedelta(hours=36) > begins


def require_ours(model: type[Model], ids: Collection[UUID], brand_id: UUID, param: str, zh: str) -> None:
    """
    Refuse ids that are not of rows of the brand.

    Raises:
        TermsInvalid: names the field.
    """
    if ids and model._default_manager.filter(id__in=ids, brand_id=brand_id).count() < len(ids):
        refuse(param, "an id of it is not there in this brand", zh)
