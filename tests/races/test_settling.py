"""Settling beside another worker, an undo, a refund after use and the close of a month."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError

from config.kernel.caller import MACHINE
from orders.errors import AfterUseTooMuch
from orders.models import ClosedStatement, Refund, Settlement, StoreStatement
from orders.services import after_use, month_close, settlement_lines
from orders.services.settling import settle_uses
from tests.factories import NOW
from tests.orders import settled
from tests.races.at_once import Meeting, at_once, meet_after
from tests.races.squeezed import squeeze
from tests.vouchers.counters import Counter
from vouchers.errors import RedemptionSettled
from vouchers.models import Redemption
from vouchers.services import reversal, settling
from vouchers.services.reversal import reverse

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

AFTER = NOW + timedelta(hours=2)
IN_TIME = NOW + timedelta(minutes=59)
LAST_OF_JUNE, IN_JULY = NOW + timedelta(days=29), NOW + timedelta(days=31)
UNLOCKED = settling.LOCK_DUE.replace("FOR NO KEY UPDATE OF redemption SKIP LOCKED", "")
WHATEVER_THE_STATE = settling.SETTLE.replace("AND settled_at IS NULL AND reversed_at IS NULL", "")
assert UNLOCKED != settling.LOCK_DUE
assert WHATEVER_THE_STATE != settling.SETTLE


@pytest.fixture
def counter() -> Counter:
    return settled.counter()


@pytest.fixture
def used(counter: Counter) -> Redemption:
    return settled.used(counter)


def settle() -> int:
    return settle_uses(at=AFTER)


def refunding(counter: Counter, used: Redemption, amount_fen: int = 970, **fields: Any) -> Callable[[], Refund]:
    key = uuid4()
    return lambda: settled.refunded(used, amount_fen, request_id=key, **fields)


def come_after(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, meeting: Meeting) -> None:
    act = getattr(module, name)

    def act_and_come(*args: Any, **named: Any) -> Any:
        answer = act(*args, **named)
        meeting.come()
        return answer

    monkeypatch.setattr(module, name, act_and_come)


# --- two workers -----------------------------------------------------------------------------------


def test_two_workers_settle_a_use_once(used: Redemption, monkeypatch: pytest.MonkeyPatch) -> None:
    meet_after(monkeypatch, settling, "lock_due")

    assert sorted(at_once(settle, settle)) == [0, 1]
    assert Settlement.objects.count() == 1


def test_two_workers_share_the_work_and_their_statement(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    for voucher in settled.bought(counter, quantity=6):
        counter.redeem(voucher.code)
    meet_after(monkeypatch, settling, "lock_due")

    assert at_once(lambda: settle_uses(limit=3, at=AFTER), lambda: settle_uses(limit=3, at=AFTER)) == [3, 3]
    statement = StoreStatement.objects.get()
    assert (statement.lines, statement.entity_fen) == (6, 6 * 873)


def test_control_without_lock_and_state_both_settle_it(used: Redemption, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "LOCK_DUE", UNLOCKED)
    monkeypatch.setattr(settling, "SETTLE", WHATEVER_THE_STATE)
    meet_after(monkeypatch, settling, "lock_due")

    answers = at_once(settle, settle)
    assert [type(answer) for answer in answers].count(IntegrityError) == 1, "only the database stood behind it"


# --- settle and undo -------------------------------------------------------------------------------


def undo(counter: Counter, used: Redemption) -> Redemption:
    """By a server whose clock is behind the worker's."""
    return reverse(redemption_id=used.pk, operator=counter.clerk, request_id=uuid4(), at=IN_TIME)


def both_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker holds what is due, the undo has seen that it is not settled: then both write."""
    meeting, lock_due, mark = Meeting(), settling.lock_due, reversal.mark

    def lock_and_meet(**named: Any) -> list[UUID]:
        due = lock_due(**named)
        meeting.come()
        return due

    def meet_and_mark(*args: Any, **named: Any) -> None:
        meeting.come()
        mark(*args, **named)

    monkeypatch.setattr(settling, "lock_due", lock_and_meet)
    monkeypatch.setattr(reversal, "mark", meet_and_mark)


def test_of_settle_and_undo_one_wins(counter: Counter, used: Redemption, monkeypatch: pytest.MonkeyPatch) -> None:
    both_looked(monkeypatch)

    settled_uses, undone = at_once(settle, lambda: undo(counter, used))
    assert settled_uses == 1
    assert isinstance(undone, RedemptionSettled)
    used.refresh_from_db()
    assert (used.settled_at, used.reversed_at) == (AFTER, None)


def test_control_an_undo_that_does_not_look_while_writing_meets_the_constraint(
    counter: Counter, used: Redemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mark_whatever_it_is(redemption: Redemption, *, at: Any, request_id: UUID, **_: Any) -> None:
        Redemption.objects.filter(pk=redemption.pk).update(reversed_at=at, reversal_request_id=request_id)

    monkeypatch.setattr(reversal, "mark", mark_whatever_it_is)
    both_looked(monkeypatch)

    _, undone = at_once(settle, lambda: undo(counter, used))
    assert isinstance(undone, IntegrityError)
    assert "settled_redemption_is_not_reversed" in str(undone)


# --- settle and refund after use -------------------------------------------------------------------


def test_a_worker_and_a_refund_settle_a_use_once(
    counter: Counter, used: Redemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_place = Meeting()  # of two places each act would wait at its own
    for module, name in ((settling, "lock_due"), (after_use, "lock")):
        come_after(monkeypatch, module, name, one_place)

    answers = at_once(settle, refunding(counter, used))
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert sorted(Settlement.objects.values_list("source_kind", "paid_fen")) == [
        ("after_use", -970),
        ("redemption", 970),
    ]


def test_control_without_lock_and_state_worker_and_refund_both_settle_it(
    counter: Counter, used: Redemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(redemption_id: UUID, *, brand_id: UUID) -> Redemption:
        return Redemption.objects.select_related("voucher").get(pk=redemption_id, voucher__brand_id=brand_id)

    monkeypatch.setattr(after_use, "lock", look)
    monkeypatch.setattr(settling, "LOCK_DUE", UNLOCKED)
    monkeypatch.setattr(settling, "SETTLE", WHATEVER_THE_STATE)
    meeting, lock_due = Meeting(), settling.lock_due

    def lock_and_meet(**named: Any) -> list[UUID]:
        due = lock_due(**named)
        meeting.come()
        return due

    def look_and_meet(*args: Any, **named: Any) -> Redemption:
        found = look(*args, **named)
        meeting.come()
        return found

    monkeypatch.setattr(settling, "lock_due", lock_and_meet)
    monkeypatch.setattr(after_use, "lock", look_and_meet)

    answers = at_once(settle, refunding(counter, used))
    assert [type(answer) for answer in answers].count(IntegrityError) == 1


def test_two_refunds_after_use_are_never_more_than_its_amount(
    counter: Counter, used: Redemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle()
    meet_after(monkeypatch, after_use, "lock")

    answers = at_once(refunding(counter, used), refunding(counter, used))
    assert sorted(type(answer).__name__ for answer in answers) == [AfterUseTooMuch.__name__, Refund.__name__]


def test_control_without_the_lock_a_use_is_refunded_twice(
    counter: Counter, used: Redemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(redemption_id: UUID, *, brand_id: UUID) -> Redemption:
        return Redemption.objects.select_related("voucher").get(pk=redemption_id, voucher__brand_id=brand_id)

    settle()
    monkeypatch.setattr(after_use, "lock", look)
    meet_after(monkeypatch, after_use, "given_back")

    at_once(refunding(counter, used), refunding(counter, used))
    assert sum(Settlement.objects.values_list("paid_fen", flat=True)) == 970 - 2 * 970


# --- booking and the close of a month --------------------------------------------------------------


def closing(counter: Counter) -> Callable[[], Any]:
    return lambda: month_close.close_month(brand_id=counter.brand.pk, month=date(2026, 6, 1), by=MACHINE, at=IN_JULY)


def test_a_month_closes_with_what_is_being_booked_into_it(
    counter: Counter, used: Redemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle()
    inner = squeeze(monkeypatch, settlement_lines, "hold_books", closing(counter))

    refunding(counter, used, at=LAST_OF_JUNE)()
    assert not isinstance(inner.answer(), Exception)
    assert ClosedStatement.objects.get().lines == 2
    assert sum(StoreStatement.objects.values_list("lines", flat=True)) == 2


def test_control_without_holding_the_books_a_closed_month_changes(
    counter: Counter, used: Redemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle()
    monkeypatch.setattr(settlement_lines, "HOLD_BOOKS", settlement_lines.HOLD_BOOKS.replace("FOR SHARE", ""))
    inner = squeeze(monkeypatch, settlement_lines, "hold_books", closing(counter))

    refunding(counter, used, at=LAST_OF_JUNE)()
    assert not isinstance(inner.answer(), Exception)
    assert ClosedStatement.objects.get().lines == 1
    assert sum(StoreStatement.objects.filter(day__lt=date(2026, 7, 1)).values_list("lines", flat=True)) == 2
