"""
Clerks, customers and sweepers at one voucher at the same moment: one wins, the others hear who.

Each guard is removed once, and then the race is lost: `without_locks` reads the voucher's row without
locking it, and what the act squeezes in must do harm.
"""

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, OperationalError, transaction

from config.kernel.pipeline import Cursor, Send
from tests.factories import NOW
from tests.races.at_once import Meeting, at_once
from tests.races.squeezed import squeeze
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from vouchers import errors
from vouchers.models import CodeCounter, Redemption, RedemptionRequest, UseEnding, Voucher
from vouchers.queries.answers import Redeemed
from vouchers.services import code_numbers, expiry, redemption, redemption_batch, returns, reversal, voucher_locks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

CARD: dict[str, Any] = {"kind": "times_card", "list_price_fen": 600, "use_list_fen": [300, 200, 100]}


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voucher_locks, "LOCK_BY_CODE", voucher_locks.LOCK_BY_CODE.replace("FOR NO KEY UPDATE", ""))
    monkeypatch.setattr(
        voucher_locks, "LOCK_OF_CUSTOMER", voucher_locks.LOCK_OF_CUSTOMER.replace("FOR NO KEY UPDATE OF v", "")
    )
    monkeypatch.setattr(voucher_locks, "lock", lambda ids: list(Voucher.objects.filter(id__in=ids)))
    monkeypatch.setattr(
        expiry,
        "lock_due",
        lambda limit, at: list(Voucher.objects.filter(status="issued", valid_until__lte=at)[:limit]),
    )


def refund(voucher: Voucher, *, at: datetime = NOW) -> tuple[UseEnding, ...]:
    with transaction.atomic():
        return returns.begin_refund(voucher_id=voucher.id, customer_id=voucher.customer_id, at=at)


def undo(counter: Counter, redemption_id: UUID, **fields: Any) -> Redemption:
    plain: dict[str, Any] = {"operator": counter.clerk, "request_id": uuid4(), "at": NOW}
    return reversal.reverse(redemption_id=redemption_id, **{**plain, **fields})


def books_of(voucher: Voucher) -> dict[str, int]:
    """The two sides of I4: what the counter says is left, and what the facts leave."""
    voucher.refresh_from_db()
    gone = voucher.redemptions.filter(reversed_at=None).count() + voucher.endings.count()
    return {"counted": voucher.uses_left, "by facts": voucher.uses_total - gone}


def agree(books: dict[str, int]) -> bool:
    return books["counted"] == books["by facts"]


# --- sixteen scanners on one voucher ----------------------------------------------------------------


def test_sixteen_scanners_redeem_a_voucher_once(counter: Counter) -> None:
    voucher = counter.voucher()

    answers = at_once(*[lambda: counter.redeem(voucher.code)] * 16)

    assert [type(answer) for answer in answers].count(Redeemed) == 1
    assert {answer.code for answer in answers if not isinstance(answer, Redeemed)} == {"voucher_already_redeemed"}
    assert Redemption.objects.get().voucher == voucher


def test_a_card_under_sixteen_scanners_gives_each_use_once(counter: Counter) -> None:
    card = counter.voucher(counter.terms(**CARD))

    answers = at_once(*[lambda: counter.redeem(card.code)] * 16)

    serials = [answer.uses[0].serial for answer in answers if isinstance(answer, Redeemed)]
    assert sorted(serials) == [1, 2, 3]
    assert agree(books_of(card))


@pytest.mark.usefixtures("without_locks")
@pytest.mark.parametrize("kind", ["cash", "times_card"])
def test_without_the_lock_the_second_scanner_breaks_instead_of_hearing_no(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    voucher = counter.voucher(counter.terms(kind=kind))
    second = squeeze(monkeypatch, redemption, "facts_of", lambda: counter.redeem(voucher.code))

    with pytest.raises(IntegrityError, match="use_is_redeemed_once"):
        counter.redeem(voucher.code)

    assert isinstance(second.answer(), Redeemed)


# --- two devices of one customer ---------------------------------------------------------------------


def from_her_phone(counter: Counter, voucher: Voucher, *, request_id: UUID | None = None) -> Redeemed:
    return redemption.redeem_own(
        customer_id=voucher.customer_id,
        voucher_ids=[voucher.id],
        store=counter.store,
        bill_fen=None,
        request_id=request_id or uuid4(),
        at=NOW,
    )


def test_her_devices_and_a_clerk_use_a_voucher_once(counter: Counter) -> None:
    voucher = counter.voucher()

    answers = at_once(*[lambda: from_her_phone(counter, voucher)] * 8, *[lambda: counter.redeem(voucher.code)] * 8)

    assert [type(answer) for answer in answers].count(Redeemed) == 1
    assert {answer.code for answer in answers if not isinstance(answer, Redeemed)} == {"voucher_already_redeemed"}
    assert agree(books_of(voucher))


def test_one_request_from_two_devices_gets_one_answer(counter: Counter) -> None:
    voucher, key = counter.voucher(), uuid4()

    answers = at_once(*[lambda: from_her_phone(counter, voucher, request_id=key)] * 8)

    assert len({answer.request_id for answer in answers}) == 1
    assert [answer.is_repeat for answer in answers].count(False) == 1


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_her_second_device_breaks_instead_of_hearing_no(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher = counter.voucher()
    tablet = squeeze(monkeypatch, redemption, "facts_of", lambda: from_her_phone(counter, voucher))

    with pytest.raises(IntegrityError, match="use_is_redeemed_once"):
        from_her_phone(counter, voucher)

    assert isinstance(tablet.answer(), Redeemed)


# --- the same request twice at once -----------------------------------------------------------------


def test_copies_of_a_request_get_one_answer(counter: Counter) -> None:
    one, other, key = counter.voucher(), counter.voucher(), uuid4()

    answers = at_once(*[lambda: counter.redeem(one.code, other.code, request_id=key)] * 8)

    assert len({answer.request_id for answer in answers}) == 1
    assert [answer.is_repeat for answer in answers].count(False) == 1
    assert Redemption.objects.count() == 2


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_a_copy_looks_too_early_for_its_first_answer(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher, key = counter.voucher(), uuid4()
    copy = squeeze(monkeypatch, redemption, "facts_of", lambda: counter.redeem(voucher.code, request_id=key))

    with pytest.raises(IntegrityError):
        counter.redeem(voucher.code, request_id=key)

    assert isinstance(copy.answer(), Redeemed)


def test_one_key_for_different_vouchers_at_once_is_answered_once(counter: Counter) -> None:
    vouchers, key = [counter.voucher() for _ in range(8)], uuid4()

    answers = at_once(*[lambda v=v: counter.redeem(v.code, request_id=key) for v in vouchers])

    assert [type(answer) for answer in answers].count(Redeemed) == 1
    assert {answer.code for answer in answers if not isinstance(answer, Redeemed)} == {"idempotency_conflict"}
    assert (Redemption.objects.count(), Voucher.objects.filter(status="used").count()) == (1, 1)


def test_without_minding_who_took_the_key_it_redeems_twice(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, key = counter.voucher(), counter.voucher(), uuid4()
    heedless = redemption_batch.WRITE_REQUESTS.replace("DO NOTHING", "DO UPDATE SET outcome = excluded.outcome")
    monkeypatch.setattr(redemption_batch, "WRITE_REQUESTS", heedless)
    rival = squeeze(monkeypatch, redemption, "facts_of", lambda: counter.redeem(other.code, request_id=key))

    counter.redeem(one.code, request_id=key)

    assert isinstance(rival.answer(), Redeemed)
    assert (RedemptionRequest.objects.count(), Redemption.objects.count()) == (1, 2)


# --- redeem × refund --------------------------------------------------------------------------------


def test_redeem_and_refund_at_once_have_one_winner(counter: Counter) -> None:
    for voucher in counter.vouchers(count=12):
        redeeming, refunding = at_once(lambda v=voucher: counter.redeem(v.code), lambda v=voucher: refund(v))

        if isinstance(redeeming, Redeemed):
            assert isinstance(refunding, errors.VoucherAlreadyRedeemed)
        else:
            assert isinstance(redeeming, errors.VoucherRefunded)
            assert len(refunding) == 1
        assert voucher.redemptions.count() + voucher.endings.count() == 1
        assert agree(books_of(voucher))


def test_a_refund_that_comes_while_a_clerk_redeems_hears_that_it_is_used(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher = counter.voucher()
    refunding = squeeze(monkeypatch, redemption, "facts_of", lambda: refund(voucher))

    counter.redeem(voucher.code)

    assert isinstance(refunding.answer(), errors.VoucherAlreadyRedeemed)
    assert not voucher.endings.exists()


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_a_use_is_both_drunk_and_paid_back(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    voucher = counter.voucher()
    refunding = squeeze(monkeypatch, redemption, "facts_of", lambda: refund(voucher))

    counter.redeem(voucher.code)

    assert len(refunding.answer()) == 1
    assert voucher.redemptions.count() == 1
    assert not agree(books_of(voucher))


def test_two_refunds_at_once_end_a_use_once(counter: Counter) -> None:
    voucher = counter.voucher()

    answers = at_once(*[lambda: refund(voucher)] * 8)

    assert [isinstance(answer, errors.VoucherRefunded) for answer in answers].count(False) == 1
    assert UseEnding.objects.count() == 1


# --- redeem × expiry --------------------------------------------------------------------------------


def test_redeem_and_expiry_at_once_have_one_winner(counter: Counter) -> None:
    for _ in range(12):
        voucher = counter.voucher()
        last_moment, over = voucher.valid_until - timedelta(seconds=1), voucher.valid_until
        redeeming, swept = at_once(
            lambda v=voucher, at=last_moment: counter.redeem(v.code, at=at),
            lambda at=over: expiry.expire_due(limit=1, at=at),
        )

        assert (isinstance(redeeming, Redeemed), swept) in [(True, 0), (False, 1)]
        assert isinstance(redeeming, Redeemed | errors.VoucherExpired)
        assert voucher.redemptions.count() + voucher.endings.count() == 1
        assert agree(books_of(voucher))


def test_the_sweeper_leaves_a_voucher_that_a_clerk_is_redeeming(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher = counter.voucher()
    sweeping = squeeze(monkeypatch, redemption, "facts_of", lambda: expiry.expire_due(limit=9, at=voucher.valid_until))

    counter.redeem(voucher.code, at=voucher.valid_until - timedelta(seconds=1))

    assert sweeping.answer() == 0
    assert not voucher.endings.exists()


def test_a_clerk_who_comes_while_it_expires_hears_that_it_has(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher = counter.voucher()
    last_moment = voucher.valid_until - timedelta(seconds=1)
    redeeming = squeeze(monkeypatch, expiry, "lock_due", lambda: counter.redeem(voucher.code, at=last_moment))

    expiry.expire_due(limit=9, at=voucher.valid_until)

    assert isinstance(redeeming.answer(), errors.VoucherExpired)
    assert not voucher.redemptions.exists()


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_an_expired_use_is_drunk(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    voucher = counter.voucher()
    sweeping = squeeze(monkeypatch, redemption, "facts_of", lambda: expiry.expire_due(limit=9, at=voucher.valid_until))

    counter.redeem(voucher.code, at=voucher.valid_until - timedelta(seconds=1))

    assert sweeping.answer() == 1
    assert not agree(books_of(voucher))


def test_sweepers_at_once_share_what_is_due(counter: Counter) -> None:
    vouchers = counter.vouchers(count=40)

    swept = at_once(*[lambda: expiry.expire_due(limit=10, at=vouchers[0].valid_until)] * 4)

    assert sum(swept) + expiry.expire_due(limit=100, at=vouchers[0].valid_until) == 40
    assert UseEnding.objects.count() == 40


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_two_sweepers_trip_over_each_other(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    voucher = counter.voucher()
    second = squeeze(monkeypatch, expiry, "lock_due", lambda: expiry.expire_due(limit=9, at=voucher.valid_until))

    # The first one's look is stale: what it ends had ended. Its statement finds no free use, yet it tells the world.
    assert expiry.expire_due(limit=9, at=voucher.valid_until) == 1
    assert second.answer() == 1


# --- undo × redeem ----------------------------------------------------------------------------------


def test_undo_and_redeem_at_once_leave_the_books_straight(counter: Counter) -> None:
    for _ in range(8):
        card = counter.voucher(counter.terms(**CARD))
        first = counter.redeem(card.code, card.code)

        undoing, redeeming = at_once(
            lambda uses=first.uses: undo(counter, uses[0].redemption_id), lambda v=card: counter.redeem(v.code)
        )

        assert undoing.reversed_at == NOW
        assert isinstance(redeeming, Redeemed)
        assert agree(books_of(card))


def test_a_redeemer_who_comes_while_it_is_undone_waits_and_gets_the_use(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher = counter.voucher()
    [use] = counter.redeem(voucher.code).uses
    redeeming = squeeze(monkeypatch, reversal, "_check", lambda: counter.redeem(voucher.code))

    undo(counter, use.redemption_id)

    assert isinstance(redeeming.answer(), Redeemed)
    assert agree(books_of(voucher))


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_undo_and_redeem_lose_count(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    card = counter.voucher(counter.terms(**CARD))
    [use] = counter.redeem(card.code).uses
    undoing = squeeze(monkeypatch, redemption, "facts_of", lambda: undo(counter, use.redemption_id))

    counter.redeem(card.code)

    assert undoing.answer().reversed_at == NOW
    assert not agree(books_of(card))


def test_a_redemption_is_undone_by_one_of_two_clerks(counter: Counter) -> None:
    voucher = counter.voucher()
    [use] = counter.redeem(voucher.code).uses

    answers = at_once(*[lambda: undo(counter, use.redemption_id)] * 6)

    assert [type(answer) for answer in answers].count(Redemption) == 1
    assert {answer.code for answer in answers if not isinstance(answer, Redemption)} == {"redemption_already_reversed"}
    assert agree(books_of(voucher))


@pytest.mark.usefixtures("without_locks")
def test_without_the_lock_the_second_undo_is_told_a_wrong_reason(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher = counter.voucher()
    [use] = counter.redeem(voucher.code).uses
    first = squeeze(monkeypatch, reversal, "_check", lambda: undo(counter, use.redemption_id))

    # What remains is the conditional UPDATE, which cannot know why it found nothing.
    with pytest.raises(errors.RedemptionSettled):
        undo(counter, use.redemption_id)

    assert isinstance(first.answer(), Redemption)


# --- no circle of waiting ---------------------------------------------------------------------------


def test_clerks_with_the_same_vouchers_in_other_orders_wait_in_line(counter: Counter) -> None:
    pool = [voucher.code for voucher in counter.vouchers(counter.terms(**CARD), count=6)]
    orders = [pool[turn:] + pool[:turn] for turn in range(6)] + [pool[::-1]] * 2

    answers = at_once(*[lambda codes=codes: counter.redeem(*codes) for codes in orders])

    assert [type(answer) for answer in answers].count(Redeemed) == 3
    assert not [answer for answer in answers if isinstance(answer, OperationalError)]


def test_without_the_order_two_clerks_wait_for_each_other_for_ever(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = sorted(voucher.code for voucher in counter.vouchers(counter.terms(**CARD), count=2))
    has_one, in_turn = Meeting(), threading.local()
    real = voucher_locks.send_lock

    def as_typed(send: Send, codes: Iterable[tuple[UUID, str]]) -> Cursor:
        first, second = sorted(codes, reverse=in_turn.reverse)
        real(send, [first]).fetchall()
        has_one.come()
        return real(send, [second])

    def clerk(*, reverse: bool) -> Callable[[], Redeemed]:
        def act() -> Redeemed:
            in_turn.reverse = reverse
            return counter.redeem(one, other)

        return act

    monkeypatch.setattr(voucher_locks, "send_lock", as_typed)

    answers = at_once(clerk(reverse=False), clerk(reverse=True))

    assert [answer for answer in answers if isinstance(answer, OperationalError) and "deadlock" in str(answer)]


# --- numbers of codes -------------------------------------------------------------------------------


def test_numbers_reserved_at_once_never_overlap(counter: Counter) -> None:
    runs = at_once(*[lambda: code_numbers.reserve(brand_id=counter.brand.id, count=7)] * 12)

    assert sorted(number for run in runs for number in run) == list(range(84))


def test_a_counter_that_is_read_and_then_written_gives_numbers_twice(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    code_numbers.reserve(brand_id=counter.brand.id, count=1)
    monkeypatch.setattr(code_numbers, "F", lambda name: CodeCounter.objects.values_list(name, flat=True).get())
    other = squeeze(monkeypatch, code_numbers, "F", lambda: code_numbers.reserve(brand_id=counter.brand.id, count=5))

    assert code_numbers.reserve(brand_id=counter.brand.id, count=5) == other.answer()
