"""Amendments: what a brand gives on top of terms it has published, sold vouchers included."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from config.kernel import outbox
from config.kernel.caller import Caller
from config.kernel.errors import DomainError, IdempotencyConflict
from config.kernel.idempotency import content_hash
from config.kernel.ids import parse, public
from config.kernel.jobs import nudge_after_commit
from stores.errors import StoreIsPromised
from stores.models import Product
from stores.services import brands, trail
from stores.services.made import Made
from stores.signals import ReachChange
from vouchers import queries
from vouchers.errors import AmendmentChangesNothing, TermsNotFound
from vouchers.models import Amendment, Deal, DealTerms, Offer, Voucher
from vouchers.queries.accepting import accepting_stores
from vouchers.queries.frozen_terms import AMENDABLE, amended, amendment_values
from vouchers.services.favour import check_favour
from vouchers.services.terms_check import check_dates, check_days, check_scopes, refuse
from vouchers.services.terms_reach import check_named, check_special_dates
from vouchers.verdict import Terms

REVISE = """
    INSERT INTO vouchers_termsrevision (terms_id, number, extensions)
    SELECT id, 1, %(more)s FROM unnest(%(ids)s::uuid[]) AS k(id) ORDER BY id
    ON CONFLICT (terms_id) DO UPDATE SET
        number = vouchers_termsrevision.number + 1,
        extensions = vouchers_termsrevision.extensions + excluded.extensions
"""
OPEN = [Voucher.Status.ISSUED, Voucher.Status.HELD]


def publish(
    *, terms: DealTerms, changes: Mapping[str, Any], reason: str, request_id: UUID, by: Caller, at: datetime
) -> Made[Amendment]:
    """
    Change published terms in the customers' favour: at once, for every voucher sold under them and still to sell.

    ``changes`` are fields of ``DealTerms`` as they shall be, and ``substitutes``. Every process follows with
    its next look (``TermsRevision``); a longer validity counts from now on too, and ``extending`` writes it
    into the vouchers, batch by batch. A voucher that has expired stays so, whether or not its refund has
    begun: its breakage is in the books and what was owed for it may be on its way. One whose time was over
    and that nobody had expired yet comes back. Safe to retry by ``request_id``.

    Raises:
        TermsNotFound: the terms are gone from this brand.
        AmendmentChangesNothing: the terms say all of it already.
        AmendmentNotInFavour: somebody could lose by it; names the field.
        TermsInvalid: a change that is not of the documented form, or names what is not there.
        IdempotencyConflict: ``request_id`` came before with other content.
    """
    content = content_hash(terms=terms.id, changes=_as_json(changes), reason=reason)
    with transaction.atomic(durable=True):
        # The brand's lock: what closes, goes or changes meanwhile sees the terms amended. The deal's gives out the
        # numbers.
        brands.lock(terms.deal.brand_id)
        if not Deal.objects.select_for_update(no_key=True).filter(pk=terms.deal_id).exists():
            raise TermsNotFound
        before_this = list(terms.amendments.order_by("number"))
        if first := next((one for one in before_this if one.request_id == request_id), None):
            if bytes(first.content_hash) != content:
                raise IdempotencyConflict(param="Idempotency-Key")
            return Made(first, is_new=False)
        said = _checked(terms, before_this, changes, at=at)
        amendment = Amendment.objects.create(
            terms=terms,
            number=len(before_this) + 1,
            changes=said,
            reason=reason,
            request_id=request_id,
            content_hash=content,
            published_at=at,
        )
        _revise([terms.id], extensions=sum(name in said for name in ("usable_until", "usable_days")))
        _tell(amendment, terms, by=by, at=at)
        nudge_after_commit("vouchers.extend_sold", queue="issue")
    return Made(amendment, is_new=True)


def follow_calendar(*, brand_id: UUID) -> None:
    """
    A holiday calendar was published: terms that heed holidays are read again everywhere.

    Runs inside the transaction that publishes it.
    """
    own_rule = ~Q(holiday_rule=DealTerms.HolidayRule.USABLE) | ~Q(makeup_rule=DealTerms.MakeupRule.OWN_WEEKDAY)
    made_to = Q(amendments__changes__has_any_keys=["holiday_rule", "makeup_rule"])
    heeding = DealTerms.objects.filter(own_rule | made_to, deal__brand_id=brand_id)
    if ids := sorted(set(heeding.values_list("id", flat=True))):
        _revise(ids, extensions=0)


def check_reach_change(*, change: ReachChange) -> None:
    """
    Nobody who holds a voucher loses a store because a region, a group or what a store costs changes.

    Runs inside the transaction that changes it. Terms without open vouchers and offers on sale bind nobody.

    Raises:
        StoreIsPromised: names the terms that would honour fewer stores.
    """
    ids = DealTerms.objects.filter(deal__brand_id=change.brand_id).values_list("id", flat=True)
    losing = [one.id for one in queries.terms(list(ids)).values() if _loses_a_store(one, change)]
    held = Voucher.objects.filter(terms_id__in=losing, status__in=OPEN).values_list("terms_id", flat=True)
    on_sale = Offer.objects.filter(terms_id__in=losing).exclude(state__in=[Offer.State.DRAFT, Offer.State.DRAINED])
    if promised := sorted({*held.distinct(), *on_sale.values_list("terms_id", flat=True)}):
        raise StoreIsPromised(terms=[public(DealTerms.PREFIX, one) for one in promised])


def _loses_a_store(terms: Terms, change: ReachChange) -> bool:
    """By the rules' own words: a store that the terms also take in by its own name counts too."""
    scope = terms.scope
    named = scope.regions | scope.groups
    # A store that only goes from one named region to another stays taken in.
    if not scope.everywhere and change.leaving & named and not (change.joining - change.leaving) & named:
        return True
    if change.joining & (scope.except_regions | scope.except_groups):
        return True
    if terms.dearer_stores != DealTerms.DearerStores.EXCLUDED or not change.dearer:
        return False
    return accepting_stores(terms).filter(id__in=change.dearer).exists()


def _checked(
    terms: DealTerms, before_this: Iterable[Amendment], changes: Mapping[str, Any], *, at: datetime
) -> dict[str, Any]:
    """What of ``changes`` really changes something, as it is stored."""
    before = amended(terms, before_this)
    said = _as_json(changes)
    check_days(weekdays=said.get("weekdays", []), day_spans=said.get("day_spans", []))
    check_scopes(said.get("store_scope", {}), said.get("product_scope", {}))
    values = amendment_values(said)
    substitutes = _checked_substitutes(terms, values.pop("substitutes", {}))
    after = before | {name: value for name, value in values.items() if before[name] != value}
    check_favour(before, after)
    check_dates(special_dates=after["special_dates"], blackout_dates=after["blackout_dates"])
    told = {name: said[name] for name in values if before[name] != values[name]}
    fresh = {
        product: instead
        for product, instead in substitutes.items()
        if not {*instead} <= {*before["substitutes"].get(product, [])}
    }
    if not told and not fresh:
        raise AmendmentChangesNothing
    copy = DealTerms(**{field.attname: getattr(terms, field.attname) for field in DealTerms._meta.concrete_fields})
    copy.deal = terms.deal
    # Earlier amendments too: a day may lie in the weeks that one of them added.
    for name in AMENDABLE:
        setattr(copy, name, after[name])
    # Days that were promised before may be over, and are kept.
    fresh_days = {*after["special_dates"]} - {*before["special_dates"]}
    check_special_dates(check_named(copy), fresh_days, at=at)
    return told | ({"substitutes": fresh} if fresh else {})


def _checked_substitutes(terms: DealTerms, substitutes: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
    named = {one for product, instead in substitutes.items() for one in (product, *instead)}
    try:
        ids = {parse(Product.PREFIX, one) for one in named}
    except DomainError:
        refuse("substitutes", 'such as {"prd_…": ["prd_…"]}', "替代商品格式不对")
    ours = Product.objects.filter(id__in=ids, brand_id=terms.deal.brand_id)
    if ours.count() < len(ids) or not all(substitutes.values()):
        refuse("substitutes", "products of this brand, and one or more instead of each", "替代商品里有不存在的商品")
    return substitutes


def _revise(ids: Collection[UUID], *, extensions: int) -> None:
    assert connection.in_atomic_block, "a revision commits with what it tells of"
    with connection.cursor() as cursor:
        cursor.execute(REVISE, {"ids": list(ids), "more": extensions})


def _tell(amendment: Amendment, terms: DealTerms, *, by: Caller, at: datetime) -> None:
    brand_id = terms.deal.brand_id
    told = {"terms": terms.public_id, "number": amendment.number, "changes": amendment.changes}
    trail.leave(
        "terms.amended", amendment, brand_id=brand_id, by=by, at=at, details={**told, "reason": amendment.reason}
    )
    outbox.announce(brand_id=brand_id, topic="terms.amended", items=[{"amendment": amendment.public_id, **told}], at=at)


def _as_json(changes: Mapping[str, Any]) -> dict[str, Any]:
    unknown = changes.keys() - {*AMENDABLE, "substitutes"}
    assert not unknown, f"no amendment speaks of {sorted(unknown)}"
    return {name: _plain(value) for name, value in changes.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value
