"""Brands, their stores, the people who work there, the customers they serve and the programs that call."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel


class Brand(PublicIdModel):
    """A chain; everything below belongs to exactly one."""

    PREFIX: ClassVar[str] = "brd"

    slug = models.SlugField(max_length=48, unique=True)
    name = models.CharField(max_length=64)
    zone = models.CharField(max_length=48, default="Asia/Shanghai")
    theme = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()


class Region(PublicIdModel):
    """A node of the brand's own tree (province, city, district, or whatever it calls them)."""

    PREFIX: ClassVar[str] = "rgn"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="regions")
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    code = models.CharField(max_length=32)
    name = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "code"], name="region_code_is_unique_in_its_brand"),
            models.CheckConstraint(condition=~Q(parent=models.F("id")), name="region_is_not_its_own_parent"),
        ]


class SettlementEntity(PublicIdModel):
    """Who is paid for what a store redeems: the company itself or a franchisee."""

    PREFIX: ClassVar[str] = "ent"

    class Kind(models.TextChoices):
        COMPANY = "company"
        FRANCHISEE = "franchisee"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="entities")
    code = models.CharField(max_length=32)
    name = models.CharField(max_length=128)
    kind = models.CharField(max_length=16, choices=Kind)
    tax_number = models.CharField(max_length=32, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "code"], name="entity_code_is_unique_in_its_brand"),
            models.CheckConstraint(condition=Q(kind__in=["company", "franchisee"]), name="entity_kind_is_known"),
        ]


class Store(PublicIdModel):
    """
    A shop; ``code`` is the brand's own name for it.

    ``hours`` maps ISO weekdays ``"1"``..``"7"`` to opening spans ``[["10:00", "26:00"]]`` in the
    store's zone; a span may run past midnight (26:00 is 2 o'clock), an empty map means always open.
    """

    PREFIX: ClassVar[str] = "sto"

    class Status(models.TextChoices):
        OPEN = "open"
        PAUSED = "paused"
        CLOSED = "closed"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="stores")
    region = models.ForeignKey(Region, models.PROTECT, null=True, blank=True, related_name="stores")
    code = models.CharField(max_length=32)
    name = models.CharField(max_length=128)
    name_en = models.CharField(max_length=128, blank=True)
    city = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=256, blank=True)
    latitude = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    longitude = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    zone = models.CharField(max_length=48, default="Asia/Shanghai")
    hours = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "code"], name="store_code_is_unique_in_its_brand"),
            models.CheckConstraint(condition=Q(status__in=["open", "paused", "closed"]), name="store_status_is_known"),
            models.CheckConstraint(
                condition=Q(status="closed", closed_at__isnull=False)
                | (~Q(status="closed") & Q(closed_at__isnull=True)),
                name="store_is_closed_since_when",
            ),
            models.CheckConstraint(
                condition=Q(latitude__isnull=True, longitude__isnull=True)
                | Q(latitude__range=(-90, 90), longitude__range=(-180, 180)),
                name="store_lies_on_earth",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["brand", "city"], name="store_by_city")]


class StoreEntity(models.Model):
    """
    From ``from_date`` on (a business day) the store's money is ``entity``'s, until the next row's date.

    Memberships cannot overlap because only their beginnings are stored.
    """

    store = models.ForeignKey(Store, models.PROTECT, related_name="entities")
    entity = models.ForeignKey(SettlementEntity, models.PROTECT, related_name="store_memberships")
    from_date = models.DateField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "from_date"], name="store_has_one_entity_from_a_day_on"),
        ]


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


class WebhookSubscription(PublicIdModel):
    """Where a brand wants to be told what; ``topics`` may hold ``*``."""

    PREFIX: ClassVar[str] = "sub"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="webhook_subscriptions")
    url = models.URLField(max_length=512)
    secret_encrypted = models.BinaryField()
    topics = ArrayField(models.CharField(max_length=48))
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)


class WebhookDelivery(PublicIdModel):
    """One message on its way to one subscription."""

    PREFIX: ClassVar[str] = "dlv"

    class Status(models.TextChoices):
        DUE = "due"
        DELIVERED = "delivered"
        GIVEN_UP = "given_up"

    subscription = models.ForeignKey(WebhookSubscription, models.PROTECT, related_name="deliveries")
    message = models.ForeignKey("kernel.OutboxMessage", models.PROTECT, related_name="+")
    status = models.CharField(max_length=16, choices=Status, default=Status.DUE)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    last_status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=256, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["subscription", "message"], name="delivery_is_one_per_subscription_and_message"
            ),
            models.CheckConstraint(
                condition=Q(status="delivered", delivered_at__isnull=False)
                | Q(status__in=["due", "given_up"], delivered_at__isnull=True),
                name="delivery_status_agrees_with_its_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="delivery_due", condition=Q(status="due")),
        ]
