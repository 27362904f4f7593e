"""Audit rows: who did what to what, inside the transaction that did it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from config.kernel.models import AuditEntry


def record(
    *,
    act: str,
    actor_kind: str,
    actor_id: UUID | None,
    subject_kind: str,
    at: datetime,
    brand_id: UUID | None = None,
    subject_id: UUID | None = None,
    subject_count: int = 1,
    details: dict[str, Any] | None = None,
) -> AuditEntry:
    """
    Write the trail of one act, or of one machine batch of ``subject_count`` rows.

    Runs inside the caller's transaction: the act and its trail commit together or not at all.
    """
    assert connection.in_atomic_block, "the trail commits with the act"
    return AuditEntry.objects.create(
        at=at,
        brand_id=brand_id,
        actor_kind=actor_kind,
        actor_id=actor_id,
        act=act,
        subject_kind=subject_kind,
        subject_id=subject_id,
        subject_count=subject_count,
        details=details or {},
    )
