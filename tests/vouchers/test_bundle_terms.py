"""publish_terms freezes a bundle's children with their list prices, and refuses bundles that cannot be."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from config.kernel.caller import MACHINE
from config.kernel.ids import new_id
from stores.models import Brand
from tests import factories
from tests.factories import NOW
from vouchers.errors import TermsInvalid
from vouchers.models import Deal, DealTerms
from vouchers.services.deals import publish_terms
from vouchers.services.terms_check import MOST_CHILDREN, NewTerms

pytestmark = pytest.mark.django_db


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


@pytest.fixture
def deal(brand: Brand) -> Deal:
    return factories.deal(brand, kind="bundle")


@pytest.fixture
def child(brand: Brand) -> DealTerms:
    return factories.terms(factories.deal(brand))


def new(*children: dict[str, Any], **fields: Any) -> NewTerms:
    return NewTerms(**{
        "title": "券包",
        "list_price_fen": fields.pop("list_price_fen", None) or 2_000 * sum(child["count"] for child in children),
        "bundle_children": list(children),
        "usable_days": 30,
        **fields,
    })  # fmt: skip


def publish(deal: Deal, terms: NewTerms) -> DealTerms:
    return publish_terms(deal=deal, new=terms, by=MACHINE, at=NOW).row


def test_each_childs_list_price_is_frozen_beside_it(deal: Deal, child: DealTerms) -> None:
    published = publish(deal, new({"terms": child.public_id, "count": 2}))

    assert published.bundle_children == [{"terms": child.public_id, "count": 2, "list_price_fen": 2_000}]
    assert publish(deal, new({"terms": child.public_id, "count": 2})) == published, "equal terms are the latest"


def test_as_many_vouchers_as_a_coupon_book_has(deal: Deal, child: DealTerms) -> None:
    assert publish(deal, new({"terms": child.public_id, "count": MOST_CHILDREN}))
    with pytest.raises(TermsInvalid):
        publish(deal, new({"terms": child.public_id, "count": MOST_CHILDREN + 1}))


def test_children_are_this_brands_and_no_bundles(deal: Deal, brand: Brand, child: DealTerms) -> None:
    foreign = factories.terms(factories.deal(factories.brand()))
    bundle = factories.bundle(brand, (child, 1))
    for terms in (foreign, bundle):
        with pytest.raises(TermsInvalid) as refusal:
            publish(deal, new({"terms": terms.public_id, "count": 1}))
        assert refusal.value.param == "bundle_children"


def test_a_child_that_is_over_is_refused(deal: Deal, brand: Brand) -> None:
    over = factories.terms(
        factories.deal(brand),
        validity="fixed",
        usable_days=None,
        usable_from=NOW - timedelta(days=2),
        usable_until=NOW,
    )
    with pytest.raises(TermsInvalid):
        publish(deal, new({"terms": over.public_id, "count": 1}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"bundle_children": []},
        {"bundle_children": [{"count": 1}]},
        {"bundle_children": [{"terms": f"trm_{new_id().hex}", "count": 1}]},
        {"bundle_children": [{"terms": "trm_x", "count": 1}]},
        {"bundle_children": [{"terms": 7, "count": 1}]},
        {"list_price_fen": 1_999},
        {"use_list_fen": [1_000, 1_000]},
        {"weekdays": [1]},
        {"store_scope": {"everywhere": True}},
        {"min_spend_fen": 100},
        {"max_per_order": 1},
        {"refund_returns_stock": True},
    ],
)
def test_what_no_bundle_is(deal: Deal, child: DealTerms, wrong: dict[str, Any]) -> None:
    with pytest.raises(TermsInvalid):
        publish(deal, replace(new({"terms": child.public_id, "count": 1}), **wrong))


@pytest.mark.parametrize("count", [0, -1, True, "1", None, 1.5])
def test_a_count_is_one_or_more(deal: Deal, child: DealTerms, count: Any) -> None:
    with pytest.raises(TermsInvalid):
        publish(deal, new({"terms": child.public_id, "count": count}, list_price_fen=2_000))


def test_a_child_comes_once_with_its_count_and_without_a_price_of_its_own(deal: Deal, child: DealTerms) -> None:
    once = {"terms": child.public_id, "count": 1}
    with pytest.raises(TermsInvalid):
        publish(deal, new(once, once))
    with pytest.raises(TermsInvalid):
        publish(deal, new({**once, "list_price_fen": 1}, list_price_fen=2_000))
