"""``POST live/{session}/purchases`` and ``GET purchases/{purchase}``: buy, and see what became of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.utils import timezone

from config.kernel import ids, limits
from config.kernel.errors import DomainError
from config.kernel.group_commit import GroupCommit
from config.kernel.limits import Limit
from livestream import answers
from livestream.lane.credentials import customer_of
from livestream.lane.http import Call
from livestream.lane.memory import Memory
from livestream.models import LiveSession
from livestream.services.buying import Buy, asked
from orders import errors
from orders.models import Purchase
from orders.queries import PurchaseStatus, purchase_statuses
from orders.services.selling import SellRequest, Sold, first_answers, sell_batch, unavailable

PURCHASES = Limit("purchases_of_customer", times=30, seconds=10, times_alone=30)
"""What one customer may try to buy, at each intake process: more is a script, and it is told to slow down."""

_body = msgspec.json.Decoder(Buy)


class Buying:
    """The two operations and their batches; ``provider`` will be asked to collect."""

    def __init__(self, *, memory: Memory, provider: str) -> None:
        self.memory = memory

        def sell(requests: Sequence[SellRequest]) -> Sequence[Sold | DomainError]:
            return sell_batch(requests, provider=provider, at=timezone.now())

        def look(keys: Sequence[tuple[UUID, UUID]]) -> Sequence[PurchaseStatus | DomainError]:
            return [found or errors.PurchaseNotFound() for found in purchase_statuses(keys)]

        self.selling: GroupCommit[SellRequest, Sold] = GroupCommit("sell", sell)
        self.remembering: GroupCommit[SellRequest, Sold | None] = GroupCommit("first-answers", first_answers)
        self.looking: GroupCommit[tuple[UUID, UUID], PurchaseStatus] = GroupCommit("statuses", look)
        self.groups: list[GroupCommit[Any, Any]] = [self.selling, self.remembering, self.looking]

    async def buy(self, call: Call, session: str) -> None:
        at = timezone.now()
        customer_id, brand_id = customer_of(call, at=at)
        limits.spend_here((PURCHASES, customer_id.hex)).require_room()
        request_id = call.request_id
        call.refuse_parameters()
        body = await call.body(_body)
        session_id = ids.parse(LiveSession.PREFIX, session)
        commission = self.memory.now.stage.commission(
            brand_id=brand_id, session_id=session_id, promoter_code=body.promoter, at=at
        )
        request = asked(
            body,
            session_id=session_id,
            brand_id=brand_id,
            customer_id=customer_id,
            request_id=request_id,
            commission=commission,
        )
        sold = await self._sell(request, at)
        await call.answer(200 if sold.is_repeat else 201, answers.accepted(sold))

    async def status(self, call: Call, purchase: str) -> None:
        customer_id, _ = customer_of(call, at=timezone.now())
        call.refuse_parameters()
        found = await self.looking.submit((ids.parse(Purchase.PREFIX, purchase), customer_id))
        await call.answer(200, answers.followed(found))

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
