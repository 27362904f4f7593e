"""Double entry by construction: a transfer names the account it debits and the one it credits."""

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand


class Account(PublicIdModel):
    """
    One party's money with one meaning. ``folded_fen`` is credits less debits of all folded transfers.

    A balance is ``folded_fen`` plus the transfers not folded yet; no sale ever locks an account.
    """

    PREFIX: ClassVar[str] = "acc"

    class Kind(models.TextChoices):
        PROVIDER_CLEARING = "provider_clearing"
        PREPAID_UNISSUED = "prepaid_unissued"
        VOUCHER_LIABILITY = "voucher_liability"
        REDEEMED = "redeemed"
        REFUNDS_PAYABLE = "refunds_payable"
        BREAKAGE = "breakage"
        SURCHARGES = "surcharges"
        TILL = "till"
        STORE_ORDER_CASH = "store_order_cash"
        PLATFORM_RECEIVABLE = "platform_receivable"
        BRAND_SHARE = "brand_share"
        ENTITY_PAYABLE = "entity_payable"
        PROMOTER_PAYABLE = "promoter_payable"
        AGENCY_PAYABLE = "agency_payable"
        PAYOUTS_PENDING = "payouts_pending"
        PAID_OUT = "paid_out"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="accounts")
    kind = models.CharField(max_length=24, choices=Kind)
    owner = models.CharField(max_length=48, blank=True)
    folded_fen = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "kind", "owner"], name="account_is_one_per_meaning"),
        ]


class LedgerTransfer(models.Model):
    """``amount_fen`` from ``debit`` to ``credit``, once per source and kind. docs/ledger.md lists the kinds."""

    class Kind(models.TextChoices):
        CAPTURE = "capture"
        UNWANTED_CAPTURE = "unwanted_capture"
        ISSUE = "issue"
        REDEMPTION = "redemption"
        REVERSAL = "reversal"
        REFUND_UNUSED = "refund_unused"
        REFUND_EXPIRED = "refund_expired"
        BREAKAGE = "breakage"
        REFUND_PAID = "refund_paid"
        SURCHARGE = "surcharge"
        SURCHARGE_AT_TILL = "surcharge_at_till"
        SURCHARGE_REFUND = "surcharge_refund"
        SURCHARGE_BACK_AT_TILL = "surcharge_back_at_till"
        ORDER_CAPTURE = "order_capture"
        REFUND_ORDER = "refund_order"
        PLATFORM_REDEMPTION = "platform_redemption"
        PLATFORM_SUBSIDY = "platform_subsidy"
        PLATFORM_REVERSAL = "platform_reversal"
        PLATFORM_SUBSIDY_BACK = "platform_subsidy_back"
        SETTLEMENT = "settlement"
        SETTLED_SURCHARGE = "settled_surcharge"
        SETTLED_ORDER_CASH = "settled_order_cash"
        ENTITY_SHARE = "entity_share"
        ENTITY_CHARGE = "entity_charge"
        REMAKE_SHARE = "remake_share"
        TILL_KEPT = "till_kept"
        PROMOTER_SHARE = "promoter_share"
        PROMOTER_BACK = "promoter_back"
        AGENCY_SHARE = "agency_share"
        AGENCY_BACK = "agency_back"
        PLATFORM_FEE = "platform_fee"
        AFTER_USE_REFUND = "after_use_refund"
        PAYOUT = "payout"
        PAYOUT_PAID = "payout_paid"
        PAYOUT_BACK = "payout_back"
        PAYOUT_RETURNED = "payout_returned"

    id = models.BigAutoField(primary_key=True)
    brand_id = models.UUIDField()
    debit = models.ForeignKey(Account, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    credit = models.ForeignKey(Account, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    amount_fen = models.BigIntegerField()
    kind = models.CharField(max_length=24, choices=Kind)
    source_kind = models.CharField(max_length=16)
    source_id = models.UUIDField()
    occurred_at = models.DateTimeField()
    folded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source_id", "kind", "source_kind"], name="transfer_is_posted_once"),
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="transfer_amount_is_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="transfer_moves_between_two_accounts"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], name="transfer_to_fold", condition=Q(folded_at__isnull=True)),
            # Rows lie in the order of their time: a day is a few block ranges, and an insert costs nothing.
            BrinIndex(fields=["occurred_at"], name="transfer_by_time", autosummarize=True),
        ]
