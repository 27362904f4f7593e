"""A purchase: what a customer bought, at which price, through whom."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand
from vouchers.models import DealTerms, Offer


class Purchase(PublicIdModel):
    """
    One accepted sale; everything but its state is frozen at that moment, rates included.

    (customer, request_id) is unique: a repeat finds the same purchase. ``returned_quantity`` counts
    units whose refund gave stock and allowance back because the terms say so.
    """

    PREFIX: ClassVar[str] = "pur"

    class Status(models.TextChoices):
        ACCEPTED = "accepted"
        PAID = "paid"
        ISSUED = "issued"
        PARTLY_REFUNDED = "partly_refunded"
        REFUNDED = "refunded"
        CLOSED = "closed"

    brand = models.ForeignKey(Brand, models.PROTECT, db_constraint=False, db_index=False)
    offer = models.ForeignKey(Offer, models.PROTECT, db_constraint=False, db_index=False)
    terms = models.ForeignKey(DealTerms, models.PROTECT, db_constraint=False, db_index=False)
    customer_id = models.UUIDField()
    request_id = models.UUIDField()
    quantity = models.PositiveSmallIntegerField()
    unit_price_fen = models.BigIntegerField()
    total_fen = models.BigIntegerField()
    channel = models.CharField(max_length=16)
    content_id = models.CharField(max_length=64, blank=True)
    promoter_id = models.UUIDField(null=True, blank=True)
    promoter_rate_bps = models.PositiveSmallIntegerField(default=0)
    provider_rate_bps = models.PositiveSmallIntegerField(default=0)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACCEPTED)
    returned_quantity = models.PositiveSmallIntegerField(default=0)
    accepted_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    issued_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer_id", "request_id"], name="purchase_is_accepted_once"),
            models.CheckConstraint(
                condition=Q(
                    quantity__gt=0, total_fen=F("quantity") * F("unit_price_fen"), returned_quantity__lte=F("quantity")
                ),
                name="purchase_total_is_its_units",
            ),
            models.CheckConstraint(
                condition=Q(status="accepted", paid_at__isnull=True, issued_at__isnull=True, closed_at__isnull=True)
                | Q(status="paid", paid_at__isnull=False, issued_at__isnull=True)
                | Q(
                    status__in=["issued", "partly_refunded", "refunded"], paid_at__isnull=False, issued_at__isnull=False
                )
                | Q(status="closed", closed_at__isnull=False, paid_at__isnull=True, issued_at__isnull=True),
                name="purchase_status_agrees_with_its_times",
            ),
        ]
        indexes: ClassVar = [
            # Work is claimed by state: unpaid ones by age, paid ones to issue. Both sets stay small.
            models.Index(
                fields=["status", "accepted_at"], name="purchase_work", condition=Q(status__in=["accepted", "paid"])
            ),
        ]
