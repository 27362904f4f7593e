"""The brand's tree of regions."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from django.db import transaction

from config.kernel.caller import Caller
from stores.errors import CodeTaken, RegionNotFound, RegionsWouldCircle
from stores.models import Region, Store
from stores.services import brands, trail
from stores.services.made import Made
from stores.signals import ReachChange, reach_changing


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
        StoreIsPromised: sold vouchers would lose a store.
    """
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        region = _require(brand_id, region_id)
        if (parent_id := changes.get("parent_id")) is not None:
            _require(brand_id, parent_id)
            if region_id in line_of(brand_id, parent_id):
                raise RegionsWouldCircle(param="parent")
        if "parent_id" in changes:
            _ask_to_move(region, to=changes["parent_id"])
        if told := trail.change(region, dict(changes)):
            trail.leave("region.edited", region, brand_id=brand_id, by=by, at=at, details=told)
        return region


def line_of(brand_id: UUID, region_id: UUID) -> list[UUID]:
    """A region and those above it, lowest first."""
    return _line(region_id, parents_of(brand_id))


def parents_of(brand_id: UUID) -> dict[UUID, UUID | None]:
    """The brand's tree: each region's parent."""
    return dict(Region.objects.filter(brand_id=brand_id).values_list("id", "parent_id"))


def move(
    brand_id: UUID, before: UUID | None, after: UUID | None, *, parents: Mapping[UUID, UUID | None]
) -> ReachChange:
    """What stores leave and join that are below ``before`` and shall be below ``after``."""
    old, new = frozenset(_line(before, parents)), frozenset(_line(after, parents))
    return ReachChange(brand_id, leaving=old - new, joining=new - old)


def _ask_to_move(region: Region, *, to: UUID | None) -> None:
    parents = parents_of(region.brand_id)
    below = [one for one in parents if region.id in _line(one, parents)]
    if to != region.parent_id and Store.objects.filter(region_id__in=below).exists():
        change = move(region.brand_id, region.parent_id, to, parents=parents)
        reach_changing.send(sender=Region, change=change)


def _line(region_id: UUID | None, parents: Mapping[UUID, UUID | None]) -> list[UUID]:
    line: list[UUID] = []
    while region_id is not None and region_id not in line:
        line.append(region_id)
        region_id = parents.get(region_id)
    return line


def _require(brand_id: UUID, region_id: UUID) -> Region:
    region = Region.objects.filter(brand_id=brand_id, id=region_id).first()
    if region is None:
        raise RegionNotFound
    return region
