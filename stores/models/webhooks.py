"""Where brands are told what happened, and each message on its way."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel
from stores.models.places import Brand


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
