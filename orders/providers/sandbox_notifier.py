"""How the sandbox tells its merchant: gathered, signed, repeated until answered; and as badly as it is asked to."""

import asyncio
import heapq
import logging
import random
import time
from collections.abc import Callable
from itertools import count

import httpx
from django.utils import timezone

from orders.providers.interface import MOST_AT_ONCE
from orders.providers.sandbox_messages import Event, Faults, Notice, encode
from orders.providers.sandbox_signature import HEADER, Keys

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.05
DELIVERIES_AT_ONCE = 8
BACKOFF_SECONDS = (0.2, 0.5, 1, 2, 5, 15)
"""The last one is repeated for as long as the process lives."""


class Notifier:
    """
    Delivers events in notices of up to 100, at least once, in no promised order.

    Keeps at most ``waiting_at_most`` events; past that the newest are lost and the merchant must ask,
    as with a real provider that gives up.
    """

    def __init__(self, *, url: str, keys: Keys, acknowledged: Callable[[Event], None], waiting_at_most: int) -> None:
        self._url = url
        self._keys = keys
        self._acknowledged = acknowledged
        self._waiting_at_most = waiting_at_most
        self._waiting: list[tuple[float, int, Event, int]] = []  # due, place, event, attempts
        self._places = count()
        self._flying: set[asyncio.Task[None]] = set()
        self.delivered = self.refused = self.lost = self.duplicated = 0
        self.set_faults(Faults())

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def set_faults(self, faults: Faults) -> None:
        self.faults = faults
        self._chance = random.Random(faults.seed)  # noqa: S311 - a repeatable misfortune, no secret

    def fails_refund(self) -> bool:
        return self._happens(self.faults.fail_refunds)

    def tell(self, event: Event) -> None:
        """Put an event on its way, through whatever faults are set."""
        if self._happens(self.faults.lose) or len(self._waiting) >= self._waiting_at_most:
            self.lost += 1
            return
        delay = self._chance.uniform(0, self.faults.delay_seconds) if self.faults.delay_seconds else 0.0
        if self._happens(self.faults.disorder):
            delay += self._chance.uniform(0, 1)  # later events overtake it
        self._put(event, after_seconds=delay)
        if self._happens(self.faults.duplicate):
            self.duplicated += 1
            self._put(event, after_seconds=delay + self._chance.uniform(0, 1))

    async def run(self, *, settle: Callable[[], None]) -> None:
        """Deliver forever; ``settle`` is called at each turn, for what the provider does a moment later."""
        limits = httpx.Limits(max_connections=DELIVERIES_AT_ONCE)
        async with httpx.AsyncClient(timeout=5, limits=limits) as client:
            while True:
                await asyncio.sleep(GATHER_SECONDS)
                settle()
                while len(self._flying) < DELIVERIES_AT_ONCE and (batch := self._take_due()):
                    flight = asyncio.create_task(self._deliver(client, batch))
                    self._flying.add(flight)
                    flight.add_done_callback(self._flying.discard)

    def _happens(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share

    def _put(self, event: Event, *, after_seconds: float, attempts: int = 0) -> None:
        heapq.heappush(self._waiting, (time.monotonic() + after_seconds, next(self._places), event, attempts))

    def _take_due(self) -> list[tuple[Event, int]]:
        now = time.monotonic()
        batch: list[tuple[Event, int]] = []
        while self._waiting and len(batch) < MOST_AT_ONCE and self._waiting[0][0] <= now:
            _, _, event, attempts = heapq.heappop(self._waiting)
            batch.append((event, attempts))
        if self.faults.disorder:
            self._chance.shuffle(batch)
        return batch

    async def _deliver(self, client: httpx.AsyncClient, batch: list[tuple[Event, int]]) -> None:
        body = encode(Notice([event for event, _ in batch]))
        headers = {
            "content-type": "application/json",
            HEADER: self._keys.header(body, at_seconds=int(timezone.now().timestamp())),
        }
        try:
            answer = await client.post(self._url, content=body, headers=headers)
            reason = "" if answer.is_success else f"status {answer.status_code}"
        except httpx.HTTPError as error:
            reason = type(error).__name__
        if not reason:
            self.delivered += 1
            for event, _ in batch:
                self._acknowledged(event)
            return
        self.refused += 1
        log.warning("notice of %d events not taken (%s); it is repeated", len(batch), reason)
        for event, attempts in batch:
            pause = BACKOFF_SECONDS[min(attempts, len(BACKOFF_SECONDS) - 1)]
            self._put(event, after_seconds=pause, attempts=attempts + 1)
