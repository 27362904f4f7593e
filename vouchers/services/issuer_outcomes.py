"""What a platform answered, onto our rows: each call is decided once, whoever brings the answer."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from config.kernel.caller import CallerKind
from config.kernel.pipeline import pipelined
from stores.queries import StoreNow, send_stores, stores_now
from vouchers.issuers.interface import CallState, CancelAnswer, RedeemAnswer
from vouchers.models import Hold, IssuerCall, IssuerRedemption, Redemption
from vouchers.services import endings, holds, returns, reversal, voucher_locks
from vouchers.services.actors import Actor
from vouchers.services.holds import Lease, Occasion
from vouchers.signals import reversed_

log = logging.getLogger(__name__)

PENDING_ASKED_EVERY = timedelta(minutes=10)
UNDECIDED = (IssuerCall.Outcome.UNKNOWN, IssuerCall.Outcome.PENDING)


def apply_redeem(call_id: UUID, answer: RedeemAnswer | None, *, at: datetime) -> IssuerCall:
    """
    Apply what became of a redeem call: DONE confirms its holds, REFUSED releases them, anything else waits.

    Locks the call, then the voucher, so of a late answer and the sweeper's one is applied and the other
    finds it decided. Silence (None) decides nothing.
    """
    with transaction.atomic(durable=True):
        call = lock_call(call_id)
        if call.outcome not in UNDECIDED or answer is None:
            return call
        match answer.state:
            case CallState.DONE if len(set(answer.redemption_external_ids)) == call.uses:
                _redeemed(call, answer, at=at)
            case CallState.DONE:
                log.error("%s says %s is done and names %s", call.issuer, call, answer.redemption_external_ids)
            case CallState.REFUSED:
                _decide(call, IssuerCall.Outcome.REFUSED, answer.reason_code, answer.reason, at=at)
                holds.release(_lease(call), at=at)
            case CallState.PENDING:
                _wait(call, at=at)
            case CallState.NOT_THERE:
                pass
        return call


def apply_cancel(call_id: UUID, answer: CancelAnswer | None, *, at: datetime) -> IssuerCall:
    """
    Apply what became of an undo: DONE makes the use free again, or ends it where the platform took it back.

    Locks as ``apply_redeem`` does.
    """
    with transaction.atomic(durable=True):
        call = lock_call(call_id)
        if call.outcome not in UNDECIDED or answer is None:
            return call
        match answer.state:
            case CallState.DONE:
                _decide(call, IssuerCall.Outcome.DONE, "", "", at=at)
                _undone(call, answer, at=at)
            case CallState.REFUSED:
                _decide(call, IssuerCall.Outcome.REFUSED, answer.reason_code, answer.reason, at=at)
            case CallState.PENDING:
                _wait(call, at=at)
            case CallState.NOT_THERE:
                pass
        return call


def lock_call(call_id: UUID) -> IssuerCall:
    """The call, locked before its voucher."""
    calls = IssuerCall.objects.select_for_update(no_key=True, of=("self",))
    return calls.select_related("redemption_request").get(pk=call_id)


def _redeemed(call: IssuerCall, answer: RedeemAnswer, *, at: datetime) -> None:
    _decide(call, IssuerCall.Outcome.DONE, "", "", at=at)
    request = call.redemption_request
    assert request is not None, "issuer_call_is_about_one_thing"
    # The platform's clock is not ours.
    redeemed_at = min(max(answer.redeemed_at or at, call.created_at), max(at, call.created_at))
    here = _store_at(request.store_id, redeemed_at)
    # A platform that names no time is given ours: then it settles.
    until = answer.cancellable_until or redeemed_at + timedelta(seconds=settings.REVERSIBLE_FOR_SECONDS)
    occasion = Occasion(request.id, here.store_id, here.entity_id, here.business_date, redeemed_at, until)
    redemptions = holds.confirm(_lease(call), occasion, at=at)
    IssuerRedemption.objects.bulk_create(
        IssuerRedemption(redemption=redemption, issuer=call.issuer, external_id=external_id)
        for redemption, external_id in zip(redemptions, answer.redemption_external_ids, strict=True)
    )


def _undone(call: IssuerCall, answer: CancelAnswer, *, at: datetime) -> None:
    [voucher] = voucher_locks.lock([call.voucher_id])
    assert call.redemption_id is not None, "issuer_call_is_about_one_thing"
    redemption = Redemption.objects.select_related("request").get(pk=call.redemption_id)
    redemption.voucher = voucher
    reversed_at = max(answer.cancelled_at or at, redemption.redeemed_at)
    if redemption.reversible_until is not None:
        # The platform allowed it, and its clock is not ours.
        reversed_at = min(reversed_at, redemption.reversible_until - timedelta(microseconds=1))
    actor = Actor(CallerKind(call.actor_kind), call.actor_id, call.device_id)
    reversal.mark(redemption, actor=actor, request_id=call.request_id, at=reversed_at)
    reversal.free_the_use(voucher, at=at)
    if answer.is_void:
        endings.refund_free_uses(voucher, at=at)
        returns.finish_refund(voucher_ids=[voucher.pk], at=at)
        voucher.refresh_from_db()
    reversal.announce(redemption, actor=actor, at=at)
    reversed_.send(sender=Redemption, redemptions=[redemption], at=at)


def _decide(call: IssuerCall, outcome: IssuerCall.Outcome, code: str, reason: str, *, at: datetime) -> None:
    call.outcome, call.decided_at, call.next_ask_at = outcome, max(at, call.created_at), None
    call.reason_code, call.reason = code[:64], reason[:256]
    call.save(update_fields=["outcome", "decided_at", "next_ask_at", "reason_code", "reason"])
    _tell_the_request(call)


def _wait(call: IssuerCall, *, at: datetime) -> None:
    call.outcome, call.next_ask_at = IssuerCall.Outcome.PENDING, at + PENDING_ASKED_EVERY
    call.save(update_fields=["outcome", "next_ask_at"])
    _tell_the_request(call)


def _tell_the_request(call: IssuerCall) -> None:
    if (request := call.redemption_request) is not None:
        request.outcome = call.outcome
        request.save(update_fields=["outcome"])


def _lease(call: IssuerCall) -> Lease:
    assert call.redemption_request_id is not None, "issuer_call_is_about_one_thing"
    assert call.fence is not None, "issuer_call_is_about_one_thing"
    return Lease(Hold.Source.REDEMPTION_REQUEST, call.redemption_request_id, call.fence)


def _store_at(store_id: UUID, at: datetime) -> StoreNow:
    with pipelined() as send:
        asked = send_stores(send, [store_id], at)
    return stores_now(asked, at)[store_id]
