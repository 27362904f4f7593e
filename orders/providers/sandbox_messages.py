"""The sandbox's wire format, checked to the last field on both sides."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from orders.providers.interface import EventKind, PaymentState, RefundState
from orders.providers.sandbox_bill import BillFaults

# Printable ASCII without blanks: what a jsonb parameter, a log line and a primary key all take.
Reference = Annotated[str, Meta(pattern=r"^[!-~]{1,48}$")]
Transaction = Annotated[str, Meta(pattern=r"^[!-~]{1,64}$")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
Amount = Annotated[int, Meta(gt=0, le=10**12)]
Time = Annotated[datetime, Meta(tz=True)]
Rate = Annotated[float, Meta(ge=0, le=1)]


class Message(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Facts that pass between the two; an unknown field is refused."""


class Simulate(Message, frozen=True, omit_defaults=True):
    """What goes wrong in this one payment, on demand: another amount or currency, or paid once more."""

    amount_fen: Amount | None = None
    currency: Currency | None = None
    again: bool = False


class Pay(Message, frozen=True, omit_defaults=True):
    """The signed parameters as the merchant gave them, posted by the customer's device."""

    reference: Reference
    amount_fen: Amount
    currency: Currency
    expires_at: int
    kid: str
    signature: str
    provider: str = ""
    url: str = ""
    simulate: Simulate = Simulate()


class Payers(Message, frozen=True):
    """A crowd's payments in one call: a rehearsal of millions need not spend its machine on their devices."""

    payments: Annotated[list[Pay], Meta(min_length=1, max_length=100)]


class Question(Message, frozen=True):
    references: Annotated[list[Reference], Meta(min_length=1, max_length=100)]


class Captured(Message, frozen=True):
    transaction: Transaction
    amount_fen: Amount
    currency: Currency
    at: Time


class PaymentReport(Message, frozen=True):
    reference: Reference
    state: PaymentState
    captures: list[Captured] = []


class PaymentReports(Message, frozen=True):
    payments: list[PaymentReport]


class RefundRequest(Message, frozen=True):
    reference: Reference
    payment: Reference
    amount_fen: Amount


class RefundReport(Message, frozen=True):
    reference: Reference
    state: RefundState
    transaction: str = ""
    amount_fen: int = 0
    currency: str = ""
    at: Time | None = None
    reason: str = ""


class RefundReports(Message, frozen=True):
    refunds: list[RefundReport]


class Event(Message, frozen=True):
    """One line of a notice and of a bill. ``id`` stays the same over every repetition."""

    id: Transaction
    kind: EventKind
    reference: Reference
    transaction: Transaction
    amount_fen: Amount
    currency: Currency
    at: Time


class Notice(Message, frozen=True):
    events: Annotated[list[Event], Meta(min_length=1, max_length=100)]


class BillRequest(Message, frozen=True):
    """Everything from ``since`` on, before ``until``; ``after`` is the last page's ``next``."""

    since: Time
    until: Time
    after: Annotated[int, Meta(ge=0)] = 0


class Bill(Message, frozen=True):
    events: list[Event]
    next: int | None


class Faults(Message, frozen=True):
    """Shares from 0 to 1, and seconds; ``seed`` makes a run repeatable."""

    duplicate: Rate = 0.0
    delay_seconds: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    disorder: Rate = 0.0
    lose: Rate = 0.0
    fail_refunds: Rate = 0.0
    bill: BillFaults = BillFaults()
    seed: int | None = None


class Figures(Message, frozen=True):
    payments: int
    refunds: int
    events_waiting: int
    notices_delivered: int
    notices_refused: int
    events_lost: int
    events_duplicated: int


def encode(message: Any) -> bytes:
    return msgspec.json.encode(message)
