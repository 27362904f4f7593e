"""Reads of a store's stock: what there is, what is running out, what came and went."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from django.db.models import F, Q, QuerySet

from stores.models import StockAct, StockLevel, StockMode, StockMovement, StockTransfer


def levels_of(store_id: UUID) -> QuerySet[StockLevel]:
    """How the store keeps its products, in the brand's order."""
    levels = StockLevel.objects.filter(store_id=store_id).select_related("product")
    return levels.order_by("product__position", "product__code")


def running_out(store_id: UUID) -> QuerySet[StockLevel]:
    """What is at its threshold or below, and what is short; worst first."""
    counted = levels_of(store_id).filter(mode=StockMode.COUNTED).annotate(left=F("on_hand") - F("reserved"))
    return counted.filter(Q(left__lte=F("low_at")) | Q(left__lt=0)).order_by("left", "product__code")


def movements_of(store_id: UUID, *, product_id: UUID | None = None) -> QuerySet[StockMovement]:
    """What came to the store and left it, to be paged by ``moved_at``."""
    movements = StockMovement.objects.filter(store_id=store_id).select_related("product")
    return movements if product_id is None else movements.filter(product_id=product_id)


def acts_of(store_id: UUID) -> QuerySet[StockAct]:
    """What people did to the store's stock, to be paged by ``done_at``."""
    return StockAct.objects.filter(store_id=store_id).select_related("transfer", "undoes", "undone_by")


def transfers_of(store_id: UUID) -> QuerySet[StockTransfer]:
    """What goes from the store or to it, to be paged by ``sent_at``."""
    return StockTransfer.objects.filter(Q(from_store=store_id) | Q(to_store=store_id)).prefetch_related("acts")


def moved_by(act_ids: Collection[UUID]) -> dict[UUID, list[StockMovement]]:
    """The movements of each of these acts."""
    found: defaultdict[UUID, list[StockMovement]] = defaultdict(list)
    rows = StockMovement.objects.filter(source_id__in=act_ids, source_kind="stock_act")
    for movement in rows.select_related("product").order_by("id"):
        found[movement.source_id].append(movement)
    return found
