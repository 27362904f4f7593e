"""A plan as the search finds it, and which vouchers stand behind its numbers."""

from dataclasses import dataclass
from datetime import datetime

from vouchers.plan.model import Kind
from vouchers.plan.pricing import Taken
from vouchers.plan.wallet import Count, Offer, VoucherUse, is_entitlement, pick

Units = tuple[tuple[int, int], ...]  # of each unit: its class, the fen covered of it
LaterLevels = tuple[int, tuple[datetime, ...], int, tuple[str, ...]]  # wasted, expiries, vouchers, ids


@dataclass(slots=True)
class Found:
    """A plan as numbers: uses by offer, what stays uncovered, which units each use took, what all took off."""

    key: int
    counts: list[Count]
    uncovered: list[int]
    on_top_fen: int
    fills: list[tuple[Offer, Units]]
    classes: list[list[int]]
    due_fen: int
    taken: list[list[Taken]]
    later_levels: LaterLevels | None = None
    picked: list[tuple[Offer, list[VoucherUse], list[Taken]]] | None = None

    def picks(self) -> list[tuple[Offer, list[VoucherUse], list[Taken]]]:
        """The uses behind the counts, cash vouchers and discounts with what each took, in the order of taking."""
        if self.picked is not None:
            return self.picked
        taken = iter(self.taken)
        picked = []
        for offer, pool, n in self.counts:
            took = [] if is_entitlement(offer) else next(taken)
            uses = pick(offer, pool, n, sum(fen for part in took for _, fen in part))
            if took:
                uses = sorted(uses, key=lambda use: (not use[0].is_prepaid, use[0].id))
            picked.append((offer, uses, took))
        self.picked = picked
        return picked

    def refund_fen(self) -> int:
        return sum(use.refund_fen for _, uses, _ in self.picks() for _, use in uses)

    def levels(self) -> LaterLevels:
        """Levels 3 to 6: wasted, expiries, vouchers, ids."""
        if self.later_levels is None:
            picked = self.picks()
            wasted = sum(
                offer.terms.face_fen - sum(fen for _, fen in part)
                for offer, uses, took in picked
                if offer.terms.kind == Kind.CASH
                for (voucher, _), part in zip(uses, took, strict=True)
                if voucher.is_prepaid
            )
            uses = [voucher for _, used, _ in picked for voucher, _ in used]
            expiries = tuple(sorted(voucher.expires_at for voucher in uses))
            ids = sorted(voucher.id for voucher in uses)
            self.later_levels = (wasted, expiries, len(set(ids)), tuple(ids))
        return self.later_levels

    def is_before(self, other: "Found") -> bool:
        return self.levels() < other.levels() if self.key == other.key else self.key < other.key
