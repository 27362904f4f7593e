"""using: from a voucher to a cart that can be ordered as it is, at the nearest store that takes it now."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orders.services import using
from orders.services.quoting import CartLine
from orders.services.using import UseNow
from stores.models import Store
from tests import factories
from tests.orders.test_checkout import Shop
from tests.stores import stocked
from tests.vouchers.http import as_customer, post
from vouchers.models import Voucher

pytestmark = pytest.mark.django_db(transaction=True)

HERE = {"latitude": 30.2, "longitude": 120.2}


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    Store.objects.filter(pk=shop.store.pk).update(latitude="30.3", longitude="120.2")
    return shop


def today(shop: Shop, kind: str = "cash", **terms: Any) -> Voucher:
    return shop.voucher(kind, paid_fen=0, bought_at=datetime.now(UTC) - timedelta(minutes=1), **terms)


def used(shop: Shop, voucher: Voucher) -> UseNow:
    return using.use_now(voucher_id=voucher.id, customer_id=shop.customer.id, **HERE, at=datetime.now(UTC))


def orders_what_is_offered(shop: Shop, voucher: Voucher) -> dict[str, Any]:
    """Use it, quote the cart as it is, order what was quoted: with the voucher on it."""
    her = as_customer(shop.customer)
    cart = post(f"vouchers/{voucher.public_id}/use", her, HERE).json()
    store = f"stores/{cart['store']}"
    quoted = post(f"{store}/quotes", her, {"lines": cart["lines"]}).json()
    plan = {"uses": [{name: use[name] for name in ("voucher", "serial")} for use in quoted["uses"]]}
    placed = post(f"{store}/orders", her, {"lines": cart["lines"], **plan, "due_fen": quoted["due_fen"]})

    assert [use["voucher"] for use in quoted["uses"]] == [voucher.public_id]
    assert placed.status_code == 201, placed.json()
    return quoted  # type: ignore[no-any-return]


def test_an_open_store_behind_any_number_of_shut_ones_is_found(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(using, "LOOKED_AT", (0, 2, 4, 8))
    tomorrow = str(datetime.now(UTC).isoweekday() % 7 + 1)
    for _ in range(5):
        factories.store(shop.counter.brand, **HERE, hours={tomorrow: [["10:00", "11:00"]]})

    assert used(shop, today(shop)).near.store == shop.store


def test_a_drink_that_asks_nothing_comes_before_one_that_does(shop: Shop) -> None:
    shop.size.options.update(is_default=False)
    plain = factories.product(shop.counter.brand)

    assert used(shop, today(shop)).lines == (CartLine(plain.id, (), 1),)


def test_a_question_without_a_default_gets_its_cheapest_answer(shop: Shop) -> None:
    shop.size.options.update(is_default=False)
    medium = shop.size.options.get(name="中杯")
    voucher = today(shop)

    assert used(shop, voucher).lines == (CartLine(shop.drink.id, (medium.id,), 1),)
    assert orders_what_is_offered(shop, voucher)["due_fen"] == 0


def test_of_a_choice_the_first_that_can_be_had(shop: Shop) -> None:
    gone, there = shop.drink, factories.product(shop.counter.brand)
    stocked.keep(shop.store, "counted", product=gone, units=0)
    items = [{"product": product.public_id, "count": 1} for product in (gone, there)]
    voucher = today(shop, "package", package_groups=[{"name": "饮品", "choose": 1, "items": items}])

    assert used(shop, voucher).lines == (CartLine(there.id, (), 1),)
    assert orders_what_is_offered(shop, voucher)["due_fen"] == 0


@pytest.mark.parametrize("kind", ["cash", "times_card"])
def test_its_minimum_is_filled_up(shop: Shop, kind: str) -> None:
    terms = {} if kind == "times_card" else {"face_value_fen": 1_000}
    voucher = today(shop, kind, min_spend_fen=5_000, **terms)

    [line] = used(shop, voucher).lines

    assert line == CartLine(shop.drink.id, (), 3 if kind == "cash" else 4), "what a card covers is not on the bill"
    orders_what_is_offered(shop, voucher)


def test_its_minimum_is_filled_up_with_what_is_there(shop: Shop) -> None:
    stocked.keep(shop.store, "counted", product=shop.drink, units=2)
    other = factories.product(shop.counter.brand, position=9)
    voucher = today(shop, min_spend_fen=5_000)

    assert used(shop, voucher).lines == (CartLine(shop.drink.id, (), 2), CartLine(other.id, (), 1))
    orders_what_is_offered(shop, voucher)
