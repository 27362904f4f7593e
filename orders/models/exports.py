"""Statements as files: asked for, written by a worker, kept for a day."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models import Brand, Store


class StatementExport(PublicIdModel):
    """
    A workbook of statement lines that somebody asked for, once per (brand, request_id).

    ``entity_ids`` is whose money she might see when she asked, null for the whole brand's. A worker holds it until
    ``due_at``; then another one may take it, which ``attempts`` tells apart. The file goes with ``expires_at``.
    """

    PREFIX: ClassVar[str] = "exp"
    MOST_ATTEMPTS: ClassVar[int] = 3

    class Status(models.TextChoices):
        WAITING = "waiting"
        WRITING = "writing"
        READY = "ready"
        EXPIRED = "expired"
        FAILED = "failed"

    brand = models.ForeignKey(Brand, models.PROTECT, db_index=False, related_name="+")
    entity_ids = ArrayField(models.UUIDField(), null=True, blank=True)
    store = models.ForeignKey(Store, models.PROTECT, db_index=False, null=True, blank=True, related_name="+")
    since = models.DateField()
    until = models.DateField()
    asked_by_id = models.UUIDField(null=True, blank=True)
    request_id = models.UUIDField()
    content_hash = models.BinaryField(max_length=16)
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    line_count = models.PositiveIntegerField()
    lines_written = models.PositiveIntegerField(default=0)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "request_id"], name="export_is_asked_for_once"),
            models.CheckConstraint(condition=Q(until__gt=F("since")), name="export_covers_a_day"),
            models.CheckConstraint(
                condition=Q(
                    status__in=["ready", "expired"],
                    ready_at__isnull=False,
                    expires_at__isnull=False,
                    size_bytes__isnull=False,
                )
                | Q(
                    status__in=["waiting", "writing", "failed"],
                    ready_at__isnull=True,
                    expires_at__isnull=True,
                    size_bytes__isnull=True,
                ),
                name="export_status_agrees_with_its_times",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="export_to_write", condition=Q(status__in=["waiting", "writing"])),
            models.Index(fields=["expires_at"], name="export_to_expire", condition=Q(status="ready")),
        ]


class ExportPiece(models.Model):
    """A quarter of a megabyte of a file; all of an export's pieces in their order are the file."""

    id = models.BigAutoField(primary_key=True)
    export = models.ForeignKey(StatementExport, models.PROTECT, db_index=False, related_name="pieces")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["export", "number"], name="export_piece_has_its_place"),
        ]
