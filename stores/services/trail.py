"""The audit row of an act on one row of this app."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models

from config.kernel import audit
from config.kernel.caller import Caller
from config.kernel.ids import PublicIdModel


def leave(
    act: str, subject: PublicIdModel, *, brand_id: UUID, by: Caller, at: datetime, details: dict[str, Any]
) -> None:
    """Say who did what to ``subject``, inside the transaction that does it."""
    audit.record(
        act=act,
        actor_kind=by.actor_kind,
        actor_id=by.id,
        brand_id=brand_id,
        subject_kind=subject._meta.model_name or "",
        subject_id=subject.id,
        details=details,
        at=at,
    )


def change(row: models.Model, changes: dict[str, Any]) -> dict[str, Any]:
    """
    Set and save the fields of ``changes`` that differ; what they were and are, for the trail.

    Runs inside the caller's transaction, on a row it has locked.
    """
    changed = {name: value for name, value in changes.items() if getattr(row, name) != value}
    told = {name: [_plain(getattr(row, name)), _plain(value)] for name, value in changed.items()}
    for name, value in changed.items():
        setattr(row, name, value)
    if changed:
        row.save(update_fields=list(changed))
    return told


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool | dict | list) else str(value)
