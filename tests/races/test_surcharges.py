"""A surcharge that is paid, or asked for, while its drink is undone."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError
from django.db.models import QuerySet

from orders.models import LedgerTransfer, Refund, Surcharge
from orders.services import surcharge_locks, surcharges
from orders.services.surcharges import Extra
from tests.factories import NOW
from tests.orders.world import pay_surcharge
from tests.races.at_once import at_once
from tests.races.squeezed import squeeze
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from vouchers.models import Redemption
from vouchers.services import reversal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def redemption(counter: Counter) -> Redemption:
    [use] = counter.redeem(counter.voucher().code).uses
    return Redemption.objects.get(pk=use.redemption_id)


def ask(counter: Counter, redemption: Redemption) -> Surcharge:
    return surcharges.ask_by_qr(
        redemption_id=redemption.pk,
        extra=Extra(reason="升大杯", amount_fen=500),
        provider="sandbox",
        operator_id=counter.clerk.pk,
        request_id=uuid4(),
        at=NOW,
    ).surcharge


def undo(counter: Counter, redemption: Redemption) -> Redemption:
    return reversal.reverse(redemption_id=redemption.pk, operator=counter.clerk, request_id=uuid4(), at=LATER)


def money_back() -> list[tuple[str, int]]:
    return list(Refund.objects.values_list("source_kind", "amount_fen"))


def test_paid_or_undone_first_the_money_goes_back_once(counter: Counter) -> None:
    for number in range(6):
        [use] = counter.redeem(counter.voucher().code).uses
        redemption = Redemption.objects.get(pk=use.redemption_id)
        surcharge = ask(counter, redemption)

        def pay(surcharge: Surcharge = surcharge, number: int = number) -> None:
            pay_surcharge(surcharge, f"sbx_{number}")

        def take_back(redemption: Redemption = redemption) -> Redemption:
            return undo(counter, redemption)

        at_once(pay, take_back)

        surcharge.refresh_from_db()
        refunds = Refund.objects.filter(surcharge=surcharge)
        assert [refund.amount_fen for refund in refunds] == [500]
        assert surcharge.status == {"surcharge": "returning", "unwanted_capture": "closed"}[refunds[0].source_kind]


def test_a_capture_waits_for_the_undo_and_comes_too_late(
    counter: Counter, redemption: Redemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    surcharge = ask(counter, redemption)
    paying = squeeze(monkeypatch, surcharge_locks, "lock_of", lambda: pay_surcharge(surcharge, "sbx_1"))

    undo(counter, redemption)
    paying.answer()

    surcharge.refresh_from_db()
    assert (surcharge.status, money_back()) == ("closed", [("unwanted_capture", 500)])


def test_control_without_the_surcharges_lock_the_undo_writes_over_a_paid_one(
    counter: Counter, redemption: Redemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the money is not kept even so is the merit of the constraint: the undo fails as a whole."""
    surcharge = ask(counter, redemption)

    def unlocked(redemption_ids: Any) -> list[Surcharge]:
        return list(Surcharge.objects.filter(redemption_id__in=redemption_ids))

    monkeypatch.setattr(surcharge_locks, "lock_of", unlocked)
    paying = squeeze(monkeypatch, surcharge_locks, "lock_of", lambda: pay_surcharge(surcharge, "sbx_1"))

    with pytest.raises(IntegrityError, match="surcharge_status_agrees_with_its_times"):
        undo(counter, redemption)
    paying.answer()

    surcharge.refresh_from_db()
    redemption.refresh_from_db()
    assert (surcharge.status, redemption.reversed_at, money_back()) == ("paid", None, [])


def test_a_surcharge_for_a_drink_that_is_being_undone_is_refused(
    counter: Counter, redemption: Redemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = squeeze(monkeypatch, surcharge_locks, "lock_of", lambda: ask(counter, redemption))

    undo(counter, redemption)

    assert type(asking.answer()).__name__ == "RedemptionAlreadyReversed"
    assert not Surcharge.objects.exists()


def test_control_without_the_redemptions_lock_it_is_asked_for_nothing(
    counter: Counter, redemption: Redemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QuerySet, "select_for_update", lambda rows, **named: rows)
    asking = squeeze(monkeypatch, surcharge_locks, "lock_of", lambda: ask(counter, redemption))

    undo(counter, redemption)

    assert isinstance(asking.answer(), Surcharge)
    assert Surcharge.objects.get().status == "open", "nobody gives back what she pays for it"
    assert not LedgerTransfer.objects.filter(kind="surcharge").exists()
