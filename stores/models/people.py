"""Who works for a brand, whom it serves, and the programs that call."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel
from stores.models.places import Brand, Region, SettlementEntity, Store


class Staff(PublicIdModel):
    """
    What a user may do, and where: her role over a brand, a region's stores, an entity's, or one store.

    A row is never deleted; leaving sets ``ended_at``.
    """

    PREFIX: ClassVar[str] = "stf"

    class Role(models.TextChoices):
        OWNER = "owner"
        OPERATOR = "operator"
        FINANCE = "finance"
        CUSTOMER_SERVICE = "customer_service"
        AUDITOR = "auditor"
        REGION_SUPERVISOR = "region_supervisor"
        FRANCHISEE = "franchisee"
        STORE_MANAGER = "store_manager"
        CLERK = "clerk"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="staff_rows")
    brand = models.ForeignKey(Brand, models.PROTECT, related_name="staff")
    role = models.CharField(max_length=24, choices=Role)
    region = models.ForeignKey(Region, models.PROTECT, null=True, blank=True)
    entity = models.ForeignKey(SettlementEntity, models.PROTECT, null=True, blank=True)
    store = models.ForeignKey(Store, models.PROTECT, null=True, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    role__in=["owner", "operator", "finance", "customer_service", "auditor"],
                    region__isnull=True,
                    entity__isnull=True,
                    store__isnull=True,
                )
                | Q(role="region_supervisor", region__isnull=False, entity__isnull=True, store__isnull=True)
                | Q(role="franchisee", region__isnull=True, entity__isnull=False, store__isnull=True)
                | Q(role__in=["store_manager", "clerk"], region__isnull=True, entity__isnull=True, store__isnull=False),
                name="staff_role_reaches_over_what_fits_it",
            ),
            models.UniqueConstraint(
                fields=["user", "brand", "role", "region", "entity", "store"],
                condition=Q(ended_at__isnull=True),
                nulls_distinct=False,
                name="staff_holds_a_role_once",
            ),
        ]


class ApiClient(PublicIdModel):
    """A program of the brand. ``key_hash`` is SHA-256 of the secret half; the key itself is shown once."""

    PREFIX: ClassVar[str] = "api"

    class Scope(models.TextChoices):
        CUSTOMERS = "customers"
        CATALOG = "catalog"
        SELLING = "selling"
        GRANTING = "granting"
        REDEEMING = "redeeming"
        REPORTS = "reports"
        WEBHOOKS = "webhooks"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="api_clients")
    name = models.CharField(max_length=64)
    key_hash = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope))
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)


class Customer(PublicIdModel):
    """A customer of one brand. Her phone is kept encrypted, and looked up by a keyed hash."""

    PREFIX: ClassVar[str] = "cus"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="customers")
    phone_encrypted = models.BinaryField(null=True, blank=True)
    phone_hash = models.BinaryField(max_length=32, null=True, blank=True)
    phone_tail = models.CharField(max_length=4, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["brand", "phone_hash"],
                condition=Q(phone_hash__isnull=False),
                name="customer_phone_is_unique_in_its_brand",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["brand", "phone_tail"], name="customer_by_phone_tail", condition=~Q(phone_tail="")),
        ]


class CustomerIdentity(models.Model):
    """Who she is elsewhere: ``provider`` is ``brand`` for the brand's own id, or douyin, wechat, …"""

    brand = models.ForeignKey(Brand, models.PROTECT)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="identities")
    provider = models.CharField(max_length=24)
    external_id = models.CharField(max_length=128)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["brand", "provider", "external_id"], name="identity_names_one_customer_of_a_brand"
            ),
        ]
