"""What a brand makes: products, the options they come with, and where a store differs."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models.places import Brand, Store


class OptionGroup(PublicIdModel):
    """
    One question about a product (size, sugar, ice, toppings): from ``choose_least`` to ``choose_most`` answers.

    A group belongs to the brand and serves every product it is given to, so pearls are one row however many
    drinks take them. Required means that the least is one or more.
    """

    PREFIX: ClassVar[str] = "opg"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="option_groups")
    code = models.CharField(max_length=64)
    name = models.CharField(max_length=64)
    name_en = models.CharField(max_length=64, blank=True)
    choose_least = models.PositiveSmallIntegerField(default=0)
    choose_most = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "code"], name="option_group_code_is_unique_in_its_brand"),
            models.CheckConstraint(
                condition=Q(choose_most__gte=1, choose_least__lte=F("choose_most")),
                name="option_group_asks_for_a_possible_number",
            ),
        ]

    @property
    def is_required(self) -> bool:
        return self.choose_least > 0


class Option(PublicIdModel):
    """One answer, and what it adds to (or takes off) the price; withdrawn ones keep their id for ever."""

    PREFIX: ClassVar[str] = "opt"

    group = models.ForeignKey(OptionGroup, models.PROTECT, related_name="options")
    code = models.CharField(max_length=64)
    name = models.CharField(max_length=64)
    name_en = models.CharField(max_length=64, blank=True)
    price_delta_fen = models.BigIntegerField(default=0)
    is_default = models.BooleanField(default=False)
    is_sold = models.BooleanField(default=True)
    position = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "code"], name="option_code_is_unique_in_its_group"),
        ]


class Product(PublicIdModel):
    """
    What can be ordered; ``code`` is the brand's own (a sku, or its system's product id).

    Vouchers name products by id for years: a row is never deleted, only withdrawn. ``flags`` are the import
    rules that it met; a flagged one is not sold until somebody says so. ``is_sold`` is the brand's word for
    all its stores, ``StoreProduct`` one store's.

    A material (milk, cups, pearls) is one that is measured in a ``unit`` and never sold: stores keep, count and send
    it as they do products, and recipes take it (decision 0008).
    """

    PREFIX: ClassVar[str] = "prd"

    class Unit(models.TextChoices):
        NONE = "", "sold by the piece"
        PIECE = "piece"
        GRAM = "g"
        MILLILITRE = "ml"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="products")
    code = models.CharField(max_length=64)
    name = models.CharField(max_length=128)
    name_en = models.CharField(max_length=128, blank=True)
    categories = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    price_fen = models.BigIntegerField()
    is_sold = models.BooleanField(default=True)
    flags = ArrayField(models.CharField(max_length=32), default=list, blank=True)
    position = models.PositiveIntegerField(default=0)
    unit = models.CharField(max_length=8, choices=Unit, default=Unit.NONE, db_default="", blank=True)
    groups = models.ManyToManyField(OptionGroup, through="ProductOptionGroup", related_name="products")
    created_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "code"], name="product_code_is_unique_in_its_brand"),
            models.CheckConstraint(condition=Q(price_fen__gte=0), name="product_price_is_not_negative"),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True) | Q(is_sold=False), name="withdrawn_product_is_not_sold"
            ),
            models.CheckConstraint(
                condition=Q(unit="") | Q(is_sold=False, price_fen=0), name="material_is_not_for_sale"
            ),
        ]

    @property
    def is_material(self) -> bool:
        return self.unit != self.Unit.NONE


class ProductOptionGroup(models.Model):
    """A product asks this question, as its ``position``-th."""

    product = models.ForeignKey(Product, models.PROTECT, db_index=False, related_name="product_groups")
    group = models.ForeignKey(OptionGroup, models.PROTECT, related_name="product_groups")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "group"], name="product_asks_a_question_once"),
        ]


class StoreProduct(models.Model):
    """Where a store differs: its own price, or sold out since. A store like all others has no row."""

    store = models.ForeignKey(Store, models.PROTECT, db_index=False, related_name="store_products")
    product = models.ForeignKey(Product, models.PROTECT, related_name="store_products")
    price_fen = models.BigIntegerField(null=True, blank=True)
    sold_out_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "product"], name="store_says_a_product_once"),
            models.CheckConstraint(
                condition=Q(price_fen__isnull=False) | Q(sold_out_at__isnull=False), name="store_product_differs"
            ),
            models.CheckConstraint(
                condition=Q(price_fen__isnull=True) | Q(price_fen__gte=0), name="store_price_is_not_negative"
            ),
        ]


class StoreOption(models.Model):
    """Where a store differs in an option, as ``StoreProduct`` does in a product."""

    store = models.ForeignKey(Store, models.PROTECT, db_index=False, related_name="store_options")
    option = models.ForeignKey(Option, models.PROTECT, related_name="store_options")
    price_delta_fen = models.BigIntegerField(null=True, blank=True)
    sold_out_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "option"], name="store_says_an_option_once"),
            models.CheckConstraint(
                condition=Q(price_delta_fen__isnull=False) | Q(sold_out_at__isnull=False), name="store_option_differs"
            ),
        ]


class ProductSubstitute(models.Model):
    """What takes the place of a withdrawn product wherever a voucher names it; written with the withdrawal."""

    product = models.ForeignKey(Product, models.PROTECT, db_index=False, related_name="substitutes")
    substitute = models.ForeignKey(Product, models.PROTECT, related_name="stands_in_for")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "substitute"], name="product_has_a_substitute_once"),
            models.CheckConstraint(condition=~Q(product=F("substitute")), name="product_is_not_its_own_substitute"),
        ]
