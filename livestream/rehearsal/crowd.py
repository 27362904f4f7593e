"""The people of the rehearsal: viewers who buy and pay, clerks who redeem, customers who change their minds."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from config.kernel import ids
from livestream.rehearsal.connections import Answer, ConnectionLost, Connections
from stores.models import Customer

KEEP_TRYING_SECONDS = 120.0
PAUSE_SECONDS = 0.25
Progress = Callable[[], None]


class RehearsalStopped(Exception):
    """An act of the rehearsal was refused or stayed without an answer; the message says which."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """One customer with her token, what she is after, and whether she will pay."""

    customer_id: UUID
    token: str
    wishes: tuple["Wish", ...]
    quantity: int
    pays: bool
    arrives_after: float


@dataclass(frozen=True, slots=True)
class Wish:
    """An offer as she saw it on the live page."""

    offer: str
    unit_price_fen: int
    terms_number: int


@dataclass
class Crowd:
    """Everybody who calls the site; ``journal`` keeps what buyers were told, for the audit to compare."""

    site: Connections
    sandbox: Connections
    journal: Path
    latencies_ms: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    repeated: int = 0

    def percentile_ms(self, percent: float) -> float:
        """Of buyers' waits, every repeat until the answer included."""
        ordered = sorted(self.latencies_ms)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))], 1)

    async def watch(self, session: str) -> list[Wish]:
        """Look at the live page until it shows its listings."""
        page = await self.ask("GET", f"/api/v1/live/{session}", {}, None, until={200})
        return [
            Wish(listing["offer"], listing["unit_price_fen"], listing["terms_number"])
            for listing in page.json()["listings"]
        ]

    async def buy_all(self, viewers: Sequence[Viewer], session: str, promoter: str, progress: Progress) -> None:
        """Let every viewer arrive at her time, buy, and pay if she does."""
        began = time.monotonic()
        with self.journal.open("w") as journal:

            async def come(viewer: Viewer) -> None:
                await asyncio.sleep(viewer.arrives_after - (time.monotonic() - began))
                if bought := await self._buy(viewer, session, promoter):
                    journal.write(_line(viewer, bought))
                    if viewer.pays:
                        await self._pay(bought)
                progress()

            await _together([come(viewer) for viewer in viewers])

    async def _buy(self, viewer: Viewer, session: str, promoter: str) -> dict[str, Any] | None:
        for wish in viewer.wishes:
            headers = {"Authorization": f"Bearer {viewer.token}", "Idempotency-Key": (key := str(uuid4()))}
            body = {
                "offer": wish.offer,
                "quantity": viewer.quantity,
                "unit_price_fen": wish.unit_price_fen,
                "terms_number": wish.terms_number,
                "promoter": promoter,
            }
            asked_at = time.perf_counter()
            answer = await self.ask("POST", f"/api/v1/live/{session}/purchases", headers, body)
            self.latencies_ms.append((time.perf_counter() - asked_at) * 1_000)
            if answer.status in (200, 201):
                return {**answer.json(), "request_id": key}
            self.refused[answer.code] += 1
        return None

    async def _pay(self, bought: dict[str, Any]) -> None:
        await self.ask("POST", "/pay", {}, bought["payment"]["parameters"], until={200, 201, 202}, at=self.sandbox)

    async def each(
        self,
        calls: Sequence[tuple[str, dict[str, str], Any]],
        *,
        at_once: int,
        progress: Progress,
        at: Connections | None = None,
    ) -> list[Answer]:
        """POST every (path, headers, body), ``at_once`` at a time; refusals are counted and returned."""
        answers: list[Answer] = []
        waiting = iter(calls)

        async def work() -> None:
            for path, headers, body in waiting:
                answer = await self.ask("POST", path, headers, body, at=at)
                if answer.status >= 400:
                    self.refused[answer.code] += 1
                answers.append(answer)
                progress()

        await _together([work() for _ in range(at_once)])
        return answers

    async def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: Any,
        *,
        until: set[int] | None = None,
        at: Connections | None = None,
    ) -> Answer:
        """
        Ask until there is an answer: what is unknown or overloaded is asked again with the same key.

        Raises:
            RehearsalStopped: two minutes without one, or another status than those waited for.
        """
        give_up = time.monotonic() + KEEP_TRYING_SECONDS
        while True:
            try:
                answer = await (at or self.site).ask(method, path, headers=headers, body=body)
            except (ConnectionLost, OSError):
                answer = None
            if (
                answer is not None
                and answer.status not in (429, 500, 502, 503)
                and (not until or answer.status in until)
            ):
                return answer
            if time.monotonic() > give_up:
                raise RehearsalStopped(f"{method} {path}: {answer.body[:300] if answer else 'no answer'!r}")
            self.repeated += 1
            await asyncio.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries, no secret


def _line(viewer: Viewer, bought: dict[str, Any]) -> str:
    told = {
        "customer": ids.public(Customer.PREFIX, viewer.customer_id),
        "request_id": bought["request_id"],
        "purchase": bought["purchase"],
        "quantity": bought["quantity"],
        "total_fen": bought["total_fen"],
    }
    return json.dumps(told) + "\n"


async def _together(acts: Sequence[Awaitable[None]]) -> None:
    """Run them all; the first that fails ends the others."""
    tasks = [asyncio.ensure_future(act) for act in acts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
