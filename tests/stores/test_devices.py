"""A device stands at one store; on it a clerk is who knows her PIN, and guessing is slow."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from pytest_django import Settings

from config.kernel.errors import NotSignedIn
from config.kernel.models import AuditEntry
from stores.errors import DeviceNotFound, PinLocked, PinTooWeak, StoreNotFound, WrongPin
from stores.models import Device, Pin, Staff
from stores.services import devices, pins
from stores.services.bearer_keys import hash_of
from stores.services.devices import CounterSession
from tests import factories
from tests.factories import NOW
from tests.stores.people import PIN, Shop, caller, shop
from tests.vouchers.http import as_staff, error_of, get, post, put

pytestmark = pytest.mark.django_db(transaction=True)

WRONG = "9083"


@pytest.fixture
def here() -> Shop:
    return shop()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def switch(device: Device, staff: Staff, pin: str = PIN, *, at: Any = NOW) -> CounterSession:
    return devices.switch(device_id=device.id, user_id=staff.user_id, pin=pin, at=at)


def fail(times: int, device: Device, staff: Staff, *, at: Any = NOW) -> None:
    for _ in range(times):
        with pytest.raises(WrongPin):
            switch(device, staff, WRONG, at=at)


def test_a_device_is_bound_shows_its_clerks_and_lets_one_switch(here: Shop) -> None:
    answer = post(f"stores/{here.store.public_id}/devices", as_staff(here.manager), {"name": "收银台"})
    assert answer["Cache-Control"] == "no-store"
    key = answer.json()["key"]
    clerk = here.clerk()
    factories.staff(here.brand, store=here.store)  # without a PIN

    shown = get("devices/me", bearer(key)).json()
    assert (shown["store"], shown["clerks"]) == (
        here.store.public_id,
        [{"user": clerk.user.public_id, "name": "小林"}],
    )
    session = post("devices/me/sessions", bearer(key), {"user": clerk.user.public_id, "pin": PIN})
    assert (session.status_code, session.json()["name"], session["Cache-Control"]) == (200, "小林", "no-store")
    listed = get(f"stores/{here.store.public_id}/redemptions", bearer(session.json()["token"]))
    assert listed.status_code == 200


def test_the_key_is_kept_as_a_hash(here: Shop) -> None:
    bound = here.device()

    assert bytes(Device.objects.get().key_hash) == hash_of(bound.key.rpartition("_")[2])
    other_kid = bound.key.replace(bound.key.split("_")[1], "00000000")
    assert error_of(get("devices/me", bearer(other_kid))) == (401, "not_signed_in")


def test_an_ended_device_knows_nobody_from_then_on(here: Shop) -> None:
    bound, clerk = here.device(), here.clerk()
    token = post("devices/me/sessions", bearer(bound.key), {"user": clerk.user.public_id, "pin": PIN}).json()["token"]

    ended = post(f"devices/{bound.device.public_id}/end", as_staff(here.manager))

    assert ended.status_code == 200
    assert error_of(get("devices/me", bearer(bound.key))) == (401, "not_signed_in")
    assert error_of(get(f"stores/{here.store.public_id}/redemptions", bearer(token))) == (401, "not_signed_in")
    with pytest.raises(NotSignedIn):
        switch(bound.device, clerk)
    again = post(f"devices/{bound.device.public_id}/end", as_staff(here.manager)).json()
    assert again["ended_at"] == ended.json()["ended_at"]
    assert AuditEntry.objects.filter(act="device.ended").count() == 1


def test_a_counter_session_is_good_for_the_counter_of_its_store_alone(here: Shop) -> None:
    elsewhere = factories.store(here.brand)
    clerk = here.clerk()
    factories.staff(here.brand, user=clerk.user, store=elsewhere)
    factories.staff(here.brand, user=clerk.user, role="owner")
    token = bearer(
        post("devices/me/sessions", bearer(here.device().key), {"user": clerk.user.public_id, "pin": PIN}).json()[
            "token"
        ]
    )

    assert get(f"stores/{here.store.public_id}/redemptions", token).status_code == 200
    assert error_of(get(f"stores/{elsewhere.public_id}/redemptions", token)) == (404, "store_not_found")
    for path in ("staff", "stores", "api-clients", "regions"):
        assert error_of(get(path, token)) == (403, "not_allowed"), path


def test_only_who_runs_the_store_binds_and_ends(here: Shop) -> None:
    clerk, stranger, bound = here.clerk(), shop(here.brand).manager, here.device()

    assert error_of(post(f"stores/{here.store.public_id}/devices", as_staff(clerk.user), {"name": "我的"}))[0] == 403
    for by in (clerk.user, stranger):
        with pytest.raises(DeviceNotFound):
            devices.end(device_id=bound.device.id, by=caller(by), at=NOW)
    with pytest.raises(StoreNotFound):
        devices.bind(store=here.store.public_id, name="x", by=caller(stranger), at=NOW)


def test_five_wrong_pins_lock_her_and_say_until_when(here: Shop) -> None:
    device, clerk = here.device().device, here.clerk()
    fail(pins.PERSON_TRIES, device, clerk)

    with pytest.raises(PinLocked) as refusal:
        switch(device, clerk, at=NOW + timedelta(minutes=1))

    until = NOW + pins.LOCKED_FOR
    assert refusal.value.details == {"until": until.isoformat(), "retry_after_seconds": 14 * 60, "whose": "person"}
    locked = AuditEntry.objects.get(act="pin.locked")
    assert (locked.subject_id, locked.details["user"]) == (device.id, str(clerk.user_id))
    assert switch(device, clerk, at=until).user == clerk.user


def test_each_lock_lasts_twice_as_long_until_she_remembers(here: Shop) -> None:
    device, clerk, at = here.device().device, here.clerk(), NOW
    lasted = []
    for _ in range(9):
        Device.objects.update(pin_failures=0, pin_locked_until=None)
        fail(pins.PERSON_TRIES, device, clerk, at=at)
        until = Pin.objects.get(user=clerk.user).locked_until
        assert until is not None
        lasted.append((until - at) // pins.LOCKED_FOR)
        at = until
    assert lasted == [1, 2, 4, 8, 16, 32, 64, 64, 64]

    switch(device, clerk, at=at)
    fail(pins.PERSON_TRIES, device, clerk, at=at)
    assert Pin.objects.get(user=clerk.user).locked_until == at + pins.LOCKED_FOR


def test_a_device_is_locked_for_all_when_it_guesses_at_many(here: Shop) -> None:
    device = here.device().device
    clerks = [here.clerk() for _ in range(5)]
    for clerk in clerks[:4]:
        fail(pins.PERSON_TRIES, device, clerk)

    with pytest.raises(PinLocked) as refusal:
        switch(device, clerks[4])

    assert refusal.value.details["whose"] == "device"
    assert switch(here.device("另一台").device, clerks[4]).user == clerks[4].user
    assert switch(device, clerks[4], at=NOW + pins.LOCKED_FOR).user == clerks[4].user


def test_her_own_right_pin_does_not_wash_guesses_off_the_device(here: Shop) -> None:
    device, clerk, victim = here.device().device, here.clerk(), here.clerk()
    fail(3, device, victim)

    switch(device, clerk)

    device.refresh_from_db()
    assert device.pin_failures == 3


def test_a_right_pin_ends_her_own_count(here: Shop) -> None:
    device, clerk = here.device().device, here.clerk()
    for _ in range(3):
        fail(pins.PERSON_TRIES - 1, device, clerk)
        switch(device, clerk)


def test_who_has_no_pin_or_works_elsewhere_hears_the_same(here: Shop) -> None:
    device = here.device().device
    without = factories.staff(here.brand, store=here.store)
    elsewhere = shop(here.brand).clerk()

    for staff in (without, elsewhere):
        with pytest.raises(WrongPin):
            switch(device, staff)


def test_her_own_new_pin_ends_a_lock(here: Shop) -> None:
    device, clerk = here.device().device, here.clerk()
    fail(pins.PERSON_TRIES, device, clerk)

    assert put("staff/me/pin", as_staff(clerk.user), {"pin": "7352"}).status_code == 200

    assert switch(device, clerk, "7352").user == clerk.user
    with pytest.raises(WrongPin):
        switch(device, clerk, PIN)
    assert AuditEntry.objects.filter(act="pin.set", actor_id=clerk.user_id).count() == 1


def test_a_supervisor_switches_on_a_device_of_her_region_unlisted(here: Shop) -> None:
    owner = factories.staff(here.brand, role="owner")
    assert put("staff/me/pin", as_staff(owner.user), {"pin": PIN}).status_code == 200
    bound = here.device()

    assert get("devices/me", bearer(bound.key)).json()["clerks"] == []
    assert switch(bound.device, owner).user == owner.user


@pytest.mark.parametrize(
    "pin",
    [
        *("0000", "1234", "4321", "7890", "0987", "1212", "123123", "1122", "1221", "1314", "2580", "1999", "2026"),
        *("", "123", "1234567", "12a4", "４０７１", " 4071", "888888", "121212", "345678"),
    ],
)
def test_a_pin_that_others_try_first_is_refused(pin: str) -> None:
    with pytest.raises(PinTooWeak):
        pins.check_strength(pin)


@pytest.mark.parametrize("pin", ["4071", "9083", "73518", "520417", "0731"])
def test_any_other_is_taken(pin: str) -> None:
    pins.check_strength(pin)


def test_a_pin_is_not_found_in_the_database_without_the_key(here: Shop, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
    clerk = here.clerk()

    kept = Pin.objects.get(user=clerk.user).pin_hash
    assert kept.startswith("scrypt$")
    assert not check_password(PIN, kept)
