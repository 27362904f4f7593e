"""Buying in a live session: what a customer asks for becomes a sale with the commission in force."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from config.kernel import ids
from config.kernel.errors import DomainError
from livestream import queries
from livestream.queries import NO_COMMISSION, Commission
from orders.providers import registry
from orders.services.selling import SellRequest, Sold, sell_batch
from vouchers.models import Offer

ContentId = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{0,64}$", description="The video or the room she came from.")
]
PromoterCode = Annotated[
    str, msgspec.Meta(max_length=32, description="What the link carried; an unknown one costs no sale.")
]


class Buy(msgspec.Struct, forbid_unknown_fields=True):
    """What she saw and wants: the price and terms number are those of the page she looked at."""

    offer: Annotated[str, msgspec.Meta(description="off_…")]
    unit_price_fen: int
    terms_number: int
    quantity: int = 1
    channel: Literal["live", "shelf", "video"] = "live"
    content_id: ContentId = ""
    promoter: PromoterCode = ""


def asked(
    buy: Buy, *, session_id: UUID, brand_id: UUID, customer_id: UUID, request_id: UUID, commission: Commission
) -> SellRequest:
    """
    What the sale is asked for.

    Raises:
        MalformedId: ``buy`` names no offer.
    """
    return SellRequest(
        offer_id=ids.parse(Offer.PREFIX, buy.offer),
        brand_id=brand_id,
        customer_id=customer_id,
        request_id=request_id,
        quantity=buy.quantity,
        unit_price_fen=buy.unit_price_fen,
        terms_number=buy.terms_number,
        channel=buy.channel,
        session_id=session_id,
        content_id=buy.content_id,
        promoter_id=commission.promoter_id,
        promoter_rate_bps=commission.promoter_rate_bps,
        provider_rate_bps=commission.provider_rate_bps,
    )


def buy(buy: Buy, *, session_id: UUID, brand_id: UUID, customer_id: UUID, request_id: UUID, at: datetime) -> Sold:
    """
    Sell to one customer: a batch of one, for a site without the lane.

    Safe to retry: the same ``request_id`` with the same content is the same purchase.

    Raises:
        MalformedId: ``buy`` names no offer.
        DomainError: whatever ``sell_batch`` answers.
    """
    commission = NO_COMMISSION
    if buy.promoter:
        commission = queries.stage().commission(
            brand_id=brand_id, session_id=session_id, promoter_code=buy.promoter, at=at
        )
    request = asked(
        buy,
        session_id=session_id,
        brand_id=brand_id,
        customer_id=customer_id,
        request_id=request_id,
        commission=commission,
    )
    (answer,) = sell_batch([request], provider=registry.DEFAULT, at=at)
    if isinstance(answer, DomainError):
        raise answer
    return answer
