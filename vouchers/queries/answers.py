"""What a redemption is answered with, now and whenever it is asked for again."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from config.kernel.ids import public
from stores.models import Store
from vouchers.codes import masked
from vouchers.models import Redemption, RedemptionRequest, Voucher
from vouchers.verdict import Terms


@dataclass(frozen=True, slots=True)
class RedeemedUse:
    """
    One use, as the counter prints it; ``uses_left`` is what remains on the voucher, ``discount_fen`` what a
    discount takes off the bill. ``pays_difference`` where the store is dearer and the terms say so.
    """

    redemption_id: UUID
    voucher_id: UUID
    code: str
    title: str
    kind: str
    serial: int
    uses_left: int
    uses_total: int
    amount_fen: int
    face_value_fen: int | None
    discount_rate_bps: int | None
    discount_cap_fen: int | None
    discount_fen: int | None
    pays_difference: bool
    redeemed_at: datetime
    reversible_until: datetime | None
    reversed_at: datetime | None

    @property
    def public_id(self) -> str:
        return public(Redemption.PREFIX, self.redemption_id)

    @property
    def voucher_public_id(self) -> str:
        return public(Voucher.PREFIX, self.voucher_id)

    @property
    def masked_code(self) -> str:
        return masked(self.code)


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The request that was done, with its uses; ``is_repeat`` where it had been answered before."""

    request_id: UUID
    store_id: UUID
    bill_fen: int | None
    uses: tuple[RedeemedUse, ...]
    is_repeat: bool = False

    @property
    def public_id(self) -> str:
        return public(RedemptionRequest.PREFIX, self.request_id)

    @property
    def store_public_id(self) -> str:
        return public(Store.PREFIX, self.store_id)

    def again(self) -> "Redeemed":
        return self if self.is_repeat else replace(self, is_repeat=True)


def redeemed_use(
    redemption: Redemption, voucher: Voucher, terms: Terms, *, is_dearer: bool, bill_fen: int | None
) -> RedeemedUse:
    return RedeemedUse(
        redemption_id=redemption.id,
        voucher_id=voucher.id,
        code=voucher.code,
        title=terms.title,
        kind=terms.kind,
        serial=redemption.serial,
        uses_left=voucher.uses_left,
        uses_total=voucher.uses_total,
        amount_fen=redemption.amount_fen,
        face_value_fen=terms.face_value_fen,
        discount_rate_bps=terms.discount_rate_bps,
        discount_cap_fen=terms.discount_cap_fen,
        discount_fen=terms.discount_fen(bill_fen),
        pays_difference=is_dearer and terms.asks_the_difference,
        redeemed_at=redemption.redeemed_at,
        reversible_until=redemption.reversible_until,
        reversed_at=redemption.reversed_at,
    )
