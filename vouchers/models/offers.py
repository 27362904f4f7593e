"""Stock for sale: the deal's total, its offers, who bought how many, and the switches that stop it all."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand
from vouchers.models.deals import Deal, DealTerms


class DealStock(models.Model):
    """
    How many of a deal may ever be sold, and how many no offer has yet.

    ``total = free + Σ allotments not drained + Σ sold of drained`` (I1).
    """

    deal = models.OneToOneField(Deal, models.PROTECT, primary_key=True, related_name="stock")
    total = models.BigIntegerField()
    free = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(free__gte=0, free__lte=F("total")), name="deal_stock_is_never_overdrawn"
            ),
        ]


class Offer(PublicIdModel):
    """
    What can be bought: terms at a price, so many, from then till then. ``sold`` is the hot counter.

    ``session_id`` names the live session above without knowing it; a selling switch may carry it.
    ``request_id`` made it, and must carry the same ``content_hash`` again.
    ``is_held_back`` while that session is not open: the offer then keeps its own state and does not sell.
    """

    PREFIX: ClassVar[str] = "off"

    class State(models.TextChoices):
        DRAFT = "draft"
        OPEN = "open"
        PAUSED = "paused"
        CLOSED = "closed"
        DRAINED = "drained"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="offers")
    deal = models.ForeignKey(Deal, models.PROTECT, related_name="offers")
    terms = models.ForeignKey(DealTerms, models.PROTECT, related_name="offers")
    session_id = models.UUIDField(null=True, blank=True)
    is_held_back = models.BooleanField(default=False, db_default=False)
    price_fen = models.BigIntegerField()
    allotment = models.BigIntegerField()
    sold = models.BigIntegerField(default=0)
    per_customer_limit = models.PositiveIntegerField(null=True, blank=True)
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    drained_at = models.DateTimeField(null=True, blank=True)
    request_id = models.UUIDField(null=True, blank=True)
    content_hash = models.BinaryField(max_length=16, null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "request_id"], name="offer_is_made_once_per_request"),
            models.CheckConstraint(condition=Q(sold__gte=0, sold__lte=F("allotment")), name="offer_is_never_oversold"),
            models.CheckConstraint(condition=Q(price_fen__gt=0), name="offer_has_a_price"),
            models.CheckConstraint(
                condition=Q(per_customer_limit__isnull=True) | Q(per_customer_limit__gt=0),
                name="offer_limit_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(closes_at__isnull=True) | Q(closes_at__gt=F("opens_at")), name="offer_closes_after_it_opens"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "open", "paused"], closed_at__isnull=True, drained_at__isnull=True)
                | Q(state="closed", closed_at__isnull=False, drained_at__isnull=True)
                | Q(state="drained", closed_at__isnull=False, drained_at__isnull=False),
                name="offer_state_agrees_with_its_times",
            ),
            models.CheckConstraint(
                condition=Q(is_held_back=False) | Q(session_id__isnull=False), name="offer_is_held_back_by_a_session"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["session_id"], name="offer_by_session")]


class CustomerAllowance(models.Model):
    """How many of an offer a customer has bought and not given back; changed only under the offer's lock."""

    pk = models.CompositePrimaryKey("offer_id", "customer_id")
    offer = models.ForeignKey(Offer, models.PROTECT, db_constraint=False, db_index=False, related_name="allowances")
    customer_id = models.UUIDField()
    bought = models.IntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(bought__gte=0), name="allowance_is_not_negative"),
        ]


class SellingSwitch(models.Model):
    """
    The kill switch of a brand, a live session or an offer; no row means selling goes on.

    A row of its own, never locked by selling: throwing it waits for nobody.
    """

    class Scope(models.TextChoices):
        BRAND = "brand"
        SESSION = "session"
        OFFER = "offer"

    scope = models.CharField(max_length=8, choices=Scope)
    scope_id = models.UUIDField()
    stopped_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=256, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["scope_id", "scope"], name="selling_switch_is_one_per_scope"),
            models.CheckConstraint(
                condition=Q(scope__in=["brand", "session", "offer"]), name="selling_switch_scope_is_known"
            ),
        ]
