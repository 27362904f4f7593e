"""What people do to a store's stock: goods come, are thrown away, are counted; and an act is undone."""

from dataclasses import replace
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from stores.errors import StockActNotFound, StockActUndone, StockCountedSince
from stores.models import StockAct, StockMovement
from stores.services import stock_books, stock_transfers
from stores.services.made import Made
from stores.services.stock_books import Asked

Kind = StockAct.Kind
Moved = StockMovement.Kind


def receive_goods(asked: Asked) -> Made[StockAct]:
    """
    Goods came from a supplier.

    Safe to retry: the same ``request_id`` with the same content is the same act.

    Raises:
        StoreNotFound, ProductNotFound: as they say; another brand's product is none.
        ProductNotCounted: the store does not count it.
        StockLinesInvalid: no line or more than 200, a product twice, or a quantity of nothing.
        IdempotencyConflict: ``request_id`` came before with other content.
    """
    with transaction.atomic(durable=True):
        store, first = stock_books.begin(asked, Kind.RECEIPT)
        if first:
            return first
        stock_books.check_lines(asked.lines)
        stock_books.lock_counted(store, asked.product_ids)
        act = stock_books.write(asked, store, Kind.RECEIPT)
        stock_books.move(act, Moved.RECEIPT, {line.product_id: line.quantity for line in asked.lines})
        return Made(act, is_new=True)


def throw_away(asked: Asked) -> Made[StockAct]:
    """
    Goods are waste, and ``reason`` says why; what is promised may be among them.

    Safe to retry, as ``receive_goods``.

    Raises:
        StockTooLow: the books have less; count first.
        StoreNotFound, ProductNotFound, ProductNotCounted, StockLinesInvalid, IdempotencyConflict: as above.
    """
    assert asked.reason, "waste has its reason"
    with transaction.atomic(durable=True):
        store, first = stock_books.begin(asked, Kind.WASTE)
        if first:
            return first
        stock_books.check_lines(asked.lines)
        levels = stock_books.lock_counted(store, asked.product_ids)
        for line in asked.lines:
            stock_books.require(levels[line.product_id], line.quantity, there=levels[line.product_id].on_hand)
        act = stock_books.write(asked, store, Kind.WASTE)
        stock_books.move(act, Moved.WASTE, {line.product_id: -line.quantity for line in asked.lines})
        return Made(act, is_new=True)


def take_stock(asked: Asked) -> Made[StockAct]:
    """
    Somebody counted what stands there: the difference to the books becomes a movement (``stock_books.differences``).

    Safe to retry, as ``receive_goods``.

    Raises:
        StoreNotFound, ProductNotFound, ProductNotCounted, StockLinesInvalid, IdempotencyConflict: as above.
    """
    with transaction.atomic(durable=True):
        store, first = stock_books.begin(asked, Kind.STOCK_TAKE)
        if first:
            return first
        stock_books.check_lines(asked.lines, least=0)
        levels = stock_books.lock_counted(store, asked.product_ids)
        counted = {line.product_id: line.quantity for line in asked.lines}
        act = stock_books.write(asked, store, Kind.STOCK_TAKE)
        stock_books.move(act, Moved.STOCK_TAKE, stock_books.differences(levels, counted))
        return Made(act, is_new=True)


def undo(asked: Asked, act_id: UUID) -> Made[StockAct]:
    """
    Undo an act by the opposite movements; both stay in the books. A transfer that was sent is called back, one that
    was received is on its way again. What was sold meanwhile leaves less than nothing, and the level is short.

    Safe to retry, as ``receive_goods``.

    Raises:
        StockActNotFound: not at this store, or itself an undoing.
        StockActUndone: by another request.
        StockCountedSince: somebody has counted one of its products since, and that count is right.
        TransferMovedOn: what was sent has been received.
        StoreNotFound, IdempotencyConflict: as above.
    """
    asked = replace(asked, about={"undoes": act_id})
    with transaction.atomic(durable=True):
        store, first = stock_books.begin(asked, Kind.UNDO)
        if first:
            return first
        undone = StockAct.objects.filter(id=act_id, store=store).exclude(kind=Kind.UNDO).first()
        if undone is None:
            raise StockActNotFound
        if StockAct.objects.filter(undoes=undone).exists():
            raise StockActUndone
        moved = dict(stock_books.movements_of(undone).values_list("product_id", "quantity"))
        _check_nobody_counted_since(undone)
        if undone.transfer_id is not None:
            stock_transfers.turn_back(undone, at=asked.at)
        stock_books.lock_levels(store, moved)
        act = stock_books.write(asked, store, Kind.UNDO, transfer=undone.transfer, undoes=undone)
        stock_books.move(act, Moved.UNDO, {product_id: -quantity for product_id, quantity in moved.items()})
        return Made(act, is_new=True)


def _check_nobody_counted_since(undone: StockAct) -> None:
    """A count says what is there, whatever happened before it."""
    of_a_product = Q(pk__in=[])
    for line in undone.lines:
        of_a_product |= Q(lines__contains=[{"product": line["product"]}])
    counts = StockAct.objects.filter(of_a_product, store_id=undone.store_id, kind=Kind.STOCK_TAKE, undone_by=None)
    if counts.filter(done_at__gte=undone.done_at, id__gt=undone.id).exists():
        raise StockCountedSince
