"""What happens to store orders by themselves: unpaid, not accepted, left at closing, at a store that closed."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from config.kernel import audit, outbox
from config.kernel.caller import MACHINE
from config.kernel.ids import new_id
from orders.models import Payment, StoreOrder
from orders.services import alarms, notices, order_locks, order_undoing
from orders.services.closing_payments import Attempt, ask_and_close
from orders.services.order_moves import told
from orders.services.unpaid import ASK_AGAIN_SECONDS, Swept
from stores.models import Store

Status = StoreOrder.Status
ALARM_AFTER = timedelta(minutes=10)
REJECT_AFTER = timedelta(minutes=20)

NOT_ACCEPTED = "not_accepted_in_time"
STORE_CLOSED = "store_closed"
NOT_MADE = "not_made_by_closing"
OWN_REASONS = (NOT_ACCEPTED, STORE_CLOSED, NOT_MADE)
"""Why an order was rejected by itself; any other reason is what a clerk said."""
OPEN_PAYMENTS = ("created", "pending")


def lapse_unpaid(*, limit: int, at: datetime) -> Swept:
    """
    PLACED → LAPSED for up to ``limit`` orders nobody paid in time, each only after its provider has said so.

    As with purchases: one found paid goes into the inbox, one whose provider is silent is asked again later. Its
    vouchers do not wait for that; their own sweeper frees them when the lease ends.
    """
    attempts = _claim_unpaid(limit, at=at)
    if not attempts:
        return Swept(0, 0, 0)
    unpaid, captured = ask_and_close(attempt for of_order in attempts.values() for attempt in of_order)
    if captured:
        notices.store_notices(captured, at=at)
    given_up = [
        order_id
        for order_id, of_order in attempts.items()
        if all(attempt.payment_id in unpaid for attempt in of_order if attempt.is_open)
    ]
    lapsed = _lapse(given_up, unpaid, at=at)
    return Swept(closed=lapsed, captured=len(captured), left=max(0, len(attempts) - lapsed - len(captured)))


def look_after_unaccepted(*, limit: int, at: datetime) -> int:
    """
    Alarm about orders that nobody accepted in 10 minutes, reject them after 20; says how many were rejected.

    Claimed by state with SKIP LOCKED; each is alarmed once, in its brand's trail and to whoever follows
    ``orders.not_accepted``. The store's own board rings much earlier.
    """
    waiting = Q(status=Status.CONFIRMED)
    with transaction.atomic(durable=True):
        late = Q(waiting, confirmed_at__lte=at - ALARM_AFTER, alarmed_at__isnull=True)
        orders = order_locks.claim(late, oldest="confirmed_at", limit=limit)
        StoreOrder.objects.filter(id__in=[order.id for order in orders]).update(alarmed_at=at)
        for brand_id in {order.brand_id for order in orders}:
            late_here = [order for order in orders if order.brand_id == brand_id]
            alarms.raise_alarm(
                reason="order_not_accepted",
                subject_kind="store_order",
                references=[order.public_id for order in late_here],
                brand_id=brand_id,
                at=at,
            )
            outbox.announce(
                brand_id=brand_id, topic="orders.not_accepted", items=[told(order) for order in late_here], at=at
            )
    overdue = Q(waiting, confirmed_at__lte=at - REJECT_AFTER)
    return _reject(overdue, NOT_ACCEPTED, oldest="confirmed_at", limit=limit, at=at)


def clear_closed_stores(*, limit: int, at: datetime) -> int:
    """Reject what a store that closed for good has not made yet; what is ready waits for its customer."""
    open_states = (Status.CONFIRMED, Status.ACCEPTED, Status.MAKING)
    due = Q(status__in=open_states, store__in=Store.objects.filter(status=Store.Status.CLOSED))
    return _reject(due, STORE_CLOSED, oldest="placed_at", limit=limit, at=at)


def end_day(*, limit: int, at: datetime) -> int:
    """
    An hour after closing: what is not ready is rejected, what is ready is UNCOLLECTED and settles.

    Claimed by state with SKIP LOCKED; says how many ended.
    """
    over = Q(give_up_at__lte=at)
    unmade = Q(over, status__in=(Status.CONFIRMED, Status.ACCEPTED, Status.MAKING))
    rejected = _reject(unmade, NOT_MADE, oldest="give_up_at", limit=limit, at=at)
    left = _each(
        Q(over, status=Status.READY),
        lambda order: _leave_uncollected(order, at=at),
        act="store_orders.uncollected",
        topic="orders.moved",
        oldest="give_up_at",
        limit=limit,
        at=at,
    )
    return rejected + left


def _leave_uncollected(order: StoreOrder, *, at: datetime) -> None:
    order.status, order.ended_at = Status.UNCOLLECTED, at
    order.save(update_fields=["status", "ended_at"])


def _reject(due: Q, reason: str, *, oldest: str, limit: int, at: datetime) -> int:
    def undo(order: StoreOrder) -> None:
        order_undoing.undo(order, Status.REJECTED, reason=reason, by_id=None, request_id=new_id(), at=at)

    act = "store_orders.rejected"
    return _each(due, undo, act=act, topic="orders.undone", oldest=oldest, limit=limit, at=at)


def _each(
    due: Q,
    end: Callable[[StoreOrder], None],
    *,
    act: str,
    topic: str,
    oldest: str,
    limit: int,
    at: datetime,
) -> int:
    """End each of a claimed batch, with one audit row and one message a brand."""
    with transaction.atomic(durable=True):
        orders = order_locks.claim(due, oldest=oldest, limit=limit)
        for order in orders:
            end(order)
        _leave(act, orders, topic=topic, at=at)
        return len(orders)


def _claim_unpaid(limit: int, *, at: datetime) -> Mapping[UUID, Sequence[Attempt]]:
    """The attempts by order, marked as asked so that nobody else asks meanwhile."""
    attempts: dict[UUID, list[Attempt]] = defaultdict(list)
    with transaction.atomic(durable=True):
        asked = Payment.objects.filter(asked_at__gt=at - timedelta(seconds=ASK_AGAIN_SECONDS))
        due = StoreOrder.objects.filter(status=Status.PLACED, pay_until__lte=at).exclude(
            id__in=asked.filter(store_order__isnull=False).values("store_order_id")
        )
        claimed = list(due.order_by("pay_until")[:limit].select_for_update(no_key=True, skip_locked=True))
        payments = Payment.objects.filter(store_order__in=claimed)
        payments.update(asked_at=at)
        for payment_id, order_id, provider, status in payments.values_list("id", "store_order", "provider", "status"):
            attempts[order_id].append(Attempt(payment_id, order_id, provider, status))
    return attempts


def _lapse(order_ids: Sequence[UUID], unpaid: set[UUID], *, at: datetime) -> int:
    with transaction.atomic(durable=True):
        orders = [order for order in order_locks.lock(order_ids) if order.status == Status.PLACED]
        still_open = Payment.objects.filter(store_order__in=orders, status__in=OPEN_PAYMENTS)
        # An attempt the customer started after we asked: its provider has not been asked.
        unasked = {payment.store_order_id for payment in still_open if payment.id not in unpaid}
        lapsing = [order for order in orders if order.id not in unasked]
        Payment.objects.filter(store_order__in=lapsing, status__in=OPEN_PAYMENTS).update(status="closed")
        for order in lapsing:
            order_undoing.lapse(order, at=at)
        _leave("store_orders.lapsed", lapsing, topic=None, at=at)
        return len(lapsing)


def _leave(act: str, orders: Sequence[StoreOrder], *, topic: str | None, at: datetime) -> None:
    if not orders:
        return
    audit.record(
        act=act,
        actor_kind=MACHINE.kind,
        actor_id=None,
        subject_kind="store_order",
        subject_count=len(orders),
        at=at,
    )
    for brand_id in {order.brand_id for order in orders} if topic else ():
        items = [told(order) for order in orders if order.brand_id == brand_id]
        outbox.announce(brand_id=brand_id, topic=str(topic), items=items, at=at)
