"""A session is made once, takes its offers along as it turns, and only a livestream ends by itself."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from config.kernel.errors import IdempotencyConflict
from config.kernel.models import AuditEntry
from livestream import tasks
from livestream.errors import SessionClosed, SessionNotOpen, SessionTimesInvalid, ShelfExists, ShelfHasNoEnd
from livestream.models import LiveSession
from livestream.services import listings, sessions
from orders.services.selling import SellRequest, Sold, sell_batch
from stores.models import Brand
from stores.services.made import Made
from tests import factories
from tests.factories import NOW
from tests.livestream.conftest import OPERATOR, acts
from vouchers.models import Offer

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=2)


def create(brand: Brand, **fields: Any) -> Made[LiveSession]:
    content = {"title": "夏日开播", "request_id": uuid4(), **fields}
    return sessions.create(brand_id=brand.id, by=OPERATOR, at=NOW, **content)


def draft(brand: Brand, **fields: Any) -> LiveSession:
    return create(brand, **fields).row


def draft_offer(brand: Brand, **fields: Any) -> Offer:
    return factories.offer(factories.terms(factories.deal(brand)), **{"state": "draft", **fields})


def listed(session: LiveSession, **fields: Any) -> Offer:
    offer = draft_offer(session.brand, **fields)
    listings.list_offer(session=session, offer_id=offer.id, by=OPERATOR, at=NOW)
    return offer


def turn(session: LiveSession, *acts: Any) -> LiveSession:
    for act in acts:
        session = act(session=session, by=OPERATOR, at=NOW)
    return session


def buying(offer: Offer) -> str:
    """What somebody who tries to buy it in its session hears."""
    offer.refresh_from_db()
    request = SellRequest(
        offer_id=offer.id,
        brand_id=offer.brand_id,
        customer_id=uuid4(),
        request_id=uuid4(),
        quantity=1,
        unit_price_fen=offer.price_fen,
        terms_number=offer.terms.number,
        channel="live",
        session_id=offer.session_id,
    )
    (answer,) = sell_batch([request], provider="sandbox", at=NOW)
    return "sold" if isinstance(answer, Sold) else answer.code


def test_the_same_request_is_the_same_session_and_leaves_one_trail(brand: Brand) -> None:
    request_id = uuid4()

    first, again = (create(brand, request_id=request_id) for _ in range(2))

    assert (first.is_new, again.is_new) == (True, False)
    assert first.row == again.row == LiveSession.objects.get()
    assert acts(first.row.id) == ["session.created"]


def test_the_repeat_is_known_after_an_edit_and_other_content_is_refused(brand: Brand) -> None:
    request_id = uuid4()
    session = draft(brand, request_id=request_id)
    sessions.edit(session=session, changes={"title": "改名"}, by=OPERATOR, at=NOW)

    assert create(brand, request_id=request_id).row.title == "改名"
    with pytest.raises(IdempotencyConflict):
        create(brand, request_id=request_id, title="别的")


def test_another_brand_may_use_the_same_request_id(brand: Brand) -> None:
    request_id = uuid4()

    assert create(brand, request_id=request_id).is_new
    assert create(factories.brand(), request_id=request_id).is_new


def test_a_session_ends_after_it_starts_and_not_in_the_past(brand: Brand) -> None:
    for times in (
        {"starts_at": LATER, "ends_at": LATER},
        {"starts_at": NOW - timedelta(hours=2), "ends_at": NOW - timedelta(hours=1)},
    ):
        with pytest.raises(SessionTimesInvalid):
            create(brand, **times)
    session = draft(brand, starts_at=NOW, ends_at=LATER)
    with pytest.raises(SessionTimesInvalid):
        sessions.edit(session=session, changes={"starts_at": LATER}, by=OPERATOR, at=NOW)
    with pytest.raises(SessionTimesInvalid):
        sessions.open_session(session=session, by=OPERATOR, at=LATER)


def test_a_brand_has_one_shelf_until_it_is_closed(brand: Brand) -> None:
    shelf = draft(brand, is_standing=True)

    with pytest.raises(ShelfExists):
        create(brand, is_standing=True)
    with pytest.raises(ShelfHasNoEnd):
        create(factories.brand(), is_standing=True, ends_at=LATER)
    with pytest.raises(ShelfHasNoEnd):
        sessions.edit(session=shelf, changes={"ends_at": LATER}, by=OPERATOR, at=NOW)
    turn(shelf, sessions.close)
    assert create(brand, is_standing=True).is_new


def test_opening_releases_the_drafts_it_holds(brand: Brand) -> None:
    session = draft(brand)
    offer = listed(session)
    assert buying(offer) == "not_on_sale_yet"

    turn(session, sessions.open_session)

    assert buying(offer) == "sold"


def test_an_offer_opened_by_itself_does_not_sell_before_its_session_opens(brand: Brand) -> None:
    session = draft(brand)
    offer = listed(session, state="open")
    assert buying(offer) == "sale_paused"

    turn(session, sessions.open_session)

    assert buying(offer) == "sold"


def test_an_opened_session_sells_an_offer_from_its_own_time_on(brand: Brand) -> None:
    offer = listed(turn(draft(brand), sessions.open_session), opens_at=LATER)

    assert buying(offer) == "not_on_sale_yet"


def test_a_pause_stops_every_sale_and_resume_leaves_what_was_paused_by_itself(brand: Brand) -> None:
    session = draft(brand)
    selling, priced_wrong = listed(session), listed(session)
    turn(session, sessions.open_session, sessions.pause)
    assert buying(selling) == "sale_paused"
    # While the host has a break somebody sees a wrong price, and pauses that offer for itself.
    Offer.objects.filter(pk=priced_wrong.pk).update(state="paused")

    turn(session, sessions.resume)

    assert buying(selling) == "sold"
    assert buying(priced_wrong) == "sale_paused"


def test_an_offer_listed_during_a_pause_waits_for_the_end_of_it(brand: Brand) -> None:
    session = turn(draft(brand), sessions.open_session, sessions.pause)
    offer = listed(session, state="open")
    assert buying(offer) == "sale_paused"

    turn(session, sessions.resume)

    assert buying(offer) == "sold"


def test_closing_ends_every_sale_for_good(brand: Brand) -> None:
    session = draft(brand)
    offer, never_opened = listed(session), listed(session, state="paused")
    turn(session, sessions.open_session)

    closed = turn(session, sessions.close)

    assert closed.closed_at == NOW
    assert buying(offer) == "sale_closed"
    never_opened.refresh_from_db()
    assert (never_opened.state, never_opened.closed_at) == ("closed", NOW)


def test_each_act_may_be_repeated_and_leaves_its_trail_once(brand: Brand) -> None:
    session = draft(brand)
    once = [sessions.open_session, sessions.pause, sessions.resume, sessions.close]

    turn(session, *[act for act in once for _ in range(2)])

    assert acts(session.id) == [
        "session.created",
        "session.opened",
        "session.paused",
        "session.resumed",
        "session.closed",
    ]


@pytest.mark.parametrize(
    ("before", "act", "refusal"),
    [
        ([], sessions.pause, SessionNotOpen),
        ([], sessions.resume, SessionNotOpen),
        ([sessions.open_session, sessions.pause], sessions.open_session, SessionNotOpen),
        ([sessions.close], sessions.open_session, SessionClosed),
        ([sessions.close], sessions.pause, SessionClosed),
        ([sessions.close], sessions.resume, SessionClosed),
    ],
)
def test_an_act_out_of_turn_is_refused(brand: Brand, before: list[Any], act: Any, refusal: type[Exception]) -> None:
    session = turn(draft(brand), *before)

    with pytest.raises(refusal):
        turn(session, act)


def test_what_is_over_is_not_edited(brand: Brand) -> None:
    with pytest.raises(SessionClosed):
        sessions.edit(session=turn(draft(brand), sessions.close), changes={"title": "x"}, by=OPERATOR, at=NOW)


def test_sessions_close_at_their_end_and_the_shelf_never_does(brand: Brand) -> None:
    due = turn(draft(brand, ends_at=LATER), sessions.open_session)
    paused = turn(draft(brand, ends_at=LATER), sessions.open_session, sessions.pause)
    shelf = turn(draft(brand, is_standing=True), sessions.open_session)
    endless, not_opened = turn(draft(brand), sessions.open_session), draft(brand, ends_at=LATER)
    offer = listed(due)

    assert sessions.close_due(limit=10, at=LATER - timedelta(seconds=1)) == 0
    assert sessions.close_due(limit=10, at=LATER) == 2
    assert sessions.close_due(limit=10, at=LATER) == 0

    states = dict(LiveSession.objects.values_list("id", "state"))
    assert [states[one.id] for one in (due, paused, shelf, endless, not_opened)] == [
        "closed",
        "closed",
        "open",
        "open",
        "draft",
    ]
    offer.refresh_from_db()
    assert (offer.state, offer.closed_at) == ("closed", LATER)
    assert AuditEntry.objects.get(act="sessions.closed_at_their_end").subject_count == 2


def test_the_task_closes_batch_after_batch(brand: Brand) -> None:
    for _ in range(51):
        factories.live_session(brand, ends_at=NOW + timedelta(seconds=1))

    tasks.close_due_sessions()

    assert set(LiveSession.objects.values_list("state", flat=True)) == {"closed"}


@pytest.mark.parametrize(
    "fields",
    [
        {"is_standing": True, "ends_at": LATER},
        {"state": "closed"},
        {"ends_at": NOW},
    ],
)
def test_the_database_holds_the_rules_too(brand: Brand, fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.live_session(brand, **fields)
