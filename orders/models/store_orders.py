"""An order at a store: what she will drink, the vouchers that pay for it, and what is left to pay."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand, Product, Store
from vouchers.models import Voucher


class StoreOrder(PublicIdModel):
    """
    One cart at one store; lines, vouchers and amounts are frozen when it is placed.

    (customer, request_id) is unique: a repeat finds the same order. While PLACED its uses are held under
    ``fence`` (none where it uses no voucher) and its cups reserved until ``pay_until``; CONFIRMED turned them
    into redemptions of ``redemption_request_id``. ``business_date`` is the day of the pick-up number: the
    store's when the order was placed, then when it was confirmed; ``give_up_at``, an hour after the closing behind
    its slot, is when what is not made or not collected ends by itself. ``lapsed_at`` stays where a late payment
    revived the order. It counts ``slot_cups`` in the quarter of an hour that begins at ``slot_at``, until it is
    undone; ``pick_up_at`` is the slot she asked for, null for as soon as possible, and ``expected_at``
    when she was told that it would be ready.
    """

    PREFIX: ClassVar[str] = "ord"

    class Status(models.TextChoices):
        PLACED = "placed"
        CONFIRMED = "confirmed"
        ACCEPTED = "accepted"
        MAKING = "making"
        READY = "ready"
        COLLECTED = "collected"
        UNCOLLECTED = "uncollected"
        LAPSED = "lapsed"
        CANCELLED = "cancelled"
        REJECTED = "rejected"

    brand = models.ForeignKey(Brand, models.PROTECT, db_constraint=False, db_index=False)
    store = models.ForeignKey(Store, models.PROTECT, db_constraint=False, db_index=False)
    customer_id = models.UUIDField()
    request_id = models.UUIDField()
    content_hash = models.BinaryField(max_length=16)
    status = models.CharField(max_length=12, choices=Status)
    total_fen = models.BigIntegerField()
    off_fen = models.BigIntegerField()
    due_fen = models.BigIntegerField()
    slot_at = models.DateTimeField()
    slot_cups = models.PositiveSmallIntegerField()
    pick_up_at = models.DateTimeField(null=True, blank=True)
    expected_at = models.DateTimeField()
    fence = models.BigIntegerField(null=True, blank=True)
    business_date = models.DateField()
    pickup_number = models.PositiveSmallIntegerField(null=True, blank=True)
    redemption_request_id = models.UUIDField(null=True, blank=True)
    reason = models.CharField(max_length=128, blank=True)
    placed_at = models.DateTimeField()
    pay_until = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    making_at = models.DateTimeField(null=True, blank=True)
    ready_at = models.DateTimeField(null=True, blank=True)
    collected_at = models.DateTimeField(null=True, blank=True)
    lapsed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    alarmed_at = models.DateTimeField(null=True, blank=True)
    give_up_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer_id", "request_id"], name="store_order_is_placed_once"),
            models.UniqueConstraint(
                fields=["store", "business_date", "pickup_number"], name="pickup_number_is_one_orders_a_day"
            ),
            models.CheckConstraint(
                condition=Q(pickup_number__isnull=True) | Q(pickup_number__gte=100),
                name="pickup_number_has_three_digits_or_more",
            ),
            models.CheckConstraint(
                condition=Q(total_fen=F("off_fen") + F("due_fen"), off_fen__gte=0, due_fen__gte=0),
                name="store_order_is_paid_by_vouchers_and_cash",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["placed", "lapsed"], confirmed_at__isnull=True, pickup_number__isnull=True)
                | Q(
                    status__in=[
                        "confirmed",
                        "accepted",
                        "making",
                        "ready",
                        "collected",
                        "uncollected",
                        "cancelled",
                        "rejected",
                    ],
                    confirmed_at__isnull=False,
                    pickup_number__isnull=False,
                ),
                name="store_order_is_confirmed_with_its_number",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["placed", "confirmed", "cancelled", "rejected"])
                | Q(status="lapsed", lapsed_at__isnull=False)
                | Q(status="accepted", accepted_at__isnull=False, making_at__isnull=True)
                | Q(status="making", accepted_at__isnull=False, making_at__isnull=False, ready_at__isnull=True)
                | Q(status="ready", ready_at__isnull=False, collected_at__isnull=True)
                | Q(status="collected", ready_at__isnull=False, collected_at__isnull=False)
                | Q(status="uncollected", ready_at__isnull=False, collected_at__isnull=True),
                name="store_order_status_agrees_with_its_times",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["uncollected", "cancelled", "rejected"], ended_at__isnull=False)
                | (~Q(status__in=["uncollected", "cancelled", "rejected"]) & Q(ended_at__isnull=True)),
                name="store_order_ends_when",
            ),
            models.CheckConstraint(condition=~Q(status="rejected", reason=""), name="rejection_has_its_reason"),
            models.CheckConstraint(condition=Q(slot_cups__gt=0), name="store_order_is_of_a_cup"),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True) | Q(status__in=["ready", "collected", "uncollected"]),
                name="settled_store_order_is_not_undone",
            ),
        ]
        indexes: ClassVar = [
            # Work by state: leases to end, orders nobody accepted, orders left at closing. The set stays a day's.
            models.Index(
                fields=["store", "status", "placed_at"],
                name="store_order_board",
                condition=Q(status__in=["placed", "confirmed", "accepted", "making", "ready"]),
            ),
            models.Index(fields=["pay_until"], name="store_order_to_lapse", condition=Q(status="placed")),
            models.Index(fields=["confirmed_at"], name="store_order_to_accept", condition=Q(status="confirmed")),
            models.Index(
                fields=["give_up_at"],
                name="store_order_to_give_up",
                condition=Q(status__in=["confirmed", "accepted", "making", "ready"]),
            ),
            models.Index(fields=["customer_id", "id"], name="store_order_by_customer"),
            models.Index(
                fields=["ready_at"],
                name="store_order_to_settle",
                condition=Q(status__in=["ready", "collected", "uncollected"], due_fen__gt=0, settled_at__isnull=True),
            ),
        ]


class StoreOrderLine(models.Model):
    """
    ``quantity`` units of a product with the same options, as it was called and priced then; written once.

    ``options`` are ``[{"option": "opt_…", "name": …, "price_delta_fen": …}]``. Of ``unit_fen`` × ``quantity``
    the vouchers took ``off_fen``; the rest was due. Where ``product`` was made instead of one that was sold out, that
    is ``instead_of``, and the price is that one's.
    """

    order = models.ForeignKey(StoreOrder, models.PROTECT, db_constraint=False, db_index=False, related_name="lines")
    position = models.PositiveSmallIntegerField()
    product = models.ForeignKey(Product, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    name = models.CharField(max_length=128)
    options = models.JSONField(default=list)
    unit_fen = models.BigIntegerField()
    quantity = models.PositiveSmallIntegerField()
    off_fen = models.BigIntegerField()
    due_fen = models.BigIntegerField()
    instead_of = models.ForeignKey(
        Product, models.PROTECT, db_constraint=False, db_index=False, related_name="+", null=True, blank=True
    )
    instead_of_name = models.CharField(max_length=128, blank=True, default="", db_default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "position"], name="order_line_has_its_place"),
            models.CheckConstraint(
                condition=Q(quantity__range=(1, 99), off_fen__gte=0, due_fen__gte=0),
                name="order_line_is_a_number_of_units",
            ),
            models.CheckConstraint(
                condition=Q(off_fen=F("unit_fen") * F("quantity") - F("due_fen")),
                name="order_line_is_paid_by_vouchers_and_cash",
            ),
        ]


class AppliedVoucher(models.Model):
    """One use of a voucher in an order, and what it took off which lines: ``{"0": 1900}`` by position; written once."""

    order = models.ForeignKey(StoreOrder, models.PROTECT, db_constraint=False, db_index=False, related_name="applied")
    voucher = models.ForeignKey(Voucher, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    customer_id = models.UUIDField()
    serial = models.PositiveSmallIntegerField()
    off_fen = models.BigIntegerField()
    off_lines = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "voucher", "serial"], name="use_is_applied_once_in_an_order"),
            models.CheckConstraint(condition=Q(off_fen__gte=0), name="applied_voucher_takes_nothing_on_top"),
        ]


class PickupCounter(models.Model):
    """The last pick-up number of a store and business day; an order takes the next one when it is confirmed."""

    store = models.ForeignKey(Store, models.PROTECT, db_index=False, related_name="+")
    business_date = models.DateField()
    last = models.PositiveSmallIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "business_date"], name="pickup_counter_is_one_a_day"),
        ]
