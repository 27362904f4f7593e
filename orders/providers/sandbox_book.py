"""What the sandbox remembers: payments, refunds and the bill. Plain state without clock, network or faults."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from secrets import token_hex

import msgspec

from orders.providers.interface import EventKind, PaymentState, RefundState
from orders.providers.sandbox_bill import Movement
from orders.providers.sandbox_messages import (
    Bill,
    BillRequest,
    Captured,
    Event,
    Pay,
    PaymentReport,
    RefundReport,
    RefundRequest,
)

BILL_PAGE = 1_000
LOOKS_TO_FORGET = 1_000


class Refused(Exception):
    """The provider says no; the text is its reason."""


class Full(Exception):
    """Nothing may be forgotten yet, so nothing new is taken."""


class _Payment(msgspec.Struct, gc=False):
    state: PaymentState = PaymentState.UNPAID
    captures: tuple[Captured, ...] = ()
    refunded_fen: int = 0
    is_known: bool = False  # the merchant has heard what became of it


class _Refund(msgspec.Struct, gc=False):
    payment: str
    amount_fen: int
    currency: str
    state: RefundState = RefundState.PENDING
    transaction: str = ""
    at: datetime | None = None
    reason: str = ""


class SandboxBook:
    """
    Tells every event through ``tell``; keeps the last ``remember`` payments and as many refunds and bill lines.

    A payment is forgotten, oldest first, only after the merchant has heard of it. Refunds of
    forgotten payments fail, so ``remember`` bounds how far back a demo can refund.
    """

    def __init__(self, *, tell: Callable[[Event], None], remember: int) -> None:
        self._tell = tell
        self._remember = remember
        self.payments: dict[str, _Payment] = {}
        self.refunds: dict[str, _Refund] = {}
        self._pending: list[str] = []
        self._bill: deque[Event] = deque(maxlen=remember)
        self._billed = 0  # lines ever written, so that a page's place survives forgetting

    def pay(self, request: Pay, *, at: datetime) -> PaymentReport:
        """
        Take the customer's money, once unless told to do it ``again``.

        Raises:
            Refused: closed, or past the time the merchant set.
            Full: see there.
        """
        found = self.payments.get(request.reference)
        if found is not None and found.state == PaymentState.CLOSED:
            raise Refused("closed")
        if found is not None and found.captures and not request.simulate.again:
            return self._report(request.reference, found)
        if at.timestamp() >= request.expires_at:
            raise Refused("expired")
        payment = found or self._open(request.reference)
        capture = Captured(
            transaction=f"sbx_{token_hex(12)}",
            amount_fen=request.simulate.amount_fen or request.amount_fen,
            currency=request.simulate.currency or request.currency,
            at=at,
        )
        payment.state = PaymentState.CAPTURED
        payment.captures = (*payment.captures, capture)
        payment.is_known = False
        self._happened(EventKind.PAYMENT_CAPTURED, request.reference, capture)
        return self._report(request.reference, payment)

    def query(self, references: Sequence[str]) -> list[PaymentReport]:
        return [self._answer(reference) for reference in references]

    def close(self, references: Sequence[str]) -> list[PaymentReport]:
        """Nobody can pay these any more, known or not; paid ones stay paid."""
        for reference in references:
            payment = self.payments.get(reference) or self._open(reference)
            if not payment.captures:
                payment.state = PaymentState.CLOSED
        return [self._answer(reference) for reference in references]

    def refund(self, request: RefundRequest) -> RefundReport:
        """Take the order; it succeeds a moment later. A failed one may be ordered again under its reference."""
        found = self.refunds.get(request.reference)
        if found is not None and (found.payment, found.amount_fen) != (request.payment, request.amount_fen):
            reason = "reference used for another refund"
            return RefundReport(request.reference, RefundState.FAILED, amount_fen=request.amount_fen, reason=reason)
        if found is not None and found.state != RefundState.FAILED:
            return self._refund_report(request.reference, found)
        payment = self.payments.get(request.payment)
        captured_fen = sum(capture.amount_fen for capture in payment.captures) if payment else 0
        if payment is None or request.amount_fen > captured_fen - payment.refunded_fen:
            reason = "more than was captured" if payment else "unknown payment"
            refused = _Refund(request.payment, request.amount_fen, "CNY", state=RefundState.FAILED, reason=reason)
            self.refunds[request.reference] = refused
            return self._refund_report(request.reference, refused)
        payment.refunded_fen += request.amount_fen
        pending = _Refund(request.payment, request.amount_fen, payment.captures[-1].currency)
        self.refunds[request.reference] = pending
        self._pending.append(request.reference)
        if len(self.refunds) > self._remember:
            self.refunds.pop(next(iter(self.refunds)))
        return self._refund_report(request.reference, pending)

    def settle_refunds(self, *, fails: Callable[[], bool], at: datetime) -> None:
        """What happens a moment after ``refund``."""
        pending, self._pending = self._pending, []
        for reference in pending:
            if (refund := self.refunds.get(reference)) is None:
                continue
            refund.transaction, refund.at = f"sbr_{token_hex(12)}", at
            if fails():
                refund.state, refund.reason = RefundState.FAILED, "the bank said no"
                if payment := self.payments.get(refund.payment):
                    payment.refunded_fen -= refund.amount_fen
                kind = EventKind.REFUND_FAILED
            else:
                refund.state, refund.reason = RefundState.SUCCEEDED, ""
                kind = EventKind.REFUND_SUCCEEDED
            line = Captured(refund.transaction, refund.amount_fen, refund.currency, at)
            self._happened(kind, reference, line)

    def query_refunds(self, references: Sequence[str]) -> list[RefundReport]:
        return [
            self._refund_report(reference, self.refunds[reference])
            if reference in self.refunds
            else RefundReport(reference, RefundState.UNKNOWN)
            for reference in references
        ]

    def bill(self, request: BillRequest) -> Bill:
        """A page of what happened in a span of time, in the order it happened."""
        forgotten = self._billed - len(self._bill)
        page: list[Event] = []
        for place in range(max(request.after, forgotten), self._billed):
            event = self._bill[place - forgotten]
            if request.since <= event.at < request.until:
                if len(page) == BILL_PAGE:
                    return Bill(page, place)
                page.append(event)
        return Bill(page, None)

    def movements(self, *, since: datetime, until: datetime) -> list[Movement]:
        """Money that moved in a span of time, in the order it happened, as a bill shows it."""
        return [
            self._movement(event)
            for event in self._bill
            if since <= event.at < until and event.kind != EventKind.REFUND_FAILED
        ]

    def _movement(self, event: Event) -> Movement:
        refund = self.refunds.get(event.reference) if event.kind == EventKind.REFUND_SUCCEEDED else None
        payment = self.payments.get(refund.payment) if refund else None
        return Movement(
            is_refund=event.kind == EventKind.REFUND_SUCCEEDED,
            reference=event.reference,
            transaction=event.transaction,
            amount_fen=event.amount_fen,
            currency=event.currency,
            at=event.at,
            payment=refund.payment if refund else "",
            paid_by=payment.captures[0].transaction if payment and payment.captures else "",
        )

    def acknowledged(self, event: Event) -> None:
        """The merchant has answered the notice that carried this."""
        if payment := self.payments.get(event.reference):
            payment.is_known = True

    def _answer(self, reference: str) -> PaymentReport:
        payment = self.payments.get(reference)
        if payment is None:
            return PaymentReport(reference, PaymentState.UNKNOWN)
        payment.is_known = payment.state != PaymentState.UNPAID
        return self._report(reference, payment)

    def _report(self, reference: str, payment: _Payment) -> PaymentReport:
        return PaymentReport(reference, payment.state, list(payment.captures))

    def _refund_report(self, reference: str, refund: _Refund) -> RefundReport:
        return RefundReport(
            reference,
            refund.state,
            refund.transaction,
            refund.amount_fen,
            refund.currency,
            refund.at,
            refund.reason,
        )

    def _open(self, reference: str) -> _Payment:
        if len(self.payments) >= self._remember:
            self._forget_one()
        payment = self.payments[reference] = _Payment()
        return payment

    def _forget_one(self) -> None:
        for _ in range(LOOKS_TO_FORGET):
            oldest = next(iter(self.payments))
            payment = self.payments.pop(oldest)
            if payment.is_known:
                return
            self.payments[oldest] = payment  # still news to the merchant: to the end of the line
        raise Full

    def _happened(self, kind: EventKind, reference: str, line: Captured) -> None:
        event = Event(
            id=f"evt_{token_hex(12)}",
            kind=kind,
            reference=reference,
            transaction=line.transaction,
            amount_fen=line.amount_fen,
            currency=line.currency,
            at=line.at,
        )
        self._bill.append(event)
        self._billed += 1
        self._tell(event)
