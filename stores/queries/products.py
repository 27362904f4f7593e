"""Products and their options for whoever may see or change those of their brand."""

from datetime import datetime
from typing import TypeVar

from config.kernel import ids
from config.kernel.caller import Caller
from config.kernel.errors import NotFound
from config.kernel.ids import PublicIdModel
from stores.errors import OptionGroupNotFound, OptionNotFound, ProductNotFound
from stores.models import Option, OptionGroup, Product
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


def _found(row: R | None, missing: type[NotFound]) -> R:
    if row is None:
        raise missing
    return row
