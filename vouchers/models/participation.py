"""Stores that are asked whether they honour a deal, and what they answered."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand, Store, StoreGroup
from vouchers.models.deals import Deal


class ParticipationRound(PublicIdModel):
    """
    A question to stores: will you honour this deal at this price, settled by these rules? Written once.

    Whoever accepts before ``answer_until`` is in ``group``, which the deal's terms name as their store scope:
    so a verdict reads an answer as any other group. Stores whose contract says so are in it from the beginning.
    """

    PREFIX: ClassVar[str] = "prt"

    brand = models.ForeignKey(Brand, models.PROTECT, db_index=False, related_name="+")
    deal = models.ForeignKey(Deal, models.PROTECT, related_name="participation_rounds")
    group = models.OneToOneField(StoreGroup, models.PROTECT, related_name="participation_round")
    price_fen = models.BigIntegerField()
    settlement_rules = models.JSONField(default=list, blank=True)
    note = models.CharField(max_length=512, blank=True)
    answer_until = models.DateTimeField()
    request_id = models.UUIDField()
    content_hash = models.BinaryField(max_length=16)
    asked_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "request_id"], name="stores_are_asked_once_per_request"),
            models.CheckConstraint(condition=Q(price_fen__gte=0), name="round_has_a_price"),
            models.CheckConstraint(
                condition=Q(answer_until__gt=models.F("asked_at")), name="round_leaves_time_to_answer"
            ),
        ]


class StoreParticipation(models.Model):
    """A store in a round: asked, accepted or declined; ``by_contract`` where nobody had to ask it."""

    class Status(models.TextChoices):
        ASKED = "asked"
        ACCEPTED = "accepted"
        DECLINED = "declined"

    round = models.ForeignKey(ParticipationRound, models.PROTECT, db_index=False, related_name="stores")
    store = models.ForeignKey(Store, models.PROTECT, related_name="participations")
    status = models.CharField(max_length=8, choices=Status, default=Status.ASKED)
    by_contract = models.BooleanField(default=False)
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by_id = models.UUIDField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["round", "store"], name="store_is_asked_once_in_a_round"),
            models.CheckConstraint(
                condition=Q(status="asked", answered_at__isnull=True)
                | Q(status__in=["accepted", "declined"], answered_at__isnull=False),
                name="participation_agrees_with_its_time",
            ),
            models.CheckConstraint(
                condition=Q(by_contract=False) | Q(status="accepted"), name="contract_is_acceptance"
            ),
        ]
