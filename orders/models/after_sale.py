"""Cases of the after-sale desk: what went wrong with a use, whose fault it was, and what was done about it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel
from orders.models.payments import Refund
from stores.models import Brand, Store
from vouchers.models import Grant, Redemption, Voucher


class AfterSaleCase(PublicIdModel):
    """
    One complaint about one use, decided once. What it costs, ``value_fen``, is borne by the party at fault.

    An agent decides what is within her limits; what is above waits, AWAITING_APPROVAL, for somebody who may.
    ``request_id`` opened it, and must carry the same ``content_hash`` again. ``refund`` and ``grant`` are what a
    DONE one set going, by its outcome.
    """

    PREFIX: ClassVar[str] = "cas"

    class Fault(models.TextChoices):
        STORE = "store"
        BRAND = "brand"
        PLATFORM = "platform"
        CUSTOMER = "customer"

    class Outcome(models.TextChoices):
        REMAKE = "remake"
        REFUND = "refund"
        COMPENSATION = "compensation"
        EXPLAINED = "explained"

    class Status(models.TextChoices):
        AWAITING_APPROVAL = "awaiting_approval"
        DONE = "done"
        DECLINED = "declined"

    brand = models.ForeignKey(Brand, models.PROTECT, db_index=False, related_name="+")
    voucher = models.ForeignKey(Voucher, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    redemption = models.ForeignKey(Redemption, models.PROTECT, db_constraint=False, related_name="+")
    store = models.ForeignKey(Store, models.PROTECT, related_name="+")
    customer_id = models.UUIDField()
    reason = models.CharField(max_length=256)
    fault = models.CharField(max_length=8, choices=Fault)
    outcome = models.CharField(max_length=12, choices=Outcome)
    value_fen = models.BigIntegerField()
    compensation_terms_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=18, choices=Status)
    refund = models.OneToOneField(Refund, models.PROTECT, db_constraint=False, null=True, blank=True)
    grant = models.OneToOneField(Grant, models.PROTECT, null=True, blank=True)
    opened_at = models.DateTimeField()
    opened_by_kind = models.CharField(max_length=16)
    opened_by_id = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by_kind = models.CharField(max_length=16, blank=True)
    decided_by_id = models.UUIDField(null=True, blank=True)
    declined_because = models.CharField(max_length=256, blank=True)
    request_id = models.UUIDField()
    content_hash = models.BinaryField(max_length=16)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "request_id"], name="case_is_opened_once_per_request"),
            models.CheckConstraint(
                condition=Q(status="awaiting_approval", decided_at__isnull=True)
                | Q(status__in=["done", "declined"], decided_at__isnull=False),
                name="case_is_decided_when",
            ),
            models.CheckConstraint(
                condition=Q(status="declined") & ~Q(declined_because="")
                | ~Q(status="declined") & Q(declined_because=""),
                name="case_is_declined_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(outcome="explained", value_fen=0)
                | Q(outcome__in=["refund", "compensation"], value_fen__gt=0)
                | Q(outcome="remake", value_fen__gte=0),
                name="case_costs_what_its_outcome_does",
            ),
            models.CheckConstraint(
                condition=Q(status="done", outcome="refund", refund__isnull=False)
                | ~Q(status="done", outcome="refund") & Q(refund__isnull=True),
                name="case_has_its_refund",
            ),
            models.CheckConstraint(
                condition=Q(status="done", outcome="compensation", grant__isnull=False)
                | ~Q(status="done", outcome="compensation") & Q(grant__isnull=True),
                name="case_has_its_grant",
            ),
            models.CheckConstraint(
                condition=Q(outcome="compensation", compensation_terms_id__isnull=False)
                | ~Q(outcome="compensation") & Q(compensation_terms_id__isnull=True),
                name="case_names_what_compensates",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["brand", "opened_at"], name="case_by_brand"),
            models.Index(fields=["customer_id", "opened_at"], name="case_by_customer"),
        ]
