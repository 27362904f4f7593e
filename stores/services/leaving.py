"""Somebody leaves a brand: one act, and nothing of hers works there any more."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from config.accounts.models import User
from config.kernel import outbox
from config.kernel.caller import Caller
from config.kernel.errors import NotAllowed
from stores.errors import LastOwner
from stores.models import Invitation, Pin, Staff
from stores.permissions import Role
from stores.services import brands, staffing, trail


@dataclass(frozen=True)
class Left:
    """``staff`` are the roles that this call ended; none where she had left before."""

    user: User
    brand_id: UUID
    staff: tuple[Staff, ...]
    invitations_withdrawn: int


def leave(*, staff_id: UUID, by: Caller, at: datetime) -> Left:
    """
    End every role that the person behind a staff row has in its brand, every session of hers anywhere, her PIN
    there and the invitations she made. Devices that she bound are the store's, and stay. Repeating changes nothing.

    It takes power over each of her roles. A redemption under way in her name is waited for; one that comes
    later is refused.

    Raises:
        StaffNotFound: no such row where ``by`` may end one.
        NotAllowed: she has another role that ``by`` may not end.
        LastOwner: a brand keeps one.
    """
    named = staffing.in_power(staff_id, by=by, at=at)
    brand_id = named.brand_id
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        user = User.objects.select_for_update(no_key=True).get(id=named.user_id)
        held = list(
            Staff.objects.select_for_update(no_key=True)
            .filter(user=user, brand_id=brand_id, ended_at=None)
            .order_by("id")
        )
        if not held:
            return Left(user=user, brand_id=brand_id, staff=(), invitations_withdrawn=0)
        for staff in held:
            _require_power(by, staff, at=at)
        if any(staff.role == Role.OWNER for staff in held) and not staffing.other_owners(held[0]).exists():
            raise LastOwner
        Staff.objects.filter(id__in=[staff.id for staff in held]).update(ended_at=at)
        for staff in held:
            staff.ended_at = at
        Pin.objects.filter(user=user, brand_id=brand_id).delete()
        withdrawn = withdraw_invitations_of(user, brand_id=brand_id, at=at)
        user.sessions_from = at
        user.save(update_fields=["sessions_from"])
        details = {
            "user": user.public_id,
            "roles": [staff.public_id for staff in held],
            "invitations_withdrawn": withdrawn,
        }
        trail.leave("staff.left", named, brand_id=brand_id, by=by, at=at, details=details)
        outbox.announce(
            brand_id=brand_id, topic="staff.ended", items=[staffing.told_of(staff) for staff in held], at=at
        )
        return Left(user=user, brand_id=brand_id, staff=tuple(held), invitations_withdrawn=withdrawn)


def withdraw_invitations_of(user: User, *, brand_id: UUID, at: datetime) -> int:
    """Take back what she invited to and nobody accepted. Runs inside the caller's transaction."""
    assert connection.in_atomic_block, "it goes with her"
    hers = Invitation.objects.filter(invited_by=user, brand_id=brand_id, accepted_at=None, withdrawn_at=None)
    return hers.update(withdrawn_at=at)


def _require_power(by: Caller, staff: Staff, *, at: datetime) -> None:
    if by.id != staff.user_id and not staffing.may_appoint(
        by, brand_id=staff.brand_id, role=Role(staff.role), store_id=staff.store_id, at=at
    ):
        raise NotAllowed
