"""Checkout: the order repeats the quote's lines, uses and price, and gets exactly that or hears what has changed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.kernel.errors import IdempotencyConflict
from config.kernel.idempotency import content_hash
from config.kernel.pipeline import pipelined
from orders.errors import PlanChanged, VoucherNamedTwice
from orders.models import Payment, StoreOrder
from orders.providers import registry
from orders.services import placing, quoting
from orders.services.placing import Cause, Placed
from orders.services.quoting import CartLine, Quote
from vouchers.errors import VoucherNotFound
from vouchers.queries.plannable import open_wallet, wallet_of
from vouchers.services import voucher_locks

Uses = Sequence[tuple[UUID, int]]

LOCK_REQUEST = "SELECT pg_advisory_xact_lock(%(key)s)"
FIRST_ANSWER = "SELECT id FROM orders_storeorder WHERE customer_id = %(customer_id)s AND request_id = %(request_id)s"


class FreshPlan(PlanChanged):
    """``PlanChanged`` with the plan as it is now, for the edge to show."""

    def __init__(self, fresh: Quote) -> None:
        super().__init__(due_fen=fresh.priced.due_fen)
        self.fresh = fresh


def place_order(
    *,
    store_id: UUID,
    brand_id: UUID,
    customer_id: UUID,
    lines: Sequence[CartLine],
    uses: Uses,
    due_fen: int,
    provider: str,
    request_id: UUID,
    pick_up_at: datetime | None = None,
    at: datetime,
) -> Placed:
    """
    Order a cart with exactly these uses (voucher and serial) at exactly this price, even if a better plan has appeared.

    Safe to retry: the same ``request_id`` with the same content gives back the same order in its current state.
    The vouchers are locked in key order before anything is looked at, so of two orders, or an order and a counter,
    one gets a use. At most 14 statements.

    Raises:
        DomainError: whatever ``quoting.priced_cart`` raises.
        VoucherNotFound: a voucher is not hers.
        VoucherNamedTwice: one use of a voucher is named twice.
        PlanChanged: another price, or a use that does not apply any more; carries the plan as it is now.
        ProductSoldOut, SlotNotOffered, SlotFull: somebody took the last cup, or the last of that quarter of an hour.
        ProviderNotFound: see there.
        IdempotencyConflict: ``request_id`` came before with other content.
    """
    registry.by_name(provider)
    content = _content(store_id, lines, uses, due_fen, pick_up_at)
    with transaction.atomic(durable=True):
        ids = {voucher_id for voucher_id, _ in uses}
        vouchers, first_id = _lock(ids, customer_id, request_id)
        if first_id is not None:
            return _again(StoreOrder.objects.get(pk=first_id), content)
        if len(vouchers) < len(ids):
            raise VoucherNotFound(param="uses")
        if len(set(uses)) < len(uses):
            raise VoucherNamedTwice(param="uses")
        cart = quoting.priced_cart(store_id=store_id, brand_id=brand_id, lines=lines, at=at)
        owned = wallet_of(customer_id, brand_id, ids=ids) if ids else {}
        exact = quoting.exactly(cart, owned, uses, at=at)
        if exact is None or exact.priced.due_fen != due_fen:
            fresh = quoting.best(cart, open_wallet(customer_id, brand_id, at=at), at=at)
            raise FreshPlan(replace(fresh, pick_up=quoting.planned(cart, pick_up_at, at=at)))
        return placing.place(
            priced=exact.priced,
            store=cart.store,
            pick_up_at=pick_up_at,
            cause=Cause(customer_id, request_id, content, provider),
            vouchers={voucher_id: one.voucher for voucher_id, one in owned.items()},
            stories={voucher_id: one.story for voucher_id, one in owned.items()},
            terms={one.terms.id: one.terms for one in owned.values()},
            at=at,
        )


def _lock(ids: set[UUID], customer_id: UUID, request_id: UUID) -> tuple[set[UUID], UUID | None]:
    """
    Her vouchers, and the order that this request has made already.

    Copies of one request wait for each other here (a cart without vouchers has nothing else to lock), so the
    look for the first answer comes after the locks.
    """
    key = int.from_bytes(content_hash(customer=customer_id, request=request_id)[:8], signed=True)
    with pipelined() as send:
        send(LOCK_REQUEST, {"key": key})
        locking = voucher_locks.send_lock_of_customer(send, ids, customer_id=customer_id)
        looking = send(FIRST_ANSWER, {"customer_id": customer_id, "request_id": request_id})
    first = looking.fetchone()
    return {voucher.id for voucher in voucher_locks.vouchers_of(locking.fetchall())}, first[0] if first else None


def _content(store_id: UUID, lines: Sequence[CartLine], uses: Uses, due_fen: int, pick_up_at: datetime | None) -> bytes:
    asked = [
        [str(line.product_id), sorted(map(str, line.option_ids)), line.quantity]
        + ([str(line.instead_of)] if line.instead_of else [])
        for line in lines
    ]
    named = sorted([str(voucher_id), serial] for voucher_id, serial in uses)
    return content_hash(store=store_id, lines=asked, uses=named, due_fen=due_fen, pick_up_at=pick_up_at)


def _again(first: StoreOrder, content: bytes) -> Placed:
    if bytes(first.content_hash) != content:
        raise IdempotencyConflict(param="Idempotency-Key")
    payment = Payment.objects.filter(store_order=first).order_by("created_at", "id").last()
    return Placed(first, payment, is_repeat=True)
