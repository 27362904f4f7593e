"""
Stores as they are at one moment, and for whom: one statement however many.

What the caller does not reach is not there.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection

from config.kernel import ids
from config.kernel.pipeline import Cursor, Send
from stores.business_days import business_date
from stores.models import Store
from stores.permissions import Permission, Role, roles_with


@dataclass(frozen=True, slots=True)
class StoreNow:
    """A store at one moment; ``region_ids`` are its region and those above."""

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

    @property
    def public_id(self) -> str:
        return ids.public(Store.PREFIX, self.store_id)


@dataclass(frozen=True, slots=True)
class ClerkStore(StoreNow):
    """A store as one of its staff meets it; ``roles`` are those that reach it."""

    roles: frozenset[Role]


# A business day is today or yesterday in the store's zone, so the two latest memberships that began by
# today hold the entity of either; which day it is stays Python's to say (business_days.py).
# UNION without ALL: a circle among regions, should one ever exist, ends the recursion.
ABOVE = """
above AS (
    SELECT store.id AS store_id, store.region_id FROM stores_store store WHERE store.id = ANY(%(store_ids)s::uuid[])
    UNION
    SELECT above.store_id, region.parent_id FROM above JOIN stores_region region ON region.id = above.region_id
)
"""
NOW = """
       store.id, store.brand_id, store.code, store.name, store.zone, store.hours::text, store.status,
       store.latitude::float8, store.longitude::float8,
       (SELECT array_agg(above.region_id) FROM above WHERE above.store_id = store.id AND above.region_id IS NOT NULL),
       member.from_dates, member.entity_ids
"""
MEMBER = """
CROSS JOIN LATERAL (
    SELECT array_agg(latest.from_date) AS from_dates, array_agg(latest.entity_id) AS entity_ids
    FROM (
        SELECT from_date, entity_id FROM stores_storeentity
        WHERE store_id = store.id AND from_date <= (%(at)s::timestamptz AT TIME ZONE store.zone)::date
        ORDER BY from_date DESC LIMIT 2
    ) latest
) member
"""
STORES_NOW = f"""
WITH RECURSIVE {ABOVE}
SELECT {NOW}
FROM stores_store store {MEMBER}
WHERE store.id = ANY(%(store_ids)s::uuid[])
"""  # noqa: S608 - constants
CLERKS = f"""
WITH RECURSIVE asked AS (
    SELECT store_id, user_id FROM unnest(%(store_ids)s::uuid[], %(user_ids)s::uuid[]) AS pair (store_id, user_id)
), {ABOVE}
SELECT {NOW}, asked.user_id, held.roles, held.entity_ids
FROM asked
JOIN stores_store store ON store.id = asked.store_id
JOIN accounts_user person ON person.id = asked.user_id AND person.is_active {MEMBER}
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
"""  # noqa: S608 - constants


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


def send_stores(send: Send, store_ids: Collection[UUID], at: datetime) -> Cursor:
    """Ask for stores as they are at ``at``, whoever asks; ``stores_now`` reads the answer."""
    return send(STORES_NOW, {"store_ids": list(store_ids), "at": at})


def stores_now(asked: Cursor, at: datetime) -> dict[UUID, StoreNow]:
    """The answer to ``send_stores``, by store."""
    return {row[0]: StoreNow(**_store_now(row, at)) for row in asked.fetchall()}


def _clerks_given(pairs: Collection[tuple[UUID, UUID]], at: datetime, permission: Permission) -> dict[str, Any]:
    distinct = set(pairs)
    return {
        "store_ids": [store_id for store_id, _ in distinct],
        "user_ids": [user_id for _, user_id in distinct],
        "at": at,
        "roles": [role.value for role in roles_with(permission)],
    }


def _clerk_stores(rows: Iterable[Sequence[Any]], at: datetime) -> dict[tuple[UUID, UUID], ClerkStore]:
    found = {}
    for row in rows:
        *of_store, user_id, roles, role_entities = row
        now = _store_now(of_store, at)
        reaching = frozenset(
            Role(role)
            for role, of_entity in zip(roles, role_entities, strict=True)
            if of_entity in (None, now["entity_id"])
        )
        if reaching:
            found[now["store_id"], user_id] = ClerkStore(**now, roles=reaching)
    return found


def _store_now(row: Sequence[Any], at: datetime) -> dict[str, Any]:
    """The fields of ``StoreNow``."""
    store_id, brand_id, code, name, zone, hours_text, status, latitude, longitude, regions, from_dates, entities = row
    hours = _hours(hours_text)
    day = business_date(hours=hours, zone=zone, at=at)
    members = zip(from_dates or (), entities or (), strict=True)
    return {
        "store_id": store_id,
        "brand_id": brand_id,
        "code": code,
        "name": name,
        "zone": zone,
        "hours": hours,
        "status": status,
        "business_date": day,
        "entity_id": next((entity for since, entity in members if since <= day), None),
        "latitude": latitude,
        "longitude": longitude,
        "region_ids": frozenset(regions or ()),
    }


@lru_cache(maxsize=1024)
def _hours(text: str) -> dict[str, list[list[str]]]:
    """Thousands of stores share a few opening hours; nobody changes what comes out."""
    hours: dict[str, list[list[str]]] = json.loads(text)
    return hours
