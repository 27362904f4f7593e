"""Captured money meets its store order: in time, late but everything is still there, or back in full."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from django.conf import settings
from django.db import connection, transaction

from config.kernel import audit, outbox
from config.kernel.caller import MACHINE
from config.kernel.errors import DomainError
from config.kernel.jobs import nudge_after_commit
from config.kernel.pipeline import pipelined
from orders.models import LedgerTransfer, Payment, Refund, StoreOrder
from orders.providers.interface import CURRENCY
from orders.services import (
    alarms,
    confirming,
    ledger,
    order_cash,
    order_locks,
    order_slots,
    order_undoing,
    taking,
)
from orders.services.captures import ALARMING
from orders.services.inbox import Outcome, StoredNotice
from orders.services.ledger import Posting
from orders.services.order_moves import told
from stores.business_days import is_open
from stores.models import StockReservation, Store
from stores.queries import StoreNow, send_stores, stores_now
from stores.services import stock
from vouchers.models import Hold

Status = StoreOrder.Status


def apply(notices: Sequence[StoredNotice], *, at: datetime) -> dict[int, Outcome | None]:
    """
    Apply the captures that pay for store orders; what pays for anything else is left out of the answer.

    Runs inside the caller's transaction; locks orders, then all their vouchers, then stock, then the counters of
    pick-up numbers, each in key order. Safe to repeat: a capture is known by payment and provider transaction.
    An old fence confirms nothing: money that comes after its lease finds the very same uses and cups free, and
    holds them again under a new fence, or goes back in full.
    """
    assert connection.in_atomic_block, "a capture commits with its notice"
    named = {notice.id: notice.subject_id(Payment.PREFIX) for notice in notices}
    owners = Payment.objects.filter(id__in=[one for one in named.values() if one], store_order__isnull=False)
    owner_of = dict(owners.values_list("id", "store_order_id"))
    if not owner_of:
        return {}
    batch = _Batch.locked(owner_of, at=at)
    outcomes: dict[int, Outcome | None] = {}
    for notice in notices:
        payment_id = named[notice.id]
        payment = batch.payments.get(payment_id) if payment_id else None
        if payment is not None and payment.provider == notice.provider:
            outcomes[notice.id] = batch.decide(notice, payment)
    batch.write()
    return outcomes


@dataclass(slots=True)
class _Batch:
    """One batch under its locks: decides in order, then confirms in the order of the counters."""

    orders: Mapping[UUID, StoreOrder]
    payments: Mapping[UUID, Payment]
    stores: Mapping[UUID, StoreNow]
    given_back: set[UUID]
    at: datetime
    paid: list[tuple[StoreOrder, Payment]] = field(default_factory=list)
    captured: int = 0
    lapsed: int = 0
    unwanted: list[Posting] = field(default_factory=list)
    alarming: dict[tuple[str, UUID], list[str]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def locked(cls, owner_of: Mapping[UUID, UUID | None], *, at: datetime) -> "_Batch":
        orders = order_locks.lock([order_id for order_id in owner_of.values() if order_id])
        # Read after the locks: an order's row guards its payments.
        payments = {payment.id: payment for payment in Payment.objects.filter(id__in=owner_of)}
        unwanted = Refund.objects.filter(payment_id__in=owner_of, source_kind=Refund.Source.UNWANTED_CAPTURE)
        with pipelined() as send:
            looking = send_stores(send, {order.store_id for order in orders}, at)
        return cls(
            orders={order.id: order for order in orders},
            payments=payments,
            stores=stores_now(looking, at),
            given_back=set(unwanted.values_list("source_id", flat=True)),
            at=at,
        )

    def decide(self, notice: StoredNotice, payment: Payment) -> Outcome:
        assert payment.store_order_id is not None, "it pays for a store order"
        order = self.orders[payment.store_order_id]
        is_first = payment.status != Payment.Status.CAPTURED
        capture_id = uuid5(payment.id, notice.provider_reference)
        if capture_id in self.given_back or (not is_first and payment.provider_reference == notice.provider_reference):
            return Outcome.REPEATED
        if is_first:
            self._capture(payment, notice)
        reason = self._why_unwanted(notice, payment, order, is_first=is_first)
        if reason is None and self._can_be_had(order):
            # Not its first and paid meanwhile: of two payments in one batch the second is not wanted.
            self.paid.append((order, payment))
            return Outcome.APPLIED
        self._give_back(notice, payment, order, capture_id=capture_id, reason=reason or "came_too_late")
        return Outcome.REFUNDED

    def _capture(self, payment: Payment, notice: StoredNotice) -> None:
        payment.status, payment.provider_reference = Payment.Status.CAPTURED, notice.provider_reference
        payment.captured_fen, payment.captured_at = notice.amount_fen, notice.occurred_at
        payment.save(update_fields=["status", "provider_reference", "captured_fen", "captured_at"])
        self.captured += 1

    def _why_unwanted(self, notice: StoredNotice, payment: Payment, order: StoreOrder, *, is_first: bool) -> str | None:
        if notice.currency != CURRENCY:
            return "wrong_currency"
        if notice.amount_fen != payment.amount_fen:
            return "wrong_amount"
        is_open = order.status in (Status.PLACED, Status.LAPSED)
        if not is_first or not is_open or any(paid is order for paid, _ in self.paid):
            return "second_capture"
        return None

    def _can_be_had(self, order: StoreOrder) -> bool:
        """Everything the order promised, held and reserved: still, or again."""
        store = self.stores[order.store_id]
        if store.status == Store.Status.CLOSED:
            return self._end_of(order)
        if not is_open(hours=store.hours, zone=store.zone, at=self.at):
            return self._end_of(order)  # it closed for today, and nobody is there to make it
        if order.status == Status.PLACED and (order.fence is None or self._is_held(order)):
            return True
        try:
            with transaction.atomic():
                taking.check(store, at=self.at)
                self._have_again(order, store)
        except DomainError:  # whichever it is: no more orders, or a use, a cup, a slot has gone to somebody else
            order.refresh_from_db()
            return self._end_of(order)
        return True

    def _is_held(self, order: StoreOrder) -> bool:
        assert order.fence is not None, "asked of orders with vouchers"
        # Holds end under their vouchers' locks, and we have those.
        live = Hold.objects.filter(source_id=order.id, fence=order.fence, ended_at__isnull=True)
        return live.exists()

    def _have_again(self, order: StoreOrder, store: StoreNow) -> None:
        if order.fence is not None:
            until = self.at + timedelta(seconds=settings.ORDER_LEASE_SECONDS)
            confirming.hold_again(order, expires_at=until, at=self.at)
        if order.status == Status.LAPSED:
            quantities: dict[UUID, int] = defaultdict(int)
            for line in order.lines.all():
                quantities[line.product_id] += line.quantity
            stock.reserve(
                store_id=order.store_id,
                business_date=store.business_date,
                quantities=quantities,
                source_kind=StockReservation.Source.STORE_ORDER,
                source_id=order.id,
                at=self.at,
            )
            order_slots.take_again(order, store, cups=sum(quantities.values()), at=self.at)

    def _end_of(self, order: StoreOrder) -> bool:
        if order.status == Status.PLACED:
            order_undoing.lapse(order, at=self.at)
            self.lapsed += 1
        return False

    def _give_back(
        self, notice: StoredNotice, payment: Payment, order: StoreOrder, *, capture_id: UUID, reason: str
    ) -> None:
        self.given_back.add(capture_id)
        refund = Refund.objects.create(
            payment=payment,
            store_order=order,
            customer_id=order.customer_id,
            source_kind=Refund.Source.UNWANTED_CAPTURE,
            source_id=capture_id,
            amount_fen=notice.amount_fen,
            due_at=self.at,
            requested_at=self.at,
        )
        kind = LedgerTransfer.Kind.UNWANTED_CAPTURE
        self.unwanted.append(
            Posting(kind, order.brand_id, notice.amount_fen, "refund", refund.id, owner=notice.provider)
        )
        if reason in ALARMING:
            self.alarming[reason, order.brand_id].append(notice.reference)

    def write(self) -> None:
        for order, _ in sorted(self.paid, key=lambda one: (one[0].store_id, one[0].id)):
            confirming.confirm_held(order, self.stores[order.store_id], at=self.at)
        if self.paid:
            order_cash.post_captures(self.paid, at=self.at)
            for brand_id in {order.brand_id for order, _ in self.paid}:
                items = [told(order) for order, _ in self.paid if order.brand_id == brand_id]
                outbox.announce(brand_id=brand_id, topic="orders.confirmed", items=items, at=self.at)
        if self.unwanted:
            ledger.post(self.unwanted, at=self.at)
            nudge_after_commit("orders.send_refunds", queue="outside")
        for act, kind, count in (
            ("payments.captured", "payment", self.captured),
            ("store_orders.lapsed", "store_order", self.lapsed),
        ):
            if count:
                audit.record(
                    act=act,
                    actor_kind=MACHINE.kind,
                    actor_id=None,
                    subject_kind=kind,
                    subject_count=count,
                    at=self.at,
                )
        for (reason, brand_id), references in self.alarming.items():
            alarms.raise_alarm(
                reason=reason, subject_kind="payment", references=references, brand_id=brand_id, at=self.at
            )
