"""Offers: stock taken from a deal and put on sale, paused, closed, and drained when nothing is open any more."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from config.kernel.caller import Caller
from config.kernel.idempotency import content_hash
from stores.services import trail
from stores.services.made import Key, Made, insert_once, made_before
from vouchers.errors import (
    AllotmentBelowSold,
    DealStockExhausted,
    OfferInvalid,
    OfferNotFound,
    OfferStateRefuses,
    TermsRecalled,
)
from vouchers.models import DealStock, DealTerms, Offer
from vouchers.queries import units

State = Offer.State


def create(
    *,
    terms: DealTerms,
    price_fen: int,
    allotment: int,
    per_customer_limit: int | None = None,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    request_id: UUID,
    by: Caller,
    at: datetime,
) -> Made[Offer]:
    """
    A draft offer of ``terms`` that holds ``allotment`` of the deal's free stock; on sale from ``opens_at`` (now)
    to ``closes_at``, or until its vouchers would have expired.

    Safe to retry: the same ``request_id`` with the same content is the same offer.

    Raises:
        TermsRecalled: nobody can keep these terms any more.
        OfferInvalid: a price, limit or time that cannot be; names the field.
        DealStockExhausted: the deal has less than that free.
        IdempotencyConflict: ``request_id`` came before with other content.
    """
    deal = terms.deal
    content = content_hash(
        terms=terms.id,
        price_fen=price_fen,
        allotment=allotment,
        per_customer_limit=per_customer_limit,
        opens_at=opens_at,
        closes_at=closes_at,
    )
    key = Key(deal.brand_id, request_id, content)
    if first := made_before(Offer.objects.all(), key):
        return first
    _require_not_recalled(terms.id)
    offer = Offer(
        deal=deal,
        terms=terms,
        price_fen=price_fen,
        allotment=allotment,
        per_customer_limit=per_customer_limit,
        opens_at=opens_at or at,
        closes_at=closes_at,
        created_at=at,
        **key._asdict(),
    )
    _check(offer, at=at)
    with transaction.atomic(durable=True):
        made = insert_once(offer, key)
        if made.is_new:
            _take(deal.pk, allotment)
            told = {"terms": terms.public_id, "price_fen": price_fen, "allotment": allotment}
            trail.leave("offer.created", offer, brand_id=offer.brand_id, by=by, at=at, details=told)
    return made


def open_offer(*, offer: Offer, by: Caller, at: datetime) -> Offer:
    """
    Put a draft on sale; it sells from its ``opens_at``. Repeating changes nothing.

    Raises:
        TermsRecalled: nobody can keep its terms any more.
        OfferStateRefuses: it is paused (resume it) or its sale has ended.
    """
    return _turn(offer, State.OPEN, of=(State.DRAFT,), act="offer.opened", by=by, at=at)


def pause(*, offer: Offer, by: Caller, at: datetime) -> Offer:
    """
    Stop selling for now. Repeating changes nothing.

    Raises:
        OfferStateRefuses: it is not on sale.
    """
    return _turn(offer, State.PAUSED, of=(State.OPEN,), act="offer.paused", by=by, at=at)


def resume(*, offer: Offer, by: Caller, at: datetime) -> Offer:
    """
    Sell on. Repeating changes nothing.

    Raises:
        OfferStateRefuses: it is not paused.
    """
    return _turn(offer, State.OPEN, of=(State.PAUSED,), act="offer.resumed", by=by, at=at)


def close(*, offer: Offer, by: Caller, at: datetime) -> Offer:
    """
    End the sale for good; unpaid purchases may still be paid. Repeating changes nothing.

    Raises:
        OfferStateRefuses: it is drained.
    """
    return _turn(
        offer, State.CLOSED, of=(State.DRAFT, State.OPEN, State.PAUSED), act="offer.closed", by=by, at=at, closed_at=at
    )


def change_allotment(*, offer: Offer, allotment: int, by: Caller, at: datetime) -> Offer:
    """
    Give the offer more of the deal's free stock, or take some back. Repeating changes nothing.

    Raises:
        AllotmentBelowSold: more than that are sold already.
        DealStockExhausted: the deal has not as much free.
        OfferStateRefuses: its sale has ended.
    """
    with transaction.atomic(durable=True):
        offer = lock(offer)
        if offer.state in (State.CLOSED, State.DRAINED):
            raise OfferStateRefuses(state=offer.state)
        if allotment < offer.sold:
            raise AllotmentBelowSold(sold=offer.sold, param="allotment")
        before, more = offer.allotment, allotment - offer.allotment
        if more:
            _take(offer.deal_id, more)
            offer.allotment = allotment
            offer.save(update_fields=["allotment"])
            told = {"allotment": [before, allotment]}
            trail.leave("offer.allotment_changed", offer, brand_id=offer.brand_id, by=by, at=at, details=told)
        return offer


def close_all_of(*, terms_ids: Collection[UUID], by: Caller, at: datetime) -> list[Offer]:
    """
    Nothing more is sold under these terms; what is sold already is not touched. Returns the offers it closed.

    Runs inside the caller's transaction, which knows why nobody could use what it sold. Locks in key order.
    """
    assert connection.in_atomic_block, "sales end together with their reason"
    selling = Offer.objects.filter(terms_id__in=terms_ids, state__in=(State.DRAFT, State.OPEN, State.PAUSED))
    offers = list(selling.order_by("id").select_for_update(no_key=True))
    for offer in offers:
        told = trail.change(offer, {"state": State.CLOSED, "closed_at": at})
        trail.leave("offer.closed", offer, brand_id=offer.brand_id, by=by, at=at, details={"state": told["state"]})
    return offers


def drain(*, offer_ids: Collection[UUID], at: datetime) -> int:
    """
    Give what closed offers did not sell back to their deals, once; returns how many were drained.

    Runs inside the caller's transaction. The caller knows that no unpaid purchase is left: after this,
    what comes back goes to the deal.
    """
    assert connection.in_atomic_block, "the remainder moves with the state"
    offers = Offer.objects.filter(id__in=offer_ids, state=State.CLOSED).order_by("id").select_for_update(no_key=True)
    drained = list(offers)
    for offer in sorted(drained, key=lambda offer: offer.deal_id):
        DealStock.objects.filter(pk=offer.deal_id).update(free=F("free") + offer.allotment - offer.sold)
    Offer.objects.filter(id__in=[offer.id for offer in drained]).update(state=State.DRAINED, drained_at=at)
    return len(drained)


def lock(offer: Offer) -> Offer:
    """The offer as it is now, its row locked. Runs inside the caller's transaction."""
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    found = Offer.objects.select_for_update(no_key=True).filter(pk=offer.pk).first()
    if found is None:
        raise OfferNotFound
    return found


def _turn(
    offer: Offer, to: State, *, of: tuple[State, ...], act: str, by: Caller, at: datetime, **times: datetime
) -> Offer:
    with transaction.atomic(durable=True):
        offer = lock(offer)
        if offer.state == to:
            return offer
        if offer.state not in of:
            raise OfferStateRefuses(state=offer.state)
        if to == State.OPEN:
            # Under the offer's lock: a recall either comes before this look, or closes the offer after it.
            _require_not_recalled(offer.terms_id)
        told = trail.change(offer, {"state": to, **times})
        trail.leave(act, offer, brand_id=offer.brand_id, by=by, at=at, details={"state": told["state"]})
        return offer


def _require_not_recalled(terms_id: UUID) -> None:
    if units.is_recalled(terms_id):
        raise TermsRecalled


def _take(deal_id: UUID, units: int) -> None:
    """Move free stock of the deal to an offer (back, where ``units`` is negative), by one conditional update."""
    stock = DealStock.objects.filter(pk=deal_id, free__gte=units)
    if not stock.update(free=F("free") - units):
        raise DealStockExhausted(free=DealStock.objects.values_list("free", flat=True).get(pk=deal_id))


def _check(offer: Offer, *, at: datetime) -> None:
    if offer.price_fen <= 0:
        raise OfferInvalid(param="price_fen", reason="it costs something", zh="价格应大于 0")
    if offer.price_fen > offer.terms.list_price_fen:
        raise OfferInvalid(param="price_fen", reason="it costs more than its list price", zh="价格高于门市价")
    if offer.allotment < 1:
        raise OfferInvalid(param="allotment", reason="there is at least one", zh="投放量至少为 1")
    if offer.per_customer_limit is not None and offer.per_customer_limit < 1:
        raise OfferInvalid(param="per_customer_limit", reason="everybody may buy one at least", zh="限购至少为 1")
    if offer.closes_at is not None and offer.closes_at <= max(offer.opens_at, at):
        raise OfferInvalid(param="closes_at", reason="it closes before it opens, or has closed", zh="结束时间过早")
    ends_at = units.ends_at(offer.terms_id)
    if ends_at is not None and ends_at <= max(offer.opens_at, at):
        raise OfferInvalid(param="terms", reason="its vouchers would have expired", zh="券在开售前已过期")
    if ends_at is not None and offer.closes_at is not None and offer.closes_at > ends_at:
        raise OfferInvalid(
            param="closes_at", reason="it would sell vouchers that have expired", zh="售卖结束晚于券有效期"
        )
    offer.closes_at = offer.closes_at or ends_at
