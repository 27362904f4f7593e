"""Money in and out: payments, the inbox of what providers tell us, refunds."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel
from orders.models.purchases import Purchase
from orders.models.store_orders import StoreOrder
from orders.models.surcharges import Surcharge
from vouchers.models import Voucher

FOR_ONE_THING = Q(purchase__isnull=False, store_order__isnull=True) | Q(
    purchase__isnull=True, store_order__isnull=False
)


class Payment(PublicIdModel):
    """
    One attempt to pay at a provider, for a purchase or for what is due of a store order.

    Its public id is the provider's merchant reference.
    """

    PREFIX: ClassVar[str] = "pay"

    class Status(models.TextChoices):
        CREATED = "created"
        PENDING = "pending"
        CAPTURED = "captured"
        FAILED = "failed"
        CLOSED = "closed"

    purchase = models.ForeignKey(
        Purchase, models.PROTECT, db_constraint=False, related_name="payments", null=True, blank=True
    )
    store_order = models.ForeignKey(
        StoreOrder, models.PROTECT, db_constraint=False, db_index=False, related_name="payments", null=True, blank=True
    )
    customer_id = models.UUIDField()
    provider = models.CharField(max_length=16)
    amount_fen = models.BigIntegerField()
    status = models.CharField(max_length=8, choices=Status, default=Status.CREATED)
    captured_fen = models.BigIntegerField(null=True, blank=True)
    provider_reference = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    captured_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="payment_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(status="captured", captured_at__isnull=False, captured_fen__gt=0)
                | (~Q(status="captured") & Q(captured_at__isnull=True, captured_fen__isnull=True)),
                name="payment_is_captured_when_and_how_much",
            ),
            models.CheckConstraint(condition=FOR_ONE_THING, name="payment_is_for_one_thing"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["store_order"], name="payment_by_store_order", condition=Q(store_order__isnull=False)),
        ]


class PaymentNotice(models.Model):
    """
    What a provider told us, stored before it was answered. One row for each event in a notice.

    ``provider_event_id`` is unique per provider, so a duplicate costs one ignored insert. A notice of
    something we do not know stays unapplied; ``look_at`` is when it is looked at again.
    """

    class Outcome(models.TextChoices):
        APPLIED = "applied"
        REPEATED = "repeated"
        REFUNDED = "refunded"

    id = models.BigAutoField(primary_key=True)
    provider = models.CharField(max_length=16)
    provider_event_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=24)
    reference = models.CharField(max_length=48)
    provider_reference = models.CharField(max_length=64, blank=True)
    amount_fen = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    looks = models.PositiveSmallIntegerField(default=0)
    look_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome, null=True, blank=True)  # noqa: DJ001 - set once, with applied_at

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "provider_event_id"], name="notice_is_stored_once"),
            models.CheckConstraint(
                condition=Q(applied_at__isnull=True, outcome__isnull=True)
                | Q(applied_at__isnull=False, outcome__isnull=False),
                name="notice_is_applied_with_an_outcome",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["kind", "look_at"], name="notice_to_apply", condition=Q(applied_at__isnull=True)),
            # Few: captures that nobody wanted. Their transaction is known from here alone.
            models.Index(fields=["reference"], name="notice_given_back", condition=Q(outcome="refunded")),
        ]


class Refund(PublicIdModel):
    """
    Money on its way back: a voucher's unused uses, a surcharge whose drink was undone, a store order's cash, or a
    capture that was not wanted. It goes to the payment of a purchase or store order, or to a surcharge, which is
    its own payment.

    A voucher can have several, one after the other: a use whose redemption is undone after the others
    were refunded is refunded on its own. An unwanted capture's ``source_id`` is made of payment and
    provider transaction, and has one. Its public id is the provider's idempotency key.
    """

    PREFIX: ClassVar[str] = "rfd"
    MOST_ATTEMPTS: ClassVar[int] = 8  # refused so often, it becomes people's work

    class Status(models.TextChoices):
        REQUESTED = "requested"
        SENT = "sent"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    class Source(models.TextChoices):
        VOUCHER = "voucher"
        EXPIRED_VOUCHER = "expired_voucher"
        UNWANTED_CAPTURE = "unwanted_capture"
        SURCHARGE = "surcharge"
        STORE_ORDER = "store_order"
        AFTER_USE = "after_use"

    payment = models.ForeignKey(
        Payment, models.PROTECT, db_constraint=False, null=True, blank=True, related_name="refunds"
    )
    purchase = models.ForeignKey(
        Purchase, models.PROTECT, db_constraint=False, null=True, blank=True, related_name="refunds"
    )
    store_order = models.ForeignKey(
        StoreOrder, models.PROTECT, db_constraint=False, db_index=False, related_name="refunds", null=True, blank=True
    )
    surcharge = models.ForeignKey(
        Surcharge, models.PROTECT, db_constraint=False, db_index=False, null=True, blank=True, related_name="refunds"
    )
    customer_id = models.UUIDField()
    source_kind = models.CharField(max_length=16, choices=Source)
    source_id = models.UUIDField()
    amount_fen = models.BigIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.REQUESTED)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    last_error = models.CharField(max_length=256, blank=True)
    requested_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    succeeded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="refund_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(
                    payment__isnull=False, purchase__isnull=False, store_order__isnull=True, surcharge__isnull=True
                )
                & ~Q(source_kind__in=["surcharge", "store_order"])
                | Q(
                    payment__isnull=False,
                    purchase__isnull=True,
                    store_order__isnull=False,
                    surcharge__isnull=True,
                    source_kind__in=["store_order", "unwanted_capture"],
                )
                | Q(
                    payment__isnull=True,
                    purchase__isnull=True,
                    store_order__isnull=True,
                    surcharge__isnull=False,
                    source_kind__in=["surcharge", "unwanted_capture"],
                ),
                name="refund_goes_to_what_was_paid",
            ),
            models.CheckConstraint(
                condition=Q(status="succeeded", succeeded_at__isnull=False)
                | (~Q(status="succeeded") & Q(succeeded_at__isnull=True)),
                name="refund_status_agrees_with_its_time",
            ),
            models.UniqueConstraint(
                fields=["source_id"], condition=Q(source_kind="unwanted_capture"), name="capture_is_refunded_once"
            ),
            models.UniqueConstraint(
                fields=["source_id"], condition=Q(source_kind="surcharge"), name="surcharge_is_refunded_once"
            ),
            models.UniqueConstraint(
                fields=["source_id"], condition=Q(source_kind="store_order"), name="store_order_is_refunded_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["source_id"], name="refund_by_source"),
            models.Index(fields=["store_order"], name="refund_by_store_order", condition=Q(store_order__isnull=False)),
            models.Index(fields=["surcharge"], name="refund_by_surcharge", condition=Q(surcharge__isnull=False)),
            models.Index(fields=["due_at"], name="refund_due", condition=Q(status__in=["requested", "sent", "failed"])),
        ]


class RefundRequest(PublicIdModel):
    """
    A customer gave back what is unused of a voucher, once per (customer, request_id).

    ``refund`` is the money on its way; uses that cost nothing are given back without one.
    """

    PREFIX: ClassVar[str] = "rfq"

    customer_id = models.UUIDField()
    request_id = models.UUIDField()
    voucher = models.ForeignKey(Voucher, models.PROTECT, db_constraint=False, related_name="refund_requests")
    refund = models.OneToOneField(Refund, models.PROTECT, db_constraint=False, null=True, blank=True)
    amount_fen = models.BigIntegerField()
    requested_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer_id", "request_id"], name="refund_request_is_answered_once"),
            models.CheckConstraint(
                condition=Q(amount_fen=0, refund__isnull=True) | Q(amount_fen__gt=0, refund__isnull=False),
                name="refund_request_has_its_refund",
            ),
        ]
