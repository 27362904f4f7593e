"""A line for each thing that settled, with the transfers that pay everybody and the statement it is on."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import add
from typing import Any
from uuid import UUID

from django.db import connection

from config.kernel.caller import CallerKind
from config.kernel.pipeline import as_jsonb, pipelined
from config.kernel.trail import Act, send_trail
from orders.models import LedgerTransfer, Settlement
from orders.models.settlement import AMOUNTS
from orders.services import ledger
from orders.services.ledger import Posting, Way
from vouchers.settlement import Division

OPEN_SINCE = date(2000, 1, 1)
"""The books of a brand that never closed a month."""
_AMOUNTS = ", ".join(AMOUNTS)

NEW_BOOKS = """
INSERT INTO orders_settlementbooks (brand_id, open_from) SELECT unnest(%(brands)s::uuid[]), %(since)s
ON CONFLICT DO NOTHING
"""
HOLD_BOOKS = """
SELECT brand_id, open_from FROM orders_settlementbooks WHERE brand_id = ANY(%(brands)s) ORDER BY brand_id FOR SHARE
"""
WRITE_LINES = f"""
INSERT INTO orders_settlement
    (id, brand_id, source_kind, store_id, entity_id, customer_id, redemption_id, purchase_id, terms_id, rule,
     promoter_id, fault, request_id, business_date, booked_date, settled_at, {_AMOUNTS})
SELECT id, brand_id, source_kind, store_id, entity_id, customer_id, redemption_id, purchase_id, terms_id, rule,
     promoter_id, fault, request_id, business_date, booked_date, %(at)s, {_AMOUNTS}
FROM jsonb_to_recordset(%(rows)s::jsonb) AS line(
    id uuid, brand_id uuid, source_kind text, store_id uuid, entity_id uuid, customer_id uuid, redemption_id uuid,
    purchase_id uuid, terms_id uuid, rule smallint, promoter_id uuid, fault text, request_id uuid,
    business_date date, booked_date date, divided int)
JOIN jsonb_to_recordset(%(divisions)s::jsonb) AS division(
    divided int, {", ".join(f"{name} bigint" for name in AMOUNTS)}) USING (divided)
"""  # noqa: S608 - constants
# In key order: two workers that meet on two statements wait for each other, they do not deadlock.
ADD_TO_STATEMENTS = f"""
INSERT INTO orders_storestatement AS statement (brand_id, store_id, entity_id, day, lines, {_AMOUNTS})
SELECT brand_id, store_id, entity_id, day, lines, {_AMOUNTS}
FROM jsonb_to_recordset(%(rows)s::jsonb) AS fresh(
    brand_id uuid, store_id uuid, entity_id uuid, day date, lines int,
    {", ".join(f"{name} bigint" for name in AMOUNTS)})
ORDER BY store_id, day, entity_id
ON CONFLICT (store_id, day, entity_id) DO UPDATE SET
    lines = statement.lines + excluded.lines,
    {", ".join(f"{name} = statement.{name} + excluded.{name}" for name in AMOUNTS)}
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Line:
    """
    One thing that settled: where, for whom, and how it is divided.

    ``id`` is the redemption's, surcharge's, order's, refund's or case's own. ``platform`` is the issuer that sold it.
    """

    id: UUID
    brand_id: UUID
    source_kind: Settlement.Source
    store_id: UUID
    entity_id: UUID | None
    customer_id: UUID
    business_date: date
    division: Division
    redemption_id: UUID | None = None
    purchase_id: UUID | None = None
    terms_id: UUID | None = None
    rule: int | None = None
    promoter_id: UUID | None = None
    platform: str = ""
    fault: str = ""
    request_id: UUID | None = None
    till_fen: int = 0


def book(lines: Sequence[Line], *, at: datetime) -> None:
    """
    Write the lines, add them to their stores' statements and post everybody's part.

    Runs inside the caller's transaction and last in it: statements and accounts are held until commit. A line is
    on the statement of its business day, or of the first open day where that month is closed: it is held open
    meanwhile. The same thing twice is an IntegrityError.
    """
    assert connection.in_atomic_block, "a thing settles with the money it brings"
    if not lines:
        return
    open_from = hold_books({line.brand_id for line in lines})
    rows = []
    # A batch has thousands of lines and a handful of divisions: each is sent once.
    divisions: dict[tuple[int, ...], int] = {}
    totals: dict[tuple[UUID, UUID, UUID | None, date], tuple[int, ...]] = {}
    for line in lines:
        booked_date = max(line.business_date, open_from[line.brand_id])
        amounts = amounts_of(line)
        rows.append(row_of(line, booked_date=booked_date) | {"divided": divisions.setdefault(amounts, len(divisions))})
        statement = line.brand_id, line.store_id, line.entity_id, booked_date
        so_far = totals.get(statement)
        totals[statement] = (1, *amounts) if so_far is None else tuple(map(add, so_far, (1, *amounts)))
    statements = [
        {"brand_id": brand_id, "store_id": store_id, "entity_id": entity_id, "day": day}
        | dict(zip(("lines", *AMOUNTS), total, strict=True))
        for (brand_id, store_id, entity_id, day), total in totals.items()
    ]
    numbered = [
        {"divided": number, **dict(zip(AMOUNTS, amounts, strict=True))} for amounts, number in divisions.items()
    ]
    with pipelined() as send:
        send(WRITE_LINES, {"rows": as_jsonb(rows), "divisions": as_jsonb(numbered), "at": at})
        send_trail(send, _acts(lines), [], at=at)
    ledger.post_alike(_sources(lines), at=at)
    # Last: another worker that has lines of the same statements waits from here to the commit, and no longer.
    with pipelined() as send:
        send(ADD_TO_STATEMENTS, {"rows": as_jsonb(statements)})


def hold_books(brand_ids: Collection[UUID]) -> dict[UUID, date]:
    """From which day on each brand's books are open, and nobody closes a month until this has committed."""
    asked: dict[str, Any] = {"brands": sorted(brand_ids), "since": OPEN_SINCE}
    with connection.cursor() as cursor:
        cursor.execute(HOLD_BOOKS, asked)
        found = dict(cursor.fetchall())
        if len(found) < len(brand_ids):
            cursor.execute(NEW_BOOKS, asked)
            cursor.execute(HOLD_BOOKS, asked)
            found = dict(cursor.fetchall())
    return found


def row_of(line: Line, *, booked_date: date) -> dict[str, Any]:
    """The line as its table has it, its amounts left out."""
    return {
        "id": line.id,
        "brand_id": line.brand_id,
        "source_kind": line.source_kind.value,
        "store_id": line.store_id,
        "entity_id": line.entity_id,
        "customer_id": line.customer_id,
        "redemption_id": line.redemption_id,
        "purchase_id": line.purchase_id,
        "terms_id": line.terms_id,
        "rule": line.rule,
        "promoter_id": line.promoter_id,
        "fault": line.fault,
        "request_id": line.request_id,
        "business_date": line.business_date,
        "booked_date": booked_date,
    }


def amounts_of(line: Line) -> tuple[int, ...]:
    """The line's ``AMOUNTS``, in their order."""
    to = line.division
    return (
        *(to.paid_fen, to.share_fen, to.subsidy_fen, to.fee_fen, to.borne_fen, to.promoter_fen, to.provider_fen),
        *(to.platform_fen, to.entity_fen, to.brand_fen, line.till_fen),
    )


CAME_IN = {
    Settlement.Source.REDEMPTION: LedgerTransfer.Kind.SETTLEMENT,
    Settlement.Source.SURCHARGE: LedgerTransfer.Kind.SETTLED_SURCHARGE,
    Settlement.Source.STORE_ORDER: LedgerTransfer.Kind.SETTLED_ORDER_CASH,
}


def postings_of(line: Line) -> list[Posting]:
    """All of it to the brand, and from there to everybody else; what comes back goes the other way."""
    return [
        Posting(way.kind, way.brand_id, way.amount_fen, "settlement", line.id, owner=way.owner) for way in _ways(line)
    ]


def _ways(line: Line) -> list[Way]:
    division = line.division
    is_remake = line.source_kind == Settlement.Source.REMAKE
    entity, promoter = str(line.entity_id or ""), str(line.promoter_id or "")
    kind = LedgerTransfer.Kind
    moves: list[tuple[LedgerTransfer.Kind, int, str]] = []
    if line.source_kind in CAME_IN:  # a refund after use posts itself
        moves.append((CAME_IN[line.source_kind], division.paid_fen, ""))
    moves += [
        (kind.REMAKE_SHARE if is_remake else kind.ENTITY_SHARE, division.entity_fen, entity),
        (kind.ENTITY_CHARGE, -division.entity_fen, entity),
        (kind.TILL_KEPT, line.till_fen, entity),
        (kind.PROMOTER_SHARE, division.promoter_fen, promoter),
        (kind.PROMOTER_BACK, -division.promoter_fen, promoter),
        (kind.AGENCY_SHARE, division.provider_fen, promoter),
        (kind.AGENCY_BACK, -division.provider_fen, promoter),
        (kind.PLATFORM_FEE, division.platform_fen, line.platform),
    ]
    return [Way(way, line.brand_id, fen, owner) for way, fen, owner in moves if fen > 0]


def _sources(lines: Sequence[Line]) -> dict[Way, list[UUID]]:
    """The lines by the ways their money goes; lines that are paid to the same parties are looked at once."""
    alike: defaultdict[tuple[object, ...], list[Line]] = defaultdict(list)
    for line in lines:
        to = line.brand_id, line.entity_id, line.promoter_id, line.platform
        alike[(line.source_kind, line.division, line.till_fen, *to)].append(line)
    sources: defaultdict[Way, list[UUID]] = defaultdict(list)
    for same in alike.values():
        for way in _ways(same[0]):
            sources[way] += [line.id for line in same]
    return sources


def _acts(lines: Sequence[Line]) -> list[Act]:
    counts = Counter((line.brand_id, line.source_kind) for line in lines)
    return [
        Act(
            act="settlement.booked",
            actor_kind=CallerKind.MACHINE,
            actor_id=None,
            subject_kind=source_kind.value,
            subject_id=None,
            brand_id=brand_id,
            subject_count=count,
        )
        for (brand_id, source_kind), count in counts.items()
    ]
