"""
Stores as they are at one moment, and for whom: one statement however many.

What the caller does not reach is not there.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias
from uuid import UUID

from django.conf import settings
from django.db import connection

from config.kernel import ids
from config.kernel.caller import Caller, CallerKind
from config.kernel.pipeline import Cursor, Send
from stores.business_days import business_date
from stores.models import Store
from stores.permissions import Permission, Role, roles_with, scopes_with
from stores.pick_up import Ordering


@dataclass(frozen=True, slots=True)
class StoreNow:
    """A store at one moment; ``region_ids`` are its region and those above, ``group_ids`` the groups it is in."""

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
    group_ids: frozenset[UUID]
    is_dearer: bool
    ordering: Ordering = field(kw_only=True, default_factory=lambda: _ordering(None, None, None, None, None))

    @property
    def public_id(self) -> str:
        return ids.public(Store.PREFIX, self.store_id)


@dataclass(frozen=True, slots=True)
class ClerkStore(StoreNow):
    """A store as one of its staff meets it; ``roles`` are those that reach it, none where a program's scope does."""

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
       (SELECT array_agg(group_id) FROM stores_storegroupmember WHERE store_id = store.id), store.is_dearer,
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
SELECT {NOW}, rule.cut_off_minutes, rule.cups_per_slot, rule.needs_presence, rule.paused_until, rule.seen_at
FROM stores_store store {MEMBER}
LEFT JOIN stores_orderingrule rule ON rule.store_id = store.id
WHERE store.id = ANY(%(store_ids)s::uuid[])
"""  # noqa: S608 - constants
CLERKS = f"""
WITH RECURSIVE asked AS (
    SELECT * FROM unnest(%(store_ids)s::uuid[], %(kinds)s::text[], %(who_ids)s::uuid[], %(device_ids)s::uuid[],
        %(signed)s::timestamptz[]) WITH ORDINALITY AS k (store_id, kind, who_id, device_id, signed_at, place)
), appointed AS (
    SELECT user_id, brand_id, role::text, region_id, entity_id, store_id FROM stores_staff
    WHERE user_id = ANY(%(who_ids)s::uuid[]) AND (ended_at IS NULL OR ended_at > %(at)s) AND role = ANY(%(roles)s)
    /* hold */
), {ABOVE}
SELECT {NOW}, asked.place, held.roles, held.entity_ids
FROM asked
JOIN stores_store store ON store.id = asked.store_id
LEFT JOIN accounts_user person ON asked.kind = 'staff' AND person.id = asked.who_id AND person.is_active
    AND (asked.signed_at IS NULL OR person.sessions_from IS NULL OR person.sessions_from <= asked.signed_at)
    AND (asked.device_id IS NULL OR EXISTS (
        SELECT FROM stores_device device
        WHERE device.id = asked.device_id AND device.store_id = store.id AND device.ended_at IS NULL))
LEFT JOIN stores_apiclient program ON asked.kind = 'api_client' AND program.id = asked.who_id
    AND program.brand_id = store.brand_id AND program.revoked_at IS NULL AND program.scopes && %(scopes)s::varchar[]
{MEMBER}
CROSS JOIN LATERAL (
    SELECT array_agg(appointed.role) AS roles, array_agg(appointed.entity_id) AS entity_ids
    FROM appointed
    WHERE appointed.user_id = person.id AND appointed.brand_id = store.brand_id
      AND (appointed.store_id = store.id
           OR appointed.entity_id = ANY(member.entity_ids)
           OR EXISTS (SELECT FROM above WHERE above.store_id = store.id AND above.region_id = appointed.region_id)
           OR (appointed.store_id IS NULL AND appointed.entity_id IS NULL AND appointed.region_id IS NULL))
) held
WHERE held.roles IS NOT NULL OR program.id IS NOT NULL
"""  # noqa: S608 - constants
# SHARE against the UPDATE that ends a role: what is done in somebody's name commits before she has left, or
# sees that she has. In key order, as leaving locks them.
HOLD = "ORDER BY id FOR SHARE"

AT_COUNTERS = {CallerKind.STAFF: "staff", CallerKind.COUNTER: "staff", CallerKind.API_CLIENT: "api_client"}
"""Who may stand at a counter, and as what the statement knows them; nobody else is found there."""

Who: TypeAlias = UUID | Caller
"""A staff member by her id, or whoever an edge has recognised: then her session and her device count too."""


def stores_for_clerks(
    pairs: Sequence[tuple[UUID, Who]], at: datetime, *, permission: Permission = Permission.REDEEM
) -> dict[tuple[UUID, Who], ClerkStore]:
    """
    The stores of these (store_id, who) pairs, those left out where she or it may not do it.

    One statement however many pairs. A role reaches the store by its brand, its region or one above,
    its entity on the business day of ``at``, or itself; ended rows and inactive users reach nothing, nor
    does an ended session, a device anywhere but at its own store, or a key without the scope.
    """
    if not pairs:
        return {}
    asked = list(dict.fromkeys(pairs))
    with connection.cursor() as cursor:
        cursor.execute(CLERKS, _clerks_given(asked, at, permission))
        return _clerk_stores(cursor.fetchall(), asked, at)


@dataclass(frozen=True, slots=True)
class AskedClerks:
    """A question on its way, with the pairs in the order in which they were asked."""

    cursor: Cursor
    pairs: list[tuple[UUID, Who]]


def send_clerks(
    send: Send, pairs: Collection[tuple[UUID, Who]], at: datetime, *, permission: Permission = Permission.REDEEM
) -> AskedClerks:
    """
    Ask ``stores_for_clerks`` on the caller's trip, its plan kept; ``clerk_stores`` reads the answer.

    The roles are held to the end of the caller's transaction: nobody leaves between the look and the act.
    """
    asked = list(dict.fromkeys(pairs))
    return AskedClerks(send(CLERKS.replace("/* hold */", HOLD), _clerks_given(asked, at, permission)), asked)


def clerk_stores(asked: AskedClerks, at: datetime) -> dict[tuple[UUID, Who], ClerkStore]:
    """The answer to ``send_clerks``, in the form of ``stores_for_clerks``."""
    return _clerk_stores(asked.cursor.fetchall(), asked.pairs, at)


def send_stores(send: Send, store_ids: Collection[UUID], at: datetime) -> Cursor:
    """Ask for stores as they are at ``at``, whoever asks; ``stores_now`` reads the answer."""
    return send(STORES_NOW, {"store_ids": list(store_ids), "at": at})


def stores_now(asked: Cursor, at: datetime) -> dict[UUID, StoreNow]:
    """The answer to ``send_stores``, by store."""
    return {row[0]: _with_ordering(row, at) for row in asked.fetchall()}


def stores_at(store_ids: Collection[UUID], at: datetime) -> dict[UUID, StoreNow]:
    """These stores as they are at ``at``, whoever asks; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(STORES_NOW, {"store_ids": list(store_ids), "at": at})
        return {row[0]: _with_ordering(row, at) for row in cursor.fetchall()}


def store_now(store_id: UUID, at: datetime) -> StoreNow | None:
    """One store as it is at ``at``; None where there is none."""
    return stores_at([store_id], at).get(store_id)


def _clerks_given(pairs: Sequence[tuple[UUID, Who]], at: datetime, permission: Permission) -> dict[str, Any]:
    callers = [who if isinstance(who, Caller) else Caller(kind=CallerKind.STAFF, id=who) for _, who in pairs]
    return {
        "store_ids": [store_id for store_id, _ in pairs],
        "kinds": [AT_COUNTERS.get(caller.kind, "") for caller in callers],
        "who_ids": [caller.id for caller in callers],
        "device_ids": [caller.device_id for caller in callers],
        "signed": [caller.signed_at for caller in callers],
        "at": at,
        "roles": [role.value for role in roles_with(permission)],
        "scopes": [scope.value for scope in scopes_with(permission)],
    }


def _clerk_stores(
    rows: Iterable[Sequence[Any]], pairs: Sequence[tuple[UUID, Who]], at: datetime
) -> dict[tuple[UUID, Who], ClerkStore]:
    found: dict[tuple[UUID, Who], ClerkStore] = {}
    for row in rows:
        *of_store, place, roles, role_entities = row
        now = _store_now(of_store, at)
        reaching = frozenset(
            Role(role)
            for role, of_entity in zip(roles or (), role_entities or (), strict=True)
            if of_entity in (None, now["entity_id"])
        )
        if reaching or roles is None:  # None: a program, whose scope reaches
            found[pairs[place - 1]] = ClerkStore(**now, roles=reaching)
    return found


def _with_ordering(row: Sequence[Any], at: datetime) -> StoreNow:
    *of_store, cut_off_minutes, cups_per_slot, needs_presence, paused_until, seen_at = row
    ordering = _ordering(cut_off_minutes, cups_per_slot, needs_presence, paused_until, seen_at)
    return StoreNow(**_store_now(of_store, at), ordering=ordering)


def _ordering(
    cut_off_minutes: int | None,
    cups_per_slot: int | None,
    needs_presence: bool | None,
    paused_until: datetime | None,
    seen_at: datetime | None,
) -> Ordering:
    """The settings' where a store has no rule of its own; no limit by a 0 there."""
    if cut_off_minutes is None:
        return Ordering(settings.CUPS_PER_SLOT or None, timedelta(minutes=settings.CUT_OFF_MINUTES))
    return Ordering(cups_per_slot, timedelta(minutes=cut_off_minutes), bool(needs_presence), paused_until, seen_at)


def _store_now(row: Sequence[Any], at: datetime) -> dict[str, Any]:
    """The fields of ``StoreNow``."""
    store_id, brand_id, code, name, zone, hours_text, status, *rest = row
    latitude, longitude, regions, groups, is_dearer, from_dates, entities = rest
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
        "group_ids": frozenset(groups or ()),
        "is_dearer": is_dearer,
    }


@lru_cache(maxsize=1024)
def _hours(text: str) -> dict[str, list[list[str]]]:
    """Thousands of stores share a few opening hours; nobody changes what comes out."""
    hours: dict[str, list[list[str]]] = json.loads(text)
    return hours
