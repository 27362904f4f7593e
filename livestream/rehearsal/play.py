"""The rehearsal, act by act: the sale, the vouchers, the counters, second thoughts, the books."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from config.accounts.tokens import sign_customer, sign_staff
from config.kernel import ids
from config.kernel.processes import Processes
from livestream.models import LiveSession
from livestream.rehearsal.arrivals import arrival_seconds
from livestream.rehearsal.chain import Chain, sign_in_customers
from livestream.rehearsal.connections import Connections
from livestream.rehearsal.crowd import Crowd, RehearsalStopped, Viewer, Wish
from livestream.rehearsal.figures import in_flight
from livestream.rehearsal.sale import PROMOTER_CODE
from vouchers.models import Redemption, Voucher

PAYING_SHARE = 0.94
BUYING_TWO_SHARE = 0.12
REDEEMING_SHARE = 0.6
UNDOING_SHARE = 0.02
REFUNDING_SHARE = 0.06
IN_TWOS_SHARE = 0.1
"""Requests of two people's vouchers at once: friends who order together."""
WAITING_SECONDS = 600.0

Calls = list[tuple[str, dict[str, str], Any]]

# What a customer shows at the counter. Cards come one to three times.
SHOWN = """
    SELECT code, uses_left FROM vouchers_voucher WHERE brand_id = %s AND status = 'issued' ORDER BY id
"""
TO_UNDO = """
    SELECT r.id, r.store_id FROM vouchers_redemption r JOIN vouchers_voucher v ON v.id = r.voucher_id
    WHERE v.brand_id = %s AND r.reversed_at IS NULL ORDER BY r.id
"""
TO_REFUND = """
    SELECT id, customer_id FROM vouchers_voucher WHERE brand_id = %s AND status = 'issued' ORDER BY id
"""


@dataclass
class Play:
    """``luck`` is seeded, so that two rehearsals of one size differ only by what the machine does."""

    chain: Chain
    session: LiveSession
    site_port: int
    sandbox_port: int
    processes: Processes
    console: Console
    journal: Path
    luck: random.Random

    def act_out(
        self,
        orders: int,
        arrivals: Path | None,
        faults: dict[str, Any],
        *,
        during_the_sale: AbstractContextManager[None],
        lasting_seconds: float,
    ) -> Crowd:
        """Every act in order, the provider misbehaving as told; the crowd of the sale comes back."""
        self._misbehave(faults)
        with during_the_sale:
            sale = self.sell(orders, arrivals, lasting_seconds)
        connection.close()  # it may have been cut meanwhile
        self.wait_until_nothing("出券 · vouchers issued", "unissued")
        self.redeem()
        self.undo()
        self.refund()
        self.wait_until_nothing("关单 · unpaid closed, late money sorted out", "unpaid", "unissued")
        self.wait_until_nothing("退款 · money back", "refunds")
        return sale

    def sell(self, orders: int, arrivals: Path | None, lasting_seconds: float) -> Crowd:
        """Act one: ``orders`` viewers arrive over ``lasting_seconds`` at least, buy, and most of them pay."""
        at = datetime.now(UTC)
        customers = sign_in_customers(brand_id=self.chain.brand.id, count=orders, at=at)
        seconds = arrival_seconds(orders, arrivals)
        if seconds[-1] < lasting_seconds:
            seconds = [each * lasting_seconds / seconds[-1] for each in seconds]
        crowd = self._crowd()

        async def act() -> None:
            wishes = await crowd.watch(self.session.public_id)
            viewers = [
                self._viewer(customer, wishes, arrives_after=when, at=at)
                for customer, when in zip(customers, seconds, strict=True)
            ]
            with self._bar(f"直播 · {orders:,} viewers in {seconds[-1]:.0f} s", orders) as step:
                await crowd.buy_all(viewers, self.session.public_id, PROMOTER_CODE, step)

        self._run(act(), crowd)
        return crowd

    def redeem(self) -> Crowd:
        """Act two: customers show their codes, clerks redeem them."""
        shown = [code for code, uses in self._rows(SHOWN) for code in [code] * self._uses(uses)]
        calls: Calls = []
        while shown:
            together = [shown.pop() for _ in range(min(len(shown), self._at_once()))]
            store, clerk = self.luck.choice(self.chain.counters)
            calls.append((f"/api/v1/stores/{store.public_id}/redemptions", self._staff(clerk.id), {"codes": together}))
        self.luck.shuffle(calls)
        return self._post("核销 · at the counters", calls)

    def undo(self) -> Crowd:
        """Act three: a few redemptions were a mistake."""
        clerk_of = {store.id: clerk.id for store, clerk in self.chain.counters}
        undone = [row for row in self._rows(TO_UNDO) if self.luck.random() < UNDOING_SHARE]
        return self._post(
            "撤销 · undone",
            [
                (f"/api/v1/redemptions/{ids.public(Redemption.PREFIX, key)}/reversal", self._staff(clerk_of[store]), {})
                for key, store in undone
            ],
        )

    def refund(self) -> Crowd:
        """Act four: some want their money back."""
        at = datetime.now(UTC)
        calls: Calls = []
        for key, customer in self._rows(TO_REFUND):
            if self.luck.random() < REFUNDING_SHARE:
                token = sign_customer(customer_id=customer, brand_id=self.chain.brand.id, at=at).text
                headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
                calls.append((f"/api/v1/vouchers/{ids.public(Voucher.PREFIX, key)}/refund", headers, {}))
        return self._post("退款 · refunds asked for", calls)

    def wait_until_nothing(self, says: str, *kinds: str) -> None:
        """
        Watch the workers until none of ``kinds`` is in flight.

        Raises:
            RehearsalStopped: ten minutes did not do.
        """
        until = time.monotonic() + WAITING_SECONDS
        most = 0
        with self._progress() as progress:
            task = progress.add_task(says, total=None)
            while left := sum(in_flight(self.chain.brand.id)[kind] for kind in kinds):
                self.processes.check()
                most = max(most, left)
                progress.update(task, total=most, completed=most - left)
                if time.monotonic() > until:
                    raise RehearsalStopped(f"{says}: {left} are still open after {WAITING_SECONDS:.0f} s")
                time.sleep(0.25)
            progress.update(task, total=most or 1, completed=most or 1)

    def _misbehave(self, faults: dict[str, Any]) -> None:
        """Ask the sandbox provider for duplicates, delays, disorder and losses."""
        crowd = self._crowd()
        self._run(crowd.each([("/faults", {}, faults)], at_once=1, progress=lambda: None, at=crowd.sandbox), crowd)

    def _viewer(self, customer: UUID, wishes: list[Wish], *, arrives_after: float, at: datetime) -> Viewer:
        wanted = [*wishes]
        # Most come for the first, hottest listing; the rest look around.
        if self.luck.random() > 0.5:
            self.luck.shuffle(wanted)
        return Viewer(
            customer_id=customer,
            token=sign_customer(customer_id=customer, brand_id=self.chain.brand.id, at=at).text,
            wishes=tuple(wanted),
            quantity=2 if self.luck.random() < BUYING_TWO_SHARE else 1,
            pays=self.luck.random() < PAYING_SHARE,
            arrives_after=arrives_after,
        )

    def _uses(self, uses_left: int) -> int:
        """How many uses of a voucher its holder shows now."""
        return self.luck.randint(1, uses_left) if self.luck.random() < REDEEMING_SHARE else 0

    def _at_once(self) -> int:
        return 2 if self.luck.random() < IN_TWOS_SHARE else 1

    def _staff(self, user_id: UUID) -> dict[str, str]:
        token = sign_staff(user_id=user_id, at=datetime.now(UTC)).text
        return {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}

    def _post(self, says: str, calls: Calls) -> Crowd:
        crowd = self._crowd()

        async def act() -> None:
            with self._bar(says, len(calls)) as step:
                await crowd.each(calls, at_once=16, progress=step)

        self._run(act(), crowd)
        if crowd.refused:
            told = ", ".join(f"{code} {count:,}" for code, count in crowd.refused.most_common())
            self.console.print(f"  refused: {told}", style="yellow")
        return crowd

    def _crowd(self) -> Crowd:
        return Crowd(site=Connections(self.site_port), sandbox=Connections(self.sandbox_port), journal=self.journal)

    def _run(self, act: Any, crowd: Crowd) -> None:
        async def whole() -> None:
            try:
                await act
            finally:
                crowd.site.close()
                crowd.sandbox.close()

        asyncio.run(whole())

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, [self.chain.brand.id])
            return list(cursor.fetchall())

    def _progress(self) -> Progress:
        columns = TextColumn("{task.description:<44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        return Progress(*columns, console=self.console)

    @contextmanager
    def _bar(self, says: str, total: int) -> Iterator[Callable[[], None]]:
        with self._progress() as progress:
            task = progress.add_task(says, total=total)
            looked_at = time.monotonic()

            def step() -> None:
                nonlocal looked_at
                progress.advance(task)
                if time.monotonic() > looked_at + 1:
                    looked_at = time.monotonic()
                    self.processes.check()

            yield step
