"""Devices of a store: bound once, ended in one act; on them clerks switch by PIN."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.accounts import tokens
from config.accounts.models import User
from config.accounts.tokens import AccessToken
from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import NotSignedIn
from stores.errors import DeviceNotFound, StoreIsClosed, WrongPin
from stores.models import Device, Store
from stores.permissions import Permission
from stores.queries import store_for_caller, stores_for_clerks
from stores.services import bearer_keys, pins, trail

PREFIX = "hxd"


@dataclass(frozen=True)
class BoundDevice:
    """``key`` is here once and nowhere after."""

    device: Device
    key: str


@dataclass(frozen=True)
class CounterSession:
    user: User
    token: AccessToken


def bind(*, store: str, name: str, by: Caller, at: datetime) -> BoundDevice:
    """
    A device of a store with its key, ``hxd_<kid>_<secret>``.

    Not repeatable, because the key is not kept: who lost the answer ends that device and binds it again.

    Raises:
        MalformedId, StoreNotFound, NotAllowed: about ``store``, a public id.
        StoreIsClosed: for good.
    """
    here = store_for_caller(by, store, permission=Permission.BIND_DEVICES, at=at)
    if here.status == Store.Status.CLOSED:
        raise StoreIsClosed(closed_at=here.closed_at.isoformat() if here.closed_at else None)
    assert by.id is not None, "only people bind devices"
    secret = bearer_keys.new_secret()
    device = Device(
        brand_id=here.brand_id,
        store_id=here.id,
        name=name,
        key_hash=bearer_keys.hash_of(secret),
        bound_by_id=by.id,
        created_at=at,
    )
    with transaction.atomic(durable=True):
        device.save(force_insert=True)
        trail.leave("device.bound", device, brand_id=here.brand_id, by=by, at=at, details={"store": here.public_id})
    return BoundDevice(device=device, key=bearer_keys.key_of(PREFIX, device.id, secret))


def end(*, device_id: UUID, by: Caller, at: datetime) -> Device:
    """
    End a device: its key and every session on it, from now on. Repeating changes nothing.

    Raises:
        DeviceNotFound: there is none where the caller may end one.
    """
    with transaction.atomic(durable=True):
        device = Device.objects.select_for_update(no_key=True).filter(id=device_id).first()
        if device is None or by.id is None:
            raise DeviceNotFound
        pair = (device.store_id, by.id)
        if pair not in stores_for_clerks([pair], at, permission=Permission.BIND_DEVICES):
            raise DeviceNotFound
        if device.ended_at is None:
            device.ended_at = at
            device.save(update_fields=["ended_at"])
            trail.leave("device.ended", device, brand_id=device.brand_id, by=by, at=at, details={})
        return device


def by_key(key: str) -> Device | None:
    """
    The device whose key this is, with its store; None where it is nobody's, or has ended.

    Asked every time: a lost device has ended with the answer that says so.
    """
    parts = bearer_keys.parts_of(key)
    if parts is None:
        return None
    kid, hashed = parts
    device = Device.objects.filter(key_hash=hashed, ended_at=None).select_related("store").first()
    if device is None or not hmac.compare_digest(bearer_keys.kid_of(device.id), kid):
        return None
    return device


def switch(*, device_id: UUID, user_id: UUID, pin: str, at: datetime) -> CounterSession:
    """
    Let a clerk of the device's store stand at it: a token that works there and nowhere else.

    The try is counted before the PIN is looked at, so guesses at once are no more than guesses in turn.

    Raises:
        WrongPin: not her PIN, or she has none, or may not redeem at this store.
        PinLocked: too many wrong ones; says until when.
        NotSignedIn: the device has ended meanwhile.
    """
    kept = pins.charge(device_id=device_id, user_id=user_id, at=at)
    if kept is None:
        pins.waste_the_time(pin)
        raise WrongPin(param="pin")
    if not pins.is_right(kept, pin):
        if kept.locked_until is not None and kept.locked_until > at:
            pins.tell_of_lock(kept, device=Device.objects.get(id=device_id), at=at)
        raise WrongPin(param="pin")
    with transaction.atomic(durable=True):
        device = pins.lock_device(device_id)
        now = pins.lock_pin(user_id=user_id, brand_id=device.brand_id)
        if device.ended_at is not None:
            raise NotSignedIn
        # She may have left, or changed it, while the slow hash was at work.
        pair = (device.store_id, user_id)
        if now is None or now.pin_hash != kept.pin_hash or pair not in stores_for_clerks([pair], at):
            raise WrongPin(param="pin")
        pins.give_back(now, device)
        trail.leave(
            "counter.signed_in",
            device,
            brand_id=device.brand_id,
            by=Caller(kind=CallerKind.STAFF, id=user_id),
            at=at,
            details={},
        )
        user = User.objects.get(id=user_id)
    token = tokens.sign_counter(user_id=user_id, brand_id=device.brand_id, device_id=device_id, at=at)
    return CounterSession(user=user, token=token)
