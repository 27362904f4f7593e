"""What a product is made of, by version, and the materials that made cups wait to be taken from."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel
from stores.models.places import Store
from stores.models.products import Product


class Recipe(PublicIdModel):
    """
    What goes into one of a product from ``starts_at`` on, until a later one starts; written once.

    A cup goes by the recipe that was in force when it was made, so a changed recipe never changes the past. One
    without lines says that nothing is taken from then on. Of two that start together the higher number holds.
    """

    PREFIX: ClassVar[str] = "rcp"

    product = models.ForeignKey(Product, models.PROTECT, db_index=False, related_name="recipes")
    number = models.PositiveIntegerField()
    starts_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "number"], name="recipe_has_its_number"),
        ]
        indexes: ClassVar = [models.Index(fields=["product", "starts_at", "number"], name="recipe_in_force")]


class RecipeLine(models.Model):
    """
    ``quantity`` units of a material go into a cup that was ordered with all of ``options``; none is every cup.

    Lines add up, and one below zero takes off: less sugar, a smaller cup. Written once.
    """

    recipe = models.ForeignKey(Recipe, models.PROTECT, db_index=False, related_name="lines")
    material = models.ForeignKey(Product, models.PROTECT, related_name="recipe_lines")
    options = ArrayField(models.UUIDField(), default=list, blank=True)
    quantity = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["recipe", "material", "options"], name="recipe_says_a_material_once"),
            models.CheckConstraint(condition=~Q(quantity=0), name="recipe_line_is_of_something"),
        ]


class MaterialUse(models.Model):
    """
    Cups of one source that have a recipe: OPEN until the ``stock`` worker takes their materials or it is undone.

    ``cups`` are ``[{"p": product, "n": 2, "o": [options]}]``, as they were made. CONSUMED says by which ``recipes``
    and what of each material was ``taken``, ``{material: units}``: only what the store counts. Undone before that it is
    RELEASED, after it RETURNED, and then what was taken is put back.
    """

    class State(models.TextChoices):
        OPEN = "open"
        CONSUMED = "consumed"
        RELEASED = "released"
        RETURNED = "returned"

    class Source(models.TextChoices):
        STORE_ORDER = "store_order"
        REDEMPTION = "redemption"
        REMAKE = "remake"

    id = models.BigAutoField(primary_key=True)
    store = models.ForeignKey(Store, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    source_kind = models.CharField(max_length=16, choices=Source)
    source_id = models.UUIDField()
    business_date = models.DateField()
    cups = models.JSONField()
    state = models.CharField(max_length=8, choices=State)
    recipes = ArrayField(models.UUIDField(), default=list, blank=True)
    taken = models.JSONField(default=dict, blank=True)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source_id", "source_kind"], name="material_is_used_once_by_a_source"),
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True)
                | Q(state__in=["consumed", "released", "returned"], ended_at__isnull=False),
                name="material_use_ends_with_its_state",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["consumed", "returned"]) | Q(taken={}), name="what_is_not_consumed_took_nothing"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["store", "id"], name="material_use_to_settle", condition=Q(state="open")),
        ]
