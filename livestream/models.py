"""What happens on stage: sessions, what is listed in them, who promotes it at which rate."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand
from vouchers.models import Offer


class LiveSession(PublicIdModel):
    """
    A livestream, which closes by itself at ``ends_at``; or, ``is_standing``, the brand's shelf, which never does.

    ``content_hash`` is what the same request_id must carry again; both are null where the site itself made it.
    """

    PREFIX: ClassVar[str] = "liv"

    class State(models.TextChoices):
        DRAFT = "draft"
        OPEN = "open"
        PAUSED = "paused"
        CLOSED = "closed"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="live_sessions")
    title = models.CharField(max_length=128)
    is_standing = models.BooleanField(default=False)
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    request_id = models.UUIDField(null=True, blank=True)
    content_hash = models.BinaryField(max_length=16, null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "request_id"], name="session_is_made_once_per_request"),
            models.UniqueConstraint(
                fields=["brand"], condition=Q(is_standing=True) & ~Q(state="closed"), name="brand_has_one_shelf"
            ),
            models.CheckConstraint(
                condition=Q(is_standing=False) | Q(ends_at__isnull=True), name="shelf_never_ends_by_itself"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")), name="session_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(state="draft", opened_at__isnull=True, closed_at__isnull=True)
                | Q(state__in=["open", "paused"], opened_at__isnull=False, closed_at__isnull=True)
                | Q(state="closed", closed_at__isnull=False),
                name="session_state_agrees_with_its_times",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["ends_at"], name="session_due_to_close", condition=Q(state__in=["open", "paused"])),
        ]


class Listing(PublicIdModel):
    """
    An offer's place in a session: where it stands and what its card shows.

    Taken off before anything was sold, the row goes and the offer is free for another session; after,
    the row stays without a position, because what was sold was sold here.
    """

    PREFIX: ClassVar[str] = "lst"

    session = models.ForeignKey(LiveSession, models.PROTECT, related_name="listings")
    offer = models.OneToOneField(Offer, models.PROTECT, related_name="listing")
    position = models.PositiveIntegerField(null=True, blank=True)
    card = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()
    taken_off_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["session", "position"], name="listing_position_is_unique", deferrable=models.Deferrable.DEFERRED
            ),
            models.CheckConstraint(
                condition=Q(position__isnull=False, taken_off_at__isnull=True)
                | Q(position__isnull=True, taken_off_at__isnull=False),
                name="listing_has_a_position_until_taken_off",
            ),
        ]


class Promoter(PublicIdModel):
    """达人: who shows the deal; ``code`` is what a link carries."""

    PREFIX: ClassVar[str] = "prm"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="promoters")
    code = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "code"], name="promoter_code_is_unique_in_its_brand"),
        ]


class CommissionPlan(PublicIdModel):
    """
    Rates in ten-thousandths of what is paid, for one promoter or (null) anybody, in one session or all.

    The narrowest plan in force at the sale wins: promoter before anybody, session before all, then
    the newest. Written once but for ``ended_at``, which ends it before its time: another rate is another plan.
    """

    PREFIX: ClassVar[str] = "cpl"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="commission_plans")
    promoter = models.ForeignKey(Promoter, models.PROTECT, null=True, blank=True, related_name="plans")
    session = models.ForeignKey(LiveSession, models.PROTECT, null=True, blank=True, related_name="plans")
    promoter_rate_bps = models.PositiveSmallIntegerField()
    provider_rate_bps = models.PositiveSmallIntegerField(default=0)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    request_id = models.UUIDField(null=True, blank=True)
    content_hash = models.BinaryField(max_length=16, null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "request_id"], name="commission_plan_is_made_once_per_request"),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="commission_plan_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=Q(promoter_rate_bps__range=(0, 10_000), provider_rate_bps__range=(0, 10_000)),
                name="commission_rates_are_shares",
            ),
            models.CheckConstraint(
                condition=Q(promoter_rate_bps__lte=10_000 - F("provider_rate_bps")),
                name="commission_is_at_most_everything",
            ),
        ]
