"""
Writing down an order at a store whose price is settled: its lines, its vouchers' uses, its cups, its payment.

Where nothing is left to pay it is CONFIRMED at once; else its uses are held and its cups reserved until
``pay_until``, and a payment waits for its money.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection

from config.kernel.caller import CallerKind
from config.kernel.pipeline import pipelined
from config.kernel.trail import Act, Message, send_trail
from orders.models import Payment, StoreOrder
from orders.services import confirming, order_rows, order_slots, substituting
from orders.services.order_moves import told
from orders.services.priced_orders import PricedLine, PricedOrder
from stores.errors import ProductSoldOut
from stores.models import StockReservation
from stores.queries import StoreNow
from stores.queries.substitutes import offering
from stores.services import slots, stock
from vouchers.models import Hold, Voucher
from vouchers.queries.facts import Story
from vouchers.services import holds, order_uses
from vouchers.verdict import Terms


@dataclass(frozen=True, slots=True)
class Cause:
    """Who orders, under which key, and the fingerprint of what she asked for."""

    customer_id: UUID
    request_id: UUID
    content_hash: bytes
    provider: str


@dataclass(frozen=True, slots=True)
class Placed:
    """
    The order, the payment that waits for its money (none where nothing is due), and the lines as they were written;
    a repeat's are to be read.
    """

    order: StoreOrder
    payment: Payment | None
    lines: tuple[PricedLine, ...] = ()
    is_repeat: bool = False


def place(
    *,
    priced: PricedOrder,
    store: StoreNow,
    cause: Cause,
    vouchers: Mapping[UUID, Voucher],
    stories: Mapping[UUID, Story],
    terms: Mapping[UUID, Terms] | None = None,
    pick_up_at: datetime | None = None,
    at: datetime,
) -> Placed:
    """
    Write the order with everything it takes.

    Runs inside the caller's transaction, which has locked ``vouchers`` and found every use free. A refusal
    leaves that transaction to be rolled back.

    Raises:
        ProductSoldOut, SlotNotOffered, SlotFull: too little is left, of a product or of the time.
    """
    assert connection.in_atomic_block, "an order commits with what it takes"
    order = StoreOrder(
        brand_id=store.brand_id,
        store_id=store.store_id,
        customer_id=cause.customer_id,
        request_id=cause.request_id,
        content_hash=cause.content_hash,
        status=StoreOrder.Status.PLACED,
        total_fen=priced.total_fen,
        off_fen=priced.off_fen,
        due_fen=priced.due_fen,
        pick_up_at=pick_up_at,
        business_date=store.business_date,
        placed_at=at,
        pay_until=at + timedelta(seconds=settings.ORDER_LEASE_SECONDS),
    )
    _reserve(order, priced, store, at=at)
    payment = None
    if order.due_fen:
        payment = _await_payment(order, priced, cause, terms, at=at)
    else:
        _confirm_at_once(order, priced, store, vouchers, stories, at=at)
    substituting.note_placed(order, priced.lines, at=at)
    return Placed(order, payment, priced.lines)


def _reserve(order: StoreOrder, priced: PricedOrder, store: StoreNow, *, at: datetime) -> None:
    quantities: Counter[UUID] = Counter()
    for line in priced.lines:
        quantities[line.product_id] += line.quantity
    wanted = order_slots.wanted(order, store, cups=quantities.total(), at=at)
    with pipelined() as send:
        reserving = stock.send_reserve(
            send,
            store_id=order.store_id,
            business_date=order.business_date,
            quantities=quantities,
            source_kind=StockReservation.Source.STORE_ORDER,
            source_id=order.id,
            at=at,
        )
        taking = slots.send_take(send, wanted)
    try:
        stock.check_reserved(reserving)
    except ProductSoldOut as refusal:
        raise offering(refusal, store_id=store.store_id, today=store.business_date) from None
    order_slots.count(order, slots.taken(taking, wanted), store, cups=quantities.total(), at=at)


def _await_payment(
    order: StoreOrder, priced: PricedOrder, cause: Cause, terms: Mapping[UUID, Terms] | None, *, at: datetime
) -> Payment:
    if priced.uses:
        serials: defaultdict[UUID, list[int]] = defaultdict(list)
        for use in priced.uses:
            serials[use.voucher_id].append(use.serial)
        held = holds.hold(
            uses={voucher_id: len(of_voucher) for voucher_id, of_voucher in serials.items()},
            serials=serials,
            source_kind=Hold.Source.STORE_ORDER.value,
            source_id=order.id,
            expires_at=order.pay_until,
            terms=terms,
            at=at,
        )
        order.fence = held[0].fence
    with pipelined() as send:
        order_rows.send_placed(send, order, priced)
        send_trail(send, [_act(order, priced)], [], at=at)
    order_rows.written(order)
    return Payment.objects.create(
        store_order=order,
        customer_id=order.customer_id,
        provider=cause.provider,
        amount_fen=order.due_fen,
        created_at=at,
    )


def _confirm_at_once(
    order: StoreOrder,
    priced: PricedOrder,
    store: StoreNow,
    vouchers: Mapping[UUID, Voucher],
    stories: Mapping[UUID, Story],
    *,
    at: datetime,
) -> None:
    occasion = confirming.occasion_of(order, store, at=at)
    order.status, order.confirmed_at = StoreOrder.Status.CONFIRMED, at
    order.give_up_at = confirming.give_up_at(order, store, at=at)
    if priced.uses:
        order.redemption_request_id = occasion.request_id
    with pipelined() as send:
        writing = order_rows.send_confirmed(send, order, priced)
    [(order.pickup_number,)] = writing.fetchall()
    order_rows.written(order)
    message = Message(order.brand_id, "orders.confirmed", [told(order)])
    if not priced.uses:
        with pipelined() as send:
            send_trail(send, [_act(order, priced)], [message], at=at)
        return
    order_uses.request(
        id=occasion.request_id,
        order_id=order.id,
        store_id=order.store_id,
        content_hash=bytes(order.content_hash),
        at=at,
    )
    order_uses.redeem_at_once(
        uses=[(vouchers[use.voucher_id], use.serial) for use in priced.uses],
        stories=stories,
        occasion=occasion,
        acts=[_act(order, priced)],
        messages=[message],
        at=at,
    )
    if substituting.told(priced.lines):
        substituting.note_redeemed(order, at=at)


def _act(order: StoreOrder, priced: PricedOrder) -> Act:
    return Act(
        act="store_order.placed",
        actor_kind=CallerKind.CUSTOMER,
        actor_id=order.customer_id,
        subject_kind="store_order",
        subject_id=order.id,
        brand_id=order.brand_id,
        details={"due_fen": order.due_fen, "off_fen": order.off_fen, **substituting.trail_of(priced.lines)},
    )
