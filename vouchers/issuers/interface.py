"""What Hexiao asks of a platform that sells vouchers of its own: the one shape behind which Douyin or Meituan stand."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class CallState(StrEnum):
    DONE = "done"
    PENDING = "pending"  # held for risk; decided within 48 h, and may complete by itself
    REFUSED = "refused"
    NOT_THERE = "not_there"  # never heard of: say it (again)


class IssuerSilent(Exception):
    """No answer, or none that can be believed. The outcome is unknown, which is never the same as a no."""


@dataclass(frozen=True, slots=True)
class UsePrice:
    """What one use was sold for: its parts."""

    customer_fen: int
    platform_fen: int = 0
    merchant_fen: int = 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """
    One voucher as its platform tells of it. ``external_id`` names it there for ever, ``code`` is what a
    clerk can type (empty where the platform does not say it), ``buyer_external_id`` who bought it (empty likewise).
    """

    external_id: str
    code: str
    order_external_id: str
    product_external_id: str
    buyer_external_id: str
    prices: tuple[UsePrice, ...]
    valid_from: datetime
    valid_until: datetime
    is_refunded: bool = False


@dataclass(frozen=True, slots=True)
class RedeemOrder:
    """Redeem so many uses of a certificate at a store; ``reference`` makes a repeat harmless."""

    reference: str
    certificate_external_id: str
    uses: int
    store_external_id: str


@dataclass(frozen=True, slots=True)
class RedeemAnswer:
    """
    What became of a redeem order. DONE names one redemption for each use, in the order of the uses, and
    until when the platform lets them be undone; REFUSED says why in the platform's words.
    """

    state: CallState
    redemption_external_ids: tuple[str, ...] = ()
    redeemed_at: datetime | None = None
    cancellable_until: datetime | None = None
    reason_code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Undo one redemption; ``reference`` makes a repeat harmless."""

    reference: str
    certificate_external_id: str
    redemption_external_id: str


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """What became of a cancel order; ``is_void`` where the platform takes the voucher back with it."""

    state: CallState
    cancelled_at: datetime | None = None
    is_void: bool = False
    reason_code: str = ""
    reason: str = ""


class Issuer(Protocol):
    """
    A platform. Every method is network, blocks up to a few seconds and must never run inside a
    transaction; each raises ``IssuerSilent`` where nothing is known.
    """

    name: str

    def certificates(self, text: str, *, account_external_id: str, store_external_id: str) -> list[Certificate]:
        """The vouchers that a typed code or a scanned text names, redeemed and refunded ones too; often none."""

    def redeem(self, order: RedeemOrder) -> RedeemAnswer:
        """
        Redeem, once however often it is said: all uses or none.

        That the certificate "is used already" by this very reference is DONE, not a refusal.
        """

    def ask_redeem(self, order: RedeemOrder) -> RedeemAnswer:
        """What became of an order; changes nothing."""

    def cancel(self, order: CancelOrder) -> CancelAnswer:
        """Undo, once however often it is said; REFUSED where the platform's window is over."""

    def ask_cancel(self, order: CancelOrder) -> CancelAnswer:
        """What became of an undo; changes nothing."""
