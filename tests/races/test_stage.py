"""Acts on a session against sales and against each other; each guard is taken away once and must be missed."""

import threading
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError, transaction

from livestream.models import Listing, LiveSession
from livestream.services import listings, sessions
from orders.services.selling import sell_batch
from tests import factories
from tests.factories import NOW
from tests.livestream.conftest import OPERATOR
from tests.orders.test_selling import codes, wants
from tests.patience import LIMIT_SECONDS, until
from tests.races.at_once import Meeting, at_once
from tests.races.squeezed import squeeze
from tests.races.test_selling import selling_of, without_lock
from tests.races.waiting import Watch, this_backend
from vouchers.models import Offer
from vouchers.services import session_offers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def session() -> LiveSession:
    return factories.live_session(factories.brand())


def an_offer(session: LiveSession) -> Offer:
    return factories.offer(factories.terms(factories.deal(session.brand)))


def listed(session: LiveSession) -> tuple[Listing, Offer]:
    offer = an_offer(session)
    listing = listings.list_offer(session=session, offer_id=offer.id, by=OPERATOR, at=NOW).row
    offer.refresh_from_db()
    return listing, offer


def put(session: LiveSession, offer: Offer) -> Any:
    return listings.list_offer(session=session, offer_id=offer.id, by=OPERATOR, at=NOW)


def test_eight_copies_of_a_request_make_one_session(session: LiveSession) -> None:
    request_id = uuid4()

    def create() -> Any:
        return sessions.create(brand_id=session.brand_id, title="x", request_id=request_id, by=OPERATOR, at=NOW)

    made = at_once(*[create] * 8)

    assert sorted(one.is_new for one in made) == [False] * 7 + [True]
    assert len({one.row.id for one in made}) == 1


def test_two_who_list_at_once_get_places_of_their_own(session: LiveSession, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = an_offer(session), an_offer(session)
    other = squeeze(monkeypatch, listings, "_standing", lambda: put(session, second))

    put(session, first)

    assert other.answer().is_new
    assert sorted(session.listings.values_list("position", flat=True)) == [0, 1]


def test_control_without_the_sessions_lock_two_want_the_same_place(
    session: LiveSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = an_offer(session), an_offer(session)
    monkeypatch.setattr(sessions, "lock", lambda session: LiveSession.objects.get(pk=session.pk))
    other = squeeze(monkeypatch, listings, "_standing", lambda: put(session, second))

    with pytest.raises(IntegrityError, match="listing_position_is_unique"):
        put(session, first)
    assert other.answer().is_new


def test_a_sale_that_comes_while_the_offer_is_taken_off_finds_nothing(
    session: LiveSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing, offer = listed(session)
    sale = squeeze(monkeypatch, session_offers, "lock", selling_of(wants(offer)))

    listings.take_off(listing=listing, by=OPERATOR, at=NOW)

    assert codes([sale.answer()]) == ["offer_not_found"]
    assert Offer.objects.values_list("session_id", "sold").get() == (None, 0)


def test_control_without_the_offers_lock_what_sold_here_is_free_for_another_session(
    session: LiveSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing, offer = listed(session)
    monkeypatch.setattr(session_offers, "lock", lambda *, offer_id, brand_id: Offer.objects.get(pk=offer_id))
    sale = squeeze(monkeypatch, session_offers, "lock", selling_of(wants(offer)))

    listings.take_off(listing=listing, by=OPERATOR, at=NOW)

    assert codes([sale.answer()]) == ["sold"]
    assert Offer.objects.values_list("session_id", "sold").get() == (None, 1)


def test_a_sale_that_comes_during_a_pause_hears_of_it(session: LiveSession, monkeypatch: pytest.MonkeyPatch) -> None:
    _, offer = listed(session)
    sale = squeeze(monkeypatch, session_offers, "hold_back", selling_of(wants(offer)))

    sessions.pause(session=session, by=OPERATOR, at=NOW)

    assert codes([sale.answer()]) == ["sale_paused"]


def test_control_a_sale_that_reads_before_it_locks_sells_after_the_pause(
    session: LiveSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, offer = listed(session)
    without_lock(monkeypatch)
    sale = squeeze(monkeypatch, session_offers, "hold_back", selling_of(wants(offer)))

    sessions.pause(session=session, by=OPERATOR, at=NOW)

    assert codes([sale.answer()]) == ["sold"]


def close_while_both_are_sold(session: LiveSession, lower: Offer, higher: Offer) -> list[Any]:
    """A batch with both offers and the close of their session, both kept waiting for ``lower`` at first."""
    held, both_wait, holder = threading.Event(), Meeting(), list[int]()

    def hold() -> None:
        with transaction.atomic():
            Offer.objects.select_for_update(no_key=True).get(pk=lower.pk)
            holder.append(this_backend())
            held.set()
            both_wait.come()

    def close() -> Any:
        assert held.wait(LIMIT_SECONDS)
        with Watch() as watch:
            until(lambda: bool(watch.waiting_for(holder)), otherwise="the batch does not stand first in line")
        return sessions.close(session=session, by=OPERATOR, at=NOW)

    def sell() -> Any:
        assert held.wait(LIMIT_SECONDS)
        return sell_batch([wants(lower), wants(higher)], provider="sandbox", at=NOW)

    holding, closed, sold = at_once(hold, close, sell)
    assert holding is None
    return [closed, sold]


def two_listed(session: LiveSession) -> list[Offer]:
    return sorted((listed(session)[1] for _ in range(2)), key=lambda offer: offer.id)


def test_a_close_and_a_batch_with_two_of_its_offers_wait_in_line(session: LiveSession) -> None:
    lower, higher = two_listed(session)

    closed, _ = close_while_both_are_sold(session, lower, higher)

    assert closed.state == "closed"
    assert set(Offer.objects.values_list("state", flat=True)) == {"closed"}


def test_control_without_the_order_they_wait_for_each_other_for_ever(
    session: LiveSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower, higher = two_listed(session)

    def backwards(session_ids: Any) -> Any:
        ids = Offer.objects.filter(session_id__in=session_ids).order_by("-id").select_for_update(no_key=True)
        return Offer.objects.filter(id__in=[offer.id for offer in ids])

    monkeypatch.setattr(session_offers, "_locked", backwards)

    answers = close_while_both_are_sold(session, lower, higher)

    assert [isinstance(answer, OperationalError) and "deadlock" in str(answer) for answer in answers].count(True) == 1
