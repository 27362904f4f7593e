"""Commission: rates for sales to come. A sale freezes the rates in force, so no plan reaches back."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.kernel.caller import Caller
from config.kernel.idempotency import content_hash
from livestream.errors import (
    CommissionTimesInvalid,
    CommissionTooHigh,
    PromoterEnded,
    PromoterNotFound,
    SessionClosed,
    SessionNotFound,
)
from livestream.models import CommissionPlan, LiveSession, Promoter
from stores.services import trail
from stores.services.made import Key, Made, insert_once, made_before

EVERYTHING_BPS = 10_000


def create(
    *,
    brand_id: UUID,
    promoter_id: UUID | None = None,
    session_id: UUID | None = None,
    promoter_rate_bps: int,
    provider_rate_bps: int = 0,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    request_id: UUID,
    by: Caller,
    at: datetime,
) -> Made[CommissionPlan]:
    """
    Rates for one promoter or anybody, in one session or all, from ``starts_at`` (now) until ``ends_at``.

    Safe to retry: the same ``request_id`` with the same content is the same plan.

    Raises:
        CommissionTooHigh: a rate is no share, or both together more than everything.
        CommissionTimesInvalid: it would start in the past, or end before it starts.
        PromoterNotFound, PromoterEnded, SessionNotFound, SessionClosed: as they say, in this brand.
        IdempotencyConflict: ``request_id`` came before with other content.
    """
    content = content_hash(
        promoter=promoter_id,
        session=session_id,
        rates=[promoter_rate_bps, provider_rate_bps],
        starts_at=starts_at,
        ends_at=ends_at,
    )
    key = Key(brand_id, request_id, content)
    if first := made_before(CommissionPlan.objects.all(), key):
        return first
    if min(promoter_rate_bps, provider_rate_bps) < 0 or promoter_rate_bps + provider_rate_bps > EVERYTHING_BPS:
        raise CommissionTooHigh(param="promoter_rate_bps")
    if starts_at is not None and starts_at < at:
        raise CommissionTimesInvalid(param="starts_at")
    if ends_at is not None and ends_at <= (starts_at or at):
        raise CommissionTimesInvalid(param="ends_at")
    plan = CommissionPlan(
        promoter_id=promoter_id,
        session_id=session_id,
        promoter_rate_bps=promoter_rate_bps,
        provider_rate_bps=provider_rate_bps,
        starts_at=starts_at or at,
        ends_at=ends_at,
        created_at=at,
        **key._asdict(),
    )
    with transaction.atomic(durable=True):
        _require_promoter(brand_id, promoter_id)
        _require_session(brand_id, session_id)
        made = insert_once(plan, key)
        if made.is_new:
            told = {"promoter_rate_bps": promoter_rate_bps, "provider_rate_bps": provider_rate_bps}
            trail.leave("commission_plan.created", plan, brand_id=brand_id, by=by, at=at, details=told)
    return made


def end(*, plan: CommissionPlan, by: Caller, at: datetime) -> CommissionPlan:
    """
    From now on the plan is in force for no sale; those made keep its rates. Repeating changes nothing.

    One that has come to its own end already is left as it is.
    """
    with transaction.atomic(durable=True):
        plan = CommissionPlan.objects.select_for_update(no_key=True).get(pk=plan.pk)
        if plan.ended_at is None and (plan.ends_at is None or at < plan.ends_at):
            plan.ended_at = at
            plan.save(update_fields=["ended_at"])
            trail.leave("commission_plan.ended", plan, brand_id=plan.brand_id, by=by, at=at, details={})
        return plan


def _require_promoter(brand_id: UUID, promoter_id: UUID | None) -> None:
    if promoter_id is None:
        return
    promoter = Promoter.objects.filter(brand_id=brand_id, id=promoter_id).first()
    if promoter is None:
        raise PromoterNotFound(param="promoter")
    if promoter.ended_at is not None:
        raise PromoterEnded(param="promoter")


def _require_session(brand_id: UUID, session_id: UUID | None) -> None:
    if session_id is None:
        return
    session = LiveSession.objects.filter(brand_id=brand_id, id=session_id).first()
    if session is None:
        raise SessionNotFound(param="session")
    if session.state == LiveSession.State.CLOSED:
        raise SessionClosed(param="session")
