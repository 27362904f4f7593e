"""What head office says goes into its products: materials, and recipes that follow each other by their start."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.kernel.caller import Caller
from stores.errors import CodeTaken, MaterialNotFound, OptionNotFound, ProductNotFound, ProductWithdrawn, RecipeInvalid
from stores.models import Option, Product, Recipe, RecipeLine
from stores.queries.recipes import in_force
from stores.services import brands, products, trail
from stores.services.made import Made

MOST_LINES = 100
MOST_UNITS = 1_000_000
"""A ton or a cubic metre in one cup."""


@dataclass(frozen=True, slots=True)
class NewMaterial:
    """``unit`` is its smallest measure: amounts are whole numbers of it."""

    code: str
    name: str
    unit: Product.Unit
    name_en: str = ""


@dataclass(frozen=True, slots=True)
class RecipeSaid:
    """So much of a material for a cup ordered with all of ``option_ids``; below zero takes off."""

    material_id: UUID
    quantity: int
    option_ids: frozenset[UUID] = frozenset()

    @property
    def options(self) -> list[UUID]:
        """As they are written down: in one order, so that a set is written in one way."""
        return sorted(self.option_ids)


def create_material(*, brand_id: UUID, new: NewMaterial, by: Caller, at: datetime) -> Made[Product]:
    """
    A material under the brand's own code, which no product has. The same again is the same material.

    Raises:
        CodeTaken: the code is a product's, or another material's.
    """
    assert new.unit != Product.Unit.NONE, "a material is measured in something"
    content = {"name": new.name, "name_en": new.name_en, "unit": new.unit}
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        if found := Product.objects.filter(brand_id=brand_id, code=new.code).first():
            if any(getattr(found, name) != value for name, value in content.items()):
                raise CodeTaken(value=new.code, param="code")
            return Made(found, is_new=False)
        material = Product.objects.create(
            brand_id=brand_id, code=new.code, price_fen=0, is_sold=False, created_at=at, **content
        )
        told = {"code": new.code, "unit": new.unit}
        trail.leave("material.created", material, brand_id=brand_id, by=by, at=at, details=told)
        return Made(material, is_new=True)


def replace(
    *, product_id: UUID, lines: Sequence[RecipeSaid], starts_at: datetime | None = None, by: Caller, at: datetime
) -> Made[Recipe]:
    """
    From ``starts_at`` on (now, where nothing is said) the product is made so; no line means of nothing that is counted.

    Cups that were made before go by what held then, whenever they settle. What is in force at that time already, said
    again, stays; one that starts later still starts then.

    Raises:
        ProductNotFound, ProductWithdrawn: there is none, it is a material itself, or it went for good.
        MaterialNotFound, OptionNotFound: not the brand's, or not an answer to one of the product's questions.
        RecipeInvalid: it starts in the past, says a material twice for the same answers, or too much.
    """
    starts_at = at if starts_at is None else starts_at
    _check(lines, starts_at, at=at)
    with transaction.atomic(durable=True):
        product = products.lock(product_id)
        if product.is_material:
            raise ProductNotFound
        if product.withdrawn_at is not None:
            raise ProductWithdrawn(withdrawn_at=product.withdrawn_at.isoformat())
        _check_named(product, lines)
        before = in_force(product_id, at=starts_at)
        if _said(lines) == (_written(before) if before else []):
            if before:
                return Made(before, is_new=False)
            if not lines and not Recipe.objects.filter(product=product).exists():
                raise RecipeInvalid(param="lines", reason="there is nothing to end", zh_reason="还没有配方")
        recipe = Recipe.objects.create(
            product=product,
            number=_next_number(product),
            starts_at=starts_at,
            created_at=at,
        )
        RecipeLine.objects.bulk_create(
            RecipeLine(recipe=recipe, material_id=line.material_id, options=line.options, quantity=line.quantity)
            for line in lines
        )
        told = {"recipe": recipe.public_id, "starts_at": starts_at.isoformat(), "lines": len(lines)}
        trail.leave("product.recipe_replaced", product, brand_id=product.brand_id, by=by, at=at, details=told)
        return Made(recipe, is_new=True)


def _check(lines: Sequence[RecipeSaid], starts_at: datetime, *, at: datetime) -> None:
    if starts_at < at:
        raise RecipeInvalid(param="starts_at", reason="it starts in the past", zh_reason="生效时间不能早于现在")
    if len(lines) > MOST_LINES or any(not 0 < abs(line.quantity) <= MOST_UNITS for line in lines):
        raise RecipeInvalid(
            param="lines",
            reason=f"up to {MOST_LINES} lines of 1 to {MOST_UNITS} units, or so many less",
            zh_reason=f"最多 {MOST_LINES} 行，每行用量 1 至 {MOST_UNITS}（可为负）",
        )
    if len({(line.material_id, line.option_ids) for line in lines}) < len(lines):
        raise RecipeInvalid(
            param="lines",
            reason="it says a material twice for the same options",
            zh_reason="同一物料在相同选项下出现两次",
        )


def _check_named(product: Product, lines: Sequence[RecipeSaid]) -> None:
    named = {line.material_id for line in lines}
    ours = Product.objects.filter(id__in=named, brand_id=product.brand_id, withdrawn_at__isnull=True)
    if ours.exclude(unit=Product.Unit.NONE).count() < len(named):
        raise MaterialNotFound(param="lines")
    answers = {one for line in lines for one in line.option_ids}
    if Option.objects.filter(id__in=answers, group__product_groups__product=product).count() < len(answers):
        raise OptionNotFound(param="lines")


def _next_number(product: Product) -> int:
    """Under the product's lock."""
    return Recipe.objects.filter(product=product).count() + 1


def _said(lines: Sequence[RecipeSaid]) -> list[tuple[UUID, list[UUID], int]]:
    return sorted((line.material_id, line.options, line.quantity) for line in lines)


def _written(recipe: Recipe) -> list[tuple[UUID, list[UUID], int]]:
    return sorted((line.material_id, line.options, line.quantity) for line in recipe.lines.all())
