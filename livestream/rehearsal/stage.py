"""What every act of the rehearsal stands on: the chain, the crowd's connections, the clock, progress on the screen."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from config.accounts.tokens import sign_customer, sign_staff
from config.kernel.processes import Processes
from config.kernel.rehearsal_clock import RehearsalClock
from livestream.models import LiveSession
from livestream.rehearsal.chain import Chain
from livestream.rehearsal.connections import Connections
from livestream.rehearsal.crowd import Crowd, RehearsalStopped
from livestream.rehearsal.figures import in_flight

AT_ONCE = 16
WAITING_SECONDS = 600.0

Calls = list[tuple[str, dict[str, str], Any]]


@dataclass
class Stage:
    """``luck`` is seeded, so that two rehearsals of one size differ only by what the machine does."""

    chain: Chain
    session: LiveSession
    site_port: int
    sandbox_port: int
    processes: Processes
    console: Console
    journal: Path
    luck: random.Random
    clock: RehearsalClock

    def post(self, says: str, calls: Calls) -> Crowd:
        """Send them all, with progress; what is refused is counted and said."""
        crowd = self.crowd()

        async def act() -> None:
            with self.bar(says, len(calls)) as step:
                await crowd.each(calls, at_once=AT_ONCE, progress=step)

        self.run(act(), crowd)
        if crowd.refused:
            told = ", ".join(f"{code} {count:,}" for code, count in crowd.refused.most_common())
            self.console.print(f"  refused: {told}", style="yellow")
        return crowd

    def staff(self, user_id: UUID) -> dict[str, str]:
        """A clerk's request, with a key of its own."""
        return _signed(sign_staff(user_id=user_id, at=timezone.now()).text)

    def customer(self, customer_id: UUID) -> dict[str, str]:
        """A customer's request, with a key of its own."""
        return _signed(sign_customer(customer_id=customer_id, brand_id=self.chain.brand.id, at=timezone.now()).text)

    def crowd(self) -> Crowd:
        return Crowd(site=Connections(self.site_port), sandbox=Connections(self.sandbox_port), journal=self.journal)

    def run(self, act: Coroutine[Any, Any, None], crowd: Crowd) -> None:
        """Let the crowd act, and hang up."""

        async def whole() -> None:
            try:
                await act
            finally:
                crowd.site.close()
                crowd.sandbox.close()

        asyncio.run(whole())

    def rows(self, statement: str, **asked: Any) -> list[tuple[Any, ...]]:
        """What the books say of the chain's ``brand``."""
        with connection.cursor() as cursor:
            cursor.execute(statement, {"brand": self.chain.brand.id, **asked})
            return list(cursor.fetchall())

    def wait_until_nothing(self, says: str, *kinds: str) -> None:
        """
        Watch the workers until none of ``kinds`` is in flight.

        Raises:
            RehearsalStopped: ten minutes did not do.
        """
        until = time.monotonic() + WAITING_SECONDS
        most = 0
        with self.progress() as progress:
            task = progress.add_task(says, total=None)
            while left := self.left(*kinds):
                self.processes.check()
                most = max(most, left)
                progress.update(task, total=most, completed=most - left)
                if time.monotonic() > until:
                    raise RehearsalStopped(f"{says}: {left} are still open after {WAITING_SECONDS:.0f} s")
                time.sleep(0.25)
            progress.update(task, total=most or 1, completed=most or 1)

    def left(self, *kinds: str) -> int:
        """How many of ``kinds`` are in flight."""
        flying: Mapping[str, int] = in_flight(self.chain.brand.id)
        return sum(flying[kind] for kind in kinds)

    def progress(self) -> Progress:
        columns = TextColumn("{task.description:<44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        return Progress(*columns, console=self.console)

    @contextmanager
    def bar(self, says: str, total: int) -> Iterator[Callable[[], None]]:
        """A bar of ``total`` steps; the site's processes are watched meanwhile."""
        with self.progress() as progress:
            task = progress.add_task(says, total=total)
            looked_at = time.monotonic()

            def step() -> None:
                nonlocal looked_at
                progress.advance(task)
                if time.monotonic() > looked_at + 1:
                    looked_at = time.monotonic()
                    self.processes.check()

            yield step


def _signed(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
