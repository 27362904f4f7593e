"""The brand's tree of regions."""

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from django.db import transaction

from config.kernel.caller import Caller
from stores.errors import CodeTaken, RegionNotFound, RegionsWouldCircle
from stores.models import Region
from stores.services import brands, trail
from stores.services.made import Made


class RegionChanges(TypedDict, total=False):
    name: str
    parent_id: UUID | None


def add(*, brand_id: UUID, code: str, name: str, parent_id: UUID | None, by: Caller, at: datetime) -> Made[Region]:
    """
    A region below ``parent_id``, or a root. The same again is the same region.

    Raises:
        CodeTaken: the code is another region's.
        RegionNotFound: no such parent in this brand.
    """
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        if found := Region.objects.filter(brand_id=brand_id, code=code).first():
            if (found.name, found.parent_id) != (name, parent_id):
                raise CodeTaken(value=code, param="code")
            return Made(found, is_new=False)
        if parent_id is not None:
            _require(brand_id, parent_id)
        region = Region.objects.create(brand_id=brand_id, code=code, name=name, parent_id=parent_id)
        trail.leave("region.added", region, brand_id=brand_id, by=by, at=at, details={"code": code, "name": name})
        return Made(region, is_new=True)


def edit(*, brand_id: UUID, region_id: UUID, changes: RegionChanges, by: Caller, at: datetime) -> Region:
    """
    Rename a region or move it, with everything below it, elsewhere in the tree.

    Two moves at once could each be right and together close a circle, so they follow each other.

    Raises:
        RegionNotFound: no such region, or no such parent.
        RegionsWouldCircle: the new parent is the region itself or below it.
    """
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        region = _require(brand_id, region_id)
        if (parent_id := changes.get("parent_id")) is not None:
            _require(brand_id, parent_id)
            if region_id in line_of(brand_id, parent_id):
                raise RegionsWouldCircle(param="parent")
        if told := trail.change(region, dict(changes)):
            trail.leave("region.edited", region, brand_id=brand_id, by=by, at=at, details=told)
        return region


def line_of(brand_id: UUID, region_id: UUID) -> list[UUID]:
    """A region and those above it, lowest first."""
    parents = dict(Region.objects.filter(brand_id=brand_id).values_list("id", "parent_id"))
    line: list[UUID] = []
    above: UUID | None = region_id
    while above is not None and above not in line:
        line.append(above)
        above = parents.get(above)
    return line


def _require(brand_id: UUID, region_id: UUID) -> Region:
    region = Region.objects.filter(brand_id=brand_id, id=region_id).first()
    if region is None:
        raise RegionNotFound
    return region
