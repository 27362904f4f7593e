"""The trail (who did what) and the outbox (what the outside is told), both written with the change itself."""

from typing import ClassVar

from django.db import models

from config.kernel.ids import PublicIdModel


class AuditEntry(PublicIdModel):
    """
    One row for each act of a person and one for each batch of a machine.

    Machine transitions are told by the facts themselves (``accepted_at`` and its like): a row for
    each purchase was measured to cost a third of the throughput.
    """

    PREFIX: ClassVar[str] = "aud"

    at = models.DateTimeField()
    brand_id = models.UUIDField(null=True)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.UUIDField(null=True)
    act = models.CharField(max_length=64)
    subject_kind = models.CharField(max_length=32)
    subject_id = models.UUIDField(null=True)
    subject_count = models.IntegerField(default=1)
    details = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(actor_kind__in=["staff", "customer", "api_client", "machine", "operator"]),
                name="audit_entry_names_a_known_kind_of_actor",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["subject_id"], name="audit_entry_by_subject"),
            models.Index(fields=["brand_id", "at"], name="audit_entry_by_brand"),
        ]


class OutboxMessage(PublicIdModel):
    """What a committed batch announces to subscribers; ``dispatched_at`` once its deliveries exist."""

    PREFIX: ClassVar[str] = "msg"

    brand_id = models.UUIDField()
    topic = models.CharField(max_length=48)
    occurred_at = models.DateTimeField()
    items = models.JSONField()
    item_count = models.IntegerField()
    dispatched_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["id"], name="outbox_message_to_dispatch", condition=models.Q(dispatched_at__isnull=True)
            ),
        ]
