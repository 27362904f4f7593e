"""The kill switches: stop the sale of an offer, a live session or the whole brand, and let it go on."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.kernel import audit
from config.kernel.caller import Caller
from vouchers.models import SellingSwitch

Scope = SellingSwitch.Scope


def stop(*, scope: Scope, scope_id: UUID, brand_id: UUID, reason: str, by: Caller, at: datetime) -> SellingSwitch:
    """
    Stop selling there at once. The caller has made sure that ``scope_id`` is the brand's.

    Waits for no sale and no sale waits for it: a batch that reads its switches after this commit sells
    nothing there. Repeating keeps the first moment and takes the new reason.
    """
    return _throw(scope=scope, scope_id=scope_id, brand_id=brand_id, stops=True, reason=reason, by=by, at=at)


def resume(*, scope: Scope, scope_id: UUID, brand_id: UUID, by: Caller, at: datetime) -> SellingSwitch:
    """Let the sale go on there; other switches that stand still stop it. Repeating changes nothing."""
    return _throw(scope=scope, scope_id=scope_id, brand_id=brand_id, stops=False, reason="", by=by, at=at)


def _throw(
    *, scope: Scope, scope_id: UUID, brand_id: UUID, stops: bool, reason: str, by: Caller, at: datetime
) -> SellingSwitch:
    with transaction.atomic(durable=True):
        SellingSwitch.objects.bulk_create(
            [SellingSwitch(scope=scope, scope_id=scope_id, changed_at=at)], ignore_conflicts=True
        )
        switch = SellingSwitch.objects.select_for_update().get(scope=scope, scope_id=scope_id)
        stopped_at = (switch.stopped_at or at) if stops else None
        if (switch.stopped_at, switch.reason) == (stopped_at, reason):
            return switch
        switch.stopped_at, switch.reason, switch.changed_at = stopped_at, reason, at
        switch.save(update_fields=["stopped_at", "reason", "changed_at"])
        audit.record(
            act="selling.stopped" if stops else "selling.resumed",
            actor_kind=by.kind,
            actor_id=by.id,
            brand_id=brand_id,
            subject_kind=scope.value,
            subject_id=scope_id,
            details={"reason": reason},
            at=at,
        )
    return switch
