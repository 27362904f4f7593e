"""The rehearsal, act by act: the sale, the vouchers, a week at the stores, second thoughts, the books."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from config.accounts.tokens import sign_customer
from config.kernel import ids
from livestream.rehearsal import coupons
from livestream.rehearsal.arrivals import arrival_seconds
from livestream.rehearsal.chain import sign_in_customers
from livestream.rehearsal.crowd import Crowd, Viewer, Wish
from livestream.rehearsal.sale import PROMOTER_CODE
from livestream.rehearsal.stage import Calls, Stage
from livestream.rehearsal.week import Told, Week
from vouchers.models import Voucher

PAYING_SHARE = 0.94
BUYING_TWO_SHARE = 0.12
REFUNDING_SHARE = 0.06
PAYABLE = timedelta(minutes=15)

TO_REFUND = """
    SELECT id, customer_id FROM vouchers_voucher
    WHERE brand_id = %(brand)s AND status = 'issued' AND source_kind = 'purchase' ORDER BY id
"""


@dataclass
class Play:
    """The acts in their order; ``orders`` viewers buy, ``store_orders`` of them order at a store later."""

    stage: Stage
    orders: int
    store_orders: int

    def act_out(
        self,
        arrivals: Path | None,
        faults: dict[str, Any],
        *,
        during_the_sale: AbstractContextManager[None],
        lasting_seconds: float,
    ) -> tuple[Crowd, Told]:
        """Every act, the provider misbehaving as told; the crowd of the sale comes back, and what the week told."""
        stage = self.stage
        self._misbehave(faults)
        with during_the_sale:
            sale = self.sell(arrivals, lasting_seconds)
        connection.close()  # it may have been cut meanwhile
        stage.clock.go_to(timezone.now() + PAYABLE)
        stage.wait_until_nothing("出券 · unpaid closed, vouchers issued", "unpaid", "unissued")
        week = Week(stage, until=datetime.now(UTC))
        week.begin()
        customers = week.invite(self.store_orders)
        coupons.thank(brand_id=stage.chain.brand.id, customers=customers, at=timezone.now())
        stage.wait_until_nothing("赠券 · coupons given to those who come back", "ungranted")
        told = week.play()
        self.refund()
        stage.clock.go_to(datetime.now(UTC))
        stage.wait_until_nothing("收尾 · orders left over, late money sorted out", "unissued", "orders")
        stage.wait_until_nothing("退款 · money back", "refunds")
        stage.wait_until_nothing("分账 · the week settled", "unsettled")
        return sale, told

    def sell(self, arrivals: Path | None, lasting_seconds: float) -> Crowd:
        """Act one: the viewers arrive over ``lasting_seconds`` at least, buy, and most of them pay."""
        stage, at = self.stage, timezone.now()
        customers = sign_in_customers(brand_id=stage.chain.brand.id, count=self.orders, at=at)
        seconds = arrival_seconds(self.orders, arrivals)
        if seconds[-1] < lasting_seconds:
            seconds = [each * lasting_seconds / seconds[-1] for each in seconds]
        crowd = stage.crowd()

        async def act() -> None:
            wishes = await crowd.watch(stage.session.public_id)
            viewers = [
                self._viewer(customer, wishes, arrives_after=when, at=at)
                for customer, when in zip(customers, seconds, strict=True)
            ]
            with stage.bar(f"直播 · {self.orders:,} viewers in {seconds[-1]:.0f} s", self.orders) as step:
                await crowd.buy_all(viewers, stage.session.public_id, PROMOTER_CODE, step)

        stage.run(act(), crowd)
        return crowd

    def refund(self) -> Crowd:
        """The last act: some want their money back."""
        calls: Calls = [
            (f"/api/v1/vouchers/{ids.public(Voucher.PREFIX, key)}/refund", self.stage.customer(customer), {})
            for key, customer in self.stage.rows(TO_REFUND)
            if self.stage.luck.random() < REFUNDING_SHARE
        ]
        return self.stage.post("退款 · refunds asked for", calls)

    def _misbehave(self, faults: dict[str, Any]) -> None:
        """Ask the sandbox provider for duplicates, delays, disorder and losses."""
        crowd = self.stage.crowd()
        asking = crowd.each([("/faults", {}, faults)], at_once=1, progress=lambda: None, at=crowd.sandbox)

        async def act() -> None:
            await asking

        self.stage.run(act(), crowd)

    def _viewer(self, customer: UUID, wishes: list[Wish], *, arrives_after: float, at: datetime) -> Viewer:
        luck, wanted = self.stage.luck, [*wishes]
        # Most come for the first, hottest listing; the rest look around.
        if luck.random() > 0.5:
            luck.shuffle(wanted)
        return Viewer(
            customer_id=customer,
            token=sign_customer(customer_id=customer, brand_id=self.stage.chain.brand.id, at=at).text,
            wishes=tuple(wanted),
            quantity=2 if luck.random() < BUYING_TWO_SHARE else 1,
            pays=luck.random() < PAYING_SHARE,
            arrives_after=arrives_after,
        )
