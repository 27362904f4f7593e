"""Whether terms can hold at all, kind by kind; asked once, before they are frozen."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, NoReturn

from config.kernel.errors import DomainError, MalformedId
from config.kernel.ids import parse
from stores.models import Option, OptionGroup, Product
from vouchers.errors import TermsInvalid
from vouchers.models import Deal, DealTerms
from vouchers.verdict import MINUTES_A_DAY, minutes_of, product_scope_of, scope_of

MOST_USES = 100
MOST_CHILDREN = 300
MOST_USABLE_DAYS = 3_650
MOST_FEN = 10**9
GROUP_WORDS = frozenset({"name", "choose", "items"})
ITEM_WORDS = frozenset({"product", "count", "options"})


@dataclass(frozen=True)
class NewTerms:
    """
    What a brand writes down; see ``DealTerms`` for each field's meaning.

    Without ``use_list_fen`` there is one use at the list price. Exactly one of ``usable_days`` and
    the pair ``usable_from``, ``usable_until`` says when it holds.
    """

    title: str
    list_price_fen: int
    use_list_fen: list[int] = field(default_factory=list)
    face_value_fen: int | None = None
    discount_rate_bps: int | None = None
    discount_cap_fen: int | None = None
    package_groups: list[dict[str, Any]] = field(default_factory=list)
    bundle_children: list[dict[str, Any]] = field(default_factory=list)
    min_spend_fen: int = 0
    usable_from: datetime | None = None
    usable_until: datetime | None = None
    usable_days: int | None = None
    weekdays: list[int] = field(default_factory=list)
    day_spans: list[list[str]] = field(default_factory=list)
    blackout_dates: list[date] = field(default_factory=list)
    special_dates: list[date] = field(default_factory=list)
    holiday_rule: str = DealTerms.HolidayRule.USABLE
    makeup_rule: str = DealTerms.MakeupRule.OWN_WEEKDAY
    store_scope: dict[str, Any] = field(default_factory=dict)
    product_scope: dict[str, Any] = field(default_factory=dict)
    dearer_stores: str = DealTerms.DearerStores.INCLUDED
    stacking_group: str = ""
    max_per_order: int | None = None
    refundable_unused: bool = True
    refunds_on_expiry: bool = True
    refund_returns_stock: bool = False
    settlement_rules: list[dict[str, Any]] = field(default_factory=list)

    @property
    def validity(self) -> DealTerms.Validity:
        return DealTerms.Validity.FIXED if self.usable_days is None else DealTerms.Validity.DAYS

    @property
    def uses(self) -> list[int]:
        return self.use_list_fen or [self.list_price_fen]


def check(new: NewTerms, *, kind: Deal.Kind, at: datetime) -> None:
    """
    Refuse terms that nobody could ever use, or that say two things at once.

    Raises:
        TermsInvalid: names the field and the reason.
    """
    _check_worth(new)
    _check_time(new, at=at)
    check_days(weekdays=new.weekdays, day_spans=new.day_spans)
    check_dates(special_dates=new.special_dates, blackout_dates=new.blackout_dates)
    check_scopes(new.store_scope, new.product_scope)
    KINDS[kind](new)
    for name, kinds in ONLY_OF.items():
        if kind not in kinds and getattr(new, name):
            refuse(name, f"a {kind.label.lower()} has none", "这种券没有这一项")


def _check_worth(new: NewTerms) -> None:
    if not new.title.strip():
        refuse("title", "it needs a title", "缺少名称")
    if not 0 < new.list_price_fen <= MOST_FEN:
        refuse("list_price_fen", "the list price is from 1 fen to 10,000,000 yuan", "门市价超出范围")
    if not 0 <= new.min_spend_fen <= MOST_FEN:
        refuse("min_spend_fen", "a min spend is from 0 to 10,000,000 yuan", "最低消费超出范围")
    if len(new.uses) > MOST_USES or min(new.uses) < 0:
        refuse("use_list_fen", f"1 to {MOST_USES} uses, each worth 0 fen or more", "次数或每次金额超出范围")
    if sum(new.uses) != new.list_price_fen:
        refuse("use_list_fen", "the uses' list prices sum to the list price", "各次金额之和应等于门市价")
    if new.max_per_order is not None and new.max_per_order < 1:
        refuse("max_per_order", "at least one may be used", "每单至少可用一张")


def _check_time(new: NewTerms, *, at: datetime) -> None:
    is_fixed = new.usable_from is not None and new.usable_until is not None
    says_dates = new.usable_from is not None or new.usable_until is not None
    if says_dates == (new.usable_days is not None) or says_dates != is_fixed:
        refuse("usable_days", "either days after purchase, or both usable_from and usable_until", "有效期二选一")
    if new.usable_days is not None and not 0 < new.usable_days <= MOST_USABLE_DAYS:
        refuse("usable_days", f"1 to {MOST_USABLE_DAYS} days", "有效天数超出范围")
    if new.usable_from is not None and new.usable_until is not None:
        if new.usable_until <= new.usable_from:
            refuse("usable_until", "it ends before it begins", "结束早于开始")
        if new.usable_until <= at:
            refuse("usable_until", "it has ended already", "有效期已过")
        if new.usable_until - new.usable_from > timedelta(days=MOST_USABLE_DAYS):
            refuse("usable_until", f"it lasts longer than {MOST_USABLE_DAYS} days", "有效期过长")


def check_days(*, weekdays: Sequence[int], day_spans: Sequence[Sequence[str]]) -> None:
    """
    Refuse weekdays and hours that are none, or hours that overlap.

    A span may run past midnight; then it meets the next day's early one, where that day is usable too.

    Raises:
        TermsInvalid: names the field and the reason.
    """
    if not set(weekdays) <= set(range(1, 8)):
        refuse("weekdays", "ISO weekdays, 1 (Monday) to 7", "星期为 1 到 7")
    spans = sorted(_span(span) for span in day_spans)
    follow = not weekdays or any(day % 7 + 1 in weekdays for day in weekdays)
    late = [(first + MINUTES_A_DAY, last + MINUTES_A_DAY) for first, last in spans] if follow else []
    for (_, end), (start, _) in pairwise(sorted(spans + late)):
        if start < end:
            refuse("day_spans", "two spans overlap", "时段有重叠")


def check_dates(*, special_dates: Collection[date], blackout_dates: Collection[date]) -> None:
    """
    Refuse a day that is said to be usable and not to be.

    Raises:
        TermsInvalid: names the day.
    """
    if both := sorted({*special_dates} & {*blackout_dates}):
        refuse("special_dates", f"{both[0].isoformat()} is a blackout date too", "同一天不能既可用又不可用")


def check_scopes(store_scope: dict[str, Any], product_scope: dict[str, Any]) -> None:
    """
    Refuse scopes that are not of the documented form, or that name nothing.

    Raises:
        TermsInvalid: names the field and the reason.
    """
    try:
        scope = scope_of(store_scope)
    except (DomainError, ValueError, TypeError, AttributeError):
        refuse("store_scope", 'such as {"everywhere": true} or {"stores": ["sto_…"]}', "门店范围格式不对")
    try:
        products = product_scope_of(product_scope)
    except (DomainError, ValueError, TypeError, AttributeError):
        refuse("product_scope", 'such as {"everything": true} or {"categories": ["…"]}', "商品范围格式不对")
    names_places = store_scope.keys() & {"stores", "regions", "groups"} or store_scope.get("everywhere") is False
    if names_places and not (scope.stores or scope.regions or scope.groups or store_scope.get("everywhere")):
        refuse("store_scope", "it names no store", "没有任何可用门店")
    names_products = product_scope.keys() & {"categories", "products"} or product_scope.get("everything") is False
    if names_products and not (products.categories or products.products or product_scope.get("everything")):
        refuse("product_scope", "it names no product", "没有任何可用商品")


def _span(span: Sequence[str]) -> tuple[int, int]:
    try:
        opens, closes = (minutes_of(moment) for moment in span)
    except (ValueError, TypeError, AttributeError):
        refuse("day_spans", 'pairs such as ["10:00", "26:00"]', "时段格式为 [“10:00”, “26:00”]")
    if not 0 <= opens < closes <= 2 * MINUTES_A_DAY or closes - opens > MINUTES_A_DAY:
        refuse("day_spans", "a span ends within a day of its beginning, and by 48:00", "时段结束应晚于开始")
    return opens, closes


def _check_cash(new: NewTerms) -> None:
    if new.face_value_fen is None or not 0 < new.face_value_fen <= MOST_FEN:
        refuse("face_value_fen", "a cash voucher has a face value", "代金券需要面值")
    _require_one_use(new)


def _check_discount(new: NewTerms) -> None:
    if new.discount_rate_bps is None or not 0 < new.discount_rate_bps <= 10_000:
        refuse("discount_rate_bps", "a share of the bill from 1 to 10,000 ten-thousandths", "折扣比例超出范围")
    if new.discount_cap_fen is not None and new.discount_cap_fen <= 0:
        refuse("discount_cap_fen", "a cap is more than nothing", "封顶金额应大于 0")
    _require_one_use(new)


def _check_times_card(new: NewTerms) -> None:
    if len(new.uses) < 2:
        refuse("use_list_fen", "a times card has two uses or more", "次卡至少两次")


def _check_package(new: NewTerms) -> None:
    if not new.package_groups:
        refuse("package_groups", "a package has at least one group", "套餐至少有一组")
    for group in new.package_groups:
        items, choose = group.get("items"), group.get("choose")
        if group.keys() - GROUP_WORDS or not isinstance(group.get("name", ""), str):
            refuse("package_groups", f"a group has {', '.join(sorted(GROUP_WORDS))}", "套餐分组格式不对")
        if not isinstance(items, list) or not _is_count(choose, len(items)):
            refuse("package_groups", '{"name": …, "items": […], "choose": 1 to all of them}', "套餐选择数超出范围")
        for item in items:
            _check_item(item)
    _require_one_use(new)


def _check_item(item: Any) -> None:
    """``{"product": "prd_…", "count": 1, "options": {"opg_…": ["opt_…"]}}``: one of the options of each group named."""
    if not isinstance(item, dict) or item.keys() - ITEM_WORDS or not _is_count(item.get("count", 1), MOST_USES):
        refuse("package_groups", 'an item is {"product": "prd_…", "count": 1, "options": {…}}', "套餐商品格式不对")
    options = item.get("options", {})
    try:
        parse(Product.PREFIX, str(item.get("product")))
        for group, answers in options.items():
            parse(OptionGroup.PREFIX, group)
            for answer in answers if isinstance(answers, list) and answers else [None]:
                parse(Option.PREFIX, str(answer))
    except (MalformedId, AttributeError):
        refuse("package_groups", 'options are {"opg_…": ["opt_…"]} of a "prd_…"', "套餐商品格式不对")


def _is_count(number: Any, most: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= most


def _check_bundle(new: NewTerms) -> None:
    if not new.bundle_children:
        refuse("bundle_children", "a bundle has children", "券包至少含一张券")
    for child in new.bundle_children:
        count = child.get("count")
        is_one = child.keys() == {"terms", "count"} and isinstance(child["terms"], str)
        if not is_one or not isinstance(count, int) or isinstance(count, bool) or count < 1:
            refuse("bundle_children", '{"terms": "trm_…", "count": 1 or more}', "券包内容格式不对")
    if sum(child["count"] for child in new.bundle_children) > MOST_CHILDREN:
        refuse("bundle_children", f"at most {MOST_CHILDREN} vouchers", f"券包最多 {MOST_CHILDREN} 张券")
    for name in NOT_OF_A_BUNDLE:
        if getattr(new, name) != getattr(NOTHING_SAID, name):
            refuse(name, "a bundle's children say so, each for itself", "券包内每张券各自规定")
    if new.refund_returns_stock:
        refuse("refund_returns_stock", "a bundle is given back child by child", "券包不支持退款返库存")
    _require_one_use(new)


def _require_one_use(new: NewTerms) -> None:
    if len(new.uses) != 1:
        refuse("use_list_fen", "this kind is used once", "这种券只能用一次")


def refuse(param: str, reason: str, zh: str) -> NoReturn:
    """Say which field cannot be, and why."""
    raise TermsInvalid(param=param, reason=reason, zh=zh)


NOT_OF_A_BUNDLE = (
    *("min_spend_fen", "weekdays", "day_spans", "blackout_dates", "special_dates"),
    *(
        "holiday_rule",
        "makeup_rule",
        "store_scope",
        "product_scope",
        "dearer_stores",
        "stacking_group",
        "max_per_order",
        "settlement_rules",
    ),
)
NOTHING_SAID = NewTerms(title="", list_price_fen=0)
KINDS: Mapping[Deal.Kind, Callable[[NewTerms], None]] = {
    Deal.Kind.CASH: _check_cash,
    Deal.Kind.DISCOUNT: _check_discount,
    Deal.Kind.TIMES_CARD: _check_times_card,
    Deal.Kind.PACKAGE: _check_package,
    Deal.Kind.BUNDLE: _check_bundle,
}
ONLY_OF: Mapping[str, frozenset[Deal.Kind]] = {
    "face_value_fen": frozenset({Deal.Kind.CASH}),
    "discount_rate_bps": frozenset({Deal.Kind.DISCOUNT}),
    "discount_cap_fen": frozenset({Deal.Kind.DISCOUNT}),
    "package_groups": frozenset({Deal.Kind.PACKAGE}),
    "bundle_children": frozenset({Deal.Kind.BUNDLE}),
}
