"""
A platform's voucher wanted by several at once: it is asked to redeem once, and its answer is applied once.

Each guard is removed once, and then the race is lost.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError

from tests.factories import NOW
from tests.races.at_once import at_once
from tests.races.squeezed import squeeze
from tests.vouchers import counters, fake_platform
from tests.vouchers.counters import Counter
from tests.vouchers.fake_platform import FakePlatform
from vouchers import errors
from vouchers.issuers.interface import Certificate, UsePrice
from vouchers.models import IssuerCall, IssuerVoucher, Redemption, Voucher
from vouchers.queries.issuer_requests import RequestState
from vouchers.services import (
    holds,
    issuer_asking,
    issuer_calls,
    issuer_import,
    issuer_outcomes,
    issuer_redemption,
    issuer_reversal,
    voucher_locks,
)
from vouchers.services.issuer_reversal import Undoing
from vouchers.services.redemption import RedeemRequest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

SOON = NOW + timedelta(seconds=6)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def platform(counter: Counter) -> Iterator[FakePlatform]:
    with fake_platform.connected(FakePlatform()) as platform:
        fake_platform.honoured_at(counter.store, platform)
        yield platform


def redeem(counter: Counter, sold: Certificate, *, key: UUID | None = None) -> RequestState:
    request = RedeemRequest(counter.store.id, counter.clerk.id, (sold.code,), None, key or uuid4())
    return issuer_redemption.redeem(request, at=NOW)


def look_up(counter: Counter, sold: Certificate) -> list[Voucher]:
    return issuer_import.look_up(brand_id=counter.brand.id, store_id=counter.store.id, text=sold.code, at=NOW)


def known(counter: Counter, platform: FakePlatform) -> Certificate:
    sold = platform.sell()
    look_up(counter, sold)
    return sold


def undo(counter: Counter, redemption_id: UUID) -> Undoing:
    return issuer_reversal.reverse(
        redemption_id=redemption_id, operator=counter.clerk, request_id=uuid4(), at=NOW + timedelta(minutes=5)
    )


def without_the_calls_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = IssuerCall.objects.select_related("redemption_request")
    monkeypatch.setattr(issuer_outcomes, "lock_call", lambda call_id: calls.get(pk=call_id))


# --- scans ------------------------------------------------------------------------------------------


def test_scans_at_once_make_one_voucher(counter: Counter, platform: FakePlatform) -> None:
    sold = platform.sell()

    answers = at_once(*[lambda: look_up(counter, sold)] * 8)

    assert {voucher.id for [voucher] in answers} == {Voucher.objects.get().id}
    assert IssuerVoucher.objects.count() == 1


def test_without_minding_who_was_first_a_scan_breaks(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = platform.sell(buyer_external_id=known(counter, platform).buyer_external_id)
    real = type(Voucher.objects).bulk_create

    def heedless(self: Any, rows: Any, **options: Any) -> Any:
        return real(self, rows, **{**options, "ignore_conflicts": False})

    monkeypatch.setattr(type(Voucher.objects), "bulk_create", heedless)
    rival = squeeze(monkeypatch, issuer_import, "_code", lambda: look_up(counter, sold))

    with pytest.raises(IntegrityError):
        look_up(counter, sold)
    assert len(rival.answer()) == 1


# --- two clerks -------------------------------------------------------------------------------------


def test_of_two_clerks_one_asks_the_platform(counter: Counter, platform: FakePlatform) -> None:
    for _ in range(6):
        sold = known(counter, platform)
        answers = at_once(*[lambda one=sold: redeem(counter, one)] * 4)

        won = [answer for answer in answers if isinstance(answer, RequestState)]
        assert len(won) == 1
        assert {answer.code for answer in answers if answer is not won[0]} <= {
            "voucher_held",
            "voucher_already_redeemed",
        }
        assert len(platform.sold[sold.external_id].redeemed) == 1


def test_without_the_lock_the_second_clerk_breaks_instead_of_hearing_no(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = known(counter, platform)
    monkeypatch.setattr(voucher_locks, "lock", lambda ids: list(Voucher.objects.filter(id__in=ids)))
    second = squeeze(monkeypatch, holds, "_check", lambda: redeem(counter, sold))

    with pytest.raises((IntegrityError, AssertionError)):
        redeem(counter, sold)

    assert isinstance(second.answer(), RequestState)


def test_copies_of_a_request_ask_the_platform_once(counter: Counter, platform: FakePlatform) -> None:
    sold, key = known(counter, platform), uuid4()

    answers = at_once(*[lambda: redeem(counter, sold, key=key)] * 6)

    assert len({answer.request_id for answer in answers}) == 1
    assert [answer.is_repeat for answer in answers].count(False) == 1
    assert platform.heard.count("redeem") == 1


def test_a_scan_while_the_platform_thinks_hears_who_holds_it(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = known(counter, platform)
    second = squeeze(monkeypatch, issuer_calls, "say", lambda: redeem(counter, sold))

    done = redeem(counter, sold)

    refusal = second.answer()
    assert isinstance(refusal, errors.VoucherHeld)
    assert refusal.details["request"] == done.public_id


def test_without_the_hold_the_platform_is_asked_twice(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = platform.sell(UsePrice(1_000), UsePrice(600))
    look_up(counter, card)
    monkeypatch.setattr(holds, "COUNT_HELD", "SELECT %(uses)s::jsonb")
    second = squeeze(monkeypatch, issuer_calls, "say", lambda: redeem(counter, card))

    # The voucher does not say that it is held, so its second use goes to the platform beside the first.
    with pytest.raises(IntegrityError, match="uses_held"):
        redeem(counter, card)
    assert isinstance(second.answer(), IntegrityError)
    assert platform.heard.count("redeem") == 2


# --- the sweeper and a late answer ------------------------------------------------------------------


def test_a_late_answer_and_the_sweepers_are_applied_once(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = known(counter, platform)
    sweeping = squeeze(monkeypatch, issuer_calls, "say", lambda: issuer_asking.ask_due(limit=9, at=SOON))

    done = redeem(counter, sold)

    assert sweeping.answer() == 1
    assert done.outcome == "done"
    assert Redemption.objects.count() == len(platform.sold[sold.external_id].redeemed) == 1


def test_both_answers_at_the_same_moment_are_applied_once(counter: Counter, platform: FakePlatform) -> None:
    for _ in range(6):
        sold = known(counter, platform)
        platform.lose_answers = 1
        redeem(counter, sold)
        call = IssuerCall.objects.get(voucher__external_id=sold.external_id)
        answer = platform.redeems[call.public_id]

        applied = at_once(*[lambda one=call, it=answer: issuer_outcomes.apply_redeem(one.pk, it, at=SOON)] * 4)

        assert {one.outcome for one in applied} == {"done"}
        assert Redemption.objects.filter(voucher_id=call.voucher_id).count() == 1


def test_without_the_calls_lock_the_later_answer_breaks(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = known(counter, platform)
    platform.lose_answers = 1
    redeem(counter, sold)
    call = IssuerCall.objects.get()
    answer = platform.redeems[call.public_id]
    without_the_calls_lock(monkeypatch)
    other = squeeze(
        monkeypatch, issuer_outcomes, "lock_call", lambda: issuer_outcomes.apply_redeem(call.pk, answer, at=SOON)
    )

    # What remains is the fence: a lease ends once.
    with pytest.raises(errors.HoldOver):
        issuer_outcomes.apply_redeem(call.pk, answer, at=SOON)
    assert other.answer().outcome == "done"


def test_sweepers_at_once_share_what_is_due(counter: Counter, platform: FakePlatform) -> None:
    for _ in range(12):
        sold = known(counter, platform)
        platform.lose_requests = 1
        redeem(counter, sold)
    platform.heard.clear()

    decided = at_once(*[lambda: issuer_asking.ask_due(limit=4, at=SOON)] * 3)

    assert sum(decided) + issuer_asking.ask_due(limit=99, at=SOON) == 12
    assert platform.heard.count("ask_redeem") == platform.heard.count("redeem") == 12


def test_without_claiming_two_sweepers_ask_the_same(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = known(counter, platform)
    platform.lose_requests = 1
    redeem(counter, sold)
    platform.heard.clear()
    monkeypatch.setattr(
        issuer_asking, "claim", lambda limit, at: list(IssuerCall.objects.select_related("voucher")[:limit])
    )
    other = squeeze(monkeypatch, issuer_asking, "claim", lambda: issuer_asking.ask_due(limit=9, at=SOON))

    issuer_asking.ask_due(limit=9, at=SOON)

    assert other.answer() == 1
    assert platform.heard.count("ask_redeem") == 2
    assert len(platform.sold[sold.external_id].redeemed) == 1, "the reference is what keeps the second from harm"


# --- undo -------------------------------------------------------------------------------------------


def test_of_two_clerks_who_undo_one_asks_the_platform(counter: Counter, platform: FakePlatform) -> None:
    for _ in range(6):
        sold = known(counter, platform)
        redemption_id = redeem(counter, sold).uses[0].redemption_id
        platform.heard.clear()

        answers = at_once(*[lambda one=redemption_id: undo(counter, one)] * 4)

        assert [isinstance(answer, Undoing) for answer in answers].count(True) == 1
        refused = {answer.code for answer in answers if not isinstance(answer, Undoing)}
        assert refused <= {"reversal_undecided", "redemption_already_reversed"}
        assert platform.heard.count("cancel") == 1
        assert Voucher.objects.get(external_id=sold.external_id).uses_left == 1


def test_without_the_locks_the_second_undo_breaks(
    counter: Counter, platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = known(counter, platform)
    redemption_id = redeem(counter, sold).uses[0].redemption_id
    monkeypatch.setattr(voucher_locks, "lock", lambda ids: list(Voucher.objects.filter(id__in=ids)))
    monkeypatch.setattr(issuer_reversal, "_lock", lambda key: Redemption.objects.select_related("request").get(pk=key))
    platform.lose_requests = 2
    second = squeeze(monkeypatch, issuer_reversal, "_is_being_undone", lambda: undo(counter, redemption_id))

    with pytest.raises(IntegrityError, match="redemption_is_undone_by_one"):
        undo(counter, redemption_id)
    assert isinstance(second.answer(), Undoing)
