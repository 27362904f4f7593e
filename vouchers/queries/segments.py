"""
Customers by what they did: a small JSON rule, turned into one SQL statement.

A rule is one condition, or ``{"all": […]}``, ``{"any": […]}`` or ``{"not": …}`` of rules:

- ``{"bought": {"deal": "dea_…"}}`` or ``{"offer": "off_…"}``: bought and not given back to stock;
- ``{"redeemed": {"deal": …, "stores": ["sto_…"], "regions": ["rgn_…"]}}``, each of them optional, a region
  with those below it; uses that were undone do not count;
- ``{"holds_open": {"deal": …}}``: has a voucher with a use left;
- ``{"was_granted": {"grant": "gra_…"}}``: got vouchers of that grant;
- ``{"joined": {}}``: became a customer.

All but ``holds_open`` and ``was_granted`` take ``from`` and ``until`` (exclusive): a moment with its zone,
or a day of the brand's zone, which begins at midnight.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, time
from typing import Any, NoReturn
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, Manager, OuterRef, Q, QuerySet

from config.kernel.errors import MalformedId
from config.kernel.ids import PublicIdModel, parse
from stores.models import Brand, Customer, Region, Store
from vouchers.errors import SegmentInvalid
from vouchers.models import CustomerAllowance, Deal, DealTerms, Grant, GrantBatch, Offer, Redemption, Voucher
from vouchers.queries.units import units

MOST_CONDITIONS = 20
DEEPEST = 6
MOST_PLACES = 1_000
OPEN = (Voucher.Status.ISSUED, Voucher.Status.HELD)

HER = OuterRef("pk")


def customers_of(rule: Any, *, brand: Brand) -> QuerySet[Customer]:
    """
    The brand's customers whom the rule chooses; nothing is read before the query is.

    Raises:
        SegmentInvalid: names what of the rule is not one, or names nothing of this brand.
    """
    return Customer.objects.filter(_Reader(brand).read(rule, depth=0), brand=brand)


class _Reader:
    """Reads one rule; every id in it is looked up within the brand."""

    def __init__(self, brand: Brand) -> None:
        self._brand = brand
        self._conditions = 0
        self._words: Mapping[str, Callable[[dict[str, Any]], Q]] = {
            "bought": self._bought,
            "redeemed": self._redeemed,
            "holds_open": self._holds_open,
            "was_granted": self._was_granted,
            "joined": self._joined,
        }

    def read(self, rule: Any, *, depth: int) -> Q:
        if not isinstance(rule, dict) or len(rule) != 1 or depth > DEEPEST:
            _refuse("a rule is an object with one word, six deep at most", "条件格式不对")
        [(word, of)] = rule.items()
        if word == "not":
            return ~self.read(of, depth=depth + 1)
        if word in ("all", "any"):
            if not isinstance(of, list) or not of:
                _refuse(f"{word} takes a list of rules", "条件列表不能为空")
            rules = [self.read(one, depth=depth + 1) for one in of]
            together = rules[0]
            for one in rules[1:]:
                together = together & one if word == "all" else together | one
            return together
        if word not in self._words:
            _refuse(f"there is no condition {str(word)[:32]!r}", "没有这种条件")
        if not isinstance(of, dict):
            _refuse(f"{word} takes an object", "条件格式不对")
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            _refuse(f"{MOST_CONDITIONS} conditions at most", "条件太多")
        return self._words[word](of)

    def _bought(self, of: dict[str, Any]) -> Q:
        _only(of, "deal", "offer", "from", "until")
        if ("deal" in of) == ("offer" in of):
            _refuse("bought names a deal or an offer", "购买条件需指定券商品或商品")
        if "deal" in of:
            deal_id = self._one(Deal, of["deal"])
            offers = Offer.objects.filter(deal_id=deal_id)
            terms = DealTerms.objects.filter(deal_id=deal_id)
        else:
            offers = Offer.objects.filter(pk=self._one(Offer, of["offer"]))
            terms = DealTerms.objects.filter(offers__in=offers)
        # The allowance says what, the vouchers say when, and that it was paid for.
        bought = CustomerAllowance.objects.filter(customer_id=HER, bought__gt=0, offer__in=offers)
        issued = Voucher.objects.filter(
            self._when("issued_at", of),
            customer_id=HER,
            source_kind=Voucher.Source.PURCHASE,
            terms_id__in=_issued(terms),
        )
        return Q(Exists(bought)) & Q(Exists(issued))

    def _redeemed(self, of: dict[str, Any]) -> Q:
        _only(of, "deal", "stores", "regions", "from", "until")
        uses = Redemption.objects.filter(self._when("redeemed_at", of), customer_id=HER, reversed_at__isnull=True)
        if "deal" in of:
            uses = uses.filter(voucher__terms__deal_id=self._one(Deal, of["deal"]))
        places = Q()
        if "stores" in of:
            places |= Q(store_id__in=self._many(Store, of["stores"]))
        if "regions" in of:
            places |= Q(store__region_id__in=self._with_those_below(self._many(Region, of["regions"])))
        return Q(Exists(uses.filter(places)))

    def _holds_open(self, of: dict[str, Any]) -> Q:
        _only(of, "deal")
        held = Voucher.objects.filter(customer_id=HER, status__in=OPEN)
        if "deal" in of:
            held = held.filter(terms__deal_id=self._one(Deal, of["deal"]))
        return Q(Exists(held))

    def _was_granted(self, of: dict[str, Any]) -> Q:
        _only(of, "grant")
        batches = GrantBatch.objects.filter(grant_id=self._one(Grant, of.get("grant")))
        given = Voucher.objects.filter(
            customer_id=HER, source_kind=Voucher.Source.GRANT, source_id__in=batches.values("pk")
        )
        return Q(Exists(given))

    def _joined(self, of: dict[str, Any]) -> Q:
        _only(of, "from", "until")
        return self._when("created_at", of) or Q(pk__isnull=False)

    def _when(self, column: str, of: dict[str, Any]) -> Q:
        when = Q()
        if "from" in of:
            when &= Q(**{f"{column}__gte": self._moment(of["from"])})
        if "until" in of:
            when &= Q(**{f"{column}__lt": self._moment(of["until"])})
        return when

    def _moment(self, text: Any) -> datetime:
        try:
            if len(text) == len("2026-06-01"):
                return datetime.combine(date.fromisoformat(text), time.min, ZoneInfo(self._brand.zone))
            moment = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            _refuse("from and until are days such as 2026-06-01, or moments with their zone", "日期格式不对")
        if moment.tzinfo is None:
            _refuse("a moment needs its zone", "时间缺少时区")
        return moment

    def _one(self, model: type[PublicIdModel], public_id: Any) -> UUID:
        [found] = self._many(model, [public_id])
        return found

    def _many(self, model: type[PublicIdModel], public_ids: Any) -> list[UUID]:
        if not isinstance(public_ids, list) or not 1 <= len(public_ids) <= MOST_PLACES:
            _refuse(f"a list of 1 to {MOST_PLACES:,} ids", "编号列表格式不对")
        try:
            wanted = {parse(model.PREFIX, public_id) for public_id in public_ids if isinstance(public_id, str)}
        except MalformedId:
            wanted = set()
        found = _ids(model, wanted, self._brand)
        if not wanted or len(found) != len(set(map(str, public_ids))):
            _refuse(f"ids of this brand, {model.PREFIX}_…", "编号不存在")
        return found

    def _with_those_below(self, regions: Collection[UUID]) -> set[UUID]:
        parents = dict(Region.objects.filter(brand=self._brand).values_list("id", "parent_id"))
        inside = set(regions)
        while below := {one for one, parent in parents.items() if parent in inside} - inside:
            inside |= below
        return inside


def _ids(model: type[PublicIdModel], wanted: Collection[UUID], brand: Brand) -> list[UUID]:
    rows: Manager[Any] = model._default_manager
    return list(rows.filter(pk__in=wanted, brand=brand).values_list("pk", flat=True))


def _issued(terms: QuerySet[DealTerms]) -> set[UUID]:
    """The terms of the vouchers that a sale under ``terms`` issues."""
    return {one for unit in units(terms.values_list("pk", flat=True)).values() for one in unit}


def _only(of: dict[str, Any], *names: str) -> None:
    if unknown := sorted(map(str, of.keys() - set(names))):
        _refuse(f"there is no {unknown[0][:32]!r} here", "条件里有未知字段")


def _refuse(reason: str, zh: str) -> NoReturn:
    raise SegmentInvalid(param="segment", reason=reason, param_zh=zh)
