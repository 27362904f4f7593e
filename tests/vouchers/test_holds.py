"""holds keeps uses for one source until it confirms or releases them, or its lease is over."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, InternalError, transaction

from config.kernel.models import AuditEntry, OutboxMessage
from stores.queries import stores_for_clerks
from tests.factories import NOW
from tests.vouchers.counters import Counter
from vouchers import errors, tasks
from vouchers.models import Hold, Redemption, Voucher
from vouchers.queries import counter as at_counter
from vouchers.services import expiry, holds, returns, reversal
from vouchers.services.holds import Lease, Occasion
from vouchers.signals import redeemed

IN_TEN_MINUTES = NOW + timedelta(minutes=10)


@pytest.fixture
def card(counter: Counter) -> Voucher:
    terms = counter.terms(kind="times_card", list_price_fen=600, use_list_fen=[300, 200, 100])
    return counter.voucher(terms, paid_fen=600)


def hold(
    uses: Mapping[Voucher, int], *, order_id: UUID | None = None, at: datetime = NOW, **fields: Any
) -> tuple[Lease, list[Hold]]:
    order_id = order_id or uuid4()
    plain: dict[str, Any] = {"source_kind": "store_order", "source_id": order_id, "expires_at": IN_TEN_MINUTES}
    with transaction.atomic():
        held = holds.hold(uses={voucher.id: count for voucher, count in uses.items()}, at=at, **{**plain, **fields})
    return Lease("store_order", order_id, held[0].fence), held


def release(lease: Lease, *, at: datetime = NOW) -> list[Hold]:
    with transaction.atomic():
        return holds.release(lease, at=at)


def confirm(lease: Lease, counter: Counter, *, at: datetime = NOW) -> list[Redemption]:
    occasion = Occasion(uuid4(), counter.store.id, counter.entity.id, at.date(), at, None)
    with transaction.atomic():
        return holds.confirm(lease, occasion, at=at)


def state(voucher: Voucher) -> tuple[str, int, int]:
    voucher.refresh_from_db()
    return voucher.status, voucher.uses_left, voucher.uses_held


def test_held_uses_are_left_and_nobody_elses(counter: Counter, card: Voucher) -> None:
    _, held = hold({card: 2})

    assert state(card) == ("held", 3, 2)
    assert [(one.serial, one.customer_id, one.expires_at) for one in held] == [
        (1, card.customer_id, IN_TEN_MINUTES),
        (2, card.customer_id, IN_TEN_MINUTES),
    ]


def test_it_holds_the_first_free_uses(counter: Counter, card: Voucher) -> None:
    first = counter.redeem(card.code, card.code)
    clerk = counter.clerk
    reversal.reverse(redemption_id=first.uses[0].redemption_id, operator=clerk, request_id=uuid4(), at=NOW)

    _, held = hold({card: 2})

    assert [one.serial for one in held] == [1, 3]


def test_all_that_is_held_at_once_has_one_fence_and_the_next_a_greater_one(counter: Counter) -> None:
    one, other, later = counter.vouchers(count=3)

    first, held = hold({one: 1, other: 1})
    second, _ = hold({later: 1})

    assert {hold.fence for hold in held} == {first.fence}
    assert second.fence > first.fence


def test_a_held_voucher_is_not_redeemed_and_the_clerk_hears_who_holds_it(counter: Counter, card: Voucher) -> None:
    hold({card: 1})

    with pytest.raises(errors.VoucherHeld) as refusal:
        counter.redeem(card.code)

    told = refusal.value.details
    assert (told["held_by"], told["held_at"], told["held_until"]) == (
        "store_order",
        NOW.isoformat(),
        IN_TEN_MINUTES.isoformat(),
    )
    assert not card.redemptions.exists()


def test_a_held_voucher_is_not_refunded(counter: Counter, card: Voucher) -> None:
    hold({card: 1})

    with pytest.raises(errors.VoucherHeld) as refusal, transaction.atomic():
        returns.begin_refund(voucher_id=card.id, customer_id=card.customer_id, at=NOW)

    assert refusal.value.details["held_by"] == "store_order"
    assert not card.endings.exists()


def test_a_held_voucher_does_not_expire_until_it_is_released(counter: Counter, card: Voucher) -> None:
    lease, _ = hold({card: 1}, expires_at=None)
    after = card.valid_until + timedelta(days=2)

    assert expiry.expire_due(limit=10, at=after) == 0
    release(lease, at=after)
    assert expiry.expire_due(limit=10, at=after) == 1
    assert state(card) == ("expired", 0, 0)


def test_what_somebody_holds_nobody_else_holds(counter: Counter, card: Voucher) -> None:
    hold({card: 1})

    with pytest.raises(errors.VoucherHeld) as refusal:
        hold({card: 1})

    assert refusal.value.details["held_by"] == "store_order"
    assert Hold.objects.count() == 1


def test_of_several_vouchers_all_are_held_or_none(counter: Counter) -> None:
    one, used = counter.vouchers(count=2)
    counter.redeem(used.code)

    with pytest.raises(errors.VoucherAlreadyRedeemed):
        hold({one: 1, used: 1})

    assert state(one) == ("issued", 1, 0)
    assert not Hold.objects.exists()


def test_more_uses_than_are_left_are_not_held(counter: Counter, card: Voucher) -> None:
    counter.redeem(card.code)

    with pytest.raises(errors.VoucherAlreadyRedeemed) as refusal:
        hold({card: 3})

    assert refusal.value.details["uses_left"] == 2
    assert state(card) == ("issued", 2, 0)


@pytest.mark.parametrize(
    ("moment", "refusal"),
    [(timedelta(days=-1), errors.VoucherNotYetValid), (timedelta(days=90), errors.VoucherExpired)],
)
def test_time_is_judged_when_it_is_held(counter: Counter, moment: timedelta, refusal: type[Exception]) -> None:
    voucher = counter.voucher()

    with pytest.raises(refusal):
        hold({voucher: 1}, at=NOW + moment, expires_at=None)


def test_a_voucher_that_is_not_there_is_not_held(db: None) -> None:
    with pytest.raises(errors.VoucherNotFound), transaction.atomic():
        holds.hold(uses={uuid4(): 1}, source_kind="store_order", source_id=uuid4(), expires_at=None, at=NOW)


def test_released_uses_may_be_redeemed(counter: Counter, card: Voucher) -> None:
    lease, _ = hold({card: 3})

    released = release(lease)

    assert {(one.outcome, one.ended_at) for one in released} == {("released", NOW)}
    assert state(card) == ("issued", 3, 0)
    assert len(counter.redeem(card.code, card.code, card.code).uses) == 3


def test_confirmed_uses_are_redemptions_worth_their_own_amounts(counter: Counter, card: Voucher) -> None:
    lease, _ = hold({card: 2})
    heard: list[Redemption] = []

    def listen(*, redemptions: list[Redemption], **_: object) -> None:
        heard.extend(redemptions)

    redeemed.connect(listen)
    try:
        redemptions = confirm(lease, counter, at=card.valid_until + timedelta(hours=1))
    finally:
        redeemed.disconnect(listen)

    assert [(one.serial, one.amount_fen, one.store_id) for one in redemptions] == [
        (1, 300, counter.store.id),
        (2, 200, counter.store.id),
    ]
    assert heard == redemptions == list(card.redemptions.order_by("serial"))
    assert state(card) == ("issued", 1, 0)
    assert {one.outcome for one in card.holds.all()} == {"confirmed"}
    [message] = OutboxMessage.objects.filter(topic="vouchers.redeemed")
    assert [item["uses_left"] for item in message.items] == [1, 1]


def test_the_last_confirmed_use_uses_the_voucher_up(counter: Counter) -> None:
    voucher = counter.voucher()
    lease, _ = hold({voucher: 1})

    confirm(lease, counter)

    assert state(voucher) == ("used", 0, 0)


@pytest.mark.parametrize("ended_by", ["release", "confirm"])
def test_an_old_fence_confirms_and_releases_nothing(counter: Counter, card: Voucher, ended_by: str) -> None:
    order_id = uuid4()
    old, _ = hold({card: 1}, order_id=order_id)
    release(old) if ended_by == "release" else confirm(old, counter)
    new, _ = hold({card: 1}, order_id=order_id)
    before = state(card)

    with pytest.raises(errors.HoldOver):
        confirm(old, counter)
    with pytest.raises(errors.HoldOver):
        release(old)

    assert state(card) == before
    assert card.redemptions.count() == (ended_by == "confirm")
    assert len(confirm(new, counter)) == 1


def test_a_lease_that_is_over_is_good_until_it_is_released(counter: Counter, card: Voucher) -> None:
    lease, _ = hold({card: 1})

    assert len(confirm(lease, counter, at=IN_TEN_MINUTES + timedelta(minutes=1))) == 1


def test_leases_that_are_over_are_released_oldest_first_in_bounded_batches(counter: Counter) -> None:
    vouchers = counter.vouchers(count=5)
    for minutes, voucher in enumerate(vouchers, 1):
        hold({voucher: 1}, expires_at=NOW + timedelta(minutes=minutes))
    lasting = counter.voucher()
    hold({lasting: 1}, expires_at=None)

    assert holds.release_overdue(limit=2, at=NOW + timedelta(minutes=4)) == 2
    assert [state(voucher)[0] for voucher in vouchers] == ["issued", "issued", "held", "held", "held"]
    assert holds.release_overdue(limit=9, at=NOW + timedelta(minutes=4)) == 2
    assert holds.release_overdue(limit=9, at=NOW + timedelta(minutes=4)) == 0
    assert state(vouchers[4])[0] == state(lasting)[0] == "held"
    assert [entry.subject_count for entry in AuditEntry.objects.filter(act="voucher.release")] == [2, 2]


def test_a_lease_of_several_uses_is_released_whole(counter: Counter, card: Voucher) -> None:
    other = counter.voucher()
    hold({card: 3, other: 1})

    assert holds.release_overdue(limit=1, at=IN_TEN_MINUTES) == 1
    assert (state(card), state(other)) == (("issued", 3, 0), ("issued", 1, 0))


def test_the_worker_releases_what_is_over(counter: Counter, card: Voucher) -> None:
    hold({card: 1})

    tasks.release_overdue()

    assert state(card)[0] == "issued"


def test_a_use_released_beside_a_running_refund_waits_for_its_end(counter: Counter) -> None:
    """Uses expired and on their way back; one undone later, held for an order, and given back by it."""
    card = counter.voucher(counter.terms(kind="times_card"))
    redemption_id = counter.redeem(card.code, at=card.valid_until - timedelta(minutes=1)).uses[0].redemption_id
    over = card.valid_until
    expiry.expire_due(limit=1, at=over)
    reversal.reverse(redemption_id=redemption_id, operator=counter.clerk, request_id=uuid4(), at=over)
    lease, held = hold({card: 1}, at=over, expires_at=None)
    with transaction.atomic():
        returns.begin_refunds_of_expired(limit=9, at=over)

    assert [one.serial for one in held] == [1]
    release(lease, at=over)
    assert state(card) == ("refunding", 1, 0)
    with transaction.atomic():
        returns.finish_refund(voucher_ids=[card.id], at=over)
    assert state(card) == ("issued", 1, 0)


def test_prepare_says_who_holds_it(counter: Counter, card: Voucher) -> None:
    hold({card: 1})
    [here] = stores_for_clerks([(counter.store.id, counter.clerk.id)], NOW).values()

    [prepared] = at_counter.prepare(store=here, codes=[card.code], bill_fen=None, at=NOW)

    assert prepared.refusal is not None
    assert prepared.refusal.details["held_by"] == "store_order"


def test_the_database_keeps_a_hold_as_it_was_written(counter: Counter, card: Voucher) -> None:
    lease, [held] = hold({card: 1})

    with pytest.raises((InternalError, IntegrityError), match="written once"), transaction.atomic():
        Hold.objects.filter(pk=held.pk).update(fence=lease.fence + 1)
    release(lease)
    with pytest.raises((InternalError, IntegrityError), match="set once"), transaction.atomic():
        Hold.objects.filter(pk=held.pk).update(ended_at=NOW + timedelta(days=1))
    with pytest.raises((InternalError, IntegrityError), match="no row is deleted"), transaction.atomic():
        Hold.objects.filter(pk=held.pk).delete()


def test_the_database_lets_nobody_hold_a_use_twice(counter: Counter, card: Voucher) -> None:
    _, [held] = hold({card: 1})

    held.pk = None
    with pytest.raises(IntegrityError, match="use_is_held_once"), transaction.atomic():
        held.save(force_insert=True)
