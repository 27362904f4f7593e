"""Goods come, go between stores, are thrown away and counted: each one act, undone by its opposite."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from config.kernel.errors import DomainError, IdempotencyConflict
from config.kernel.models import AuditEntry
from stores import errors
from stores.models import Product, StockAct, StockLevel, StockMovement, Store
from stores.services import stock_acts, stock_settling, stock_transfers
from stores.services.stock_acts import receive_goods, take_stock, throw_away
from stores.services.stock_transfers import receive_transfer, send_goods
from tests import factories
from tests.factories import NOW
from tests.stores import stocked
from tests.stores.stocked import asked

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=10)


@pytest.fixture
def store() -> Store:
    return factories.store(factories.brand())


@pytest.fixture
def tea(store: Store) -> Product:
    return stocked.keep(store, "counted", units=10)


def on_hand(store: Store, product: Product) -> int:
    return StockLevel.objects.get(store=store, product=product).on_hand


def undo(act: StockAct, **fields: Any) -> StockAct:
    return stock_acts.undo(asked(act.store, {}, **fields), act.id).row


def moves(act: StockAct) -> list[tuple[str, int]]:
    return list(StockMovement.objects.filter(source_id=act.id).values_list("kind", "quantity"))


def test_goods_come_and_are_thrown_away(store: Store, tea: Product) -> None:
    came = receive_goods(asked(store, {tea: 5})).row
    gone = throw_away(asked(store, {tea: 2}, reason="过期")).row

    assert on_hand(store, tea) == 13
    assert (moves(came), moves(gone)) == ([("receipt", 5)], [("waste", -2)])
    assert gone.lines == [{"product": tea.public_id, "quantity": 2}]
    entry = AuditEntry.objects.get(subject_id=gone.id)
    assert (entry.act, entry.actor_id, entry.details["reason"]) == ("stock.waste", stocked.MANAGER.id, "过期")


def test_a_repeat_is_the_same_act_and_other_content_is_refused(store: Store, tea: Product) -> None:
    key = uuid4()
    first, again = (receive_goods(asked(store, {tea: 5}, request_id=key)) for _ in range(2))

    assert (first.is_new, again.is_new, again.row) == (True, False, first.row)
    assert on_hand(store, tea) == 15
    for other in (
        lambda: receive_goods(asked(store, {tea: 6}, request_id=key)),
        lambda: take_stock(asked(store, {tea: 5}, request_id=key)),
        lambda: stock_acts.undo(asked(store, {}, request_id=key), first.row.id),
    ):
        with pytest.raises(IdempotencyConflict):
            other()


def test_more_than_there_is_is_neither_thrown_away_nor_sent(store: Store, tea: Product) -> None:
    stocked.reserve(store, {tea: 4})
    other = factories.store(store.brand)

    throw_away(asked(store, {tea: 1}, reason="打翻"))
    with pytest.raises(errors.StockTooLow) as refusal:
        throw_away(asked(store, {tea: 10}, reason="打翻"))
    with pytest.raises(errors.StockTooLow, match="stock_too_low"):
        send_goods(asked(store, {tea: 6}), other.id)

    assert refusal.value.details["there"] == 9
    assert send_goods(asked(store, {tea: 5}), other.id).is_new, "what is promised stays"


# --- counting ---------------------------------------------------------------------------------------


def test_a_count_is_a_movement_by_the_difference(store: Store, tea: Product) -> None:
    same, fewer = take_stock(asked(store, {tea: 10})).row, take_stock(asked(store, {tea: 7})).row

    assert (moves(same), moves(fewer), on_hand(store, tea)) == ([], [("stock_take", -3)], 7)


def test_what_is_promised_still_stands_there_and_what_is_made_does_not(store: Store, tea: Product) -> None:
    """Ten on the books; one is only promised, two are made and not settled, and one has been lost."""
    stocked.reserve(store, {tea: 1})
    stocked.make(stocked.reserve(store, {tea: 2}))

    counted = take_stock(asked(store, {tea: 7})).row

    assert moves(counted) == [("stock_take", -1)]
    stock_settling.settle(at=NOW)
    assert on_hand(store, tea) == 7, "what she counted"


# --- undoing ----------------------------------------------------------------------------------------


def test_an_act_is_undone_by_its_opposite_once(store: Store, tea: Product) -> None:
    came = receive_goods(asked(store, {tea: 5})).row
    key = uuid4()

    undone, again = undo(came, request_id=key), undo(came, request_id=key)

    assert undone == again
    assert (moves(undone), on_hand(store, tea), undone.undoes) == ([("undo", -5)], 10, came)
    with pytest.raises(errors.StockActUndone):
        undo(came)
    with pytest.raises(errors.StockActNotFound):
        undo(undone)


def test_what_was_counted_since_is_not_undone(store: Store, tea: Product) -> None:
    came = receive_goods(asked(store, {tea: 5})).row
    counted = take_stock(asked(store, {tea: 9}, at=LATER)).row

    with pytest.raises(errors.StockCountedSince):
        undo(came, at=LATER)
    undo(counted, at=LATER)
    undo(came, at=LATER)

    assert on_hand(store, tea) == 10


def test_another_stores_act_is_none(store: Store, tea: Product) -> None:
    came = receive_goods(asked(store, {tea: 5})).row

    with pytest.raises(errors.StockActNotFound):
        stock_acts.undo(asked(factories.store(store.brand), {}), came.id)


# --- between stores ---------------------------------------------------------------------------------


@pytest.fixture
def other(store: Store, tea: Product) -> Store:
    other = factories.store(store.brand)
    stocked.keep(other, "counted", product=tea, units=0)
    return other


def test_goods_are_on_the_road_until_they_arrive(store: Store, other: Store, tea: Product) -> None:
    sent = send_goods(asked(store, {tea: 4}), other.id).row
    assert (on_hand(store, tea), on_hand(other, tea)) == (6, 0)

    assert sent.transfer is not None
    arrived = receive_transfer(asked(other, {tea: 3}), sent.transfer.id).row

    assert (on_hand(store, tea), on_hand(other, tea), moves(arrived)) == (6, 3, [("transfer", 3)])
    sent.transfer.refresh_from_db()
    assert sent.transfer.state == "received"
    with pytest.raises(errors.TransferMovedOn):
        undo(sent)


def test_what_was_sent_is_called_back_and_what_was_received_is_on_its_way_again(
    store: Store, other: Store, tea: Product
) -> None:
    sent = send_goods(asked(store, {tea: 4}), other.id).row
    assert sent.transfer is not None
    arrived = receive_transfer(asked(other, {tea: 4}), sent.transfer.id).row

    undo(arrived)
    assert on_hand(other, tea) == 0
    undo(sent)

    sent.transfer.refresh_from_db()
    assert (on_hand(store, tea), sent.transfer.state) == (10, "called_back")
    with pytest.raises(errors.TransferMovedOn):
        receive_transfer(asked(other, {tea: 4}), sent.transfer.id)


def test_a_transfer_reaches_only_its_store_and_no_more_than_was_sent(store: Store, other: Store, tea: Product) -> None:
    sent = send_goods(asked(store, {tea: 4}), other.id).row
    assert sent.transfer is not None
    milk = stocked.keep(other, "counted")
    third, closed = factories.store(store.brand), factories.store(store.brand, status="closed", closed_at=NOW)

    wrong: list[tuple[type[DomainError], Any]] = [
        (errors.TransferNotFound, lambda: receive_transfer(asked(third, {tea: 4}), sent.transfer.id)),
        (errors.TransferHasLess, lambda: receive_transfer(asked(other, {tea: 5}), sent.transfer.id)),
        (errors.TransferHasLess, lambda: receive_transfer(asked(other, {milk: 1}), sent.transfer.id)),
        (errors.TransferToItself, lambda: send_goods(asked(store, {tea: 1}), store.id)),
        (errors.StoreNotFound, lambda: send_goods(asked(store, {tea: 1}), factories.store(factories.brand()).id)),
        (
            errors.StoreNotFound,
            lambda: send_goods(asked(store, {tea: 1}), closed.id),
        ),
    ]
    for refusal, act in wrong:
        with pytest.raises(refusal):
            act()

    assert stock_transfers.receive_transfer(asked(other, {tea: 0}), sent.transfer.id).is_new, "all of it lost"
    assert on_hand(other, tea) == 0


# --- the database -----------------------------------------------------------------------------------


def test_an_act_is_written_once(store: Store, tea: Product) -> None:
    receive_goods(asked(store, {tea: 5}))

    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        StockAct.objects.update(reason="x")
    with pytest.raises(IntegrityError, match="waste_has_its_reason"), transaction.atomic():
        StockAct.objects.create(
            store=store, kind="waste", request_id=uuid4(), content_hash=b"", lines=[], by_kind="staff", done_at=NOW
        )
