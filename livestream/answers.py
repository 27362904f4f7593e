"""
What customers hear from the live edges: the lane and, where it does not run, the site.

One struct for each answer: what it is encoded from, on either edge, and what the OpenAPI document shows.
(A followed purchase is the lane's; the site shows it with the rest of a customer's purchases, and a test
holds the two together.)
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from config.kernel import ids
from livestream.models import Listing, LiveSession
from livestream.queries import Stage, StagedListing
from orders.models import Payment, Purchase
from orders.queries import PurchaseStatus
from orders.services.payments import payment_parameters
from orders.services.selling import Sold
from vouchers.models import Deal, Offer

STOPPED = "stopped"
NO_RATES: Mapping[UUID, float] = {}

PurchaseState = Annotated[str, msgspec.Meta(extra_json_schema={"enum": Purchase.Status.values})]
SessionState = Annotated[str, msgspec.Meta(extra_json_schema={"enum": ["open", "paused"]})]
OfferState = Annotated[
    str,
    msgspec.Meta(
        description="`paused` with its session, too; `stopped` by a kill switch.",
        extra_json_schema={"enum": [*Offer.State.values, STOPPED]},
    ),
]
PerSecond = Annotated[
    float | None, msgspec.Meta(description="Over the last seconds; null where nobody has watched that long.")
]


class PaymentDue(msgspec.Struct):
    """How to pay."""

    id: Annotated[str, msgspec.Meta(description="pay_…")]
    provider: str
    parameters: Annotated[
        dict[str, Any], msgspec.Meta(description="Hand these to the provider as they are; they are signed.")
    ]


class AcceptedPurchase(msgspec.Struct):
    """A purchase as it was accepted or, to a repeat, as it is now; unpaid it closes after a while."""

    purchase: Annotated[str, msgspec.Meta(description="pur_…")]
    offer: Annotated[str, msgspec.Meta(description="off_…")]
    quantity: int
    unit_price_fen: int
    total_fen: int
    status: PurchaseState
    accepted_at: datetime
    payment: PaymentDue


class FollowedPurchase(msgspec.Struct):
    """Where a purchase is."""

    purchase: Annotated[str, msgspec.Meta(description="pur_…")]
    offer: Annotated[str, msgspec.Meta(description="off_…")]
    quantity: int
    unit_price_fen: int
    total_fen: int
    status: PurchaseState
    accepted_at: datetime
    paid_at: datetime | None
    issued_at: datetime | None
    closed_at: datetime | None


class ListingFigures(msgspec.Struct):
    """What moves while a session is on."""

    listing: Annotated[str, msgspec.Meta(description="lst_…")]
    offer: Annotated[str, msgspec.Meta(description="off_…")]
    state: OfferState
    sold: int
    left: int
    sold_per_second: PerSecond


class LiveFigures(msgspec.Struct):
    """The moving part of the live page, as the stream sends it."""

    session: Annotated[str, msgspec.Meta(description="liv_…")]
    state: SessionState
    listings: list[ListingFigures]


class LivePart(msgspec.Struct):
    """Vouchers of one unit that are alike; a bundle has several kinds."""

    title: str
    kind: Annotated[str, msgspec.Meta(extra_json_schema={"enum": Deal.Kind.values})]
    count: int
    use_fen: Annotated[
        list[int],
        msgspec.Meta(description="What each of its uses is worth, and gives back where it is refunded unused."),
    ]


class LiveListing(ListingFigures):
    """A listing with everything its card needs."""

    title: str
    position: int
    card: dict[str, Any]
    unit_price_fen: int
    list_price_fen: int
    parts: Annotated[list[LivePart], msgspec.Meta(description="What one unit is made of; they sum to its price.")]
    terms_number: Annotated[int, msgspec.Meta(description="Buy names it, so that nobody buys by rules unseen.")]
    per_customer_limit: int | None
    opens_at: datetime
    closes_at: datetime | None


class LivePage(msgspec.Struct):
    """A session that is on."""

    session: Annotated[str, msgspec.Meta(description="liv_…")]
    state: SessionState
    title: str
    starts_at: datetime
    ends_at: datetime | None
    server_time: Annotated[datetime, msgspec.Meta(description="Count down to opens_at by this clock.")]
    listings: list[LiveListing]


def accepted(sold: Sold) -> AcceptedPurchase:
    return AcceptedPurchase(
        purchase=ids.public(Purchase.PREFIX, sold.purchase_id),
        offer=ids.public(Offer.PREFIX, sold.offer_id),
        quantity=sold.quantity,
        unit_price_fen=sold.unit_price_fen,
        total_fen=sold.total_fen,
        status=sold.status,
        accepted_at=sold.accepted_at,
        payment=PaymentDue(
            id=ids.public(Payment.PREFIX, sold.payment_id),
            provider=sold.provider,
            parameters=payment_parameters(
                sold.payment_id, sold.total_fen, accepted_at=sold.accepted_at, provider=sold.provider
            ),
        ),
    )


def followed(found: PurchaseStatus) -> FollowedPurchase:
    return FollowedPurchase(
        purchase=ids.public(Purchase.PREFIX, found.purchase_id),
        offer=ids.public(Offer.PREFIX, found.offer_id),
        quantity=found.quantity,
        unit_price_fen=found.unit_price_fen,
        total_fen=found.total_fen,
        status=found.status,
        accepted_at=found.accepted_at,
        paid_at=found.paid_at,
        issued_at=found.issued_at,
        closed_at=found.closed_at,
    )


def figures(
    stage: Stage, session_id: UUID, listings: Sequence[StagedListing], *, rates: Mapping[UUID, float] = NO_RATES
) -> LiveFigures:
    """``rates`` are units sold a second by offer, as far as they are known."""
    return LiveFigures(
        session=ids.public(LiveSession.PREFIX, session_id),
        state=stage.sessions[session_id].state,
        listings=[ListingFigures(**_moving(listing, stage, rates)) for listing in listings],
    )


def page(
    stage: Stage,
    session_id: UUID,
    listings: Sequence[StagedListing],
    *,
    at: datetime,
    rates: Mapping[UUID, float] = NO_RATES,
) -> LivePage:
    """``rates`` are units sold a second by offer, as far as they are known."""
    session = stage.sessions[session_id]
    return LivePage(
        session=ids.public(LiveSession.PREFIX, session_id),
        state=session.state,
        title=session.title,
        starts_at=session.starts_at,
        ends_at=session.ends_at,
        server_time=at,
        listings=[
            LiveListing(
                **_moving(listing, stage, rates),
                title=listing.title,
                position=listing.position,
                card=listing.card,
                unit_price_fen=listing.offer.price_fen,
                list_price_fen=listing.list_price_fen,
                parts=[LivePart(part.title, part.kind, part.count, list(part.use_fen)) for part in listing.parts],
                terms_number=listing.offer.terms_number,
                per_customer_limit=listing.offer.per_customer_limit,
                opens_at=listing.offer.opens_at,
                closes_at=listing.offer.closes_at,
            )
            for listing in listings
        ],
    )


def _moving(listing: StagedListing, stage: Stage, rates: Mapping[UUID, float]) -> dict[str, Any]:
    offer = listing.offer
    return {
        "listing": ids.public(Listing.PREFIX, listing.id),
        "offer": ids.public(Offer.PREFIX, offer.id),
        "state": STOPPED if offer.is_stopped(stage.stopped) else offer.state,
        "sold": offer.sold,
        "left": offer.left,
        "sold_per_second": rates.get(offer.id),
    }
