"""Vouchers out of what was paid for: set-based, hundreds of purchases at a time."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import count
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from config.kernel.ids import new_id, public
from config.kernel.pipeline import as_jsonb, pipelined
from config.kernel.trail import Message, send_trail
from stores.models import Brand, Customer
from vouchers import codes, queries
from vouchers.models import DealTerms, Voucher
from vouchers.queries.units import parts, units
from vouchers.services.code_numbers import CodeNumbers
from vouchers.verdict import Terms

COLUMNS = (
    "id",
    "brand_id",
    "customer_id",
    "terms_id",
    "issuer",
    "external_id",
    "source_kind",
    "source_id",
    "ordinal",
    "code",
    "uses_total",
    "uses_left",
    "uses_held",
    "use_amounts_fen",
    "paid_fen",
    "valid_from",
    "valid_until",
    "status",
    "issued_at",
)
ISSUE = f"""
    INSERT INTO vouchers_voucher ({", ".join(COLUMNS)})
    SELECT {", ".join(COLUMNS)}
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS k(id uuid, brand_id uuid, customer_id uuid, terms_id uuid, issuer text,
        external_id text, source_kind text, source_id uuid, ordinal smallint, code text, uses_total smallint,
        uses_left smallint, uses_held smallint, use_amounts_fen bigint[], paid_fen bigint, valid_from timestamptz,
        valid_until timestamptz, status text, issued_at timestamptz)
"""  # noqa: S608 - constants


@dataclass(frozen=True)
class IssueOrder:
    """
    ``quantity`` units of the same terms for one source; ``unit_paid_fen`` is what each cost her.

    A unit is a voucher, or a bundle's children: then there is no voucher of the bundle's own terms, and
    ordinals count the children through all units.
    """

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
    unit_of = units(order.terms_id for order in orders)
    terms_of = queries.terms({terms_id for unit in unit_of.values() for terms_id in unit})
    zones = dict(Brand.objects.filter(id__in={order.brand_id for order in orders}).values_list("id", "zone"))
    fresh = _codes(orders, unit_of, numbers)
    rows: list[tuple[Any, ...]] = []
    for order in orders:
        ordinals = count(1)
        unit = [
            (part, *validity(terms_of[part.terms_id], bought_at=order.bought_at, zone=zones[order.brand_id]))
            for part in parts(order.terms_id, order.unit_paid_fen)
        ]
        rows += [
            (
                new_id(),
                order.brand_id,
                order.customer_id,
                part.terms_id,
                Voucher.OWN,
                "",
                order.source_kind,
                order.source_id,
                next(ordinals),
                next(fresh[order.brand_id]),
                len(part.use_fen),
                len(part.use_fen),
                0,
                list(part.use_fen),
                part.paid_fen,
                valid_from,
                valid_until,
                Voucher.Status.ISSUED,
                at,
            )
            for _ in range(order.quantity)
            for part, valid_from, valid_until in unit
        ]
    with pipelined() as send:
        send(ISSUE, {"rows": as_jsonb([dict(zip(COLUMNS, row, strict=True)) for row in rows])})
        # Made from values by position: by keyword a voucher costs more than all its SQL in Python.
        vouchers = [Voucher.from_db("default", COLUMNS, row) for row in rows]
        send_trail(send, [], _messages(vouchers), at=at)
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
    return bought_at, _midnight_after(terms.usable_days, bought_at.astimezone(ZoneInfo(zone)).date(), zone)


# A sale has few days, prices and terms: hundreds of thousands of orders ask for the same again.


@lru_cache(maxsize=1_024)
def _midnight_after(days: int, day: date, zone: str) -> datetime:
    return datetime.combine(day + timedelta(days=days + 1), time.min, ZoneInfo(zone))


def _codes(
    orders: Sequence[IssueOrder], unit_of: Mapping[UUID, Sequence[UUID]], numbers: CodeNumbers
) -> Mapping[UUID, Any]:
    counts: Counter[UUID] = Counter()
    for order in orders:
        counts[order.brand_id] += order.quantity * len(unit_of[order.terms_id])
    secret = settings.SECRETS.voucher_code_key
    return {
        brand_id: iter(
            codes.codes_for(
                numbers.take(brand_id, count), codes.key_of(secret=secret, brand_id=brand_id, issuer=Voucher.OWN)
            )
        )
        for brand_id, count in counts.items()
    }


def _messages(vouchers: Sequence[Voucher]) -> list[Message]:
    """Ids only: a code is as good as money and has no place in delivery logs."""
    by_brand: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for voucher in vouchers:
        by_brand[voucher.brand_id].append(
            {
                "voucher": voucher.public_id,
                "customer": public(Customer.PREFIX, voucher.customer_id),
                "terms": public(DealTerms.PREFIX, voucher.terms_id),
                "source_kind": voucher.source_kind,
                "source_id": voucher.source_id,
                "ordinal": voucher.ordinal,
                "valid_until": voucher.valid_until,
            }
        )
    return [Message(brand_id, "vouchers.issued", items) for brand_id, items in by_brand.items()]
