"""A cart whose price is settled: what a plan makes of it, and what an order writes down."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PricedLine:
    """
    ``off_fen`` of ``unit_fen`` × ``quantity`` is paid by vouchers; ``options`` as the order keeps them.

    ``product_id`` is what is made, ``instead_of_id`` the product that it is priced as where it stands in for one.
    """

    product_id: UUID
    name: str
    options: tuple[dict[str, Any], ...]
    unit_fen: int
    quantity: int
    off_fen: int
    instead_of_id: UUID | None = None
    instead_of_name: str = ""

    @property
    def due_fen(self) -> int:
        return self.unit_fen * self.quantity - self.off_fen


@dataclass(frozen=True, slots=True)
class PricedUse:
    """One use of a voucher, and what it takes off each line, by position."""

    voucher_id: UUID
    serial: int
    off_lines: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class PricedOrder:
    """A cart with the uses that pay for it."""

    lines: tuple[PricedLine, ...]
    uses: tuple[PricedUse, ...]

    def __post_init__(self) -> None:
        by_line: Counter[int] = Counter()
        for use in self.uses:
            by_line.update(use.off_lines)
        assert all(by_line[position] == line.off_fen for position, line in enumerate(self.lines)), "parts sum"

    @property
    def total_fen(self) -> int:
        return sum(line.unit_fen * line.quantity for line in self.lines)

    @property
    def off_fen(self) -> int:
        return sum(line.off_fen for line in self.lines)

    @property
    def due_fen(self) -> int:
        return self.total_fen - self.off_fen
