"""Random small carts and wallets, all kinds mixed, small enough for plain enumeration."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import strategies as st

from vouchers.plan.model import Asked, Choice, Item, Kind, Line, Refusal, Scope, Terms, Use, Voucher

DAY_ONE = datetime(2026, 11, 22, tzinfo=UTC)
PRODUCTS = {"tea": "drinks", "milk": "drinks", "cake": "food"}
SCOPES = [
    Scope(),
    Scope(),
    Scope(everything=False, categories=frozenset({"drinks"})),
    Scope(everything=False, products=frozenset({"milk", "cake"})),
    Scope(except_products=frozenset({"tea"})),
]
PEARLS = Asked({"pearls": 2, "cheese": 3}, frozenset({"pearls"}))
LESS = Asked({"less": -1}, frozenset({"less"}))
SIZE_FEN = {"small": -1, "large": 3, "huge": 7}
SIZES = [(Asked(SIZE_FEN, frozenset({size}), frozenset({"small"}), takes_one=True),) for size in SIZE_FEN]
MOST_WAYS = 40_000  # of covering units: what the oracle still enumerates in a moment


@dataclass(frozen=True)
class Case:
    lines: list[Line]
    vouchers: list[Voucher]
    forced: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()


# Drawn from a seed: Hypothesis' own draws favour the smallest case, and there nothing competes.
cases = st.integers(0, 2**32 - 1).map(lambda seed: case_of(Random(seed)))


def case_of(random: Random) -> Case:
    lines = [_line(random, i) for i in range(random.choice([1, 2, 3, 3, 4, 4]))]
    promised = [_terms(random, i) for i in range(random.choice([1, 2, 3, 4, 4, 5]))]
    vouchers = [_voucher(random, i, random.choice(promised)) for i in range(random.choice([1, 2, 4, 5, 6, 7]))]
    while _ways(lines, vouchers) > MOST_WAYS:
        vouchers.pop()
    ids = [v.id for v in vouchers]
    forced = frozenset(random.sample(ids, min(len(ids), random.choice([0, 0, 1, 2]))))
    excluded = frozenset(random.sample(ids, min(len(ids), random.choice([0, 0, 0, 1])))) - forced
    return Case(lines, vouchers, forced, excluded)


def _line(random: Random, number: int) -> Line:
    product = random.choice(sorted(PRODUCTS))
    return Line(
        id=f"l{number}",
        product=product,
        category=PRODUCTS[product],
        unit_fen=random.choice([0, 7, 10, 10, 19, 20, 20, 33, 33, 101]),
        quantity=random.choice([1, 1, 2]),
        asked=(*random.choice([(), (), (PEARLS,), (PEARLS, LESS)]), *random.choice([(), *SIZES])),
    )


def _item(random: Random) -> Item:
    return Item(
        scope=random.choice(SCOPES),
        count=random.choice([1, 1, 1, 2]),
        options=frozenset(random.choice([(), ("pearls",), ("large",), ("small", "large"), ("pearls", "small")])),
        up_to_fen=random.choice([None, None, 10, 18]),
    )


def _choices(random: Random, kind: Kind) -> tuple[Choice, ...]:
    if kind == Kind.TIMES_CARD and random.random() < 0.8:
        item = _item(random)
        return (Choice(1, (Item(item.scope, 1, item.options, item.up_to_fen),)),)
    choices = []
    for _ in range(random.choice([1, 1, 2])):
        items = tuple(_item(random) for _ in range(random.randint(1, 3)))
        choices.append(Choice(random.randint(1, min(2, len(items))), items))
    return tuple(choices)


def _terms(random: Random, number: int) -> Terms:
    kind = random.choice([Kind.CASH, Kind.CASH, Kind.DISCOUNT, Kind.DISCOUNT, Kind.PACKAGE, Kind.TIMES_CARD])
    is_cash, is_discount = kind == Kind.CASH, kind == Kind.DISCOUNT
    return Terms(
        id=f"t{number}",
        deal=random.choice([f"d{number}", f"d{number}", "shared"]),
        kind=kind,
        face_fen=random.choice([1, 5, 9, 10, 25]) if is_cash else 0,
        rate_bps=random.choice([500, 1_250, 3_333, 5_000, 10_000]) if is_discount else 0,
        cap_fen=random.choice([None, None, 1, 3, 8]) if is_discount else None,
        min_spend_fen=random.choice([0, 0, 0, 0, 20, 40]),
        scope=random.choice(SCOPES),
        choices=() if is_cash or is_discount else _choices(random, kind),
        stacking_group=random.choice(["", "", "", "", "a", "b"]),
        max_per_order=random.choice([None, None, None, 1, 2]),
    )


def _voucher(random: Random, number: int, terms: Terms) -> Voucher:
    uses = random.choice([1, 2, 2, 3]) if terms.kind == Kind.TIMES_CARD else 1
    refunds = random.choice([[0], [0], [0, 4, 8], [4, 8, 16]])
    return Voucher(
        id=f"v{number}",
        terms=terms,
        uses=tuple(Use(serial + 1, random.choice(refunds)) for serial in range(uses)),
        expires_at=DAY_ONE + timedelta(days=random.randint(1, 3)),
        is_prepaid=random.random() < 0.5,
        refusal=random.choice([None] * 11 + [Refusal("wrong_store")]),
    )


def _ways(lines: list[Line], vouchers: list[Voucher]) -> int:
    """Roughly how many ways to use and cover there are."""
    ways = 1
    for voucher in vouchers:
        slots = sum(choice.choose * max(i.count for i in choice.items) for choice in voucher.terms.choices)
        ways *= (1 + len(lines) ** slots) ** len(voucher.uses) if slots else 2
    return ways
