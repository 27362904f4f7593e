"""A batch of purchases is accepted in order, once per request, never beyond stock or limit."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from orders.models import Payment, Purchase
from orders.services.selling import SellRequest, Sold, first_answers, sell_batch
from tests import factories
from tests.factories import NOW
from vouchers.models import CustomerAllowance, Offer, SellingSwitch

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer() -> Offer:
    return factories.offer(factories.terms(factories.deal(factories.brand())), allotment=10, per_customer_limit=3)


def wants(offer: Offer, **fields: Any) -> SellRequest:
    return SellRequest(
        **{
            "offer_id": offer.id,
            "brand_id": offer.brand_id,
            "customer_id": uuid4(),
            "request_id": uuid4(),
            "quantity": 1,
            "unit_price_fen": offer.price_fen,
            "terms_number": offer.terms.number,
            "channel": "live",
            "session_id": offer.session_id,
            **fields,
        }
    )


def sell(*requests: SellRequest) -> list[Any]:
    return sell_batch(requests, provider="sandbox", at=NOW)


def codes(answers: list[Any]) -> list[str]:
    return ["sold" if isinstance(answer, Sold) else answer.code for answer in answers]


def test_a_sale_writes_purchase_payment_allowance_and_counter(offer: Offer) -> None:
    request = wants(offer, quantity=2, promoter_id=uuid4(), promoter_rate_bps=500, provider_rate_bps=300)

    (sold,) = sell(request)

    purchase = Purchase.objects.get()
    assert (sold.purchase_id, sold.total_fen, sold.status, sold.is_repeat) == (purchase.id, 1_980, "accepted", False)
    assert (purchase.promoter_rate_bps, purchase.provider_rate_bps, purchase.accepted_at) == (500, 300, NOW)
    assert Payment.objects.get().amount_fen == 1_980
    assert CustomerAllowance.objects.get().bought == 2
    assert Offer.objects.get().sold == 2


def test_the_last_unit_has_one_buyer_and_the_order_in_the_batch_decides(offer: Offer) -> None:
    answers = sell(*[wants(offer) for _ in range(12)])

    assert codes(answers) == ["sold"] * 10 + ["sold_out"] * 2
    assert Offer.objects.get().sold == Purchase.objects.count() == 10


def test_what_is_left_goes_to_whoever_wants_no_more_than_that(offer: Offer) -> None:
    answers = sell(
        wants(offer, quantity=3), wants(offer, quantity=3), wants(offer, quantity=3), wants(offer, quantity=2)
    )

    assert codes(answers) == ["sold", "sold", "sold", "sold_out"]
    assert answers[-1].details == {"left": 1}
    assert codes(sell(wants(offer, quantity=1))) == ["sold"]


def test_a_repeat_gets_the_same_purchase_even_after_the_sell_out(offer: Offer) -> None:
    last = wants(offer)
    *_, first = sell(*[wants(offer) for _ in range(9)], last)

    (again,) = sell(last)

    assert again.purchase_id == first.purchase_id
    assert again.is_repeat
    assert Offer.objects.get().sold == 10


def test_a_repeat_answers_with_the_current_state(offer: Offer) -> None:
    request = wants(offer)
    sell(request)
    Purchase.objects.update(status=Purchase.Status.PAID, paid_at=NOW)

    assert sell(request)[0].status == "paid"


def test_the_same_request_twice_in_one_batch_is_sold_once(offer: Offer) -> None:
    request = wants(offer)

    first, second = sell(request, request)

    assert first.purchase_id == second.purchase_id
    assert (first.is_repeat, second.is_repeat) == (False, True)
    assert Offer.objects.get().sold == 1


@pytest.mark.parametrize("change", [{"quantity": 2}, {"unit_price_fen": 1}, {"channel": "shelf"}, {"content_id": "v1"}])
def test_the_same_key_with_other_content_is_refused(offer: Offer, change: dict[str, Any]) -> None:
    request = wants(offer)
    sell(request)

    other = wants(offer, customer_id=request.customer_id, request_id=request.request_id, **change)

    assert codes(sell(other)) == ["idempotency_conflict"]


def test_another_customer_may_use_the_same_key(offer: Offer) -> None:
    request = wants(offer)
    sell(request)

    assert codes(sell(wants(offer, request_id=request.request_id))) == ["sold"]


def test_the_limit_counts_over_batches_and_within_one(offer: Offer) -> None:
    customer = uuid4()
    assert codes(sell(*[wants(offer, customer_id=customer) for _ in range(2)])) == ["sold", "sold"]

    answers = sell(*[wants(offer, customer_id=customer) for _ in range(2)])

    assert codes(answers) == ["sold", "limit_reached"]
    assert answers[1].details == {"limit": 3, "bought": 3}


def test_a_refusal_stores_nothing_so_the_same_key_may_try_again(offer: Offer) -> None:
    request = wants(offer, unit_price_fen=1)
    assert codes(sell(request)) == ["price_changed"]
    assert Purchase.objects.count() == 0

    fresh = wants(offer, customer_id=request.customer_id, request_id=request.request_id)

    assert codes(sell(fresh)) == ["sold"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"state": "paused"}, "sale_paused"),
        ({"state": "draft"}, "not_on_sale_yet"),
        ({"opens_at": NOW + timedelta(seconds=1)}, "not_on_sale_yet"),
        ({"closes_at": NOW}, "sale_closed"),
        ({"state": "closed", "closed_at": NOW}, "sale_closed"),
        ({"price_fen": 991}, "price_changed"),
    ],
)
def test_the_offer_as_it_stands_decides(offer: Offer, fields: dict[str, Any], code: str) -> None:
    request = wants(offer)
    Offer.objects.update(**fields)

    assert codes(sell(request)) == [code]


def test_other_terms_than_the_shown_ones_are_refused_with_the_current_number(offer: Offer) -> None:
    (refusal,) = sell(wants(offer, terms_number=7))

    assert refusal.code == "price_changed"
    assert refusal.details == {"unit_price_fen": 990, "terms_number": 1}


@pytest.mark.parametrize("scope", ["brand", "session", "offer"])
def test_every_kill_switch_stops_and_letting_go_sells_again(offer: Offer, scope: str) -> None:
    Offer.objects.update(session_id=uuid4())
    offer.refresh_from_db()
    scope_id = {"brand": offer.brand_id, "session": offer.session_id, "offer": offer.id}[scope]
    switch = SellingSwitch.objects.create(scope=scope, scope_id=scope_id, stopped_at=NOW, changed_at=NOW)

    assert codes(sell(wants(offer))) == ["selling_stopped"]

    switch.stopped_at = None
    switch.save()
    assert codes(sell(wants(offer))) == ["sold"]


def test_an_offer_of_another_brand_or_session_is_not_found(offer: Offer) -> None:
    strangers = [wants(offer, brand_id=uuid4()), wants(offer, offer_id=uuid4()), wants(offer, session_id=uuid4())]

    assert codes(sell(*strangers)) == ["offer_not_found"] * 3


@pytest.mark.parametrize("quantity", [0, -1, 100, 2**63])
def test_a_quantity_out_of_range_is_refused(offer: Offer, quantity: int) -> None:
    assert codes(sell(wants(offer, quantity=quantity))) == ["quantity_out_of_range"]


def test_one_batch_sells_many_offers(offer: Offer) -> None:
    others = [factories.offer(offer.terms, allotment=1) for _ in range(3)]

    answers = sell(*[wants(each) for each in [offer, *others, *others]])

    assert codes(answers) == ["sold"] * 4 + ["sold_out"] * 3


def test_first_answers_finds_purchases_and_writes_nothing(offer: Offer) -> None:
    known = wants(offer)
    (sold,) = sell(known)

    found, unknown = first_answers([known, wants(offer)])

    assert isinstance(found, Sold)
    assert found.purchase_id == sold.purchase_id
    assert unknown is None
    assert Purchase.objects.count() == 1
