"""Which stores honour a voucher, as rows."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from stores.models import Store, StoreGroupMember
from vouchers.models import DealTerms
from vouchers.verdict import Terms

BELOW = """
    WITH RECURSIVE below AS (
        SELECT id FROM stores_region WHERE id = ANY(%s) AND brand_id = %s
        UNION SELECT region.id FROM stores_region region JOIN below ON region.parent_id = below.id
    ) SELECT id FROM below
"""


def accepting_stores(terms: Terms) -> QuerySet[Store]:
    """The brand's stores that the terms take in; the set-based mirror of ``verdict.why_not_here``."""
    scope = terms.scope
    stores = Store.objects.filter(brand_id=terms.brand_id)
    if not scope.everywhere:
        taken_in = Q(id__in=scope.stores)
        if scope.regions:
            taken_in |= Q(region_id__in=_below(terms.brand_id, scope.regions))
        if scope.groups:
            taken_in |= Q(id__in=_members(scope.groups))
        stores = stores.filter(taken_in)
    if scope.except_groups:
        stores = stores.exclude(id__in=_members(scope.except_groups))
    if terms.dearer_stores == DealTerms.DearerStores.EXCLUDED:
        stores = stores.filter(is_dearer=False)
    if scope.except_regions:
        # Not exclude(region_id__in=…): a store without a region is in none.
        below = _below(terms.brand_id, scope.except_regions)
        stores = stores.filter(Q(region__isnull=True) | ~Q(region_id__in=below))
    return stores.exclude(id__in=scope.except_stores)


def _members(groups: Collection[UUID]) -> QuerySet[StoreGroupMember, UUID]:
    return StoreGroupMember.objects.filter(group_id__in=groups).values_list("store_id", flat=True)


def _below(brand_id: UUID, named: Collection[UUID]) -> RawSQL:
    """The named regions with all regions below them."""
    return RawSQL(BELOW, (list(named), brand_id))  # noqa: S611 - a constant
