"""Redeeming what another platform sold: the uses held and the call written first, then the platform asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from config.kernel import audit
from config.kernel.errors import DomainError, IdempotencyConflict
from config.kernel.idempotency import content_hash
from config.kernel.pipeline import pipelined
from stores.models import Store
from stores.queries import ClerkStore, stores_for_clerks
from vouchers import errors
from vouchers.codes import masked, normalise
from vouchers.issuers import registry
from vouchers.models import Hold, IssuerAccount, IssuerCall, IssuerStore, RedemptionRequest, Voucher
from vouchers.queries import terms as terms_of
from vouchers.queries.answers import Redeemed
from vouchers.queries.facts import Story, facts_of, send_facts
from vouchers.queries.issuer_requests import RequestState, state_of
from vouchers.queries.refusals import explained, with_nearest
from vouchers.services import holds, issuer_calls, issuer_import, voucher_locks
from vouchers.services.actors import actor_of
from vouchers.services.redemption import RedeemRequest, redeem_one
from vouchers.services.redemption_batch import MOST_AT_ONCE
from vouchers.verdict import refusal_of

FIRST_ASKED_AFTER = timedelta(seconds=5)
"""A platform that has not answered is asked by the sweeper then, also where the process that called it is gone."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """The request as it is; ``call`` where it is new and the platform has not been told."""

    request_id: UUID
    call: IssuerCall | None


def redeem(request: RedeemRequest, *, at: datetime) -> RequestState:
    """
    Redeem uses of one voucher that another platform sold, as ``redemption.redeem`` does our own.

    Two transactions with the platform's answer between them: the first commits the request and holds the
    uses without expiry, the second writes redemptions (DONE), gives the uses back (REFUSED), or leaves
    them held (PENDING, UNKNOWN) for the sweeper. Safe to retry: the same ``request_id`` with the same
    code and bill gives the request in its current state and calls nobody.

    Raises:
        ClerkNotAtStore, StoreClosedForGood, StorePaused, CodesOutOfRange: as at ``redemption.redeem``.
        VoucherNotFound: no platform of the brand's knows the code.
        IssuerAlone: a platform's voucher beside another one.
        IssuerDoesNotAnswer, IssuerProductUnknown: nothing could be learned of the code.
        StoreNotAtIssuer, IssuerNotThere: the store has no name there, or nothing here speaks to that platform.
        RefusedByIssuer: the platform said no, now or when this request came first.
        IdempotencyConflict: ``request_id`` came before with another code or bill.
        DomainError: whatever else the verdict refuses.
    """
    pair = (request.store_id, request.who)
    here = stores_for_clerks([pair], at).get(pair)
    if here is None:
        raise errors.ClerkNotAtStore(param="store")
    codes = [normalise(code) for code in request.codes[: MOST_AT_ONCE + 1]]
    if not 1 <= len(codes) <= MOST_AT_ONCE:
        raise errors.CodesOutOfRange(most=MOST_AT_ONCE, param="codes")
    begun = _again(request, codes)
    if begun is None:
        voucher = _voucher_of(here, codes, at=at)
        begun = _begin(request, here, voucher, codes, at=at)
    if begun.call is not None:
        issuer_calls.apply(begun.call, issuer_calls.say(issuer_calls.line_of(begun.call)), at=at)
    state = state_of(begun.request_id, is_repeat=begun.call is None)
    if state.outcome == RedemptionRequest.Outcome.REFUSED:
        raise errors.RefusedByIssuer(issuer=state.issuer, reason=state.reason, reason_code=state.reason_code)
    return state


def redeem_wherever(request: RedeemRequest, *, at: datetime) -> Redeemed | RequestState:
    """
    Redeem our own vouchers, or else what a platform of the brand's sold: what a counter's edge calls.

    Raises:
        DomainError: whatever ``redemption.redeem`` or ``redeem`` raises.
    """
    try:
        return redeem_one(request, at=at)
    except errors.VoucherNotFound as miss:
        return redeem_elsewhere(request, miss, at=at)


def redeem_elsewhere(request: RedeemRequest, miss: errors.VoucherNotFound, *, at: datetime) -> RequestState:
    """
    ``redeem`` after our own engine found no such voucher; its ``miss`` stands where no platform knows it either.

    Raises:
        DomainError: whatever ``redeem`` raises.
    """
    if request.instead:
        raise miss  # what another platform sold is handed over as it says
    if not IssuerAccount.objects.filter(brand__stores=request.store_id).exists():
        raise miss
    try:
        return redeem(request, at=at)
    except errors.VoucherNotFound:
        raise miss from None


def _voucher_of(here: ClerkStore, codes: list[str], *, at: datetime) -> Voucher:
    found = issuer_import.known(brand_id=here.brand_id, texts=codes)
    if len(set(codes)) > 1:
        if found:
            raise errors.IssuerAlone(issuer=found[0].issuer, param="codes")
        raise errors.VoucherNotFound(param="codes")
    found = found or issuer_import.look_up(brand_id=here.brand_id, store_id=here.store_id, text=codes[0], at=at)
    named = [voucher for voucher in found if codes[0] in (voucher.code, voucher.external_id)]
    if len(named) != 1:
        raise errors.VoucherNotFound(param="codes", position=0, code=masked(codes[0]))
    return named[0]


def _begin(request: RedeemRequest, here: ClerkStore, voucher: Voucher, codes: list[str], *, at: datetime) -> _Begun:
    registry.by_name(voucher.issuer)  # nobody could be told: refused before anything is held
    name = IssuerStore.objects.filter(store_id=here.store_id, issuer=voucher.issuer).first()
    if name is None:
        raise errors.StoreNotAtIssuer(issuer=voucher.issuer)
    refusal: DomainError | None = None
    with transaction.atomic(durable=True):
        [voucher] = voucher_locks.lock([voucher.id])
        # Looked at under the lock: two copies of one request may come together.
        if first := _again(request, codes):
            return first
        refusal = _refusal(request, here, voucher, codes[0], at=at)
        if refusal is None:
            return _write(request, here, voucher, codes, store_external_id=name.external_id, at=at)
    if isinstance(refusal, errors.WrongStore):
        # After the commit: no voucher stays locked while somebody is shown the way.
        [terms] = terms_of([voucher.terms_id]).values()
        with_nearest([(refusal, terms)], latitude=here.latitude, longitude=here.longitude, at=at)
    raise refusal


def _again(request: RedeemRequest, codes: list[str]) -> _Begun | None:
    first = RedemptionRequest.objects.filter(store_id=request.store_id, request_id=request.request_id).first()
    if first is None:
        return None
    if bytes(first.content_hash) != _content(request, codes):
        raise IdempotencyConflict(param="Idempotency-Key")
    return _Begun(first.id, None)


def _refusal(
    request: RedeemRequest, here: ClerkStore, voucher: Voucher, code: str, *, at: datetime
) -> DomainError | None:
    if here.status == Store.Status.CLOSED:
        return errors.StoreClosedForGood()
    if here.status == Store.Status.PAUSED:
        return errors.StorePaused()
    with pipelined() as send:
        asked = send_facts(send, keys=(), codes=[(here.store_id, voucher.code)], issuer=voucher.issuer)
    facts = facts_of(asked, terms_ids=[voucher.terms_id])
    terms = facts.terms[voucher.terms_id]
    why = refusal_of(voucher, terms, store=here, bill_fen=request.bill_fen, at=at)
    if why is None:
        return None
    story = facts.stories.get(voucher.id, Story())
    return explained(
        why,
        code=code,
        position=0,
        voucher=voucher,
        terms=terms,
        story=story,
        store=here,
        bill_fen=request.bill_fen,
        at=at,
    )


def _write(
    request: RedeemRequest,
    here: ClerkStore,
    voucher: Voucher,
    codes: list[str],
    *,
    store_external_id: str,
    at: datetime,
) -> _Begun:
    actor = actor_of(request.who)
    asked = RedemptionRequest(
        store_id=here.store_id,
        request_id=request.request_id,
        content_hash=_content(request, codes),
        bill_fen=request.bill_fen,
        operator_id=actor.operator_id,
        source_kind=RedemptionRequest.Source.COUNTER,
        outcome=RedemptionRequest.Outcome.UNKNOWN,
        requested_at=at,
    )
    RedemptionRequest.objects.bulk_create([asked], ignore_conflicts=True)
    if not RedemptionRequest.objects.filter(pk=asked.pk).exists():
        # Another voucher took the key at this very moment: the content differs.
        raise IdempotencyConflict(param="Idempotency-Key")
    held = holds.hold(
        uses={voucher.id: len(codes)},
        source_kind=Hold.Source.REDEMPTION_REQUEST,
        source_id=asked.id,
        expires_at=None,
        at=at,
    )
    call = IssuerCall.objects.create(
        issuer=voucher.issuer,
        kind=IssuerCall.Kind.REDEEM,
        voucher=voucher,
        redemption_request=asked,
        actor_kind=actor.kind,
        actor_id=actor.id,
        device_id=actor.device_id,
        request_id=request.request_id,
        uses=len(codes),
        store_external_id=store_external_id,
        fence=held[0].fence,
        next_ask_at=at + FIRST_ASKED_AFTER,
        created_at=at,
    )
    audit.record(
        act="voucher.redeem",
        actor_kind=actor.kind,
        actor_id=actor.id,
        subject_kind="redemption_request",
        subject_id=asked.id,
        brand_id=voucher.brand_id,
        details={"store": here.public_id, "issuer": voucher.issuer, "uses": len(codes), **actor.told},
        at=at,
    )
    return _Begun(asked.id, call)


def _content(request: RedeemRequest, codes: list[str]) -> bytes:
    return content_hash(codes=sorted(codes), bill_fen=request.bill_fen)
