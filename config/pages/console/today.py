"""What was redeemed here today, summed by deal and by clerk, and the report at the end of a shift."""

from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from config.pages.console.desk import Desk, at_desk
from orders.models import Surcharge
from orders.queries import surcharges_of_store
from stores.permissions import Permission
from vouchers.codes import masked
from vouchers.models import Redemption
from vouchers.queries import counter
from vouchers.queries.day_totals import totals_of

MOST_SHOWN = 100


@never_cache
@require_GET
@at_desk
def today(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The business day so far: sums first, then the latest redemptions, each with its way back."""
    here = desk.here(Permission.VIEW_REDEMPTIONS)
    redeemed = counter.redemptions_of_store(here).filter(business_date=here.business_date)
    latest = list(
        redeemed.select_related("voucher__terms", "request__operator").order_by("-redeemed_at", "-id")[:MOST_SHOWN]
    )
    context = {
        "desk": desk,
        "day": here.business_date,
        "totals": totals_of(redeemed),
        "latest": [
            {
                "redemption": one,
                "code": masked(one.voucher.code),
                "request": one.request.public_id,
                "may_undo": _may_undo(one, desk),
            }
            for one in latest
        ],
        "is_cut": len(latest) == MOST_SHOWN,
    }
    return render(request, "console/today.html", context)


@never_cache
@require_GET
@at_desk
def shift(request: HttpRequest, desk: Desk) -> HttpResponse:
    """What this clerk did today, to be shown, printed and signed when she hands over."""
    here = desk.here(Permission.VIEW_REDEMPTIONS)
    hers = counter.redemptions_of_store(here).filter(
        business_date=here.business_date, request__operator_id=desk.caller_id
    )
    totals = totals_of(hers)
    first = totals.clerks[0].first_at if totals.clerks else None
    collected = surcharges_of_store(here.store_id).filter(
        operator_id=desk.caller_id, paid_at__isnull=False, given_back_at__isnull=True
    )
    collected = collected.filter(created_at__gte=first) if first else collected.none()
    by_way = dict(collected.order_by().values_list("way").annotate(Sum("amount_fen")))
    context = {
        "desk": desk,
        "day": here.business_date,
        "totals": totals,
        "till_fen": by_way.get(Surcharge.Way.TILL, 0),
        "provider_fen": by_way.get(Surcharge.Way.PROVIDER, 0),
    }
    return render(request, "console/shift.html", context)


def _may_undo(redemption: Redemption, desk: Desk) -> bool:
    until = redemption.reversible_until
    return redemption.reversed_at is None and redemption.settled_at is None and until is not None and until > desk.at
