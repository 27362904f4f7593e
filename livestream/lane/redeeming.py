"""``POST stores/{store}/redemptions``: clerks' requests, gathered like the customers'."""

import asyncio
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.db import connection
from django.utils import timezone

from config.kernel import ids, limits
from config.kernel.errors import DomainError, TooManyRequests
from config.kernel.group_commit import GroupCommit
from livestream.lane.credentials import counter_of
from livestream.lane.http import Call
from stores.models import Product, Store
from vouchers.api import misses
from vouchers.errors import VoucherNotFound
from vouchers.queries.answers import Redeemed, RedeemedUse
from vouchers.queries.issuer_requests import RequestState
from vouchers.services.issuer_redemption import redeem_elsewhere
from vouchers.services.redemption import RedeemRequest, redeem_batch

PLATFORM_CALLS_AT_ONCE = 8
Code = Annotated[str, msgspec.Meta(max_length=64)]


class InsteadBody(msgspec.Struct, forbid_unknown_fields=True):
    """A product of the package that has run out, and what is handed over in its place."""

    product: str
    substitute: str


class RedeemBody(msgspec.Struct, forbid_unknown_fields=True):
    """The codes as scanned or typed, and the undiscounted bill where a voucher asks for it."""

    codes: Annotated[list[Code], msgspec.Meta(max_length=64)]
    bill_fen: Annotated[int, msgspec.Meta(ge=0, le=10**11)] | None = None
    instead: Annotated[list[InsteadBody], msgspec.Meta(max_length=16)] = []


_body = msgspec.json.Decoder(RedeemBody)


class Redeeming:
    """The counter's one hot operation and its batches."""

    def __init__(self) -> None:
        def redeem(requests: Sequence[RedeemRequest]) -> Sequence[Redeemed | DomainError]:
            return redeem_batch(requests, at=timezone.now())

        self.redeeming: GroupCommit[RedeemRequest, Redeemed] = GroupCommit("redeem", redeem, largest_batch=128)
        self.groups: list[GroupCommit[Any, Any]] = [self.redeeming]
        self.guesses = Guesses()
        self._platforms = ThreadPoolExecutor(PLATFORM_CALLS_AT_ONCE, thread_name_prefix="platform")

    async def redeem(self, call: Call, store: str) -> None:
        who, who_id = await counter_of(call, at=timezone.now())
        address = call.address
        self.guesses.require_room(who_id, address)
        request_id = call.request_id
        call.refuse_parameters()
        body = await call.body(_body)
        store_id = ids.parse(Store.PREFIX, store)
        asked = RedeemRequest(
            store_id=store_id,
            who=who,
            codes=tuple(body.codes),
            bill_fen=body.bill_fen,
            request_id=request_id,
            instead=tuple(
                (ids.parse(Product.PREFIX, one.product), ids.parse(Product.PREFIX, one.substitute))
                for one in body.instead
            ),
        )
        try:
            done = await self.redeeming.submit(asked)
        except VoucherNotFound as miss:
            await self._redeem_elsewhere(call, asked, miss, who_id)
            return
        await call.answer(200 if done.is_repeat else 201, _answer(done, store))

    async def _redeem_elsewhere(self, call: Call, asked: RedeemRequest, miss: VoucherNotFound, who_id: UUID) -> None:
        """What is not ours may be a platform's, which may take seconds: beside the batches, in a thread of its own."""
        loop = asyncio.get_running_loop()
        try:
            state = await loop.run_in_executor(self._platforms, _at_a_platform, asked, miss)
        except misses.MISSED:
            await self.guesses.count(who_id, call.address)
            raise
        store = state.store_public_id
        if state.is_decided:
            await call.answer(200 if state.is_repeat else 201, _answer(state, store))
        else:
            await call.answer(202, _undecided(state))


class Guesses:
    """
    Codes that named no voucher, by clerk and by address.

    A hit costs nothing here: only a miss asks Redis, off the event loop, and what it says is remembered
    until it allows the next one. Every process asks the same count, so each lets one more guess through
    at the most.
    """

    def __init__(self) -> None:
        self._closed_until: dict[UUID | str, float] = {}

    def require_room(self, operator_id: UUID, address: str) -> None:
        """
        Raises:
            TooManyRequests: too many misses came from this clerk or this address.
        """
        if not self._closed_until:
            return
        until = max(self._closed_until.get(operator_id, 0.0), self._closed_until.get(address, 0.0))
        if (wait := until - time.monotonic()) > 0:
            raise TooManyRequests(retry_after_seconds=math.ceil(wait))

    async def count(self, operator_id: UUID, address: str) -> None:
        """Count one miss, and close the door where it was one too many."""
        now = time.monotonic()
        self._closed_until = {key: until for key, until in self._closed_until.items() if until > now}
        await asyncio.to_thread(misses.count, 1, clerk_id=operator_id, address=address)
        for limit, key in ((misses.OF_CLERK, operator_id), (misses.OF_ADDRESS, address)):
            left = await asyncio.to_thread(limits.check, (limit, str(key)))
            if left.wait_seconds > 0:
                self._closed_until[key] = now + left.wait_seconds


def _at_a_platform(asked: RedeemRequest, miss: VoucherNotFound) -> RequestState:
    try:
        return redeem_elsewhere(asked, miss, at=timezone.now())
    finally:
        connection.close()  # these threads are seldom needed, and would keep it for good


def _undecided(state: RequestState) -> dict[str, Any]:
    return {
        "request": state.public_id,
        "store": state.store_public_id,
        "issuer": state.issuer,
        "outcome": state.outcome,
        "bill_fen": state.bill_fen,
        "held_uses": state.held_uses,
        "redemptions": [],
        "reason_code": state.reason_code,
        "reason": state.reason,
        "requested_at": state.requested_at,
        "decided_at": state.decided_at,
    }


def _answer(done: Redeemed | RequestState, store: str) -> dict[str, Any]:
    return {
        "request": done.public_id,
        "store": store,
        "bill_fen": done.bill_fen,
        "redemptions": [_use(use) for use in done.uses],
    }


def _use(use: RedeemedUse) -> dict[str, Any]:
    return {
        "id": use.public_id,
        "voucher": use.voucher_public_id,
        "code": use.masked_code,
        "title": use.title,
        "serial": use.serial,
        "uses_left": use.uses_left,
        "amount_fen": use.amount_fen,
        "discount_fen": use.discount_fen,
        "pays_difference": use.pays_difference,
        "redeemed_at": use.redeemed_at,
        "reversible_until": use.reversible_until,
        "reversed_at": use.reversed_at,
    }
