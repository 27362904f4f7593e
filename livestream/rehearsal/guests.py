"""Who comes to the stores in the week after the livestream, when, where, and what they would like to drink."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from livestream.rehearsal.shopfront import DRINKS
from orders.services.quoting import CartLine
from stores.models import Option, Product, Store

DAYS = 7
FIRST_DAY = {11: 8, 12: 20, 13: 14, 15: 8, 17: 11, 18: 19, 19: 14, 20: 6}
"""Of a hundred, by the hour: a noon peak and a longer evening one."""
OTHER_DAYS = {12: 45, 18: 55}
FIRST_DAYS_SHARE = 0.4
CANCELLING_SHARE = 0.05
COLLECTING_SHARE = 0.98
SOLD_OUT_SHARE = 0.03

SCARCE = "grape"
INSTEAD = "lime"
SCARCE_SHARE = 0.15
CUPS = ((1, 55), (2, 30), (3, 15))
LARGE_SHARE = 0.25
PEARLS_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Cup:
    """A drink by the menu's codes."""

    drink: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guest:
    """A customer who orders by herself; whether she changes her mind, and whether she fetches what she ordered."""

    customer_id: UUID
    store: Store
    cups: tuple[Cup, ...]
    cancels: bool
    collects: bool

    @property
    def wants_scarce(self) -> bool:
        return any(cup.drink == SCARCE for cup in self.cups)

    def content_with(self, drink: str) -> "Guest":
        """She, with another drink in the place of the one that is sold out."""
        cups = tuple(replace(cup, drink=drink) if cup.drink == SCARCE else cup for cup in self.cups)
        return replace(self, cups=cups)


@dataclass(frozen=True)
class Menu:
    """The ids behind the codes of the rehearsal's menu."""

    products: dict[str, UUID]
    options: dict[str, UUID]

    def lines(self, guest: Guest) -> list[CartLine]:
        """Her cart; alike cups are one line."""
        return [
            CartLine(self.products[cup.drink], tuple(self.options[code] for code in cup.options), quantity)
            for cup, quantity in Counter(guest.cups).items()
        ]


def menu_of(brand_id: UUID) -> Menu:
    return Menu(
        dict(Product.objects.filter(brand_id=brand_id).values_list("code", "id")),
        dict(Option.objects.filter(group__brand_id=brand_id).values_list("code", "id")),
    )


def guests(customers: Sequence[UUID], stores: Sequence[Store], luck: Random) -> list[Guest]:
    """What each of them will want and do."""
    changing_their_minds = set(luck.sample(customers, round(len(customers) * CANCELLING_SHARE)))
    return [
        Guest(
            customer_id,
            luck.choice(stores),
            _cups(luck),
            cancels=customer_id in changing_their_minds,
            collects=luck.random() < COLLECTING_SHARE,
        )
        for customer_id in customers
    ]


def supplies(guests: Sequence[Guest], luck: Random) -> Counter[UUID]:
    """How many of the scarce drink each store gets, so that a few who want it come too late."""
    wanted = [one.store.id for one in guests if one.wants_scarce]
    late = luck.sample(wanted, min(len(wanted), max(1, round(len(guests) * SOLD_OUT_SHARE))))
    return Counter(wanted) - Counter(late)


def hours_of_the_week(last_day: date, zone: str) -> list[tuple[datetime, float]]:
    """When people come, with the share of the week's orders: its first day by the hour, the others at the peaks."""
    hours = []
    for back in range(DAYS, 0, -1):
        shares = FIRST_DAY if back == DAYS else OTHER_DAYS
        of_the_day = FIRST_DAYS_SHARE if back == DAYS else (1 - FIRST_DAYS_SHARE) / (DAYS - 1)
        for hour, share in shares.items():
            local = datetime.combine(last_day - timedelta(days=back), time(hour, 5), ZoneInfo(zone))
            hours.append((local.astimezone(UTC), of_the_day * share / sum(shares.values())))
    return hours


def _cups(luck: Random) -> tuple[Cup, ...]:
    (count,) = luck.choices([cups for cups, _ in CUPS], [share for _, share in CUPS])
    usual = [code for code, *_ in DRINKS if code != SCARCE]
    cups = [Cup(luck.choice(usual), _options(luck)) for _ in range(count)]
    return (replace(cups[0], drink=SCARCE), *cups[1:]) if luck.random() < SCARCE_SHARE else tuple(cups)


def _options(luck: Random) -> tuple[str, ...]:
    large, pearls = luck.random() < LARGE_SHARE, luck.random() < PEARLS_SHARE
    return (("large",) if large else ()) + (("pearls",) if pearls else ())
