"""Which stores honour a voucher, as rows."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from django.db.models import Q, QuerySet

from stores.models import Region, Store, StoreGroupMember
from vouchers.models import DealTerms
from vouchers.verdict import Terms


def accepting_stores(terms: Terms) -> QuerySet[Store]:
    """The brand's stores that the terms take in; the set-based mirror of ``verdict.why_not_here``."""
    scope = terms.scope
    below = _regions_below(terms.brand_id, scope.regions | scope.except_regions)
    stores = Store.objects.filter(brand_id=terms.brand_id)
    if not scope.everywhere:
        regions = {region for named in scope.regions for region in below[named]}
        taken_in = Q(id__in=scope.stores) | Q(region_id__in=regions)
        stores = stores.filter(taken_in | Q(id__in=_members(scope.groups)) if scope.groups else taken_in)
    if scope.except_groups:
        stores = stores.exclude(id__in=_members(scope.except_groups))
    if terms.dearer_stores == DealTerms.DearerStores.EXCLUDED:
        stores = stores.filter(is_dearer=False)
    excluded = {region for named in scope.except_regions for region in below[named]}
    # Not exclude(region_id__in=…): a store without a region is in none.
    return stores.exclude(id__in=scope.except_stores).filter(Q(region__isnull=True) | ~Q(region_id__in=excluded))


def _members(groups: Collection[UUID]) -> QuerySet[StoreGroupMember, UUID]:
    return StoreGroupMember.objects.filter(group_id__in=groups).values_list("store_id", flat=True)


def _regions_below(brand_id: UUID, named: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """Each named region with all regions below it; a brand's tree has hundreds of nodes and is read whole."""
    if not named:
        return {}
    children: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for region_id, parent_id in Region.objects.filter(brand_id=brand_id).values_list("id", "parent_id"):
        if parent_id is not None:
            children[parent_id].append(region_id)
    found: dict[UUID, set[UUID]] = {}
    for region in named:
        reached: set[UUID] = set()
        waiting = [region]
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached.add(one)
                waiting += children[one]
        found[region] = reached
    return found
