"""Live sessions: made, opened, paused, resumed and closed; their offers go along in the same transaction."""

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from config.kernel import audit
from config.kernel.caller import MACHINE, Caller
from config.kernel.idempotency import content_hash
from livestream.errors import SessionClosed, SessionNotOpen, SessionTimesInvalid, ShelfExists, ShelfHasNoEnd
from livestream.models import LiveSession
from stores.services import trail
from stores.services.made import Key, Made, insert_once, made_before
from vouchers.services import session_offers

State = LiveSession.State


class SessionChanges(TypedDict, total=False):
    title: str
    starts_at: datetime
    ends_at: datetime | None


def create(
    *,
    brand_id: UUID,
    title: str,
    is_standing: bool = False,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    request_id: UUID,
    by: Caller,
    at: datetime,
) -> Made[LiveSession]:
    """
    A session to fill and then to open; without ``starts_at`` it is announced for now.

    Safe to retry: the same ``request_id`` with the same content is the same session, whatever became of it.

    Raises:
        SessionTimesInvalid: it would end before it starts, or has ended by now.
        ShelfHasNoEnd: a standing session with ``ends_at``.
        ShelfExists: the brand has one that is not closed.
        IdempotencyConflict: ``request_id`` came before with other content.
    """
    content = content_hash(title=title, is_standing=is_standing, starts_at=starts_at, ends_at=ends_at)
    key = Key(brand_id, request_id, content)
    if first := made_before(LiveSession.objects.all(), key):
        return first
    session = LiveSession(
        title=title,
        is_standing=is_standing,
        starts_at=starts_at or at,
        ends_at=ends_at,
        created_at=at,
        **key._asdict(),
    )
    _check_times(is_standing, session.starts_at, ends_at, at=at)
    with transaction.atomic(durable=True):
        try:
            made = insert_once(session, key)
        except IntegrityError:
            if not is_standing:
                raise
            raise ShelfExists from None
        if made.is_new:
            told = {"title": title, "is_standing": is_standing}
            trail.leave("session.created", session, brand_id=brand_id, by=by, at=at, details=told)
    return made


def edit(*, session: LiveSession, changes: SessionChanges, by: Caller, at: datetime) -> LiveSession:
    """
    Change what is announced. Repeating changes nothing.

    Raises:
        SessionClosed: it is over.
        SessionTimesInvalid, ShelfHasNoEnd: as ``create``.
    """
    with transaction.atomic(durable=True):
        session = lock(session)
        if session.state == State.CLOSED:
            raise SessionClosed
        if changes.keys() & {"starts_at", "ends_at"}:
            starts_at = changes.get("starts_at", session.starts_at)
            _check_times(session.is_standing, starts_at, changes.get("ends_at", session.ends_at), at=at)
        if told := trail.change(session, dict(changes)):
            trail.leave("session.edited", session, brand_id=session.brand_id, by=by, at=at, details=told)
        return session


def open_session(*, session: LiveSession, by: Caller, at: datetime) -> LiveSession:
    """
    Go live: what is listed goes on sale, each offer from its own ``opens_at``. Repeating changes nothing.

    Raises:
        SessionClosed: it is over.
        SessionNotOpen: it is paused; resume it.
        SessionTimesInvalid: its ``ends_at`` has come already.
    """
    with transaction.atomic(durable=True):
        session = lock(session)
        if session.state == State.OPEN:
            return session
        _require(session, State.DRAFT)
        _check_times(session.is_standing, session.starts_at, session.ends_at, at=at)
        released = session_offers.release(session_id=session.id)
        session.opened_at = at
        return _turn(session, State.OPEN, "session.opened", by=by, at=at, details={"offers_released": released})


def pause(*, session: LiveSession, by: Caller, at: datetime) -> LiveSession:
    """
    Stop selling everything listed, until ``resume``; the live page stays. Repeating changes nothing.

    Each offer keeps its own state below: one that was paused by itself stays so after ``resume``.

    Raises:
        SessionClosed: it is over.
        SessionNotOpen: it was never opened.
    """
    with transaction.atomic(durable=True):
        session = lock(session)
        if session.state == State.PAUSED:
            return session
        _require(session, State.OPEN)
        session_offers.hold_back(session_id=session.id)
        return _turn(session, State.PAUSED, "session.paused", by=by, at=at)


def resume(*, session: LiveSession, by: Caller, at: datetime) -> LiveSession:
    """
    Sell on after a pause. Repeating changes nothing.

    Raises:
        SessionClosed: it is over.
        SessionNotOpen: it was never opened.
    """
    with transaction.atomic(durable=True):
        session = lock(session)
        if session.state == State.OPEN:
            return session
        _require(session, State.PAUSED)
        session_offers.let_go(session_id=session.id)
        return _turn(session, State.OPEN, "session.resumed", by=by, at=at)


def close(*, session: LiveSession, by: Caller, at: datetime) -> LiveSession:
    """End a session for good, and with it the sale of everything listed. Repeating changes nothing."""
    with transaction.atomic(durable=True):
        session = lock(session)
        if session.state == State.CLOSED:
            return session
        closed = session_offers.close(session_ids=[session.id], at=at)
        session.closed_at = at
        return _turn(session, State.CLOSED, "session.closed", by=by, at=at, details={"offers_closed": closed})


def close_due(*, limit: int, at: datetime) -> int:
    """
    Close sessions whose ``ends_at`` has come; the number closed, 0 when none is due.

    Sessions that somebody is acting on are left to the next run.
    """
    with transaction.atomic(durable=True):
        due = LiveSession.objects.filter(state__in=[State.OPEN, State.PAUSED], ends_at__lte=at).order_by("ends_at")
        ids = list(due.select_for_update(skip_locked=True, no_key=True).values_list("id", flat=True)[:limit])
        if not ids:
            return 0
        closed = session_offers.close(session_ids=ids, at=at)
        LiveSession.objects.filter(id__in=ids).update(state=State.CLOSED, closed_at=at)
        audit.record(
            act="sessions.closed_at_their_end",
            actor_kind=MACHINE.kind,
            actor_id=None,
            subject_kind="livesession",
            subject_count=len(ids),
            details={"offers_closed": closed},
            at=at,
        )
        return len(ids)


def lock(session: LiveSession) -> LiveSession:
    """
    The session's row as it is now, locked: acts on a session and its listings follow each other.

    Runs inside the caller's transaction, before any offer is locked.
    """
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    return LiveSession.objects.select_for_update(no_key=True).get(pk=session.pk)


def _require(session: LiveSession, state: LiveSession.State) -> None:
    if session.state == State.CLOSED:
        raise SessionClosed
    if session.state != state:
        raise SessionNotOpen


def _turn(
    session: LiveSession,
    state: LiveSession.State,
    act: str,
    *,
    by: Caller,
    at: datetime,
    details: dict[str, object] | None = None,
) -> LiveSession:
    session.state = state
    session.save(update_fields=["state", "opened_at", "closed_at"])
    trail.leave(act, session, brand_id=session.brand_id, by=by, at=at, details=details or {})
    return session


def _check_times(is_standing: bool, starts_at: datetime, ends_at: datetime | None, *, at: datetime) -> None:
    if ends_at is None:
        return
    if is_standing:
        raise ShelfHasNoEnd(param="ends_at")
    if ends_at <= max(starts_at, at):
        raise SessionTimesInvalid(param="ends_at")
