"""stock_settling moves what was made, each line once; what is given back after that is put back."""

from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from config.kernel.models import AuditEntry, OutboxMessage
from stores.models import DailyTally, Product, StockLevel, StockMovement, StockReservation, Store
from stores.services import stock_settling
from stores.services.settled import Settled
from stores.tasks import settle_stock
from tests import factories
from tests.factories import NOW
from tests.stores import stocked

pytestmark = pytest.mark.django_db


@pytest.fixture
def store() -> Store:
    return factories.store(factories.brand())


def level(product: Product) -> tuple[int, int]:
    row = StockLevel.objects.get(product=product)
    return row.on_hand, row.reserved


def moves(source: UUID) -> list[tuple[str, int]]:
    return list(StockMovement.objects.filter(source_id=source).order_by("id").values_list("kind", "quantity"))


def settle(limit: int = 100) -> Settled:
    return stock_settling.settle(limit=limit, at=NOW)


def test_what_is_only_promised_stays_and_what_is_made_moves_once(store: Store) -> None:
    product = stocked.keep(store, "counted", units=10)
    promised = stocked.reserve(store, {product: 1})
    made = stocked.reserve(store, {product: 2})
    stocked.make(made)

    assert (settle(), settle()) == (Settled(1, 0), Settled(0, 0))

    assert (moves(promised), moves(made)) == ([], [("sale", -2)])
    assert level(product) == (8, 1)
    assert AuditEntry.objects.get(act="stock.settled").subject_count == 1


def test_a_limit_a_day_is_settled_without_a_movement(store: Store) -> None:
    product = stocked.keep(store, "daily_limit", units=10)
    made = stocked.reserve(store, {product: 2})
    stocked.make(made)

    assert settle().lines == 1

    assert moves(made) == []
    assert StockReservation.objects.get().state == "moved"
    assert DailyTally.objects.get(product=product).taken == 2


def test_a_batch_is_bounded_and_goes_by_store(store: Store) -> None:
    other = factories.store(store.brand)
    here, there = stocked.keep(store, "counted"), stocked.keep(other, "counted")
    for _ in range(2):
        stocked.make(stocked.reserve(store, {here: 1}))
        stocked.make(stocked.reserve(other, {there: 1}))

    assert settle(limit=2).lines == 2

    assert sorted([level(here), level(there)]) == [(8, 0), (10, 2)], "one store whole, the other untouched"


@pytest.mark.parametrize("mode", ["counted", "daily_limit"])
def test_what_was_moved_is_put_back_once(store: Store, mode: str) -> None:
    product = stocked.keep(store, mode, units=2)
    order = stocked.reserve(store, {product: 2})
    stocked.make(order)
    settle()

    assert (stocked.give_back(order), stocked.give_back(order)) == (1, 0)

    stocked.reserve(store, {product: 2})
    assert moves(order) == ([("sale", -2), ("put_back", 2)] if mode == "counted" else [])
    assert StockReservation.objects.get(source_id=order).state == "returned"


def test_what_was_made_and_given_back_before_the_worker_came_never_moves(store: Store) -> None:
    product = stocked.keep(store, "counted", units=2)
    order = stocked.reserve(store, {product: 2})
    stocked.make(order)
    stocked.give_back(order)

    assert settle().lines == 0
    assert (level(product), moves(order)) == ((2, 0), [])


def test_a_line_belongs_to_the_day_on_which_it_was_promised(store: Store) -> None:
    product = stocked.keep(store, "counted", units=2)
    order = stocked.reserve(store, {product: 1})
    stocked.make(order)

    stock_settling.settle(limit=10, at=NOW + timedelta(days=3))

    assert StockMovement.objects.get(source_id=order).business_date == date(2026, 6, 1)


def test_less_than_nothing_is_told_once(store: Store) -> None:
    product = stocked.keep(store, "counted", units=3)
    order = stocked.reserve(store, {product: 3})
    stocked.keep(store, "counted", product=product, units=2)
    stocked.make(order)

    assert settle() == Settled(1, 1)

    assert StockLevel.objects.get(product=product).is_short
    [item] = OutboxMessage.objects.get(topic="stock.short").items
    assert item == {"store": store.public_id, "product": product.public_id, "on_hand": -1}
    stocked.keep(store, "counted", product=product, units=5)
    assert not StockLevel.objects.get(product=product).is_short


def test_the_database_moves_nothing_that_was_not_made(store: Store) -> None:
    stocked.reserve(store, {stocked.keep(store, "counted"): 1})

    with pytest.raises(IntegrityError, match="what_is_moved_was_made"), transaction.atomic():
        StockReservation.objects.update(state="moved", ended_at=NOW)


@pytest.mark.django_db(transaction=True)
def test_the_worker_drains_what_there_is() -> None:
    store = factories.store(factories.brand())
    stocked.make(stocked.reserve(store, {stocked.keep(store, "counted"): 1}, order_id=uuid4()))

    settle_stock()

    assert StockReservation.objects.get().state == "moved"
