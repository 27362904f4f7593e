"""Days at the sandbox and their bills: what was paid and refunded there, told to us or lost, and the file about it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from config.kernel.caller import Caller, CallerKind
from orders.models import BillDifference, BillFile, Payment, Refund
from orders.providers import sandbox_messages as messages
from orders.providers.interface import NoticeEvent
from orders.providers.sandbox_bill import BillFaults, Movement, written
from orders.services import bill_differences, bills, day_closing, notices, refund_sending
from orders.services.bills import TakenBill
from stores.models import Brand
from tests import factories
from tests.factories import NOW
from tests.orders.buying import buy
from tests.orders.fake_provider import FakeProvider
from vouchers.models import Offer

DAY = date(2026, 6, 1)  # NOW is its noon
NEXT_DAY = DAY + timedelta(days=1)
NOON_AFTER = NOW + timedelta(days=1)
BY = Caller(kind=CallerKind.OPERATOR, id=None)


@dataclass
class Till:
    """One brand that sells by the sandbox."""

    provider: FakeProvider
    offer: Offer

    @property
    def brand(self) -> Brand:
        return self.offer.brand

    def sell(self, count: int = 1, *, at: datetime = NOW, told: bool = True) -> list[Payment]:
        payments = [buy(self.offer, at=at) for _ in range(count)]
        for payment in payments:
            self.pay(payment, at=at, told=told)
        return payments

    def pay(self, payment: Payment, *, at: datetime = NOW, told: bool = True, **simulate: Any) -> messages.Event:
        self.provider.pay(payment, at=at, **simulate)
        event = self.provider.told[-1]
        if told:
            tell(event, at=at)
        return event

    def refund(self, *, at: datetime = NOW, told: bool = True) -> Refund:
        """What is requested is paid out by the provider."""
        refund_sending.send_refunds(limit=100, at=at)
        self.provider.book.settle_refunds(fails=lambda: False, at=at)
        if told:
            tell(self.provider.told[-1], at=at)
        return Refund.objects.get()

    def file(self, day: date = DAY, **faults: Any) -> bytes:
        return "".join(self.provider.bill_lines(day, **faults)).encode()

    def take(
        self, day: date = DAY, *, file: bytes | None = None, at: datetime = NOON_AFTER, **faults: Any
    ) -> TakenBill:
        return take(self.brand, self.file(day, **faults) if file is None else file, day=day, at=at)


def till(provider: FakeProvider, brand: Brand | None = None) -> Till:
    return Till(provider, factories.offer(factories.terms(factories.deal(brand or factories.brand()))))


def take(brand: Brand, file: bytes, *, day: date = DAY, at: datetime = NOON_AFTER) -> TakenBill:
    return bills.take(brand_id=brand.id, provider="sandbox", day=day, source=io.BytesIO(file), by=BY, at=at)


def tell(*events: messages.Event, at: datetime = NOW) -> None:
    told = [
        NoticeEvent(
            provider="sandbox",
            event_id=event.id,
            kind=event.kind,
            reference=event.reference,
            provider_reference=event.transaction,
            amount_fen=event.amount_fen,
            currency=event.currency,
            occurred_at=event.at,
        )
        for event in events
    ]
    notices.store_notices(told, at=at)
    notices.apply_notices(limit=500, at=at)


def found(bill: BillFile) -> Sequence[tuple[str, str]]:
    """Kind and reference of what differs."""
    return list(BillDifference.objects.filter(bill=bill).order_by("kind", "line").values_list("kind", "reference"))


def counts(bill: BillFile) -> tuple[int, int, int, int]:
    return bill.line_count, bill.matched_count, bill.others_count, bill.known_count


def a_closed_day(brand: Brand) -> None:
    """A day on which nothing happened here and a stranger's payment at the provider; explained and closed."""
    day = DAY + timedelta(days=9)
    at = NOW + timedelta(days=9)
    stranger = Movement(False, "pay_of_another_shop", "sbx_of_another_shop", 990, "CNY", at)
    taken = take(brand, "".join(written(day, [stranger], BillFaults())).encode(), day=day, at=at)
    difference = BillDifference.objects.get(bill=taken.bill)
    bill_differences.explain(brand_id=brand.id, difference_id=difference.id, reason="另一家店的", by=BY, at=at)
    day_closing.close(brand_id=brand.id, provider="sandbox", day=day, by=BY, at=at)
