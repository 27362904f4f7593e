"""Products a store keeps count of, and what is promised of them."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from config.kernel.caller import Caller, CallerKind
from config.kernel.pipeline import pipelined
from stores.business_days import business_date
from stores.models import MaterialUse, Option, Product, StockMode, StockReservation, Store
from stores.services import consuming, recipes, stock, stock_keeping
from stores.services.consuming import Cups
from stores.services.recipes import RecipeSaid
from stores.services.stock_books import Asked, StockLine
from stores.services.stock_keeping import StockRule
from tests import factories
from tests.factories import NOW

MANAGER = Caller(kind=CallerKind.STAFF, id=uuid4())


def keep(store: Store, mode: str, *, product: Product | None = None, units: int = 10) -> Product:
    """A product kept in ``mode`` with ``units`` of it."""
    product = product or factories.product(store.brand)
    rule = StockRule(
        StockMode(mode),
        daily_limit=units if mode == "daily_limit" else None,
        on_hand=units if mode == "counted" else None,
    )
    stock_keeping.keep(store_id=store.id, product_id=product.id, rule=rule, by=MANAGER, at=NOW)
    return product


def made_of(store: Store, product: Product, quantity: int = 200, *, at: datetime = NOW) -> Product:
    """The material, counted at the store, of which one of ``product`` takes so many millilitres."""
    material = keep(store, "counted", product=factories.material(store.brand), units=1_000)
    recipes.replace(product_id=product.id, lines=[RecipeSaid(material.id, quantity)], by=MANAGER, at=at)
    return material


def asked(store: Store, lines: dict[Product, int], **fields: Any) -> Asked:
    """What a manager of the store says about these products."""
    said = [StockLine(product.id, quantity) for product, quantity in lines.items()]
    plain: dict[str, Any] = {"request_id": uuid4(), "by": MANAGER, "at": NOW}
    return Asked(store.id, said, **{**plain, **fields})


def reserve(store: Store, quantities: dict[Product, int], *, order_id: UUID | None = None) -> UUID:
    """Promised to one order, whose id comes back."""
    order_id = order_id or uuid4()
    with transaction.atomic():
        stock.reserve(
            store_id=store.id,
            business_date=business_date(hours=store.hours, zone=store.zone, at=NOW),
            quantities={product.id: count for product, count in quantities.items()},
            source_kind=StockReservation.Source.STORE_ORDER,
            source_id=order_id,
            at=NOW,
        )
    return order_id


def make(order_id: UUID, *, at: datetime = NOW) -> None:
    """The order is ready."""
    with transaction.atomic():
        stock.make(source_kind=StockReservation.Source.STORE_ORDER, source_id=order_id, at=at)


def give_back(order_id: UUID) -> int:
    with transaction.atomic():
        return stock.give_back(source_kind=StockReservation.Source.STORE_ORDER, source_ids=[order_id], at=NOW)


def cups(store: Store, product: Product, count: int = 1, *options: Option, at: datetime = NOW) -> UUID:
    """Cups of one order that were made, whose id comes back."""
    order_id = uuid4()
    with transaction.atomic(), pipelined() as send:
        consuming.send_made(
            send,
            store_id=store.id,
            business_date=business_date(hours=store.hours, zone=store.zone, at=at),
            cups=[Cups(product.id, count, [option.id for option in options])],
            source_kind=MaterialUse.Source.STORE_ORDER,
            source_id=order_id,
            at=at,
        )
    return order_id
