"""What Hexiao asks of a payment provider: the one shape behind which WeChat Pay, Alipay or the sandbox stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import IO, Any, Protocol

CURRENCY = "CNY"
MOST_AT_ONCE = 100
"""How many references one question may carry, and how many events one notice."""


class EventKind(StrEnum):
    PAYMENT_CAPTURED = "payment_captured"
    REFUND_SUCCEEDED = "refund_succeeded"
    REFUND_FAILED = "refund_failed"


class PaymentState(StrEnum):
    CAPTURED = "captured"
    UNPAID = "unpaid"
    CLOSED = "closed"
    UNKNOWN = "unknown"  # never heard of: the customer has not opened the payment


class RefundState(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"  # never heard of: send it (again)


class ProviderSilent(Exception):
    """No answer, or none that can be believed. The outcome is unknown, which is never the same as a no."""


@dataclass(frozen=True, slots=True)
class NoticeEvent:
    """
    One thing that happened at a provider. ``event_id`` is the same however often it is told.

    ``reference`` is ours (``pay_…``, ``rfd_…``), ``provider_reference`` is the transaction there.
    """

    provider: str
    event_id: str
    kind: str
    reference: str
    provider_reference: str
    amount_fen: int
    currency: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """What a customer's device carries to the provider; ``expires_at`` is when it stops taking the payment."""

    reference: str
    amount_fen: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Capture:
    """Money taken from the customer: one transaction at the provider."""

    provider_reference: str
    amount_fen: int
    currency: str
    captured_at: datetime


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """What a provider knows of a payment; more than one capture only where it let the customer pay twice."""

    reference: str
    state: PaymentState
    captures: tuple[Capture, ...] = ()


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Give back ``amount_fen`` of a payment; ``reference`` makes a repeat harmless."""

    reference: str
    payment_reference: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    reference: str
    state: RefundState
    provider_reference: str = ""
    amount_fen: int = 0
    currency: str = CURRENCY
    succeeded_at: datetime | None = None
    reason: str = ""


class Provider(Protocol):
    """
    A payment provider. ``parameters`` and ``read_notice`` work without the network and may be called
    anywhere; the others are HTTP, block up to a few seconds and must never run inside a transaction.
    """

    name: str

    def parameters(self, payment: PaymentTerms) -> dict[str, Any]:
        """What the customer's device needs to pay, signed here and now."""

    def read_notice(self, headers: Mapping[str, str], body: bytes, *, at: datetime) -> list[NoticeEvent]:
        """
        The events of a notice whose signature over the raw bytes and their time is right.

        ``headers`` has its names in lower case or does not mind; kinds we do not act on are left out.

        Raises:
            NoticeNotSigned: no signature, a wrong one, or one too old.
            MalformedRequest: signed, and still not a notice.
        """

    def ask(self, references: Sequence[str]) -> list[ProviderAnswer]:
        """
        What became of up to 100 payments, in their order.

        Raises:
            ProviderSilent: nothing is known; ask again later.
        """

    def close(self, references: Sequence[str]) -> list[ProviderAnswer]:
        """
        Take no payment for these any more: each answers CLOSED, or CAPTURED where it was too late.

        Raises:
            ProviderSilent: nothing is known; they may be closed or not.
        """

    def refund(self, order: RefundOrder) -> RefundAnswer:
        """
        Give money back, once however often it is said.

        Raises:
            ProviderSilent: it may have happened; ask, or say it again.
        """

    def ask_refunds(self, references: Sequence[str]) -> list[RefundAnswer]:
        """
        What became of up to 100 refunds, in their order.

        Raises:
            ProviderSilent: nothing is known; ask again later.
        """

    def bill(self, day: date, into: IO[bytes]) -> None:
        """
        Write the provider's bill of a day of its own, as the file it is.

        Raises:
            BillNotReady: it does not exist yet; ask later.
            ProviderSilent: no answer, or not the file it promised; ``into`` may hold a part of it.
        """
