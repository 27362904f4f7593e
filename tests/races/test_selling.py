"""Many sell at once; each guard is taken away once and must be missed."""

import asyncio
import re
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from config.kernel.errors import InternalError
from config.kernel.group_commit import GroupCommit
from orders.models import Payment, Purchase
from orders.services import selling
from orders.services.selling import SellRequest, Sold, sell_batch
from tests import factories
from tests.factories import NOW
from tests.orders.test_selling import codes, wants
from tests.races.at_once import at_once, meet_before
from vouchers.models import CustomerAllowance, Offer
from vouchers.services import offer_counters

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def offer() -> Offer:
    return factories.offer(factories.terms(factories.deal(factories.brand())), allotment=1, per_customer_limit=2)


def selling_of(*requests: SellRequest) -> Callable[[], Any]:
    def sell() -> Any:
        (answer,) = sell_batch(requests, provider="sandbox", at=NOW)
        return answer

    return sell


def said(answers: list[Any]) -> list[str]:
    """What each heard; an exception, which no customer should ever meet, by its name."""
    return sorted(
        type(a).__name__ if isinstance(a, AssertionError | IntegrityError) else codes([a])[0] for a in answers
    )


def decide_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody has decided before anybody writes, as far as the locks let them."""
    meet_before(monkeypatch, selling._Sale, "write")


def without_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    unlocked = re.sub(r"FOR NO KEY UPDATE OF o", "", offer_counters.LOCK_OFFERS)
    assert unlocked != offer_counters.LOCK_OFFERS
    monkeypatch.setattr(offer_counters, "LOCK_OFFERS", unlocked)


def test_the_last_unit_has_one_buyer(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    decide_together(monkeypatch)

    answers = at_once(*[selling_of(wants(offer)) for _ in range(4)])

    assert said(answers) == ["sold", "sold_out", "sold_out", "sold_out"]
    assert Purchase.objects.count() == Offer.objects.get().sold == 1


def test_without_the_offers_lock_two_are_promised_the_last_unit(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    without_lock(monkeypatch)
    decide_together(monkeypatch)

    answers = at_once(*[selling_of(wants(offer)) for _ in range(2)])

    # The counter's own condition still holds the stock, but the loser meets an error instead of "sold out".
    assert said(answers) == ["AssertionError", "sold"]
    assert Offer.objects.get().sold == 1


def test_without_lock_and_condition_only_the_constraint_is_left(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    without_lock(monkeypatch)
    unconditional = offer_counters.MOVE_SOLD.replace("AND o.sold + k.n BETWEEN 0 AND o.allotment", "")
    assert unconditional != offer_counters.MOVE_SOLD
    monkeypatch.setattr(offer_counters, "MOVE_SOLD", unconditional)
    decide_together(monkeypatch)

    answers = at_once(*[selling_of(wants(offer)) for _ in range(2)])

    assert said(answers) == ["IntegrityError", "sold"]
    assert Offer.objects.get().sold == 1


def test_a_customers_limit_holds_over_two_devices(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    Offer.objects.update(allotment=10)
    customer = uuid4()
    decide_together(monkeypatch)

    answers = at_once(*[selling_of(wants(offer, customer_id=customer, quantity=2)) for _ in range(2)])

    assert said(answers) == ["limit_reached", "sold"]
    assert CustomerAllowance.objects.get().bought == 2


def test_without_the_offers_lock_two_devices_pass_the_limit(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    Offer.objects.update(allotment=10)
    customer = uuid4()
    without_lock(monkeypatch)
    decide_together(monkeypatch)

    at_once(*[selling_of(wants(offer, customer_id=customer, quantity=2)) for _ in range(2)])

    assert CustomerAllowance.objects.get().bought == 4


def test_the_same_request_twice_at_once_is_sold_once(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    request = wants(offer)
    decide_together(monkeypatch)

    first, second = at_once(selling_of(request), selling_of(request))

    assert first.purchase_id == second.purchase_id
    assert sorted([first.is_repeat, second.is_repeat]) == [False, True]


def test_one_key_for_two_offers_at_once_is_sold_once(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Different offers mean different locks: here only the unique key stands between two sales."""
    other = factories.offer(offer.terms, allotment=1)
    request = wants(offer)
    twin = wants(other, customer_id=request.customer_id, request_id=request.request_id)
    decide_together(monkeypatch)

    answers = at_once(selling_of(request), selling_of(twin))

    assert said(answers) == ["idempotency_conflict", "sold"]
    assert Purchase.objects.count() == Payment.objects.count() == 1
    assert sum(Offer.objects.values_list("sold", flat=True)) == 1


def test_without_on_conflict_the_loser_meets_an_error(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    other = factories.offer(offer.terms, allotment=1)
    request = wants(offer)
    twin = wants(other, customer_id=request.customer_id, request_id=request.request_id)
    strict = selling.ACCEPT.replace("ON CONFLICT (customer_id, request_id) DO NOTHING", "")
    assert strict != selling.ACCEPT
    monkeypatch.setattr(selling, "ACCEPT", strict)
    decide_together(monkeypatch)

    assert said(at_once(selling_of(request), selling_of(twin))) == ["IntegrityError", "sold"]


# --- through the lane's batches --------------------------------------------------------------------


def through_the_lane(*requests: SellRequest, hang_up: bool = False) -> list[Any]:
    group: GroupCommit[SellRequest, Sold] = GroupCommit(
        "sell", lambda batch: sell_batch(batch, provider="sandbox", at=NOW)
    )

    async def story() -> list[Any]:
        asking = [asyncio.create_task(group.submit(request)) for request in requests]
        await asyncio.sleep(0)
        if hang_up:
            asking[0].cancel()
        group.start()
        return list(await asyncio.gather(*asking, return_exceptions=True))

    try:
        return asyncio.run(story())
    finally:
        group.stop()
        connections.close_all()


def fail_once_at_commit(monkeypatch: pytest.MonkeyPatch, *, after_it_arrived: bool) -> None:
    commit = BaseDatabaseWrapper._commit
    failures = iter([True])

    def lose(self: BaseDatabaseWrapper) -> Any:
        if threading.current_thread().name != "batch-sell" or not next(failures, False):
            return commit(self)
        if after_it_arrived:
            commit(self)
        self.connection.close()  # the rest of the transaction dies with its connection
        raise OperationalError("the connection was lost at COMMIT")

    monkeypatch.setattr(BaseDatabaseWrapper, "_commit", lose)


@pytest.mark.parametrize("after_it_arrived", [True, False], ids=["commit arrived", "commit did not arrive"])
def test_a_connection_lost_at_commit_sells_once(
    offer: Offer, monkeypatch: pytest.MonkeyPatch, after_it_arrived: bool
) -> None:
    fail_once_at_commit(monkeypatch, after_it_arrived=after_it_arrived)

    (answer,) = through_the_lane(wants(offer))

    assert answer.purchase_id == Purchase.objects.get().id
    assert Offer.objects.get().sold == 1


def test_without_first_answers_a_commit_that_arrived_is_reported_as_sold_out(
    offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once_at_commit(monkeypatch, after_it_arrived=True)
    monkeypatch.setattr(selling, "_first_answers", lambda asked: {})

    (answer,) = through_the_lane(wants(offer))

    assert answer.code == "sold_out"
    assert Purchase.objects.count() == 1


def test_a_poisonous_request_fails_alone(offer: Offer) -> None:
    Offer.objects.update(allotment=10)
    healthy = [wants(offer) for _ in range(4)]
    # PostgreSQL's text takes no NUL; the edges refuse it, so only a programmer's mistake brings it here.
    poison = wants(offer, content_id="\x00")

    answers = through_the_lane(*healthy[:2], poison, *healthy[2:])

    assert [isinstance(answer, Sold) for answer in answers] == [True, True, False, True, True]
    assert isinstance(answers[2], InternalError)
    assert Offer.objects.get().sold == 4


def test_who_hangs_up_has_bought_all_the_same(offer: Offer) -> None:
    request = wants(offer)

    through_the_lane(request, hang_up=True)

    assert Purchase.objects.get().request_id == request.request_id
