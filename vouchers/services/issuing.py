"""Vouchers out of what was paid for: set-based, hundreds of purchases at a time."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
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
from vouchers.queries.units import Part, parts, units
from vouchers.services.code_numbers import CodeNumbers
from vouchers.verdict import Terms

# What differs from voucher to voucher travels as arrays, what the vouchers of a unit share as a few rows.
ISSUE = """
    INSERT INTO vouchers_voucher (id, brand_id, customer_id, terms_id, issuer, external_id, source_kind, source_id,
        ordinal, code, uses_total, uses_left, uses_held, use_amounts_fen, paid_fen, valid_from, valid_until, status,
        issued_at)
    SELECT v.id, kind.brand_id, v.customer_id, kind.terms_id, 'own', '', kind.source_kind, v.source_id, v.ordinal,
        v.code, kind.uses, kind.uses, 0, kind.amounts_fen, kind.paid_fen, v.valid_from, v.valid_until, 'issued',
        %(at)s::timestamptz
    FROM unnest(%(ids)s::uuid[], %(customers)s::uuid[], %(sources)s::uuid[], %(ordinals)s::smallint[],
        %(codes)s::text[], %(places)s::int[], %(since)s::timestamptz[], %(until)s::timestamptz[])
        AS v(id, customer_id, source_id, ordinal, code, place, valid_from, valid_until)
    JOIN jsonb_to_recordset(%(kinds)s::jsonb) AS kind(place int, brand_id uuid, terms_id uuid, source_kind text,
        uses smallint, amounts_fen bigint[], paid_fen bigint) ON kind.place = v.place
"""


# Tuples, because making a frozen dataclass takes four times as long, and each purchase makes one.
class IssueOrder(NamedTuple):
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


class _Kind(NamedTuple):
    """What vouchers of one part of one unit share; ``place`` is how their rows name it."""

    place: int
    brand_id: UUID
    source_kind: str
    part: Part
    terms: Terms
    terms_public_id: str


@dataclass(slots=True)
class _Columns:
    """The vouchers to be written, column by column: a row of its own for each costs three times as much Python."""

    ids: list[UUID] = field(default_factory=list)
    customers: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    ordinals: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    since: list[str] = field(default_factory=list)
    until: list[str] = field(default_factory=list)
    told: defaultdict[UUID, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))


def issue(orders: Sequence[IssueOrder], *, numbers: CodeNumbers, at: datetime) -> list[UUID]:
    """
    Write the vouchers of ``orders`` in one statement, announce them once per brand, and return their ids.

    Runs inside the caller's transaction. A source issues once: the same source again breaks
    ``voucher_is_issued_once_per_source``, so the caller claims its sources by state first.
    """
    assert connection.in_atomic_block, "vouchers are issued with what paid for them"
    if not orders:
        return []
    unit_of = units(order.terms_id for order in orders)
    fresh = _codes(orders, unit_of, numbers)
    zones = dict(Brand.objects.filter(id__in=set(fresh)).values_list("id", "zone"))
    kinds: dict[tuple[UUID, int, str], tuple[_Kind, ...]] = {}
    columns, named = _Columns(), 0
    for order in orders:
        alike = (order.terms_id, order.unit_paid_fen, order.source_kind)
        if (unit := kinds.get(alike)) is None:
            unit = kinds[alike] = _kinds(order, first_place=named)
            named += len(unit)
        _add(columns, order, unit, fresh[order.brand_id], zones[order.brand_id])
    messages = [Message(brand_id, "vouchers.issued", items) for brand_id, items in columns.told.items()]
    with pipelined() as send:
        send(ISSUE, {**_given(columns), "kinds": as_jsonb(_rows(kinds.values())), "at": at})
        send_trail(send, [], messages, at=at)
    return columns.ids


def _kinds(order: IssueOrder, *, first_place: int) -> tuple[_Kind, ...]:
    whole = parts(order.terms_id, order.unit_paid_fen)
    known = queries.terms({part.terms_id for part in whole})
    return tuple(
        _Kind(
            place,
            order.brand_id,
            order.source_kind,
            part,
            known[part.terms_id],
            public(DealTerms.PREFIX, part.terms_id),
        )
        for place, part in enumerate(whole, start=first_place)
    )


def _add(columns: _Columns, order: IssueOrder, unit: Sequence[_Kind], fresh: Iterator[str], zone: str) -> None:
    customer, source, told = str(order.customer_id), str(order.source_id), columns.told[order.brand_id]
    shown_customer = public(Customer.PREFIX, order.customer_id)
    valid = [validity(kind.terms, bought_at=order.bought_at, zone=zone) for kind in unit]
    ordinal = 0
    for _ in range(order.quantity):
        for kind, (valid_from, valid_until) in zip(unit, valid, strict=True):
            ordinal += 1
            columns.ids.append(voucher_id := new_id())
            columns.customers.append(customer)
            columns.sources.append(source)
            columns.ordinals.append(str(ordinal))
            columns.codes.append(next(fresh))
            columns.places.append(str(kind.place))
            columns.since.append(valid_from.isoformat())
            columns.until.append(valid_until.isoformat())
            # Ids only: a code is as good as money and has no place in delivery logs.
            told.append(
                {
                    "voucher": public(Voucher.PREFIX, voucher_id),
                    "customer": shown_customer,
                    "terms": kind.terms_public_id,
                    "source_kind": order.source_kind,
                    "source_id": order.source_id,
                    "ordinal": ordinal,
                    "valid_until": valid_until,
                }
            )


def _given(columns: _Columns) -> dict[str, str]:
    """Arrays as PostgreSQL writes them: a driver that quotes element by element takes longer than the insert."""
    return {
        "ids": f"{{{','.join(map(str, columns.ids))}}}",
        **{
            name: f"{{{','.join(getattr(columns, name))}}}"
            for name in ("customers", "sources", "ordinals", "codes", "places", "since", "until")
        },
    }


def _rows(kinds: Iterable[Sequence[_Kind]]) -> list[dict[str, Any]]:
    return [
        {
            "place": kind.place,
            "brand_id": kind.brand_id,
            "terms_id": kind.terms.id,
            "source_kind": kind.source_kind,
            "uses": len(kind.part.use_fen),
            "amounts_fen": kind.part.use_fen,
            "paid_fen": kind.part.paid_fen,
        }
        for unit in kinds
        for kind in unit
    ]


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
) -> dict[UUID, Iterator[str]]:
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
