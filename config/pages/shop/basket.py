"""The cart of this browser, kept in its session: what she picked, where, and the key that makes it one order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from config.kernel.ids import parse, public
from config.pages.shop.frame import Visit
from orders.services.quoting import MOST_LINES, MOST_UNITS, CartLine
from stores.models import Option, Product, Store
from vouchers.models import Voucher

PLACE = "shop.place"


@dataclass
class Line:
    """``id`` stays with the line while others come and go, so a tap on an old page hits the right one."""

    id: str
    product_id: UUID
    option_ids: tuple[UUID, ...]
    quantity: int

    @property
    def wanted(self) -> CartLine:
        return CartLine(self.product_id, self.option_ids, self.quantity)


@dataclass
class Basket:
    """
    ``use`` are vouchers she wants in, ``leave`` those she wants left out; ``pick_up_at`` is None for as soon
    as possible; ``key`` is good for one order.
    """

    store_id: UUID | None = None
    lines: list[Line] = field(default_factory=list)
    use: list[UUID] = field(default_factory=list)
    leave: list[UUID] = field(default_factory=list)
    pick_up_at: datetime | None = None
    key: str = field(default_factory=lambda: str(uuid4()))

    @property
    def wanted(self) -> list[CartLine]:
        return [line.wanted for line in self.lines]

    @property
    def count(self) -> int:
        return sum(line.quantity for line in self.lines)

    def add(self, product_id: UUID, option_ids: Sequence[UUID], quantity: int = 1) -> None:
        """One more of it: on the line that has the same answers, or on a new one."""
        answers = tuple(sorted(option_ids))
        for line in self.lines:
            if (line.product_id, tuple(sorted(line.option_ids))) == (product_id, answers):
                line.quantity = min(line.quantity + quantity, MOST_UNITS)
                return
        if len(self.lines) < MOST_LINES:
            self.lines.append(Line(uuid4().hex[:8], product_id, answers, quantity))

    def set_quantity(self, line_id: str, quantity: int) -> None:
        """To a number and not by one, so that a tap that comes twice counts once; none takes the line away."""
        for line in self.lines:
            if line.id == line_id:
                line.quantity = max(0, min(quantity, MOST_UNITS))
        self.lines = [line for line in self.lines if line.quantity]


def basket_of(visit: Visit) -> Basket:
    kept = visit.request.session.get(_name(visit))
    if not kept:
        return Basket()
    return Basket(
        store_id=parse(Store.PREFIX, kept["store"]) if kept["store"] else None,
        lines=[
            Line(line_id, parse(Product.PREFIX, product), tuple(parse(Option.PREFIX, one) for one in options), quantity)
            for line_id, product, options, quantity in kept["lines"]
        ],
        use=[parse(Voucher.PREFIX, one) for one in kept["use"]],
        leave=[parse(Voucher.PREFIX, one) for one in kept["leave"]],
        pick_up_at=datetime.fromisoformat(kept["pick_up_at"]) if kept.get("pick_up_at") else None,
        key=kept["key"],
    )


def keep(visit: Visit, basket: Basket) -> None:
    visit.request.session[_name(visit)] = {
        "store": public(Store.PREFIX, basket.store_id) if basket.store_id else "",
        "lines": [
            [
                line.id,
                public(Product.PREFIX, line.product_id),
                [public(Option.PREFIX, one) for one in line.option_ids],
                line.quantity,
            ]
            for line in basket.lines
        ],
        "use": [public(Voucher.PREFIX, one) for one in basket.use],
        "leave": [public(Voucher.PREFIX, one) for one in basket.leave],
        "pick_up_at": basket.pick_up_at.isoformat() if basket.pick_up_at else "",
        "key": basket.key,
    }


def empty(visit: Visit, basket: Basket) -> None:
    """After an order: the store stays, the rest begins anew, and so does the key."""
    keep(visit, Basket(store_id=basket.store_id))


def place_of(visit: Visit) -> tuple[float, float] | None:
    """Where she said she is, in this session."""
    kept = visit.request.session.get(PLACE)
    return (float(kept[0]), float(kept[1])) if kept else None


def keep_place(visit: Visit) -> tuple[float, float] | None:
    """The place that the form brought, to ten metres or so; None where it brought none, or rubbish."""
    form = visit.request.POST
    try:
        latitude, longitude = float(form.get("latitude", "")), float(form.get("longitude", ""))
    except ValueError:
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):  # NaN is neither
        return None
    visit.request.session[PLACE] = [round(latitude, 4), round(longitude, 4)]
    return place_of(visit)


def _name(visit: Visit) -> str:
    return f"shop.basket.{visit.brand.id.hex}"
