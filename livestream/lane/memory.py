"""
The lane's memory: one thread looks at the stage ten times a second, however many customers watch.

Memory never sells. It answers live figures, names commissions, and says that a sale is impossible;
and it says that only while it is fresh.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import Error, connection

from config.kernel import ids
from livestream import queries
from livestream.models import Listing, LiveSession
from livestream.queries import Stage, StagedListing
from vouchers.models import Offer
from vouchers.services.offer_counters import OfferFacts

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 0.08
FRESH_FOR_SECONDS = 0.1
RATE_OVER_SECONDS = 5.0

EMPTY_STAGE = Stage(sessions={}, listings=[], stopped=frozenset(), promoters={}, plans=[])


@dataclass(frozen=True, slots=True)
class Recollection:
    """One look: the stage, its offers by id, and each session's page and figures as ready bytes."""

    stage: Stage = EMPTY_STAGE
    looked_at: float = 0.0
    offers: dict[UUID, OfferFacts] = field(default_factory=dict)
    pages: dict[UUID, bytes] = field(default_factory=dict)
    figures: dict[UUID, bytes] = field(default_factory=dict)

    def fresh_offer(self, offer_id: UUID) -> OfferFacts | None:
        """The offer, while memory is young enough to refuse by it."""
        if time.monotonic() - self.looked_at > FRESH_FOR_SECONDS:
            return None
        return self.offers.get(offer_id)


@dataclass
class Memory:
    """
    The refresher and what it saw last. ``now`` is replaced whole, so readers need no lock;
    ``next_change`` is set, and replaced, by the next look that finds other figures.
    """

    now: Recollection = field(default_factory=Recollection)
    next_change: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _past: deque[tuple[float, dict[UUID, int]]] = field(default_factory=deque)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stopping.clear()
        self._thread = threading.Thread(target=self._look_on, name="refresher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def _look_on(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look()
            except Error as error:
                # The last look grows stale by itself; selling goes on asking the database.
                log.warning("the refresher could not look: %s", error)
                connection.close()
                self._stopping.wait(1.0)
            self._stopping.wait(LOOK_EVERY_SECONDS)
        connection.close()

    def _look(self) -> None:
        began = time.monotonic()
        before, stage = self.now, queries.stage()
        rates = self._rates(began, stage.listings)
        by_session: dict[UUID, list[StagedListing]] = {session_id: [] for session_id in stage.sessions}
        for listing in stage.listings:
            by_session[listing.session_id].append(listing)
        self.now = Recollection(
            stage=stage,
            looked_at=began,
            offers={listing.offer.id: listing.offer for listing in stage.listings},
            pages={each: _page(stage, each, listings, rates) for each, listings in by_session.items()},
            figures={each: _figures(stage, each, listings, rates) for each, listings in by_session.items()},
        )
        if self.now.figures != before.figures and self._loop is not None:
            with suppress(RuntimeError):  # the server is gone, and so are its watchers
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self.next_change.set()
        self.next_change = asyncio.Event()

    def _rates(self, now: float, listings: Iterable[StagedListing]) -> dict[UUID, float]:
        """Units sold a second by offer, over the last few seconds."""
        sold = {listing.offer.id: listing.offer.sold for listing in listings}
        self._past.append((now, sold))
        while now - self._past[0][0] > RATE_OVER_SECONDS:
            self._past.popleft()
        then, sold_then = self._past[0]
        seconds = now - then
        if seconds < 1:
            return dict.fromkeys(sold, 0.0)
        return {offer: round((units - sold_then.get(offer, units)) / seconds, 1) for offer, units in sold.items()}


def _moving(listing: StagedListing, stage: Stage, rates: dict[UUID, float]) -> dict[str, Any]:
    offer = listing.offer
    return {
        "listing": ids.public(Listing.PREFIX, listing.id),
        "offer": ids.public(Offer.PREFIX, offer.id),
        "state": "stopped" if offer.is_stopped(stage.stopped) else offer.state,
        "sold": offer.sold,
        "left": offer.left,
        "sold_per_second": rates[offer.id],
    }


def _figures(stage: Stage, session_id: UUID, listings: list[StagedListing], rates: dict[UUID, float]) -> bytes:
    return orjson.dumps(
        {
            "session": ids.public(LiveSession.PREFIX, session_id),
            "state": stage.sessions[session_id].state,
            "listings": [_moving(listing, stage, rates) for listing in listings],
        }
    )


def _page(stage: Stage, session_id: UUID, listings: list[StagedListing], rates: dict[UUID, float]) -> bytes:
    session = stage.sessions[session_id]
    return orjson.dumps(
        {
            "session": ids.public(LiveSession.PREFIX, session_id),
            "state": session.state,
            "title": session.title,
            "starts_at": session.starts_at,
            "ends_at": session.ends_at,
            "server_time": datetime.now(UTC),
            "listings": [
                {
                    **_moving(listing, stage, rates),
                    "title": listing.title,
                    "position": listing.position,
                    "card": listing.card,
                    "unit_price_fen": listing.offer.price_fen,
                    "list_price_fen": listing.list_price_fen,
                    "terms_number": listing.offer.terms_number,
                    "per_customer_limit": listing.offer.per_customer_limit,
                    "opens_at": listing.offer.opens_at,
                    "closes_at": listing.offer.closes_at,
                }
                for listing in listings
            ],
        }
    )
