"""Settling: uses that can no longer be undone are paid for, hundreds at a time, each once."""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from config.kernel.pipeline import pipelined
from orders.models import Settlement
from orders.services import settlement_lines
from orders.services.settlement_lines import Line
from stores.queries import send_stores, stores_now
from vouchers.models import Voucher
from vouchers.queries.settlement_rules import settlement_rules
from vouchers.services import settling
from vouchers.settlement import DEFAULT_RULE, Division, Paid, SettlementRule, divide, keep, rule_for

# Each row by its key: a planner without statistics would read whole tables for a batch.
FACTS = """
SELECT redemption.*, voucher.*, purchase.*, sale.*
FROM unnest(%(ids)s::uuid[]) AS claimed(id)
CROSS JOIN LATERAL (
    SELECT id, store_id, entity_id, customer_id, business_date, amount_fen, voucher_id, serial
    FROM vouchers_redemption WHERE id = claimed.id OFFSET 0
) redemption
CROSS JOIN LATERAL (
    SELECT brand_id, terms_id, source_kind, source_id, issuer
    FROM vouchers_voucher WHERE id = redemption.voucher_id OFFSET 0
) voucher
LEFT JOIN LATERAL (
    SELECT id, promoter_id, promoter_rate_bps, provider_rate_bps
    FROM orders_purchase WHERE voucher.source_kind = 'purchase' AND id = voucher.source_id OFFSET 0
) purchase ON true
LEFT JOIN LATERAL (
    SELECT merchant_fen[redemption.serial]
    FROM vouchers_issuervoucher WHERE voucher.source_kind = 'platform' AND voucher_id = redemption.voucher_id OFFSET 0
) sale ON true
"""


class _Use(NamedTuple):
    """A use this transaction has claimed, with what its division depends on; the columns of ``FACTS``."""

    id: UUID
    store_id: UUID
    entity_id: UUID | None
    customer_id: UUID
    business_date: date
    amount_fen: int
    voucher_id: UUID
    serial: int
    brand_id: UUID
    terms_id: UUID
    source_kind: str
    source_id: UUID
    issuer: str
    purchase_id: UUID | None
    promoter_id: UUID | None
    promoter_rate_bps: int | None
    provider_rate_bps: int | None
    merchant_fen: int | None


def settle_uses(*, limit: int = 1_000, at: datetime) -> int:
    """
    Pay everybody for up to ``limit`` uses whose undo window is over; how many that were.

    Claims by state with SKIP LOCKED, so any number of workers may run and nothing settles twice; line, statement
    and transfers commit with it.
    """
    with transaction.atomic(durable=True):
        claimed = settling.claim(limit=limit, at=at)
        settlement_lines.book(_lines(claimed, at=at), at=at)
    return len(claimed)


def settle_named(redemption_ids: Collection[UUID], *, at: datetime) -> None:
    """
    Those of the uses that are due and not settled yet, without waiting for the worker.

    Runs inside the caller's transaction.
    """
    claimed = settling.claim_named(redemption_ids=redemption_ids, at=at)
    settlement_lines.book(_lines(claimed, at=at), at=at)


def _line(use: _Use, number: int | None, division: Division) -> Line:
    return Line(
        id=use.id,
        brand_id=use.brand_id,
        source_kind=Settlement.Source.REDEMPTION,
        store_id=use.store_id,
        entity_id=use.entity_id,
        customer_id=use.customer_id,
        business_date=use.business_date,
        division=division,
        redemption_id=use.id,
        purchase_id=use.purchase_id,
        terms_id=use.terms_id,
        rule=number,
        promoter_id=use.promoter_id,
        platform=use.issuer if use.source_kind == Voucher.Source.PLATFORM else "",
    )


def _divided(use: _Use, rule: SettlementRule) -> Division:
    """To whom one use goes: a store of nobody's keeps nothing, a granted use brings nothing."""
    carries_money = use.source_kind != Voucher.Source.GRANT
    paid = Paid(
        paid_fen=use.amount_fen if carries_money else 0,
        merchant_fen=use.merchant_fen or 0,
        promoter_bps=(use.promoter_rate_bps or 0) if use.promoter_id else 0,
        provider_bps=(use.provider_rate_bps or 0) if use.promoter_id else 0,
        is_platforms=use.source_kind == Voucher.Source.PLATFORM,
    )
    return divide(paid, rule) if use.entity_id else keep(paid, rule)


def _lines(redemption_ids: Collection[UUID], *, at: datetime) -> list[Line]:
    if not redemption_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(FACTS, {"ids": sorted(redemption_ids)})
        uses = [_Use(*row) for row in cursor.fetchall()]
    assert len(uses) == len(redemption_ids), "a redemption has its voucher"
    chosen = _rules(uses, at=at)
    divided: dict[tuple[object, ...], Division] = {}
    lines = []
    for use in uses:
        number, rule = chosen[use.terms_id, use.store_id]
        # A batch has thousands of uses and a handful of prices and rates: each is divided once.
        rates = (use.promoter_id is None, use.promoter_rate_bps, use.provider_rate_bps)
        same = (use.terms_id, number, use.entity_id is None, use.source_kind, use.amount_fen, use.merchant_fen, rates)
        division = divided.get(same)
        if division is None:
            division = divided[same] = _divided(use, rule)
        lines.append(_line(use, number, division))
    return lines


def _rules(uses: Iterable[_Use], *, at: datetime) -> dict[tuple[UUID, UUID], tuple[int | None, SettlementRule]]:
    """By which rule each pair of terms and store goes; stores are read only where rules ask for their groups."""
    pairs = {(use.terms_id, use.store_id) for use in uses}
    rules = settlement_rules({terms_id for terms_id, _ in pairs})
    asking = {store_id for terms_id, store_id in pairs if any(rule.stores is not None for rule in rules[terms_id])}
    places = {}
    if asking:
        with pipelined() as send:
            asked = send_stores(send, asking, at)
        places = stores_now(asked, at)
    return {
        (terms_id, store_id): rule_for(rules[terms_id], places[store_id])
        if store_id in places
        else ((0, rules[terms_id][0]) if rules[terms_id] else (None, DEFAULT_RULE))
        for terms_id, store_id in pairs
    }
