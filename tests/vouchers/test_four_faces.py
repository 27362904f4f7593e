"""Every rule says the same on the product page, at checkout, on the console and at the refund desk."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from config.kernel.errors import DomainError
from stores.models import Store
from stores.queries import store_for_staff, store_now
from stores.services import holidays
from tests import factories
from tests.factories import NOW
from tests.vouchers.counters import Counter
from tests.vouchers.test_amendments import BY, amend
from vouchers import queries
from vouchers.models import DealTerms, Voucher
from vouchers.queries import counter as console
from vouchers.queries import wallet
from vouchers.queries.rules_page import rules_page
from vouchers.queries.words import rules_of
from vouchers.services import returns
from vouchers.services.redemption import redeem_own
from vouchers.verdict import RULES

pytestmark = pytest.mark.django_db(transaction=True)

MAKEUP_SUNDAY = datetime(2026, 6, 7, 4, tzinfo=UTC)


@dataclass(frozen=True)
class Situation:
    """Terms with the rule, and a moment and a bill that break it; ``refund`` is what the refund desk says then."""

    code: str
    terms: dict[str, Any]
    at: datetime = NOW
    bill_fen: int | None = None
    refund: str | None = None
    sentence: str = ""
    message: str = ""
    kind: str = "cash"


SITUATIONS = {
    "discount": Situation(
        "bill_amount_required",
        {"discount_rate_bps": 2_000, "discount_cap_fen": 1_050},
        kind="discount",
        sentence="8 折，最多减 10.5 元",
    ),
    "validity": Situation(
        "voucher_expired", {}, at=NOW + timedelta(days=40), refund="voucher_expired", sentence="购买后 30 天内有效"
    ),
    "weekdays": Situation("voucher_not_usable_now", {"weekdays": [2, 3, 4, 6]}, sentence="周二至周四、周六可用"),
    "day_spans": Situation(
        "voucher_not_usable_now", {"day_spans": [["18:00", "26:00"]]}, sentence="可用时段 18:00–次日02:00"
    ),
    "holiday_rule": Situation("voucher_not_usable_now", {"holiday_rule": "excluded"}, sentence="法定节假日不可用"),
    "makeup_rule": Situation(
        "voucher_not_usable_now",
        {"weekdays": [6, 7], "makeup_rule": "workday"},
        at=MAKEUP_SUNDAY,
        sentence="调休上班日按工作日算",
    ),
    "blackout_dates": Situation(
        "voucher_not_usable_now", {"blackout_dates": [date(2026, 6, 1)]}, sentence="不可用日期：2026年6月1日"
    ),
    "store_scope": Situation(
        "wrong_store",
        {"store_scope": "elsewhere"},
        sentence="限这些门店使用：别处店",
        message="最近可用：别处店 1.1公里",
    ),
    "dearer_stores": Situation("wrong_store", {"dearer_stores": "excluded"}, sentence="机场、景区等高价门店不可用"),
    "min_spend": Situation("min_spend_not_reached", {"min_spend_fen": 5_000}, bill_fen=4_999, sentence="满 50 元可用"),
}
TOGETHER = {
    "max_per_order": ("too_many_of_one_deal", {"max_per_order": 1}, "每单最多用 1 张"),
    "stacking_group": ("vouchers_do_not_combine", {"stacking_group": "tea"}, "不能和其他同享组的券一起用"),
}
ELSEWHERE = {
    "uses": "a card whose uses are gone: test_a_used_card",
    "refundable_unused": "the refund desk alone: test_what_is_not_refundable",
    **dict.fromkeys(TOGETHER, "needs two vouchers: test_rules_of_an_order"),
}


@pytest.fixture
def elsewhere(counter: Counter) -> Store:
    Store.objects.filter(pk=counter.store.pk).update(latitude="30.00", longitude="120.00", is_dearer=True)
    new = holidays.NewCalendar(2026, {NOW.date(): "儿童节"}, frozenset({MAKEUP_SUNDAY.date()}))
    holidays.publish(brand_id=counter.brand.id, new=new, by=BY, at=NOW)
    return factories.store(counter.brand, name="别处店", latitude="30.01", longitude="120.00")


def published(counter: Counter, elsewhere: Store, *, kind: str = "cash", **fields: Any) -> DealTerms:
    if fields.get("store_scope") == "elsewhere":
        fields["store_scope"] = {"stores": [elsewhere.public_id]}
    return counter.terms(kind=kind, calendar_versions={"2026": 1}, **fields)


def refused(act: Any) -> DomainError:
    with pytest.raises(DomainError) as refusal:
        act()
    return refusal.value


def own(counter: Counter, *vouchers: Voucher, at: datetime = NOW, bill_fen: int | None = None) -> Any:
    return redeem_own(
        customer_id=vouchers[0].customer_id,
        voucher_ids=[voucher.id for voucher in vouchers],
        store=counter.store,
        bill_fen=bill_fen,
        request_id=uuid4(),
        at=at,
    )


def at_the_counter(counter: Counter, *vouchers: Voucher, at: datetime = NOW, bill_fen: int | None = None) -> Any:
    return counter.batch(counter.request(*[voucher.code for voucher in vouchers], bill_fen=bill_fen), at=at)[0]


def prepared(counter: Counter, voucher: Voucher, *, at: datetime, bill_fen: int | None) -> console.Prepared:
    here = store_for_staff(counter.store.public_id, counter.clerk.id, at=at)
    [one] = console.prepare(store=here, codes=[voucher.code], bill_fen=bill_fen, at=at)
    return one


def at_the_refund_desk(voucher: Voucher, *, at: datetime) -> DomainError | None:
    """What the wallet shows, which is what asking would answer."""
    shown = wallet.detail(voucher.customer_id, voucher.id, at=at).refund_now.refusal

    def ask() -> None:
        with transaction.atomic():
            returns.begin_refund(voucher_id=voucher.id, customer_id=voucher.customer_id, at=at)
            transaction.set_rollback(True)

    if shown is None:
        ask()
        return None
    said = refused(ask)
    assert (said.code, said.details, said.message("zh")) == (shown.code, shown.details, shown.message("zh"))
    return shown


def words(said: DomainError) -> tuple[str, str, str, Any, Any]:
    return said.code, said.message("zh"), said.message("en"), said.details.get("rule"), said.details.get("rule_zh")


@pytest.mark.parametrize("rule", SITUATIONS)
def test_a_rule_says_the_same_on_all_four(counter: Counter, elsewhere: Store, rule: str) -> None:
    case = SITUATIONS[rule]
    terms = published(counter, elsewhere, kind=case.kind, **case.terms)
    voucher = counter.voucher(terms)
    asked = {"at": case.at, "bill_fen": case.bill_fen}
    now = queries.terms([terms.id])[terms.id]

    [sentence] = [one for one in rules_of(now) if one.name == rule]
    page = rules_page(now, store=store_now(counter.store.id, case.at), bill_fen=case.bill_fen, at=case.at).refusal
    checkout = refused(lambda: own(counter, voucher, **asked))
    clerk = at_the_counter(counter, voucher, **asked)
    shown = prepared(counter, voucher, **asked)
    refund = at_the_refund_desk(voucher, at=case.at)

    assert (sentence.code, sentence.zh) == (case.code, case.sentence)
    assert sentence.en.isascii() or rule == "store_scope" or "–" in sentence.en or "¥" in sentence.en
    assert words(checkout) == words(clerk)
    assert (checkout.code, case.message in checkout.message("zh")) == (case.code, True)
    if rule == "validity":  # a voucher bought now would still be good
        assert page is None
    else:
        assert page is not None
        assert words(page) == words(checkout)
    if rule == "discount":  # a bill is all it lacks
        assert (shown.refusal, shown.terms.needs_bill if shown.terms else None) == (None, True)
    else:
        assert shown.refusal is not None
        assert words(shown.refusal) == words(checkout)
    if rule not in ("discount", "validity"):
        assert (checkout.details["rule"], checkout.details["rule_zh"]) == (rule, sentence.zh)
        assert sentence.zh in checkout.message("zh")
        assert sentence.en in checkout.message("en")
    assert (refund.code if refund else None) == case.refund


@pytest.mark.parametrize(
    ("days_later", "code", "refund"),
    [(0, "voucher_not_yet_valid", None), (9, "voucher_expired", "voucher_expired")],
)
def test_dates_that_terms_name_say_the_same_before_and_after(
    counter: Counter, elsewhere: Store, days_later: int, code: str, refund: str | None
) -> None:
    begins, ends = NOW + timedelta(days=1), NOW + timedelta(days=9)
    terms = published(counter, elsewhere, validity="fixed", usable_days=None, usable_from=begins, usable_until=ends)
    voucher, at = counter.voucher(terms), NOW + timedelta(days=days_later)
    now = queries.terms([terms.id])[terms.id]

    page = rules_page(now, store=store_now(counter.store.id, at), bill_fen=None, at=at).refusal
    checkout = refused(lambda: own(counter, voucher, at=at))
    clerk = at_the_counter(counter, voucher, at=at)
    shown = prepared(counter, voucher, at=at, bill_fen=None).refusal
    desk = at_the_refund_desk(voucher, at=at)

    assert page is not None
    assert shown is not None
    assert words(page) == words(checkout) == words(clerk) == words(shown)
    assert checkout.code == code
    assert (desk.code if desk else None) == refund  # what is not valid yet may be given back


@pytest.mark.parametrize("rule", TOGETHER)
def test_rules_of_an_order_say_the_same_at_checkout_and_at_the_counter(
    counter: Counter, elsewhere: Store, rule: str
) -> None:
    code, fields, zh = TOGETHER[rule]
    terms = published(counter, elsewhere, **fields)
    her = factories.customer(counter.brand)
    one = counter.voucher(terms, customer=her)
    other_terms = terms if rule == "max_per_order" else counter.terms(stacking_group="lunch")
    other = counter.voucher(other_terms, customer=her)

    [sentence] = [one for one in rules_of(queries.terms([terms.id])[terms.id]) if one.name == rule]
    checkout, clerk = refused(lambda: own(counter, one, other)), at_the_counter(counter, one, other)

    assert (sentence.code, sentence.zh) == (code, zh)
    assert words(checkout) == words(clerk)
    assert (checkout.code, zh in checkout.message("zh"), sentence.en in checkout.message("en")) == (code, True, True)
    assert prepared(counter, one, at=NOW, bill_fen=None).refusal is None, "each by itself is usable"
    assert at_the_refund_desk(one, at=NOW) is None


def test_a_used_card(counter: Counter, elsewhere: Store) -> None:
    terms = published(counter, elsewhere, kind="times_card")
    card = counter.voucher(terms)
    counter.redeem(card.code, card.code, card.code)

    checkout, clerk = refused(lambda: own(counter, card)), at_the_counter(counter, card)
    shown, refund = prepared(counter, card, at=NOW, bill_fen=None).refusal, at_the_refund_desk(card, at=NOW)

    assert shown is not None
    assert refund is not None
    assert words(checkout) == words(clerk) == words(shown) == words(refund)
    assert checkout.code == "voucher_already_redeemed"
    [sentence] = [one for one in rules_of(queries.terms([terms.id])[terms.id]) if one.name == "uses"]
    assert (sentence.code, sentence.zh) == ("voucher_already_redeemed", "可用 3 次")


def test_what_is_not_refundable_is_said_at_the_refund_desk_and_on_the_page(counter: Counter, elsewhere: Store) -> None:
    terms = published(counter, elsewhere, refundable_unused=False)
    voucher = counter.voucher(terms)

    refund = at_the_refund_desk(voucher, at=NOW)

    assert refund is not None
    assert (refund.code, refund.message("zh")) == ("voucher_not_refundable", "这张券不能退款：未使用也不退款")
    [sentence] = [one for one in rules_of(queries.terms([terms.id])[terms.id]) if one.name == "refundable_unused"]
    assert (sentence.code, sentence.zh) == (refund.code, "未使用也不退款")
    assert prepared(counter, voucher, at=NOW, bill_fen=None).refusal is None
    assert len(own(counter, voucher).uses) == 1


def test_every_rule_that_refuses_was_walked_and_every_other_is_a_promise_on_the_page(
    counter: Counter, elsewhere: Store
) -> None:
    refusing = {name for name, (refusal, _) in RULES.items() if refusal is not None}
    assert refusing == SITUATIONS.keys() | ELSEWHERE.keys()

    tea, milk = factories.product(counter.brand, name="茶"), factories.product(counter.brand, name="奶")
    cash = published(counter, elsewhere, special_dates=[date(2026, 6, 14)], product_scope={"products": [tea.public_id]})
    amend(cash, substitutes={tea.public_id: [milk.public_id]})
    said = {one.name: one for one in rules_of(queries.terms([cash.id])[cash.id])}
    promised = {name: said[name].zh for name in RULES.keys() - refusing}
    assert promised == {
        "face_value": "抵 20 元，不找零",
        "special_dates": "另外可用：2026年6月14日",
        "product_scope": "限这些商品使用：茶",
        "substitutes": "茶可换奶",
        "refunds_on_expiry": "过期自动退",
    }
    assert {said[name].code for name in promised} == {None}
    assert all(one.zh and one.en and "?" not in one.zh for one in said.values())
