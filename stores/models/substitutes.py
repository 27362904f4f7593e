"""What is offered where a product is sold out, and who chose what instead."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from stores.models.places import Store
from stores.models.products import Product


class SoldOutSubstitute(models.Model):
    """
    Head office's list of what a store offers while it is sold out of ``product``, in this order.

    A product without a list offers others of its categories that cost no more. This is for a day and keeps what the
    voucher says; what takes a withdrawn product's place in vouchers for good is ``ProductSubstitute``.
    """

    product = models.ForeignKey(Product, models.PROTECT, db_index=False, related_name="sold_out_substitutes")
    substitute = models.ForeignKey(Product, models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "substitute"], name="substitute_is_listed_once"),
            models.CheckConstraint(condition=~Q(product=F("substitute")), name="nothing_substitutes_itself"),
        ]


class Substitution(models.Model):
    """
    ``substitute`` was made instead of ``product``, which the store had sold out; written once.

    Priced, paid and settled as ``product``; stock and recipe are the substitute's. The source is an order, or the
    redemption of a use that paid for it. Names are as they were then.
    """

    class Source(models.TextChoices):
        STORE_ORDER = "store_order"
        REDEMPTION = "redemption"

    store = models.ForeignKey(Store, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    source_kind = models.CharField(max_length=16, choices=Source)
    source_id = models.UUIDField()
    product = models.ForeignKey(Product, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    product_name = models.CharField(max_length=128)
    substitute = models.ForeignKey(Product, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    substitute_name = models.CharField(max_length=128)
    by_kind = models.CharField(max_length=16)
    by_id = models.UUIDField()
    chosen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source_id", "product", "substitute"], name="substitution_is_logged_once"),
        ]
