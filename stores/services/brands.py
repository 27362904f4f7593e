"""A chain begins with its owner."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from config.accounts.models import User
from config.kernel.caller import Caller
from stores.business_days import check_zone
from stores.errors import BrandNotFound, SlugTaken, ZoneUnknown
from stores.models import Brand, Staff
from stores.services import people, trail


@dataclass(frozen=True)
class Opened:
    brand: Brand
    owner: User


class BrandChanges(TypedDict, total=False):
    """What of a brand may change; the slug stands in addresses and stays."""

    name: str
    zone: str
    counter_needs_stock: bool


def open_brand(
    *, slug: str, name: str, owner: people.NewPerson, by: Caller, at: datetime, zone: str = "Asia/Shanghai"
) -> Opened:
    """
    A new brand and the person who owns it, together or not at all.

    Raises:
        SlugTaken: another brand has this slug.
        UsernameTaken: somebody already signs in under the owner's name.
        PasswordTooWeak, ZoneUnknown: as they say.
    """
    _require_zone(zone)
    password = people.hashed_password(owner)
    with transaction.atomic(durable=True):
        brand = Brand(slug=slug, name=name, zone=zone, created_at=at)
        try:
            with transaction.atomic():
                brand.save(force_insert=True)
        except IntegrityError:
            raise SlugTaken(slug=slug) from None
        user = people.admit(owner, password=password)
        owning = Staff.objects.create(user=user, brand=brand, role=Staff.Role.OWNER, created_at=at)
        trail.leave("brand.opened", brand, brand_id=brand.id, by=by, at=at, details={"slug": slug, "name": name})
        trail.leave("staff.appointed", owning, brand_id=brand.id, by=by, at=at, details={"role": owning.role})
    return Opened(brand=brand, owner=user)


def edit(*, brand_id: UUID, changes: BrandChanges, by: Caller, at: datetime) -> Brand:
    """
    Change what the brand is called, its default zone or how its counters heed stock. Repeating changes nothing.

    Raises:
        BrandNotFound, ZoneUnknown: as they say.
    """
    if "zone" in changes:
        _require_zone(changes["zone"])
    with transaction.atomic(durable=True):
        brand = lock(brand_id)
        if told := trail.change(brand, dict(changes)):
            trail.leave("brand.edited", brand, brand_id=brand.id, by=by, at=at, details=told)
        return brand


def lock(brand_id: UUID) -> Brand:
    """
    The brand's row, held so that acts on its lists (regions, stores, staff) follow each other.

    Runs inside the caller's transaction. NO KEY: rows that merely name the brand do not wait.
    """
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    brand = Brand.objects.select_for_update(no_key=True).filter(id=brand_id).first()
    if brand is None:
        raise BrandNotFound
    return brand


def _require_zone(zone: str) -> None:
    try:
        check_zone(zone)
    except ValueError:
        raise ZoneUnknown(zone=zone, param="zone") from None
