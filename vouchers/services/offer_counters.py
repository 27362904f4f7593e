"""
The hot counters: how many of an offer are sold, and how many of them one customer bought.

All of it runs inside the caller's transaction and under the offers' row locks, taken in key order:
whoever holds an offer's lock is the only one to change its ``sold`` and its allowances. The blocks
that take ``send`` are put on one trip by ``config.kernel.pipeline``.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import F

from config.kernel.pipeline import Cursor, Send, as_jsonb, pipelined
from vouchers.models import DealStock, Offer

STATE = "CASE WHEN o.is_held_back AND o.state = 'open' THEN 'paused' ELSE o.state END"
"""An offer's state as buyers meet it: what its session holds back does not sell."""
LOCK_OFFERS = f"""
    SELECT o.id, o.brand_id, o.terms_id, t.number, o.session_id, o.price_fen, o.allotment, o.sold,
           o.per_customer_limit, {STATE}, o.opens_at, o.closes_at
    FROM vouchers_offer o JOIN vouchers_dealterms t ON t.id = o.terms_id
    WHERE o.id = ANY(%(ids)s) ORDER BY o.id FOR NO KEY UPDATE OF o
"""  # noqa: S608 - a constant
STOPPED_SCOPES = "SELECT scope_id FROM vouchers_sellingswitch WHERE stopped_at IS NOT NULL"
ALLOWANCES = """
    SELECT a.offer_id, a.customer_id, a.bought
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(o uuid, c uuid)
    JOIN vouchers_customerallowance a ON a.offer_id = k.o AND a.customer_id = k.c
"""
RAISE_ALLOWANCES = """
    INSERT INTO vouchers_customerallowance AS a (offer_id, customer_id, bought)
    SELECT k.o, k.c, k.n FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(o uuid, c uuid, n int)
    ON CONFLICT (offer_id, customer_id) DO UPDATE SET bought = a.bought + excluded.bought
"""
LOWER_ALLOWANCES = """
    UPDATE vouchers_customerallowance a SET bought = a.bought - k.n
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(o uuid, c uuid, n int)
    WHERE a.offer_id = k.o AND a.customer_id = k.c
"""
MOVE_SOLD = """
    UPDATE vouchers_offer o SET sold = o.sold + k.n
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(o uuid, n bigint)
    WHERE o.id = k.o AND o.sold + k.n BETWEEN 0 AND o.allotment
"""


@dataclass(slots=True)
class OfferFacts:
    """
    What selling has to know of an offer. Read under its row lock, ``sold`` is the caller's to count on
    while it decides; read without, it is only as fresh as it is.
    """

    id: UUID
    brand_id: UUID
    terms_id: UUID
    terms_number: int
    session_id: UUID | None
    price_fen: int
    allotment: int
    sold: int
    per_customer_limit: int | None
    state: str
    opens_at: datetime
    closes_at: datetime | None

    @property
    def left(self) -> int:
        return self.allotment - self.sold

    def is_stopped(self, stopped_scopes: Collection[UUID]) -> bool:
        """Whether a kill switch of the brand, the session or the offer stands."""
        return self.id in stopped_scopes or self.brand_id in stopped_scopes or self.session_id in stopped_scopes


def send_lock(send: Send, offer_ids: Collection[UUID]) -> Cursor:
    """Lock offers in key order; ``locked_offers`` reads the answer."""
    return send(LOCK_OFFERS, {"ids": sorted(offer_ids)})


def send_stopped_scopes(send: Send) -> Cursor:
    """Read the thrown switches. Sent after the lock, so a kill that committed before it is seen."""
    return send(STOPPED_SCOPES, {})


def send_allowances(send: Send, keys: Collection[tuple[UUID, UUID]]) -> Cursor:
    """Read what (offer, customer) pairs have bought."""
    return send(ALLOWANCES, {"rows": as_jsonb([{"o": offer, "c": customer} for offer, customer in keys])})


def send_move(send: Send, bought: Mapping[tuple[UUID, UUID], int]) -> Cursor:
    """
    Count ``bought`` units of (offer, customer) as sold; the cursor's row count is the offers moved.

    The caller compares that count with the offers it moved: one less means one was sold out.
    """
    by_offer: Counter[UUID] = Counter()
    for (offer_id, _), units in bought.items():
        by_offer[offer_id] += units
    rows = [{"o": offer, "c": customer, "n": units} for (offer, customer), units in bought.items()]
    send(RAISE_ALLOWANCES, {"rows": as_jsonb(rows)})
    return send(MOVE_SOLD, {"rows": as_jsonb([{"o": offer, "n": units} for offer, units in sorted(by_offer.items())])})


def locked_offers(rows: Sequence[tuple[object, ...]]) -> dict[UUID, OfferFacts]:
    return {offer.id: offer for offer in (OfferFacts(*row) for row in rows)}  # type: ignore[arg-type]


def release(*, quantities: Mapping[tuple[UUID, UUID], int]) -> None:
    """
    Give units of (offer, customer) back to stock and allowance.

    Runs inside the caller's transaction and locks the offers in key order. What comes back to a
    drained offer goes on to its deal's free stock.
    """
    assert connection.in_atomic_block, "counters move with the purchase"
    if not quantities:
        return
    by_offer: Counter[UUID] = Counter()
    for (offer_id, _), units in quantities.items():
        by_offer[offer_id] += units
    rows = [{"o": offer, "c": customer, "n": units} for (offer, customer), units in quantities.items()]
    with pipelined() as send:
        send_lock(send, by_offer.keys())
        send(LOWER_ALLOWANCES, {"rows": as_jsonb(rows)})
        moved = send(
            MOVE_SOLD, {"rows": as_jsonb([{"o": offer, "n": -units} for offer, units in sorted(by_offer.items())])}
        )
    assert moved.rowcount == len(by_offer), "more came back than was sold"
    # Read after the lock: drained means its remainder is with the deal already.
    drained = Offer.objects.filter(pk__in=by_offer, state=Offer.State.DRAINED).order_by("deal_id")
    for offer_id, deal_id in drained.values_list("id", "deal_id"):
        DealStock.objects.filter(pk=deal_id).update(free=F("free") + by_offer[offer_id])


def retake(*, offer_id: UUID, customer_id: UUID, quantity: int) -> bool:
    """
    Take stock and allowance again for a payment that came after its purchase was closed.

    Runs inside the caller's transaction. False where there is none left, the customer's limit is
    reached, the offer is drained or a kill switch stands; nothing has changed then. A closed offer
    still gives: the customer had bought while it was open.
    """
    assert connection.in_atomic_block, "counters move with the purchase"
    with pipelined() as send:
        locking = send_lock(send, [offer_id])
        switches = send_stopped_scopes(send)
        allowances = send_allowances(send, [(offer_id, customer_id)])
    offer = locked_offers(locking.fetchall())[offer_id]
    stopped = {scope_id for (scope_id,) in switches.fetchall()}
    bought = next((row[2] for row in allowances.fetchall()), 0)
    over_limit = offer.per_customer_limit is not None and bought + quantity > offer.per_customer_limit
    if offer.state == Offer.State.DRAINED or offer.is_stopped(stopped) or offer.left < quantity or over_limit:
        return False
    with pipelined() as send:
        moved = send_move(send, {(offer_id, customer_id): quantity})
    assert moved.rowcount == 1, "the offer is locked and was looked at"
    return True
