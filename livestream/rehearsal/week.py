"""The week after the livestream: people order from their wallets or show codes at the counter, stores make drinks."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import timezone
from rich.progress import Progress, TaskID

from config.kernel import ids
from config.kernel.errors import DomainError
from livestream.rehearsal import guests, savings
from livestream.rehearsal.chain import INSTALLER
from livestream.rehearsal.guests import Guest, Menu
from livestream.rehearsal.ordering import Ordering, Quoted
from livestream.rehearsal.savings import Saved
from livestream.rehearsal.stage import AT_ONCE, Calls, Stage
from stores.models import StockMode, Store
from stores.services import stock_keeping
from stores.services.stock_keeping import StockRule
from vouchers.models import Redemption

REDEEMING_SHARE = 0.6
UNDOING_SHARE = 0.02
IN_TWOS_SHARE = 0.1
"""Requests of two people's vouchers at once: friends who order together."""
PAID_BY_SECONDS = 5.0
"""Real seconds that a store waits for the last payment; one whose notice was lost is found when its lease is over."""
MAY_CANCEL = timedelta(seconds=61)
MAKING = timedelta(minutes=3)
FETCHING = timedelta(minutes=2)
LEASE_OVER = timedelta(minutes=20)

# Cards come one to three times; who orders herself does not come to the counter.
SHOWN = """
    SELECT code, uses_left, customer_id FROM vouchers_voucher
    WHERE brand_id = %(brand)s AND status = 'issued' AND source_kind = 'purchase' ORDER BY id
"""
TO_UNDO = """
    SELECT r.id, r.store_id FROM vouchers_redemption r
    JOIN vouchers_voucher v ON v.id = r.voucher_id
    JOIN vouchers_redemptionrequest asked ON asked.id = r.request_id AND asked.source_kind = 'counter'
    WHERE v.brand_id = %(brand)s AND r.reversed_at IS NULL AND r.redeemed_at >= %(since)s ORDER BY r.id
"""
BOARD = """
    SELECT id, store_id, customer_id FROM orders_storeorder
    WHERE brand_id = %(brand)s AND status = %(status)s ORDER BY id
"""

Thing = TypeVar("Thing")


@dataclass
class Told:
    """What the week's orders came to, and the refusals that people met."""

    placed: int = 0
    cancelled: int = 0
    sold_out: int = 0
    saved: Saved = field(default_factory=Saved)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass
class Week:
    """Seven days that end before the day of ``until``, at the stores where somebody works."""

    stage: Stage
    until: datetime
    told: Told = field(default_factory=Told)
    invited: list[UUID] = field(default_factory=list)

    def begin(self) -> None:
        """The morning after the livestream."""
        self.hours = guests.hours_of_the_week(
            self.until.astimezone(ZoneInfo(self.stage.chain.brand.zone)).date(), self.stage.chain.brand.zone
        )
        self.stage.clock.go_to(self.hours[0][0] - timedelta(hours=2))

    def invite(self, count: int) -> list[UUID]:
        """Who will order by herself: up to ``count`` of those who hold a voucher."""
        holders = sorted({customer for _, _, customer in self.stage.rows(SHOWN)})
        self.invited = self.stage.luck.sample(holders, min(count, len(holders)))
        return self.invited

    def play(self) -> Told:
        """Every hour of the week in which somebody comes."""
        stage = self.stage
        menu = guests.menu_of(stage.chain.brand.id)
        coming = guests.guests(self.invited, [store for store, _ in stage.chain.counters], stage.luck)
        self._stock_up(menu, coming)
        shown = self._shown()
        with stage.progress() as progress:
            task = progress.add_task("", total=len(coming) + len(shown))
            for (hour, _), here, codes in zip(
                self.hours, _shared_out(coming, self.hours), _shared_out(shown, self.hours), strict=True
            ):
                local = hour.astimezone(ZoneInfo(stage.chain.brand.zone))
                progress.update(task, description=f"到店 · at the stores, {local:%a %H:%M}")
                stage.clock.go_to(hour)
                self._hour(menu, here, codes, progress, task)
            stage.clock.go_to(timezone.now() + LEASE_OVER)
            self._wait_for_payments()
            self._serve(frozenset())
        if self.told.refused:
            said = ", ".join(f"{code} {count:,}" for code, count in self.told.refused.most_common())
            stage.console.print(f"  refused: {said}", style="yellow")
        return self.told

    def _hour(self, menu: Menu, here: Sequence[Guest], codes: Sequence[str], progress: Progress, task: TaskID) -> None:
        began, came = timezone.now(), progress.tasks[task].completed
        crowd = self.stage.crowd()
        ordering = Ordering(self.stage, crowd, menu)
        self.stage.run(ordering.quote_all(here), crowd)
        compared = {one.guest.customer_id: self._compare(menu, one) for one in ordering.quoted}

        async def come() -> None:
            # While their payments are on the way, others are served at the counter.
            await ordering.order_all(lambda: progress.advance(task))
            await crowd.each(self._at_the_counters(codes), at_once=AT_ONCE, progress=lambda: progress.advance(task))

        self.stage.run(come(), crowd)
        progress.update(task, completed=came + len(here) + len(codes))
        for guest in ordering.placed:
            if (one := compared[guest.customer_id]) is not None:
                self.told.saved.add(one)
        self._wait_for_payments()
        self._change_minds({one.customer_id for one in ordering.placed if one.cancels}, began)
        self._serve({one.customer_id for one in here if not one.collects})
        self.told.placed += len(ordering.placed)
        self.told.sold_out += ordering.sold_out
        self.told.refused += crowd.refused
        self.stage.processes.check()

    def _compare(self, menu: Menu, one: Quoted) -> savings.Compared | None:
        try:
            return savings.compare(
                store_id=one.guest.store.id,
                brand_id=self.stage.chain.brand.id,
                customer_id=one.guest.customer_id,
                lines=menu.lines(one.guest),
                at=timezone.now(),
            )
        except DomainError:  # not any more: her order will say the same
            return None

    def _at_the_counters(self, codes: Sequence[str]) -> Calls:
        """Codes shown one by one, or two friends' together."""
        stage, left = self.stage, [*codes]
        calls: Calls = []
        while left:
            together = [left.pop() for _ in range(min(len(left), 2 if stage.luck.random() < IN_TWOS_SHARE else 1))]
            store, clerk = stage.luck.choice(stage.chain.counters)
            calls.append((f"/api/v1/stores/{store.public_id}/redemptions", stage.staff(clerk.id), {"codes": together}))
        return calls

    def _wait_for_payments(self) -> None:
        until = time.monotonic() + PAID_BY_SECONDS
        while self.stage.left("unconfirmed") and time.monotonic() < until:
            self.stage.processes.check()
            time.sleep(0.05)

    def _change_minds(self, cancelling: set[UUID], since: datetime) -> None:
        """Some orders are given up before they are made, some redemptions were a mistake."""
        stage, clerks = self.stage, self._clerks()
        undone: Calls = [
            (f"/api/v1/redemptions/{ids.public(Redemption.PREFIX, key)}/reversal", stage.staff(clerks[store]), {})
            for key, store in stage.rows(TO_UNDO, since=since)
            if stage.luck.random() < UNDOING_SHARE
        ]
        given_up: Calls = [
            (f"/api/v1/orders/{ids.public('ord', order)}/cancel", stage.customer(customer), {})
            for order, _, customer in stage.rows(BOARD, status="confirmed")
            if customer in cancelling
        ]
        self._send([*undone, *given_up])
        self.told.cancelled += len(given_up)

    def _serve(self, leaving: Iterable[UUID]) -> None:
        """What is confirmed is accepted, made and handed over; who is ``leaving`` never comes for it."""
        clock = self.stage.clock
        self._move("confirmed", "accept")
        clock.go_to(timezone.now() + MAY_CANCEL)
        self._move("accepted", "making")
        clock.go_to(timezone.now() + MAKING)
        self._move("making", "ready")
        clock.go_to(timezone.now() + FETCHING)
        self._move("ready", "collected", but_of=frozenset(leaving))

    def _move(self, status: str, act: str, *, but_of: frozenset[UUID] = frozenset()) -> None:
        clerks = self._clerks()
        self._send(
            [
                (
                    f"/api/v1/stores/{ids.public(Store.PREFIX, store)}/orders/{ids.public('ord', order)}/{act}",
                    self.stage.staff(clerks[store]),
                    {},
                )
                for order, store, customer in self.stage.rows(BOARD, status=status)
                if customer not in but_of
            ]
        )

    def _send(self, calls: Calls) -> None:
        crowd = self.stage.crowd()

        async def act() -> None:
            await crowd.each(calls, at_once=AT_ONCE, progress=lambda: None)

        self.stage.run(act(), crowd)
        self.told.refused += crowd.refused

    def _shown(self) -> list[str]:
        luck, ordering = self.stage.luck, set(self.invited)
        shown = [
            code
            for code, uses, customer in self.stage.rows(SHOWN)
            if customer not in ordering and luck.random() < REDEEMING_SHARE
            for code in [code] * luck.randint(1, uses)
        ]
        luck.shuffle(shown)
        return shown

    def _stock_up(self, menu: Menu, coming: Sequence[Guest]) -> None:
        """The drink of the season is counted, and there is a little less of it than people will ask for."""
        supplies = guests.supplies(coming, self.stage.luck)
        for store, _ in self.stage.chain.counters:
            stock_keeping.keep(
                store_id=store.id,
                product_id=menu.products[guests.SCARCE],
                rule=StockRule(StockMode.COUNTED, on_hand=supplies[store.id]),
                by=INSTALLER,
                at=timezone.now(),
            )

    def _clerks(self) -> dict[UUID, Any]:
        return {store.id: clerk.id for store, clerk in self.stage.chain.counters}


def _shared_out(things: Sequence[Thing], hours: Sequence[tuple[datetime, float]]) -> Iterable[Sequence[Thing]]:
    """Everything once, each hour its share."""
    begin, until = 0, 0.0
    for _, share in hours:
        until += share
        end = min(len(things), round(until * len(things)))
        yield things[begin:end]
        begin = end
