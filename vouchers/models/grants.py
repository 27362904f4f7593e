"""Vouchers given away: what, to whom, why and by whom; and the batches in which they are issued."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand
from vouchers.models.deals import DealTerms


class Grant(PublicIdModel):
    """
    One decision to give vouchers away; everything but its reversal is frozen at that moment.

    ``per_customer`` units of the terms go to each of ``customer_count`` customers; a unit is one voucher,
    or a bundle's children, which makes ``vouchers_each``. ``segment`` is the rule that chose the
    customers, where no list did. ``request_id`` made it, and must carry the same ``content_hash`` again.
    """

    PREFIX: ClassVar[str] = "gra"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="grants", db_index=False)
    terms = models.ForeignKey(DealTerms, models.PROTECT, related_name="grants")
    reason = models.CharField(max_length=256)
    segment = models.JSONField(null=True, blank=True)
    per_customer = models.PositiveSmallIntegerField()
    vouchers_each = models.PositiveSmallIntegerField()
    customer_count = models.PositiveBigIntegerField()
    voucher_count = models.PositiveBigIntegerField()
    granted_at = models.DateTimeField()
    granted_by_kind = models.CharField(max_length=16)
    granted_by_id = models.UUIDField(null=True, blank=True)
    request_id = models.UUIDField()
    content_hash = models.BinaryField(max_length=16)
    reversed_at = models.DateTimeField(null=True, blank=True)
    reversal_request_id = models.UUIDField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "request_id"], name="grant_is_made_once_per_request"),
            models.CheckConstraint(
                condition=Q(
                    per_customer__gt=0, customer_count__gt=0, voucher_count=F("customer_count") * F("vouchers_each")
                ),
                name="grant_plans_so_many_each",
            ),
            models.CheckConstraint(
                condition=Q(reversed_at__isnull=True, reversal_request_id__isnull=True)
                | Q(reversed_at__isnull=False, reversal_request_id__isnull=False),
                name="grant_reversal_has_its_request",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["brand", "granted_at"], name="grant_by_brand")]


class GrantBatch(PublicIdModel):
    """
    Some customers of a grant, issued in one transaction: the vouchers' source.

    A voucher's ``ordinal`` is its place among ``voucher_count``, customer after customer. Work is claimed
    by state, not before ``due_at``. ``taken_back`` counts vouchers that were unused when the grant was
    reversed.
    """

    PREFIX: ClassVar[str] = "gba"

    class State(models.TextChoices):
        PENDING = "pending"
        ISSUED = "issued"
        REVERSING = "reversing"
        REVERSED = "reversed"

    grant = models.ForeignKey(Grant, models.PROTECT, related_name="batches", db_index=False)
    brand = models.ForeignKey(Brand, models.PROTECT, db_index=False)
    number = models.PositiveIntegerField()
    customer_ids = ArrayField(models.UUIDField())
    voucher_count = models.PositiveSmallIntegerField()
    taken_back = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=9, choices=State, default=State.PENDING)
    due_at = models.DateTimeField()
    issued_at = models.DateTimeField(null=True, blank=True)
    reversed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["grant", "number"], name="grant_batches_are_numbered"),
            models.CheckConstraint(
                condition=Q(state="pending", issued_at__isnull=True, reversed_at__isnull=True)
                | Q(state__in=["issued", "reversing"], issued_at__isnull=False, reversed_at__isnull=True)
                | Q(state="reversed", reversed_at__isnull=False),
                name="grant_batch_state_agrees_with_its_times",
            ),
            models.CheckConstraint(
                condition=Q(voucher_count__gt=0, taken_back__lte=F("voucher_count"))
                & (Q(taken_back=0) | Q(state__in=["reversing", "reversed"], issued_at__isnull=False)),
                name="grant_batch_takes_back_what_it_issued",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["state", "due_at"], name="grant_batch_work", condition=Q(state__in=["pending", "reversing"])
            ),
        ]
