"""Orders at a store: every state, every event, and what goes back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from config.kernel.errors import DomainError
from config.kernel.models import AuditEntry, OutboxMessage
from orders.errors import OrderMayStillBeCancelled, OrderMovedOn, RejectionTooLate, StoreOrderNotFound
from orders.models import LedgerTransfer, Payment, PickupCounter, StoreOrder, StoreOrderLine
from orders.services import notices, order_moves, order_sweeps, refund_sending
from orders.services.placing import Placed
from stores.errors import ProductSoldOut
from stores.models import StockLevel, StockReservation, Store
from tests import factories
from tests.factories import NOW
from tests.orders import ordering
from tests.orders.buying import tell
from tests.orders.fake_provider import FakeProvider
from tests.orders.ordering import CUP_FEN, by_clerk, confirmed, move, pay, place, priced, refunds_of
from tests.stores import stocked
from tests.vouchers import counters, granted
from tests.vouchers.counters import Counter
from vouchers.models import Hold, Redemption, Voucher
from vouchers.services import grants, holds
from vouchers.services.grant_reversal import reverse_granted
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db

NETWORK = pytest.mark.django_db(transaction=True)
"""Providers are asked outside any transaction, so these tests have none of their own."""
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
LEASE_OVER = NOW + timedelta(minutes=15)


@pytest.fixture
def counter() -> Counter:
    return counters.counter(hours={str(day): [["10:00", "22:00"]] for day in range(1, 8)})


def status_of(row: StoreOrder | Voucher) -> str:
    row.refresh_from_db()
    return row.status


def half_paid(counter: Counter, voucher: Voucher, **fields: Any) -> Placed:
    """Two cups: one by the voucher, one to be paid."""
    product = fields.pop("product", None) or factories.product(counter.brand)
    return place(counter, priced((product, 2), uses=[(voucher, 1, CUP_FEN)]), **fields)


# --- placing ----------------------------------------------------------------------------------------


def test_an_order_with_nothing_due_is_confirmed_at_once_and_redeems_its_uses(counter: Counter) -> None:
    voucher = counter.voucher()

    order = confirmed(counter, voucher=voucher)

    stored = StoreOrder.objects.get()
    assert (stored.status, stored.pickup_number, stored.due_fen, stored.off_fen) == ("confirmed", 100, 0, CUP_FEN)
    assert bytes(stored.content_hash) == b"0" * 16
    assert stored.give_up_at == datetime(2026, 6, 1, 15, tzinfo=NOW.tzinfo), "an hour after 22:00 in Shanghai"
    [redemption] = Redemption.objects.all()
    assert (redemption.request_id, redemption.request.source_id) == (order.redemption_request_id, order.id)
    assert (redemption.reversible_until, redemption.entity_id) == (None, counter.entity.id)
    assert status_of(voucher) == "used"
    topics = set(OutboxMessage.objects.values_list("topic", flat=True))
    assert {"orders.confirmed", "vouchers.redeemed"} <= topics


@pytest.mark.parametrize("acts", [(), ("accept",), ("accept", "begin_making")])
def test_only_what_is_ready_can_be_collected_by_herself(counter: Counter, acts: tuple[str, ...]) -> None:
    order = move(counter, confirmed(counter, voucher=counter.voucher()), *acts, at=NOW + MINUTE)

    with pytest.raises(OrderMovedOn):
        order_moves.collect_herself(order_id=order.id, customer_id=order.customer_id, at=NOW + 2 * MINUTE)

    assert status_of(order) == order.status


def test_she_collects_it_herself_once_and_nobody_else_does(counter: Counter) -> None:
    order = confirmed(counter, voucher=counter.voucher())
    move(counter, order, "accept", "begin_making", "ready", at=NOW + MINUTE)
    later = NOW + 2 * MINUTE
    with pytest.raises(StoreOrderNotFound):
        order_moves.collect_herself(order_id=order.id, customer_id=factories.customer(counter.brand).id, at=later)

    for minutes in (0, 1):
        order = order_moves.collect_herself(
            order_id=order.id, customer_id=order.customer_id, at=later + minutes * MINUTE
        )

    assert (order.status, order.collected_at) == ("collected", later)
    [told] = AuditEntry.objects.filter(act="store_order.collected")
    assert (told.actor_kind, told.actor_id) == ("customer", order.customer_id)


def test_numbers_are_the_stores_and_the_days(counter: Counter) -> None:
    tomorrow = NOW + timedelta(days=1)
    other = counters.counter(brand=counter.brand)
    other._next_number = 1_000

    numbers = [
        confirmed(counter).pickup_number,
        confirmed(counter).pickup_number,
        confirmed(counter, at=tomorrow).pickup_number,
        confirmed(other).pickup_number,
    ]

    assert numbers == [100, 101, 100, 100]


def test_an_order_with_something_due_holds_its_uses_and_waits_for_its_payment(counter: Counter) -> None:
    voucher = counter.voucher()

    placed = half_paid(counter, voucher)

    assert placed.payment is not None
    assert (placed.payment.amount_fen, placed.payment.status, placed.payment.purchase_id) == (CUP_FEN, "created", None)
    assert (placed.order.status, placed.order.pickup_number) == ("placed", None)
    assert Hold.objects.get().fence == placed.order.fence
    assert status_of(voucher) == "held"
    assert not Redemption.objects.exists()


def test_it_holds_just_the_uses_of_the_plan(counter: Counter) -> None:
    card = counter.voucher(counter.terms(kind="times_card", list_price_fen=600, use_list_fen=[300, 200, 100]))

    place(counter, priced((factories.product(counter.brand), 2), uses=[(card, 3, CUP_FEN)]))

    assert [hold.serial for hold in Hold.objects.all()] == [3]


def test_what_is_sold_out_is_not_ordered(counter: Counter) -> None:
    scarce = stocked.keep(counter.store, "counted", units=1)
    voucher = counter.voucher()

    with pytest.raises(ProductSoldOut):
        place(counter, priced((scarce, 2), uses=[(voucher, 1, CUP_FEN)]))

    assert not StoreOrder.objects.exists()
    assert status_of(voucher) == "issued"


def test_lines_are_written_once(counter: Counter) -> None:
    confirmed(counter)

    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        StoreOrderLine.objects.update(name="别的")


# --- paying -----------------------------------------------------------------------------------------


def test_the_capture_confirms_it_and_its_uses_become_redemptions(counter: Counter) -> None:
    voucher = counter.voucher()
    placed = half_paid(counter, voucher)

    order = pay(placed, at=NOW + MINUTE)

    assert (order.status, order.pickup_number, order.confirmed_at) == ("confirmed", 100, NOW + MINUTE)
    assert Redemption.objects.get().request_id == order.redemption_request_id
    assert status_of(voucher) == "used"
    assert Hold.objects.get().outcome == "confirmed"
    [transfer] = LedgerTransfer.objects.filter(kind="order_capture")
    assert (transfer.amount_fen, transfer.credit.kind) == (CUP_FEN, "store_order_cash")


def test_a_repeated_notice_changes_nothing_and_a_second_capture_goes_back(counter: Counter) -> None:
    placed = place(counter)
    pay(placed, provider_reference="one")
    pay(placed, provider_reference="one", event_id="again")
    assert refunds_of(placed.order) == []

    pay(placed, provider_reference="two")

    assert refunds_of(placed.order) == [("unwanted_capture", CUP_FEN)]
    assert status_of(placed.order) == "confirmed"
    assert AuditEntry.objects.filter(act="alarm.second_capture").exists()


def test_two_payments_in_one_batch_pay_an_order_once(counter: Counter) -> None:
    placed = place(counter)

    tell(
        ordering.capture(placed.payment, provider_reference="one"),
        ordering.capture(placed.payment, provider_reference="two"),
        at=NOW,
    )

    assert status_of(placed.order) == "confirmed"
    assert refunds_of(placed.order) == [("unwanted_capture", CUP_FEN)]


def test_a_wrong_amount_goes_back_and_the_order_still_waits(counter: Counter) -> None:
    placed = place(counter)

    pay(placed, amount_fen=CUP_FEN + 1)

    assert refunds_of(placed.order) == [("unwanted_capture", CUP_FEN + 1)]
    assert status_of(placed.order) == "placed"


# --- the lease --------------------------------------------------------------------------------------


@NETWORK
def test_an_unpaid_order_lapses_and_gives_everything_back(counter: Counter, provider: FakeProvider) -> None:
    voucher, product = counter.voucher(), stocked.keep(counter.store, "counted", units=2)
    placed = half_paid(counter, voucher, product=product)
    assert order_sweeps.lapse_unpaid(limit=9, at=LEASE_OVER - SECOND).closed == 0

    assert order_sweeps.lapse_unpaid(limit=9, at=LEASE_OVER).closed == 1

    assert status_of(placed.order) == "lapsed"
    assert status_of(voucher) == "issued"
    assert StockLevel.objects.get().reserved == 0
    assert Payment.objects.get().status == "closed"
    assert AuditEntry.objects.get(act="store_orders.lapsed").subject_count == 1


@NETWORK
def test_a_silent_provider_keeps_the_order_but_not_the_voucher(counter: Counter, provider: FakeProvider) -> None:
    voucher = counter.voucher()
    placed = half_paid(counter, voucher)
    provider.is_silent = True

    swept = order_sweeps.lapse_unpaid(limit=9, at=LEASE_OVER)
    holds.release_overdue(limit=9, at=LEASE_OVER)

    assert (swept.closed, swept.left) == (0, 1)
    assert status_of(placed.order) == "placed"
    assert status_of(voucher) == "issued"


@NETWORK
def test_money_after_the_lease_has_everything_again_under_a_new_fence(counter: Counter, provider: FakeProvider) -> None:
    voucher, product = counter.voucher(), stocked.keep(counter.store, "counted", units=2)
    placed = half_paid(counter, voucher, product=product)
    order_sweeps.lapse_unpaid(limit=9, at=LEASE_OVER)

    order = pay(placed, at=LEASE_OVER + MINUTE)

    assert order.status == "confirmed"
    assert order.fence is not None
    assert placed.order.fence is not None
    assert order.fence > placed.order.fence
    assert StockLevel.objects.get().reserved == 2
    assert Redemption.objects.get().voucher == voucher


def test_money_while_the_lease_was_swept_and_the_order_not_yet_is_held_again(counter: Counter) -> None:
    voucher = counter.voucher()
    placed = half_paid(counter, voucher)
    holds.release_overdue(limit=9, at=LEASE_OVER)

    assert pay(placed, at=LEASE_OVER).status == "confirmed"
    assert status_of(voucher) == "used"


def take_the_voucher(counter: Counter, voucher: Voucher, at: datetime) -> None:
    counter.redeem(voucher.code, at=at)


def take_the_cup(counter: Counter, voucher: Voucher, at: datetime) -> None:
    product = StockLevel.objects.get().product
    stocked.reserve(counter.store, {product: 1})


def close_the_store(counter: Counter, voucher: Voucher, at: datetime) -> None:
    Store.objects.filter(pk=counter.store.pk).update(status="closed", closed_at=at)


def pause_the_store(counter: Counter, voucher: Voucher, at: datetime) -> None:
    Store.objects.filter(pk=counter.store.pk).update(status="paused")


@NETWORK
@pytest.mark.parametrize("loss", [take_the_voucher, take_the_cup, close_the_store, pause_the_store])
def test_money_after_the_lease_goes_back_in_full_where_anything_has_gone(
    counter: Counter, provider: FakeProvider, loss: Callable[[Counter, Voucher, datetime], None]
) -> None:
    voucher, product = counter.voucher(), stocked.keep(counter.store, "counted", units=2)
    placed = half_paid(counter, voucher, product=product)
    order_sweeps.lapse_unpaid(limit=9, at=LEASE_OVER)
    loss(counter, voucher, LEASE_OVER)

    order = pay(placed, at=LEASE_OVER + MINUTE)

    assert order.status == "lapsed"
    assert refunds_of(order) == [("unwanted_capture", CUP_FEN)]
    assert not StockReservation.objects.filter(source_id=order.id, state="open").exists()
    assert not Hold.objects.filter(ended_at=None).exists()
    assert LedgerTransfer.objects.get(kind="unwanted_capture").amount_fen == CUP_FEN


def test_money_for_a_store_that_closed_meanwhile_goes_back_and_so_does_the_voucher(counter: Counter) -> None:
    voucher = counter.voucher()
    placed = half_paid(counter, voucher)
    close_the_store(counter, voucher, NOW)

    order = pay(placed, at=NOW + MINUTE)

    assert (order.status, refunds_of(order)) == ("lapsed", [("unwanted_capture", CUP_FEN)])
    assert status_of(voucher) == "issued"


def test_money_that_comes_after_closing_time_goes_back_for_nobody_makes_it(counter: Counter) -> None:
    Store.objects.filter(pk=counter.store.pk).update(hours={"1": [["10:00", "12:05"]]})
    voucher = counter.voucher()
    placed = half_paid(counter, voucher)

    order = pay(placed, at=NOW + 5 * MINUTE)

    assert (order.status, refunds_of(order)) == ("lapsed", [("unwanted_capture", CUP_FEN)])
    assert status_of(voucher) == "issued"


# --- state × event ----------------------------------------------------------------------------------

STATES = ["placed", "confirmed", "accepted", "making", "ready", "collected", "uncollected", "lapsed", "cancelled"]
STATES.append("rejected")
ACTS = ["accept", "begin_making", "ready", "collect", "cancel", "reject"]
TARGET = {
    "accept": "accepted",
    "begin_making": "making",
    "ready": "ready",
    "collect": "collected",
    "cancel": "cancelled",
    "reject": "rejected",
}
ALLOWED = {
    ("confirmed", "accept"),
    ("accepted", "begin_making"),
    ("making", "ready"),
    ("ready", "collect"),
    ("confirmed", "cancel"),
    ("accepted", "cancel"),
    *((state, "reject") for state in ("confirmed", "accepted", "making", "ready", "collected")),
}
WAY = {"accepted": ["accept"], "making": ["accept", "begin_making"], "ready": ["accept", "begin_making", "ready"]}
WAY["collected"] = [*WAY["ready"], "collect"]
LATER = NOW + 5 * MINUTE


def order_in(state: str, counter: Counter) -> StoreOrder:
    """An order half paid by a voucher, half in cash, as it is in ``state``."""
    placed = half_paid(counter, counter.voucher())
    if state == "placed":
        return placed.order
    if state == "lapsed":
        assert placed.payment is not None
        order_sweeps._lapse([placed.order.id], {placed.payment.id}, at=LEASE_OVER)
        return StoreOrder.objects.get()
    order = move(counter, pay(placed), *WAY.get(state, []), at=NOW + 2 * MINUTE)
    if state == "uncollected":
        move(counter, order, *WAY["ready"], at=NOW + 2 * MINUTE)
        order_sweeps.end_day(limit=9, at=NOW + timedelta(days=1))
    if state in ("cancelled", "rejected"):
        act("cancel" if state == "cancelled" else "reject", counter, order, at=NOW + 2 * MINUTE)
    return StoreOrder.objects.get()


def act(name: str, counter: Counter, order: StoreOrder, *, at: datetime = LATER) -> StoreOrder:
    if name == "cancel":
        return order_moves.cancel(order_id=order.id, customer_id=order.customer_id, at=at)
    if name == "reject":
        return order_moves.reject(order_id=order.id, reason="牛奶用完了", at=at, **by_clerk(counter))
    return move(counter, order, name, at=at)


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("state", STATES)
def test_state_and_event(state: str, name: str, counter: Counter) -> None:
    order = order_in(state, counter)
    assert order.status == state
    entries = AuditEntry.objects.filter(subject_id=order.id).count()

    if (state, name) in ALLOWED:
        assert act(name, counter, order).status == status_of(order) == TARGET[name]
        assert AuditEntry.objects.filter(subject_id=order.id).count() == entries + 1
    elif state == TARGET[name]:
        assert act(name, counter, order).status == state, "a repeat finds what it did"
        assert AuditEntry.objects.filter(subject_id=order.id).count() == entries
    else:
        with pytest.raises(OrderMovedOn) as refusal:
            act(name, counter, order)
        assert refusal.value.details["status"] == status_of(order) == state


@pytest.mark.parametrize("name", ["cancel", "reject"])
def test_an_undone_order_gives_vouchers_cups_and_cash_back(counter: Counter, name: str) -> None:
    voucher, product = counter.voucher(), stocked.keep(counter.store, "counted", units=2)
    order = pay(half_paid(counter, voucher, product=product))

    act(name, counter, order)

    assert status_of(voucher) == "issued"
    assert (voucher.uses_left, StockLevel.objects.get().reserved) == (1, 0)
    assert refunds_of(order) == [("store_order", CUP_FEN)]
    redemption = Redemption.objects.get()
    assert (redemption.reversed_at, redemption.reversed_by_id) == (
        LATER,
        order.customer_id if name == "cancel" else counter.clerk.id,
    )
    assert LedgerTransfer.objects.get(kind="refund_order").amount_fen == CUP_FEN
    assert OutboxMessage.objects.filter(topic="vouchers.reversed").count() == 1


@NETWORK
def test_the_cash_of_an_undone_order_reaches_its_customer(counter: Counter, provider: FakeProvider) -> None:

    placed = half_paid(counter, counter.voucher())
    assert placed.payment is not None
    provider.pay(placed.payment)
    order = pay(placed)
    act("cancel", counter, order)

    refund_sending.send_refunds(limit=9, at=LATER)
    provider.settle_refunds()
    refund_sending.send_refunds(limit=9, at=LATER + 10 * MINUTE)
    notices.apply_notices(limit=9, at=LATER + 10 * MINUTE)

    assert order.refunds.get().status == "succeeded"
    assert LedgerTransfer.objects.filter(kind="refund_paid").count() == 1


def test_a_voucher_whose_time_is_over_comes_back_with_a_day(counter: Counter) -> None:
    voucher = counter.voucher(counter.terms(usable_days=1))
    almost = voucher.valid_until - MINUTE
    order = confirmed(counter, voucher=voucher, at=almost)

    act("cancel", counter, order, at=almost + 2 * MINUTE)

    voucher.refresh_from_db()
    assert voucher.valid_until == almost + 2 * MINUTE + timedelta(hours=24)


def test_a_cancelled_order_gives_a_reversed_grant_its_voucher_back(counter: Counter) -> None:
    grant = granted.grant(counter.terms(), granted.to(factories.customer(counter.brand)))
    granted.issue_all()
    [voucher] = granted.vouchers_of(grant)
    order = confirmed(counter, voucher=voucher)
    grants.reverse(grant=grant, request_id=uuid4(), by=granted.staff(counter.clerk), at=NOW)
    assert reverse_granted(at=NOW)
    assert status_of(voucher) == "used"

    act("cancel", counter, order, at=NOW)

    assert reverse_granted(at=NOW)
    assert status_of(voucher) == "refunded"


def test_what_an_order_redeemed_is_not_undone_at_the_counter(counter: Counter) -> None:
    confirmed(counter)

    with pytest.raises(DomainError) as refusal:
        reverse(redemption_id=Redemption.objects.get().id, operator=counter.clerk, request_id=uuid4(), at=LATER)

    assert refusal.value.code == "redemption_belongs_to_order"


def test_nobody_makes_what_she_may_still_cancel(counter: Counter) -> None:
    order = move(counter, confirmed(counter), "accept", at=NOW)

    with pytest.raises(OrderMayStillBeCancelled):
        move(counter, order, "begin_making", at=NOW + 59 * SECOND)

    assert move(counter, order, "begin_making", at=NOW + 60 * SECOND).status == "making"


def test_the_clock_of_settlement_starts_when_it_is_ready(counter: Counter) -> None:
    order = confirmed(counter)

    move(counter, order, "accept", "begin_making", "ready", at=LATER)
    move(counter, order, "ready", at=LATER + MINUTE)

    assert Redemption.objects.get().reversible_until == LATER + timedelta(hours=1)


def test_a_store_may_reject_until_an_hour_after_ready(counter: Counter) -> None:
    order = move(counter, confirmed(counter), "accept", "begin_making", "ready", "collect", at=LATER)
    over = LATER + timedelta(hours=1)

    with pytest.raises(RejectionTooLate):
        act("reject", counter, order, at=over)

    assert act("reject", counter, order, at=over - SECOND).status == "rejected"


def test_an_order_is_its_stores_and_its_customers(counter: Counter) -> None:
    order, other = confirmed(counter), counters.counter(brand=counter.brand)

    with pytest.raises(StoreOrderNotFound):
        move(other, order, "accept", at=NOW)
    with pytest.raises(StoreOrderNotFound):
        order_moves.cancel(order_id=order.id, customer_id=uuid4(), at=NOW)


def test_pick_up_numbers_go_on_past_four_digits(counter: Counter) -> None:
    first = confirmed(counter)
    PickupCounter.objects.filter(store=counter.store).update(last=9_999)

    assert (first.pickup_number, confirmed(counter).pickup_number) == (100, 10_000)


# --- by themselves ----------------------------------------------------------------------------------


def test_an_order_nobody_accepts_is_alarmed_once_and_then_rejected(counter: Counter) -> None:
    order = confirmed(counter)

    for minutes in (9, 10, 11, 19):
        assert order_sweeps.look_after_unaccepted(limit=9, at=NOW + minutes * MINUTE) == 0
        alarms = AuditEntry.objects.filter(act="alarm.order_not_accepted", brand_id=counter.brand.pk)
        assert alarms.count() == (minutes >= 10)
        assert OutboxMessage.objects.filter(topic="orders.not_accepted").count() == (minutes >= 10)
    assert order_sweeps.look_after_unaccepted(limit=9, at=NOW + 20 * MINUTE) == 1

    assert status_of(order) == "rejected"
    assert order.reason == "not_accepted_in_time"
    assert AuditEntry.objects.get(act="store_orders.rejected").subject_count == 1


def test_at_closing_what_is_not_ready_is_rejected_and_what_is_ready_settles(counter: Counter) -> None:
    making = move(counter, confirmed(counter), "accept", "begin_making", at=LATER)
    waiting = move(counter, confirmed(counter), "accept", "begin_making", "ready", at=LATER)
    collected = move(counter, confirmed(counter), "accept", "begin_making", "ready", "collect", at=LATER)
    over = datetime(2026, 6, 1, 15, tzinfo=NOW.tzinfo)

    assert order_sweeps.end_day(limit=9, at=over - SECOND) == 0
    assert order_sweeps.end_day(limit=9, at=over) == 2

    assert [status_of(order) for order in (making, waiting, collected)] == ["rejected", "uncollected", "collected"]
    assert Redemption.objects.filter(reversed_at=None).count() == 2


def test_a_store_that_closes_rejects_what_it_has_not_made(counter: Counter) -> None:
    open_order = confirmed(counter)
    ready = move(counter, confirmed(counter), "accept", "begin_making", "ready", at=LATER)
    assert order_sweeps.clear_closed_stores(limit=9, at=LATER) == 0
    Store.objects.filter(pk=counter.store.pk).update(status="closed", closed_at=LATER)

    assert order_sweeps.clear_closed_stores(limit=9, at=LATER) == 1

    assert [status_of(order) for order in (open_order, ready)] == ["rejected", "ready"]
