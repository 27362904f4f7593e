"""The sample of baskets as it lies on disk, row by row: what becomes a cart, and what does not and why."""

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from config.kernel.money import split_fen
from orders.management.replaying.trace import NoTrace
from vouchers.plan.model import Line

MOST_UNITS = 99
MOST_LINES = 50
"""As at checkout."""


@dataclass(frozen=True)
class Cart:
    """What one household bought at one store, at once or, joined, within one week."""

    household: str
    store: str
    day: date
    lines: tuple[Line, ...]


@dataclass
class Baskets:
    """
    Every row of the sample is in a line of a basket or counted in ``refused`` under its reason; of the ``named``
    baskets those with a row left became carts.
    """

    rows: int = 0
    named: int = 0
    carts: list[Cart] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def read(directory: Path) -> Baskets:
    """
    The baskets of ``transactions_sample.csv.gz``; a cent is taken for a fen.

    A line's price is what the till asked before coupons: ``sales_value`` + ``coupon_match_disc``, loyalty prices kept.
    Where it is not a multiple of its quantity the line becomes two, a fen apart.

    Raises:
        NoTrace: a file is missing, or is not what it should be.
    """
    baskets, open_carts = Baskets(), defaultdict[tuple[str, str, str, date], list[Line]](list)
    named = set[str]()
    try:
        categories = {row["product_id"]: row["product_category"] for row in _rows(directory / "products.csv.gz")}
        for row in _rows(directory / "transactions_sample.csv.gz"):
            baskets.rows += 1
            named.add(row["basket_id"])
            day = datetime.fromisoformat(row["transaction_timestamp"]).date()
            fen = int((Decimal(row["sales_value"]) + Decimal(row["coupon_match_disc"])) * 100)
            quantity = int(row["quantity"])
            if reason := _refusal(fen, quantity):
                baskets.refused[reason] += 1
                continue
            lines = open_carts[row["basket_id"], row["household_id"], row["store_id"], day]
            lines += _lines(row["product_id"], categories.get(row["product_id"], ""), fen, quantity, len(lines))
    except (OSError, KeyError, ValueError, EOFError, ArithmeticError) as error:
        raise NoTrace(f"{directory}: {error}") from error
    baskets.named = len(named)
    for (_, household, store, day), found in sorted(open_carts.items()):
        baskets.carts.append(Cart(household, store, day, tuple(found)))
    return baskets


def joined_by_week(carts: Sequence[Cart]) -> list[Cart]:
    """All a household bought at a store in a calendar week, as one cart of the last such day."""
    weeks = defaultdict[tuple[str, str, int, int], list[Cart]](list)
    for cart in carts:
        year, week, _ = cart.day.isocalendar()
        weeks[cart.household, cart.store, year, week].append(cart)
    return [
        Cart(household, store, max(cart.day for cart in one), _merged(one))
        for (household, store, _, _), one in sorted(weeks.items())
    ]


def _merged(carts: Sequence[Cart]) -> tuple[Line, ...]:
    """The same product at the same price is one line."""
    units = Counter[tuple[str, str, int]]()
    for cart in carts:
        for line in cart.lines:
            units[line.product, line.category, line.unit_fen] += line.quantity
    return tuple(
        Line(str(place), product, category, fen, quantity)
        for place, ((product, category, fen), quantity) in enumerate(sorted(units.items()))
    )


def _refusal(fen: int, quantity: int) -> str | None:
    if quantity < 1:
        return "no quantity"
    if quantity > MOST_UNITS:
        return f"more than {MOST_UNITS} units: weighed or poured"
    if fen < quantity:
        return "costs nothing"
    return None


def _lines(product: str, category: str, fen: int, quantity: int, place: int) -> list[Line]:
    prices = Counter(split_fen(fen, [1] * quantity))
    return [
        Line(str(place + number), product, category, unit_fen, units)
        for number, (unit_fen, units) in enumerate(sorted(prices.items()))
    ]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)
