"""What is promised: a deal and its numbered, immutable terms."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand


class Deal(PublicIdModel):
    """A product of the brand's that is sold as a voucher; ``out_id`` is the brand's own name for it."""

    PREFIX: ClassVar[str] = "dea"

    class Kind(models.TextChoices):
        PACKAGE = "package"
        CASH = "cash"
        TIMES_CARD = "times_card"
        DISCOUNT = "discount"
        BUNDLE = "bundle"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="deals")
    out_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=16, choices=Kind)
    name = models.CharField(max_length=128)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "out_id"], name="deal_out_id_is_unique_in_its_brand"),
            models.CheckConstraint(
                condition=Q(kind__in=["package", "cash", "times_card", "discount", "bundle"]), name="deal_kind_is_known"
            ),
        ]


class DealTerms(PublicIdModel):
    """
    One numbered version of a deal's rules. Written once, so every process may keep it in memory.

    ``use_list_fen`` holds the list price of every use, one number for everything but a times card:
    what was paid is split over the uses by it. Times of day and dates are the store's own.
    ``calendar_versions`` are the holiday calendars of the day it was published, ``{"2026": 1}``.
    """

    PREFIX: ClassVar[str] = "trm"

    class Validity(models.TextChoices):
        FIXED = "fixed"
        DAYS = "days"

    class HolidayRule(models.TextChoices):
        USABLE = "usable"
        EXCLUDED = "excluded"
        ONLY = "only"

    class MakeupRule(models.TextChoices):
        """What a day worked for a holiday counts as: the weekday it is, or a workday."""

        OWN_WEEKDAY = "own_weekday"
        WORKDAY = "workday"

    class DearerStores(models.TextChoices):
        INCLUDED = "included"
        PAY_DIFFERENCE = "pay_difference"
        EXCLUDED = "excluded"

    deal = models.ForeignKey(Deal, models.PROTECT, related_name="terms")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=128)
    # what it is worth
    list_price_fen = models.BigIntegerField()
    use_list_fen = ArrayField(models.BigIntegerField())
    face_value_fen = models.BigIntegerField(null=True, blank=True)
    discount_rate_bps = models.PositiveIntegerField(null=True, blank=True)
    discount_cap_fen = models.BigIntegerField(null=True, blank=True)
    package_groups = models.JSONField(default=list, blank=True)
    bundle_children = models.JSONField(default=list, blank=True)
    min_spend_fen = models.BigIntegerField(default=0)
    # when
    validity = models.CharField(max_length=8, choices=Validity)
    usable_from = models.DateTimeField(null=True, blank=True)
    usable_until = models.DateTimeField(null=True, blank=True)
    usable_days = models.PositiveIntegerField(null=True, blank=True)
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    day_spans = models.JSONField(default=list, blank=True)
    blackout_dates = ArrayField(models.DateField(), default=list, blank=True)
    special_dates = ArrayField(models.DateField(), default=list, blank=True)
    holiday_rule = models.CharField(
        max_length=8, choices=HolidayRule, default=HolidayRule.USABLE, db_default=HolidayRule.USABLE
    )
    makeup_rule = models.CharField(
        max_length=12, choices=MakeupRule, default=MakeupRule.OWN_WEEKDAY, db_default=MakeupRule.OWN_WEEKDAY
    )
    calendar_versions = models.JSONField(default=dict, blank=True)
    # where and on what
    store_scope = models.JSONField(default=dict, blank=True)
    product_scope = models.JSONField(default=dict, blank=True)
    dearer_stores = models.CharField(
        max_length=16, choices=DearerStores, default=DearerStores.INCLUDED, db_default=DearerStores.INCLUDED
    )
    # with what
    stacking_group = models.CharField(max_length=32, blank=True)
    max_per_order = models.PositiveIntegerField(null=True, blank=True)
    # back
    refundable_unused = models.BooleanField(default=True)
    refunds_on_expiry = models.BooleanField(default=True)
    refund_returns_stock = models.BooleanField(default=False)
    # to whom
    settlement_rules = models.JSONField(default=list, blank=True, db_default=[])
    published_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "deal terms"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["deal", "number"], name="terms_are_numbered_in_their_deal"),
            models.CheckConstraint(condition=Q(list_price_fen__gt=0), name="terms_have_a_list_price"),
            models.CheckConstraint(condition=Q(min_spend_fen__gte=0), name="terms_min_spend_is_not_negative"),
            models.CheckConstraint(
                condition=Q(face_value_fen__isnull=True) | Q(face_value_fen__gt=0), name="terms_face_value_is_positive"
            ),
            models.CheckConstraint(
                condition=Q(discount_rate_bps__isnull=True) | Q(discount_rate_bps__range=(1, 10_000)),
                name="terms_discount_is_at_most_everything",
            ),
            models.CheckConstraint(
                condition=Q(
                    validity="fixed",
                    usable_from__isnull=False,
                    usable_until__gt=F("usable_from"),
                    usable_days__isnull=True,
                )
                | Q(validity="days", usable_days__gt=0, usable_from__isnull=True, usable_until__isnull=True),
                name="terms_say_when_they_hold",
            ),
            models.CheckConstraint(condition=Q(use_list_fen__len__gte=1), name="terms_have_a_use"),
            models.CheckConstraint(
                condition=Q(holiday_rule__in=["usable", "excluded", "only"]), name="terms_holiday_rule_is_known"
            ),
            models.CheckConstraint(
                condition=Q(makeup_rule__in=["own_weekday", "workday"]), name="terms_makeup_rule_is_known"
            ),
            models.CheckConstraint(
                condition=Q(dearer_stores__in=["included", "pay_difference", "excluded"]),
                name="terms_dearer_stores_rule_is_known",
            ),
        ]
