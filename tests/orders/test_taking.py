"""taking: whether a store takes orders now, in which quarters of an hour; and the slot that an order counts in."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.errors import DomainError
from config.kernel.models import AuditEntry
from orders.models import StoreOrder
from orders.services import checkout, order_moves, order_sweeps, quoting, taking
from stores.models import OrderingRule, PickupSlot, Store
from stores.pick_up import SLOT
from stores.services import ordering
from stores.services.ordering import Rule
from tests import factories
from tests.factories import NOW
from tests.orders.ordering import move, pay
from tests.orders.test_checkout import Shop
from tests.stores.stocked import MANAGER
from tests.vouchers.http import as_customer, as_staff, error_of, get, post, put

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def keep(shop: Shop, cups: int | None, *, cut_off: int = 15, needs_presence: bool = False, at: datetime = NOW) -> None:
    rule = Rule(cups_per_slot=cups, cut_off_minutes=cut_off, needs_presence=needs_presence)
    ordering.keep(store_id=shop.store.id, rule=rule, by=MANAGER, at=at)


def ordered(shop: Shop, cups: int = 1, *, at: datetime = NOW, **named: Any) -> StoreOrder:
    line = shop.line(cups)
    return shop.order(shop.quote(line, at=at, **named), line, at=at, **named).order


def refusal(shop: Shop, cups: int = 1, *, at: datetime = NOW, **named: Any) -> str:
    """Why nothing is ordered; a quote and a checkout say the same."""
    codes: list[str] = []
    asked: dict[str, Any] = {
        "store_id": shop.store.id,
        "brand_id": shop.counter.brand.id,
        "customer_id": shop.customer.id,
        "lines": [shop.line(cups)],
        "at": at,
        **named,
    }
    plan = {"uses": [], "due_fen": 1_900 * cups, "provider": "sandbox", "request_id": uuid4()}
    for asking in (lambda: quoting.quote(**asked), lambda: checkout.place_order(**asked, **plan)):
        with pytest.raises(DomainError) as refused:
            asking()
        codes.append(refused.value.code)
    assert codes[0] == codes[1]
    return codes[0]


def promised(shop: Shop) -> dict[datetime, tuple[int, int]]:
    slots = PickupSlot.objects.filter(store=shop.store).order_by("starts_at")
    return {slot.starts_at: (slot.cups, slot.made) for slot in slots}


# --- whether ----------------------------------------------------------------------------------------


def test_a_pause_by_hand_ends_by_itself_or_by_hand(shop: Shop) -> None:
    ordering.pause(store_id=shop.store.id, minutes=30, by=MANAGER, at=NOW)

    assert refusal(shop, at=NOW + 29 * MINUTE) == "ordering_paused"
    assert shop.quote(at=NOW + 30 * MINUTE).priced.due_fen == 1_900
    ordering.pause(store_id=shop.store.id, minutes=60, by=MANAGER, at=NOW)
    ordering.resume(store_id=shop.store.id, by=MANAGER, at=NOW + MINUTE)
    ordering.resume(store_id=shop.store.id, by=MANAGER, at=NOW + MINUTE)
    assert shop.quote(at=NOW + MINUTE).priced.due_fen == 1_900
    acts = AuditEntry.objects.filter(subject_id=shop.store.id).order_by("id").values_list("act", flat=True)
    assert list(acts) == ["store.ordering_paused"] * 2 + ["store.ordering_resumed"]


@pytest.mark.parametrize(
    ("hours", "end"),
    [
        ({"1": [["10:00", "13:00"]]}, NOW + 60 * MINUTE),
        ({"7": [["10:00", "36:00"]], "1": [["12:00", "12:45"]]}, NOW + 45 * MINUTE),
        ({"1": [["10:00", "26:00"]]}, datetime(2026, 6, 1, 18, tzinfo=UTC)),
        ({"1": [["10:00", "14:00"], ["14:00", "22:00"]]}, datetime(2026, 6, 1, 14, tzinfo=UTC)),
    ],
    ids=["at one", "after a night", "past midnight", "a split day"],
)
def test_the_last_orders_are_so_long_before_closing(shop: Shop, hours: dict[str, Any], end: datetime) -> None:
    Store.objects.filter(pk=shop.store.pk).update(hours=hours)
    keep(shop, None, cut_off=20)

    order = ordered(shop, at=end - 21 * MINUTE)

    assert (order.status, str(order.business_date)) == ("placed", "2026-06-01")
    assert refusal(shop, at=end - 20 * MINUTE) == "past_cut_off"
    assert refusal(shop, at=end) == "store_shut"


def test_a_store_without_closing_time_has_no_last_orders(shop: Shop) -> None:
    keep(shop, None, cut_off=240)

    assert shop.quote(at=datetime(2026, 6, 1, 15, 59, tzinfo=UTC)).priced.due_fen == 1_900


def test_nobody_orders_where_nobody_is_if_the_store_says_so(shop: Shop) -> None:
    assert shop.quote(at=NOW + 60 * MINUTE).priced.due_fen == 1_900, "by default nobody asks"
    keep(shop, None, needs_presence=True)

    assert refusal(shop, at=NOW + 3 * MINUTE) == "store_absent"
    ordering.seen(store_id=shop.store.id, at=NOW + 5 * MINUTE)
    ordering.seen(store_id=shop.store.id, at=NOW + 5 * MINUTE + timedelta(seconds=29))
    assert OrderingRule.objects.get().seen_at == NOW + 5 * MINUTE, "a board that asks every second writes seldom"
    assert shop.quote(at=NOW + 7 * MINUTE).priced.due_fen == 1_900


# --- slots ------------------------------------------------------------------------------------------


def test_an_order_counts_in_the_first_slot_with_room_from_placing_on(shop: Shop) -> None:
    keep(shop, 10)

    orders = [ordered(shop, cups) for cups in (7, 3, 4, 25)]

    assert [order.slot_at for order in orders] == [NOW, NOW, NOW + SLOT, NOW + 2 * SLOT]
    assert promised(shop) == {NOW: (10, 0), NOW + SLOT: (4, 0), NOW + 2 * SLOT: (10, 0)}
    assert [order.expected_at for order in orders] == [
        NOW + 11 * MINUTE,  # 7 cups at 10 in a quarter of an hour
        NOW + 15 * MINUTE,
        NOW + 21 * MINUTE,
        NOW + 59 * MINUTE,  # 39 of them, rounded up to the minute
    ]
    assert all(order.pick_up_at is None for order in orders)


def test_she_may_name_a_slot_and_hears_when_it_is_full(shop: Shop) -> None:
    keep(shop, 10)
    noon = NOW + 2 * SLOT

    order = ordered(shop, 8, pick_up_at=noon)

    assert (order.slot_at, order.pick_up_at, order.expected_at) == (noon, noon, noon)
    assert refusal(shop, 3, pick_up_at=noon) == "slot_full"
    assert ordered(shop, 2, pick_up_at=noon).slot_at == noon
    assert promised(shop) == {noon: (10, 0)}


@pytest.mark.parametrize("start", [NOW, NOW + MINUTE, NOW - SLOT, NOW + 49 * SLOT, NOW + 7 * MINUTE])
def test_only_slots_that_can_be_had_are_offered(shop: Shop, start: datetime) -> None:
    assert refusal(shop, pick_up_at=start) == "slot_not_offered"


def test_where_no_slot_has_room_until_closing_nothing_is_ordered(shop: Shop) -> None:
    Store.objects.filter(pk=shop.store.pk).update(hours={"1": [["10:00", "12:30"]]})
    keep(shop, 2)
    ordered(shop, 2)
    ordered(shop, 1)

    assert refusal(shop, 2) == "slot_full"
    assert ordered(shop, 1).slot_at == NOW + SLOT


def test_a_store_without_a_limit_counts_all_the_same(shop: Shop) -> None:
    keep(shop, None)
    order = ordered(shop, 50)
    keep(shop, 60)

    assert order.expected_at == NOW + 3 * MINUTE
    assert [ordered(shop, cups).slot_at for cups in (11, 10)] == [NOW + SLOT, NOW]


@pytest.mark.parametrize("end", ["lapse", "cancel", "reject", "not_accepted"])
def test_an_order_that_is_undone_frees_its_slot(shop: Shop, end: str) -> None:
    keep(shop, 3)
    line = shop.line(3)
    placed = shop.order(shop.quote(line), line)
    order = placed.order
    if end == "lapse":
        assert placed.payment is not None
        order_sweeps._lapse([order.id], {placed.payment.id}, at=NOW + SLOT)
    else:
        order = pay(placed)
        if end == "cancel":
            order_moves.cancel(order_id=order.id, customer_id=order.customer_id, at=NOW)
        elif end == "reject":
            by = {"store_id": shop.store.id, "by": MANAGER}
            move(shop.counter, order, "accept", "begin_making", "ready", at=NOW + MINUTE)
            assert promised(shop) == {NOW: (3, 3)}
            order_moves.reject(order_id=order.id, reason="洒了", at=NOW + MINUTE, **by)
        else:
            order_sweeps.look_after_unaccepted(limit=9, at=NOW + 20 * MINUTE)

    assert promised(shop) == {NOW: (0, 0)}
    assert ordered(shop, 3).slot_at == NOW


def test_what_is_ready_is_waited_for_no_more(shop: Shop) -> None:
    keep(shop, 10)
    line = shop.line(8)
    order = pay(shop.order(shop.quote(line), line))
    waiting = shop.quote(shop.line(2)).pick_up

    move(shop.counter, order, "accept", "begin_making", "ready", at=NOW + MINUTE)
    served = shop.quote(shop.line(2)).pick_up

    assert waiting is not None
    assert served is not None
    assert (waiting.ready_at, served.ready_at) == (NOW + 15 * MINUTE, NOW + 3 * MINUTE)
    move(shop.counter, order, "collect", at=NOW + 2 * MINUTE)
    assert promised(shop) == {NOW: (8, 8)}


def test_money_after_the_lease_counts_in_the_first_slot_that_is_free_then(shop: Shop) -> None:
    keep(shop, 2)
    line = shop.line(2)
    placed = shop.order(shop.quote(line), line)
    assert placed.payment is not None
    order_sweeps._lapse([placed.order.id], {placed.payment.id}, at=NOW + SLOT)
    ordered(shop, 2, at=NOW + SLOT)

    order = pay(placed, at=NOW + SLOT)

    assert (order.status, order.slot_at) == ("confirmed", NOW + 2 * SLOT)
    assert promised(shop) == {NOW: (0, 0), NOW + SLOT: (2, 0), NOW + 2 * SLOT: (2, 0)}


@pytest.mark.parametrize("loss", ["full", "paused"])
def test_money_after_the_lease_goes_back_where_her_slot_has_gone(shop: Shop, loss: str) -> None:
    keep(shop, 2)
    line, noon = shop.line(2), NOW + 3 * SLOT
    placed = shop.order(shop.quote(line, pick_up_at=noon), line, pick_up_at=noon)
    assert placed.payment is not None
    order_sweeps._lapse([placed.order.id], {placed.payment.id}, at=NOW + SLOT)
    if loss == "full":
        ordered(shop, 1, at=NOW + SLOT, pick_up_at=noon)
    else:
        ordering.pause(store_id=shop.store.id, minutes=60, by=MANAGER, at=NOW)

    order = pay(placed, at=NOW + SLOT)

    assert (order.status, order.refunds.get().amount_fen) == ("lapsed", 3_800)


ALL_DAY = {day: [["00:00", "24:00"]] for day in "1234567"}


@pytest.mark.parametrize("hours", [{}, ALL_DAY], ids=["no hours", "24 hours a day"])
def test_a_store_that_never_closes_takes_orders_over_midnight(shop: Shop, hours: dict[str, Any]) -> None:
    Store.objects.filter(pk=shop.store.pk).update(hours=hours)
    late = datetime(2026, 6, 1, 15, 50, tzinfo=UTC)  # 23:50 in Shanghai
    shop.voucher()

    free = taking.free_slots(store_id=shop.store.id, brand_id=shop.counter.brand.id, cups=1, at=late)
    order = ordered(shop, at=late, pick_up_at=late + 40 * MINUTE)

    assert [free.slots[0].starts_at, free.slots[-1].ends_at] == [
        late + 10 * MINUTE,
        late + timedelta(hours=12, minutes=10),
    ]
    assert (order.status, str(order.business_date)) == ("confirmed", "2026-06-01")
    assert order.give_up_at == late + 40 * MINUTE + timedelta(hours=12), "half a day after half past midnight"


def test_what_is_picked_up_after_midnight_is_given_up_after_that_closing(shop: Shop) -> None:
    Store.objects.filter(pk=shop.store.pk).update(hours={"1": [["18:00", "24:00"]], "2": [["00:00", "03:00"]]})
    late = datetime(2026, 6, 1, 15, 50, tzinfo=UTC)
    shop.voucher()

    order = ordered(shop, at=late, pick_up_at=late + 40 * MINUTE)

    assert order.give_up_at == datetime(2026, 6, 1, 20, tzinfo=UTC), "an hour after 3 o'clock in Shanghai"


# --- over HTTP --------------------------------------------------------------------------------------


def test_slots_pause_and_presence_over_http(shop: Shop) -> None:
    her, clerk = as_customer(shop.customer), as_staff(shop.counter.clerk)
    manager = as_staff(factories.staff(shop.counter.brand, role="store_manager", store=shop.store).user)
    address = f"stores/{shop.store.public_id}"
    cart = {"lines": [{"product": shop.drink.public_id, "quantity": 5}]}
    rule = {"cups_per_slot": 5, "cut_off_minutes": 10, "needs_presence": True}

    assert error_of(put(f"{address}/ordering", clerk, rule)) == (403, "not_allowed")
    kept = put(f"{address}/ordering", manager, rule).json()
    assert {name: kept[name] for name in rule} == rule
    assert get(f"{address}/ordering", clerk).json()["paused_until"] is None

    first, second = get(f"{address}/slots?cups=5", her).json()["items"][:2]
    body = {**cart, "pick_up_at": first["starts_at"], "due_fen": 9_500}
    quoted = post(f"{address}/quotes", her, {**cart, "pick_up_at": first["starts_at"]}).json()
    assert (quoted["pick_up_at"], quoted["ready_at"] >= first["starts_at"]) == (first["starts_at"], True)
    placed = post(f"{address}/orders", her, body).json()
    assert (placed["pick_up_at"], placed["expected_at"]) == (first["starts_at"], quoted["ready_at"])
    assert error_of(post(f"{address}/orders", her, body)) == (409, "slot_full")
    assert get(f"{address}/slots", her).json()["items"][0] == second

    paused = post(f"{address}/ordering/pause", clerk, {"minutes": 15}).json()
    assert paused["paused_until"] is not None
    assert error_of(get(f"{address}/slots", her)) == (409, "ordering_paused")
    assert error_of(post(f"{address}/quotes", her, cart)) == (409, "ordering_paused")
    assert error_of(post(f"{address}/ordering/pause", clerk, {"minutes": 20})) == (422, "malformed_request")
    assert post(f"{address}/ordering/resume", clerk).json()["paused_until"] is None

    OrderingRule.objects.update(seen_at=NOW)
    assert error_of(post(f"{address}/quotes", her, cart)) == (409, "store_absent")
    assert post(f"{address}/presence", clerk).status_code == 204
    assert post(f"{address}/quotes", her, cart).status_code == 200
    OrderingRule.objects.update(seen_at=NOW)
    get(f"{address}/orders/board", clerk)
    assert post(f"{address}/quotes", her, cart).status_code == 200


def test_a_voucher_is_used_where_somebody_takes_orders(shop: Shop) -> None:
    voucher = shop.voucher(bought_at=datetime.now(UTC) - MINUTE)
    place = {"latitude": 30.2, "longitude": 120.2}
    Store.objects.filter(pk=shop.store.pk).update(**place)
    further = factories.store(shop.counter.brand, latitude="30.3", longitude="120.2")
    address, her = f"vouchers/{voucher.public_id}/use", as_customer(shop.customer)
    assert post(address, her, place).json()["store"] == shop.store.public_id

    ordering.pause(store_id=shop.store.id, minutes=15, by=MANAGER, at=datetime.now(UTC))

    assert post(address, her, place).json()["store"] == further.public_id


@pytest.mark.parametrize("query", ["cups=0", "cups=4951", "cups=many", "cups=9223372036854775808", "day=1"])
def test_a_bad_question_about_slots_has_a_stable_code(shop: Shop, query: str) -> None:
    answer = get(f"stores/{shop.store.public_id}/slots?{query}", as_customer(shop.customer))

    assert error_of(answer)[0] == 422


def test_another_brands_slots_are_not_there(shop: Shop) -> None:
    stranger = as_customer(factories.customer(factories.brand()))

    assert error_of(get(f"stores/{shop.store.public_id}/slots", stranger)) == (404, "store_not_found")


def test_slots_take_two_statements(shop: Shop, django_assert_num_queries: Any) -> None:
    ordered(shop, 3)

    with django_assert_num_queries(2):
        taking.free_slots(store_id=shop.store.id, brand_id=shop.counter.brand.id, cups=1, at=NOW)
