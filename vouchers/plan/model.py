"""What goes into a plan and what comes out: plain data, no rules of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of terms a plan can apply, in the words of ``Deal.Kind``; a bundle is its children."""

    PACKAGE = "package"
    TIMES_CARD = "times_card"
    CASH = "cash"
    DISCOUNT = "discount"


ENTITLEMENTS = (Kind.PACKAGE, Kind.TIMES_CARD)


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One of the menu's questions about a product, with the answers ``chosen``.

    ``fen`` is what each possible answer adds to the price, ``usual`` those that come with the product.
    """

    fen: Mapping[str, int]
    chosen: frozenset[str]
    usual: frozenset[str] = frozenset()
    takes_one: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """``quantity`` units of one product with the same options; ``unit_fen`` includes what was ``asked``."""

    id: str
    product: str
    category: str
    unit_fen: int
    quantity: int
    asked: tuple[Asked, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """A rule over lines; the default takes in everything, and ``except_products`` always wins."""

    everything: bool = True
    categories: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    except_products: frozenset[str] = frozenset()

    def takes_in(self, line: Line) -> bool:
        if line.product in self.except_products:
            return False
        return self.everything or line.product in self.products or line.category in self.categories


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Item:
    """``count`` units out of ``scope``; options outside ``options`` and what exceeds ``up_to_fen`` are paid on top."""

    scope: Scope
    count: int = 1
    options: frozenset[str] = frozenset()
    up_to_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """``choose`` different ones of ``items``."""

    choose: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What vouchers of one kind say. ``scope`` is what a cash voucher or discount may touch and what the
    threshold of any kind reads; ``choices`` is what one use of a package or times card covers.
    """

    id: str
    deal: str
    kind: Kind
    face_fen: int = 0
    rate_bps: int = 0
    cap_fen: int | None = None
    min_spend_fen: int = 0
    scope: Scope = EVERYTHING
    choices: tuple[Choice, ...] = ()
    stacking_group: str = ""
    max_per_order: int | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """A free use; ``refund_fen`` is what refunding it would still give back."""

    serial: int
    refund_fen: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the caller's verdict rules a voucher out, in the code of ``vouchers/errors.py``."""

    code: str
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Voucher:
    """A voucher with its free uses (one, but for a times card); ``is_prepaid`` says that somebody paid for it."""

    id: str
    terms: Terms
    uses: tuple[Use, ...]
    expires_at: datetime
    is_prepaid: bool
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class AppliedUse:
    """One use: what it takes off each line, and the units it covers there."""

    voucher_id: str
    serial: int
    refund_fen: int
    off_fen: Mapping[str, int]
    units: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """``total_fen`` = ``covered_fen`` (units of packages and cards) + ``off_fen`` + ``due_fen``, on every line."""

    id: str
    total_fen: int
    covered_fen: int
    off_fen: int
    due_fen: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """
    Why a voucher stays in the wallet. ``saves_fen`` is what it alone would take off this cart less the
    refund it gives up, thresholds aside; ``details`` say what stands in the way.
    """

    voucher_id: str
    code: str
    details: Mapping[str, object]
    saves_fen: int


@dataclass(frozen=True, slots=True)
class Objective:
    """The levels in order; dataclass order is not used, ``key`` is."""

    forced_left_out: int
    cost_fen: int
    due_fen: int
    wasted_fen: int
    expiries: tuple[datetime, ...]
    vouchers: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """
    No plan with as many forced vouchers has a true cost below ``bound_fen``. ``optimal``: that is this plan's own.
    ``settled``: no plan is better on any later level either.
    """

    objective: Objective
    applied: tuple[AppliedUse, ...]
    lines: tuple[PlannedLine, ...]
    left_out: tuple[LeftOut, ...]
    optimal: bool
    settled: bool
    bound_fen: int
    nodes: int

    @property
    def due_fen(self) -> int:
        return self.objective.due_fen

    @property
    def refund_fen(self) -> int:
        return self.objective.cost_fen - self.objective.due_fen
