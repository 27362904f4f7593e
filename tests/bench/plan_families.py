"""
Carts and wallets for the plan's benchmark: 30 lines, 100 vouchers, by family and seed.

A menu of 60 products in six categories at ¥9 to ¥33, with sizes and toppings, and a group's order of 30 lines. What a
wallet holds differs by family; each says what it is meant to be hard at.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from vouchers.plan.model import Asked, Choice, Item, Kind, Line, Refusal, Scope, Terms, Use, Voucher

CATEGORIES = ("fruit", "milk", "cheese", "coffee", "ice", "food")
TODAY = datetime(2026, 11, 22, 4, tzinfo=UTC)


@dataclass(frozen=True)
class Product:
    name: str
    category: str
    price_fen: int


@dataclass
class Shop:
    random: Random
    menu: list[Product]
    lines: list[Line]
    vouchers: list[Voucher]
    most: int
    deals: int = 0

    @property
    def room(self) -> int:
        return self.most - len(self.vouchers)

    @property
    def total_fen(self) -> int:
        return sum(line.unit_fen * line.quantity for line in self.lines)

    def issue(self, terms: Terms, copies: int, *, refund_fen: int = 0, uses: tuple[int, int] = (1, 1)) -> None:
        """So many vouchers of the terms, of a few different days; some are ruled out by the verdict."""
        days = [self.random.randint(1, 120) for _ in range(self.random.choice([1, 1, 2, 3]))]
        for _ in range(min(copies, self.room)):
            number = len(self.vouchers)
            self.vouchers.append(
                Voucher(
                    id=f"vch_{self.random.getrandbits(64):016x}{number:03d}",
                    terms=terms,
                    uses=tuple(Use(n, refund_fen) for n in range(1, self.random.randint(*uses) + 1)),
                    expires_at=TODAY + timedelta(days=self.random.choice(days)),
                    is_prepaid=refund_fen > 0,
                    refusal=Refusal("voucher_not_usable_now") if self.random.random() < 0.08 else None,
                )
            )

    def terms(self, kind: Kind, **words: object) -> Terms:
        self.deals += 1
        number = f"{self.random.getrandbits(32):08x}{self.deals:03d}"
        return Terms(id=f"trm_{number}", deal=f"dea_{number}", kind=kind, **words)  # type: ignore[arg-type]

    def scope(self, everything: float = 0.5) -> Scope:
        if self.random.random() < everything:
            return Scope()
        if self.random.random() < 0.7:
            return Scope(
                everything=False, categories=frozenset(self.random.sample(CATEGORIES, self.random.randint(1, 3)))
            )
        return Scope(
            everything=False,
            products=frozenset(p.name for p in self.random.sample(self.menu, self.random.randint(5, 25))),
        )

    def limit(self, none: float = 0.4) -> int | None:
        return None if self.random.random() < none else self.random.choice([1, 1, 2, 3, 5])

    def group(self, share: float = 0.5) -> str:
        """Most vouchers say 不与其他优惠同享, but for those of their own campaign."""
        return self.random.choice(["spring", "member", "live", "bank"]) if self.random.random() < share else ""

    # --- deals ------------------------------------------------------------------------------------

    def sell_cash(self, copies: int) -> None:
        """代金券: ¥10 to ¥100 for 75 to 96 % of it, as bought in a livestream."""
        face = self.random.choice([1_000, 2_000, 3_000, 5_000, 10_000])
        price = face * self.random.randint(75, 96) // 100 // 10 * 10
        terms = self.terms(
            Kind.CASH, face_fen=face, scope=self.scope(0.8), stacking_group=self.group(), max_per_order=self.limit()
        )
        self.issue(terms, copies, refund_fen=price)

    def grant_threshold(self, copies: int) -> None:
        """满减: granted, one an order."""
        spend = self.random.choice([2_000, 3_000, 5_000, 8_000, 10_000, 20_000])
        off = spend * self.random.randint(8, 25) // 100 // 100 * 100
        terms = self.terms(
            Kind.CASH,
            face_fen=off,
            min_spend_fen=spend,
            scope=self.scope(),
            stacking_group=self.group(0.8),
            max_per_order=1,
        )
        self.issue(terms, copies)

    def grant_or_sell_discount(self, copies: int, share_paid: float = 0.3) -> None:
        """折扣券: 95 折 to 半价, mostly capped."""
        rate = self.random.choice([500, 1_000, 1_000, 1_200, 1_500, 2_000, 3_000, 5_000])
        cap = self.random.choice([None, 500, 1_000, 1_500, 2_000, 3_000])
        terms = self.terms(
            Kind.DISCOUNT,
            rate_bps=rate,
            cap_fen=cap,
            scope=self.scope(),
            stacking_group=self.group(0.8),
            max_per_order=1,
        )
        paid = self.random.choice([190, 290, 490, 990]) if self.random.random() < share_paid else 0
        self.issue(terms, copies, refund_fen=paid)

    def sell_card(self, cards: int) -> None:
        """次卡: some uses left at ¥10 to ¥16 each, on a category or two, dearer drinks at a surcharge."""
        item = Item(self.scope(0.2), options=frozenset({"large"}), up_to_fen=self.random.choice([None, 1_800, 2_000]))
        terms = self.terms(Kind.TIMES_CARD, choices=(Choice(1, (item,)),), max_per_order=self.limit(0.7))
        self.issue(terms, cards, refund_fen=self.random.randint(100, 160) * 10, uses=(1, 10))

    def sell_package(self, copies: int) -> None:
        """套餐: two to four cups out of named products or categories, for 70 to 90 % of their price."""
        choices, price = [], 0
        for _ in range(self.random.randint(1, 2)):
            named = self.random.sample(self.menu, self.random.randint(2, 5))
            items = tuple(Item(Scope(everything=False, products=frozenset({p.name}))) for p in named)
            if self.random.random() < 0.3:
                category = frozenset({named[0].category})
                items = (Item(Scope(everything=False, categories=category), count=2, up_to_fen=2_000),)
            choose = self.random.randint(1, min(2, len(items)))
            price += sum(sorted(p.price_fen for p in named)[: 2 if len(items) == 1 else choose])
            choices.append(Choice(choose, items))
        price = price * self.random.randint(70, 90) // 1_000 * 10
        self.issue(
            self.terms(Kind.PACKAGE, choices=tuple(choices), max_per_order=self.limit(0.6)), copies, refund_fen=price
        )


def mixed(shop: Shop) -> None:
    """A keen customer's wallet: every kind, some twenty deals."""
    while shop.room:
        deal = shop.random.choices(
            [shop.sell_cash, shop.grant_threshold, shop.grant_or_sell_discount, shop.sell_card, shop.sell_package],
            [5, 6, 4, 3, 3],
        )[0]
        deal(shop.random.choice([1, 2, 4, 6, 10]))


def overlapping_percents(shop: Shop) -> None:
    """Only discounts, on scopes that overlap, capped or not, granted or bought."""
    while shop.room:
        shop.grant_or_sell_discount(shop.random.choice([1, 2, 4, 8]), share_paid=0.5)


def many_thresholds(shop: Shop) -> None:
    """Thresholds from a cup to the whole cart, and cards and packages that take units from under them."""
    shop.sell_card(1)
    shop.sell_package(shop.random.randint(1, 2))
    while shop.room:
        spend = shop.random.randint(10, 100) * shop.total_fen // 100
        off = max(100, spend * shop.random.randint(3, 20) // 100 // 50 * 50)
        price = off * shop.random.randint(60, 95) // 100 if shop.random.random() < 0.3 else 0
        terms = shop.terms(
            Kind.CASH,
            face_fen=off,
            min_spend_fen=spend,
            scope=shop.scope(0.6),
            stacking_group=shop.group(0.7),
            max_per_order=shop.random.choice([1, 1, 1, 2]),
        )
        shop.issue(terms, shop.random.choice([1, 2, 3]), refund_fen=price)


def package_matching(shop: Shop) -> None:
    """Packages and cards that want the same cups, several times more uses than cups."""
    while shop.room:
        if shop.random.random() < 0.5:
            shop.sell_package(shop.random.choice([4, 8, 12]))
        else:
            shop.sell_card(shop.random.choice([2, 5, 8]))


def identical_vouchers(shop: Shop) -> None:
    """Three to seven deals, bought by the dozen."""
    deals = [
        shop.sell_cash,
        shop.sell_cash,
        shop.grant_threshold,
        shop.grant_or_sell_discount,
        shop.sell_card,
        shop.sell_package,
    ]
    while shop.room:
        shop.random.choice(deals)(shop.random.randint(15, 35))


def adversarial(shop: Shop) -> None:
    """
    Built against branch and bound: cash vouchers with odd faces whose refund values follow their faces to within a
    few fen (a strongly correlated knapsack over crossing scopes, more of them than the cart takes), discounts whose
    odd rates leave remainders, cards whose uses have different refund values and packages across their scopes.
    """
    rate = shop.random.randint(80, 95)
    for _ in range(shop.random.randint(0, 3)):
        terms = shop.terms(
            Kind.DISCOUNT,
            rate_bps=shop.random.randint(101, 1_999),
            cap_fen=shop.random.choice([None, shop.random.randint(501, 4_999)]),
            scope=shop.scope(0.3),
            max_per_order=1,
        )
        shop.issue(terms, 2, refund_fen=shop.random.choice([0, shop.random.randint(101, 1_999)]))
    for _ in range(shop.random.randint(0, 2)):
        shop.sell_card(2)
        shop.sell_package(2)
    while shop.room:
        face = shop.random.randint(501, 4_999)
        terms = shop.terms(Kind.CASH, face_fen=face, scope=shop.scope(0.5))
        shop.issue(terms, shop.random.choice([1, 1, 2, 3]), refund_fen=face * rate // 100 + shop.random.randint(-9, 9))


FAMILIES: dict[str, Callable[[Shop], None]] = {
    "mixed": mixed,
    "overlapping_percents": overlapping_percents,
    "many_thresholds": many_thresholds,
    "package_matching": package_matching,
    "identical_vouchers": identical_vouchers,
    "adversarial": adversarial,
}


def instances(
    family: str, count: int, *, lines: int = 30, vouchers: int = 100
) -> Iterator[tuple[list[Line], list[Voucher]]]:
    """The family's first ``count`` carts and wallets, the same in every run."""
    for number in range(count):
        random = Random(f"{family} {number}")
        menu = [
            Product(
                f"prd_{n:02d}",
                CATEGORIES[n % len(CATEGORIES)],
                random.randint(9, 33) * 100 - random.choice([0, 0, 0, 10]),
            )
            for n in range(60)
        ]
        shop = Shop(random, menu, [_line(random, n, random.choice(menu)) for n in range(lines)], [], vouchers)
        FAMILIES[family](shop)
        random.shuffle(shop.vouchers)
        yield shop.lines, shop.vouchers


def _line(random: Random, number: int, product: Product) -> Line:
    options = {
        option: fen
        for option, fen, share in (("large", 300, 0.4), ("pearls", 200, 0.25), ("cheese", 400, 0.15))
        if random.random() < share
    }
    return Line(
        id=f"line_{number:02d}",
        product=product.name,
        category=product.category,
        unit_fen=product.price_fen + sum(options.values()),
        quantity=random.choice([1, 1, 1, 2, 3]),
        asked=tuple(Asked({option: fen}, frozenset({option})) for option, fen in options.items()),
    )
