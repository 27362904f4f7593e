"""A bundle is sold like anything else; its children are vouchers of their own, each with its share of the price."""

from datetime import timedelta
from uuid import uuid4

import pytest

from orders.invariants import auditing, slices
from orders.models import Purchase, Refund
from orders.services import issuing
from orders.services.issuing import issue_paid
from orders.services.refunds import request_refund
from stores.models import Brand
from tests import factories
from tests.factories import NOW
from tests.orders import paid, world
from tests.vouchers import counters, granted
from vouchers.models import DealTerms, Voucher
from vouchers.queries.units import parts_shown
from vouchers.services.expiry import expire_due

pytestmark = pytest.mark.django_db


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


@pytest.fixture
def bundle(brand: Brand) -> DealTerms:
    """Two vouchers of ¥20 and a card of three drinks at ¥16: a list price of ¥88."""
    cash = factories.terms(factories.deal(brand))
    card = factories.terms(factories.deal(brand, kind="times_card"), usable_days=60)
    return factories.bundle(brand, (cash, 2), (card, 1))


def bought(bundle: DealTerms, *, quantity: int = 1, price_fen: int = 5_000) -> list[Voucher]:
    purchase = paid.purchase(terms=bundle, brand=bundle.deal.brand, quantity=quantity, unit_price_fen=price_fen)
    issue_paid(at=NOW)
    return list(Voucher.objects.filter(source_id=purchase.pk).order_by("ordinal"))


def refund(voucher: Voucher) -> int:
    answer = request_refund(voucher_id=voucher.pk, customer_id=voucher.customer_id, request_id=uuid4(), at=NOW)
    assert answer.request.refund is not None
    world.pay_out(answer.request.refund, at=NOW)
    return answer.request.amount_fen


def broken_rules() -> set[str]:
    world.leave_trail_of_captures()
    return {rule for result in auditing.look(slices.whole()) for rule in result.broken}


def test_a_unit_is_its_children_and_no_voucher_of_the_bundle(bundle: DealTerms) -> None:
    first, second, card = bought(bundle)

    assert [voucher.ordinal for voucher in (first, second, card)] == [1, 2, 3]
    assert (first.terms, second.terms, card.terms.deal.kind) == (second.terms, first.terms, "times_card")
    assert not Voucher.objects.filter(terms=bundle).exists()
    assert card.valid_until - first.valid_until == timedelta(days=30), "each by its own terms"
    assert len({voucher.code for voucher in (first, second, card)}) == 3


def test_the_price_is_split_by_list_prices_to_the_fen(bundle: DealTerms) -> None:
    """¥50 over 20 : 20 : 48 is 11.3636…, 11.3636…, 27.2727…: the fen left over goes to the largest remainder."""
    first, second, card = bought(bundle)

    assert [first.paid_fen, second.paid_fen, card.paid_fen] == [1_137, 1_136, 2_727]
    assert card.use_amounts_fen == [909, 909, 909]
    assert sum(first.use_amounts_fen + second.use_amounts_fen + card.use_amounts_fen) == 5_000


def test_ordinals_and_codes_run_through_all_units(bundle: DealTerms) -> None:
    vouchers = bought(bundle, quantity=3)

    assert [voucher.ordinal for voucher in vouchers] == list(range(1, 10))
    assert [voucher.paid_fen for voucher in vouchers] == [1_137, 1_136, 2_727] * 3
    assert broken_rules() == set()


def test_a_partly_used_bundle_gives_back_what_was_shown_of_the_unused_children(bundle: DealTerms) -> None:
    _, of_second, of_card = (part.use_fen for part in parts_shown(bundle.pk, 5_000))
    first, second, card = bought(bundle)
    counter = counters.counter(brand=bundle.deal.brand)
    counter.redeem(first.code)
    counter.redeem(card.code)
    purchase = Purchase.objects.get()

    assert refund(second) == sum(of_second) == 1_136
    purchase.refresh_from_db()
    assert purchase.status == "partly_refunded"
    assert refund(card) == sum(of_card[1:]) == 909 + 909

    purchase.refresh_from_db()
    assert purchase.status == "partly_refunded", "a drink and a voucher are gone"
    assert broken_rules() == set()


def test_a_purchase_is_refunded_when_every_child_is(bundle: DealTerms) -> None:
    given_back = [refund(voucher) for voucher in bought(bundle)]

    assert sum(given_back) == 5_000
    purchase = Purchase.objects.get()
    assert (purchase.status, purchase.returned_quantity) == ("refunded", 0)
    assert Refund.objects.count() == 3
    assert broken_rules() == set()


def test_children_expire_each_in_its_time(bundle: DealTerms) -> None:
    bought(bundle)

    assert expire_due(limit=10, at=NOW + timedelta(days=40)) == 2
    assert Voucher.objects.get(status="issued").terms.deal.kind == "times_card"
    assert broken_rules() == set()


def test_a_bundle_is_given_away_as_its_children(bundle: DealTerms) -> None:
    customers = [factories.customer(bundle.deal.brand) for _ in range(2)]

    made = granted.grant(bundle, granted.to(*customers), per_customer=2)
    assert (made.vouchers_each, made.voucher_count) == (6, 12)
    granted.issue_all()

    vouchers = granted.vouchers_of(made)
    assert [v.terms.deal.kind for v in vouchers] == ["cash", "cash", "times_card"] * 4
    assert [v.customer_id for v in vouchers] == [one for one in made.batches.get().customer_ids for _ in range(6)]
    assert {sum(v.use_amounts_fen) for v in vouchers} == {0}
    assert broken_rules() == set()


def test_many_large_bundles_are_issued_a_bounded_transaction_at_a_time(
    bundle: DealTerms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuing, "MOST_VOUCHERS", 7)
    for _ in range(3):
        paid.purchase(terms=bundle, brand=bundle.deal.brand, unit_price_fen=5_000)

    assert [issue_paid(at=NOW) for _ in range(3)] == [2, 1, 0]
    assert Voucher.objects.count() == 9
