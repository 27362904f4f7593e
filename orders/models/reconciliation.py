"""A provider's bill against our books, day by day: the file, what differed, and the day that was closed."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand


class BillFile(PublicIdModel):
    """
    A provider's bill of one day for one brand, taken whole or not at all; the same bytes are taken once.

    A day has one valid bill: a corrected one supersedes it. The lines themselves are not kept, but what they came
    to: ``line_count`` = ``matched_count`` + ``others_count`` + the differences that have a line, and ``known_count``
    (what we knew of that day) = ``matched_count`` + the differences that had a fact of that day.
    """

    PREFIX: ClassVar[str] = "bil"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="+")
    provider = models.CharField(max_length=16)
    bill_date = models.DateField()
    sha256 = models.BinaryField(max_length=32)
    taken_by_id = models.UUIDField(null=True, blank=True)
    taken_at = models.DateTimeField()
    line_count = models.PositiveIntegerField()
    matched_count = models.PositiveIntegerField()
    others_count = models.PositiveIntegerField()
    known_count = models.PositiveIntegerField()
    captured_fen = models.BigIntegerField()
    refunded_fen = models.BigIntegerField()
    fee_fen = models.BigIntegerField()
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "provider", "bill_date", "sha256"], name="bill_is_taken_once"),
            models.UniqueConstraint(
                fields=["brand", "provider", "bill_date"],
                condition=Q(superseded_at__isnull=True),
                name="day_has_one_valid_bill",
            ),
            models.CheckConstraint(
                condition=Q(line_count__gte=F("matched_count") + F("others_count"))
                & Q(known_count__gte=F("matched_count")),
                name="bill_matches_no_more_than_it_has",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["brand", "taken_at"], name="bill_by_brand")]


class BillDifference(PublicIdModel):
    """
    One thing in which a bill and our books differ, until somebody or another day's bill explains it.

    ``reference`` is ours (``pay_…``, ``sur_…``, ``rfd_…``), ``transaction`` the provider's. ``line`` and ``theirs_fen``
    are empty where the bill has no such line, ``ours_fen`` and ``ours_date`` where we know of no such money.
    """

    PREFIX: ClassVar[str] = "dif"

    class Kind(models.TextChoices):
        MISSING_HERE = "missing_here"
        MISSING_THERE = "missing_there"
        AMOUNT = "amount"
        LATE = "late"
        DUPLICATE = "duplicate"

    class Outcome(models.TextChoices):
        EXPLAINED = "explained"
        BOOKED = "booked"
        OTHER_DAY = "other_day"
        SUPERSEDED = "superseded"

    bill = models.ForeignKey(BillFile, models.PROTECT, related_name="differences")
    brand_id = models.UUIDField()
    provider = models.CharField(max_length=16)
    bill_date = models.DateField()
    kind = models.CharField(max_length=16, choices=Kind)
    is_refund = models.BooleanField()
    reference = models.CharField(max_length=64)
    transaction = models.CharField(max_length=64, blank=True)
    line = models.PositiveIntegerField(null=True, blank=True)
    theirs_fen = models.BigIntegerField(null=True, blank=True)
    theirs_at = models.DateTimeField(null=True, blank=True)
    ours_fen = models.BigIntegerField(null=True, blank=True)
    ours_date = models.DateField(null=True, blank=True)
    found_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, choices=Outcome, null=True, blank=True)  # noqa: DJ001 - set once, with closed_at
    reason = models.CharField(max_length=256, null=True, blank=True)  # noqa: DJ001 - set once, by a person
    closed_by_id = models.UUIDField(null=True, blank=True)
    explained_by = models.ForeignKey(
        BillFile, models.PROTECT, null=True, blank=True, related_name="explains", db_index=False
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    closed_at__isnull=True,
                    outcome__isnull=True,
                    reason__isnull=True,
                    closed_by_id__isnull=True,
                    explained_by__isnull=True,
                )
                | Q(closed_at__isnull=False, outcome__in=["explained", "booked"], reason__isnull=False)
                | Q(closed_at__isnull=False, outcome="other_day", explained_by__isnull=False, closed_by_id__isnull=True)
                | Q(closed_at__isnull=False, outcome="superseded", closed_by_id__isnull=True),
                name="difference_is_closed_with_an_outcome",
            ),
            models.CheckConstraint(
                condition=Q(kind="missing_there", line__isnull=True, ours_fen__isnull=False)
                | Q(kind="missing_here", line__isnull=False, ours_fen__isnull=True)
                | Q(kind__in=["amount", "late"], line__isnull=False, ours_fen__isnull=False)
                | Q(kind="duplicate", line__isnull=False),
                name="difference_has_the_sides_of_its_kind",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["bill", "kind"], name="difference_of_bill"),
            models.Index(fields=["reference"], name="difference_by_reference"),
            models.Index(fields=["brand_id", "found_at"], name="difference_open", condition=Q(closed_at__isnull=True)),
            models.Index(fields=["brand_id", "found_at"], name="difference_by_brand"),
        ]


class DayClose(PublicIdModel):
    """A day of one provider that was compared and whose every difference is explained: final."""

    PREFIX: ClassVar[str] = "dcl"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="+")
    provider = models.CharField(max_length=16)
    bill_date = models.DateField()
    bill = models.OneToOneField(BillFile, models.PROTECT, related_name="day_close")
    difference_count = models.PositiveIntegerField()
    captured_fen = models.BigIntegerField()
    refunded_fen = models.BigIntegerField()
    fee_fen = models.BigIntegerField()
    closed_by_id = models.UUIDField(null=True, blank=True)
    closed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "provider", "bill_date"], name="day_is_closed_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["brand", "closed_at"], name="day_close_by_brand")]
