"""The money of store orders: captured for the order, and back to the customer where it is undone."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from config.kernel.jobs import nudge_after_commit
from orders.models import LedgerTransfer, Payment, Refund, StoreOrder
from orders.services import ledger
from orders.services.ledger import Posting


def refund(order: StoreOrder, *, at: datetime) -> Refund | None:
    """
    Ask for all the cash of an order that is undone; None where there was none.

    Runs inside the caller's transaction, last in it because the ledger is told. A capture that was not wanted is
    on its way back already.
    """
    assert connection.in_atomic_block, "money goes back with the order that gives it back"
    if not order.due_fen:
        return None
    wanted = LedgerTransfer.objects.filter(kind=LedgerTransfer.Kind.ORDER_CAPTURE, source_kind="payment")
    payment = Payment.objects.get(store_order=order, id__in=wanted.values("source_id"), status="captured")
    made = Refund.objects.create(
        payment=payment,
        store_order=order,
        customer_id=order.customer_id,
        source_kind=Refund.Source.STORE_ORDER,
        source_id=order.id,
        amount_fen=order.due_fen,
        due_at=at,
        requested_at=at,
    )
    post = Posting(LedgerTransfer.Kind.REFUND_ORDER, order.brand_id, made.amount_fen, "refund", made.id)
    ledger.post([post], at=at)
    nudge_after_commit("orders.send_refunds", queue="outside")
    return made


def post_captures(captured: Sequence[tuple[StoreOrder, Payment]], *, at: datetime) -> None:
    """What was due of these orders has come in. Runs inside the caller's transaction."""
    ledger.post(
        [
            Posting(
                LedgerTransfer.Kind.ORDER_CAPTURE,
                order.brand_id,
                payment.amount_fen,
                "payment",
                payment.id,
                owner=payment.provider,
            )
            for order, payment in captured
        ],
        at=at,
    )
