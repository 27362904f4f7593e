"""Products that go for good, and what becomes of the vouchers that name them."""

from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.caller import Caller, CallerKind
from config.kernel.models import AuditEntry
from stores.errors import ProductNotFound, SubstituteRefused
from stores.models import Product
from stores.queries.products import standing_in, substitutes_of
from stores.services import opening
from tests import factories
from tests.factories import NOW
from tests.vouchers import counters, granted
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_staff, error_of, get, post
from tests.vouchers.test_amendments import amend
from vouchers.errors import GrantInvalid, OpenVouchersNameProduct, TermsInvalid, TermsRecalled
from vouchers.models import DealTerms, Offer, Recall, Voucher
from vouchers.queries import open_vouchers
from vouchers.services import deals, offers, withdrawing
from vouchers.services.deals import NewTerms

pytestmark = pytest.mark.django_db(transaction=True)

BY = Caller(kind=CallerKind.STAFF, id=uuid4())


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def drinks(counter: Counter) -> list[Product]:
    return [factories.product(counter.brand, name=name) for name in ("青提茉莉", "波波牛乳", "绿妍")]


def package(counter: Counter, *products: Product, choose: int = 1) -> DealTerms:
    items = [{"product": product.public_id, "count": 1} for product in products]
    return counter.terms(kind="package", package_groups=[{"name": "主饮", "choose": choose, "items": items}])


def scope(counter: Counter, **product_scope: Any) -> DealTerms:
    return counter.terms(product_scope=product_scope)


def act(product: Product, **more: Any) -> dict[str, Any]:
    return {"product_id": product.id, "reason": "换季", "by": BY, "at": NOW, **more}


def open_on(product: Product) -> dict[Any, tuple[int, bool]]:
    return {one.terms: (one.open_vouchers, one.can_be_met) for one in open_vouchers.on_product(product)}


def test_open_vouchers_are_counted_by_the_terms_that_name_the_product(counter: Counter, drinks: list[Product]) -> None:
    grape, milk, tea = drinks
    alone, either = package(counter, grape), package(counter, grape, milk)
    both, scoped = package(counter, grape, milk, choose=2), scope(counter, products=[grape.public_id])
    wide = scope(counter, products=[grape.public_id], categories=["鲜果茶"])
    package(counter, tea)
    counter.vouchers(alone, count=3)
    used, _ = counter.vouchers(alone, count=2, paid_fen=0)
    Voucher.objects.filter(pk=used.pk).update(status="used", uses_left=0)

    assert open_on(grape) == {
        alone: (4, False),
        either: (0, True),
        both: (0, False),
        scoped: (0, False),
        wide: (0, True),
    }


def test_a_withdrawal_with_open_vouchers_is_refused_and_says_how_many(counter: Counter, drinks: list[Product]) -> None:
    terms = package(counter, drinks[0])
    counter.vouchers(terms, count=2)

    with pytest.raises(OpenVouchersNameProduct) as refusal:
        withdrawing.withdraw(**act(drinks[0]))

    assert refusal.value.details == {"open_vouchers": 2, "terms": {terms.public_id: 2}}
    assert "2" in refusal.value.message("zh")
    drinks[0].refresh_from_db()
    assert drinks[0].withdrawn_at is None


def test_what_no_open_voucher_names_is_withdrawn_once(counter: Counter, drinks: list[Product]) -> None:
    for _ in range(2):
        withdrawing.withdraw(**act(drinks[0]))

    drinks[0].refresh_from_db()
    assert (drinks[0].withdrawn_at, drinks[0].is_sold) == (NOW, False)
    assert AuditEntry.objects.filter(act="product.withdrawn").count() == 1
    with pytest.raises(ProductNotFound):
        withdrawing.withdraw(**act(drinks[0], product_id=uuid4()))


def test_terms_without_open_vouchers_are_recalled_too_and_not_sold(counter: Counter, drinks: list[Product]) -> None:
    """What is paid and not issued yet would be open a moment later."""
    terms = package(counter, drinks[0])
    offer = factories.offer(terms)

    withdrawing.withdraw(**act(drinks[0]))

    offer.refresh_from_db()
    assert (offer.state, offer.closed_at) == ("closed", NOW)
    assert Recall.objects.get().terms == terms


def test_substitutes_keep_every_promise(counter: Counter, drinks: list[Product]) -> None:
    grape, milk, tea = drinks
    terms = package(counter, grape)
    counter.vouchers(terms, count=2)

    for _ in range(2):
        withdrawing.withdraw_with_substitutes(**act(grape, substitute_ids=[milk.id, tea.id]))

    assert not Recall.objects.exists()
    assert substitutes_of(counter.brand.id) == {grape.id: (milk.id, tea.id)}
    assert open_on(milk) == {terms: (2, True)}, "terms of what it stands in for are terms that name it"


def test_a_substitute_that_goes_itself_needs_another(counter: Counter, drinks: list[Product]) -> None:
    grape, milk, tea = drinks
    terms = package(counter, grape)
    counter.voucher(terms)
    withdrawing.withdraw_with_substitutes(**act(grape, substitute_ids=[milk.id]))

    with pytest.raises(OpenVouchersNameProduct):
        withdrawing.withdraw(**act(milk))
    withdrawing.withdraw_with_substitutes(**act(milk, substitute_ids=[tea.id]))

    assert standing_in(grape.id, substitutes_of(counter.brand.id), {grape.id, milk.id}) == {tea.id}
    assert open_on(tea) == {terms: (1, False)}


def test_only_what_the_brand_sells_stands_in(counter: Counter, drinks: list[Product]) -> None:
    grape, milk, _ = drinks
    foreign = factories.product(factories.brand())
    Product.objects.filter(pk=milk.pk).update(is_sold=False)

    for refused in ([], [grape.id], [foreign.id], [milk.id], [drinks[2].id, uuid4()]):
        with pytest.raises(SubstituteRefused):
            withdrawing.withdraw_with_substitutes(**act(grape, substitute_ids=refused))
    grape.refresh_from_db()
    assert grape.withdrawn_at is None


def test_a_refund_recalls_what_cannot_be_met_and_nothing_else(counter: Counter, drinks: list[Product]) -> None:
    grape, milk, _ = drinks
    alone, either = package(counter, grape), package(counter, grape, milk)
    counter.vouchers(alone, count=2)
    counter.vouchers(either)

    withdrawing.withdraw_with_refund(**act(grape))
    recall = Recall.objects.get()
    assert (recall.terms, recall.cause, recall.subject_id) == (alone, "product_withdrawn", grape.id)

    withdrawing.withdraw_with_refund(**act(milk))
    assert set(Recall.objects.values_list("terms", flat=True)) == {alone.id, either.id}


def test_what_an_amendment_lets_stand_in_keeps_the_terms(counter: Counter, drinks: list[Product]) -> None:
    grape, milk, tea = drinks
    packed, scoped = package(counter, grape), scope(counter, products=[grape.public_id])
    unmet = package(counter, grape)
    for terms in (packed, scoped):
        counter.voucher(terms)
        amend(terms, substitutes={grape.public_id: [milk.public_id]})

    assert open_on(grape) == {unmet: (0, False), scoped: (1, True), packed: (1, True)}
    assert open_on(milk) == {scoped: (1, True), packed: (1, True)}, "they take it too"
    withdrawing.withdraw_with_refund(**act(grape))
    assert set(Recall.objects.values_list("terms", flat=True)) == {unmet.id}

    withdrawing.withdraw_with_substitutes(**act(milk, substitute_ids=[tea.id]))
    assert open_on(tea) == {scoped: (1, False), packed: (1, False)}
    withdrawing.withdraw_with_refund(**act(tea))
    assert Recall.objects.count() == 3


def test_products_that_an_amendment_added_count(counter: Counter, drinks: list[Product]) -> None:
    grape, milk, _ = drinks
    more, all_of_it = (scope(counter, products=[grape.public_id]) for _ in range(2))
    amend(more, product_scope={"products": [grape.public_id, milk.public_id]})
    amend(all_of_it, product_scope={"everything": True})

    assert open_on(milk) == {more: (0, True)}
    withdrawing.withdraw_with_refund(**act(grape))
    assert not Recall.objects.exists()
    withdrawing.withdraw_with_refund(**act(milk))
    assert Recall.objects.get().terms == more


def test_what_a_scope_excepts_does_not_meet_it(counter: Counter, drinks: list[Product]) -> None:
    grape, milk, _ = drinks
    terms = scope(counter, products=[grape.public_id, milk.public_id], except_products=[milk.public_id])

    assert open_on(grape) == {terms: (0, False)}


def test_nothing_more_is_sold_under_recalled_terms(counter: Counter, drinks: list[Product]) -> None:
    """Nor under a bundle that would issue their vouchers."""
    terms = counter.terms(product_scope={"products": [drinks[0].public_id]})
    bundle = counter.terms(kind="bundle", bundle_children=[{"terms": terms.public_id, "count": 2}])
    selling, of_bundle, draft = factories.offer(terms), factories.offer(bundle), factories.offer(terms, state="draft")
    other = factories.offer(counter.terms())

    withdrawing.withdraw_with_refund(**act(drinks[0]))

    states = {offer.pk: offer.state for offer in Offer.objects.all()}
    assert [states[one.pk] for one in (selling, of_bundle, draft, other)] == ["closed", "closed", "closed", "open"]
    late = factories.offer(terms, state="draft")
    with pytest.raises(TermsRecalled):
        offers.open_offer(offer=late, by=BY, at=NOW)
    with pytest.raises(TermsInvalid):
        deals.publish_terms(
            deal=factories.deal(counter.brand, kind="bundle"),
            new=NewTerms(
                title="券包",
                list_price_fen=4_000,
                bundle_children=[{"terms": terms.public_id, "count": 2}],
                usable_days=30,
            ),
            by=BY,
            at=NOW,
        )
    for recalled in (terms, bundle):
        with pytest.raises(TermsRecalled):
            offers.create(terms=recalled, price_fen=990, allotment=10, request_id=uuid4(), by=BY, at=NOW)
        with pytest.raises(GrantInvalid):
            granted.grant(recalled, granted.to(factories.customer(counter.brand)))


def test_an_offer_that_was_made_is_the_answer_to_its_request_after_a_recall_too(
    counter: Counter, drinks: list[Product]
) -> None:
    terms, key = counter.terms(product_scope={"products": [drinks[0].public_id]}), uuid4()
    make = partial(offers.create, terms=terms, price_fen=990, allotment=10, request_id=key, by=BY, at=NOW)
    first = make()

    withdrawing.withdraw_with_refund(**act(drinks[0]))

    assert make().row == first.row


def test_terms_that_only_a_closing_store_honours_are_recalled(counter: Counter) -> None:
    other = factories.store(counter.brand)
    here = counter.terms(store_scope={"stores": [counter.store.public_id]})
    both = counter.terms(store_scope={"stores": [counter.store.public_id, other.public_id]})
    counter.terms()
    counter.terms(store_scope={"stores": [other.public_id]})

    assert [one.terms for one in open_vouchers.only_at(counter.store)] == [here]
    opening.close(store_id=counter.store.id, reason="租约到期", by=BY, at=NOW)
    assert set(Recall.objects.values_list("terms", "cause")) == {(here.id, "store_closed")}

    opening.close(store_id=other.id, reason="租约到期", by=BY, at=NOW)
    assert Recall.objects.filter(terms=both, subject_id=other.id).exists()
    assert Recall.objects.count() == DealTerms.objects.count(), "the brand has no store left"


def test_a_paused_store_still_keeps_its_promises(counter: Counter) -> None:
    other = factories.store(counter.brand, status="paused")
    counter.terms(store_scope={"stores": [counter.store.public_id, other.public_id]})

    opening.close(store_id=counter.store.id, reason="租约到期", by=BY, at=NOW)

    assert not Recall.objects.exists()


def test_head_office_sees_lists_and_withdraws_over_http(counter: Counter, drinks: list[Product]) -> None:
    grape, milk, _ = drinks
    operator = as_staff(factories.staff(counter.brand, role="operator").user)
    terms = package(counter, grape)
    vouchers = counter.vouchers(terms, count=3)
    path = f"products/{grape.public_id}"

    listed = get(f"{path}/terms", operator).json()
    assert (listed["open_vouchers"], listed["items"][0]["terms"]) == (3, terms.public_id)
    first = get(f"{path}/vouchers", operator, terms=terms.public_id, limit=2).json()
    rest = get(f"{path}/vouchers", operator, terms=terms.public_id, limit=2, cursor=first["next"]).json()
    assert {row["id"] for row in first["items"] + rest["items"]} == {voucher.public_id for voucher in vouchers}
    assert error_of(get(f"{path}/vouchers", operator, terms=counter.terms().public_id)) == (404, "terms_not_found")

    refused = post(f"{path}/withdraw", operator, {"reason": "换季"})
    assert error_of(refused) == (409, "open_vouchers_name_product")
    assert refused.json()["error"]["details"]["open_vouchers"] == 3
    odd = post(f"{path}/withdraw", operator, {"reason": "换季", "vouchers": "substitute"})
    assert error_of(odd) == (422, "malformed_request")
    withdrawn = post(f"{path}/withdraw", operator, {"reason": "换季", "vouchers": "refund"})
    assert withdrawn.status_code == 200
    assert withdrawn.json()["withdrawn_at"] is not None
    [recall] = get("recalls", operator).json()["items"]
    assert (recall["terms"], recall["subject"], recall["open_vouchers"]) == (terms.public_id, grape.public_id, 3)
    instead = {"reason": "换季", "vouchers": "substitute", "substitutes": [drinks[2].public_id]}
    assert post(f"products/{milk.public_id}/withdraw", operator, instead).status_code == 200


def test_a_closing_stores_vouchers_are_listed_before(counter: Counter) -> None:
    operator = as_staff(factories.staff(counter.brand, role="operator").user)
    terms = counter.terms(store_scope={"stores": [counter.store.public_id]})
    voucher = counter.voucher(terms)
    factories.store(counter.brand)
    path = f"stores/{counter.store.public_id}/only-here"

    assert get(path, operator).json()["items"][0]["open_vouchers"] == 1
    [row] = get(f"{path}/vouchers", operator, terms=terms.public_id).json()["items"]
    assert row["id"] == voucher.public_id


def test_only_head_office_and_never_another_brands(counter: Counter, drinks: list[Product]) -> None:
    clerk, stranger = as_staff(counter.clerk), as_staff(factories.staff(factories.brand(), role="owner").user)
    product, store = f"products/{drinks[0].public_id}", f"stores/{counter.store.public_id}"

    for path in (f"{product}/terms", f"{store}/only-here", "recalls"):
        assert error_of(get(path, clerk)) == (403, "not_allowed")
    assert error_of(post(f"{product}/withdraw", clerk, {"reason": "x"})) == (403, "not_allowed")
    assert error_of(post(f"{product}/withdraw", stranger, {"reason": "x"})) == (404, "product_not_found")
    assert error_of(get(f"{product}/terms", stranger)) == (404, "product_not_found")
    assert error_of(get(f"{store}/only-here", stranger)) == (404, "store_not_found")
