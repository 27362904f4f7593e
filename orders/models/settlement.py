"""
Everybody is paid: one line for each thing that settled, and what stores and months add up to.

Exports stream lines through ``orders.queries.statement_lines``, payouts read ``entity_payable`` and its transfers.
"""

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from orders.models.purchases import Purchase
from stores.models import Brand, SettlementEntity, Store
from vouchers.models import DealTerms, Redemption
from vouchers.settlement import Fault

AMOUNTS = (
    *("paid_fen", "share_fen", "subsidy_fen", "fee_fen", "borne_fen", "promoter_fen", "provider_fen"),
    *("platform_fen", "entity_fen", "brand_fen", "till_fen"),
)
"""The money of a line, in the order in which every page and file shows it."""

EVERYBODY_IS_PAID = Q(
    paid_fen=F("entity_fen") + F("brand_fen") + F("promoter_fen") + F("provider_fen") + F("platform_fen"),
    entity_fen=F("share_fen") + F("subsidy_fen") - F("fee_fen") - F("borne_fen"),
)


class Amounts(models.Model):
    """
    What was paid and to whom it went, exact: ``paid`` = entity + brand + promoter + provider + platform.

    The entity's is its ``share`` with the brand's ``subsidy``, less the brand's ``fee`` and what it ``bears`` of
    the others'. ``till`` lies in the store's till already, so what is owed to it is ``entity_fen`` - ``till_fen``.
    """

    paid_fen = models.BigIntegerField()
    share_fen = models.BigIntegerField()
    subsidy_fen = models.BigIntegerField()
    fee_fen = models.BigIntegerField()
    borne_fen = models.BigIntegerField()
    promoter_fen = models.BigIntegerField()
    provider_fen = models.BigIntegerField()
    platform_fen = models.BigIntegerField()
    entity_fen = models.BigIntegerField()
    brand_fen = models.BigIntegerField()
    till_fen = models.BigIntegerField()

    class Meta:
        abstract = True


class SettlementBooks(models.Model):
    """
    From which day on a brand's books are open; every month before it is closed.

    Whoever books holds the row shared, whoever closes a month holds it alone.
    """

    brand = models.OneToOneField(Brand, models.PROTECT, primary_key=True, related_name="books")
    open_from = models.DateField()


class Settlement(Amounts, PublicIdModel):
    """
    One thing that settled, once: its key is that of the redemption, surcharge, order, refund or case. Written once.

    ``business_date`` is when it happened, ``booked_date`` the statement it is on: the same day, or the first
    open one where that month is closed. ``rule`` is the place of the rule in its terms, null for the rule of
    terms without one. What a refund after use takes back is a line of its own with amounts below zero; it was asked
    for once per (redemption, ``request_id``). A remake brings nothing in; what its line pays the entity is the brand's.
    """

    PREFIX: ClassVar[str] = "stl"

    class Source(models.TextChoices):
        REDEMPTION = "redemption"
        SURCHARGE = "surcharge"
        STORE_ORDER = "store_order"
        AFTER_USE = "after_use"
        REMAKE = "remake"

    brand = models.ForeignKey(Brand, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    source_kind = models.CharField(max_length=12, choices=Source)
    store = models.ForeignKey(Store, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    entity = models.ForeignKey(
        SettlementEntity, models.PROTECT, db_constraint=False, db_index=False, related_name="+", null=True, blank=True
    )
    customer_id = models.UUIDField()
    redemption = models.ForeignKey(
        Redemption, models.PROTECT, db_constraint=False, db_index=False, related_name="+", null=True, blank=True
    )
    purchase = models.ForeignKey(
        Purchase, models.PROTECT, db_constraint=False, db_index=False, related_name="+", null=True, blank=True
    )
    terms = models.ForeignKey(
        DealTerms, models.PROTECT, db_constraint=False, db_index=False, related_name="+", null=True, blank=True
    )
    rule = models.PositiveSmallIntegerField(null=True, blank=True)
    promoter_id = models.UUIDField(null=True, blank=True)
    fault = models.CharField(max_length=8, choices=[(one.value, one.name.title()) for one in Fault], blank=True)
    request_id = models.UUIDField(null=True, blank=True)
    business_date = models.DateField()
    booked_date = models.DateField()
    settled_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=EVERYBODY_IS_PAID, name="settlement_pays_everybody_exactly"),
            models.CheckConstraint(
                condition=Q(booked_date__gte=F("business_date")), name="settlement_is_booked_on_its_day_or_later"
            ),
            models.CheckConstraint(
                condition=Q(source_kind__in=["redemption", "surcharge", "store_order"], paid_fen__gte=0, fault="")
                | Q(source_kind="after_use", paid_fen__lt=0, fault__in=["store", "brand", "customer"])
                | Q(source_kind="remake", paid_fen=0, entity_fen__gte=0, fault__in=["store", "brand"]),
                name="settlement_takes_back_only_after_use",
            ),
            models.CheckConstraint(
                condition=Q(till_fen=0) | Q(source_kind="surcharge"), name="till_is_only_of_surcharges"
            ),
            models.UniqueConstraint(
                fields=["redemption", "request_id"],
                condition=Q(source_kind="after_use"),
                name="refund_after_use_is_asked_once",
            ),
            models.CheckConstraint(
                condition=Q(source_kind="after_use", request_id__isnull=False)
                | (~Q(source_kind="after_use") & Q(request_id__isnull=True)),
                name="refund_after_use_has_its_request",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["store", "booked_date", "id"], name="settlement_by_store_and_day"),
            # Lines are written in this order, so a few bytes for each range of pages find those of the last minutes.
            BrinIndex(fields=["settled_at"], name="settlement_by_time", pages_per_range=32, autosummarize=True),
        ]


class StoreStatement(Amounts):
    """What a store's lines of one day add up to, for each entity; grows with the lines, in their transaction."""

    brand = models.ForeignKey(Brand, models.PROTECT, db_index=False, related_name="+")
    store = models.ForeignKey(Store, models.PROTECT, db_index=False, related_name="+")
    entity = models.ForeignKey(
        SettlementEntity, models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )
    day = models.DateField()
    lines = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["store", "day", "entity"], nulls_distinct=False, name="statement_is_one_per_store_entity_day"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["brand", "day"], name="statement_by_brand"),
            models.Index(fields=["entity", "day"], name="statement_by_entity"),
        ]


class ClosedStatement(Amounts, PublicIdModel):
    """
    A statement that never changes again: a store's month for an entity, or the last one of a store that closed.

    ``month`` is its first day. ``final`` covers what was open when it was written, up to ``until`` (exclusive).
    """

    PREFIX: ClassVar[str] = "stm"

    class Kind(models.TextChoices):
        MONTH = "month"
        FINAL = "final"

    kind = models.CharField(max_length=8, choices=Kind)
    brand = models.ForeignKey(Brand, models.PROTECT, db_index=False, related_name="+")
    store = models.ForeignKey(Store, models.PROTECT, related_name="+")
    entity = models.ForeignKey(SettlementEntity, models.PROTECT, null=True, blank=True, related_name="+")
    month = models.DateField()
    since = models.DateField()
    until = models.DateField()
    lines = models.PositiveIntegerField()
    closed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["store", "entity", "month", "kind"], nulls_distinct=False, name="statement_is_closed_once"
            ),
            models.CheckConstraint(condition=EVERYBODY_IS_PAID, name="closed_statement_pays_everybody_exactly"),
            models.CheckConstraint(condition=Q(until__gt=F("since")), name="closed_statement_covers_a_day"),
        ]
        indexes: ClassVar = [models.Index(fields=["brand", "month", "id"], name="closed_statement_by_month")]


class CashRule(models.Model):
    """
    What the brand takes of money paid on top of vouchers, from a business day on; for one entity or (null) all.

    The entity's own rule goes before the one for all, then the latest that has begun. Written once: another rate
    is another row. Without a rule all of it is the entity's.
    """

    class Kind(models.TextChoices):
        SURCHARGE = "surcharge"
        STORE_ORDER = "store_order"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="+")
    entity = models.ForeignKey(SettlementEntity, models.PROTECT, null=True, blank=True, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind)
    from_date = models.DateField()
    fee_bps = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["brand", "kind", "entity", "from_date"],
                nulls_distinct=False,
                name="cash_rule_is_one_from_a_day_on",
            ),
            models.CheckConstraint(condition=Q(fee_bps__lte=10_000), name="cash_fee_is_at_most_everything"),
        ]
