"""Promises that nobody can keep any more."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand
from vouchers.models.deals import DealTerms


class Recall(PublicIdModel):
    """
    Terms that can be met no more: their offers are closed, and every open voucher on them is told and refunded.

    Written once. It never ends, because it is a rule and not a list: a voucher that is issued, undone or let go
    later is found by the same claim. ``subject_id`` is the product that went, or the store.
    """

    PREFIX: ClassVar[str] = "rcl"

    class Cause(models.TextChoices):
        PRODUCT_WITHDRAWN = "product_withdrawn"
        STORE_CLOSED = "store_closed"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="recalls")
    terms = models.OneToOneField(DealTerms, models.PROTECT, related_name="recall")
    cause = models.CharField(max_length=24, choices=Cause)
    subject_id = models.UUIDField()
    begun_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(cause__in=["product_withdrawn", "store_closed"]), name="recall_cause_is_known"
            ),
        ]
