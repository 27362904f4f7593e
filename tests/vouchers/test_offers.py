"""Offers take their stock from a deal, change state by their rules, and give back what they did not sell."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import IdempotencyConflict
from config.kernel.models import AuditEntry
from tests import factories
from tests.factories import NOW
from vouchers.errors import AllotmentBelowSold, DealStockExhausted, OfferInvalid, OfferStateRefuses
from vouchers.models import Deal, DealStock, DealTerms, Offer
from vouchers.services import amendments, offers

pytestmark = pytest.mark.django_db

BY = Caller(kind=CallerKind.STAFF, id=uuid4())


@pytest.fixture
def terms() -> DealTerms:
    return factories.terms(factories.deal(factories.brand(), total=100))


def create(terms: DealTerms, *, request_id: UUID | None = None, **fields: Any) -> Any:
    given = {"price_fen": 990, "allotment": 60, **fields}
    return offers.create(terms=terms, request_id=request_id or uuid4(), by=BY, at=NOW, **given)


def free() -> int:
    return DealStock.objects.get().free


def test_an_offer_holds_its_allotment_of_the_deals_stock(terms: DealTerms) -> None:
    made = create(terms)

    assert (made.row.state, made.row.opens_at, free()) == ("draft", NOW, 40)
    assert AuditEntry.objects.get().act == "offer.created"


def test_more_than_the_deal_has_free_is_refused_and_nothing_is_made(terms: DealTerms) -> None:
    create(terms)

    with pytest.raises(DealStockExhausted) as refusal:
        create(terms, allotment=41)

    assert refusal.value.details == {"free": 40}
    assert Offer.objects.count() == 1


def test_the_same_request_makes_one_offer_and_other_content_is_refused(terms: DealTerms) -> None:
    key = uuid4()
    first = create(terms, request_id=key)

    again = create(terms, request_id=key)

    assert (again.row, again.is_new, free()) == (first.row, False, 40)
    with pytest.raises(IdempotencyConflict):
        create(terms, request_id=key, price_fen=1)


def fixed(**days: float) -> DealTerms:
    ends = {"usable_from": NOW - timedelta(days=30), "usable_until": NOW + timedelta(**days)}
    return factories.terms(factories.deal(factories.brand(), total=100), validity="fixed", usable_days=None, **ends)


def test_an_offer_sells_no_voucher_that_has_expired() -> None:
    terms = fixed(days=9)

    assert create(terms, allotment=1).row.closes_at == terms.usable_until
    assert create(terms, allotment=1, closes_at=NOW + timedelta(days=1)).row.closes_at == NOW + timedelta(days=1)
    for impossible in ({"closes_at": NOW + timedelta(days=10)}, {"opens_at": NOW + timedelta(days=9)}):
        with pytest.raises(OfferInvalid):
            create(terms, allotment=1, **impossible)


def test_a_bundle_is_sold_until_its_first_voucher_ends() -> None:
    brand = factories.brand()
    ends = {"usable_from": NOW - timedelta(days=30), "usable_until": NOW + timedelta(days=2)}
    dated = factories.terms(factories.deal(brand), validity="fixed", usable_days=None, **ends)
    bundle = factories.bundle(brand, (dated, 1), (factories.terms(factories.deal(brand)), 1))

    assert create(bundle).row.closes_at == dated.usable_until


@pytest.mark.django_db(transaction=True)
def test_an_amended_end_counts() -> None:
    terms = fixed(days=-1)
    with pytest.raises(OfferInvalid):
        create(terms)

    longer = {"usable_until": NOW + timedelta(days=5)}
    amendments.publish(
        terms=terms, changes=longer, reason="延期", request_id=uuid4(), by=BY, at=NOW - timedelta(days=2)
    )

    assert create(terms).row.closes_at == NOW + timedelta(days=5)


@pytest.mark.parametrize("kind", list(Deal.Kind))
def test_every_kind_may_be_offered(kind: str) -> None:
    brand = factories.brand()
    child = factories.terms(factories.deal(brand))
    terms = (
        factories.bundle(brand, (child, 2)) if kind == "bundle" else factories.terms(factories.deal(brand, kind=kind))
    )

    assert create(terms).row.deal.kind == kind


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"price_fen": 0}, "price_fen"),
        ({"price_fen": 2_001}, "price_fen"),
        ({"allotment": 0}, "allotment"),
        ({"per_customer_limit": 0}, "per_customer_limit"),
        ({"closes_at": NOW}, "closes_at"),
        ({"opens_at": NOW + timedelta(days=2), "closes_at": NOW + timedelta(days=1)}, "closes_at"),
    ],
)
def test_what_cannot_be_names_its_field(terms: DealTerms, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(OfferInvalid) as refusal:
        create(terms, **fields)

    assert refusal.value.param == param
    assert free() == 100


def test_states_turn_as_drawn_and_repeating_changes_nothing(terms: DealTerms) -> None:
    offer = create(terms).row
    for act, state in [
        (offers.open_offer, "open"),
        (offers.pause, "paused"),
        (offers.resume, "open"),
        (offers.close, "closed"),
    ]:
        act(offer=offer, by=BY, at=NOW)
        assert act(offer=offer, by=BY, at=NOW).state == state
    assert AuditEntry.objects.count() == 5


@pytest.mark.parametrize(
    ("state", "act"), [("draft", "pause"), ("draft", "resume"), ("paused", "open_offer"), ("closed", "open_offer")]
)
def test_other_turns_are_refused(terms: DealTerms, state: str, act: str) -> None:
    offer = create(terms).row
    Offer.objects.update(state=state, closed_at=NOW if state == "closed" else None)

    with pytest.raises(OfferStateRefuses):
        getattr(offers, act)(offer=offer, by=BY, at=NOW)


def test_the_allotment_moves_stock_both_ways_and_never_below_what_is_sold(terms: DealTerms) -> None:
    offer = create(terms).row
    Offer.objects.update(sold=10)

    offers.change_allotment(offer=offer, allotment=90, by=BY, at=NOW)
    assert free() == 10
    offers.change_allotment(offer=offer, allotment=10, by=BY, at=NOW)
    assert free() == 90

    with pytest.raises(AllotmentBelowSold):
        offers.change_allotment(offer=offer, allotment=9, by=BY, at=NOW)
    with pytest.raises(DealStockExhausted):
        offers.change_allotment(offer=offer, allotment=101, by=BY, at=NOW)
    assert free() == 90


def test_draining_gives_the_remainder_back_once_and_only_of_closed_offers(terms: DealTerms) -> None:
    closed, still_open = create(terms, allotment=30).row, create(terms, allotment=20).row
    Offer.objects.filter(pk=closed.pk).update(state="closed", closed_at=NOW, sold=12)

    with transaction.atomic():
        drained = [offers.drain(offer_ids=[closed.id, still_open.id], at=NOW) for _ in range(2)]

    assert drained == [1, 0]
    assert free() == 50 + 18
    assert Offer.objects.get(pk=closed.pk).state == "drained"
