"""Settling: uses that can no longer be undone are paid for, hundreds at a time, each once."""

from collections.abc import Collection, Sequence
from datetime import datetime
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
from vouchers.services.settling import SettledUse
from vouchers.settlement import DEFAULT_RULE, Division, Paid, SettlementRule, divide, keep, rule_for

# Each row by its key: a planner without statistics would read whole tables for a batch.
FACTS = """
SELECT voucher.*, purchase.*, sale.*
FROM unnest(%(vouchers)s::uuid[], %(serials)s::int[]) WITH ORDINALITY AS settled(voucher_id, serial, place)
CROSS JOIN LATERAL (
    SELECT brand_id, terms_id, source_kind, source_id, issuer
    FROM vouchers_voucher WHERE id = settled.voucher_id OFFSET 0
) voucher
LEFT JOIN LATERAL (
    SELECT id, promoter_id, promoter_rate_bps, provider_rate_bps
    FROM orders_purchase WHERE voucher.source_kind = 'purchase' AND id = voucher.source_id OFFSET 0
) purchase ON true
LEFT JOIN LATERAL (
    SELECT merchant_fen[settled.serial]
    FROM vouchers_issuervoucher WHERE voucher.source_kind = 'platform' AND voucher_id = settled.voucher_id OFFSET 0
) sale ON true
ORDER BY settled.place
"""


_ChosenRule = tuple[int | None, SettlementRule]
"""A rule and its place in its terms."""


class _Sale(NamedTuple):
    """Where a use came from, and what its division depends on; the columns of ``FACTS``."""

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
        settlement_lines.book(lines_of(claimed, at=at), at=at)
    return len(claimed)


def settle_named(redemption_ids: Collection[UUID], *, at: datetime) -> None:
    """
    Those of the uses that are due and not settled yet, without waiting for the worker.

    Runs inside the caller's transaction.
    """
    claimed = settling.claim_named(redemption_ids=redemption_ids, at=at)
    settlement_lines.book(lines_of(claimed, at=at), at=at)


def _line(use: SettledUse, sale: _Sale, number: int | None, division: Division) -> Line:
    return Line(
        id=use.id,
        brand_id=sale.brand_id,
        source_kind=Settlement.Source.REDEMPTION,
        store_id=use.store_id,
        entity_id=use.entity_id,
        customer_id=use.customer_id,
        business_date=use.business_date,
        division=division,
        redemption_id=use.id,
        purchase_id=sale.purchase_id,
        terms_id=sale.terms_id,
        rule=number,
        promoter_id=sale.promoter_id,
        platform=sale.issuer if sale.source_kind == Voucher.Source.PLATFORM else "",
    )


def _divided(use: SettledUse, sale: _Sale, rule: SettlementRule) -> Division:
    """To whom one use goes: a store of nobody's keeps nothing, a granted use brings nothing."""
    carries_money = sale.source_kind != Voucher.Source.GRANT
    paid = Paid(
        paid_fen=use.amount_fen if carries_money else 0,
        merchant_fen=sale.merchant_fen or 0,
        promoter_bps=(sale.promoter_rate_bps or 0) if sale.promoter_id else 0,
        provider_bps=(sale.provider_rate_bps or 0) if sale.promoter_id else 0,
        is_platforms=sale.source_kind == Voucher.Source.PLATFORM,
    )
    return divide(paid, rule) if use.entity_id else keep(paid, rule)


def lines_of(uses: Sequence[SettledUse], *, at: datetime) -> list[Line]:
    """How these uses settle: their lines, not booked yet."""
    if not uses:
        return []
    sales = _sales(uses)
    assert len(sales) == len(uses), "a redemption has its voucher"
    chosen = _rules({(sale.terms_id, use.store_id) for use, sale in zip(uses, sales, strict=True)}, at=at)
    divided: dict[tuple[object, ...], Division] = {}
    lines = []
    for use, sale in zip(uses, sales, strict=True):
        number, rule = chosen[sale.terms_id, use.store_id]
        # A batch has thousands of uses and a handful of prices and rates: each is divided once.
        rates = (sale.promoter_id is None, sale.promoter_rate_bps, sale.provider_rate_bps)
        what = (sale.terms_id, number, sale.source_kind, use.amount_fen, sale.merchant_fen)
        same = (use.entity_id is None, rates, what)
        division = divided.get(same)
        if division is None:
            division = divided[same] = _divided(use, sale, rule)
        lines.append(_line(use, sale, number, division))
    return lines


def _sales(uses: Sequence[SettledUse]) -> list[_Sale]:
    """Where each use came from, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(FACTS, {"vouchers": [use.voucher_id for use in uses], "serials": [use.serial for use in uses]})
        return [_Sale(*row) for row in cursor.fetchall()]


def _rules(pairs: Collection[tuple[UUID, UUID]], *, at: datetime) -> dict[tuple[UUID, UUID], _ChosenRule]:
    """By which rule each pair of terms and store goes; stores are read only where rules ask for their groups."""
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
