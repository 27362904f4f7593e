"""Undoing a redemption at the platform that sold the voucher: written down first, then the platform decides."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.accounts.models import User
from config.kernel import audit
from config.kernel.caller import Caller
from stores.queries import stores_for_clerks
from vouchers import errors
from vouchers.issuers import registry
from vouchers.models import IssuerCall, IssuerStore, Redemption, RedemptionRequest, Voucher
from vouchers.services import issuer_calls, reversal, voucher_locks
from vouchers.services.actors import Actor, actor_of
from vouchers.services.issuer_redemption import FIRST_ASKED_AFTER


@dataclass(frozen=True, slots=True)
class Undoing:
    """The redemption, undone or not yet: ``is_decided`` is False while its platform has not said."""

    redemption: Redemption
    is_decided: bool
    is_repeat: bool


def reverse_wherever(*, redemption_id: UUID, operator: User | Caller, request_id: UUID, at: datetime) -> Undoing:
    """
    Undo a redemption of our own, or ask the platform that sold the voucher: what a counter's edge calls.

    Raises:
        DomainError: whatever ``reversal.reverse`` or ``reverse`` raises.
    """
    if Redemption.objects.filter(pk=redemption_id).exclude(voucher__issuer=Voucher.OWN).exists():
        return reverse(redemption_id=redemption_id, operator=operator, request_id=request_id, at=at)
    undone = reversal.reverse(redemption_id=redemption_id, operator=operator, request_id=request_id, at=at)
    return Undoing(undone, is_decided=True, is_repeat=undone.reversed_at != at)


def reverse(*, redemption_id: UUID, operator: User | Caller, request_id: UUID, at: datetime) -> Undoing:
    """
    Take back one redemption that a platform made: whether it can be, and until when, the platform says.

    Safe to retry: the same ``request_id`` gives the undo in its current state and calls nobody. Until the
    platform has decided nothing changes here; the sweeper asks it as it does about redemptions.

    Raises:
        RedemptionNotFound: no such redemption, or the operator may not redeem at its store.
        RedemptionBelongsToOrder, RedemptionAlreadyReversed, RedemptionSettled: as at ``reversal.reverse``.
        ReversalWindowOver: the platform had said until when, and it is later.
        IssuerNotThere: nothing here speaks to that platform.
        ReversalUndecided: another request to undo it has not been decided.
        RefusedByIssuer: the platform said no, now or when this request came first.
    """
    with transaction.atomic(durable=True):
        asked = Redemption.objects.filter(pk=redemption_id).first()
        who = operator if isinstance(operator, Caller) else operator.id
        if asked is None or not stores_for_clerks([(asked.store_id, who)], at):
            raise errors.RedemptionNotFound
        [voucher] = voucher_locks.lock([asked.voucher_id])
        redemption = _lock(redemption_id)
        calls = IssuerCall.objects.filter(redemption_id=redemption_id)
        first = calls.filter(request_id=request_id).first()
        call = first or _write(redemption, voucher, actor_of(who), request_id, at=at)
    if first is None:
        issuer_calls.apply(call, issuer_calls.say(issuer_calls.line_of(call)), at=at)
    call.refresh_from_db()
    if call.outcome == IssuerCall.Outcome.REFUSED:
        raise errors.RefusedByIssuer(issuer=call.issuer, reason=call.reason, reason_code=call.reason_code)
    redemption = Redemption.objects.select_related("voucher").get(pk=redemption_id)
    return Undoing(redemption, call.decided_at is not None, first is not None)


def _lock(redemption_id: UUID) -> Redemption:
    """Held until the question is written: settling skips it, and leaves what a platform is asked about."""
    held = Redemption.objects.select_for_update(no_key=True, of=("self",)).select_related("request")
    return held.get(pk=redemption_id)


def _write(redemption: Redemption, voucher: Voucher, actor: Actor, request_id: UUID, *, at: datetime) -> IssuerCall:
    if redemption.request.source_kind == RedemptionRequest.Source.STORE_ORDER:
        raise errors.RedemptionBelongsToOrder
    if redemption.reversed_at is not None:
        raise errors.RedemptionAlreadyReversed(reversed_at=redemption.reversed_at.isoformat())
    if redemption.settled_at is not None:
        raise errors.RedemptionSettled
    until = redemption.reversible_until
    if until is not None and at >= until:
        raise errors.ReversalWindowOver(reversible_until=until.isoformat())
    if _is_being_undone(redemption):
        raise errors.ReversalUndecided(issuer=voucher.issuer)
    registry.by_name(voucher.issuer)
    call = IssuerCall.objects.create(
        issuer=voucher.issuer,
        kind=IssuerCall.Kind.CANCEL,
        voucher=voucher,
        redemption=redemption,
        actor_kind=actor.kind,
        actor_id=actor.id,
        device_id=actor.device_id,
        request_id=request_id,
        uses=1,
        store_external_id=IssuerStore.objects.get(store_id=redemption.store_id, issuer=voucher.issuer).external_id,
        next_ask_at=at + FIRST_ASKED_AFTER,
        created_at=at,
    )
    audit.record(
        act="voucher.ask_reversal",
        actor_kind=actor.kind,
        actor_id=actor.id,
        subject_kind="redemption",
        subject_id=redemption.id,
        brand_id=voucher.brand_id,
        details={"issuer": voucher.issuer, **actor.told},
        at=at,
    )
    return call


def _is_being_undone(redemption: Redemption) -> bool:
    return IssuerCall.objects.filter(redemption=redemption, decided_at__isnull=True).exists()
