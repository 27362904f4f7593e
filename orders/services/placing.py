"""
Writing down an order at a store whose price is settled: its lines, its vouchers' uses, its cups, its payment.

Where nothing is left to pay it is CONFIRMED at once; else its uses are held and its cups reserved until
``pay_until``, and a payment waits for its money.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection

from config.kernel.caller import CallerKind
from config.kernel.pipeline import pipelined
from config.kernel.trail import Act, Message, send_trail
from orders.models import AppliedVoucher, Payment, StoreOrder, StoreOrderLine
from orders.services import confirming
from orders.services.order_moves import told
from stores.business_days import closing_time
from stores.models import StockReservation
from stores.queries import StoreNow
from stores.services import stock
from vouchers.models import Hold, Voucher
from vouchers.queries.facts import Story
from vouchers.services import holds, order_uses

# The order and its number on one trip; the counter's row is locked to the end of the transaction.
WRITE_CONFIRMED = f"""
    WITH number AS ({confirming.NEXT_NUMBER})
    INSERT INTO orders_storeorder
    SELECT row.* FROM number, jsonb_populate_record(
        null::orders_storeorder, %(row)s::jsonb || jsonb_build_object('pickup_number', number.last)) AS row
    RETURNING pickup_number
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class PricedLine:
    """``off_fen`` of ``unit_fen`` × ``quantity`` is paid by vouchers; ``options`` as the order keeps them."""

    product_id: UUID
    name: str
    options: tuple[dict[str, Any], ...]
    unit_fen: int
    quantity: int
    off_fen: int

    @property
    def due_fen(self) -> int:
        return self.unit_fen * self.quantity - self.off_fen


@dataclass(frozen=True, slots=True)
class PricedUse:
    """One use of a voucher, and what it takes off each line, by position."""

    voucher_id: UUID
    serial: int
    off_lines: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class PricedOrder:
    """A cart with the uses that pay for it."""

    lines: tuple[PricedLine, ...]
    uses: tuple[PricedUse, ...]

    def __post_init__(self) -> None:
        by_line: Counter[int] = Counter()
        for use in self.uses:
            by_line.update(use.off_lines)
        assert all(by_line[position] == line.off_fen for position, line in enumerate(self.lines)), "parts sum"

    @property
    def total_fen(self) -> int:
        return sum(line.unit_fen * line.quantity for line in self.lines)

    @property
    def off_fen(self) -> int:
        return sum(line.off_fen for line in self.lines)

    @property
    def due_fen(self) -> int:
        return self.total_fen - self.off_fen


@dataclass(frozen=True, slots=True)
class Cause:
    """Who orders, under which key, and the fingerprint of what she asked for."""

    customer_id: UUID
    request_id: UUID
    content_hash: bytes
    provider: str


@dataclass(frozen=True, slots=True)
class Placed:
    """The order and the payment that waits for its money; none where nothing is due."""

    order: StoreOrder
    payment: Payment | None
    is_repeat: bool = False


def place(
    *,
    priced: PricedOrder,
    store: StoreNow,
    cause: Cause,
    vouchers: Mapping[UUID, Voucher],
    stories: Mapping[UUID, Story],
    at: datetime,
) -> Placed:
    """
    Write the order with everything it takes.

    Runs inside the caller's transaction, which has locked ``vouchers`` and found every use free. A refusal
    leaves that transaction to be rolled back.

    Raises:
        ProductSoldOut: too little is left.
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
        business_date=store.business_date,
        placed_at=at,
        pay_until=at + timedelta(seconds=settings.ORDER_LEASE_SECONDS),
    )
    _reserve(order, priced, at=at)
    if order.due_fen:
        return Placed(order, _await_payment(order, priced, cause, at=at))
    _confirm_at_once(order, priced, store, vouchers, stories, at=at)
    return Placed(order, None)


def _reserve(order: StoreOrder, priced: PricedOrder, *, at: datetime) -> None:
    quantities: Counter[UUID] = Counter()
    for line in priced.lines:
        quantities[line.product_id] += line.quantity
    stock.reserve(
        store_id=order.store_id,
        business_date=order.business_date,
        quantities=quantities,
        source_kind=StockReservation.Source.STORE_ORDER,
        source_id=order.id,
        at=at,
    )


def _await_payment(order: StoreOrder, priced: PricedOrder, cause: Cause, *, at: datetime) -> Payment:
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
            at=at,
        )
        order.fence = held[0].fence
    order.save(force_insert=True)
    _write_parts(order, priced)
    with pipelined() as send:
        send_trail(send, [_act(order)], [], at=at)
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
    order.give_up_at = closing_time(hours=store.hours, zone=store.zone, at=at) + confirming.GIVE_UP_AFTER_CLOSING
    if priced.uses:
        order.redemption_request_id = occasion.request_id
    with pipelined() as send:
        day = {"store_id": order.store_id, "business_date": order.business_date}
        writing = send(WRITE_CONFIRMED, {**day, "row": _as_row(order)})
    [(order.pickup_number,)] = writing.fetchall()
    order._state.adding, order._state.db = False, "default"
    _write_parts(order, priced)
    message = Message(order.brand_id, "orders.confirmed", [told(order)])
    if not priced.uses:
        with pipelined() as send:
            send_trail(send, [_act(order)], [message], at=at)
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
        acts=[_act(order)],
        messages=[message],
        at=at,
    )


def _write_parts(order: StoreOrder, priced: PricedOrder) -> None:
    StoreOrderLine.objects.bulk_create(
        StoreOrderLine(
            order=order,
            position=position,
            product_id=line.product_id,
            name=line.name,
            options=list(line.options),
            unit_fen=line.unit_fen,
            quantity=line.quantity,
            off_fen=line.off_fen,
            due_fen=line.due_fen,
        )
        for position, line in enumerate(priced.lines)
    )
    AppliedVoucher.objects.bulk_create(
        AppliedVoucher(
            order=order,
            voucher_id=use.voucher_id,
            customer_id=order.customer_id,
            serial=use.serial,
            off_fen=sum(use.off_lines.values()),
            off_lines={str(position): fen for position, fen in use.off_lines.items()},
        )
        for use in priced.uses
    )


def _act(order: StoreOrder) -> Act:
    return Act(
        act="store_order.placed",
        actor_kind=CallerKind.CUSTOMER,
        actor_id=order.customer_id,
        subject_kind="store_order",
        subject_id=order.id,
        brand_id=order.brand_id,
        details={"due_fen": order.due_fen, "off_fen": order.off_fen},
    )


def _as_row(order: StoreOrder) -> str:
    """The order as ``jsonb_populate_record`` reads it."""
    row: dict[str, Any] = {str(field.column): getattr(order, field.attname) for field in order._meta.concrete_fields}
    return orjson.dumps({**row, "content_hash": f"\\x{bytes(order.content_hash).hex()}"}).decode()
