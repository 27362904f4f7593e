"""Settling what was paid on top of vouchers: surcharges at the counter, and what was due of orders."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from config.kernel.money import rate_of_fen
from orders.models import CashRule, Settlement, Surcharge
from orders.services import settlement_lines
from orders.services.settlement_lines import Line
from vouchers.settlement import Division

# Nothing is asked for after its redemption's window, so an hour after it was paid no undo can give it back.
SURCHARGES = """
WITH due AS MATERIALIZED (
    SELECT surcharge.id FROM orders_surcharge surcharge
    JOIN vouchers_redemption redemption ON redemption.id = surcharge.redemption_id
        AND redemption.reversed_at IS NULL AND redemption.reversible_until <= %(at)s
    WHERE surcharge.status = 'paid' AND surcharge.settled_at IS NULL AND surcharge.paid_at <= %(until)s
    ORDER BY surcharge.paid_at LIMIT %(limit)s FOR NO KEY UPDATE OF surcharge SKIP LOCKED
), settled AS (
    UPDATE orders_surcharge SET settled_at = %(at)s WHERE id = ANY(ARRAY(SELECT id FROM due))
    RETURNING id, brand_id, store_id, customer_id, redemption_id, amount_fen, way
)
SELECT settled.id, settled.brand_id, settled.store_id, redemption.entity_id, settled.customer_id,
       redemption.business_date, settled.redemption_id, settled.amount_fen, settled.way, rule.fee_bps
FROM settled JOIN vouchers_redemption redemption ON redemption.id = settled.redemption_id
LEFT JOIN LATERAL ({fee}) rule ON true
"""
STORE_ORDERS = """
WITH due AS MATERIALIZED (
    SELECT id FROM orders_storeorder
    WHERE status IN ('ready', 'collected', 'uncollected') AND due_fen > 0 AND settled_at IS NULL
        AND ready_at <= %(until)s
    ORDER BY ready_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), settled AS (
    UPDATE orders_storeorder SET settled_at = %(at)s WHERE id = ANY(ARRAY(SELECT id FROM due))
    RETURNING id, brand_id, store_id, customer_id, business_date, due_fen
)
SELECT settled.id, settled.brand_id, settled.store_id, member.entity_id, settled.customer_id,
       settled.business_date, NULL::uuid, settled.due_fen, '', rule.fee_bps
FROM settled
LEFT JOIN LATERAL (
    SELECT entity_id FROM stores_storeentity
    WHERE store_id = settled.store_id AND from_date <= settled.business_date ORDER BY from_date DESC LIMIT 1
) member ON true
LEFT JOIN LATERAL ({fee}) rule ON true
"""
FEE = """
    SELECT fee_bps FROM orders_cashrule
    WHERE brand_id = settled.brand_id AND kind = '{kind}' AND from_date <= {day}
        AND (entity_id = {entity} OR entity_id IS NULL)
    ORDER BY entity_id IS NULL, from_date DESC LIMIT 1
"""


def settle_surcharges(*, limit: int = 1_000, at: datetime) -> int:
    """
    Pay the entities of up to ``limit`` surcharges whose drink can no longer be undone; how many that were.

    Claims by state with SKIP LOCKED. What was paid at a till the store has already: it is credited and kept.
    """
    fee = FEE.format(kind=CashRule.Kind.SURCHARGE.value, day="redemption.business_date", entity="redemption.entity_id")
    return _settle(SURCHARGES.format(fee=fee), _surcharge, limit=limit, at=at)


def settle_order_cash(*, limit: int = 1_000, at: datetime) -> int:
    """
    Pay the entities of up to ``limit`` store orders for what was due of them; how many that were.

    An hour after READY the store may no longer reject it; a rejection that comes late finds it settled.
    """
    fee = FEE.format(kind=CashRule.Kind.STORE_ORDER.value, day="settled.business_date", entity="member.entity_id")
    return _settle(STORE_ORDERS.format(fee=fee), _store_order, limit=limit, at=at)


def _settle(claim: str, line: Callable[[Sequence[Any]], Line], *, limit: int, at: datetime) -> int:
    until = at - timedelta(seconds=settings.REVERSIBLE_FOR_SECONDS)
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(claim, {"limit": limit, "at": at, "until": until})
            lines = [line(row) for row in cursor.fetchall()]
        settlement_lines.book(lines, at=at)
    return len(lines)


def _surcharge(row: Sequence[Any]) -> Line:
    return _line(row, Settlement.Source.SURCHARGE)


def _store_order(row: Sequence[Any]) -> Line:
    return _line(row, Settlement.Source.STORE_ORDER)


def _line(row: Sequence[Any], source_kind: Settlement.Source) -> Line:
    key, brand_id, store_id, entity_id, customer_id, business_date, redemption_id, amount_fen, way, fee_bps = row
    # A store of nobody's keeps nothing: all of it is the brand's, and its till's cash stays owed.
    share_fen = amount_fen if entity_id else 0
    return Line(
        id=key,
        brand_id=brand_id,
        source_kind=source_kind,
        store_id=store_id,
        entity_id=entity_id,
        customer_id=customer_id,
        business_date=business_date,
        redemption_id=redemption_id,
        division=Division(
            paid_fen=amount_fen,
            share_fen=share_fen,
            subsidy_fen=0,
            fee_fen=rate_of_fen(share_fen, fee_bps or 0),
            borne_fen=0,
            promoter_fen=0,
            provider_fen=0,
            platform_fen=0,
        ),
        till_fen=amount_fen if way == Surcharge.Way.TILL and entity_id else 0,
    )
