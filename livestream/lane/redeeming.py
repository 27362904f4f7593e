"""``POST stores/{store}/redemptions``: clerks' requests, gathered like the customers'."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from config.kernel import ids
from config.kernel.errors import DomainError
from config.kernel.group_commit import GroupCommit
from livestream.lane.credentials import staff_of
from livestream.lane.http import Call
from stores.models import Store
from vouchers.queries.answers import Redeemed, RedeemedUse
from vouchers.services.redemption import RedeemRequest, redeem_batch

Code = Annotated[str, msgspec.Meta(max_length=64)]


class RedeemBody(msgspec.Struct, forbid_unknown_fields=True):
    """The codes as scanned or typed, and the undiscounted bill where a voucher asks for it."""

    codes: Annotated[list[Code], msgspec.Meta(max_length=64)]
    bill_fen: Annotated[int, msgspec.Meta(ge=0, le=10**11)] | None = None


_body = msgspec.json.Decoder(RedeemBody)


class Redeeming:
    """The counter's one hot operation and its batches."""

    def __init__(self) -> None:
        def redeem(requests: Sequence[RedeemRequest]) -> Sequence[Redeemed | DomainError]:
            return redeem_batch(requests, at=datetime.now(UTC))

        self.redeeming: GroupCommit[RedeemRequest, Redeemed] = GroupCommit("redeem", redeem, largest_batch=128)
        self.groups: list[GroupCommit[Any, Any]] = [self.redeeming]

    async def redeem(self, call: Call, store: str) -> None:
        operator_id = staff_of(call, at=datetime.now(UTC))
        request_id = call.request_id
        call.refuse_parameters()
        body = await call.body(_body)
        store_id = ids.parse(Store.PREFIX, store)
        done = await self.redeeming.submit(
            RedeemRequest(
                store_id=store_id,
                operator_id=operator_id,
                codes=tuple(body.codes),
                bill_fen=body.bill_fen,
                request_id=request_id,
            )
        )
        await call.answer(200 if done.is_repeat else 201, _answer(done, store))


def _answer(done: Redeemed, store: str) -> dict[str, Any]:
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
        "redeemed_at": use.redeemed_at,
        "reversible_until": use.reversible_until,
        "reversed_at": use.reversed_at,
    }
