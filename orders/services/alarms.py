"""Money that did not do what it should: loud in the log, counted and named in the trail."""

import logging
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from config.kernel import audit
from config.kernel.caller import MACHINE

log = logging.getLogger(__name__)

NAMED_AT_MOST = 100


def raise_alarm(
    *,
    reason: str,
    subject_kind: str,
    references: Collection[str],
    at: datetime,
    brand_id: UUID | None = None,
    count: int | None = None,
) -> None:
    """
    Tell people, once for a batch: ``alarm.<reason>`` in the trail, an error in the log.

    ``count`` is how many there are, where ``references`` are only the first of them.

    Runs inside the caller's transaction, so an alarm about something that was rolled back leaves no row.
    """
    named = sorted(references)[:NAMED_AT_MOST]
    count = len(references) if count is None else count
    log.error("%s: %d (%s)", reason, count, ", ".join(named))
    audit.record(
        act=f"alarm.{reason}",
        actor_kind=MACHINE.kind,
        actor_id=None,
        subject_kind=subject_kind,
        subject_count=count,
        brand_id=brand_id,
        details={"references": named},
        at=at,
    )
