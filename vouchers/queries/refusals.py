"""A refusal with everything the person at the counter wants to know about it."""

from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from config.kernel.errors import DomainError
from config.kernel.ids import public
from stores.models import Store
from stores.queries import nearest_stores
from vouchers import errors
from vouchers.codes import masked
from vouchers.models import Redemption, Voucher
from vouchers.queries.accepting import accepting_stores
from vouchers.queries.facts import Story
from vouchers.queries.frozen_terms import terms as frozen_terms
from vouchers.queries.holders import held_by
from vouchers.verdict import Refusal, Terms

NEAREST = 3
NEAREST_KEPT_SECONDS = 300


def explained(
    refusal: Refusal,
    *,
    code: str | None,
    position: int,
    voucher: Voucher | None,
    terms: Terms | None,
    story: Story,
    bill_fen: int | None,
) -> DomainError:
    """
    The refusal of what stands at ``position`` of the request, with what it takes or who was first.

    ``code`` is what a clerk typed; a customer names her vouchers by their ids and gets none.
    """
    details: dict[str, Any] = {"position": position}
    if code is not None:
        details["code"] = masked(code)
    if voucher is not None and terms is not None:
        details |= {"voucher": voucher.public_id, "title": terms.title}
        details |= _facts(refusal, voucher, terms, story, bill_fen)
    named = "vouchers" if code is None else "codes"
    return refusal(param="bill_fen" if refusal is errors.BillAmountRequired else named, **details)


def _facts(refusal: Refusal, voucher: Voucher, terms: Terms, story: Story, bill_fen: int | None) -> dict[str, Any]:
    if refusal is errors.VoucherAlreadyRedeemed and (use := story.last_use):
        return {
            "uses_total": voucher.uses_total,
            "redemption": public(Redemption.PREFIX, use.redemption_id),
            "redeemed_at": use.redeemed_at.isoformat(),
            "store": public(Store.PREFIX, use.store_id),
            "store_name": use.store_name,
        }
    if refusal is errors.VoucherRefunded and story.refunding_at:
        return {"refunding_at": story.refunding_at.isoformat()}
    if refusal is errors.VoucherHeld:
        return held_by(story.holder)
    if refusal is errors.VoucherNotYetValid:
        return {"valid_from": voucher.valid_from.isoformat()}
    if refusal is errors.VoucherExpired:
        return {"valid_until": voucher.valid_until.isoformat()}
    if refusal is errors.VoucherNotUsableNow:
        return {
            "weekdays": sorted(terms.weekdays),
            "day_spans": terms.spans_as_clocks,
            "blackout_dates": sorted(day.isoformat() for day in terms.blackout_dates),
        }
    if refusal in (errors.MinSpendNotReached, errors.BillAmountRequired):
        return {"min_spend_fen": terms.min_spend_fen, "bill_fen": bill_fen}
    return {}


def with_nearest(
    refusal: DomainError, terms: Terms, *, latitude: float | None, longitude: float | None, at: datetime
) -> DomainError:
    """The wrong store's refusal with the nearest stores that honour the voucher; none where the store has no place."""
    placed = latitude is not None and longitude is not None
    period = int(at.timestamp()) // NEAREST_KEPT_SECONDS
    refusal.details["nearest"] = _nearest(terms.id, latitude, longitude, period) if placed else []
    return refusal


@lru_cache(maxsize=4096)
def _nearest(terms_id: UUID, latitude: float, longitude: float, period: int) -> list[dict[str, Any]]:
    # Kept for minutes: a clerk who scans one wrong voucher after the other must not make a whole batch wait.
    accepting = accepting_stores(frozen_terms([terms_id])[terms_id])
    return [
        {
            "store": near.store.public_id,
            "name": near.store.name,
            "address": near.store.address,
            "distance_metres": near.distance_metres,
        }
        for near in nearest_stores(accepting, latitude=latitude, longitude=longitude, limit=NEAREST)
    ]
