"""What stands where in a session: an offer is listed, its card edited, moved, and taken off."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

import orjson
from django.db import transaction

from config.kernel.caller import Caller
from livestream.errors import (
    CardInvalid,
    ListingNotFound,
    OfferListedAlready,
    SessionClosed,
    SessionFull,
)
from livestream.models import Listing, LiveSession
from livestream.services import sessions
from stores.services import trail
from stores.services.made import Made
from vouchers.services import session_offers

MOST_LISTINGS = 200
MOST_CARD_BYTES = 4_096


class ListingChanges(TypedDict, total=False):
    card: dict[str, Any]
    position: int


def list_offer(
    *,
    session: LiveSession,
    offer_id: UUID,
    position: int | None = None,
    card: dict[str, Any] | None = None,
    by: Caller,
    at: datetime,
) -> Made[Listing]:
    """
    Give an offer a place in a session, the last one unless ``position`` names another (from 0).

    It sells there and nowhere else: at once where the session is open, with it where it is a draft.
    An offer is listed once, so the same again finds the same listing.

    Raises:
        OfferNotFound: no such offer of this brand's.
        OfferListedAlready: it has a place in another session, or was taken off this one.
        OfferStateRefuses: its sale has ended.
        SessionClosed, SessionFull, CardInvalid: as they say.
    """
    card = card or {}
    _check_card(card)
    with transaction.atomic(durable=True):
        session = sessions.lock(session)
        offer = session_offers.lock(offer_id=offer_id, brand_id=session.brand_id)
        if found := Listing.objects.filter(offer_id=offer.id).select_related("session", "offer").first():
            if found.session_id != session.id or found.taken_off_at is not None:
                raise OfferListedAlready
            return Made(found, is_new=False)
        if session.state == LiveSession.State.CLOSED:
            raise SessionClosed
        standing = _standing(session)
        if len(standing) >= MOST_LISTINGS:
            raise SessionFull(most=MOST_LISTINGS)
        session_offers.join(offer, session_id=session.id, is_open=session.state == LiveSession.State.OPEN)
        place = len(standing) if position is None else min(position, len(standing))
        listing = Listing(session=session, offer=offer, position=place, card=card, created_at=at)
        listing.save(force_insert=True)
        _number([*standing[:place], listing, *standing[place:]])
        told = {"session": session.public_id, "offer": offer.public_id, "position": place}
        trail.leave("listing.created", listing, brand_id=session.brand_id, by=by, at=at, details=told)
        return Made(listing, is_new=True)


def edit(*, listing: Listing, changes: ListingChanges, by: Caller, at: datetime) -> Listing:
    """
    Change the card, or move it to ``position`` (from 0; past the end is the end) and the others along.

    Raises:
        ListingNotFound: it was taken off meanwhile.
        SessionClosed: its session is over.
        CardInvalid: as it says.
    """
    if "card" in changes:
        _check_card(changes["card"])
    with transaction.atomic(durable=True):
        session = sessions.lock(listing.session)
        if session.state == LiveSession.State.CLOSED:
            raise SessionClosed
        standing = _standing(session)
        listing = _found(listing, standing)
        told: dict[str, Any] = {}
        if "card" in changes:
            told |= trail.change(listing, {"card": changes["card"]})
        if "position" in changes:
            others = [other for other in standing if other is not listing]
            place, before = min(changes["position"], len(others)), listing.position
            _number([*others[:place], listing, *others[place:]])
            if place != before:
                told["position"] = [before, place]
        if told:
            trail.leave("listing.edited", listing, brand_id=session.brand_id, by=by, at=at, details=told)
        return listing


def take_off(*, listing: Listing, by: Caller, at: datetime) -> None:
    """
    Take an offer off its session. Repeating changes nothing.

    Nothing sold: the offer is free for another session. Something sold: its sale ends, for good.
    """
    with transaction.atomic(durable=True):
        session = sessions.lock(listing.session)
        standing = _standing(session)
        if listing not in standing:
            return
        listing = _found(listing, standing)
        offer = session_offers.lock(offer_id=listing.offer_id, brand_id=session.brand_id)
        told = {"session": session.public_id, "offer": offer.public_id, "sold": offer.sold}
        trail.leave("listing.taken_off", listing, brand_id=session.brand_id, by=by, at=at, details=told)
        if offer.sold:
            session_offers.close_one(offer, at=at)
            listing.position, listing.taken_off_at = None, at
            listing.save(update_fields=["position", "taken_off_at"])
        else:
            session_offers.leave(offer)
            listing.delete()
        _number(other for other in standing if other is not listing)


def _standing(session: LiveSession) -> list[Listing]:
    return list(
        session.listings.filter(taken_off_at__isnull=True).select_related("session", "offer").order_by("position")
    )


def _found(listing: Listing, standing: list[Listing]) -> Listing:
    for one in standing:
        if one.id == listing.id:
            return one
    raise ListingNotFound


def _number(listings: Iterable[Listing]) -> None:
    """Positions 0, 1, 2 … in this order; uniqueness is looked at only at the commit."""
    moved = []
    for position, listing in enumerate(listings):
        if listing.position != position:
            listing.position = position
            moved.append(listing)
    Listing.objects.bulk_update(moved, ["position"])


def _check_card(card: dict[str, Any]) -> None:
    try:
        size = len(orjson.dumps(card))
    except orjson.JSONEncodeError:  # half a character, a number past 64 bits, nesting without end
        raise CardInvalid(most_bytes=MOST_CARD_BYTES, param="card") from None
    if size > MOST_CARD_BYTES:
        raise CardInvalid(most_bytes=MOST_CARD_BYTES, param="card")
