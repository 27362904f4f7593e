"""Products and their options for whoever may see or change those of their brand."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from config.kernel import ids
from config.kernel.caller import Caller
from config.kernel.errors import NotFound
from config.kernel.ids import PublicIdModel
from stores.errors import OptionGroupNotFound, OptionNotFound, ProductNotFound
from stores.models import Option, OptionGroup, Product, ProductSubstitute
from stores.permissions import Permission
from stores.queries.access import require_permission

R = TypeVar("R", bound=PublicIdModel)


def product_for_caller(caller: Caller, public_id: str, *, permission: Permission, at: datetime) -> Product:
    """
    One product, withdrawn ones included.

    Raises:
        MalformedId: not a product's id.
        ProductNotFound: there is none, or it is another brand's.
        NotAllowed: the caller reaches the brand, and may not.
    """
    product = _found(Product.objects.filter(id=ids.parse(Product.PREFIX, public_id)).first(), ProductNotFound)
    require_permission(caller, permission, brand_id=product.brand_id, at=at, missing=ProductNotFound)
    return product


def option_group_for_caller(caller: Caller, public_id: str, *, permission: Permission, at: datetime) -> OptionGroup:
    """
    One question.

    Raises:
        MalformedId: not a group's id.
        OptionGroupNotFound: there is none, or it is another brand's.
        NotAllowed: the caller reaches the brand, and may not.
    """
    rows = OptionGroup.objects.filter(id=ids.parse(OptionGroup.PREFIX, public_id))
    group = _found(rows.first(), OptionGroupNotFound)
    require_permission(caller, permission, brand_id=group.brand_id, at=at, missing=OptionGroupNotFound)
    return group


def option_for_caller(caller: Caller, public_id: str, *, permission: Permission, at: datetime) -> Option:
    """
    One answer, with its group.

    Raises:
        MalformedId: not an option's id.
        OptionNotFound: there is none, or it is another brand's.
        NotAllowed: the caller reaches the brand, and may not.
    """
    rows = Option.objects.select_related("group").filter(id=ids.parse(Option.PREFIX, public_id))
    option = _found(rows.first(), OptionNotFound)
    require_permission(caller, permission, brand_id=option.group.brand_id, at=at, missing=OptionNotFound)
    return option


def substitutes_of(brand_id: UUID) -> dict[UUID, tuple[UUID, ...]]:
    """What takes each withdrawn product's place, in order; those without a substitute are not named."""
    found: dict[UUID, tuple[UUID, ...]] = {}
    rows = ProductSubstitute.objects.filter(product__brand_id=brand_id).order_by("position", "id")
    for product_id, substitute_id in rows.values_list("product_id", "substitute_id"):
        found[product_id] = (*found.get(product_id, ()), substitute_id)
    return found


def standing_in(
    product_id: UUID, substitutes: Mapping[UUID, Collection[UUID]], withdrawn: Collection[UUID]
) -> set[UUID]:
    """
    The products with which a promise of ``product_id`` can be kept now: itself, or what stands in for it.

    A substitute may have been withdrawn for another since; a circle of substitutes ends.
    """
    found: set[UUID] = set()
    seen: set[UUID] = set()
    waiting = [product_id]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        if one in withdrawn:
            waiting += substitutes.get(one, ())
        else:
            found.add(one)
    return found


def _found(row: R | None, missing: type[NotFound]) -> R:
    if row is None:
        raise missing
    return row
