"""Reads of the stage: what is on, what it has sold, who promotes it at which rate; and whose it is to change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.db import transaction
from django.db.models import Model, QuerySet

from config.kernel import ids
from config.kernel.caller import Caller
from config.kernel.errors import NotFound
from config.kernel.pipeline import pipelined
from livestream.errors import CommissionPlanNotFound, ListingNotFound, PromoterNotFound, SessionNotFound
from livestream.models import CommissionPlan, Listing, LiveSession, Promoter
from stores.permissions import Permission
from stores.queries import require_permission
from vouchers.models import SellingSwitch
from vouchers.queries.units import PartShown, parts_shown
from vouchers.services.offer_counters import STATE, STOPPED_SCOPES, OfferFacts

LISTINGS_ON_STAGE = f"""
    SELECT o.id, o.brand_id, o.terms_id, t.number, o.session_id, o.price_fen, o.allotment, o.sold,
           o.per_customer_limit, {STATE}, o.opens_at, o.closes_at,
           l.session_id, l.id, l.position, l.card, t.title, t.list_price_fen
    FROM livestream_livesession s
    JOIN livestream_listing l ON l.session_id = s.id AND l.taken_off_at IS NULL
    JOIN vouchers_offer o ON o.id = l.offer_id
    JOIN vouchers_dealterms t ON t.id = o.terms_id
    WHERE s.state IN ('open', 'paused')
    ORDER BY l.session_id, l.position
"""  # noqa: S608 - a constant
SESSIONS_ON_STAGE = """
    SELECT id, brand_id, title, state, starts_at, ends_at FROM livestream_livesession WHERE state IN ('open', 'paused')
"""
PROMOTERS = "SELECT id, brand_id, code FROM livestream_promoter WHERE ended_at IS NULL"
PLANS = """
    SELECT brand_id, promoter_id, session_id, promoter_rate_bps, provider_rate_bps, starts_at,
           least(ends_at, ended_at), created_at
    FROM livestream_commissionplan WHERE coalesce(least(ends_at, ended_at), 'infinity') > now()
"""

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class StagedListing:
    """A listing as the live page shows it."""

    offer: OfferFacts
    session_id: UUID
    id: UUID
    position: int
    card: dict[str, Any]
    title: str
    list_price_fen: int
    parts: Sequence[PartShown]


@dataclass(frozen=True, slots=True)
class StagedSession:
    id: UUID
    brand_id: UUID
    title: str
    state: str
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A commission plan; see ``livestream.models.CommissionPlan`` for which one wins."""

    brand_id: UUID
    promoter_id: UUID | None
    session_id: UUID | None
    promoter_rate_bps: int
    provider_rate_bps: int
    starts_at: datetime
    ends_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Commission:
    """What a sale through a promoter freezes."""

    promoter_id: UUID | None
    promoter_rate_bps: int
    provider_rate_bps: int


NO_COMMISSION = Commission(None, 0, 0)


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that is on, as of one look at the database."""

    sessions: dict[UUID, StagedSession]
    listings: Sequence[StagedListing]
    stopped: frozenset[UUID]
    promoters: dict[tuple[UUID, str], UUID]
    plans: Sequence[Plan]

    def listings_of(self, session_id: UUID) -> list[StagedListing]:
        return [listing for listing in self.listings if listing.session_id == session_id]

    def commission(self, *, brand_id: UUID, session_id: UUID, promoter_code: str, at: datetime) -> Commission:
        """
        The promoter behind a link's code and the rates in force at ``at``; nobody where the code is unknown.

        A stale link must not cost a sale, so it is no refusal: the answer to the buyer names the
        promoter it counted for, or none.
        """
        promoter_id = self.promoters.get((brand_id, promoter_code))
        if promoter_id is None:
            return NO_COMMISSION
        candidates = (
            plan
            for plan in self.plans
            if plan.brand_id == brand_id
            and plan.promoter_id in (None, promoter_id)
            and plan.session_id in (None, session_id)
            and plan.starts_at <= at
            and (plan.ends_at is None or at < plan.ends_at)
        )
        plan = narrowest(candidates)
        if plan is None:
            return Commission(promoter_id, 0, 0)
        return Commission(promoter_id, plan.promoter_rate_bps, plan.provider_rate_bps)


def narrowest(plans: Iterable[Plan]) -> Plan | None:
    """Promoter's own before anybody's, this session's before all, then the newest."""
    return max(
        plans,
        key=lambda plan: (plan.promoter_id is not None, plan.session_id is not None, plan.created_at),
        default=None,
    )


def stage() -> Stage:
    """Read the stage on one trip; a few rows however many customers watch."""
    with transaction.atomic(), pipelined() as send:
        listings = send(LISTINGS_ON_STAGE, {})
        sessions = send(SESSIONS_ON_STAGE, {})
        stopped = send(STOPPED_SCOPES, {})
        promoters = send(PROMOTERS, {})
        plans = send(PLANS, {})
    on = {row[0]: StagedSession(*row) for row in sessions.fetchall()}
    shown = [_staged(*row) for row in listings.fetchall()]
    return Stage(
        sessions=on,
        # A session may open or close between the two statements.
        listings=[listing for listing in shown if listing.session_id in on],
        stopped=frozenset(scope_id for (scope_id,) in stopped.fetchall()),
        promoters={(brand_id, code): promoter_id for promoter_id, brand_id, code in promoters.fetchall()},
        plans=[Plan(*row) for row in plans.fetchall()],
    )


def _staged(*row: Any) -> StagedListing:
    session_id, listing_id, position, card, title, list_price_fen = row[12:]
    # Django has its connections hand jsonb over as text.
    card = orjson.loads(card)
    offer = OfferFacts(*row[:12])
    parts = parts_shown(offer.terms_id, offer.price_fen)
    return StagedListing(offer, session_id, listing_id, position, card, title, list_price_fen, parts)


def selling_switch(session: LiveSession) -> SellingSwitch | None:
    """The session's own kill switch, where it was ever thrown."""
    return SellingSwitch.objects.filter(scope=SellingSwitch.Scope.SESSION, scope_id=session.id).first()


def session_for_caller(public_id: str, caller: Caller, *, at: datetime) -> LiveSession:
    """
    A session that the caller may run.

    Raises:
        MalformedId, SessionNotFound: no such session in a brand of the caller's.
        NotAllowed: there is, and the caller may not.
    """
    session = _found(LiveSession.objects.filter(id=ids.parse(LiveSession.PREFIX, public_id)), SessionNotFound)
    require_permission(caller, Permission.SELL, brand_id=session.brand_id, at=at, missing=SessionNotFound)
    return session


def listing_for_caller(public_id: str, caller: Caller, *, at: datetime) -> Listing:
    """
    A listing in a session that the caller may run.

    Raises:
        MalformedId, ListingNotFound: no such listing in a brand of the caller's.
        NotAllowed: there is, and the caller may not.
    """
    rows = Listing.objects.filter(id=ids.parse(Listing.PREFIX, public_id)).select_related("session", "offer")
    listing = _found(rows, ListingNotFound)
    require_permission(caller, Permission.SELL, brand_id=listing.session.brand_id, at=at, missing=ListingNotFound)
    return listing


def promoter_for_caller(public_id: str, caller: Caller, *, at: datetime) -> Promoter:
    """
    A promoter of a brand for which the caller may sell.

    Raises:
        MalformedId, PromoterNotFound: no such promoter in a brand of the caller's.
        NotAllowed: there is, and the caller may not.
    """
    promoter = _found(Promoter.objects.filter(id=ids.parse(Promoter.PREFIX, public_id)), PromoterNotFound)
    require_permission(caller, Permission.SELL, brand_id=promoter.brand_id, at=at, missing=PromoterNotFound)
    return promoter


def commission_plan_for_caller(public_id: str, caller: Caller, *, at: datetime) -> CommissionPlan:
    """
    A commission plan of a brand for which the caller may sell.

    Raises:
        MalformedId, CommissionPlanNotFound: no such plan in a brand of the caller's.
        NotAllowed: there is, and the caller may not.
    """
    rows = CommissionPlan.objects.filter(id=ids.parse(CommissionPlan.PREFIX, public_id))
    plan = _found(rows, CommissionPlanNotFound)
    require_permission(caller, Permission.SELL, brand_id=plan.brand_id, at=at, missing=CommissionPlanNotFound)
    return plan


def _found(rows: QuerySet[M], missing: type[NotFound]) -> M:
    row = rows.first()
    if row is None:
        raise missing
    return row
