"""
Reads of stores, and the access queries: each folds permission into the look-up.

What the caller does not reach is not there (404); what she reaches in a role that may not is 403.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from math import cos, radians
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import FloatField, Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import ASin, Cast, Cos, Least, Power, Radians, Sin, Sqrt

from config.kernel import ids
from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import NotAllowed, NotFound
from config.kernel.pipeline import Cursor, Send
from stores.business_days import business_date
from stores.errors import BrandNotFound, BrandRequired, StoreNotFound, WebhookDeliveryNotFound, WebhookNotFound
from stores.models import Brand, Staff, Store, StoreEntity, WebhookDelivery, WebhookSubscription
from stores.permissions import Permission, Role, roles_with, scopes_with

EARTH_RADIUS_METRES = 6_371_000


@dataclass(frozen=True, slots=True)
class ClerkStore:
    """
    A store as one of its staff meets it at one moment; ``roles`` are those that reach it, ``region_ids``
    its region and those above.
    """

    store_id: UUID
    brand_id: UUID
    code: str
    name: str
    zone: str
    hours: dict[str, list[list[str]]]
    status: str
    business_date: date
    entity_id: UUID | None
    latitude: float | None
    longitude: float | None
    region_ids: frozenset[UUID]
    roles: frozenset[Role]

    @property
    def public_id(self) -> str:
        return ids.public(Store.PREFIX, self.store_id)


@dataclass(frozen=True, slots=True)
class NearStore:
    store: Store
    distance_metres: int


# A business day is today or yesterday in the store's zone, so the two latest memberships that began by
# today hold the entity of either; which day it is stays Python's to say (business_days.py).
# UNION without ALL: a circle among regions, should one ever exist, ends the recursion.
CLERKS = """
WITH RECURSIVE asked AS (
    SELECT store_id, user_id FROM unnest(%(store_ids)s::uuid[], %(user_ids)s::uuid[]) AS pair (store_id, user_id)
), above AS (
    SELECT store.id AS store_id, store.region_id FROM stores_store store WHERE store.id = ANY(%(store_ids)s::uuid[])
    UNION
    SELECT above.store_id, region.parent_id FROM above JOIN stores_region region ON region.id = above.region_id
)
SELECT store.id, asked.user_id, store.brand_id, store.code, store.name, store.zone, store.hours::text, store.status,
       store.latitude::float8, store.longitude::float8,
       (SELECT array_agg(above.region_id) FROM above WHERE above.store_id = store.id AND above.region_id IS NOT NULL),
       held.roles, held.entity_ids, member.from_dates, member.entity_ids
FROM asked
JOIN stores_store store ON store.id = asked.store_id
JOIN accounts_user person ON person.id = asked.user_id AND person.is_active
CROSS JOIN LATERAL (
    SELECT array_agg(latest.from_date) AS from_dates, array_agg(latest.entity_id) AS entity_ids
    FROM (
        SELECT from_date, entity_id FROM stores_storeentity
        WHERE store_id = store.id AND from_date <= (%(at)s::timestamptz AT TIME ZONE store.zone)::date
        ORDER BY from_date DESC LIMIT 2
    ) latest
) member
CROSS JOIN LATERAL (
    SELECT array_agg(staff.role::text) AS roles, array_agg(staff.entity_id) AS entity_ids
    FROM stores_staff staff
    WHERE staff.user_id = person.id AND staff.brand_id = store.brand_id
      AND (staff.ended_at IS NULL OR staff.ended_at > %(at)s) AND staff.role = ANY(%(roles)s)
      AND (staff.store_id = store.id
           OR staff.entity_id = ANY(member.entity_ids)
           OR EXISTS (SELECT FROM above WHERE above.store_id = store.id AND above.region_id = staff.region_id)
           OR (staff.store_id IS NULL AND staff.entity_id IS NULL AND staff.region_id IS NULL))
) held
WHERE held.roles IS NOT NULL
"""

# Set-based mirror of the rule above for one user over a whole brand; the entity is the calendar day's.
REACHED = """
WITH RECURSIVE held AS (
    SELECT staff.* FROM stores_staff staff JOIN accounts_user person ON person.id = staff.user_id AND person.is_active
    WHERE staff.user_id = %s AND (staff.ended_at IS NULL OR staff.ended_at > %s) AND staff.role = ANY(%s)
), below AS (
    SELECT region_id FROM held WHERE region_id IS NOT NULL
    UNION
    SELECT region.id FROM below JOIN stores_region region ON region.parent_id = below.region_id
)
SELECT store.id FROM stores_store store
WHERE store.brand_id IN (SELECT brand_id FROM held WHERE store_id IS NULL AND entity_id IS NULL AND region_id IS NULL)
   OR store.id IN (SELECT store_id FROM held WHERE store_id IS NOT NULL)
   OR store.region_id IN (SELECT region_id FROM below)
   OR (SELECT entity_id FROM stores_storeentity member
       WHERE member.store_id = store.id AND member.from_date <= (%s::timestamptz AT TIME ZONE store.zone)::date
       ORDER BY from_date DESC LIMIT 1) IN (SELECT entity_id FROM held WHERE entity_id IS NOT NULL)
"""


def stores_for_clerks(
    pairs: Sequence[tuple[UUID, UUID]], at: datetime, *, permission: Permission = Permission.REDEEM
) -> dict[tuple[UUID, UUID], ClerkStore]:
    """
    The stores of these (store_id, user_id) pairs, those left out whose user may not do it there.

    One statement however many pairs. A role reaches the store by its brand, its region or one above,
    its entity on the business day of ``at``, or itself; ended rows and inactive users reach nothing.
    """
    if not pairs:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(CLERKS, _clerks_given(pairs, at, permission))
        return _clerk_stores(cursor.fetchall(), at)


def send_clerks(
    send: Send, pairs: Collection[tuple[UUID, UUID]], at: datetime, *, permission: Permission = Permission.REDEEM
) -> Cursor:
    """Ask ``stores_for_clerks`` on the caller's trip, its plan kept; ``clerk_stores`` reads the answer."""
    return send(CLERKS, _clerks_given(pairs, at, permission))


def clerk_stores(asked: Cursor, at: datetime) -> dict[tuple[UUID, UUID], ClerkStore]:
    """The answer to ``send_clerks``, in the form of ``stores_for_clerks``."""
    return _clerk_stores(asked.fetchall(), at)


def store_for_staff(
    public_id: str, user_id: UUID, *, at: datetime, permission: Permission = Permission.REDEEM
) -> ClerkStore:
    """
    One store, for one of its staff.

    Raises:
        MalformedId: not a store's id.
        StoreNotFound: nothing of hers, another brand's store included.
        NotAllowed: she reaches it, in no role that has ``permission``.
    """
    pair = (ids.parse(Store.PREFIX, public_id), user_id)
    found = stores_for_clerks([pair], at, permission=Permission.VIEW_STORES).get(pair)
    if found is None:
        raise StoreNotFound
    if not found.roles & roles_with(permission):
        raise NotAllowed
    return found


def stores_of_staff(user_id: UUID, *, at: datetime, permission: Permission = Permission.VIEW_STORES) -> QuerySet[Store]:
    """Every store that the user reaches in a role with ``permission``, as a queryset to narrow and to page."""
    roles = [role.value for role in roles_with(permission)]
    return Store.objects.filter(id__in=RawSQL(REACHED, [user_id, at, roles, at]))  # noqa: S611 - a constant


def brand_for_staff(user_id: UUID, roles: Iterable[Role], *, at: datetime, brand: str | None = None) -> Brand:
    """
    The brand that the user serves in one of ``roles``; the public id ``brand`` says which where several do.

    Of roles below the brand's own (a clerk's, a franchisee's) it says nothing about where they reach.

    Raises:
        MalformedId: ``brand`` is not a brand's id.
        BrandNotFound: she does not serve it.
        NotAllowed: she serves it, in none of ``roles``.
        BrandRequired: several fit.
    """
    held = Staff.objects.filter(user_id=user_id, user__is_active=True).exclude(ended_at__lte=at)
    if brand is not None:
        held = held.filter(brand_id=ids.parse(Brand.PREFIX, brand))
    reached = list(held.select_related("brand"))
    if not reached:
        raise BrandNotFound if brand is not None else NotAllowed
    wanted = set(roles)
    fitting = {staff.brand_id: staff.brand for staff in reached if Role(staff.role) in wanted}
    if not fitting:
        raise NotAllowed
    if len(fitting) > 1:
        raise BrandRequired(param="brand")
    return next(iter(fitting.values()))


def brand_for_caller(caller: Caller, permission: Permission, *, at: datetime, brand: str | None = None) -> UUID:
    """
    The brand for which a person or a program may do what ``permission`` names.

    The public id ``brand`` says which where a person serves several; a program has one.

    Raises:
        MalformedId, BrandNotFound, BrandRequired: about ``brand``.
        NotAllowed: a customer, a person in no such role, a key without such a scope.
    """
    if caller.kind is CallerKind.API_CLIENT:
        assert caller.brand_id is not None, "programs belong to a brand"
        if brand is not None and ids.parse(Brand.PREFIX, brand) != caller.brand_id:
            raise BrandNotFound
        if not caller.scopes & scopes_with(permission):
            raise NotAllowed
        return caller.brand_id
    if caller.kind is not CallerKind.STAFF or caller.id is None:
        raise NotAllowed
    return brand_for_staff(caller.id, roles_with(permission), at=at, brand=brand).id


def require_permission(
    caller: Caller, permission: Permission, *, brand_id: UUID, at: datetime, missing: type[NotFound]
) -> None:
    """
    For a row of ``brand_id`` that was looked up by its id: may the caller do this with it?

    Raises:
        NotFound: ``missing``, where the caller does not reach the brand: it is not there for her.
        NotAllowed: she reaches it, and may not.
    """
    try:
        brand_for_caller(caller, permission, at=at, brand=ids.public(Brand.PREFIX, brand_id))
    except BrandNotFound:
        raise missing from None


def webhook_for_caller(caller: Caller, public_id: str, *, at: datetime) -> WebhookSubscription:
    """
    One webhook subscription, for whoever may edit those of its brand.

    Raises:
        MalformedId: not a subscription's id.
        WebhookNotFound: there is none, or it is another brand's.
        NotAllowed: the caller reaches the brand, and may not.
    """
    found = WebhookSubscription.objects.filter(id=ids.parse(WebhookSubscription.PREFIX, public_id)).first()
    if found is None:
        raise WebhookNotFound
    require_permission(caller, Permission.EDIT_WEBHOOKS, brand_id=found.brand_id, at=at, missing=WebhookNotFound)
    return found


def delivery_for_caller(caller: Caller, public_id: str, *, at: datetime) -> WebhookDelivery:
    """
    One delivery, for whoever may edit the webhooks of its brand.

    Raises:
        MalformedId: not a delivery's id.
        WebhookDeliveryNotFound: there is none, or it is another brand's.
        NotAllowed: the caller reaches the brand, and may not.
    """
    rows = WebhookDelivery.objects.select_related("subscription", "message").defer("message__items")
    found = rows.filter(id=ids.parse(WebhookDelivery.PREFIX, public_id)).first()
    if found is None:
        raise WebhookDeliveryNotFound
    require_permission(
        caller,
        Permission.EDIT_WEBHOOKS,
        brand_id=found.subscription.brand_id,
        at=at,
        missing=WebhookDeliveryNotFound,
    )
    return found


def deliveries(subscription: WebhookSubscription, *, status: str | None) -> QuerySet[WebhookDelivery]:
    """A subscription's deliveries with what they carry (not its items), to narrow and to page."""
    rows = WebhookDelivery.objects.filter(subscription=subscription)
    if status is not None:
        rows = rows.filter(status=status)
    return rows.select_related("message").defer("message__items")


def roles_of_user(user_id: UUID, *, at: datetime) -> QuerySet[Staff]:
    """What the user may do and where, for her own eyes; ended rows are history."""
    held = Staff.objects.filter(user_id=user_id).exclude(ended_at__lte=at)
    return held.select_related("brand", "region", "entity", "store").order_by("created_at", "id")


def store_for_caller(caller: Caller, public_id: str, *, permission: Permission, at: datetime) -> Store:
    """
    One store's row, for a person or a program that may do with it what ``permission`` names.

    Raises:
        MalformedId: not a store's id.
        StoreNotFound: not in the caller's reach.
        NotAllowed: in reach, but not this.
    """
    store_id = ids.parse(Store.PREFIX, public_id)
    if caller.kind is CallerKind.STAFF and caller.id is not None:
        store_for_staff(public_id, caller.id, at=at, permission=permission)
        return Store.objects.get(id=store_id)
    if caller.kind is not CallerKind.API_CLIENT or caller.brand_id is None:
        raise NotAllowed
    store = Store.objects.filter(id=store_id, brand_id=caller.brand_id).first()
    if store is None:
        raise StoreNotFound
    if not caller.scopes & scopes_with(permission):
        raise NotAllowed
    return store


def stores_of_caller(caller: Caller, *, at: datetime, brand: str | None = None) -> QuerySet[Store]:
    """
    Every store a person reaches, or a program's brand has; within ``brand`` where it is named.

    Raises:
        MalformedId, BrandNotFound: about ``brand``.
        NotAllowed: a customer, or a key without such a scope.
    """
    if caller.kind is CallerKind.API_CLIENT:
        return Store.objects.filter(brand_id=brand_for_caller(caller, Permission.VIEW_STORES, at=at, brand=brand))
    if caller.kind is not CallerKind.STAFF or caller.id is None:
        raise NotAllowed
    stores = stores_of_staff(caller.id, at=at)
    if brand is None:
        return stores
    return stores.filter(brand_id=brand_for_caller(caller, Permission.VIEW_STORES, at=at, brand=brand))


def brands_of_caller(caller: Caller, *, at: datetime) -> QuerySet[Brand]:
    """The brands a person serves; the one a program or a customer belongs to."""
    if caller.kind is CallerKind.STAFF and caller.id is not None:
        held = Staff.objects.filter(user_id=caller.id, user__is_active=True).exclude(ended_at__lte=at)
        return Brand.objects.filter(id__in=held.values("brand_id")).order_by("slug")
    assert caller.brand_id is not None, "programs and customers belong to a brand"
    return Brand.objects.filter(id=caller.brand_id)


def staff_seen_by(user_id: UUID, *, at: datetime) -> QuerySet[Staff]:
    """Who works in the brands whose people the user may see, or at the stores where she may see them."""
    roles = roles_with(Permission.VIEW_STAFF)
    held = Staff.objects.filter(user_id=user_id, user__is_active=True, role__in=roles).exclude(ended_at__lte=at)
    whole = held.filter(region=None, entity=None, store=None)
    stores = stores_of_staff(user_id, at=at, permission=Permission.VIEW_STAFF)
    return Staff.objects.filter(Q(brand_id__in=whole.values("brand_id")) | Q(store__in=stores))


def entity_on(store_id: UUID, day: date) -> UUID | None:
    """Whose the store's money is on a business day; None before its first membership."""
    return (
        StoreEntity.objects.filter(store_id=store_id, from_date__lte=day)
        .order_by("-from_date")
        .values_list("entity_id", flat=True)
        .first()
    )


def nearest_stores(stores: QuerySet[Store], *, latitude: float, longitude: float, limit: int = 3) -> list[NearStore]:
    """
    The open ones among ``stores`` nearest to a place, nearest first; those without a place are left out.

    Great-circle distance by the haversine formula (Sinnott 1984) on a sphere: within 0.5 % on earth.
    """
    here_latitude, here_longitude = Value(radians(latitude)), Value(radians(longitude))
    there_latitude, there_longitude = (Radians(Cast(name, FloatField())) for name in ("latitude", "longitude"))
    half_chord = Sqrt(
        Power(Sin((there_latitude - here_latitude) / 2.0), 2.0)
        + Cos(there_latitude)
        * Value(cos(radians(latitude)))
        * Power(Sin((there_longitude - here_longitude) / 2.0), 2.0)
    )
    # Rounding may lift an antipode's chord just above 1, where the arc sine ends.
    metres = Value(2.0 * EARTH_RADIUS_METRES) * ASin(Least(half_chord, Value(1.0)))
    near = (
        stores.filter(status=Store.Status.OPEN, latitude__isnull=False)
        .annotate(metres=metres)
        .order_by("metres", "id")[:limit]
    )
    return [NearStore(store=store, distance_metres=round(store.metres)) for store in near]


def _clerks_given(pairs: Collection[tuple[UUID, UUID]], at: datetime, permission: Permission) -> dict[str, Any]:
    distinct = set(pairs)
    return {
        "store_ids": [store_id for store_id, _ in distinct],
        "user_ids": [user_id for _, user_id in distinct],
        "at": at,
        "roles": [role.value for role in roles_with(permission)],
    }


def _clerk_stores(rows: Iterable[Sequence[Any]], at: datetime) -> dict[tuple[UUID, UUID], ClerkStore]:
    return {(row[0], row[1]): found for row in rows if (found := _clerk_store(row, at)) is not None}


def _clerk_store(row: Sequence[Any], at: datetime) -> ClerkStore | None:
    store_id, _, brand_id, code, name, zone, hours_text, status, latitude, longitude, regions, *rest = row
    roles, role_entities, from_dates, entities = rest
    hours = _hours(hours_text)
    day = business_date(hours=hours, zone=zone, at=at)
    members = zip(from_dates or (), entities or (), strict=True)
    entity_id = next((entity for since, entity in members if since <= day), None)
    reaching = frozenset(
        Role(role) for role, of_entity in zip(roles, role_entities, strict=True) if of_entity in (None, entity_id)
    )
    if not reaching:
        return None
    place = (latitude, longitude, frozenset(regions or ()))
    return ClerkStore(store_id, brand_id, code, name, zone, hours, status, day, entity_id, *place, reaching)


@lru_cache(maxsize=1024)
def _hours(text: str) -> dict[str, list[list[str]]]:
    """Thousands of stores share a few opening hours; nobody changes what comes out."""
    hours: dict[str, list[list[str]]] = json.loads(text)
    return hours
