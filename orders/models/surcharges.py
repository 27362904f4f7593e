"""What a drink costs beyond its voucher: size, toppings, a dearer store."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand, Store
from vouchers.models import Redemption


class Surcharge(PublicIdModel):
    """
    补差: asked for after a redemption, once per (store, request_id), and given back when that is undone.

    Paid through a provider, whose merchant reference is the public id, or recorded as paid at the store's till.
    ``items`` is what it was computed from, empty where the clerk named an amount.
    """

    PREFIX: ClassVar[str] = "sur"

    class Way(models.TextChoices):
        PROVIDER = "provider"
        TILL = "till"

    class Status(models.TextChoices):
        OPEN = "open"
        PAID = "paid"
        CLOSED = "closed"
        RETURNING = "returning"
        GIVEN_BACK = "given_back"

    redemption = models.ForeignKey(Redemption, models.PROTECT, db_constraint=False, related_name="surcharges")
    brand = models.ForeignKey(Brand, models.PROTECT, db_index=False)
    store = models.ForeignKey(Store, models.PROTECT, db_index=False)
    customer_id = models.UUIDField()
    request_id = models.UUIDField()
    content_hash = models.BinaryField(max_length=16)
    way = models.CharField(max_length=8, choices=Way)
    provider = models.CharField(max_length=16, blank=True)
    amount_fen = models.BigIntegerField()
    reason = models.CharField(max_length=128)
    items = models.JSONField(default=list, blank=True)
    status = models.CharField(max_length=10, choices=Status)
    operator_id = models.UUIDField()
    provider_reference = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    returning_at = models.DateTimeField(null=True, blank=True)
    given_back_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "request_id"], name="surcharge_is_asked_once_per_request"),
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="surcharge_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(way="provider") & ~Q(provider="") | Q(way="till", provider="", provider_reference=""),
                name="surcharge_is_paid_one_way",
            ),
            models.CheckConstraint(
                condition=Q(
                    status="open",
                    way="provider",
                    paid_at__isnull=True,
                    closed_at__isnull=True,
                    returning_at__isnull=True,
                    given_back_at__isnull=True,
                )
                | Q(
                    status="closed",
                    way="provider",
                    paid_at__isnull=True,
                    closed_at__isnull=False,
                    returning_at__isnull=True,
                    given_back_at__isnull=True,
                )
                | Q(
                    status="paid",
                    paid_at__isnull=False,
                    closed_at__isnull=True,
                    returning_at__isnull=True,
                    given_back_at__isnull=True,
                )
                | Q(
                    status="returning",
                    way="provider",
                    paid_at__isnull=False,
                    closed_at__isnull=True,
                    returning_at__isnull=False,
                    given_back_at__isnull=True,
                )
                | Q(
                    status="given_back",
                    paid_at__isnull=False,
                    closed_at__isnull=True,
                    returning_at__isnull=False,
                    given_back_at__isnull=False,
                ),
                name="surcharge_status_agrees_with_its_times",
            ),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True) | Q(status="paid"), name="settled_surcharge_is_not_given_back"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["store", "created_at"], name="surcharge_by_store"),
            models.Index(fields=["created_at"], name="surcharge_unpaid", condition=Q(status="open")),
            models.Index(
                fields=["paid_at"], name="surcharge_to_settle", condition=Q(status="paid", settled_at__isnull=True)
            ),
        ]
