"""Substitutes of what is sold out: head office lists them, and each that was chosen is written down."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import Caller
from config.kernel.ids import public
from stores.errors import ProductNotFound, ProductWithdrawn, SubstituteRefused
from stores.models import Product, SoldOutSubstitute, Substitution
from stores.services import products, trail


@dataclass(frozen=True, slots=True)
class Instead:
    """A product and what is made instead of it, by their names of today."""

    product_id: UUID
    product_name: str
    substitute_id: UUID
    substitute_name: str


def list_for(*, product_id: UUID, substitute_ids: Sequence[UUID], by: Caller, at: datetime) -> None:
    """
    What stores offer while they are sold out of the product, in this order; an empty list leaves it to the categories.

    Repeating changes nothing.

    Raises:
        ProductNotFound, ProductWithdrawn: there is none, it is a material, or it went for good.
        SubstituteRefused: one of them is the product itself, another brand's, or not for sale.
    """
    wanted = list(dict.fromkeys(substitute_ids))
    with transaction.atomic(durable=True):
        product = products.lock(product_id)
        if product.is_material:
            raise ProductNotFound
        if product.withdrawn_at is not None:
            raise ProductWithdrawn(withdrawn_at=product.withdrawn_at.isoformat())
        for_sale = Product.objects.filter(brand_id=product.brand_id, is_sold=True, id__in=wanted).exclude(id=product_id)
        if for_sale.count() < len(wanted):
            raise SubstituteRefused(param="substitutes")
        before = list(product.sold_out_substitutes.order_by("position").values_list("substitute_id", flat=True))
        if before == wanted:
            return
        product.sold_out_substitutes.all().delete()
        SoldOutSubstitute.objects.bulk_create(
            SoldOutSubstitute(product=product, substitute_id=one, position=position)
            for position, one in enumerate(wanted)
        )
        told = {"substitutes": [[public(Product.PREFIX, one) for one in ids] for ids in (before, wanted)]}
        trail.leave("product.substitutes_listed", product, brand_id=product.brand_id, by=by, at=at, details=told)


def note(
    *,
    store_id: UUID,
    source_kind: Substitution.Source,
    source_id: UUID,
    chosen: Collection[Instead],
    by: Caller,
    at: datetime,
) -> None:
    """
    Write down what was made instead of what for one source, and who chose it.

    Runs inside the caller's transaction, once for each source.
    """
    assert connection.in_atomic_block, "it is logged with the act that chose it"
    assert by.id is not None, "a machine chooses nothing"
    Substitution.objects.bulk_create(
        Substitution(
            store_id=store_id,
            source_kind=source_kind,
            source_id=source_id,
            product_id=one.product_id,
            product_name=one.product_name,
            substitute_id=one.substitute_id,
            substitute_name=one.substitute_name,
            by_kind=by.kind,
            by_id=by.id,
            chosen_at=at,
        )
        for one in dict.fromkeys(chosen)
    )
