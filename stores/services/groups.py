"""Groups of stores that a brand speaks of together."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import Caller
from config.kernel.ids import public
from stores.errors import CodeTaken, StoreGroupIsKept, StoreGroupNotFound, StoreNotFound
from stores.models import Store, StoreGroup, StoreGroupMember
from stores.services import brands, trail
from stores.services.made import Made
from stores.signals import ReachChange, reach_changing


@dataclass(frozen=True, slots=True)
class Membership:
    """A group after a change, and how many stores are in it."""

    group: StoreGroup
    size: int


def add(*, brand_id: UUID, code: str, name: str, by: Caller, at: datetime) -> Made[StoreGroup]:
    """
    A group without stores. The same again is the same group.

    Raises:
        CodeTaken: the code is another group's.
    """
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        if found := StoreGroup.objects.filter(brand_id=brand_id, code=code).first():
            if found.name != name:
                raise CodeTaken(value=code, param="code")
            return Made(found, is_new=False)
        group = StoreGroup.objects.create(brand_id=brand_id, code=code, name=name, created_at=at)
        trail.leave("store_group.added", group, brand_id=brand_id, by=by, at=at, details={"code": code, "name": name})
        return Made(group, is_new=True)


def change_members(
    *,
    brand_id: UUID,
    group_id: UUID,
    joining: Collection[UUID],
    leaving: Collection[UUID],
    by: Caller,
    at: datetime,
) -> Membership:
    """
    Take stores in and let stores go, all of it or nothing; repeating changes nothing.

    Terms name groups, so a change may be refused by whoever promised something about this one.

    Raises:
        StoreGroupNotFound: no such group in this brand.
        StoreGroupIsKept: its members follow from something else, such as what stores answered.
        StoreNotFound: a store that is not this brand's; the details name it.
        StoreIsPromised: sold vouchers would lose a store.
    """
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        group = StoreGroup.objects.filter(brand_id=brand_id, id=group_id).first()
        if group is None:
            raise StoreGroupNotFound
        if group.kept_by:
            raise StoreGroupIsKept(kept_by=group.kept_by)
        named = {*joining, *leaving}
        known = set(Store.objects.filter(brand_id=brand_id, id__in=named).values_list("id", flat=True))
        if strange := sorted(named - known):
            raise StoreNotFound(store=public(Store.PREFIX, strange[0]))
        moved = move(group, joining=joining, leaving=leaving)
        if moved.come or moved.gone:
            told = {
                "joined": [public(Store.PREFIX, one) for one in sorted(moved.come)],
                "left": [public(Store.PREFIX, one) for one in sorted(moved.gone)],
            }
            trail.leave("store_group.changed", group, brand_id=brand_id, by=by, at=at, details=told)
        return Membership(group, moved.size)


@dataclass(frozen=True, slots=True)
class Moved:
    """Which stores came into a group, which left it, and how many are in it now."""

    come: frozenset[UUID]
    gone: frozenset[UUID]
    size: int


def move(group: StoreGroup, *, joining: Collection[UUID], leaving: Collection[UUID]) -> Moved:
    """
    Take stores of the group's brand in and let stores go, and say which that changed.

    Runs inside the caller's transaction, under the brand's lock; the caller leaves the trail.

    Raises:
        StoreIsPromised: sold vouchers would lose a store.
    """
    assert connection.in_atomic_block, "a group changes with what changed it"
    members = set(group.members.values_list("store_id", flat=True))
    gone = members & set(leaving) - set(joining)
    come = set(joining) - members
    if gone or come:
        itself = frozenset({group.id})
        change = ReachChange(
            group.brand_id, leaving=itself if gone else frozenset(), joining=itself if come else frozenset()
        )
        reach_changing.send(sender=StoreGroup, change=change)
        group.members.filter(store_id__in=gone).delete()
        StoreGroupMember.objects.bulk_create(
            [StoreGroupMember(group=group, store_id=store_id) for store_id in sorted(come)], batch_size=1_000
        )
    return Moved(frozenset(come), frozenset(gone), len(members - gone | come))
