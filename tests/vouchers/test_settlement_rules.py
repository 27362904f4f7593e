"""Settlement rules: what may be written, whose rule a store goes by, and how one use is divided."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.kernel.caller import Caller, CallerKind
from stores.models import StoreGroup
from tests import factories
from tests.factories import NOW
from vouchers.errors import TermsInvalid
from vouchers.models import Deal, DealTerms
from vouchers.services.deals import NewTerms, publish_terms
from vouchers.settlement import Bearer, Division, Fault, Paid, SettlementRule, divide, keep, take_back

OWNER = Caller(kind=CallerKind.STAFF, id=uuid4())
RATES = st.integers(0, 5_000)


def publish(deal: Deal, *rules: dict[str, Any], **fields: Any) -> DealTerms:
    plain: dict[str, Any] = {"title": "券", "list_price_fen": 2_000, "face_value_fen": 2_000, "usable_days": 30}
    new = NewTerms(**{**plain, "settlement_rules": list(rules), **fields})
    return publish_terms(deal=deal, new=new, by=OWNER, at=NOW).row


@pytest.mark.django_db
def test_terms_freeze_their_rules() -> None:
    deal = factories.deal(factories.brand())
    rules = [{"share_bps": 9_000, "fee_bps": 200, "promoter_by": "brand"}]

    first = publish(deal, *rules)
    assert first.settlement_rules == rules
    assert publish(deal, *rules) == first
    assert publish(deal, {"share_bps": 8_000}).number == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"share_bps": 10_001}, "10,000"),
        ({"fee_bps": 10_001}, "10,000"),
        ({"share_bps": 5_000, "fee_bps": 5_001}, "more than what was paid"),
        ({"share_bps": 9_900, "platform_bps": 200, "platform_by": "brand"}, "more than what was paid"),
        ({"share_bps": 1_000, "fee_bps": 900, "platform_bps": 101}, "more than what was paid"),
        ({"share_bps": 9_000, "per_use_fen": 500}, "not both"),
        ({"per_use_fen": 2_001}, "list price"),
        ({"per_use_fen": 1_900, "subsidy_fen": 101}, "list price"),
        ({"floor_fen": 2_001}, "list price"),
        ({"floor_fen": 500, "cap_fen": 499}, "floor"),
        ({"cap_fen": 0}, "cap"),
        ({"per_use_fen": 500, "floor_fen": 400}, "no floor"),
        ({"share_bps": -1}, "whole number"),
        ({"share_bps": True}, "whole number"),
        ({"share_bps": "9000"}, "whole number"),
        ({"subsidy_fen": 10**12}, "at most"),
        ({"promoter_by": "nobody"}, "Bearer"),
        ({"tip_fen": 1}, "knows no"),
        ({"stores": {"groups": ["grp_1"]}}, "such as"),
        ({"stores": []}, "store scope"),
        ({"share_bps": 3_001, "split_through": "wechat"}, "3000"),
        ({"share_bps": 3_000, "split_through": "paypal"}, "known providers"),
    ],
)
def test_a_rule_that_cannot_hold_is_refused(rule: dict[str, Any], says: str) -> None:
    with pytest.raises(TermsInvalid) as refused:
        publish(factories.deal(factories.brand()), rule)

    assert refused.value.details["param"] == "settlement_rules" if "param" in refused.value.details else True
    assert says in str(refused.value.details) + str(refused.value)


@pytest.mark.django_db
def test_a_payment_provider_divides_within_its_limit() -> None:
    deal = factories.deal(factories.brand())
    rule = {"share_bps": 3_000, "split_through": "wechat"}

    assert publish(deal, rule, usable_days=180).number == 1
    with pytest.raises(TermsInvalid):
        publish(deal, rule, usable_days=181)


@pytest.mark.django_db
def test_a_rule_behind_the_rule_for_all_is_refused() -> None:
    with pytest.raises(TermsInvalid):
        publish(factories.deal(factories.brand()), {"share_bps": 9_000}, {"share_bps": 8_000})


@pytest.mark.django_db
def test_a_rule_for_another_brands_stores_is_refused() -> None:
    foreign = StoreGroup.objects.create(brand=factories.brand(), code="a", name="a", created_at=NOW)
    with pytest.raises(TermsInvalid):
        publish(factories.deal(factories.brand()), {"stores": {"groups": [foreign.public_id]}})


@pytest.mark.django_db
def test_a_bundles_children_say_how_they_settle() -> None:
    brand = factories.brand()
    child = factories.terms(factories.deal(brand))
    bundle = factories.deal(brand, kind="bundle")
    children = [{"terms": child.public_id, "count": 2}]
    with pytest.raises(TermsInvalid):
        publish(bundle, {"share_bps": 9_000}, face_value_fen=None, bundle_children=children)


rules = st.builds(
    SettlementRule,
    share_bps=st.integers(0, 10_000),
    per_use_fen=st.none() | st.integers(0, 3_000),
    floor_fen=st.integers(0, 500),
    cap_fen=st.none() | st.integers(500, 3_000),
    subsidy_fen=st.integers(0, 500),
    fee_bps=st.integers(0, 10_000),
    platform_bps=st.integers(0, 10_000),
    promoter_by=st.sampled_from(Bearer),
    provider_by=st.sampled_from(Bearer),
    platform_by=st.sampled_from(Bearer),
    merchant_discount_by=st.sampled_from(Bearer),
)
amounts = st.builds(
    Paid,
    paid_fen=st.integers(0, 10_000),
    merchant_fen=st.integers(0, 500),
    promoter_bps=RATES,
    provider_bps=RATES,
) | st.builds(Paid, paid_fen=st.integers(0, 10_000), is_platforms=st.just(True))


def of_everybody(division: Division) -> int:
    others = division.promoter_fen + division.provider_fen + division.platform_fen
    return division.entity_fen + division.brand_fen + others


@given(paid=amounts, rule=rules)
def test_the_parts_are_what_was_paid_and_nobody_else_pays_but_the_brand(paid: Paid, rule: SettlementRule) -> None:
    for division in (divide(paid, rule), keep(paid, rule)):
        assert of_everybody(division) == paid.paid_fen
        assert min(division.promoter_fen, division.provider_fen, division.platform_fen, division.share_fen) >= 0
        assert division.promoter_fen + division.provider_fen + division.platform_fen <= paid.paid_fen


@given(paid=amounts.filter(lambda one: one.paid_fen > 0 and not one.is_platforms), rule=rules, data=st.data())
def test_what_is_taken_back_in_parts_is_what_was_given(paid: Paid, rule: SettlementRule, data: st.DataObject) -> None:
    settled, before, taken = divide(paid, rule), 0, []
    while before < paid.paid_fen:
        refund = data.draw(
            st.integers(1, paid.paid_fen - before) if len(taken) < 4 else st.just(paid.paid_fen - before)
        )
        taken.append(take_back(settled, rule, before_fen=before, refund_fen=refund, fault=Fault.STORE))
        assert of_everybody(taken[-1]) == -refund
        assert max(taken[-1].promoter_fen, taken[-1].provider_fen) <= 0
        before += refund

    assert sum(one.promoter_fen for one in taken) == -settled.promoter_fen
    assert sum(one.provider_fen for one in taken) == -settled.provider_fen
    assert sum(one.share_fen for one in taken) == -paid.paid_fen


def test_at_the_brands_fault_the_store_keeps_what_it_has() -> None:
    settled, rule = divide(Paid(970, promoter_bps=600, provider_bps=200), SettlementRule(fee_bps=200)), SettlementRule()

    taken = take_back(settled, rule, before_fen=0, refund_fen=970, fault=Fault.BRAND)
    assert (taken.entity_fen, taken.brand_fen, taken.promoter_fen, taken.provider_fen) == (0, -892, -58, -20)
