"""
Offers as a live session above moves them: named by it, held back while it is not open, closed with it.

All of it runs inside the caller's transaction, under the session's lock and then the offers', taken
in key order as selling takes them.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from vouchers.errors import OfferNotFound, OfferStateRefuses
from vouchers.models import Offer

ENDED = (Offer.State.CLOSED, Offer.State.DRAINED)


def lock(*, offer_id: UUID, brand_id: UUID) -> Offer:
    """
    One offer of the brand's, its row locked.

    Raises:
        OfferNotFound: no such offer, or another brand's.
    """
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    offer = Offer.objects.select_for_update(no_key=True).filter(id=offer_id, brand_id=brand_id).first()
    if offer is None:
        raise OfferNotFound
    return offer


def join(offer: Offer, *, session_id: UUID, is_open: bool) -> None:
    """
    Name the session on an offer that the caller has locked: from now on it sells there and nowhere else.

    In an open session a draft goes on sale at once, from its own ``opens_at``.

    Raises:
        OfferStateRefuses: its sale has ended.
    """
    assert connection.in_atomic_block, "an offer joins a session with its listing"
    if offer.state in ENDED:
        raise OfferStateRefuses(state=offer.state)
    offer.session_id = session_id
    offer.is_held_back = not is_open
    if is_open and offer.state == Offer.State.DRAFT:
        offer.state = Offer.State.OPEN
    offer.save(update_fields=["session_id", "is_held_back", "state"])


def leave(offer: Offer) -> None:
    """Take the session's name off an offer that the caller has locked and that never sold."""
    assert offer.sold == 0, "what was sold was sold in this session"
    offer.session_id = None
    offer.is_held_back = False
    offer.save(update_fields=["session_id", "is_held_back"])


def release(*, session_id: UUID) -> int:
    """Put a session's drafts on sale as it opens, and hold nothing back; the number of drafts."""
    offers = _locked([session_id])
    drafts = offers.filter(state=Offer.State.DRAFT).update(state=Offer.State.OPEN)
    offers.filter(is_held_back=True).update(is_held_back=False)
    return drafts


def hold_back(*, session_id: UUID) -> None:
    """Stop the sale of everything in a session; each offer keeps its own state for later."""
    _locked([session_id]).filter(is_held_back=False).update(is_held_back=True)


def let_go(*, session_id: UUID) -> None:
    """The opposite of ``hold_back``: what was paused by itself stays paused."""
    _locked([session_id]).filter(is_held_back=True).update(is_held_back=False)


def close(*, session_ids: Collection[UUID], at: datetime) -> int:
    """End the sale of everything in these sessions; the number of offers."""
    return _close(_locked(session_ids), at=at)


def close_one(offer: Offer, *, at: datetime) -> None:
    """End the sale of an offer that the caller has locked; one that has ended stays as it is."""
    _close(Offer.objects.filter(id=offer.id), at=at)


def _close(offers: QuerySet[Offer], *, at: datetime) -> int:
    return offers.exclude(state__in=ENDED).update(state=Offer.State.CLOSED, closed_at=at)


def _locked(session_ids: Collection[UUID]) -> QuerySet[Offer]:
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    offers = Offer.objects.filter(session_id__in=session_ids)
    ids = list(offers.order_by("id").select_for_update(no_key=True).values_list("id", flat=True))
    return Offer.objects.filter(id__in=ids)
