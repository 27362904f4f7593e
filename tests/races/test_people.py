"""One invitation, one PIN, one person who leaves: each meets two who come at the same moment."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from stores.errors import InvitationUsed, PinLocked, WrongPin
from stores.models import Device, Invitation, Pin, Staff
from stores.queries import clerks
from stores.services import devices, invitations, leaving, pins
from tests.factories import NOW
from tests.races.at_once import at_once, meet_after
from tests.races.squeezed import squeeze
from tests.stores import people
from tests.stores.people import Shop, caller
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from vouchers.errors import ClerkNotAtStore
from vouchers.models import Redemption
from vouchers.queries.answers import Redeemed
from vouchers.services import voucher_locks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

GUESSES = 12


def kinds(answers: list[Any]) -> list[str]:
    return sorted(type(answer).__name__ for answer in answers)


@pytest.fixture
def here() -> Shop:
    return people.shop()


def both_accept(here: Shop, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Another accepts when the first one has found it open and has not yet taken it."""
    token = here.invite().token
    inner = squeeze(monkeypatch, invitations.people, "admit", lambda: here.accept(token, username="second"))
    outer: list[Any] = []
    try:
        outer.append(here.accept(token, username="first"))
    except InvitationUsed as refusal:
        outer.append(refusal)
    return [*outer, inner.answer()]


def test_an_invitation_accepted_twice_at_once_makes_one(here: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = both_accept(here, monkeypatch)

    assert (first.is_new, type(second)) == (True, InvitationUsed)
    assert Staff.objects.filter(store=here.store, role="clerk").count() == 1


def test_without_its_lock_an_invitation_makes_two(here: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(invitations, "lock", lambda asked: asked.get())

    both_accept(here, monkeypatch)

    assert Staff.objects.filter(store=here.store, role="clerk").count() == 2


def guess_at_once(here: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], int]:
    """The answers, and how many guesses anybody compared with the PIN."""
    device, clerk = here.device().device, here.clerk()
    looked: list[str] = []

    def is_right(kept: Pin, pin: str) -> bool:
        looked.append(pin)
        return False

    monkeypatch.setattr(pins, "is_right", is_right)

    def guess(pin: int) -> Callable[[], Any]:
        return lambda: devices.switch(device_id=device.id, user_id=clerk.user_id, pin=f"{pin}", at=NOW)

    return at_once(*(guess(9_000 + number) for number in range(GUESSES))), len(looked)


def test_guesses_at_once_are_no_more_than_guesses_in_turn(here: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, looked = guess_at_once(here, monkeypatch)

    assert looked == pins.PERSON_TRIES
    assert kinds(answers) == sorted(
        [WrongPin.__name__] * pins.PERSON_TRIES + [PinLocked.__name__] * (GUESSES - pins.PERSON_TRIES)
    )


def test_without_the_locks_more_guesses_are_looked_at(here: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: counters that are read, raised and saved."""
    monkeypatch.setattr(pins, "lock_device", lambda device_id: Device.objects.get(id=device_id))
    monkeypatch.setattr(
        pins, "lock_pin", lambda *, user_id, brand_id: Pin.objects.get(user_id=user_id, brand_id=brand_id)
    )
    meet_after(monkeypatch, pins, "lock_pin")  # everybody has looked before anybody writes

    _, looked = guess_at_once(here, monkeypatch)

    assert looked == GUESSES > pins.PERSON_TRIES


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


def she_leaves(counter: Counter) -> Callable[[], int]:
    """How many redemptions in her name there are, for all to see, when she has left."""
    staff = Staff.objects.get(user=counter.clerk)

    def leave() -> int:
        leaving.leave(staff_id=staff.id, by=caller(counter.clerk), at=NOW + timedelta(seconds=1))
        return Redemption.objects.count()

    return leave


def test_what_she_began_is_done_before_she_has_left(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    voucher = counter.voucher()
    leave = squeeze(monkeypatch, voucher_locks, "vouchers_of", she_leaves(counter))

    counter.redeem(voucher.code)

    assert leave.answer() == 1


def test_without_holding_her_role_she_redeems_after_she_has_left(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(clerks, "HOLD", "")
    voucher = counter.voucher()
    leave = squeeze(monkeypatch, voucher_locks, "vouchers_of", she_leaves(counter))

    counter.redeem(voucher.code)

    assert leave.answer() == 0
    assert Redemption.objects.count() == 1


def test_who_is_leaving_redeems_nothing_more(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    voucher, leave = counter.voucher(), she_leaves(counter)

    def redeem() -> Redeemed | Any:
        [answer] = counter.batch(counter.request(voucher.code), at=NOW + timedelta(seconds=2))
        return answer

    redeemed = squeeze(monkeypatch, leaving, "withdraw_invitations_of", redeem)
    leave()

    assert isinstance(redeemed.answer(), ClerkNotAtStore)
    assert not Redemption.objects.exists()


def test_an_invitation_is_not_accepted_after_its_maker_has_left(here: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Her row is taken back under the lock that accepting waits for."""
    invited = here.invite()
    staff = Staff.objects.get(user=here.manager)
    accept = squeeze(monkeypatch, leaving, "withdraw_invitations_of", lambda: here.accept(invited.token))

    leaving.leave(staff_id=staff.id, by=caller(here.manager), at=NOW + timedelta(seconds=1))

    assert type(accept.answer()).__name__ == "InvitationWithdrawn"
    assert Invitation.objects.get().accepted_at is None
