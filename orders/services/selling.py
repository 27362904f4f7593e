"""Selling: many customers' requests accepted in one transaction, the hot counter moved once."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from config.kernel.errors import DomainError, IdempotencyConflict
from config.kernel.ids import new_id
from config.kernel.pipeline import Cursor, Send, as_jsonb, pipelined
from orders import errors
from orders.models import Purchase
from vouchers.errors import OfferNotFound
from vouchers.models import Offer
from vouchers.services import offer_counters
from vouchers.services.offer_counters import OfferFacts

MOST_AT_ONCE = 99

FIRST_ANSWERS = """
    SELECT p.customer_id, p.request_id, p.channel, p.content_id, p.id, p.offer_id, p.quantity, p.unit_price_fen,
           p.total_fen, p.status, p.accepted_at, attempt.id, attempt.provider, true
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(c uuid, r uuid)
    JOIN orders_purchase p ON p.customer_id = k.c AND p.request_id = k.r
    CROSS JOIN LATERAL (
        SELECT id, provider FROM orders_payment WHERE purchase_id = p.id ORDER BY id DESC LIMIT 1
    ) AS attempt
"""
ACCEPT = """
    INSERT INTO orders_purchase (id, brand_id, offer_id, terms_id, customer_id, request_id, quantity, unit_price_fen,
        total_fen, channel, content_id, promoter_id, promoter_rate_bps, provider_rate_bps, status, returned_quantity,
        accepted_at)
    SELECT id, b, o, t, c, r, n, u, n * u, ch, co, pr, prr, svr, 'accepted', 0, %(at)s
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(id uuid, b uuid, o uuid, t uuid, c uuid, r uuid, n smallint, u bigint,
        ch text, co text, pr uuid, prr smallint, svr smallint)
    ON CONFLICT (customer_id, request_id) DO NOTHING
"""
EXPECT_PAYMENTS = """
    INSERT INTO orders_payment
        (id, purchase_id, customer_id, provider, amount_fen, status, provider_reference, created_at)
    SELECT pay, id, c, %(provider)s, n * u, 'created', '', %(at)s
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(id uuid, pay uuid, c uuid, n smallint, u bigint)
"""


# Tuples, because making a frozen dataclass takes four times as long, and each order makes both.
class SellRequest(NamedTuple):
    """
    One customer wants ``quantity`` of an offer at the price and terms number she was shown.

    The promoter and both rates are what attribution found at that moment; they are frozen by the sale.
    """

    offer_id: UUID
    brand_id: UUID
    customer_id: UUID
    request_id: UUID
    quantity: int
    unit_price_fen: int
    terms_number: int
    channel: str
    session_id: UUID | None = None
    content_id: str = ""
    promoter_id: UUID | None = None
    promoter_rate_bps: int = 0
    provider_rate_bps: int = 0


class Sold(NamedTuple):
    """The purchase that answers a request; ``is_repeat`` where it was there before."""

    purchase_id: UUID
    offer_id: UUID
    quantity: int
    unit_price_fen: int
    total_fen: int
    status: str
    accepted_at: datetime
    payment_id: UUID
    provider: str
    is_repeat: bool


Key = tuple[UUID, UUID]
Content = tuple[UUID, int, int, str, str]


@dataclass(frozen=True, slots=True)
class _FirstAnswer:
    """A purchase that is there, and what its request had asked for."""

    sold: Sold
    content: Content


class _RequestTakenMeanwhile(Exception):
    """Another process accepted one of these keys for another offer, between our look and our write."""


def sell_batch(requests: Sequence[SellRequest], *, provider: str, at: datetime) -> list[Sold | DomainError]:
    """
    Accept or refuse each request, in order, in one durable transaction; ``provider`` will be asked to collect.

    Safe to repeat as a whole or in part: (customer, request_id) is sold once, and a repeat answers
    with the same purchase in its current state. A refusal stores nothing. Offers are locked in key
    order before anything is read, so the last unit has one buyer.

    Answered, never raised: ``OfferNotFound``, ``QuantityOutOfRange``, ``NotOnSaleYet``,
    ``SalePaused``, ``SaleClosed``, ``SellingStopped``, ``PriceChanged``, ``LimitReached``,
    ``SoldOut``, ``IdempotencyConflict``.
    """
    while True:
        try:
            return _sell_once(requests, provider=provider, at=at)
        except _RequestTakenMeanwhile:
            # Its row has committed, so this time it is found as a first answer: no endless loop.
            continue


def first_answers(requests: Sequence[SellRequest]) -> list[Sold | DomainError | None]:
    """What was answered before to each of ``requests``; None where nothing was. Reads only."""
    with transaction.atomic():
        with pipelined() as send:
            asked = _send_first_answers(send, requests)
        found = _first_answers(asked)
    return [
        _repeat(request, found[key]) if (key := (request.customer_id, request.request_id)) in found else None
        for request in requests
    ]


def _sell_once(requests: Sequence[SellRequest], *, provider: str, at: datetime) -> list[Sold | DomainError]:
    with transaction.atomic(durable=True):
        with pipelined() as send:
            locking = offer_counters.send_lock(send, {request.offer_id for request in requests})
            switches = offer_counters.send_stopped_scopes(send)
            asked = _send_first_answers(send, requests)
            allowed = offer_counters.send_allowances(
                send, {(request.offer_id, request.customer_id) for request in requests}
            )
        sale = _Sale(
            offers=offer_counters.locked_offers(locking.fetchall()),
            stopped={scope_id for (scope_id,) in switches.fetchall()},
            answered=_first_answers(asked),
            bought={(offer, customer): units for offer, customer, units in allowed.fetchall()},
            provider=provider,
            at=at,
        )
        answers = [sale.decide(request) for request in requests]
        if sale.rows:
            sale.write()
    return answers


def _send_first_answers(send: Send, requests: Sequence[SellRequest]) -> Cursor:
    rows = [{"c": request.customer_id, "r": request.request_id} for request in requests]
    return send(FIRST_ANSWERS, {"rows": as_jsonb(rows)})


def _first_answers(asked: Cursor) -> dict[Key, _FirstAnswer]:
    found: dict[Key, _FirstAnswer] = {}
    for customer_id, request_id, channel, content_id, *facts in asked.fetchall():
        sold = Sold(*facts)
        content = (sold.offer_id, sold.quantity, sold.unit_price_fen, channel, content_id)
        found[(customer_id, request_id)] = _FirstAnswer(sold, content)
    return found


def _content(request: SellRequest) -> Content:
    # Not the promoter: which plan applies may change between two attempts, what she buys may not.
    return request.offer_id, request.quantity, request.unit_price_fen, request.channel, request.content_id


def _repeat(request: SellRequest, first: _FirstAnswer) -> Sold | DomainError:
    if first.content != _content(request):
        return IdempotencyConflict(param="Idempotency-Key")
    return first.sold if first.sold.is_repeat else first.sold._replace(is_repeat=True)


def unavailable(offer: OfferFacts, *, stopped: Collection[UUID], at: datetime) -> DomainError | None:
    """Why nobody can buy this offer now; None where it is on sale. The lane asks it of its memory, too."""
    if offer.is_stopped(stopped):
        return errors.SellingStopped()
    if offer.state in (Offer.State.CLOSED, Offer.State.DRAINED) or (offer.closes_at and at >= offer.closes_at):
        return errors.SaleClosed()
    if offer.state == Offer.State.DRAFT or at < offer.opens_at:
        return errors.NotOnSaleYet(opens_at=offer.opens_at.isoformat())
    if offer.state == Offer.State.PAUSED:
        return errors.SalePaused()
    if offer.left <= 0:
        return errors.SoldOut(left=0)
    return None


@dataclass(slots=True)
class _Sale:
    """One batch under its locks: decides in order, collects what to write, writes it on one trip."""

    offers: dict[UUID, OfferFacts]
    stopped: set[UUID]
    answered: dict[Key, _FirstAnswer]
    bought: dict[Key, int]
    provider: str
    at: datetime
    rows: list[dict[str, Any]] = field(default_factory=list)
    moved: Counter[Key] = field(default_factory=Counter)

    def decide(self, request: SellRequest) -> Sold | DomainError:
        key = (request.customer_id, request.request_id)
        if first := self.answered.get(key):
            return _repeat(request, first)
        offer = self.offers.get(request.offer_id)
        if offer is None or (offer.brand_id, offer.session_id) != (request.brand_id, request.session_id):
            return OfferNotFound()
        if refusal := self._refusal(offer, request):
            return refusal
        return self._accept(offer, request)

    def _refusal(self, offer: OfferFacts, request: SellRequest) -> DomainError | None:
        if not 1 <= request.quantity <= MOST_AT_ONCE:
            return errors.QuantityOutOfRange(most=MOST_AT_ONCE, param="quantity")
        if refusal := unavailable(offer, stopped=self.stopped, at=self.at):
            return refusal
        if (offer.price_fen, offer.terms_number) != (request.unit_price_fen, request.terms_number):
            return errors.PriceChanged(unit_price_fen=offer.price_fen, terms_number=offer.terms_number)
        bought = self.bought.get((offer.id, request.customer_id), 0)
        if offer.per_customer_limit is not None and bought + request.quantity > offer.per_customer_limit:
            return errors.LimitReached(limit=offer.per_customer_limit, bought=bought)
        if offer.left < request.quantity:
            return errors.SoldOut(left=offer.left)
        return None

    def _accept(self, offer: OfferFacts, request: SellRequest) -> Sold:
        allowance = (offer.id, request.customer_id)
        offer.sold += request.quantity
        self.bought[allowance] = self.bought.get(allowance, 0) + request.quantity
        self.moved[allowance] += request.quantity
        sold = Sold(
            purchase_id=new_id(),
            offer_id=offer.id,
            quantity=request.quantity,
            unit_price_fen=offer.price_fen,
            total_fen=offer.price_fen * request.quantity,
            status=Purchase.Status.ACCEPTED.value,
            accepted_at=self.at,
            payment_id=new_id(),
            provider=self.provider,
            is_repeat=False,
        )
        self.rows.append(
            {
                "id": sold.purchase_id,
                "pay": sold.payment_id,
                "b": offer.brand_id,
                "o": offer.id,
                "t": offer.terms_id,
                "c": request.customer_id,
                "r": request.request_id,
                "n": request.quantity,
                "u": offer.price_fen,
                "ch": request.channel,
                "co": request.content_id,
                "pr": request.promoter_id,
                "prr": request.promoter_rate_bps,
                "svr": request.provider_rate_bps,
            }
        )
        # The same request a second time in this batch meets its own first answer.
        self.answered[(request.customer_id, request.request_id)] = _FirstAnswer(sold, _content(request))
        return sold

    def write(self) -> None:
        """Rows first, the hot counter last; all on one trip."""
        rows = as_jsonb(self.rows)
        with pipelined() as send:
            accepted = send(ACCEPT, {"rows": rows, "at": self.at})
            send(EXPECT_PAYMENTS, {"rows": rows, "at": self.at, "provider": self.provider})
            moved = offer_counters.send_move(send, self.moved)
        if accepted.rowcount != len(self.rows):
            raise _RequestTakenMeanwhile
        assert moved.rowcount == len({offer_id for offer_id, _ in self.moved}), "locked, looked at, and still sold out"
