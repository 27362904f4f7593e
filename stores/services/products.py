"""What a brand makes: products come, change, are asked questions, and are withdrawn for good."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import Caller
from config.kernel.ids import public
from stores.errors import (
    CodeTaken,
    MaterialIsNotSold,
    OptionGroupNotFound,
    ProductNotFound,
    ProductWithdrawn,
    SubstituteRefused,
)
from stores.models import OptionGroup, Product, ProductOptionGroup, ProductSubstitute
from stores.services import brands, trail
from stores.services.made import Made


class ProductChanges(TypedDict, total=False):
    """What of a product may change; its code is how the brand's own systems know it, and stays."""

    name: str
    name_en: str
    categories: list[str]
    price_fen: int
    is_sold: bool
    position: int
    group_ids: list[UUID]


@dataclass(frozen=True)
class NewProduct:
    """``group_ids`` are the questions it asks, in their order."""

    code: str
    name: str
    price_fen: int
    name_en: str = ""
    categories: list[str] = field(default_factory=list)
    is_sold: bool = True
    position: int = 0
    group_ids: list[UUID] = field(default_factory=list)


def create(*, brand_id: UUID, new: NewProduct, by: Caller, at: datetime) -> Made[Product]:
    """
    A product under the brand's own code. The same again is the same product as it is now.

    Raises:
        CodeTaken: the code is another product's, a withdrawn one's included: vouchers may still name that.
        OptionGroupNotFound: as it says.
    """
    content = {
        "name": new.name,
        "name_en": new.name_en,
        "categories": new.categories,
        "price_fen": new.price_fen,
        "is_sold": new.is_sold,
        "position": new.position,
        "unit": Product.Unit.NONE,
    }
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        if found := Product.objects.filter(brand_id=brand_id, code=new.code).first():
            asked = list(found.product_groups.order_by("position").values_list("group_id", flat=True))
            if any(getattr(found, name) != value for name, value in content.items()) or asked != new.group_ids:
                raise CodeTaken(value=new.code, param="code")
            return Made(found, is_new=False)
        product = Product.objects.create(brand_id=brand_id, code=new.code, created_at=at, **content)
        _ask(product, new.group_ids)
        trail.leave("product.created", product, brand_id=brand_id, by=by, at=at, details={"code": new.code})
        return Made(product, is_new=True)


def edit(*, product_id: UUID, changes: ProductChanges, by: Caller, at: datetime) -> Product:
    """
    Rename a product, price it, move it, ask other questions about it. Vouchers that name it go on naming it.

    Repeating changes nothing.

    Raises:
        ProductNotFound, ProductWithdrawn, OptionGroupNotFound: as they say.
        MaterialIsNotSold: of a material only its names change.
    """
    fields = {name: value for name, value in changes.items() if name != "group_ids"}
    with transaction.atomic(durable=True):
        product = lock(product_id)
        if product.withdrawn_at is not None:
            raise ProductWithdrawn(withdrawn_at=product.withdrawn_at.isoformat())
        if product.is_material and (others := changes.keys() - {"name", "name_en"}):
            raise MaterialIsNotSold(param=min(others))
        told = trail.change(product, fields)
        if "group_ids" in changes:
            before = list(product.product_groups.order_by("position").values_list("group_id", flat=True))
            if before != changes["group_ids"]:
                ProductOptionGroup.objects.filter(product=product).delete()
                _ask(product, changes["group_ids"])
                told["groups"] = [_public(before), _public(changes["group_ids"])]
        if told:
            trail.leave("product.edited", product, brand_id=product.brand_id, by=by, at=at, details=told)
        return product


def withdraw(*, product: Product, by: Caller, at: datetime, reason: str) -> None:
    """
    Nobody orders it any more, for good; its id and its name stay, because vouchers name it.

    Runs inside the caller's transaction, on a product it has locked: the caller knows what becomes of the
    vouchers (vouchers.services.withdrawing). Repeating changes nothing.
    """
    assert connection.in_atomic_block, "a product goes together with what becomes of its vouchers"
    if product.withdrawn_at is not None:
        return
    product.withdrawn_at, product.is_sold = at, False
    product.save(update_fields=["withdrawn_at", "is_sold"])
    trail.leave("product.withdrawn", product, brand_id=product.brand_id, by=by, at=at, details={"reason": reason})


def substitute(*, product: Product, substitute_ids: Sequence[UUID]) -> None:
    """
    Name what takes the product's place in vouchers, in this order.

    Runs inside the caller's transaction, on a product it has locked, and before it is withdrawn.

    Raises:
        SubstituteRefused: one of them is the product itself, another brand's, or not for sale.
    """
    assert connection.in_atomic_block, "substitutes come with the withdrawal"
    for_sale = Product.objects.filter(brand_id=product.brand_id, is_sold=True, id__in=substitute_ids)
    found = set(for_sale.exclude(id=product.id).values_list("id", flat=True))
    if not substitute_ids or found != set(substitute_ids):
        raise SubstituteRefused(param="substitutes")
    ProductSubstitute.objects.bulk_create(
        ProductSubstitute(product=product, substitute_id=one, position=position)
        for position, one in enumerate(dict.fromkeys(substitute_ids))
    )


def lock(product_id: UUID) -> Product:
    """
    The product's row, held. Runs inside the caller's transaction.

    Raises:
        ProductNotFound: as it says.
    """
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    product = Product.objects.select_for_update(no_key=True).filter(id=product_id).first()
    if product is None:
        raise ProductNotFound
    return product


def _ask(product: Product, group_ids: Sequence[UUID]) -> None:
    known = set(OptionGroup.objects.filter(brand_id=product.brand_id, id__in=group_ids).values_list("id", flat=True))
    if known != set(group_ids) or len(known) != len(group_ids):
        raise OptionGroupNotFound(param="groups")
    ProductOptionGroup.objects.bulk_create(
        ProductOptionGroup(product=product, group_id=group_id, position=position)
        for position, group_id in enumerate(group_ids)
    )


def _public(group_ids: Sequence[UUID]) -> list[str]:
    return [public(OptionGroup.PREFIX, group_id) for group_id in group_ids]
