"""A batch's audit rows and outbox rows in one statement, for acts that are written many at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from config.kernel.ids import new_id
from config.kernel.pipeline import Send, as_jsonb

WRITE = """
    WITH trail AS (
        INSERT INTO kernel_auditentry
            (id, at, brand_id, actor_kind, actor_id, act, subject_kind, subject_id, subject_count, details)
        SELECT id, %(at)s, brand_id, actor_kind, actor_id, act, subject_kind, subject_id, subject_count, details
        FROM jsonb_to_recordset(%(acts)s::jsonb) AS k(id uuid, brand_id uuid, actor_kind text, actor_id uuid, act text,
            subject_kind text, subject_id uuid, subject_count int, details jsonb)
    )
    INSERT INTO kernel_outboxmessage (id, brand_id, topic, occurred_at, items, item_count)
    SELECT id, brand_id, topic, %(at)s, items, jsonb_array_length(items)
    FROM jsonb_to_recordset(%(messages)s::jsonb) AS k(id uuid, brand_id uuid, topic text, items jsonb)
"""


@dataclass(frozen=True, slots=True)
class Act:
    """One audit row; the fields are those of ``audit.record``."""

    act: str
    actor_kind: str
    actor_id: UUID | None
    subject_kind: str
    subject_id: UUID | None
    brand_id: UUID | None
    subject_count: int = 1
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One outbox row; the fields are those of ``outbox.announce``."""

    brand_id: UUID
    topic: str
    items: list[dict[str, Any]]


def send_trail(send: Send, acts: Sequence[Act], messages: Sequence[Message], *, at: datetime) -> None:
    """Write who did what, and what the outside is told, on the caller's trip and in its transaction."""
    rows = [_row(act) for act in acts]
    told = [{"id": new_id(), "brand_id": m.brand_id, "topic": m.topic, "items": m.items} for m in messages]
    send(WRITE, {"acts": as_jsonb(rows), "messages": as_jsonb(told), "at": at})


def _row(act: Act) -> dict[str, Any]:
    # Not dataclasses.asdict: copying everything deeply costs more than the rest of the row.
    return {
        "id": new_id(),
        "brand_id": act.brand_id,
        "actor_kind": act.actor_kind,
        "actor_id": act.actor_id,
        "act": act.act,
        "subject_kind": act.subject_kind,
        "subject_id": act.subject_id,
        "subject_count": act.subject_count,
        "details": act.details,
    }
