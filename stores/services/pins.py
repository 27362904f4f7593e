"""PINs: set by their owner, refused where others would try them first, counted before they are looked at."""

from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from django.contrib.auth.hashers import check_password, make_password
from django.db import connection, transaction

from config.kernel import audit
from config.kernel.caller import MACHINE, Caller
from config.kernel.personal_data import keyed_hash
from stores.errors import PinLocked, PinTooWeak
from stores.models import Device, Pin
from stores.permissions import Permission
from stores.queries import brand_for_caller
from stores.services import trail

PURPOSE = "pin"
PERSON_TRIES = 5
DEVICE_TRIES = 20
DEVICE_WINDOW = timedelta(minutes=15)
LOCKED_FOR = timedelta(minutes=15)
LONGEST_DOUBLINGS = 6
"""15 minutes, then twice as long each time, at most 16 hours: under 8 tries a day at one person's PIN."""

# Patterns a finger makes on the keypad, and numbers of luck and love (1314: all my life, 1688: riches).
TRIED_FIRST = frozenset(
    {"1314", "1688", "2580", "0852", "5201", "5200", "147258", "258369", "159357", "147369", "201314", "131452"}
)


def check_strength(pin: str) -> None:
    """
    Refuse what is no PIN, or one of the few hundred that others try first.

    Raises:
        PinTooWeak: not 4 to 6 digits, one digit or one short block repeated, pairs, a run, a mirror of
            itself, a year, or a well-known pattern.
    """
    if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 6) or _is_easy(pin):
        raise PinTooWeak(param="pin")


def hashed(pin: str) -> str:
    """
    The PIN as it is kept. Slow by purpose: called before a transaction, never inside one.

    A slow hash alone is no help for 10,000 possible PINs: it is of a hash under a key that is not in the database.

    Raises:
        PinTooWeak: see ``check_strength``.
    """
    check_strength(pin)
    return make_password(_keyed(pin))


def set_own(*, pin: str, brand: str | None, by: Caller, at: datetime) -> Pin:
    """
    A PIN for the caller's own use at the devices of a brand she serves; locks of the former one end.

    Raises:
        PinTooWeak: see ``check_strength``.
        MalformedId, BrandNotFound, BrandRequired: about ``brand``.
        NotAllowed: she stands at no counter there.
    """
    brand_id = brand_for_caller(by, Permission.REDEEM, at=at, brand=brand)
    pin_hash = hashed(pin)
    assert by.id is not None, "a person has an id"
    with transaction.atomic(durable=True):
        kept = keep(user_id=by.id, brand_id=brand_id, pin_hash=pin_hash, at=at)
        audit.record(
            act="pin.set",
            actor_kind=by.kind,
            actor_id=by.id,
            brand_id=brand_id,
            subject_kind="user",
            subject_id=by.id,
            at=at,
        )
        return kept


def keep(*, user_id: UUID, brand_id: UUID, pin_hash: str, at: datetime) -> Pin:
    """Store a hashed PIN over any former one. Runs inside the caller's transaction."""
    assert connection.in_atomic_block, "a PIN comes with its trail"
    fresh = {"pin_hash": pin_hash, "set_at": at, "failures": 0, "lock_outs": 0, "locked_until": None}
    return Pin.objects.update_or_create(user_id=user_id, brand_id=brand_id, defaults=fresh)[0]


def is_right(kept: Pin, pin: str) -> bool:
    """Slow by purpose, as ``hashed`` is."""
    return check_password(_keyed(pin), kept.pin_hash)


def waste_the_time(pin: str) -> None:
    """What ``is_right`` takes, where there is no PIN to compare with."""
    make_password(_keyed(pin))


def charge(*, device_id: UUID, user_id: UUID, at: datetime) -> Pin | None:
    """
    Count one try at a person's PIN on a device, before anybody looks whether it is right; None where she has none.

    Counted under the locks of both rows: guesses that come at once are as few as guesses one by one.

    Raises:
        PinLocked: too many failed here, or at this PIN; says until when.
    """
    with transaction.atomic(durable=True):
        device = lock_device(device_id)
        kept = lock_pin(user_id=user_id, brand_id=device.brand_id)
        _require_open(device.pin_locked_until, whose="device", at=at)
        if kept is not None:
            _require_open(kept.locked_until, whose="person", at=at)
            kept.failures += 1
            if kept.failures >= PERSON_TRIES:
                kept.locked_until = at + LOCKED_FOR * 2 ** min(kept.lock_outs, LONGEST_DOUBLINGS)
                kept.failures, kept.lock_outs = 0, kept.lock_outs + 1
            kept.save(update_fields=["failures", "lock_outs", "locked_until"])
        since = device.pin_failures_since
        if since is None or since <= at - DEVICE_WINDOW:
            device.pin_failures, device.pin_failures_since = 0, at
        device.pin_failures += 1
        if device.pin_failures >= DEVICE_TRIES:
            device.pin_failures, device.pin_locked_until = 0, at + LOCKED_FOR
        device.save(update_fields=["pin_failures", "pin_failures_since", "pin_locked_until"])
        return kept


def give_back(kept: Pin, device: Device) -> None:
    """
    A right PIN was no failure: its owner's count ends, the device's is one less. Runs inside the caller's
    transaction, on rows that it has locked.

    Another's right PIN must not wash off a device what a guesser did there.
    """
    assert connection.in_atomic_block, "the counts follow the session"
    kept.failures, kept.lock_outs, kept.locked_until = 0, 0, None
    kept.save(update_fields=["failures", "lock_outs", "locked_until"])
    device.pin_failures = max(device.pin_failures - 1, 0)
    device.save(update_fields=["pin_failures"])


def tell_of_lock(kept: Pin, *, device: Device, at: datetime) -> None:
    """Say that this failure locked the PIN, in a transaction of its own: a refusal follows."""
    with transaction.atomic(durable=True):
        trail.leave(
            "pin.locked",
            device,
            brand_id=device.brand_id,
            by=MACHINE,  # nobody knows who typed it
            at=at,
            details={"user": str(kept.user_id), "until": kept.locked_until.isoformat() if kept.locked_until else None},
        )


def lock_device(device_id: UUID) -> Device:
    """A device's row, held to the end of the caller's transaction; before its people's PINs."""
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    return Device.objects.select_for_update(no_key=True).get(id=device_id)


def lock_pin(*, user_id: UUID, brand_id: UUID) -> Pin | None:
    """A PIN's row, held to the end of the caller's transaction."""
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    return Pin.objects.select_for_update(no_key=True).filter(user_id=user_id, brand_id=brand_id).first()


def _require_open(locked_until: datetime | None, *, whose: str, at: datetime) -> None:
    if locked_until is not None and at < locked_until:
        seconds = -int((at - locked_until).total_seconds() // 1)
        raise PinLocked(until=locked_until.isoformat(), retry_after_seconds=seconds, whose=whose)


def _keyed(pin: str) -> str:
    return keyed_hash(pin, purpose=PURPOSE).hex()


def _is_easy(pin: str) -> bool:
    digits = [int(digit) for digit in pin]
    steps = {(later - earlier) % 10 for earlier, later in pairwise(digits)}
    blocks = (pin[:size] for size in (1, 2, 3) if len(pin) % size == 0)
    return (
        steps in ({1}, {9})
        or any(block * (len(pin) // len(block)) == pin for block in blocks)
        or pin == pin[::-1]
        or (len(pin) % 2 == 0 and pin[::2] == pin[1::2])
        or (len(pin) == 4 and pin[:2] in ("19", "20"))
        or pin in TRIED_FIRST
    )
