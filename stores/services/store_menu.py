"""Where one store differs from its brand's menu: sold out, back again, or at its own price."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import Caller
from stores.errors import OptionNotFound, ProductNotFound, StoreNotFound
from stores.models import Option, Product, Store, StoreOption, StoreProduct
from stores.services import trail


def sell_out_product(*, store_id: UUID, product_id: UUID, by: Caller, at: datetime) -> None:
    """
    Nobody orders the product here until it is back. Repeating changes nothing.

    Raises:
        StoreNotFound, ProductNotFound: as they say; another brand's product is none.
    """
    _change_product(store_id, product_id, {"sold_out_at": at}, act="product.sold_out", by=by, at=at)


def product_is_back(*, store_id: UUID, product_id: UUID, by: Caller, at: datetime) -> None:
    """
    The product is there again. Repeating changes nothing.

    Raises:
        StoreNotFound, ProductNotFound: as they say.
    """
    _change_product(store_id, product_id, {"sold_out_at": None}, act="product.back", by=by, at=at)


def price_product_here(*, store_id: UUID, product_id: UUID, price_fen: int | None, by: Caller, at: datetime) -> None:
    """
    The product's own price at this store; None is the brand's again.

    Raises:
        StoreNotFound, ProductNotFound: as they say.
    """
    _change_product(store_id, product_id, {"price_fen": price_fen}, act="product.priced_here", by=by, at=at)


def sell_out_option(*, store_id: UUID, option_id: UUID, by: Caller, at: datetime) -> None:
    """
    Nobody chooses the option here until it is back, whatever the drink. Repeating changes nothing.

    Raises:
        StoreNotFound, OptionNotFound: as they say; another brand's option is none.
    """
    _change_option(store_id, option_id, {"sold_out_at": at}, act="option.sold_out", by=by, at=at)


def option_is_back(*, store_id: UUID, option_id: UUID, by: Caller, at: datetime) -> None:
    """
    The option is there again. Repeating changes nothing.

    Raises:
        StoreNotFound, OptionNotFound: as they say.
    """
    _change_option(store_id, option_id, {"sold_out_at": None}, act="option.back", by=by, at=at)


def price_option_here(
    *, store_id: UUID, option_id: UUID, price_delta_fen: int | None, by: Caller, at: datetime
) -> None:
    """
    What the option adds at this store; None is the brand's again.

    Raises:
        StoreNotFound, OptionNotFound: as they say.
    """
    _change_option(store_id, option_id, {"price_delta_fen": price_delta_fen}, act="option.priced_here", by=by, at=at)


def _change_product(
    store_id: UUID, product_id: UUID, said: dict[str, Any], *, act: str, by: Caller, at: datetime
) -> None:
    with transaction.atomic(durable=True):
        store = _lock(store_id)
        product = Product.objects.filter(id=product_id, brand_id=store.brand_id, unit=Product.Unit.NONE).first()
        if product is None:
            raise ProductNotFound
        row = StoreProduct.objects.filter(store=store, product=product).first()
        if _say(row or StoreProduct(store=store, product=product), said):
            _leave(act, product, store, said, by=by, at=at)


def _change_option(
    store_id: UUID, option_id: UUID, said: dict[str, Any], *, act: str, by: Caller, at: datetime
) -> None:
    with transaction.atomic(durable=True):
        store = _lock(store_id)
        option = Option.objects.filter(id=option_id, group__brand_id=store.brand_id).first()
        if option is None:
            raise OptionNotFound
        row = StoreOption.objects.filter(store=store, option=option).first()
        if _say(row or StoreOption(store=store, option=option), said):
            _leave(act, option, store, said, by=by, at=at)


def _say(row: StoreProduct | StoreOption, said: dict[str, Any]) -> bool:
    """Write what differs, or take the row away where nothing does any more; whether anything changed."""
    [(name, value)] = said.items()
    before = getattr(row, name)
    if before == value or (name == "sold_out_at" and before is not None and value is not None):
        return False
    setattr(row, name, value)
    own_price = row.price_fen if isinstance(row, StoreProduct) else row.price_delta_fen
    if own_price is None and row.sold_out_at is None:
        row.delete()
    else:
        row.save()
    return True


def _lock(store_id: UUID) -> Store:
    """The store's row keeps two hands off one switch; redemptions read it and do not wait."""
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    store = Store.objects.select_for_update(no_key=True).filter(id=store_id).first()
    if store is None:
        raise StoreNotFound
    return store


def _leave(
    act: str, subject: Product | Option, store: Store, said: dict[str, Any], *, by: Caller, at: datetime
) -> None:
    details = {"store": store.public_id} | {name: value for name, value in said.items() if name != "sold_out_at"}
    trail.leave(act, subject, brand_id=store.brand_id, by=by, at=at, details=details)
