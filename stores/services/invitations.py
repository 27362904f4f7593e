"""A manager lets a new colleague in by a link: made, taken back, accepted once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from config.kernel import outbox
from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import IdempotencyConflict, NotAllowed
from stores.errors import (
    InvitationExpired,
    InvitationNotFound,
    InvitationUsed,
    InvitationWithdrawn,
    StoreIsClosed,
)
from stores.models import Invitation, Staff, Store
from stores.permissions import Permission, Role
from stores.queries import store_for_caller
from stores.services import bearer_keys, people, pins, staffing, trail
from stores.services.made import Made

PREFIX = "hxi"


@dataclass(frozen=True)
class Invited:
    """``token`` is here once and nowhere after."""

    invitation: Invitation
    token: str


def invite(*, store: str, role: Role, open_for: timedelta, by: Caller, at: datetime) -> Invited:
    """
    A token that makes whoever accepts it first a clerk or manager of the store.

    Not repeatable, because the token is not kept: who lost the answer takes that one back and makes another.

    Raises:
        MalformedId, StoreNotFound: about ``store``, a public id.
        NotAllowed: ``by`` may not appoint this role there.
        StoreIsClosed: for good.
    """
    here = store_for_caller(by, store, permission=Permission.APPOINT_STAFF, at=at)
    if not staffing.may_appoint(by, brand_id=here.brand_id, role=role, store_id=here.id, at=at):
        raise NotAllowed
    if here.status == Store.Status.CLOSED:
        raise StoreIsClosed(closed_at=here.closed_at.isoformat() if here.closed_at else None)
    assert by.id is not None, "only people invite"
    secret = bearer_keys.new_secret()
    invitation = Invitation(
        brand_id=here.brand_id,
        store_id=here.id,
        role=role,
        token_hash=bearer_keys.hash_of(secret),
        invited_by_id=by.id,
        created_at=at,
        expires_at=at + open_for,
    )
    with transaction.atomic(durable=True):
        invitation.save(force_insert=True)
        details = {"store": here.public_id, "role": role.value}
        trail.leave("invitation.made", invitation, brand_id=here.brand_id, by=by, at=at, details=details)
    return Invited(invitation=invitation, token=bearer_keys.key_of(PREFIX, invitation.id, secret))


def withdraw(*, invitation_id: UUID, by: Caller, at: datetime) -> Invitation:
    """
    Take an invitation back. Repeating changes nothing.

    Raises:
        InvitationNotFound: there is none where ``by`` may appoint its role.
        InvitationUsed: too late; end that colleague's role instead.
    """
    with transaction.atomic(durable=True):
        invitation = lock(Invitation.objects.filter(id=invitation_id))
        if not staffing.may_appoint(
            by,
            brand_id=invitation.brand_id,
            role=Role(invitation.role),
            store_id=invitation.store_id,
            at=at,
        ):
            raise InvitationNotFound
        if invitation.accepted_at is not None:
            raise InvitationUsed
        if invitation.withdrawn_at is None:
            invitation.withdrawn_at = at
            invitation.save(update_fields=["withdrawn_at"])
            trail.leave("invitation.withdrawn", invitation, brand_id=invitation.brand_id, by=by, at=at, details={})
        return invitation


def accept(*, token: str, person: people.NewPerson, pin: str, request_id: UUID, at: datetime) -> Made[Staff]:
    """
    Become what the token says: an account with a sign-in and a PIN, and the role at the store.

    Safe to retry: the same ``request_id`` for the same person gives back what it made.

    Raises:
        InvitationNotFound: no such token.
        InvitationUsed, InvitationWithdrawn, InvitationExpired: it is not open any more.
        UsernameTaken, PasswordTooWeak, PinTooWeak: about what she chose.
        IdempotencyConflict: ``request_id`` came before for somebody else.
    """
    asked = Invitation.objects.filter(token_hash=_hash_of(token))
    first_look = asked.first()
    if first_look is None:
        raise InvitationNotFound
    if first_look.accepted_at is None:  # the slow hashes are for those who may need them
        require_open(first_look, at=at)
    password, pin_hash = people.hashed_password(person), pins.hashed(pin)
    with transaction.atomic(durable=True):
        invitation = lock(asked)
        if invitation.accepted_request_id == request_id:
            return _again(invitation, person)
        require_open(invitation, at=at)
        user = people.admit(person, password=password)
        staff = Staff.objects.create(
            user=user,
            brand_id=invitation.brand_id,
            role=invitation.role,
            store_id=invitation.store_id,
            created_at=at,
        )
        pins.keep(user_id=user.id, brand_id=invitation.brand_id, pin_hash=pin_hash, at=at)
        invitation.accepted_at, invitation.accepted_request_id, invitation.staff = at, request_id, staff
        invitation.save(update_fields=["accepted_at", "accepted_request_id", "staff"])
        herself = Caller(kind=CallerKind.STAFF, id=user.id)
        details = {"invitation": invitation.public_id, "user": user.public_id, "role": invitation.role}
        trail.leave("invitation.accepted", staff, brand_id=staff.brand_id, by=herself, at=at, details=details)
        outbox.announce(brand_id=staff.brand_id, topic="staff.appointed", items=[staffing.told_of(staff)], at=at)
        return Made(staff, is_new=True)


def require_open(invitation: Invitation, *, at: datetime) -> None:
    """
    Raises:
        InvitationUsed, InvitationWithdrawn, InvitationExpired: whichever is so. One whose maker may no longer
            appoint is as good as taken back.
    """
    if invitation.accepted_at is not None:
        raise InvitationUsed
    if invitation.withdrawn_at is not None:
        raise InvitationWithdrawn
    if at >= invitation.expires_at:
        raise InvitationExpired(expires_at=invitation.expires_at.isoformat())
    maker = Caller(kind=CallerKind.STAFF, id=invitation.invited_by_id)
    if not staffing.may_appoint(
        maker,
        brand_id=invitation.brand_id,
        role=Role(invitation.role),
        store_id=invitation.store_id,
        at=at,
    ):
        raise InvitationWithdrawn


def open_invitation(token: str, *, at: datetime) -> Invitation:
    """
    What a token would make of whoever accepts it, for her to read first.

    Raises:
        InvitationNotFound, InvitationUsed, InvitationWithdrawn, InvitationExpired: as they say.
    """
    invitation = Invitation.objects.select_related("brand", "store").filter(token_hash=_hash_of(token)).first()
    if invitation is None:
        raise InvitationNotFound
    require_open(invitation, at=at)
    return invitation


def lock(asked: QuerySet[Invitation]) -> Invitation:
    """
    The one invitation of ``asked``, held to the end of the caller's transaction.

    Raises:
        InvitationNotFound: there is none.
    """
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    invitation = asked.select_for_update(no_key=True).first()
    if invitation is None:
        raise InvitationNotFound
    return invitation


def _again(invitation: Invitation, person: people.NewPerson) -> Made[Staff]:
    staff = invitation.staff
    assert staff is not None, "an accepted invitation has made somebody"
    if (staff.user.username, staff.user.display_name) != (person.username, person.display_name):
        raise IdempotencyConflict(param="Idempotency-Key")
    return Made(staff, is_new=False)


def _hash_of(token: str) -> bytes:
    """Of a token's secret; of anything else, a hash that no invitation has."""
    return bearer_keys.hash_of(token.rpartition("_")[2] if token.startswith(f"{PREFIX}_") else "")
