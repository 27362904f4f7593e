"""Uses that somebody keeps for a while: an order that is not paid, a redemption another platform has not decided."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from stores.models import Customer
from vouchers.models.vouchers import Voucher


class Hold(models.Model):
    """
    One use, held for one source. While it is live (no ``ended_at``) nobody else may have that use.

    All that is held at once carries one ``fence``, a number that only grows, and ends together: who comes
    back with a fence that has ended learns it and changes nothing. Without ``expires_at`` it stays until
    its source ends it; with it, a sweeper releases it.
    """

    class Source(models.TextChoices):
        STORE_ORDER = "store_order"
        REDEMPTION_REQUEST = "redemption_request"

    class Outcome(models.TextChoices):
        CONFIRMED = "confirmed"
        RELEASED = "released"

    voucher = models.ForeignKey(Voucher, models.PROTECT, db_constraint=False, related_name="holds", db_index=False)
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, db_index=False)
    serial = models.PositiveSmallIntegerField()
    source_kind = models.CharField(max_length=24, choices=Source)
    source_id = models.UUIDField()
    fence = models.BigIntegerField()
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, choices=Outcome, null=True, blank=True)  # noqa: DJ001 - set once, from null

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["voucher", "serial"], condition=Q(ended_at__isnull=True), name="use_is_held_once"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, outcome__isnull=True)
                | Q(ended_at__isnull=False, outcome__in=["confirmed", "released"]),
                name="hold_ends_with_its_outcome",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")), name="lease_lasts_a_while"
            ),
            models.CheckConstraint(
                condition=Q(source_kind__in=["store_order", "redemption_request"]), name="hold_source_is_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["source_id", "source_kind"], name="hold_by_source"),
            models.Index(fields=["voucher"], name="hold_by_voucher"),
            models.Index(
                fields=["expires_at"],
                name="lease_to_end",
                condition=Q(ended_at__isnull=True, expires_at__isnull=False),
            ),
        ]
