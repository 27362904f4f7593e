"""A provider without HTTP: the sandbox's own book behind the interface, silent when it is told to be."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import IO, Any

from django.db import connection

from orders.models import Payment
from orders.providers import sandbox_messages as messages
from orders.providers.interface import (
    NoticeEvent,
    PaymentTerms,
    ProviderAnswer,
    ProviderSilent,
    RefundAnswer,
    RefundOrder,
)
from orders.providers.sandbox import payment_answer, refund_answer
from orders.providers.sandbox_bill import BillFaults, begins, written
from orders.providers.sandbox_book import SandboxBook
from tests.factories import NOW


class FakeProvider:
    """Tells nobody anything: what happened is only known by asking, unless a test tells it."""

    name = "sandbox"

    def __init__(self) -> None:
        self.told: list[messages.Event] = []
        self.book = SandboxBook(tell=self.told.append, remember=10_000)
        self.is_silent = False
        self.calls: list[str] = []
        self.before_closing: Callable[[], object] = lambda: None

    def parameters(self, payment: PaymentTerms) -> dict[str, Any]:
        return {}

    def read_notice(self, headers: Mapping[str, str], body: bytes, *, at: datetime) -> list[NoticeEvent]:
        raise AssertionError("this one sends no notices")

    def ask(self, references: Sequence[str]) -> list[ProviderAnswer]:
        with self._called("ask"):
            return [payment_answer(report) for report in self.book.query(references)]

    def close(self, references: Sequence[str]) -> list[ProviderAnswer]:
        with self._called("close"):
            self.before_closing()
            connection.close()  # it ran in a thread of the question's own
            return [payment_answer(report) for report in self.book.close(references)]

    def refund(self, order: RefundOrder) -> RefundAnswer:
        with self._called("refund"):
            request = messages.RefundRequest(order.reference, order.payment_reference, order.amount_fen)
            return refund_answer(self.book.refund(request))

    def ask_refunds(self, references: Sequence[str]) -> list[RefundAnswer]:
        with self._called("ask_refunds"):
            return [refund_answer(report) for report in self.book.query_refunds(references)]

    def bill(self, day: date, into: IO[bytes]) -> None:
        with self._called("bill"):
            for line in self.bill_lines(day):
                into.write(line.encode())

    def bill_lines(self, day: date, **faults: Any) -> Iterator[str]:
        since, until = begins(day - timedelta(days=1)), begins(day + timedelta(days=1))
        return written(day, self.book.movements(since=since, until=until), BillFaults(**faults))

    def pay(self, payment: Payment, *, at: datetime = NOW, **simulate: Any) -> messages.PaymentReport:
        """The customer pays; the signature was the server's to check."""
        request = messages.Pay(
            reference=payment.public_id,
            amount_fen=payment.amount_fen,
            currency="CNY",
            expires_at=2**33,
            kid="",
            signature="",
            simulate=messages.Simulate(**simulate),
        )
        return self.book.pay(request, at=at)

    def settle_refunds(self, *, fail: bool = False) -> None:
        self.book.settle_refunds(fails=lambda: fail, at=NOW)

    @contextmanager
    def _called(self, name: str) -> Iterator[None]:
        self.calls.append(name)
        if self.is_silent:
            raise ProviderSilent("as told")
        yield
