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
from uuid import UUID

from django.db import Error, connection
from django.utils import timezone

from config.kernel.api.structs import encoded
from livestream import answers, queries
from livestream.queries import Stage, StagedListing
from vouchers.services.offer_counters import OfferFacts

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 0.08
FRESH_FOR_SECONDS = 0.1
RATE_OVER_SECONDS = 5.0
BLIND_AFTER_SECONDS = 5.0

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

    @property
    def is_looking(self) -> bool:
        """Whether the database has answered its refresher lately: the lane's sign of working."""
        return time.monotonic() - self.now.looked_at < BLIND_AFTER_SECONDS

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
        began, at = time.monotonic(), timezone.now()
        before, stage = self.now, queries.stage()
        rates = self._rates(began, stage.listings)
        by_session: dict[UUID, list[StagedListing]] = {session_id: [] for session_id in stage.sessions}
        for listing in stage.listings:
            by_session[listing.session_id].append(listing)
        self.now = Recollection(
            stage=stage,
            looked_at=began,
            offers={listing.offer.id: listing.offer for listing in stage.listings},
            pages={
                each: encoded(answers.page(stage, each, listings, at=at, rates=rates))
                for each, listings in by_session.items()
            },
            figures={
                each: encoded(answers.figures(stage, each, listings, rates=rates))
                for each, listings in by_session.items()
            },
        )
        if self.now.figures != before.figures and self._loop is not None:
            with suppress(RuntimeError):  # the server is gone, and so are its watchers
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self.next_change.set()
        self.next_change = asyncio.Event()

    def _rates(self, now: float, listings: Iterable[StagedListing]) -> dict[UUID, float]:
        """Units sold a second by offer, over the last few seconds; none before there was a second to watch."""
        sold = {listing.offer.id: listing.offer.sold for listing in listings}
        self._past.append((now, sold))
        while now - self._past[0][0] > RATE_OVER_SECONDS:
            self._past.popleft()
        then, sold_then = self._past[0]
        seconds = now - then
        if seconds < 1:
            return {}
        # Unpaid units that came back are no sale, and no minus either.
        moved = {offer: max(0, units - sold_then.get(offer, units)) for offer, units in sold.items()}
        return {offer: round(units / seconds, 1) for offer, units in moved.items()}
