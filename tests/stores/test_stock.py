"""stock promises what is there and takes it back; stock_keeping says how a store keeps a product."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from config.kernel.models import AuditEntry
from stores.errors import ProductNotFound, ProductSoldOut, StockRuleInvalid
from stores.models import DailyTally, Product, StockLevel, StockMode, StockMovement, StockReservation, Store
from stores.queries import menu_of
from stores.services import stock_keeping
from stores.services.stock_keeping import StockRule
from tests import factories
from tests.factories import NOW
from tests.stores import stocked
from tests.vouchers.http import as_staff, put

pytestmark = pytest.mark.django_db


@pytest.fixture
def store() -> Store:
    return factories.store(factories.brand())


def level(product: Product) -> tuple[int, int]:
    row = StockLevel.objects.get(product=product)
    return row.on_hand, row.reserved


def is_sold_out(store: Store, product: Product) -> bool:
    [shown] = [one for one in menu_of(store, at=NOW).products if one.product_id == product.id]
    return shown.is_sold_out


def test_a_product_without_a_level_is_a_switch_and_reserves_nothing(store: Store) -> None:
    stocked.reserve(store, {factories.product(store.brand): 99})

    assert not StockReservation.objects.exists()


def test_counted_cups_are_promised_until_none_is_left(store: Store) -> None:
    product = stocked.keep(store, "counted", units=3)

    stocked.reserve(store, {product: 2})
    assert not is_sold_out(store, product)
    stocked.reserve(store, {product: 1})

    assert level(product) == (3, 3)
    assert is_sold_out(store, product)
    with pytest.raises(ProductSoldOut) as refusal:
        stocked.reserve(store, {product: 1})
    assert refusal.value.details["product"] == product.public_id
    assert level(product) == (3, 3)


def test_a_limit_a_day_is_promised_until_it_is_reached(store: Store) -> None:
    product = stocked.keep(store, "daily_limit", units=3)

    stocked.reserve(store, {product: 3})

    assert DailyTally.objects.get(product=product).taken == 3
    assert is_sold_out(store, product)
    with pytest.raises(ProductSoldOut):
        stocked.reserve(store, {product: 1})


def test_more_than_a_whole_day_is_refused_before_anything_is_tallied(store: Store) -> None:
    product = stocked.keep(store, "daily_limit", units=3)

    with pytest.raises(ProductSoldOut):
        stocked.reserve(store, {product: 4})

    assert not DailyTally.objects.exists()


def test_it_is_all_or_nothing(store: Store) -> None:
    plenty, scarce = stocked.keep(store, "counted"), stocked.keep(store, "counted", units=1)

    with pytest.raises(ProductSoldOut):
        stocked.reserve(store, {plenty: 1, scarce: 2})

    assert level(plenty) == (10, 0)
    assert not StockReservation.objects.exists()


@pytest.mark.parametrize("mode", ["counted", "daily_limit"])
def test_what_is_given_back_is_there_again_and_only_once(store: Store, mode: str) -> None:
    product = stocked.keep(store, mode, units=2)
    order = stocked.reserve(store, {product: 2})

    assert (stocked.give_back(order), stocked.give_back(order)) == (1, 0)

    stocked.reserve(store, {product: 2}, order_id=order)
    assert sorted(StockReservation.objects.values_list("state", flat=True)) == ["open", "released"]


def test_what_was_promised_in_one_mode_is_given_back_in_it(store: Store) -> None:
    product = stocked.keep(store, "counted", units=2)
    order = stocked.reserve(store, {product: 2})
    stocked.keep(store, "switch", product=product)

    stocked.give_back(order)

    assert level(product) == (2, 0)


def test_counting_again_is_a_stock_take_of_the_difference(store: Store) -> None:
    product = stocked.keep(store, "counted", units=5)
    stocked.keep(store, "counted", product=product, units=5)
    stocked.keep(store, "counted", product=product, units=3)

    assert list(StockMovement.objects.order_by("id").values_list("quantity", flat=True)) == [5, -2]
    assert level(product) == (3, 0)
    assert AuditEntry.objects.filter(act="stock.stock_take").count() == 2


@pytest.mark.parametrize(
    "rule",
    [
        StockRule(StockMode.DAILY_LIMIT),
        StockRule(StockMode.COUNTED, daily_limit=3),
        StockRule(StockMode.SWITCH, on_hand=3),
    ],
)
def test_a_rule_says_what_its_mode_needs(store: Store, rule: StockRule) -> None:
    product = factories.product(store.brand)

    with pytest.raises(StockRuleInvalid):
        stock_keeping.keep(store_id=store.id, product_id=product.id, rule=rule, by=stocked.MANAGER, at=NOW)


def test_another_brands_product_is_none(store: Store) -> None:
    with pytest.raises(ProductNotFound):
        stocked.keep(store, "counted", product=factories.product(factories.brand()))


def movement(store: Store, **fields: Any) -> StockMovement:
    plain: dict[str, Any] = {
        "store": store,
        "product": factories.product(store.brand),
        "quantity": 1,
        "kind": "receipt",
        "source_kind": "receipt",
        "source_id": factories.brand().id,
        "business_date": NOW.date(),
        "moved_at": NOW,
    }
    return StockMovement.objects.create(**{**plain, **fields})


def test_a_movement_is_written_once(store: Store) -> None:
    made = movement(store)

    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        StockMovement.objects.filter(pk=made.pk).update(quantity=2)
    with pytest.raises(IntegrityError, match="stock_is_moved_once_by_a_source"):
        movement(store, product=made.product, source_id=made.source_id)


@pytest.mark.parametrize(("kind", "quantity"), [("sale", 1), ("waste", 1), ("receipt", -1), ("put_back", -1)])
def test_a_movement_goes_the_way_of_its_kind(store: Store, kind: str, quantity: int) -> None:
    with pytest.raises(IntegrityError, match="movement_goes_the_way_of_its_kind"):
        movement(store, kind=kind, quantity=quantity)


def test_stock_is_kept_over_http(store: Store) -> None:
    product = factories.product(store.brand)
    manager = factories.staff(store.brand, role="store_manager", store=store).user
    address = f"stores/{store.public_id}/products/{product.public_id}/stock"

    kept = put(address, as_staff(manager), {"mode": "counted", "on_hand": 8})
    odd = put(address, as_staff(manager), {"mode": "switch", "on_hand": 8})
    stranger = put(address, as_staff(factories.staff(factories.brand(), role="owner").user), {"mode": "switch"})

    assert (kept.status_code, kept.json()) == (
        200,
        {"mode": "counted", "daily_limit": None, "on_hand": 8, "reserved": 0, "low_at": None, "is_short": False},
    )
    assert (odd.status_code, odd.json()["error"]["code"]) == (422, "stock_rule_invalid")
    assert stranger.status_code == 404
