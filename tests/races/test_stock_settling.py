"""
Workers that settle stock, meeting each other, an undoing, a stock-take; and stores that send to each other.

Each guard is removed once, and then the race is lost in the one interleaving that is forced.
"""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from stores import errors
from stores.models import StockAct, StockLevel, StockMovement, StockReservation, StockTransfer, Store
from stores.services import stock_acts, stock_books, stock_settling, stock_transfers
from stores.services.made import Made
from stores.services.settled import Settled
from tests import factories
from tests.factories import NOW
from tests.races.at_once import at_once
from tests.races.squeezed import Squeezed, squeeze
from tests.stores import stocked
from tests.stores.stocked import asked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def store() -> Store:
    return factories.store(factories.brand())


def settle() -> Settled:
    return stock_settling.settle(at=NOW)


def made(store: Store, product: object, count: int) -> list[UUID]:
    orders = [stocked.reserve(store, {product: 1}) for _ in range(count)]
    for order in orders:
        stocked.make(order)
    return orders


def books(store: Store) -> tuple[int, int, int]:
    """On hand, reserved, and the sum of the movements."""
    level = StockLevel.objects.get(store=store)
    return level.on_hand, level.reserved, sum(StockMovement.objects.values_list("quantity", flat=True))


# --- two workers ------------------------------------------------------------------------------------


def test_workers_settle_each_line_once(store: Store) -> None:
    product = stocked.keep(store, "counted", units=100)
    made(store, product, 12)

    answers = at_once(*[lambda: stock_settling.settle(limit=5, at=NOW)] * 4)

    while settle().lines:
        pass
    assert all(isinstance(answer, Settled) for answer in answers), answers
    assert books(store) == (88, 0, 88)


def beside_another_worker(store: Store, lines: int = 2) -> Squeezed:
    """A worker that begins while another one has settled everything and has not committed."""
    made(store, stocked.keep(store, "counted", units=10), lines)
    second = Squeezed(settle)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(stock_settling.SETTLE, {"limit": 100, "at": NOW})
        second.begin()
    return second


def test_what_one_worker_has_claimed_the_other_passes_by(store: Store) -> None:
    assert beside_another_worker(store).answer() == Settled(0, 0)
    assert books(store) == (8, 0, 8)


def test_without_minding_the_state_a_line_is_settled_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for guard in ("FOR NO KEY UPDATE SKIP LOCKED", "AND r.state = 'open'"):
        assert guard in stock_settling.SETTLE
        monkeypatch.setattr(stock_settling, "SETTLE", stock_settling.SETTLE.replace(guard, ""))

    second = beside_another_worker(store).answer()

    assert isinstance(second, IntegrityError), "the last guard is the database's own"


# --- settling and undoing ---------------------------------------------------------------------------


@pytest.mark.parametrize("undoing_first", [True, False])
def test_a_line_that_is_settled_and_undone_at_once_is_back(store: Store, undoing_first: bool) -> None:
    product = stocked.keep(store, "counted", units=10)
    [order] = made(store, product, 1)
    level = StockLevel.objects.get(store=store)
    inner = Squeezed(settle if undoing_first else lambda: stocked.give_back(order))
    with transaction.atomic():
        if undoing_first:
            stocked.stock.give_back(source_kind=StockReservation.Source.STORE_ORDER, source_ids=[order], at=NOW)
        else:
            with connection.cursor() as cursor:
                cursor.execute(stock_settling.SETTLE, {"limit": 100, "at": NOW})
        inner.begin()

    assert inner.answer() == (Settled(0, 0) if undoing_first else 1)
    assert books(store) == (level.on_hand, 0, 10)
    settle()
    assert books(store) == (10, 0, 10)


def test_an_undoing_that_looks_only_for_what_is_open_loses_what_is_settled_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = "AND state IN ('open', 'moved')"
    assert guard in stocked.stock.GIVE_BACK
    monkeypatch.setattr(stocked.stock, "GIVE_BACK", stocked.stock.GIVE_BACK.replace(guard, "AND state = 'open'"))
    [order] = made(store, stocked.keep(store, "counted", units=10), 1)
    undoing = Squeezed(lambda: stocked.give_back(order))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(stock_settling.SETTLE, {"limit": 100, "at": NOW})
        undoing.begin()

    assert undoing.answer() == 0
    assert books(store) == (9, 0, 9), "undone, and gone from the shelf"


# --- counting and settling --------------------------------------------------------------------------


def settled_while_counting(store: Store, monkeypatch: pytest.MonkeyPatch) -> Settled:
    """Nine stand there: of ten on the books one was made, and a worker settles it after she has looked at the books."""
    product = stocked.keep(store, "counted", units=10)
    made(store, product, 1)
    settling = squeeze(monkeypatch, stock_books, "lock_counted", settle)
    stock_acts.take_stock(asked(store, {product: 9}))
    settled = settling.answer()
    assert isinstance(settled, Settled), settled
    return settled


def test_a_worker_waits_for_a_count(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settled_while_counting(store, monkeypatch) == Settled(1, 0)
    assert books(store) == (9, 0, 9)


def test_without_the_levels_lock_the_settled_cup_is_taken_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(of: Store, product_ids: list[UUID]) -> dict[UUID, StockLevel]:
        return {level.product_id: level for level in StockLevel.objects.filter(store=of, product__in=product_ids)}

    monkeypatch.setattr(stock_books, "lock_counted", look)

    settled_while_counting(store, monkeypatch)

    assert books(store) == (8, 0, 8), "nine stand there"


def test_a_count_waits_for_a_worker_and_then_looks(store: Store) -> None:
    product = stocked.keep(store, "counted", units=10)
    made(store, product, 1)
    counting = Squeezed(lambda: stock_acts.take_stock(asked(store, {product: 9})))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(stock_settling.SETTLE, {"limit": 100, "at": NOW})
        counting.begin()

    assert isinstance(counting.answer(), Made), counting.answer()
    assert books(store) == (9, 0, 9)


# --- transfers --------------------------------------------------------------------------------------


def test_stores_send_to_each_other_at_once(store: Store) -> None:
    other = factories.store(store.brand)
    products = [stocked.keep(store, "counted", units=50) for _ in range(3)]
    for product in products:
        stocked.keep(other, "counted", product=product, units=50)

    def there_and_back(here: Store, there: Store, turn: int) -> Callable[[], object]:
        lines = dict.fromkeys(products[turn:] + products[:turn], 1)

        def act() -> object:
            sent = stock_transfers.send_goods(asked(here, lines), there.id).row
            assert sent.transfer_id is not None
            return stock_transfers.receive_transfer(asked(there, lines), sent.transfer_id)

        return act

    answers = at_once(*[there_and_back(*pair, turn) for turn in range(3) for pair in ((store, other), (other, store))])

    assert [type(answer) for answer in answers] == [Made] * 6, answers
    assert set(StockLevel.objects.values_list("on_hand", flat=True)) == {50}


def on_the_road(store: Store) -> tuple[Store, StockTransfer, object]:
    other = factories.store(store.brand)
    product = stocked.keep(store, "counted", units=5)
    stocked.keep(other, "counted", product=product, units=0)
    sent = stock_transfers.send_goods(asked(store, {product: 5}), other.id).row
    assert sent.transfer is not None
    return other, sent.transfer, product


def received_while_called_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> object:
    """One store calls the goods back, the other receives them at the same moment."""
    other, transfer, product = on_the_road(store)
    sent = StockAct.objects.get(kind="sent")
    receiving = squeeze(
        monkeypatch,
        stock_transfers,
        "lock",
        lambda: stock_transfers.receive_transfer(asked(other, {product: 5}), transfer.id),
    )
    stock_acts.undo(asked(store, {}), sent.id)
    return receiving.answer()


def test_goods_are_received_or_called_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(received_while_called_back(store, monkeypatch), errors.TransferMovedOn)
    assert sum(StockLevel.objects.values_list("on_hand", flat=True)) == 5


def test_without_the_transfers_lock_they_are_in_both_stores(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        stock_transfers, "lock", lambda transfer_id: StockTransfer.objects.filter(id=transfer_id).first()
    )

    received_while_called_back(store, monkeypatch)

    assert sum(StockLevel.objects.values_list("on_hand", flat=True)) == 10


# --- one request twice ------------------------------------------------------------------------------


def test_copies_of_a_request_are_one_act(store: Store) -> None:
    product, key = stocked.keep(store, "counted", units=0), uuid4()

    answers = at_once(*[lambda: stock_acts.receive_goods(asked(store, {product: 5}, request_id=key))] * 4)

    assert sorted(answer.is_new for answer in answers) == [False, False, False, True]
    assert books(store) == (5, 0, 5)
