"""A segment's rule chooses by what customers did, and says what of it is no rule."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.services.issuing import issue_paid
from stores.models import Customer, Region, Store
from tests import factories
from tests.factories import NOW
from tests.orders import paid
from tests.vouchers import granted
from tests.vouchers.counters import Counter
from vouchers.errors import SegmentInvalid
from vouchers.models import DealTerms, Redemption, Voucher
from vouchers.queries.segments import DEEPEST, MOST_CONDITIONS, customers_of
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db

A_DAY = timedelta(days=1)


@pytest.fixture
def buyer(counter: Counter) -> Customer:
    return factories.customer(counter.brand)


@pytest.fixture(autouse=True)
def _others(counter: Counter) -> None:
    """Somebody who did nothing, and another brand's customer."""
    factories.customer(counter.brand)
    factories.customer(factories.brand())


def chosen(counter: Counter, rule: Any) -> set[Customer]:
    return set(customers_of(rule, brand=counter.brand))


def buy(customer: Customer, terms: DealTerms, **fields: Any) -> Voucher:
    """Bought, paid and issued, through an offer of the terms."""
    bought = paid.purchase(terms=terms, brand=customer.brand, customer_id=customer.pk, **fields)
    issue_paid(at=bought.accepted_at)
    return Voucher.objects.get(source_id=bought.pk)


def test_who_bought_a_deal_or_an_offer_and_when(counter: Counter, buyer: Customer) -> None:
    terms, other = counter.terms(), counter.terms()
    offer = factories.offer(terms)
    buy(buyer, terms, offer=offer)
    later = factories.customer(counter.brand)
    buy(later, terms, accepted_at=NOW + 2 * A_DAY)

    assert chosen(counter, {"bought": {"deal": terms.deal.public_id}}) == {buyer, later}
    assert chosen(counter, {"bought": {"offer": offer.public_id}}) == {buyer}
    assert chosen(counter, {"bought": {"deal": other.deal.public_id}}) == set()
    until = {"deal": terms.deal.public_id, "until": "2026-06-02"}
    assert chosen(counter, {"bought": until}) == {buyer}
    since = {"deal": terms.deal.public_id, "from": (NOW + A_DAY).isoformat()}
    assert chosen(counter, {"bought": since}) == {later}


def test_a_day_begins_at_the_brands_midnight(counter: Counter, buyer: Customer) -> None:
    """NOW is noon of 1 June in Shanghai, 4 o'clock in UTC."""
    terms = counter.terms()
    buy(buyer, terms, accepted_at=NOW - timedelta(hours=12))

    first_of_june = {"deal": terms.deal.public_id, "from": "2026-06-01", "until": "2026-06-02"}
    assert chosen(counter, {"bought": first_of_june}) == {buyer}
    assert chosen(counter, {"bought": {**first_of_june, "from": "2026-06-02", "until": "2026-06-03"}}) == set()


def test_what_was_given_away_was_not_bought(counter: Counter, buyer: Customer) -> None:
    terms = counter.terms()
    made = granted.grant(terms, granted.to(buyer))
    granted.issue_all()

    assert chosen(counter, {"bought": {"deal": terms.deal.public_id}}) == set()
    assert chosen(counter, {"was_granted": {"grant": made.public_id}}) == {buyer}


def test_who_redeemed_where_and_when(counter: Counter, buyer: Customer) -> None:
    province = Region.objects.create(brand=counter.brand, code="33", name="浙江")
    city = Region.objects.create(brand=counter.brand, parent=province, code="3301", name="杭州")
    Store.objects.filter(pk=counter.store.pk).update(region=city)
    elsewhere = factories.store(counter.brand)
    terms = counter.terms()
    counter.redeem(counter.voucher(terms, customer=buyer).code)

    assert chosen(counter, {"redeemed": {}}) == {buyer}
    assert chosen(counter, {"redeemed": {"stores": [counter.store.public_id]}}) == {buyer}
    assert chosen(counter, {"redeemed": {"stores": [elsewhere.public_id]}}) == set()
    assert chosen(counter, {"redeemed": {"regions": [province.public_id]}}) == {buyer}
    both = {"stores": [elsewhere.public_id], "regions": [city.public_id]}
    assert chosen(counter, {"redeemed": both}) == {buyer}, "at one of the stores or in one of the regions"
    assert chosen(counter, {"redeemed": {"deal": terms.deal.public_id, "from": "2026-06-01"}}) == {buyer}
    assert chosen(counter, {"redeemed": {"deal": counter.terms().deal.public_id}}) == set()
    assert chosen(counter, {"redeemed": {"until": "2026-06-01"}}) == set()


def test_a_redemption_that_was_undone_does_not_count(counter: Counter, buyer: Customer) -> None:
    counter.redeem(counter.voucher(customer=buyer).code)
    reverse(redemption_id=Redemption.objects.get().pk, operator=counter.clerk, request_id=uuid4(), at=NOW)

    assert chosen(counter, {"redeemed": {}}) == set()


def test_who_holds_an_open_voucher(counter: Counter, buyer: Customer) -> None:
    voucher = counter.voucher(customer=buyer)
    of_deal = {"holds_open": {"deal": voucher.terms.deal.public_id}}
    assert chosen(counter, {"holds_open": {}}) == chosen(counter, of_deal) == {buyer}

    counter.redeem(voucher.code)

    assert chosen(counter, {"holds_open": {}}) == set()


def test_who_joined_when(counter: Counter) -> None:
    new = factories.customer(counter.brand, created_at=NOW + A_DAY)

    assert new in chosen(counter, {"joined": {}})
    assert chosen(counter, {"joined": {"from": "2026-06-02"}}) == {new}
    assert new not in chosen(counter, {"joined": {"until": "2026-06-02"}})


def test_rules_combine(counter: Counter, buyer: Customer) -> None:
    terms = counter.terms()
    deal = {"deal": terms.deal.public_id}
    keeps = factories.customer(counter.brand)
    for one in (buyer, keeps):
        voucher = buy(one, terms)
    counter.redeem(Voucher.objects.get(customer=buyer).code)
    assert voucher.customer_id == keeps.pk

    lapsed = {"all": [{"bought": deal}, {"not": {"holds_open": deal}}]}
    assert chosen(counter, lapsed) == {buyer}
    assert chosen(counter, {"any": [{"redeemed": {}}, {"holds_open": {}}]}) == {buyer, keeps}
    nobody = {"not": {"any": [{"bought": deal}, {"joined": {}}]}}
    assert chosen(counter, nobody) == set()


def test_a_rule_is_one_statement_beside_its_ids(counter: Counter) -> None:
    deal = counter.terms().deal.public_id
    rule = {"all": [{"not": {"holds_open": {"deal": deal}}}, {"redeemed": {"deal": deal}}, {"joined": {}}]}
    rows = customers_of(rule, brand=counter.brand)

    with CaptureQueriesContext(connection) as captured:
        list(rows)

    assert len(captured) == 1


def deep(levels: int) -> Any:
    rule: Any = {"joined": {}}
    for _ in range(levels):
        rule = {"not": rule}
    return rule


@pytest.mark.parametrize(
    "rule",
    [
        None,
        {},
        [],
        "joined",
        {"joined": {}, "holds_open": {}},
        {"frozen": {}},
        {"joined": []},
        {"joined": {"since": "2026-06-01"}},
        {"joined": {"from": "June"}},
        {"joined": {"from": 20260601}},
        {"joined": {"from": "2026-06-01T10:00:00"}},
        {"all": []},
        {"any": {"joined": {}}},
        {"all": [{"joined": {}}] * (MOST_CONDITIONS + 1)},
        deep(DEEPEST + 1),
        {"bought": {}},
        {"bought": {"deal": "dea_1"}},
        {"bought": {"deal": ["dea_1"]}},
        {"redeemed": {"stores": []}},
        {"redeemed": {"stores": "sto_1"}},
        {"redeemed": {"stores": [None]}},
        {"was_granted": {}},
    ],
)
def test_what_is_no_rule_is_refused(counter: Counter, rule: Any) -> None:
    with pytest.raises(SegmentInvalid):
        customers_of(rule, brand=counter.brand)


def test_six_deep_is_deep_enough(counter: Counter) -> None:
    assert customers_of(deep(DEEPEST), brand=counter.brand).count() == 1


def test_another_brands_deal_is_not_there(counter: Counter) -> None:
    foreign = factories.terms(factories.deal(factories.brand())).deal

    with pytest.raises(SegmentInvalid):
        customers_of({"holds_open": {"deal": foreign.public_id}}, brand=counter.brand)
