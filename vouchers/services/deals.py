"""Deals and their terms: what a brand promises, numbered, and never changed once published."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from config.kernel.caller import Caller
from stores.models import HolidayCalendar
from stores.services import brands, trail
from stores.services.made import Made
from vouchers.errors import DealNotFound, DealStockExhausted, OutIdTaken
from vouchers.models import Deal, DealStock, DealTerms
from vouchers.queries.frozen_terms import heeds_holidays
from vouchers.services.bundle_terms import with_frozen_children
from vouchers.services.settlement_check import check_rules_named, check_rules_of_terms
from vouchers.services.terms_check import NewTerms, check
from vouchers.services.terms_reach import check_reach

__all__ = ["NewTerms", "change_total", "create", "publish_terms"]


def create(
    *, brand_id: UUID, out_id: str, kind: Deal.Kind, name: str, total: int, by: Caller, at: datetime
) -> Made[Deal]:
    """
    A deal with its stock, under the brand's own name for it.

    Safe to retry: the same ``out_id`` with the same content is the same deal.

    Raises:
        OutIdTaken: the brand uses ``out_id`` for something else.
    """
    assert total >= 0, "the edge refuses less"
    deal = Deal(brand_id=brand_id, out_id=out_id, kind=kind, name=name, created_at=at)
    with transaction.atomic(durable=True):
        try:
            with transaction.atomic():
                deal.save(force_insert=True)
        except IntegrityError:
            first = Deal.objects.select_related("stock").get(brand_id=brand_id, out_id=out_id)
            if (first.kind, first.name, first.stock.total) != (kind, name, total):
                raise OutIdTaken(param="out_id") from None
            return Made(first, is_new=False)
        DealStock.objects.create(deal=deal, total=total, free=total)
        told = {"out_id": out_id, "kind": kind.value, "name": name, "total": total}
        trail.leave("deal.created", deal, brand_id=brand_id, by=by, at=at, details=told)
    return Made(deal, is_new=True)


def change_total(*, deal: Deal, total: int, by: Caller, at: datetime) -> Deal:
    """
    Raise or lower how many may ever be sold; what offers hold stays theirs. Repeating changes nothing.

    Raises:
        DealStockExhausted: offers hold more than that already.
    """
    with transaction.atomic(durable=True):
        stock = DealStock.objects.select_for_update().get(pk=deal.pk)
        before, stock.total, stock.free = stock.total, total, stock.free + total - stock.total
        if stock.free < 0:
            raise DealStockExhausted(free=stock.free - total + before)
        if before != total:
            stock.save(update_fields=["total", "free"])
            told = {"total": [before, total]}
            trail.leave("deal.total_changed", deal, brand_id=deal.brand_id, by=by, at=at, details=told)
    deal.stock = stock
    return deal


def publish_terms(*, deal: Deal, new: NewTerms, by: Caller, at: datetime) -> Made[DealTerms]:
    """
    Freeze ``new`` as the deal's next numbered terms; vouchers keep those they were sold under.

    Safe to retry: what equals the latest terms is the latest terms. They remember the holiday calendars of
    this day: a later one may add days to them and never take one away. A store that closes or a product that
    goes meanwhile waits for them, and recalls what it leaves unmet.

    Raises:
        DealNotFound: the deal is gone from this brand.
        TermsInvalid: nobody could ever use them; names the field and the reason.
    """
    check(new, kind=Deal.Kind(deal.kind), at=at)
    check_rules_of_terms(new, at=at)
    if deal.kind == Deal.Kind.BUNDLE:
        new = with_frozen_children(new, brand_id=deal.brand_id, at=at)
    content = _columns(new)
    with transaction.atomic(durable=True):
        # The brand's lock holds the lists still that the terms are checked against; the deal's gives out the numbers.
        brands.lock(deal.brand_id)
        if not Deal.objects.select_for_update(no_key=True).filter(pk=deal.pk, brand_id=deal.brand_id).exists():
            raise DealNotFound
        latest = deal.terms.order_by("-number").first()
        content["calendar_versions"] = _calendar_versions(deal.brand_id) if heeds_holidays(content) else {}
        if latest is not None and {name: getattr(latest, name) for name in content} == content:
            return Made(latest, is_new=False)
        number = latest.number + 1 if latest else 1
        terms = DealTerms(deal=deal, number=number, published_at=at, **content)
        check_reach(terms, at=at)
        check_rules_named(new.settlement_rules, new.store_scope, deal=deal)
        terms.save(force_insert=True)
        told = {"deal": deal.public_id, "number": number}
        trail.leave("terms.published", terms, brand_id=deal.brand_id, by=by, at=at, details=told)
    return Made(terms, is_new=True)


def _calendar_versions(brand_id: UUID) -> dict[str, int]:
    versions = HolidayCalendar.objects.filter(brand_id=brand_id).order_by("year", "number")
    return {str(year): number for year, number in versions.values_list("year", "number")}


def _columns(new: NewTerms) -> dict[str, Any]:
    return {**asdict(new), "use_list_fen": new.uses, "validity": new.validity.value}
