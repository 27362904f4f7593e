"""What a closed offer did not sell goes back to its deal, once nobody can pay for it any more."""

from datetime import timedelta
from typing import Any

import pytest

from config.kernel.models import AuditEntry
from orders.invariants import auditing, slices
from orders.services.draining import drain_closed
from tests import factories
from tests.factories import NOW
from tests.orders import paid
from vouchers.models import DealStock, Offer

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


def closed(**fields: Any) -> Offer:
    """A closed offer of 10 of a deal of 100."""
    deal = factories.deal(factories.brand(), total=100)
    return factories.offer(factories.terms(deal), **{"allotment": 10, "state": "closed", "closed_at": NOW, **fields})


def drain() -> int:
    return drain_closed(limit=10, at=LATER)


def test_the_remainder_goes_back_to_the_deal_once() -> None:
    offer = closed()
    paid.purchase(offer=offer, quantity=3)

    assert (drain(), drain()) == (1, 0)

    offer.refresh_from_db()
    assert (offer.state, offer.drained_at, offer.sold) == ("drained", LATER, 3)
    assert DealStock.objects.get().free == 97
    broken = {rule for result in auditing.look(slices.whole()) for rule in result.broken if result.invariant == "I1"}
    assert broken == set()


def test_an_unpaid_purchase_keeps_it_closed() -> None:
    offer = closed()
    unpaid = paid.purchase(offer=offer, status="accepted", paid_at=None)

    assert drain() == 0
    type(unpaid).objects.update(status="closed", closed_at=NOW)

    assert drain() == 1


@pytest.mark.parametrize("state", ["draft", "open", "paused"])
def test_an_offer_that_may_sell_again_is_left_alone(state: str) -> None:
    closed(state=state, closed_at=None)

    assert drain() == 0


def test_another_offers_unpaid_purchase_holds_up_nothing() -> None:
    closed()
    paid.purchase(offer=closed(), status="accepted", paid_at=None)

    assert drain() == 1


def test_a_run_is_bounded_and_leaves_one_trail() -> None:
    for _ in range(3):
        closed()

    assert drain_closed(limit=2, at=LATER) == 2
    assert AuditEntry.objects.get(act="offers.drained").subject_count == 2
