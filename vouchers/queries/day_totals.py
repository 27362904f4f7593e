"""What a store redeemed on a business day, summed by deal and by the people who did it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum

from vouchers.models import Redemption


@dataclass(frozen=True, slots=True)
class Total:
    """``count`` uses stand, ``undone`` were taken back; ``amount_fen`` is what was paid for those that stand."""

    name: str
    count: int
    undone: int
    amount_fen: int
    operator_id: UUID | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DayTotals:
    whole: Total
    deals: tuple[Total, ...]
    clerks: tuple[Total, ...]


def totals_of(redemptions: QuerySet[Redemption]) -> DayTotals:
    """Sums over some redemptions, three statements; a clerk's name is empty where a customer or a program did it."""
    stands = Q(reversed_at__isnull=True)
    sums = {
        "count": Count("id", filter=stands),
        "undone": Count("id", filter=~stands),
        "amount_fen": Sum("amount_fen", filter=stands),
    }
    when = {"first_at": Min("redeemed_at"), "last_at": Max("redeemed_at")}
    rows = redemptions.select_related(None).order_by()
    deals = rows.values(name=F("voucher__terms__title")).annotate(**sums)
    who = ("request__operator_id", "request__operator__display_name", "request__operator__username")
    clerks = rows.values(*who).annotate(**sums, **when)
    whole = rows.aggregate(**sums)
    return DayTotals(
        whole=Total("", whole["count"], whole["undone"], whole["amount_fen"] or 0),
        deals=_totals((row["name"], row) for row in deals),
        clerks=_totals(
            (row["request__operator__display_name"] or row["request__operator__username"] or "", row) for row in clerks
        ),
    )


def _totals(rows: Iterable[tuple[Any, Any]]) -> tuple[Total, ...]:
    """Most first."""
    totals = [
        Total(
            name=name,
            count=row["count"],
            undone=row["undone"],
            amount_fen=row["amount_fen"] or 0,
            operator_id=row.get("request__operator_id"),
            first_at=row.get("first_at"),
            last_at=row.get("last_at"),
        )
        for name, row in rows
    ]
    return tuple(sorted(totals, key=lambda total: (-total.count, -total.undone, total.name)))
