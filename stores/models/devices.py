"""Devices that stand at a store, and the PINs by which clerks switch on them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel
from stores.models.places import Brand, Store


class Device(PublicIdModel):
    """
    A phone or till bound to one store. ``key_hash`` is SHA-256 of the secret half of its key, shown once.

    ``pin_failures`` counts wrong PINs of anybody since ``pin_failures_since``.
    """

    PREFIX: ClassVar[str] = "dev"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="+")
    store = models.ForeignKey(Store, models.PROTECT, related_name="devices")
    name = models.CharField(max_length=64)
    key_hash = models.BinaryField(max_length=32, unique=True)
    bound_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    pin_failures = models.PositiveSmallIntegerField(default=0)
    pin_failures_since = models.DateTimeField(null=True, blank=True)
    pin_locked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(pin_failures=0) | Q(pin_failures_since__isnull=False),
                name="device_pin_failures_have_a_beginning",
            ),
        ]


class Pin(models.Model):
    """
    A person's PIN at the devices of one brand, kept as a slow hash under a key.

    A try is counted before it is looked at, so ``failures`` holds those under way too; ``lock_outs``
    says how often in a row it came to one. Leaving deletes the row.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="pins")
    brand = models.ForeignKey(Brand, models.PROTECT, related_name="+")
    pin_hash = models.CharField(max_length=256)
    set_at = models.DateTimeField()
    failures = models.PositiveSmallIntegerField(default=0)
    lock_outs = models.PositiveSmallIntegerField(default=0)
    locked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "brand"], name="pin_is_one_per_person_and_brand"),
        ]
