"""Vouchers out of what was paid for: set-based, hundreds of purchases at a time."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from config.kernel import outbox
from config.kernel.ids import new_id, public
from config.kernel.money import split_fen
from config.kernel.pipeline import as_jsonb, pipelined
from stores.models import Brand, Customer
from vouchers import codes, queries
from vouchers.models import Deal, DealTerms, Voucher
from vouchers.services.code_numbers import CodeNumbers
from vouchers.verdict import Terms

ISSUE = """
    INSERT INTO vouchers_voucher (id, brand_id, customer_id, terms_id, issuer, external_id, source_kind, source_id,
        ordinal, code, uses_total, uses_left, uses_held, use_amounts_fen, paid_fen, valid_from, valid_until, status,
        issued_at)
    SELECT id, b, c, t, %(issuer)s, '', sk, si, o, code, n, n, 0, a, paid, vf, vu, 'issued', %(at)s
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(id uuid, b uuid, c uuid, t uuid, sk text, si uuid, o smallint,
        code text, n smallint, a bigint[], paid bigint, vf timestamptz, vu timestamptz)
"""


@dataclass(frozen=True)
class IssueOrder:
    """``quantity`` vouchers of the same terms for one source; ``unit_paid_fen`` is what each cost her."""

    source_kind: str
    source_id: UUID
    brand_id: UUID
    customer_id: UUID
    terms_id: UUID
    quantity: int
    unit_paid_fen: int
    bought_at: datetime


def issue(orders: Sequence[IssueOrder], *, numbers: CodeNumbers, at: datetime) -> list[Voucher]:
    """
    Write the vouchers of ``orders`` in one statement and announce them once per brand.

    Runs inside the caller's transaction. A source issues once: the same source again breaks
    ``voucher_is_issued_once_per_source``, so the caller claims its sources by state first.
    """
    assert connection.in_atomic_block, "vouchers are issued with what paid for them"
    if not orders:
        return []
    terms_of = queries.terms({order.terms_id for order in orders})
    zones = dict(Brand.objects.filter(id__in={order.brand_id for order in orders}).values_list("id", "zone"))
    fresh = _codes(orders, numbers)
    vouchers: list[Voucher] = []
    for order in orders:
        terms = terms_of[order.terms_id]
        assert terms.kind != Deal.Kind.BUNDLE, "a bundle's children are issued when bundles are sold"
        valid_from, valid_until = validity(terms, bought_at=order.bought_at, zone=zones[order.brand_id])
        amounts = split_fen(order.unit_paid_fen, terms.use_list_fen)
        vouchers += [
            Voucher(
                id=new_id(),
                brand_id=order.brand_id,
                customer_id=order.customer_id,
                terms_id=order.terms_id,
                source_kind=order.source_kind,
                source_id=order.source_id,
                ordinal=ordinal,
                code=next(fresh[order.brand_id]),
                uses_total=len(amounts),
                uses_left=len(amounts),
                use_amounts_fen=amounts,
                paid_fen=order.unit_paid_fen,
                valid_from=valid_from,
                valid_until=valid_until,
                issued_at=at,
            )
            for ordinal in range(1, order.quantity + 1)
        ]
    with pipelined() as send:
        send(ISSUE, {"rows": as_jsonb([_row(voucher) for voucher in vouchers]), "issuer": Voucher.OWN, "at": at})
    _announce(vouchers, at=at)
    return vouchers


def validity(terms: Terms, *, bought_at: datetime, zone: str) -> tuple[datetime, datetime]:
    """
    From when until when (exclusive) a voucher bought at ``bought_at`` may be used.

    Fixed terms name both. "N days" begins at once and ends at the midnight, in the brand's zone, after
    the N-th day following the day of purchase: 30 days bought on 1 June hold through 1 July.
    """
    if terms.usable_days is None:
        assert terms.usable_from is not None, "terms_say_when_they_hold"
        assert terms.usable_until is not None, "terms_say_when_they_hold"
        return terms.usable_from, terms.usable_until
    brand_zone = ZoneInfo(zone)
    first_day_after = bought_at.astimezone(brand_zone).date() + timedelta(days=terms.usable_days + 1)
    return bought_at, datetime.combine(first_day_after, time.min, brand_zone)


def _codes(orders: Sequence[IssueOrder], numbers: CodeNumbers) -> Mapping[UUID, Any]:
    counts: Counter[UUID] = Counter()
    for order in orders:
        counts[order.brand_id] += order.quantity
    secret = settings.SECRETS.voucher_code_key
    return {
        brand_id: iter(
            codes.codes_for(
                numbers.take(brand_id, count), codes.key_of(secret=secret, brand_id=brand_id, issuer=Voucher.OWN)
            )
        )
        for brand_id, count in counts.items()
    }


def _row(voucher: Voucher) -> dict[str, Any]:
    return {
        "id": voucher.id,
        "b": voucher.brand_id,
        "c": voucher.customer_id,
        "t": voucher.terms_id,
        "sk": voucher.source_kind,
        "si": voucher.source_id,
        "o": voucher.ordinal,
        "code": voucher.code,
        "n": voucher.uses_total,
        "a": voucher.use_amounts_fen,
        "paid": voucher.paid_fen,
        "vf": voucher.valid_from,
        "vu": voucher.valid_until,
    }


def _announce(vouchers: Sequence[Voucher], *, at: datetime) -> None:
    """Ids only: a code is as good as money and has no place in delivery logs."""
    by_brand: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for voucher in vouchers:
        by_brand[voucher.brand_id].append(
            {
                "voucher": voucher.public_id,
                "customer": public(Customer.PREFIX, voucher.customer_id),
                "terms": public(DealTerms.PREFIX, voucher.terms_id),
                "source_kind": voucher.source_kind,
                "source_id": str(voucher.source_id),
                "ordinal": voucher.ordinal,
                "valid_until": voucher.valid_until.isoformat(),
            }
        )
    for brand_id, items in by_brand.items():
        outbox.announce(brand_id=brand_id, topic="vouchers.issued", items=items, at=at)
