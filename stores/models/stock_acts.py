"""What people do to a store's stock: goods come, go, are thrown away, are counted; and that undone."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models.places import Store


class StockTransfer(PublicIdModel):
    """
    Goods on their way from one store to another.

    SENT took them from the one, RECEIVED brought what arrived to the other; what did not arrive is in neither,
    and the difference between the two acts says so. Each act touches its own store only.
    """

    PREFIX: ClassVar[str] = "stf"

    class State(models.TextChoices):
        SENT = "sent"
        RECEIVED = "received"
        CALLED_BACK = "called_back"

    from_store = models.ForeignKey(Store, models.PROTECT, db_index=False, related_name="+")
    to_store = models.ForeignKey(Store, models.PROTECT, db_index=False, related_name="+")
    state = models.CharField(max_length=12, choices=State)
    sent_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(from_store=F("to_store")), name="transfer_is_between_two_stores"),
            models.CheckConstraint(
                condition=Q(state="sent", ended_at__isnull=True)
                | Q(state__in=["received", "called_back"], ended_at__isnull=False),
                name="transfer_ends_with_its_state",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["from_store", "sent_at"], name="transfer_by_sender"),
            models.Index(fields=["to_store", "sent_at"], name="transfer_by_receiver"),
        ]


class StockAct(PublicIdModel):
    """
    One act of one person at one store, as she said it; its movements name it as their source. Written once.

    ``lines`` are ``[{"product": "prd_…", "quantity": 12}]``: what came, what went, or what was counted. The act that
    undoes another names it in ``undoes``; its own cannot be undone.
    """

    PREFIX: ClassVar[str] = "sta"

    class Kind(models.TextChoices):
        RECEIPT = "receipt"
        WASTE = "waste"
        STOCK_TAKE = "stock_take"
        SENT = "sent"
        RECEIVED = "received"
        UNDO = "undo"

    store = models.ForeignKey(Store, models.PROTECT, db_index=False, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind)
    request_id = models.UUIDField()
    content_hash = models.BinaryField(max_length=16)
    lines = models.JSONField()
    reason = models.CharField(max_length=128, blank=True)
    transfer = models.ForeignKey(StockTransfer, models.PROTECT, null=True, blank=True, related_name="acts")
    undoes = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="undone_by")
    by_kind = models.CharField(max_length=16)
    by_id = models.UUIDField(null=True, blank=True)
    done_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "request_id"], name="stock_act_is_done_once"),
            models.CheckConstraint(condition=~Q(kind="waste", reason=""), name="waste_has_its_reason"),
            models.CheckConstraint(
                condition=Q(kind__in=["sent", "received"], transfer__isnull=False)
                | Q(kind="undo")
                | Q(kind__in=["receipt", "waste", "stock_take"], transfer__isnull=True),
                name="transfer_has_its_acts",
            ),
            models.CheckConstraint(
                condition=Q(kind="undo", undoes__isnull=False) | (~Q(kind="undo") & Q(undoes__isnull=True)),
                name="undo_names_what_it_undoes",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["store", "done_at"], name="stock_act_by_store")]
