"""When a store takes orders, and how many cups it makes in a quarter of an hour."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from stores.models.places import Store


class OrderingRule(models.Model):
    """
    How one store takes orders; without a row the settings' defaults hold.

    ``cups_per_slot`` null is no limit. ``paused_until`` is a pause by hand, which ends by itself. With
    ``needs_presence`` nobody may order where nothing has been heard of the store since ``seen_at`` for too long.
    """

    store = models.OneToOneField(Store, models.PROTECT, primary_key=True, related_name="ordering_rule")
    cups_per_slot = models.PositiveSmallIntegerField(null=True, blank=True)
    cut_off_minutes = models.PositiveSmallIntegerField()
    needs_presence = models.BooleanField(default=False)
    paused_until = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(cups_per_slot=0), name="slot_has_room_for_a_cup"),
            models.CheckConstraint(
                condition=Q(needs_presence=False) | Q(seen_at__isnull=False), name="store_is_asked_for_since_when"
            ),
        ]


class PickupSlot(models.Model):
    """
    Fifteen minutes of a store: ``cups`` promised to orders, of which ``made`` stand ready or were collected.

    Only the conditional UPDATE of ``services/slots.py`` promises them. A store may lower its capacity below what
    it has promised, so there is no constraint against that.
    """

    store = models.ForeignKey(Store, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    starts_at = models.DateTimeField()
    cups = models.IntegerField()
    made = models.IntegerField(default=0, db_default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "starts_at"], name="slot_is_one_a_quarter_of_an_hour"),
            models.CheckConstraint(condition=Q(made__gte=0, cups__gte=F("made")), name="slot_makes_what_it_promised"),
        ]
