"""What a customer holds: vouchers, their codes, and uses that ended without a drink."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand, Customer
from vouchers.models.deals import DealTerms


class CodeCounter(models.Model):
    """The next unused number of a brand's and issuer's sequence; the code is its keyed permutation."""

    brand = models.ForeignKey(Brand, models.PROTECT)
    issuer = models.CharField(max_length=16)
    next_number = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "issuer"], name="code_counter_is_one_per_brand_and_issuer"),
            models.CheckConstraint(condition=Q(next_number__range=(0, 10**11)), name="code_counter_fits_eleven_digits"),
        ]


class Voucher(PublicIdModel):
    """
    One voucher. Uses are numbered 1..``uses_total``; ``use_amounts_fen`` is what was paid for each.

    ``status`` follows from the facts (redemptions, endings, holds); the audit recounts it (I4).
    ``external_id`` is its name at another issuer, and then its source is that issuer's sale of it.
    ``extensions`` is how many of its terms' extensions ``valid_until`` has; ``verdict.valid_until_of`` adds the rest.
    A source may not issue twice: (``source_kind``, ``source_id``, ``ordinal``) is unique.
    """

    PREFIX: ClassVar[str] = "vch"
    OWN: ClassVar[str] = "own"

    class Status(models.TextChoices):
        ISSUED = "issued"
        HELD = "held"
        USED = "used"
        REFUNDING = "refunding"
        REFUNDED = "refunded"
        EXPIRED = "expired"

    class Source(models.TextChoices):
        PURCHASE = "purchase"
        GRANT = "grant"
        PLATFORM = "platform"

    brand = models.ForeignKey(Brand, models.PROTECT, db_constraint=False, db_index=False)
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, db_index=False)
    terms = models.ForeignKey(DealTerms, models.PROTECT, db_constraint=False, db_index=False)
    issuer = models.CharField(max_length=16, default=OWN)
    external_id = models.CharField(max_length=64, blank=True)
    source_kind = models.CharField(max_length=16, choices=Source)
    source_id = models.UUIDField()
    ordinal = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=24)
    uses_total = models.PositiveSmallIntegerField()
    uses_left = models.PositiveSmallIntegerField()
    uses_held = models.PositiveSmallIntegerField(default=0)
    use_amounts_fen = ArrayField(models.BigIntegerField())
    paid_fen = models.BigIntegerField()
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()
    status = models.CharField(max_length=10, choices=Status, default=Status.ISSUED)
    issued_at = models.DateTimeField()
    extensions = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["brand", "issuer", "code"], name="voucher_code_is_unique_by_brand_and_issuer"
            ),
            models.UniqueConstraint(
                fields=["source_id", "ordinal", "source_kind"], name="voucher_is_issued_once_per_source"
            ),
            models.CheckConstraint(
                condition=Q(uses_left__lte=F("uses_total"), uses_held__lte=F("uses_left"), uses_total__gt=0),
                name="voucher_is_never_overused",
            ),
            models.CheckConstraint(condition=Q(valid_until__gt=F("valid_from")), name="voucher_is_valid_for_a_while"),
            models.CheckConstraint(condition=Q(paid_fen__gte=0), name="voucher_paid_is_not_negative"),
            models.CheckConstraint(
                condition=Q(use_amounts_fen__len=F("uses_total")), name="voucher_has_an_amount_per_use"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["issued", "held", "used", "refunding", "refunded", "expired"]),
                name="voucher_status_is_known",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["customer"], name="voucher_by_customer"),
            models.Index(fields=["valid_until"], name="voucher_to_expire", condition=Q(status="issued")),
            # For recalls, counts and extensions alike. Few distinct keys: it stays small, and a sale writes at its end.
            models.Index(
                fields=["terms", "extensions"],
                name="voucher_open_by_terms",
                condition=Q(status__in=["issued", "held"]),
            ),
        ]


class UseEnding(models.Model):
    """
    A use that will never be a redemption: refunded, or expired, or expired and then refunded.

    Its times are set once each; ``refunded_at`` is when the money had left, so a voucher with
    ``refunding_at`` and no ``refunded_at`` is REFUNDING. ``refund_follows`` is what the terms and the
    price said when it expired: only those that it names are refund work, the others are breakage.
    """

    voucher = models.ForeignKey(Voucher, models.PROTECT, db_constraint=False, related_name="endings", db_index=False)
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, db_index=False)
    serial = models.PositiveSmallIntegerField()
    amount_fen = models.BigIntegerField()
    refund_follows = models.BooleanField(default=False)
    expired_at = models.DateTimeField(null=True, blank=True)
    refunding_at = models.DateTimeField(null=True, blank=True)
    refunded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["voucher", "serial"], name="use_ends_once"),
            models.CheckConstraint(
                condition=Q(expired_at__isnull=False) | Q(refunding_at__isnull=False), name="use_ending_has_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(refunded_at__isnull=True) | Q(refunding_at__isnull=False),
                name="use_is_refunded_after_refunding",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["expired_at"],
                name="use_ending_to_refund",
                condition=Q(refund_follows=True, refunding_at__isnull=True),
            ),
        ]
