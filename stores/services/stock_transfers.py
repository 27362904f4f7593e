"""
Goods between two stores of a brand: sent by the one, on the road, received by the other.

Each act is of one store's people and touches only that store's stock, so transfers both ways at once meet on
nothing but the transfer itself. What arrives may be less than what was sent; the difference is in neither store.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from config.kernel.ids import parse
from stores.errors import StoreNotFound, TransferHasLess, TransferMovedOn, TransferNotFound, TransferToItself
from stores.models import Product, StockAct, StockMovement, StockTransfer, Store
from stores.services import stock_books
from stores.services.made import Made
from stores.services.stock_books import Asked

Kind = StockAct.Kind
State = StockTransfer.State
Moved = StockMovement.Kind


def send_goods(asked: Asked, to_store_id: UUID) -> Made[StockAct]:
    """
    Goods leave for another store of the brand; what is promised here stays.

    Safe to retry: the same ``request_id`` with the same content is the same act.

    Raises:
        StoreNotFound: one of the two; a closed store or another brand's receives nothing.
        TransferToItself: as it says.
        StockTooLow: the books have less than that free.
        ProductNotFound, ProductNotCounted, StockLinesInvalid, IdempotencyConflict: as ``stock_acts.receive_goods``.
    """
    asked = replace(asked, about={"to": to_store_id})
    with transaction.atomic(durable=True):
        store, first = stock_books.begin(asked, Kind.SENT)
        if first:
            return first
        if store.id == to_store_id:
            raise TransferToItself(param="to")
        others = Store.objects.filter(brand_id=store.brand_id).exclude(status=Store.Status.CLOSED)
        if not others.filter(id=to_store_id).exists():
            raise StoreNotFound(param="to")
        stock_books.check_lines(asked.lines)
        levels = stock_books.lock_counted(store, asked.product_ids)
        for line in asked.lines:
            stock_books.require(levels[line.product_id], line.quantity, there=levels[line.product_id].free)
        transfer = StockTransfer.objects.create(
            from_store=store, to_store_id=to_store_id, state=State.SENT, sent_at=asked.at
        )
        act = stock_books.write(asked, store, Kind.SENT, transfer=transfer)
        stock_books.move(act, Moved.TRANSFER, {line.product_id: -line.quantity for line in asked.lines})
        return Made(act, is_new=True)


def receive_transfer(asked: Asked, transfer_id: UUID) -> Made[StockAct]:
    """
    What arrived of a transfer, as the receiving store counted it: all of it, or less.

    Of two that receive it, or of receiving and calling back, one wins under the transfer's lock.

    Raises:
        TransferNotFound: not on its way to this store.
        TransferMovedOn: it was received, or called back.
        TransferHasLess: more than was sent, or of something else.
        StoreNotFound, ProductNotFound, ProductNotCounted, StockLinesInvalid, IdempotencyConflict: as above.
    """
    asked = replace(asked, about={"transfer": transfer_id})
    with transaction.atomic(durable=True):
        store, first = stock_books.begin(asked, Kind.RECEIVED)
        if first:
            return first
        transfer = lock(transfer_id)
        if transfer is None or transfer.to_store_id != store.id:
            raise TransferNotFound
        if transfer.state != State.SENT:
            raise TransferMovedOn(state=transfer.state)
        stock_books.check_lines(asked.lines, least=0)
        sent = sent_of(transfer)
        if any(line.quantity > sent.get(line.product_id, -1) for line in asked.lines):
            raise TransferHasLess(param="lines")
        stock_books.lock_counted(store, asked.product_ids)
        act = stock_books.write(asked, store, Kind.RECEIVED, transfer=transfer)
        stock_books.move(act, Moved.TRANSFER, {line.product_id: line.quantity for line in asked.lines})
        transfer.state, transfer.ended_at = State.RECEIVED, max(asked.at, transfer.sent_at)
        transfer.save(update_fields=["state", "ended_at"])
        return Made(act, is_new=True)


def turn_back(undone: StockAct, *, at: datetime) -> None:
    """
    What becomes of a transfer whose act is undone: called back, or on its way again.

    Runs inside the caller's transaction.

    Raises:
        TransferMovedOn: what was sent has been received.
    """
    assert undone.transfer_id is not None, "transfer_has_its_acts"
    transfer = lock(undone.transfer_id)
    assert transfer is not None, "acts keep their transfer"
    if undone.kind == Kind.SENT:
        if transfer.state != State.SENT:
            raise TransferMovedOn(state=transfer.state)
        transfer.state, transfer.ended_at = State.CALLED_BACK, max(at, transfer.sent_at)
    else:
        transfer.state, transfer.ended_at = State.SENT, None
    transfer.save(update_fields=["state", "ended_at"])


def sent_of(transfer: StockTransfer) -> dict[UUID, int]:
    """What was sent, by product."""
    act = StockAct.objects.get(transfer=transfer, kind=Kind.SENT)
    return {parse(Product.PREFIX, line["product"]): line["quantity"] for line in act.lines}


def lock(transfer_id: UUID) -> StockTransfer | None:
    """The transfer's row, held; after the store's and before the levels'. Runs inside the caller's transaction."""
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    return StockTransfer.objects.select_for_update(no_key=True).filter(id=transfer_id).first()
