"""A substitute over the counter: shown before, offered, taken from stock, logged with who chose it."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.models import AuditEntry
from stores.models import Product, StockLevel, StoreProduct, Substitution
from tests import factories
from tests.factories import NOW
from tests.stores import stocked
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_staff, error_of, post
from vouchers.models import Redemption, Voucher

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def tea(counter: Counter) -> Product:
    """Of which one is left."""
    return stocked.keep(counter.store, "counted", product=factories.product(counter.brand, name="乌龙"), units=1)


@pytest.fixture
def other(counter: Counter) -> Product:
    return stocked.keep(counter.store, "counted", product=factories.product(counter.brand, name="绿妍"), units=5)


def package(counter: Counter, product: Product, count: int = 1) -> Voucher:
    groups = [{"name": "主饮", "choose": 1, "items": [{"product": product.public_id, "count": count}]}]
    return counter.voucher(counter.terms(kind="package", package_groups=groups), bought_at=datetime.now(UTC))


def redeem(counter: Counter, voucher: Voucher, *pairs: tuple[Product, Product], key: Any = None) -> Any:
    instead = [{"product": product.public_id, "substitute": other.public_id} for product, other in pairs]
    body = {"codes": [voucher.code], "instead": instead}
    return post(f"stores/{counter.store.public_id}/redemptions", as_staff(counter.clerk), body, key=key)


def test_preparing_says_what_has_run_out_and_what_there_is_instead(
    counter: Counter, tea: Product, other: Product
) -> None:
    one, two = package(counter, tea), package(counter, tea, 2)
    at = f"stores/{counter.store.public_id}/redemptions/prepare"

    shown = post(at, as_staff(counter.clerk), {"codes": [one.code, two.code]}).json()["vouchers"]

    instead = [{"product": other.public_id, "name": "绿妍"}]
    assert [voucher["run_out"] for voucher in shown] == [
        [],
        [{"product": tea.public_id, "name": "乌龙", "instead": instead}],
    ]


def test_the_substitute_leaves_the_shelf_and_the_clerk_is_in_the_log(
    counter: Counter, tea: Product, other: Product
) -> None:
    voucher, key = package(counter, tea, 2), uuid4()

    first = redeem(counter, voucher, (tea, other), key=key)
    StoreProduct.objects.create(store=counter.store, product=other, sold_out_at=NOW)
    again, plain = redeem(counter, voucher, (tea, other), key=key), redeem(counter, voucher, key=key)

    assert (first.status_code, again.status_code, error_of(plain)) == (201, 200, (409, "idempotency_conflict"))
    levels = {level.product_id: level.reserved for level in StockLevel.objects.all()}
    assert (levels[tea.id], levels[other.id]) == (0, 2)
    logged = Substitution.objects.get()
    assert (logged.source_id, logged.product, logged.substitute) == (Redemption.objects.get().id, tea, other)
    assert (logged.by_kind, logged.by_id) == ("staff", counter.clerk.id)
    assert Redemption.objects.get().amount_fen == voucher.use_amounts_fen[0]
    pair = [tea.public_id, other.public_id]
    assert AuditEntry.objects.get(act="voucher.redeem").details["substitutes"] == [pair]


def test_only_what_is_offered_and_needed_is_handed_over_instead(counter: Counter, tea: Product, other: Product) -> None:
    dear = factories.product(counter.brand, price_fen=9_900)

    refused = [
        redeem(counter, package(counter, tea), (tea, other)),
        redeem(counter, package(counter, other, 9), (tea, other)),
        redeem(counter, package(counter, tea, 2), (tea, dear)),
    ]

    assert [error_of(one) for one in refused] == [
        (409, "substitute_not_needed"),
        (409, "substitute_not_needed"),
        (409, "substitute_not_offered"),
    ]
    assert not Redemption.objects.exists()


def test_a_brand_that_hands_over_only_what_is_there_hears_what_it_has_instead(
    counter: Counter, tea: Product, other: Product
) -> None:
    type(counter.brand).objects.update(counter_needs_stock=True)
    voucher = package(counter, tea, 2)

    refused = redeem(counter, voucher)
    done = redeem(counter, voucher, (tea, other))

    assert error_of(refused) == (409, "product_sold_out")
    assert [one["product"] for one in refused.json()["error"]["details"]["substitutes"]] == [other.public_id]
    assert done.status_code == 201
