"""
A hold against everybody else who wants the voucher: one wins, the others hear who.

Each guard is removed once, and then the race is lost: `without_locks` reads the voucher's row without
locking it, `heedless_of_the_end` ends holds that have ended.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from tests.factories import NOW
from tests.races.at_once import at_once
from tests.races.squeezed import squeeze
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from vouchers import errors
from vouchers.models import Hold, Redemption, UseEnding, Voucher
from vouchers.queries.answers import Redeemed
from vouchers.services import expiry, holds, redemption, returns, voucher_locks
from vouchers.services.holds import Lease, Occasion

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

OVER = NOW + timedelta(minutes=15)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voucher_locks, "LOCK_BY_CODE", voucher_locks.LOCK_BY_CODE.replace("FOR NO KEY UPDATE", ""))
    monkeypatch.setattr(voucher_locks, "lock", lambda ids: list(Voucher.objects.filter(id__in=ids)))
    monkeypatch.setattr(
        expiry,
        "lock_due",
        lambda limit, at: list(Voucher.objects.filter(status="issued", valid_until__lte=at)[:limit]),
    )


@pytest.fixture
def heedless_of_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "END", holds.END.replace("AND ended_at IS NULL", ""))
    monkeypatch.setattr(holds, "COUNT_ENDED", holds.COUNT_ENDED.replace("v.uses_held - k.n", "0"))


def hold(voucher: Voucher, *, order_id: UUID | None = None, at: datetime = NOW) -> Lease:
    order_id = order_id or uuid4()
    with transaction.atomic():
        [held] = holds.hold(uses={voucher.id: 1}, source_kind="store_order", source_id=order_id, expires_at=OVER, at=at)
    return Lease("store_order", order_id, held.fence)


def confirm(lease: Lease, counter: Counter) -> list[Redemption]:
    occasion = Occasion(uuid4(), counter.store.id, counter.entity.id, NOW.date(), NOW, None)
    with transaction.atomic():
        return holds.confirm(lease, occasion, at=NOW)


def refund(voucher: Voucher) -> tuple[UseEnding, ...]:
    with transaction.atomic():
        return returns.begin_refund(voucher_id=voucher.id, customer_id=voucher.customer_id, at=NOW)


def books_of(voucher: Voucher) -> dict[str, Any]:
    """The two sides of I4: what the counters say, and what the facts leave."""
    voucher.refresh_from_db()
    gone = voucher.redemptions.filter(reversed_at=None).count() + voucher.endings.count()
    live = voucher.holds.filter(ended_at=None).count()
    return {"counted": (voucher.uses_left, voucher.uses_held), "by facts": (voucher.uses_total - gone, live)}


def agree(voucher: Voucher) -> bool:
    books = books_of(voucher)
    return books["counted"] == books["by facts"]


# --- two holds --------------------------------------------------------------------------------------


def test_of_two_orders_one_gets_the_voucher(counter: Counter) -> None:
    for voucher in counter.vouchers(count=8):
        answers = at_once(*[lambda v=voucher: hold(v)] * 4)

        assert [type(answer) for answer in answers].count(Lease) == 1
        assert {answer.code for answer in answers if not isinstance(answer, Lease)} == {"voucher_held"}
        assert agree(voucher)


def test_orders_with_the_same_vouchers_wait_in_line(counter: Counter) -> None:
    pool = [voucher.id for voucher in counter.vouchers(count=6)]

    def hold_all(ids: list[UUID]) -> list[Hold]:
        with transaction.atomic():
            return holds.hold(
                uses=dict.fromkeys(ids, 1), source_kind="store_order", source_id=uuid4(), expires_at=OVER, at=NOW
            )

    answers = at_once(*[lambda ids=pool[turn:] + pool[:turn]: hold_all(ids) for turn in range(6)])

    assert sorted(type(answer).__name__ for answer in answers) == ["VoucherHeld"] * 5 + ["list"]


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_the_second_order_breaks_instead_of_hearing_no(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = counter.voucher()
    second = squeeze(monkeypatch, holds, "_check", lambda: hold(card))

    with pytest.raises((IntegrityError, AssertionError)):
        hold(card)

    assert isinstance(second.answer(), Lease)


# --- hold × redeem ----------------------------------------------------------------------------------


def test_hold_and_redeem_at_once_have_one_winner(counter: Counter) -> None:
    for voucher in counter.vouchers(count=12):
        holding, redeeming = at_once(lambda v=voucher: hold(v), lambda v=voucher: counter.redeem(v.code))

        if isinstance(holding, Lease):
            assert isinstance(redeeming, errors.VoucherHeld)
        else:
            assert isinstance(holding, errors.VoucherAlreadyRedeemed)
            assert isinstance(redeeming, Redeemed)
        assert agree(voucher)


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_a_held_use_is_drunk(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    card = counter.voucher(counter.terms(kind="times_card"))
    holding = squeeze(monkeypatch, redemption, "facts_of", lambda: hold(card))

    counter.redeem(card.code)

    assert isinstance(holding.answer(), Lease)
    assert card.redemptions.get().serial == card.holds.get(ended_at=None).serial == 1


# --- hold × expiry ----------------------------------------------------------------------------------


def test_hold_and_expiry_at_once_have_one_winner(counter: Counter) -> None:
    for _ in range(12):
        voucher = counter.voucher()
        holding, swept = at_once(
            lambda v=voucher: hold(v),
            lambda v=voucher: expiry.expire_due(limit=1, at=v.valid_until),
        )

        assert (isinstance(holding, Lease), swept) in [(True, 0), (False, 1)]
        assert isinstance(holding, Lease | errors.VoucherExpired)
        assert agree(voucher)


def test_the_sweeper_leaves_a_voucher_that_somebody_is_holding(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher = counter.voucher()
    sweeping = squeeze(monkeypatch, holds, "_check", lambda: expiry.expire_due(limit=9, at=voucher.valid_until))

    hold(voucher)

    assert sweeping.answer() == 0
    assert expiry.expire_due(limit=9, at=voucher.valid_until) == 0


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_a_use_expires_and_is_promised(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    card = counter.voucher(counter.terms(kind="times_card"))
    holding = squeeze(monkeypatch, expiry, "lock_due", lambda: hold(card))

    expiry.expire_due(limit=9, at=card.valid_until)

    assert isinstance(holding.answer(), Lease)
    card.refresh_from_db()
    assert (card.endings.count(), card.uses_held) == (2, 1), "two uses of a held voucher have expired"


# --- hold × refund ----------------------------------------------------------------------------------


def test_hold_and_refund_at_once_have_one_winner(counter: Counter) -> None:
    for voucher in counter.vouchers(count=12):
        holding, refunding = at_once(lambda v=voucher: hold(v), lambda v=voucher: refund(v))

        if isinstance(holding, Lease):
            assert isinstance(refunding, errors.VoucherHeld)
        else:
            assert isinstance(holding, errors.VoucherRefunded)
        assert agree(voucher)


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_a_use_is_given_back_and_promised(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    voucher = counter.voucher()
    refunding = squeeze(monkeypatch, holds, "_check", lambda: refund(voucher))

    with pytest.raises((AssertionError, IntegrityError)):
        hold(voucher)

    assert len(refunding.answer()) == 1


# --- lease over × confirm ---------------------------------------------------------------------------


def test_a_lease_that_ends_while_it_is_confirmed_is_one_or_the_other(counter: Counter) -> None:
    for voucher in counter.vouchers(count=12):
        lease = hold(voucher)
        confirming, swept = at_once(
            lambda one=lease: confirm(one, counter), lambda: holds.release_overdue(limit=9, at=OVER)
        )

        if swept:
            assert isinstance(confirming, errors.HoldOver)
        else:
            assert len(confirming) == 1
        assert voucher.redemptions.count() == (not swept)
        assert agree(voucher)


def test_the_sweeper_leaves_a_lease_that_is_being_confirmed(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    voucher = counter.voucher()
    lease = hold(voucher)
    sweeping = squeeze(monkeypatch, voucher_locks, "lock", lambda: holds.release_overdue(limit=9, at=OVER))

    confirm(lease, counter)

    assert sweeping.answer() == 0
    assert agree(voucher)


def test_who_confirms_while_it_is_released_hears_that_it_is_over(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher = counter.voucher()
    lease = hold(voucher)
    confirming = squeeze(monkeypatch, holds, "lock_overdue", lambda: confirm(lease, counter))

    assert holds.release_overdue(limit=9, at=OVER) == 1

    assert isinstance(confirming.answer(), errors.HoldOver)
    assert not voucher.redemptions.exists()


@pytest.mark.usefixtures("heedless_of_the_end")
def test_without_minding_the_end_a_released_use_is_drunk(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "LIVE_OF_LEASE", holds.LIVE_OF_LEASE.replace("AND ended_at IS NULL", ""))
    voucher = counter.voucher()
    lease = hold(voucher)
    confirming = squeeze(monkeypatch, holds, "lock_overdue", lambda: confirm(lease, counter))

    holds.release_overdue(limit=9, at=OVER)

    # Only the trigger stands in the way then: a hold's end is set once.
    assert "set once" in str(confirming.answer())


def test_sweepers_at_once_share_what_is_over(counter: Counter) -> None:
    for voucher in counter.vouchers(count=40):
        hold(voucher)

    swept = at_once(*[lambda: holds.release_overdue(limit=10, at=OVER)] * 4)

    assert sum(swept) + holds.release_overdue(limit=100, at=OVER) == 40
    assert Voucher.objects.filter(status="issued", uses_held=0).count() == 40


def test_without_skipping_what_is_locked_the_sweeper_waits(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "LOCK_OVERDUE", holds.LOCK_OVERDUE.replace("SKIP LOCKED", ""))
    voucher = counter.voucher()
    lease = hold(voucher)
    sweeping = squeeze(monkeypatch, voucher_locks, "lock", lambda: holds.release_overdue(limit=9, at=OVER))

    confirm(lease, counter)

    # It waited for the confirmation, and then found the lease ended: slow, and still not wrong.
    assert sweeping.answer() == 0
    assert agree(voucher)
