"""Who works where: appointed, ended, given a new password; each within the reach of who does it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import QuerySet

from config.accounts.models import User
from config.kernel import ids, outbox
from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import NotAllowed
from stores.errors import (
    EntityNotFound,
    LastOwner,
    RegionNotFound,
    RoleDoesNotFit,
    StaffNotFound,
    StoreNotFound,
    UsernameTaken,
)
from stores.models import Region, SettlementEntity, Staff, Store
from stores.permissions import APPOINTS, Permission, Role
from stores.queries import stores_for_clerks
from stores.services import brands, people, trail
from stores.services.made import Made

PLACES: dict[Role, str] = {
    Role.REGION_SUPERVISOR: "region",
    Role.FRANCHISEE: "entity",
    Role.STORE_MANAGER: "store",
    Role.CLERK: "store",
}
"""What a role reaches over; the whole brand where it is not named here."""


@dataclass(frozen=True)
class Place:
    """At most one is set: the place the role asks for."""

    region_id: UUID | None = None
    entity_id: UUID | None = None
    store_id: UUID | None = None


def appoint(
    *, brand_id: UUID, person: people.NewPerson, role: Role, place: Place, by: Caller, at: datetime
) -> Made[Staff]:
    """
    Give a person a role; whoever has no account yet gets one. The same again is the same row.

    Somebody who works for the brand already keeps her password. Accounts of other brands' people cannot
    be drawn in by guessing their names.

    Raises:
        NotAllowed: ``by`` may not appoint this role there.
        RoleDoesNotFit: the role reaches over something else than ``place``.
        RegionNotFound, EntityNotFound, StoreNotFound: not in this brand.
        UsernameTaken: the account is another brand's person's.
        PasswordTooWeak: a new account's.
    """
    _check_place(brand_id, role, place)
    _require_power(by, brand_id=brand_id, role=role, store_id=place.store_id, at=at)
    password = None
    if not User.objects.filter(username=person.username).exists():
        password = people.hashed_password(person)
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        user = User.objects.filter(username=person.username).first()
        if user is None:
            assert password is not None, "accounts are not deleted"
            user = people.admit(person, password=password)
        elif not Staff.objects.filter(user=user, brand_id=brand_id).exists():
            raise UsernameTaken(username=person.username, param="username")
        where = {"region_id": place.region_id, "entity_id": place.entity_id, "store_id": place.store_id}
        held = Staff.objects.filter(user=user, brand_id=brand_id, role=role, ended_at=None, **where).first()
        if held is not None:
            return Made(held, is_new=False)
        staff = Staff.objects.create(user=user, brand_id=brand_id, role=role, created_at=at, **where)
        details = {"user": user.public_id, "role": role.value, **{name: str(key) for name, key in where.items() if key}}
        trail.leave("staff.appointed", staff, brand_id=brand_id, by=by, at=at, details=details)
        outbox.announce(brand_id=brand_id, topic="staff.appointed", items=[told_of(staff)], at=at)
        return Made(staff, is_new=True)


def end(*, staff_id: UUID, by: Caller, at: datetime) -> Staff:
    """
    End a role from now on; the row stays as history. Repeating changes nothing.

    Raises:
        StaffNotFound: no such row where ``by`` may end one.
        LastOwner: a brand keeps one.
    """
    staff = in_power(staff_id, by=by, at=at)
    with transaction.atomic(durable=True):
        brands.lock(staff.brand_id)  # two owners who end each other follow each other
        staff.refresh_from_db()
        if staff.ended_at is not None:
            return staff
        if staff.role == Role.OWNER and not other_owners(staff).exists():
            raise LastOwner
        staff.ended_at = at
        staff.save(update_fields=["ended_at"])
        trail.leave("staff.ended", staff, brand_id=staff.brand_id, by=by, at=at, details={"role": staff.role})
        outbox.announce(brand_id=staff.brand_id, topic="staff.ended", items=[told_of(staff)], at=at)
        return staff


def set_password(*, staff_id: UUID, password: str, by: Caller, at: datetime) -> Staff:
    """
    A new password for somebody who lost hers.

    A password opens every role its holder has, so it takes power over each of them, other brands' too.

    Raises:
        StaffNotFound: no such row where ``by`` may appoint.
        NotAllowed: she holds another role that ``by`` may not give, or runs the site.
        PasswordTooWeak: with the reasons.
    """
    staff = in_power(staff_id, by=by, at=at)
    if staff.ended_at is not None:
        raise StaffNotFound
    people.check_password(password, of=staff.user)
    hashed = make_password(password)
    with transaction.atomic(durable=True):
        brands.lock(staff.brand_id)
        user = User.objects.select_for_update(no_key=True).get(id=staff.user_id)
        if by.id != user.id:
            if user.is_superuser and by.kind is not CallerKind.OPERATOR:
                raise NotAllowed
            for held in Staff.objects.filter(user=user, ended_at=None):
                _require_power(by, brand_id=held.brand_id, role=Role(held.role), store_id=held.store_id, at=at)
        user.password = hashed
        user.save(update_fields=["password"])
        trail.leave("staff.password_set", staff, brand_id=staff.brand_id, by=by, at=at, details={})
        return staff


def may_appoint(by: Caller, *, brand_id: UUID, role: Role, store_id: UUID | None, at: datetime) -> bool:
    """Whether one of the caller's roles appoints ``role`` and reaches where it would."""
    if by.kind is CallerKind.OPERATOR:
        return True
    if by.kind is not CallerKind.STAFF or by.id is None:
        return False
    if store_id is not None:
        pair = (store_id, by.id)
        found = stores_for_clerks([pair], at, permission=Permission.APPOINT_STAFF).get(pair)
        reaching = found.roles if found is not None else frozenset()
    else:  # only the whole brand's own roles reach over a region or an entity
        rows = Staff.objects.filter(
            user_id=by.id, brand_id=brand_id, user__is_active=True, region=None, entity=None, store=None
        ).exclude(ended_at__lte=at)
        reaching = frozenset(Role(row) for row in rows.values_list("role", flat=True))
    return any(role in APPOINTS.get(held, ()) for held in reaching)


def other_owners(staff: Staff) -> QuerySet[Staff]:
    """The brand's owners beside the person of this row; asked under the brand's lock."""
    owners = Staff.objects.filter(brand_id=staff.brand_id, role=Role.OWNER, ended_at=None, user__is_active=True)
    return owners.exclude(user_id=staff.user_id)


def told_of(staff: Staff) -> dict[str, Any]:
    """A row as subscribers hear of it."""
    places = {
        "region": (Region.PREFIX, staff.region_id),
        "entity": (SettlementEntity.PREFIX, staff.entity_id),
        "store": (Store.PREFIX, staff.store_id),
    }
    return {
        "staff": staff.public_id,
        "user": ids.public(User.PREFIX, staff.user_id),
        "role": str(staff.role),
        **{name: ids.public(prefix, key) if key else None for name, (prefix, key) in places.items()},
    }


def _require_power(by: Caller, *, brand_id: UUID, role: Role, store_id: UUID | None, at: datetime) -> None:
    if not may_appoint(by, brand_id=brand_id, role=role, store_id=store_id, at=at):
        raise NotAllowed


def in_power(staff_id: UUID, *, by: Caller, at: datetime) -> Staff:
    """
    A row that ``by`` may end: her own, or one she could have appointed.

    Raises:
        StaffNotFound: there is none.
    """
    staff = Staff.objects.select_related("user").filter(id=staff_id).first()
    if staff is None:
        raise StaffNotFound
    role = Role(staff.role)
    if by.id != staff.user_id and not may_appoint(
        by, brand_id=staff.brand_id, role=role, store_id=staff.store_id, at=at
    ):
        raise StaffNotFound
    return staff


def _check_place(brand_id: UUID, role: Role, place: Place) -> None:
    wanted = PLACES.get(role)
    named = {"region": place.region_id, "entity": place.entity_id, "store": place.store_id}
    if {name for name, key in named.items() if key is not None} != ({wanted} if wanted else set()):
        raise RoleDoesNotFit(role=role.value, place=wanted or "brand", param=wanted or "role")
    if place.region_id and not Region.objects.filter(brand_id=brand_id, id=place.region_id).exists():
        raise RegionNotFound(param="region")
    if place.entity_id and not SettlementEntity.objects.filter(brand_id=brand_id, id=place.entity_id).exists():
        raise EntityNotFound(param="entity")
    if place.store_id and not Store.objects.filter(brand_id=brand_id, id=place.store_id).exists():
        raise StoreNotFound(param="store")
