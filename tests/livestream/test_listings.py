"""An offer has one place in one session; places stay in order, and what sold stays where it sold."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from livestream.errors import CardInvalid, ListingNotFound, OfferListedAlready, SessionClosed, SessionFull
from livestream.models import Listing, LiveSession
from livestream.services import listings, sessions
from stores.models import Brand
from stores.services.made import Made
from tests import factories
from tests.factories import NOW
from tests.livestream.conftest import OPERATOR, acts
from vouchers.errors import OfferNotFound, OfferStateRefuses
from vouchers.models import Offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(brand: Brand) -> LiveSession:
    return factories.live_session(brand)


def an_offer(brand: Brand, **fields: Any) -> Offer:
    return factories.offer(factories.terms(factories.deal(brand)), **{"state": "draft", **fields})


def put(session: LiveSession, offer: Offer, **fields: Any) -> Made[Listing]:
    return listings.list_offer(session=session, offer_id=offer.id, by=OPERATOR, at=NOW, **fields)


def put_new(session: LiveSession, **fields: Any) -> Listing:
    return put(session, an_offer(session.brand), **fields).row


def move(listing: Listing, position: int) -> Listing:
    return listings.edit(listing=listing, changes={"position": position}, by=OPERATOR, at=NOW)


def order(session: LiveSession) -> list[Any]:
    connection.check_constraints()
    found = list(session.listings.filter(taken_off_at=None).order_by("position"))
    assert [one.position for one in found] == list(range(len(found)))
    return [one.id for one in found]


def test_an_offer_joins_a_session_and_goes_on_sale_with_it(session: LiveSession) -> None:
    offer = an_offer(session.brand)

    made = put(session, offer, card={"badge": "5 折"})

    offer.refresh_from_db()
    assert made.is_new
    assert (offer.session_id, offer.state, offer.is_held_back) == (session.id, "open", False)
    assert made.row.card == {"badge": "5 折"}
    assert acts(made.row.id) == ["listing.created"]


def test_in_a_draft_session_it_waits(brand: Brand) -> None:
    session = factories.live_session(brand, state="draft", opened_at=None)
    offer = an_offer(brand)

    put(session, offer)

    offer.refresh_from_db()
    assert (offer.state, offer.is_held_back) == ("draft", True)


def test_listing_it_again_finds_the_listing_and_elsewhere_is_refused(session: LiveSession) -> None:
    offer = an_offer(session.brand)
    first = put(session, offer)

    assert put(session, offer) == Made(first.row, is_new=False)
    with pytest.raises(OfferListedAlready):
        put(factories.live_session(session.brand), offer)
    assert Listing.objects.count() == 1


def test_another_brands_offer_is_not_there_and_an_ended_one_is_refused(session: LiveSession) -> None:
    with pytest.raises(OfferNotFound):
        put(session, an_offer(factories.brand()))
    with pytest.raises(OfferStateRefuses):
        put(session, an_offer(session.brand, state="closed", closed_at=NOW))


def test_nothing_is_listed_or_moved_in_a_session_that_is_over(session: LiveSession) -> None:
    listing = put_new(session)
    sessions.close(session=session, by=OPERATOR, at=NOW)

    with pytest.raises(SessionClosed):
        put_new(session)
    with pytest.raises(SessionClosed):
        move(listing, 0)


def test_a_new_one_comes_last_or_where_it_is_told_and_pushes_the_rest_on(session: LiveSession) -> None:
    first, second = put_new(session), put_new(session)

    top, middle, beyond = put_new(session, position=0), put_new(session, position=2), put_new(session, position=99)

    assert order(session) == [one.id for one in (top, first, middle, second, beyond)]


@pytest.mark.parametrize(
    ("moved", "to", "expected"),
    [(0, 2, [1, 2, 0, 3]), (3, 0, [3, 0, 1, 2]), (1, 1, [0, 1, 2, 3]), (1, 9, [0, 2, 3, 1])],
)
def test_a_move_keeps_the_others_in_order(session: LiveSession, moved: int, to: int, expected: list[int]) -> None:
    four = [put_new(session) for _ in range(4)]

    move(four[moved], to)

    assert order(session) == [four[i].id for i in expected]


def test_a_card_is_replaced_and_an_edit_that_changes_nothing_leaves_no_trail(session: LiveSession) -> None:
    listing = put_new(session, card={"badge": "新"})

    for _ in range(2):
        listing = listings.edit(listing=listing, changes={"card": {"badge": "热"}, "position": 0}, by=OPERATOR, at=NOW)

    assert Listing.objects.get().card == {"badge": "热"}
    assert acts(listing.id) == ["listing.created", "listing.edited"]


def test_a_card_is_bounded_and_so_is_a_session(session: LiveSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "MOST_LISTINGS", 1)
    with pytest.raises(CardInvalid):
        put_new(session, card={"text": "长" * 2_000})
    listing = put_new(session)
    with pytest.raises(CardInvalid):
        listings.edit(listing=listing, changes={"card": {"text": "长" * 2_000}}, by=OPERATOR, at=NOW)
    with pytest.raises(SessionFull):
        put_new(session)


def test_an_unsold_offer_is_taken_off_and_free_for_another_session(session: LiveSession) -> None:
    first, second, third = (put_new(session) for _ in range(3))

    listings.take_off(listing=second, by=OPERATOR, at=NOW)
    listings.take_off(listing=second, by=OPERATOR, at=NOW)

    offer = Offer.objects.get(pk=second.offer_id)
    assert order(session) == [first.id, third.id]
    assert (offer.session_id, offer.state) == (None, "open")
    assert acts(second.id) == ["listing.created", "listing.taken_off"]
    assert put(factories.live_session(session.brand), offer).is_new


def test_a_sold_offer_that_is_taken_off_sells_no_more_and_stays_this_sessions(session: LiveSession) -> None:
    listing, other = put_new(session), put_new(session)
    Offer.objects.filter(pk=listing.offer_id).update(sold=1)

    listings.take_off(listing=listing, by=OPERATOR, at=NOW)

    offer, listing = Offer.objects.get(pk=listing.offer_id), Listing.objects.get(pk=listing.pk)
    assert order(session) == [other.id]
    assert (offer.state, offer.closed_at, offer.session_id) == ("closed", NOW, session.id)
    assert (listing.position, listing.taken_off_at) == (None, NOW)
    with pytest.raises(ListingNotFound):
        move(listing, 0)
    with pytest.raises(OfferListedAlready):
        put(session, offer)


def test_the_database_holds_the_rules_too(session: LiveSession) -> None:
    listing = put_new(session)
    for fields in ({"position": None}, {"taken_off_at": NOW}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Listing.objects.filter(pk=listing.pk).update(**fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        Offer.objects.filter(pk=an_offer(session.brand).pk).update(is_held_back=True)
