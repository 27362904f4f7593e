"""Uses that became drinks: the request as it came, and one fact for each use."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Customer, SettlementEntity, Store
from vouchers.models.vouchers import Voucher


class RedemptionRequest(PublicIdModel):
    """
    What somebody asked for at a store, once per (store, request_id).

    ``content_hash`` is what the same request_id must carry again; ``bill_fen`` the undiscounted
    eligible amount where a voucher asked for it.
    """

    PREFIX: ClassVar[str] = "rrq"

    class Outcome(models.TextChoices):
        DONE = "done"
        PENDING = "pending"
        UNKNOWN = "unknown"
        REFUSED = "refused"

    class Source(models.TextChoices):
        COUNTER = "counter"
        WALLET = "wallet"
        STORE_ORDER = "store_order"

    store = models.ForeignKey(Store, models.PROTECT, db_constraint=False, db_index=False)
    request_id = models.UUIDField()
    content_hash = models.BinaryField(max_length=16)
    bill_fen = models.BigIntegerField(null=True, blank=True)
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, db_constraint=False, db_index=False, null=True, blank=True
    )
    source_kind = models.CharField(max_length=16, choices=Source)
    source_id = models.UUIDField(null=True, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome)
    requested_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "request_id"], name="redemption_request_is_answered_once"),
            models.CheckConstraint(
                condition=Q(bill_fen__isnull=True) | Q(bill_fen__gte=0), name="bill_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["done", "pending", "unknown", "refused"]), name="redemption_outcome_is_known"
            ),
        ]


class Redemption(PublicIdModel):
    """
    One use, consumed. ``serial`` says which; (voucher, serial) is live at most once.

    ``business_date`` and ``entity`` are the store's at ``redeemed_at``. ``reversed_at`` and
    ``settled_at`` are each set at most once, and never both.
    """

    PREFIX: ClassVar[str] = "red"

    request = models.ForeignKey(RedemptionRequest, models.PROTECT, db_constraint=False, related_name="redemptions")
    voucher = models.ForeignKey(
        Voucher, models.PROTECT, db_constraint=False, related_name="redemptions", db_index=False
    )
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, db_index=False)
    store = models.ForeignKey(Store, models.PROTECT, db_constraint=False, db_index=False)
    entity = models.ForeignKey(
        SettlementEntity, models.PROTECT, db_constraint=False, db_index=False, null=True, blank=True
    )
    serial = models.PositiveSmallIntegerField()
    amount_fen = models.BigIntegerField()
    business_date = models.DateField()
    redeemed_at = models.DateTimeField()
    reversible_until = models.DateTimeField(null=True, blank=True)
    reversed_at = models.DateTimeField(null=True, blank=True)
    reversed_by_id = models.UUIDField(null=True, blank=True)
    reversal_request_id = models.UUIDField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["voucher", "serial"], condition=Q(reversed_at__isnull=True), name="use_is_redeemed_once"
            ),
            models.CheckConstraint(condition=Q(amount_fen__gte=0), name="redemption_amount_is_not_negative"),
            models.CheckConstraint(
                condition=Q(reversed_at__isnull=True) | Q(settled_at__isnull=True),
                name="settled_redemption_is_not_reversed",
            ),
            models.CheckConstraint(
                condition=Q(reversed_at__isnull=True, reversal_request_id__isnull=True)
                | Q(reversed_at__isnull=False, reversal_request_id__isnull=False),
                name="reversal_has_its_request",
            ),
            models.CheckConstraint(
                condition=Q(reversed_at__isnull=True)
                | (
                    Q(reversed_at__gte=F("redeemed_at"))
                    & (Q(reversible_until__isnull=True) | Q(reversed_at__lt=F("reversible_until")))
                ),
                name="redemption_is_reversed_in_its_window",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["store", "redeemed_at"], name="redemption_by_store"),
            models.Index(
                fields=["reversible_until"],
                name="redemption_to_settle",
                condition=Q(settled_at__isnull=True, reversed_at__isnull=True),
            ),
        ]
