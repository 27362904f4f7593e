"""Terms as every process remembers them."""

from collections.abc import Collection
from uuid import UUID

from vouchers.models import DealTerms
from vouchers.verdict import Terms, minutes_of, scope_of

_terms: dict[UUID, Terms] = {}


def terms(ids: Collection[UUID]) -> dict[UUID, Terms]:
    """
    The terms behind ``ids``, out of this process's memory; one statement for those it has not met.

    Terms are written once, so what is remembered is never stale; a brand has hundreds, not millions.
    """
    if missing := [one for one in ids if one not in _terms]:
        for row in DealTerms.objects.filter(id__in=missing).select_related("deal"):
            _terms[row.id] = _frozen(row)
    return {one: _terms[one] for one in ids if one in _terms}


def _frozen(row: DealTerms) -> Terms:
    return Terms(
        id=row.id,
        deal_id=row.deal_id,
        brand_id=row.deal.brand_id,
        number=row.number,
        kind=row.deal.kind,
        title=row.title,
        use_list_fen=tuple(row.use_list_fen),
        face_value_fen=row.face_value_fen,
        discount_rate_bps=row.discount_rate_bps,
        discount_cap_fen=row.discount_cap_fen,
        min_spend_fen=row.min_spend_fen,
        usable_from=row.usable_from,
        usable_until=row.usable_until,
        usable_days=row.usable_days,
        weekdays=frozenset(row.weekdays),
        day_spans=tuple((minutes_of(first), minutes_of(last)) for first, last in row.day_spans),
        blackout_dates=frozenset(row.blackout_dates),
        scope=scope_of(row.store_scope),
        stacking_group=row.stacking_group,
        max_per_order=row.max_per_order,
        refundable_unused=row.refundable_unused,
        refunds_on_expiry=row.refunds_on_expiry,
    )
