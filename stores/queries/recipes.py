"""Reads of what products are made of."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from stores.models import Option, Product, Recipe, RecipeLine

LINES = Prefetch("lines", RecipeLine.objects.select_related("material").order_by("id"))


def materials_of(brand_id: UUID) -> QuerySet[Product]:
    """The brand's materials, withdrawn ones included, to be paged by ``created_at``."""
    return Product.objects.filter(brand_id=brand_id).exclude(unit=Product.Unit.NONE)


def in_force(product_id: UUID, *, at: datetime) -> Recipe | None:
    """By which recipe a cup goes that is made ``at`` that time; None where there is none yet."""
    started = Recipe.objects.filter(product_id=product_id, starts_at__lte=at).prefetch_related(LINES)
    return started.order_by("-starts_at", "-number").first()


def coming(product_id: UUID, *, at: datetime) -> QuerySet[Recipe]:
    """Those that start later, in their order."""
    later = Recipe.objects.filter(product_id=product_id, starts_at__gt=at).prefetch_related(LINES)
    return later.order_by("starts_at", "number")


def option_names(recipes: Collection[Recipe]) -> dict[UUID, str]:
    """What the options that these recipes name are called."""
    named = {one for recipe in recipes for line in recipe.lines.all() for one in line.options}
    return dict(Option.objects.filter(id__in=named).values_list("id", "name"))
