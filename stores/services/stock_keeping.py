"""How a store keeps a product: as a switch, with a limit a day, or counted."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.kernel.caller import Caller
from config.kernel.ids import new_id
from stores.errors import ProductNotFound, StockRuleInvalid, StoreNotFound
from stores.models import Product, StockAct, StockLevel, StockMode, StockMovement, Store
from stores.services import stock_books, trail
from stores.services.stock_books import Asked, StockLine


@dataclass(frozen=True, slots=True)
class StockRule:
    """``on_hand`` is what somebody counted just now: a stock-take. At ``low_at`` and below it runs out."""

    mode: StockMode
    daily_limit: int | None = None
    on_hand: int | None = None
    low_at: int | None = None


def keep(*, store_id: UUID, product_id: UUID, rule: StockRule, by: Caller, at: datetime) -> StockLevel:
    """
    From now on the store keeps the product so. What is promised stays promised; repeating changes nothing.

    Raises:
        StoreNotFound, ProductNotFound: as they say; another brand's product is none.
        StockRuleInvalid: a limit without the mode, a mode without its limit, a count where nothing is counted, or a
            limit of a material, which nobody orders.
    """
    _check(rule)
    with transaction.atomic(durable=True):
        store = Store.objects.filter(id=store_id).first()
        if store is None:
            raise StoreNotFound
        product = Product.objects.filter(id=product_id, brand_id=store.brand_id).first()
        if product is None:
            raise ProductNotFound
        if product.is_material and rule.mode is StockMode.DAILY_LIMIT:
            raise StockRuleInvalid(param="mode")
        StockLevel.objects.bulk_create(
            [StockLevel(store=store, product=product, mode=StockMode.SWITCH)], ignore_conflicts=True
        )
        level = StockLevel.objects.select_for_update(no_key=True).get(store=store, product=product)
        told = trail.change(level, {"mode": rule.mode, "daily_limit": rule.daily_limit, "low_at": rule.low_at})
        if rule.on_hand is not None:
            counted = {product.id: rule.on_hand}
            if any((lacking := stock_books.differences({product.id: level}, counted)).values()):
                line = StockLine(product.id, rule.on_hand)
                act = stock_books.write(Asked(store.id, [line], new_id(), by, at), store, StockAct.Kind.STOCK_TAKE)
                stock_books.move(act, StockMovement.Kind.STOCK_TAKE, lacking)
                level.refresh_from_db(fields=["on_hand"])
        if told:
            details = {"store": store.public_id, **told}
            trail.leave("product.stock_kept", product, brand_id=store.brand_id, by=by, at=at, details=details)
        return level


def _check(rule: StockRule) -> None:
    if (rule.mode is StockMode.DAILY_LIMIT) != (rule.daily_limit is not None):
        raise StockRuleInvalid(param="daily_limit")
    if rule.on_hand is not None and rule.mode is not StockMode.COUNTED:
        raise StockRuleInvalid(param="on_hand")
