"""Customers order from their wallets: a quote, the order with its plan, what is left to pay at the provider."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.kernel.ids import public
from livestream.rehearsal import guests
from livestream.rehearsal.connections import Answer
from livestream.rehearsal.crowd import Crowd
from livestream.rehearsal.guests import Guest, Menu
from livestream.rehearsal.stage import AT_ONCE, Stage
from stores.models import Option, Product

SOLD_OUT = "product_sold_out"
PLAN_CHANGED = "plan_changed"


@dataclass(frozen=True, slots=True)
class Quoted:
    """What she was shown for the cart that she settled on."""

    guest: Guest
    plan: dict[str, Any]


@dataclass
class Ordering:
    """One crowd's orders; ``placed`` are those who have one, ``sold_out`` counts who had to want something else."""

    stage: Stage
    crowd: Crowd
    menu: Menu
    quoted: list[Quoted] = field(default_factory=list)
    placed: list[Guest] = field(default_factory=list)
    sold_out: int = 0

    async def quote_all(self, coming: Sequence[Guest]) -> None:
        """Everybody fills her cart; what is sold out is replaced."""
        await _few_at_once(self._quote(guest) for guest in coming)

    async def order_all(self, progress: Callable[[], None]) -> None:
        """Everybody who was quoted orders just that, and pays."""
        await _few_at_once(self._order(quoted, progress) for quoted in self.quoted)

    async def _quote(self, guest: Guest) -> None:
        answer = await self._ask(guest, "quotes", {"lines": self._lines(guest)})
        if answer.code == SOLD_OUT and guest.wants_scarce:
            self.sold_out += 1
            guest = guest.content_with(guests.INSTEAD)
            answer = await self._ask(guest, "quotes", {"lines": self._lines(guest)})
        if self._went_well(answer):
            self.quoted.append(Quoted(guest, answer.json()))

    async def _order(self, quoted: Quoted, progress: Callable[[], None]) -> None:
        guest, plan = quoted.guest, quoted.plan
        answer = await self._place(guest, plan)
        if answer.code == SOLD_OUT and guest.wants_scarce:  # somebody took the last one since the quote
            self.sold_out += 1
            guest = guest.content_with(guests.INSTEAD)
            again = await self._ask(guest, "quotes", {"lines": self._lines(guest)})
            answer = await self._place(guest, again.json()) if again.status == 200 else again
        elif answer.code == PLAN_CHANGED:
            answer = await self._place(guest, answer.json()["error"]["details"]["plan"])
        if self._went_well(answer):
            self.placed.append(guest)
            await self._pay(answer)
        progress()

    async def _place(self, guest: Guest, plan: dict[str, Any]) -> Answer:
        uses = [{"voucher": use["voucher"], "serial": use["serial"]} for use in plan["uses"]]
        return await self._ask(guest, "orders", {"lines": self._lines(guest), "uses": uses, "due_fen": plan["due_fen"]})

    async def _pay(self, answer: Answer) -> None:
        if payment := answer.json()["payment"]:
            paying = payment["parameters"]
            await self.crowd.ask("POST", "/pay", {}, paying, until={200, 201, 202}, at=self.crowd.sandbox)

    async def _ask(self, guest: Guest, act: str, body: dict[str, Any]) -> Answer:
        path = f"/api/v1/stores/{guest.store.public_id}/{act}"
        return await self.crowd.ask("POST", path, self.stage.customer(guest.customer_id), body)

    def _lines(self, guest: Guest) -> list[dict[str, Any]]:
        return [
            {
                "product": public(Product.PREFIX, line.product_id),
                "options": [public(Option.PREFIX, option) for option in line.option_ids],
                "quantity": line.quantity,
            }
            for line in self.menu.lines(guest)
        ]

    def _went_well(self, answer: Answer) -> bool:
        if answer.status >= 400:
            self.crowd.refused[answer.code] += 1
        return answer.status < 400


async def _few_at_once(acts: Iterable[Coroutine[Any, Any, None]]) -> None:
    waiting = iter(acts)

    async def work() -> None:
        for act in waiting:
            await act

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
