"""Brands and where they are: regions, stores, and whose money a store's is."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel


class Brand(PublicIdModel):
    """
    A chain; everything below belongs to exactly one.

    ``theme`` is what ``stores.services.theming`` derived from the brand's colours; empty: the shop's own looks.
    ``counter_needs_stock``: its counters hand over only what the books say is there; else the books follow the hand.
    """

    PREFIX: ClassVar[str] = "brd"

    slug = models.SlugField(max_length=48, unique=True)
    name = models.CharField(max_length=64)
    zone = models.CharField(max_length=48, default="Asia/Shanghai")
    theme = models.JSONField(default=dict, blank=True)
    counter_needs_stock = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()


class BrandPicture(models.Model):
    """One of a brand's pictures as its shop shows it: re-encoded by this site, named by its content's hash."""

    class Kind(models.TextChoices):
        LOGO = "logo"
        MASCOT = "mascot"
        HERO = "hero"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="pictures")
    kind = models.CharField(max_length=8, choices=Kind)
    content = models.BinaryField()
    content_hash = models.CharField(max_length=16)
    width = models.PositiveSmallIntegerField()
    height = models.PositiveSmallIntegerField()
    set_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "kind"], name="brand_has_one_picture_of_a_kind"),
            models.CheckConstraint(
                condition=Q(kind__in=["logo", "mascot", "hero"]), name="brand_picture_kind_is_known"
            ),
        ]


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
    """
    Who is paid for what a store redeems: the company itself or a franchisee.

    ``tax_name`` is what stands on its invoices, where that is another than its name. ``joins_by_contract``: its stores
    take part in every deal they are asked about, as the company's own do.
    """

    PREFIX: ClassVar[str] = "ent"

    class Kind(models.TextChoices):
        COMPANY = "company"
        FRANCHISEE = "franchisee"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="entities")
    code = models.CharField(max_length=32)
    name = models.CharField(max_length=128)
    kind = models.CharField(max_length=16, choices=Kind)
    tax_name = models.CharField(max_length=128, blank=True, db_default="")
    tax_number = models.CharField(max_length=32, blank=True)
    joins_by_contract = models.BooleanField(default=False, db_default=False)
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
    ``is_dearer`` stores (airports, parks) charge more; terms say what that means for a voucher.
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
    is_dearer = models.BooleanField(default=False, db_default=False)
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
