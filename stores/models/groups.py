"""Stores that a brand speaks of together."""

from typing import ClassVar

from django.db import models

from config.kernel.ids import PublicIdModel
from stores.models.places import Brand, Store


class StoreGroup(PublicIdModel):
    """
    A set of stores across regions (airports, flagships, franchise pilots); terms may name it.

    One that is ``kept_by`` something else, such as stores' answers, nobody changes by hand.
    """

    PREFIX: ClassVar[str] = "grp"

    class KeptBy(models.TextChoices):
        PARTICIPATION = "participation"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="store_groups")
    code = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    kept_by = models.CharField(max_length=16, choices=KeptBy, blank=True, default="", db_default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "code"], name="store_group_code_is_unique_in_its_brand"),
        ]


class StoreGroupMember(models.Model):
    """A store is in a group."""

    group = models.ForeignKey(StoreGroup, models.PROTECT, db_index=False, related_name="members")
    store = models.ForeignKey(Store, models.PROTECT, related_name="group_members")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "store"], name="store_is_in_a_group_once"),
        ]
