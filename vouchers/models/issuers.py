"""Vouchers that another platform sold: whose they are there, what was paid for them, and what we asked it to do."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand, Store
from vouchers.models.deals import DealTerms
from vouchers.models.redemptions import Redemption, RedemptionRequest
from vouchers.models.vouchers import Voucher


class IssuerAccount(models.Model):
    """A brand's account at a platform; while it has not ended, codes that are not ours are asked about there."""

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="issuer_accounts")
    issuer = models.CharField(max_length=16)
    external_id = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["brand", "issuer"], condition=Q(ended_at__isnull=True), name="brand_has_one_account_per_issuer"
            ),
            models.CheckConstraint(condition=~Q(issuer="own"), name="issuer_account_is_not_our_own"),
        ]


class IssuerStore(models.Model):
    """The name a store goes by at a platform; without it nothing of that platform is redeemed there."""

    store = models.ForeignKey(Store, models.PROTECT, related_name="issuer_names")
    issuer = models.CharField(max_length=16)
    external_id = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "issuer"], name="store_has_one_name_per_issuer"),
            models.UniqueConstraint(fields=["issuer", "external_id"], name="issuer_names_one_store"),
        ]


class IssuerDeal(models.Model):
    """Which terms of ours a platform's product is honoured by."""

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="issuer_deals")
    issuer = models.CharField(max_length=16)
    external_id = models.CharField(max_length=64)
    terms = models.ForeignKey(DealTerms, models.PROTECT, related_name="issuer_deals")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "issuer", "external_id"], name="issuer_product_has_one_deal"),
        ]


class IssuerVoucher(models.Model):
    """
    What a platform sold as this voucher. Prices are by use: what the customer paid, what the platform
    added, what the brand gave up. The first two make the voucher's own ``use_amounts_fen``.
    """

    voucher = models.OneToOneField(
        Voucher, models.PROTECT, primary_key=True, db_constraint=False, related_name="at_issuer"
    )
    order_external_id = models.CharField(max_length=64, blank=True)
    customer_fen = ArrayField(models.BigIntegerField())
    platform_fen = ArrayField(models.BigIntegerField())
    merchant_fen = ArrayField(models.BigIntegerField())
    imported_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(platform_fen__len=F("customer_fen__len"), merchant_fen__len=F("customer_fen__len")),
                name="issuer_prices_are_by_use",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["order_external_id"], name="issuer_voucher_by_order", condition=~Q(order_external_id="")
            ),
        ]


class IssuerRedemption(models.Model):
    """The name a redemption goes by at its platform: what undoing it there takes."""

    redemption = models.OneToOneField(
        Redemption, models.PROTECT, primary_key=True, db_constraint=False, related_name="at_issuer"
    )
    issuer = models.CharField(max_length=16)
    external_id = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "external_id"], name="issuer_redemption_is_recorded_once"),
        ]


class IssuerCall(PublicIdModel):
    """
    One thing that a platform was asked to do, once however often it is said; its public id is the
    reference there.

    It commits, with its holds, before anybody is called, so it outlives every crash. While ``outcome`` is
    UNKNOWN or PENDING the platform is asked again at ``next_ask_at``; silence decides nothing.
    """

    PREFIX: ClassVar[str] = "isc"

    class Kind(models.TextChoices):
        REDEEM = "redeem"
        CANCEL = "cancel"

    class Outcome(models.TextChoices):
        UNKNOWN = "unknown"
        PENDING = "pending"
        DONE = "done"
        REFUSED = "refused"

    issuer = models.CharField(max_length=16)
    kind = models.CharField(max_length=8, choices=Kind)
    voucher = models.ForeignKey(Voucher, models.PROTECT, db_constraint=False, db_index=False)
    redemption_request = models.OneToOneField(
        RedemptionRequest, models.PROTECT, db_constraint=False, null=True, blank=True, related_name="issuer_call"
    )
    redemption = models.ForeignKey(
        Redemption, models.PROTECT, db_constraint=False, null=True, blank=True, related_name="issuer_calls"
    )
    actor_kind = models.CharField(max_length=16)
    actor_id = models.UUIDField()
    device_id = models.UUIDField(null=True, blank=True)
    request_id = models.UUIDField()
    uses = models.PositiveSmallIntegerField()
    store_external_id = models.CharField(max_length=64)
    fence = models.BigIntegerField(null=True, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.UNKNOWN)
    asked_times = models.PositiveSmallIntegerField(default=0)
    next_ask_at = models.DateTimeField(null=True, blank=True)
    reason_code = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=256, blank=True)
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["redemption"],
                condition=Q(outcome__in=["unknown", "pending"]),
                name="redemption_is_undone_by_one",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind="redeem", redemption_request__isnull=False, redemption__isnull=True, fence__isnull=False
                )
                | Q(kind="cancel", redemption_request__isnull=True, redemption__isnull=False, fence__isnull=True),
                name="issuer_call_is_about_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["unknown", "pending"], next_ask_at__isnull=False, decided_at__isnull=True)
                | Q(outcome__in=["done", "refused"], next_ask_at__isnull=True, decided_at__isnull=False),
                name="issuer_call_is_asked_until_it_is_decided",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_ask_at"], name="issuer_call_to_ask", condition=Q(outcome__in=["unknown", "pending"])
            ),
        ]
