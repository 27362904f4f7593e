"""Stores open, pause, open again, and close for good."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict
from uuid import UUID

from django.db import transaction

from config.kernel.caller import Caller
from stores import business_days
from stores.errors import (
    CodeTaken,
    EntityNotFound,
    PlaceIncomplete,
    RegionNotFound,
    StoreHoursInvalid,
    StoreIsClosed,
    StoreNotFound,
    ZoneUnknown,
)
from stores.models import Region, SettlementEntity, Store
from stores.services import brands, entities, regions, trail
from stores.services.made import Made
from stores.signals import ReachChange, reach_changing, store_closed


class StoreChanges(TypedDict, total=False):
    """What of a store may change; its code is how the brand's own systems know it, and stays."""

    name: str
    name_en: str
    city: str
    address: str
    region_id: UUID | None
    latitude: Decimal | None
    longitude: Decimal | None
    zone: str
    hours: dict[str, list[list[str]]]
    is_dearer: bool


@dataclass(frozen=True)
class NewStore:
    code: str
    name: str
    name_en: str = ""
    city: str = ""
    address: str = ""
    region_id: UUID | None = None
    latitude: Decimal | None = None
    longitude: Decimal | None = None
    zone: str | None = None
    hours: dict[str, list[list[str]]] = field(default_factory=dict)
    is_dearer: bool = False
    entity_id: UUID | None = None


def open_store(*, brand_id: UUID, new: NewStore, by: Caller, at: datetime) -> Made[Store]:
    """
    A new store, in the brand's zone where it names none, with the entity its money goes to from today on.

    The same again is the same store as it is now.

    Raises:
        CodeTaken: the code is another store's.
        RegionNotFound, EntityNotFound, StoreHoursInvalid, ZoneUnknown, PlaceIncomplete: as they say.
    """
    with transaction.atomic(durable=True):
        brand = brands.lock(brand_id)
        content: dict[str, Any] = {
            "name": new.name,
            "name_en": new.name_en,
            "city": new.city,
            "address": new.address,
            "region_id": new.region_id,
            "latitude": new.latitude,
            "longitude": new.longitude,
            "zone": new.zone or brand.zone,
            "hours": new.hours,
            "is_dearer": new.is_dearer,
        }
        if found := Store.objects.filter(brand_id=brand_id, code=new.code).first():
            if any(getattr(found, name) != value for name, value in content.items()):
                raise CodeTaken(value=new.code, param="code")
            return Made(found, is_new=False)
        _check(brand_id, content)
        if new.entity_id and not SettlementEntity.objects.filter(brand_id=brand_id, id=new.entity_id).exists():
            raise EntityNotFound(param="entity")
        store = Store.objects.create(brand_id=brand_id, code=new.code, created_at=at, **content)
        if new.entity_id:
            entities.give({new.entity_id: [store]}, at=at)
        trail.leave("store.opened", store, brand_id=brand_id, by=by, at=at, details={"code": new.code})
        return Made(store, is_new=True)


def edit(*, store_id: UUID, changes: StoreChanges, by: Caller, at: datetime) -> Store:
    """
    Correct what is said of a store. Business days already counted keep their date and entity.

    Raises:
        StoreNotFound, RegionNotFound, StoreHoursInvalid, ZoneUnknown, PlaceIncomplete: as they say.
        StoreIsPromised: sold vouchers would lose it, by its new region or as a dearer store.
    """
    with transaction.atomic(durable=True):
        _lock_brand_of(store_id)
        store = _lock(store_id)
        after = {name: changes.get(name, getattr(store, name)) for name in ("latitude", "longitude")}
        _check(store.brand_id, {**changes, **after})
        _ask_to_change(store, changes)
        if told := trail.change(store, dict(changes)):
            trail.leave("store.edited", store, brand_id=store.brand_id, by=by, at=at, details=told)
        return store


def pause(*, store_id: UUID, reason: str, by: Caller, at: datetime) -> Store:
    """
    Nothing is redeemed here until it opens again. Repeating changes nothing.

    Raises:
        StoreNotFound, StoreIsClosed: as they say.
    """
    return _move(store_id, to=Store.Status.PAUSED, act="store.paused", reason=reason, by=by, at=at)


def reopen(*, store_id: UUID, by: Caller, at: datetime) -> Store:
    """
    Open a paused store again. Repeating changes nothing.

    Raises:
        StoreNotFound, StoreIsClosed: as they say.
    """
    return _move(store_id, to=Store.Status.OPEN, act="store.reopened", reason="", by=by, at=at)


def close(*, store_id: UUID, reason: str, by: Caller, at: datetime) -> Store:
    """
    Close a store for good; its books stay. Repeating changes nothing.

    Two stores of a brand close one after the other: whoever hears of the second sees that the first is gone.

    Raises:
        StoreNotFound: as it says.
    """
    with transaction.atomic(durable=True):
        _lock_brand_of(store_id)
        store = _lock(store_id)
        if store.status != Store.Status.CLOSED:
            _become(store, Store.Status.CLOSED, act="store.closed", reason=reason, by=by, at=at)
            store_closed.send(sender=Store, store=store, by=by, at=at)
        return store


def _move(store_id: UUID, *, to: Store.Status, act: str, reason: str, by: Caller, at: datetime) -> Store:
    with transaction.atomic(durable=True):
        store = _lock(store_id)
        if store.status == to:
            return store
        if store.closed_at is not None:
            raise StoreIsClosed(closed_at=store.closed_at.isoformat())
        _become(store, to, act=act, reason=reason, by=by, at=at)
        return store


def _become(store: Store, to: Store.Status, *, act: str, reason: str, by: Caller, at: datetime) -> None:
    store.status = to
    store.closed_at = at if to is Store.Status.CLOSED else None
    store.save(update_fields=["status", "closed_at"])
    trail.leave(act, store, brand_id=store.brand_id, by=by, at=at, details={"reason": reason} if reason else {})


def _ask_to_change(store: Store, changes: StoreChanges) -> None:
    after = changes.get("region_id", store.region_id)
    change = regions.move(store.brand_id, store.region_id, after, parents=regions.parents_of(store.brand_id))
    if changes.get("is_dearer") and not store.is_dearer:
        change = replace(change, dearer=frozenset({store.id}))
    if change != ReachChange(store.brand_id):
        reach_changing.send(sender=Store, change=change)


def _lock_brand_of(store_id: UUID) -> None:
    brand_id = Store.objects.filter(id=store_id).values_list("brand_id", flat=True).first()
    if brand_id is None:
        raise StoreNotFound
    brands.lock(brand_id)


def _lock(store_id: UUID) -> Store:
    store = Store.objects.select_for_update(no_key=True).filter(id=store_id).first()
    if store is None:
        raise StoreNotFound
    return store


def _check(brand_id: UUID, content: dict[str, Any]) -> None:
    region_id = content.get("region_id")
    if region_id is not None and not Region.objects.filter(brand_id=brand_id, id=region_id).exists():
        raise RegionNotFound(param="region")
    if (content["latitude"] is None) != (content["longitude"] is None):
        raise PlaceIncomplete(param="latitude")
    if "zone" in content:
        try:
            business_days.check_zone(content["zone"])
        except ValueError:
            raise ZoneUnknown(zone=content["zone"], param="zone") from None
    if "hours" in content:
        try:
            business_days.check_hours(content["hours"])
        except ValueError as error:
            raise StoreHoursInvalid(reason=str(error), param="hours") from None
