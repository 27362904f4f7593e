"""What each household held on a day, and what the coupons are taken to be worth: the trace does not say."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from pathlib import Path
from random import Random
from statistics import median

from orders.management.carts.sample import Cart
from orders.management.replaying.trace import Campaign, NoTrace, Trace
from vouchers.plan.model import Choice, Item, Kind, Scope, Terms, Use, Voucher

SEED = 20_17
UNSEEN_FEN = 300
"""The price of products that are in no basket: only their coupon's face follows from it."""

RULE = (
    "by a hash of campaign, coupon and seed, with m the median price of the coupon's products: "
    "50 % take 20 to 80 % of m off (two in five of them from 2, 3 or 5 times that on), "
    "25 % are 10 to 50 % off (half of them at most 2 m), 15 % are one unit free, 10 % two units free one by one, "
    "up to 2 m each; two in five were paid for and give 50 to 90 % back, the others were given; "
    "three in ten combine only with those of their campaign"
)


@dataclass(frozen=True)
class Wallets:
    """The household's coupons of every campaign it was granted, on the days of that campaign, until it used them."""

    campaigns: dict[str, list[Campaign]]
    vouchers: dict[tuple[str, str], Voucher]
    products: dict[str, frozenset[str]]
    used: dict[str, list[tuple[date, str, str]]]

    def of(self, cart: Cart) -> list[Voucher]:
        gone = {(campaign, coupon) for day, campaign, coupon in self.used.get(cart.household, ()) if day < cart.day}
        return [
            self.vouchers[campaign.name, coupon]
            for campaign in self.campaigns.get(cart.household, ())
            if campaign.first_day <= cart.day <= campaign.last_day
            for coupon in campaign.coupons
            if (campaign.name, coupon) not in gone
        ]

    def eligible(self, cart: Cart, vouchers: Iterable[Voucher]) -> list[Voucher]:
        """Those whose products are in the cart."""
        bought = {line.product for line in cart.lines}
        return [voucher for voucher in vouchers if not bought.isdisjoint(self.products[voucher.id])]


def wallets_of(trace: Trace, directory: Path, carts: Iterable[Cart]) -> Wallets:
    """
    Every household's wallet; coupons are worth what ``RULE`` says of the prices in ``carts``.

    Raises:
        NoTrace: the coupons' products cannot be read.
    """
    prices, products = _prices(carts), _products(directory)
    held, used = defaultdict[str, list[Campaign]](list), defaultdict[str, list[tuple[date, str, str]]](list)
    vouchers, scopes = dict[tuple[str, str], Voucher](), dict[str, frozenset[str]]()
    for campaign in trace.campaigns:
        for household in campaign.households:
            held[household].append(campaign)
        for coupon in campaign.coupons:
            names = products[campaign.name, coupon]
            seen = [prices[name] for name in names if name in prices]
            typical_fen = int(median(seen)) if seen else UNSEEN_FEN
            worth = _worth(campaign, coupon, frozenset(names), typical_fen)
            vouchers[campaign.name, coupon], scopes[worth.id] = worth, frozenset(names)
    for use in trace.uses:
        used[use.household].append((use.day, use.campaign, use.coupon))
    return Wallets(dict(held), vouchers, scopes, dict(used))


def _worth(campaign: Campaign, coupon: str, products: frozenset[str], typical_fen: int) -> Voucher:
    name = f"{campaign.name}-{coupon}"
    random = Random(int.from_bytes(blake2b(f"{SEED}:{name}".encode(), digest_size=8).digest()))  # noqa: S311 - no secret
    scope = Scope(everything=False, products=products)
    group = f"campaign-{campaign.name}" if random.random() < 0.3 else ""
    value_fen, uses = max(10, int(typical_fen * random.uniform(0.2, 0.8))), 1
    roll = random.random()
    if roll < 0.5:
        min_spend = value_fen * random.choice([2, 3, 5]) if random.random() < 0.4 else 0
        terms = Terms(
            name, name, Kind.CASH, face_fen=value_fen, min_spend_fen=min_spend, scope=scope, stacking_group=group
        )
    elif roll < 0.75:
        cap = 2 * typical_fen if random.random() < 0.5 else None
        rate = random.randrange(1_000, 5_001, 500)
        terms = Terms(name, name, Kind.DISCOUNT, rate_bps=rate, cap_fen=cap, scope=scope, stacking_group=group)
    else:
        kind, uses = (Kind.PACKAGE, 1) if roll < 0.9 else (Kind.TIMES_CARD, 2)
        free = (Choice(1, (Item(scope, up_to_fen=2 * typical_fen),)),)
        terms = Terms(name, name, kind, choices=free, stacking_group=group)
    was_paid = random.random() < 0.4
    refund_fen = int(value_fen * random.uniform(0.5, 0.9)) if was_paid else 0
    expires_at = datetime.combine(campaign.last_day + timedelta(days=1), time(), UTC)
    return Voucher(name, terms, tuple(Use(n, refund_fen) for n in range(1, uses + 1)), expires_at, was_paid)


def _prices(carts: Iterable[Cart]) -> dict[str, int]:
    seen = defaultdict[str, list[int]](list)
    for cart in carts:
        for line in cart.lines:
            seen[line.product].append(line.unit_fen)
    return {product: int(median(fen)) for product, fen in seen.items()}


def _products(directory: Path) -> dict[tuple[str, str], set[str]]:
    found = defaultdict[tuple[str, str], set[str]](set)
    try:
        with gzip.open(directory / "coupons.csv.gz", "rt", encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                found[row["campaign_id"], row["coupon_upc"]].add(row["product_id"])
    except (OSError, KeyError, EOFError) as error:
        raise NoTrace(f"{directory}: {error}") from error
    return found
