"""What entities are owed, paid out: their bank accounts, batches, and what became of each payout."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand, SettlementEntity


class BankAccount(PublicIdModel):
    """Where an entity is paid, one at a time; the number is sealed, its last four digits are what a screen shows."""

    PREFIX: ClassVar[str] = "bac"

    entity = models.ForeignKey(SettlementEntity, models.PROTECT, related_name="bank_accounts")
    holder = models.CharField(max_length=128)
    bank = models.CharField(max_length=128)
    number_encrypted = models.BinaryField()
    last_four = models.CharField(max_length=4)
    set_by_id = models.UUIDField(null=True, blank=True)
    set_at = models.DateTimeField()
    replaced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["entity"], condition=Q(replaced_at__isnull=True), name="entity_has_one_bank_account"
            ),
        ]


class PayoutBatch(PublicIdModel):
    """One run over everything a brand owes its entities, once per (brand, request_id)."""

    PREFIX: ClassVar[str] = "pob"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="+")
    request_id = models.UUIDField()
    content_hash = models.BinaryField(max_length=16)
    least_fen = models.BigIntegerField()
    made_by_id = models.UUIDField(null=True, blank=True)
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "request_id"], name="payout_batch_is_made_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["brand", "made_at"], name="payout_batch_by_brand")]


class Payout(PublicIdModel):
    """
    What a batch does about one entity. ``amount_fen`` is its whole balance, below zero where it owes.

    PENDING ▶ PAID | FAILED; PAID ▶ RETURNED, days later (退票). WITHHELD and OFFSET move no money: the balance stays
    and the next batch sees it.
    """

    PREFIX: ClassVar[str] = "pot"

    class Status(models.TextChoices):
        PENDING = "pending"
        PAID = "paid"
        FAILED = "failed"
        RETURNED = "returned"
        WITHHELD = "withheld"
        OFFSET = "offset"

    class Reason(models.TextChoices):
        NONE = ""
        NO_BANK_ACCOUNT = "no_bank_account"
        BELOW_LEAST = "below_least"
        OWES = "owes"
        REFUSED_BY_BANK = "refused_by_bank"
        RETURNED_BY_BANK = "returned_by_bank"

    batch = models.ForeignKey(PayoutBatch, models.PROTECT, related_name="payouts")
    brand = models.ForeignKey(Brand, models.PROTECT, db_index=False, related_name="+")
    entity = models.ForeignKey(SettlementEntity, models.PROTECT, related_name="payouts")
    bank_account = models.ForeignKey(
        BankAccount, models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )
    amount_fen = models.BigIntegerField()
    status = models.CharField(max_length=8, choices=Status)
    reason = models.CharField(max_length=16, choices=Reason, blank=True)
    bank_reference = models.CharField(max_length=64, blank=True)
    bank_words = models.CharField(max_length=256, blank=True)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    returned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["batch", "entity"], name="batch_pays_an_entity_once"),
            models.CheckConstraint(
                condition=Q(
                    status="pending", reason="", amount_fen__gt=0, bank_account__isnull=False, ended_at__isnull=True
                )
                | Q(status="paid", reason="", amount_fen__gt=0, bank_account__isnull=False, ended_at__isnull=False)
                | Q(
                    status="failed",
                    reason="refused_by_bank",
                    amount_fen__gt=0,
                    bank_account__isnull=False,
                    ended_at__isnull=False,
                )
                | Q(
                    status="returned",
                    reason="returned_by_bank",
                    amount_fen__gt=0,
                    bank_account__isnull=False,
                    ended_at__isnull=False,
                )
                | Q(
                    status="withheld",
                    reason__in=["no_bank_account", "below_least"],
                    amount_fen__gt=0,
                    ended_at__isnull=True,
                )
                | Q(status="offset", reason="owes", amount_fen__lt=0, ended_at__isnull=True),
                name="payout_status_agrees_with_its_facts",
            ),
            models.CheckConstraint(
                condition=Q(status="returned", returned_at__gte=F("ended_at"))
                | (~Q(status="returned") & Q(returned_at__isnull=True)),
                name="payout_is_returned_after_it_was_paid",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["entity", "made_at"], name="payout_by_entity"),
            models.Index(fields=["ended_at"], name="payout_by_end"),
        ]
