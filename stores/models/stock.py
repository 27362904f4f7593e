"""What a store has of a product: a switch, a limit a day, or cups that are counted."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from stores.models.places import Store
from stores.models.products import Product


class StockMode(models.TextChoices):
    SWITCH = "switch"
    DAILY_LIMIT = "daily_limit"
    COUNTED = "counted"


class StockLevel(models.Model):
    """
    How a store keeps a product; without a row it is a switch (``StoreProduct.sold_out_at``).

    Counted: what may still be promised is ``on_hand`` less ``reserved``, and only the conditional UPDATE of
    ``services/stock.py`` promises it. A stock-take may find fewer cups than are promised, so that difference
    has no constraint; ``on_hand`` is the sum of the movements, ``reserved`` of the open reservations (I8). A counter
    hands over what the books say is not there, so either may leave less than nothing: ``is_short``. At ``low_at``
    and below the product is on the list of what runs out.
    """

    store = models.ForeignKey(Store, models.PROTECT, db_index=False, related_name="stock_levels")
    product = models.ForeignKey(Product, models.PROTECT, db_index=False, related_name="stock_levels")
    mode = models.CharField(max_length=12, choices=StockMode)
    daily_limit = models.PositiveIntegerField(null=True, blank=True)
    on_hand = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    low_at = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "product"], name="stock_level_is_one_a_store_and_product"),
            models.CheckConstraint(
                condition=Q(mode="daily_limit", daily_limit__isnull=False)
                | Q(mode__in=["switch", "counted"], daily_limit__isnull=True),
                name="stock_mode_has_what_it_needs",
            ),
            models.CheckConstraint(condition=Q(reserved__gte=0), name="stock_reserved_is_not_negative"),
        ]

    @property
    def free(self) -> int:
        """What may still be promised."""
        return self.on_hand - self.reserved

    @property
    def is_short(self) -> bool:
        """Whether more is promised or gone than was ever counted in."""
        return self.mode == StockMode.COUNTED and self.free < 0


class DailyTally(models.Model):
    """How much of a product with a limit a day is promised for one business day."""

    store = models.ForeignKey(Store, models.PROTECT, db_index=False, related_name="+")
    product = models.ForeignKey(Product, models.PROTECT, db_index=False, related_name="daily_tallies")
    business_date = models.DateField()
    taken = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "product", "business_date"], name="tally_is_one_a_day"),
        ]


class StockReservation(models.Model):
    """
    Units promised to one source, in the mode that the store kept the product in then.

    OPEN until the cups are made (``made_at``: an order's are when it is READY, those handed over at a counter are
    at once) and the ``stock`` worker moves them, or until the source gives them back: RELEASED, or RETURNED where
    they had been moved. A source that gave them back before they were made may reserve again.
    """

    class State(models.TextChoices):
        OPEN = "open"
        MOVED = "moved"
        RELEASED = "released"
        RETURNED = "returned"

    class Source(models.TextChoices):
        STORE_ORDER = "store_order"
        REDEMPTION = "redemption"
        REMAKE = "remake"

    store = models.ForeignKey(Store, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    product = models.ForeignKey(Product, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    quantity = models.PositiveBigIntegerField()
    mode = models.CharField(max_length=12, choices=StockMode)
    business_date = models.DateField()
    source_kind = models.CharField(max_length=16, choices=Source)
    source_id = models.UUIDField()
    state = models.CharField(max_length=8, choices=State)
    reserved_at = models.DateTimeField()
    made_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source_id", "product"], condition=Q(state="open"), name="stock_is_reserved_once_by_a_source"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="reservation_is_of_something"),
            models.CheckConstraint(
                condition=Q(mode__in=["daily_limit", "counted"]), name="a_switch_needs_no_reservation"
            ),
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True)
                | Q(state__in=["moved", "released", "returned"], ended_at__isnull=False),
                name="reservation_ends_with_its_state",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "released"]) | Q(made_at__isnull=False), name="what_is_moved_was_made"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["source_id"], name="reservation_by_source"),
            models.Index(fields=["store", "product"], name="reservation_open", condition=Q(state="open")),
            models.Index(
                fields=["store", "product", "id"],
                name="reservation_to_settle",
                condition=Q(state="open", made_at__isnull=False),
            ),
        ]


class StockMovement(models.Model):
    """``quantity`` units came to a store or left it (negative); written once, and once for each source and kind."""

    class Kind(models.TextChoices):
        STOCK_TAKE = "stock_take"
        RECEIPT = "receipt"
        TRANSFER = "transfer"
        WASTE = "waste"
        SALE = "sale"
        PUT_BACK = "put_back"
        UNDO = "undo"
        CONSUMED = "consumed"
        RESTORED = "restored"
        REMAKE = "remake"

    id = models.BigAutoField(primary_key=True)
    store = models.ForeignKey(Store, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    product = models.ForeignKey(Product, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    quantity = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=Kind)
    source_kind = models.CharField(max_length=24)
    source_id = models.UUIDField()
    business_date = models.DateField()
    moved_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source_id", "product", "kind", "store", "source_kind"], name="stock_is_moved_once_by_a_source"
            ),
            models.CheckConstraint(condition=~Q(quantity=0), name="movement_moves_something"),
            models.CheckConstraint(
                condition=Q(kind__in=["receipt", "put_back", "restored"], quantity__gt=0)
                | Q(kind__in=["waste", "sale", "consumed", "remake"], quantity__lt=0)
                | Q(kind__in=["stock_take", "transfer", "undo"]),
                name="movement_goes_the_way_of_its_kind",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["store", "product", "moved_at"], name="movement_by_store_and_product"),
            models.Index(fields=["store", "moved_at"], name="movement_by_store"),
        ]
