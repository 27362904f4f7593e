"""What one unit of an offer or a grant becomes: a voucher of the terms themselves, or a bundle's children."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from config.kernel.ids import parse
from config.kernel.money import split_fen
from vouchers.models import Deal, DealTerms, Recall
from vouchers.queries.frozen_terms import terms


@dataclass(frozen=True, slots=True)
class Part:
    """One voucher of a unit: its terms, and what of the unit's price was paid for it and for each of its uses."""

    terms_id: UUID
    paid_fen: int
    use_fen: tuple[int, ...]


# Terms and their children are written once, so what is remembered is never stale.
_units: dict[UUID, tuple[UUID, ...]] = {}


def units(ids: Iterable[UUID]) -> Mapping[UUID, tuple[UUID, ...]]:
    """The terms of each voucher of a unit of these terms, in the order of their ordinals."""
    wanted = set(ids)
    if missing := wanted - _units.keys():
        kinds = {one.id: one.kind for one in terms(missing).values()}
        _units.update({one: (one,) for one, kind in kinds.items() if kind != Deal.Kind.BUNDLE})
        for row in DealTerms.objects.filter(id__in=[one for one, kind in kinds.items() if kind == Deal.Kind.BUNDLE]):
            _units[row.id] = tuple(
                parse(DealTerms.PREFIX, child["terms"]) for child in row.bundle_children for _ in range(child["count"])
            )
    return {one: _units[one] for one in wanted if one in _units}


@lru_cache(maxsize=4_096)
def parts(terms_id: UUID, price_fen: int) -> tuple[Part, ...]:
    """
    A unit's vouchers with the price split over them by their list prices, and over their uses likewise.

    Largest remainder both times, so the parts sum to the price: ``money.split_fen``.
    """
    children = units([terms_id])[terms_id]
    known = terms(set(children))
    paid = split_fen(price_fen, [sum(known[one].use_list_fen) for one in children])
    return tuple(
        Part(one, paid_fen, tuple(split_fen(paid_fen, known[one].use_list_fen)))
        for one, paid_fen in zip(children, paid, strict=True)
    )


def ends_at(terms_id: UUID) -> datetime | None:
    """When the first voucher of a unit ends, amendments included; None where days are counted."""
    ends = (one.until_now for one in terms(set(units([terms_id])[terms_id])).values())
    return min((end for end in ends if end is not None), default=None)


def is_recalled(terms_id: UUID) -> bool:
    """Whether a voucher of a unit is one that nobody can honour any more."""
    return Recall.objects.filter(terms_id__in={terms_id, *units([terms_id])[terms_id]}).exists()


@dataclass(frozen=True, slots=True)
class PartShown:
    """``count`` vouchers of a unit that are alike: what refunding an unused use of each gives back."""

    title: str
    kind: str
    count: int
    use_fen: tuple[int, ...]


def parts_shown(terms_id: UUID, price_fen: int) -> list[PartShown]:
    """A unit's parts as a buyer sees them before she buys, those that are alike together, in their order."""
    alike = Counter((part.terms_id, part.use_fen) for part in parts(terms_id, price_fen))
    known = terms({one for one, _ in alike}, revisions={})  # titles and kinds are never amended
    return [PartShown(known[one].title, known[one].kind, count, use_fen) for (one, use_fen), count in alike.items()]
