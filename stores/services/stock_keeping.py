"""How a store keeps a product: as a switch, with a limit a day, or counted."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from config.kernel.caller import Caller
from config.kernel.ids import new_id
from stores.business_days import business_date
from stores.errors import ProductNotFound, StockRuleInvalid, StoreNotFound
from stores.models import Product, StockLevel, StockMode, StockMovement, Store
from stores.services import trail


@dataclass(frozen=True, slots=True)
class StockRule:
    """``on_hand`` is what somebody counted just now: the difference is a stock-take."""

    mode: StockMode
    daily_limit: int | None = None
    on_hand: int | None = None


def keep(*, store_id: UUID, product_id: UUID, rule: StockRule, by: Caller, at: datetime) -> StockLevel:
    """
    From now on the store keeps the product so. What is promised stays promised; repeating changes nothing.

    Raises:
        StoreNotFound, ProductNotFound: as they say; another brand's product is none.
        StockRuleInvalid: a limit without the mode, a mode without its limit, a count where nothing is counted.
    """
    _check(rule)
    with transaction.atomic(durable=True):
        store = Store.objects.filter(id=store_id).first()
        if store is None:
            raise StoreNotFound
        product = Product.objects.filter(id=product_id, brand_id=store.brand_id).first()
        if product is None:
            raise ProductNotFound
        StockLevel.objects.bulk_create(
            [StockLevel(store=store, product=product, mode=StockMode.SWITCH)], ignore_conflicts=True
        )
        level = StockLevel.objects.select_for_update(no_key=True).get(store=store, product=product)
        told = trail.change(level, {"mode": rule.mode, "daily_limit": rule.daily_limit})
        if rule.on_hand is not None and (difference := rule.on_hand - level.on_hand):
            told["on_hand"] = [level.on_hand, rule.on_hand]
            _take_stock(level, store, difference, at=at)
        if told:
            details = {"store": store.public_id, **told}
            trail.leave("product.stock_kept", product, brand_id=store.brand_id, by=by, at=at, details=details)
        return level


def _check(rule: StockRule) -> None:
    if (rule.mode is StockMode.DAILY_LIMIT) != (rule.daily_limit is not None):
        raise StockRuleInvalid(param="daily_limit")
    if rule.on_hand is not None and rule.mode is not StockMode.COUNTED:
        raise StockRuleInvalid(param="on_hand")


def _take_stock(level: StockLevel, store: Store, difference: int, *, at: datetime) -> None:
    StockMovement.objects.create(
        store=store,
        product_id=level.product_id,
        quantity=difference,
        kind=StockMovement.Kind.STOCK_TAKE,
        source_kind="stock_take",
        source_id=new_id(),
        business_date=business_date(hours=store.hours, zone=store.zone, at=at),
        moved_at=at,
    )
    StockLevel.objects.filter(pk=level.pk).update(on_hand=F("on_hand") + difference)
    level.on_hand += difference
