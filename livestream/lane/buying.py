"""``POST live/{session}/purchases`` and ``GET purchases/{purchase}``: buy, and see what became of it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from config.kernel import ids
from config.kernel.errors import DomainError
from config.kernel.group_commit import GroupCommit
from livestream.lane.credentials import customer_of
from livestream.lane.http import Call
from livestream.lane.memory import Memory
from livestream.models import LiveSession
from orders import errors
from orders.models import Payment, Purchase
from orders.queries import PurchaseStatus, purchase_statuses
from orders.services.selling import SellRequest, Sold, first_answers, sell_batch, unavailable
from vouchers.models import Offer

ContentId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{0,64}$")]
PromoterCode = Annotated[str, msgspec.Meta(max_length=32)]


class BuyBody(msgspec.Struct, forbid_unknown_fields=True):
    """What she saw and wants: the price and terms number are those of the page she looked at."""

    offer: str
    unit_price_fen: int
    terms_number: int
    quantity: int = 1
    channel: Literal["live", "shelf", "video"] = "live"
    content_id: ContentId = ""
    promoter: PromoterCode = ""


_body = msgspec.json.Decoder(BuyBody)
Parameters = Callable[[Sold], dict[str, Any]]


class Buying:
    """The two operations and their batches; ``parameters`` signs what her device takes to the provider."""

    def __init__(self, *, memory: Memory, provider: str, parameters: Parameters) -> None:
        self.memory = memory
        self.parameters = parameters

        def sell(requests: Sequence[SellRequest]) -> Sequence[Sold | DomainError]:
            return sell_batch(requests, provider=provider, at=datetime.now(UTC))

        def look(keys: Sequence[tuple[UUID, UUID]]) -> Sequence[PurchaseStatus | DomainError]:
            return [found or errors.PurchaseNotFound() for found in purchase_statuses(keys)]

        self.selling: GroupCommit[SellRequest, Sold] = GroupCommit("sell", sell)
        self.remembering: GroupCommit[SellRequest, Sold | None] = GroupCommit("first-answers", first_answers)
        self.looking: GroupCommit[tuple[UUID, UUID], PurchaseStatus] = GroupCommit("statuses", look)
        self.groups: list[GroupCommit[Any, Any]] = [self.selling, self.remembering, self.looking]

    async def buy(self, call: Call, session: str) -> None:
        at = datetime.now(UTC)
        customer_id, brand_id = customer_of(call, at=at)
        request_id = call.request_id
        call.refuse_parameters()
        body = await call.body(_body)
        session_id = ids.parse(LiveSession.PREFIX, session)
        commission = self.memory.now.stage.commission(
            brand_id=brand_id, session_id=session_id, promoter_code=body.promoter, at=at
        )
        sold = await self._sell(
            SellRequest(
                offer_id=ids.parse(Offer.PREFIX, body.offer),
                brand_id=brand_id,
                customer_id=customer_id,
                request_id=request_id,
                quantity=body.quantity,
                unit_price_fen=body.unit_price_fen,
                terms_number=body.terms_number,
                channel=body.channel,
                session_id=session_id,
                content_id=body.content_id,
                promoter_id=commission.promoter_id,
                promoter_rate_bps=commission.promoter_rate_bps,
                provider_rate_bps=commission.provider_rate_bps,
            ),
            at,
        )
        await call.answer(200 if sold.is_repeat else 201, self._answer(sold))

    async def status(self, call: Call, purchase: str) -> None:
        customer_id, _ = customer_of(call, at=datetime.now(UTC))
        call.refuse_parameters()
        found = await self.looking.submit((ids.parse(Purchase.PREFIX, purchase), customer_id))
        await call.answer(
            200,
            {
                "purchase": purchase,
                "offer": ids.public(Offer.PREFIX, found.offer_id),
                "quantity": found.quantity,
                "unit_price_fen": found.unit_price_fen,
                "total_fen": found.total_fen,
                "status": found.status,
                "accepted_at": found.accepted_at,
                "paid_at": found.paid_at,
                "issued_at": found.issued_at,
                "closed_at": found.closed_at,
            },
        )

    async def _sell(self, request: SellRequest, at: datetime) -> Sold:
        recollection = self.memory.now
        offer = recollection.fresh_offer(request.offer_id)
        refusal = unavailable(offer, stopped=recollection.stage.stopped, at=at) if offer else None
        if refusal is None:
            return await self.selling.submit(request)
        # A new sale is impossible; an answer that got lost on its way is still hers.
        if first := await self.remembering.submit(request):
            return first
        raise refusal

    def _answer(self, sold: Sold) -> dict[str, Any]:
        return {
            "purchase": ids.public(Purchase.PREFIX, sold.purchase_id),
            "offer": ids.public(Offer.PREFIX, sold.offer_id),
            "quantity": sold.quantity,
            "unit_price_fen": sold.unit_price_fen,
            "total_fen": sold.total_fen,
            "status": sold.status,
            "accepted_at": sold.accepted_at,
            "payment": {
                "id": ids.public(Payment.PREFIX, sold.payment_id),
                "provider": sold.provider,
                "parameters": self.parameters(sold),
            },
        }
