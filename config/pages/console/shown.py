"""What the counter's pages show, whoever's vouchers they are: rows to redeem, results, sums."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from config.kernel.errors import DomainError

MOST_CHOSEN = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One voucher to redeem; ``refusal`` says why not. ``code`` is full: the page posts it back."""

    code: str
    title: str
    customer: str
    uses_left: int = 1
    uses_total: int = 1
    needs_bill: bool = False
    min_spend_fen: int = 0
    off_fen: int | None = None
    pays_difference: bool = False
    valid_until: datetime | None = None
    refusal: DomainError | None = None

    @property
    def is_usable(self) -> bool:
        return self.refusal is None

    @property
    def is_card(self) -> bool:
        return self.uses_total > 1

    @property
    def next_use(self) -> int:
        return self.uses_total - self.uses_left + 1

    @property
    def left_after(self) -> int:
        return self.uses_left - 1

    @property
    def choices_of_uses(self) -> range:
        return range(1, min(self.uses_left, MOST_CHOSEN) + 1)

    @property
    def nearest(self) -> dict[str, Any] | None:
        near = self.refusal.details.get("nearest") if self.refusal else None
        return near[0] if near else None


@dataclass(frozen=True, slots=True)
class Group:
    """One customer's rows; ``key`` says which scan brought them in."""

    key: str
    customer: str
    rows: Sequence[Row]

    @property
    def usable(self) -> list[Row]:
        return [row for row in self.rows if row.is_usable]


@dataclass(frozen=True, slots=True)
class Basket:
    """Everything scanned for one redemption, and the bill as it was typed; judged as if the bill were enough."""

    id: str
    groups: Sequence[Group]
    bill_text: str = ""

    @property
    def usable(self) -> list[Row]:
        return [row for group in self.groups for row in group.usable]

    @property
    def unusable(self) -> list[Row]:
        return [row for group in self.groups for row in group.rows if not row.is_usable]

    @property
    def served(self) -> list[Group]:
        return [group for group in self.groups if group.usable]

    @property
    def chosen_codes(self) -> frozenset[str]:
        return frozenset(row.code for row in self.usable[:MOST_CHOSEN])

    @property
    def needs_bill(self) -> bool:
        return any(row.needs_bill for row in self.usable)


@dataclass(frozen=True, slots=True)
class Use:
    """One use that was redeemed."""

    redemption_id: UUID
    title: str
    customer: str
    serial: int
    uses_left: int
    uses_total: int
    off_fen: int | None
    pays_difference: bool
    reversed_at: datetime | None

    @property
    def is_card(self) -> bool:
        return self.uses_total > 1


@dataclass(frozen=True, slots=True)
class Extra:
    """What was asked for beyond the voucher; by QR the clerk collects nothing, and ``id`` is where she follows it."""

    id: str
    reason: str
    amount_fen: int
    is_paid: bool
    is_by_qr: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one tap on 核销."""

    id: str
    uses: Sequence[Use]
    bill_fen: int | None
    at: datetime
    reversible_until: datetime | None
    is_decided: bool = True
    extras: Sequence[Extra] = field(default_factory=tuple)

    @property
    def customers(self) -> int:
        return len({use.customer for use in self.uses})

    @property
    def live(self) -> list[Use]:
        return [use for use in self.uses if use.reversed_at is None]

    @property
    def is_undone(self) -> bool:
        return self.is_decided and not self.live

    @property
    def at_till(self) -> list[Extra]:
        return [one for one in self.extras if not one.is_by_qr]

    @property
    def by_qr(self) -> list[Extra]:
        return [one for one in self.extras if one.is_by_qr]

    @property
    def extra_fen(self) -> int:
        return sum(one.amount_fen for one in self.at_till)

    @property
    def off_fen(self) -> int:
        return sum(use.off_fen or 0 for use in self.live)

    @property
    def collect_fen(self) -> int:
        return collect_fen(self.bill_fen, self.off_fen) + self.extra_fen


@dataclass(frozen=True, slots=True)
class FirstUse:
    """Who was first with a voucher that is used up."""

    at: datetime
    store_name: str
    clerk: str
    title: str
    code: str


def collect_fen(bill_fen: int | None, off_fen: int) -> int:
    """What the customer still pays of her bill; vouchers give no change."""
    return max((bill_fen or 0) - off_fen, 0)


class Counter(Protocol):
    """Where redeeming goes: to the store's books, or to nobody's (practice)."""

    def typed(self, codes: Sequence[str], bill_fen: int | None) -> list[Row]: ...
    def scanned(self, text: str, bill_fen: int | None) -> list[Row]: ...
    def redeem(self, codes: Sequence[str], bill_fen: int | None, request_id: UUID) -> str: ...
    def result(self, id: str) -> Result: ...
    def undo(self, result: Result, request_id: UUID) -> None: ...
    def first_use(self, refusal: DomainError) -> FirstUse | None: ...
