"""Issuing: paid purchases become vouchers, hundreds at a time."""

from collections import Counter
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import CallerKind
from config.kernel.pipeline import pipelined
from config.kernel.trail import Act, send_trail
from orders.models import LedgerTransfer
from orders.services import ledger
from orders.services.ledger import Posting
from vouchers.models import Voucher
from vouchers.queries.units import units
from vouchers.services import code_numbers, issuing
from vouchers.services.issuing import IssueOrder

# Oldest first, along the index of open work: ``purchase_work``.
WAITING = """
SELECT brand_id, terms_id, sum(quantity)::int
FROM (
    SELECT brand_id, terms_id, quantity FROM orders_purchase WHERE status = 'paid' ORDER BY accepted_at LIMIT %s
) AS waiting
GROUP BY brand_id, terms_id
"""
CLAIM = """
SELECT id, brand_id, customer_id, terms_id, quantity, unit_price_fen, accepted_at AT TIME ZONE 'UTC'
FROM orders_purchase WHERE status = 'paid' ORDER BY accepted_at LIMIT %(limit)s
FOR NO KEY UPDATE SKIP LOCKED
"""
ISSUED = """
UPDATE orders_purchase SET status = 'issued', issued_at = %(at)s WHERE id = ANY(%(ids)s) AND status = 'paid'
"""

MOST_VOUCHERS = 10_000


class _Paid(NamedTuple):
    """A purchase this transaction holds the lock of."""

    id: UUID
    brand_id: UUID
    customer_id: UUID
    terms_id: UUID
    quantity: int
    unit_price_fen: int
    accepted_at: datetime


def issue_paid(*, limit: int = 500, at: datetime) -> int:
    """
    Issue the vouchers of up to ``limit`` paid purchases and return how many purchases that were.

    Vouchers, transfers, state and trail commit together; a purchase is issued once whatever is
    repeated, because it is claimed by its state under its lock. Any number of workers may run.
    """
    with connection.cursor() as cursor:
        cursor.execute(WAITING, [limit])
        rows: list[tuple[UUID, UUID, int]] = cursor.fetchall()
    if not rows:
        return 0
    unit_of = units(terms_id for _, terms_id, _ in rows)
    waiting: Counter[UUID] = Counter()
    for brand_id, terms_id, quantity in rows:
        waiting[brand_id] += quantity * len(unit_of[terms_id])
    # Before the transaction, which would otherwise hold the counter while it writes the vouchers.
    numbers = code_numbers.reserve_for(waiting)
    with transaction.atomic(durable=True):
        purchases = _within(_claim(limit), waiting)
        if purchases:
            _issue(purchases, numbers=numbers, at=at)
    return len(purchases)


def _claim(limit: int) -> list[_Paid]:
    with pipelined() as send:
        claimed = send(CLAIM, {"limit": limit})
    # A naive UTC time is read in C; an aware one goes through Python, twice as long as the rest of the row.
    return [
        _Paid(purchase_id, brand_id, customer_id, terms_id, quantity, price_fen, accepted_at.replace(tzinfo=UTC))
        for purchase_id, brand_id, customer_id, terms_id, quantity, price_fen, accepted_at in claimed.fetchall()
    ]


def _within(purchases: list[_Paid], reserved: dict[UUID, int]) -> list[_Paid]:
    """
    Those whose vouchers have numbers, and of many large bundles no more than a transaction should write.

    Another worker may have taken what we looked at, and others have come up: of a brand that had
    fewer waiting, or none. They stay paid and are claimed by the next run.
    """
    left = Counter(reserved)
    kept: list[_Paid] = []
    unit_of = units(purchase.terms_id for purchase in purchases)
    vouchers = 0
    for purchase in purchases:
        count = purchase.quantity * len(unit_of[purchase.terms_id])
        if left[purchase.brand_id] >= count and (not kept or vouchers + count <= MOST_VOUCHERS):
            left[purchase.brand_id] -= count
            vouchers += count
            kept.append(purchase)
    return kept


def _issue(purchases: list[_Paid], *, numbers: code_numbers.CodeNumbers, at: datetime) -> None:
    issuing.issue(
        [
            IssueOrder(
                source_kind=Voucher.Source.PURCHASE,
                source_id=purchase.id,
                brand_id=purchase.brand_id,
                customer_id=purchase.customer_id,
                terms_id=purchase.terms_id,
                quantity=purchase.quantity,
                unit_paid_fen=purchase.unit_price_fen,
                bought_at=purchase.accepted_at,
            )
            for purchase in purchases
        ],
        numbers=numbers,
        at=at,
    )
    by_brand = Counter(purchase.brand_id for purchase in purchases)
    unit_of = units(purchase.terms_id for purchase in purchases)
    vouchers: Counter[UUID] = Counter()
    for purchase in purchases:
        vouchers[purchase.brand_id] += purchase.quantity * len(unit_of[purchase.terms_id])
    acts = [
        Act(
            act="purchases.issued",
            actor_kind=CallerKind.MACHINE,
            actor_id=None,
            subject_kind="purchase",
            subject_id=None,
            brand_id=brand_id,
            subject_count=count,
            details={"vouchers": vouchers[brand_id]},
        )
        for brand_id, count in by_brand.items()
    ]
    with pipelined() as send:
        issued = send(ISSUED, {"at": at, "ids": [purchase.id for purchase in purchases]})
        send_trail(send, acts, [], at=at)
    assert issued.rowcount == len(purchases), "claimed under the lock"
    ledger.post(
        [
            Posting(
                kind=LedgerTransfer.Kind.ISSUE,
                brand_id=purchase.brand_id,
                amount_fen=purchase.quantity * purchase.unit_price_fen,
                source_kind="purchase",
                source_id=purchase.id,
            )
            for purchase in purchases
        ],
        at=at,
    )
