"""How an invariant is written: facts in SQL, and what must hold of every one of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Check:
    """
    ``facts`` is a SELECT; each of ``rules`` names a condition on its columns that is true of every row.

    Tables that a slice narrows are written ``{purchases}``, ``{vouchers}``, … (``slices.TABLES``).
    Null counts as broken: what cannot be compared does not agree. ``figures`` are aggregates to print.
    A check that must see every row of a table is not for slices.
    """

    name: str
    facts: str
    rules: Mapping[str, str]
    figures: Mapping[str, str] = field(default_factory=dict)
    in_slices: bool = True


@dataclass(frozen=True)
class Invariant:
    """One line of docs/ledger.md's list, with the checks that make it up."""

    number: str
    says: str
    checks: tuple[Check, ...]
