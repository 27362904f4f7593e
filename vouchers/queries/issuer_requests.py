"""A redemption request that a platform decides, as it is now."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from config.kernel.ids import parse, public
from stores.models import Store
from stores.permissions import Permission
from stores.queries import Who, stores_for_clerks
from vouchers import errors
from vouchers.models import RedemptionRequest, Voucher
from vouchers.queries.answers import RedeemedUse, redeemed_use
from vouchers.queries.frozen_terms import terms


@dataclass(frozen=True, slots=True)
class RequestState:
    """
    ``uses`` is empty until it is done; ``held_uses`` counts what is kept for it meanwhile.

    ``issuer`` is empty where the vouchers are our own. ``reason_code`` and ``reason`` are the platform's.
    """

    request_id: UUID
    store_id: UUID
    issuer: str
    outcome: str
    bill_fen: int | None
    uses: tuple[RedeemedUse, ...]
    held_uses: int
    requested_at: datetime
    decided_at: datetime | None
    reason_code: str
    reason: str
    is_repeat: bool

    @property
    def public_id(self) -> str:
        return public(RedemptionRequest.PREFIX, self.request_id)

    @property
    def store_public_id(self) -> str:
        return public(Store.PREFIX, self.store_id)

    @property
    def is_decided(self) -> bool:
        return self.outcome in (RedemptionRequest.Outcome.DONE, RedemptionRequest.Outcome.REFUSED)


def for_counter(public_id: str, who: Who, *, at: datetime) -> RequestState:
    """
    A redemption request, for whoever may see what is redeemed at its store.

    Raises:
        MalformedId: not a request's id.
        RequestNotFound: not there, or not hers to see.
    """
    request = RedemptionRequest.objects.filter(pk=parse(RedemptionRequest.PREFIX, public_id)).first()
    if request is None or not stores_for_clerks([(request.store_id, who)], at, permission=Permission.VIEW_REDEMPTIONS):
        raise errors.RequestNotFound
    return state_of(request.id, is_repeat=True)


def state_of(request_id: UUID, *, is_repeat: bool) -> RequestState:
    """The request of that id, which is there."""
    request = RedemptionRequest.objects.select_related("issuer_call__voucher", "store").get(pk=request_id)
    call = getattr(request, "issuer_call", None)
    redemptions = list(request.redemptions.select_related("voucher").order_by("serial"))
    known = terms({one.voucher.terms_id for one in redemptions})
    return RequestState(
        request_id=request.id,
        store_id=request.store_id,
        issuer=call.issuer if call else Voucher.OWN,
        outcome=request.outcome,
        bill_fen=request.bill_fen,
        uses=tuple(
            redeemed_use(
                one,
                one.voucher,
                known[one.voucher.terms_id],
                is_dearer=request.store.is_dearer,
                bill_fen=request.bill_fen,
            )
            for one in redemptions
        ),
        held_uses=call.uses if call and call.decided_at is None else 0,
        requested_at=request.requested_at,
        decided_at=call.decided_at if call else request.requested_at,
        reason_code=call.reason_code if call else "",
        reason=call.reason if call else "",
        is_repeat=is_repeat,
    )
