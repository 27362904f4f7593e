"""
A provider's bill of a day against our books: taken whole or not at all, every difference named.

Lines go to a temporary table as they are read, so memory does not grow with the file; there they are compared with
what the ledger says of that day, set by set. docs/reconciliation.md explains what becomes of what differs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import IO, Any
from uuid import UUID

from django.db import connection, transaction

from config.kernel import audit
from config.kernel.caller import Caller
from config.kernel.ids import new_id
from orders.errors import BillRefused, DayIsClosed
from orders.models import BillDifference, BillFile, DayClose
from orders.providers import bill_file
from orders.providers.bill_file import ZONE, BillLine, Sums
from orders.providers.interface import CURRENCY
from orders.services import alarms
from orders.services import bill_statements as statements
from stores.services.csv_lists import CHUNK_BYTES
from stores.services.list_staging import REPORTED_AT_MOST, Staging

POSTED_WITHIN = timedelta(days=2)
"""A capture is applied at most this long after it happened; a later one is found by its line alone."""
CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TakenBill:
    """``is_repeat`` where these very bytes had been taken before; ``found`` counts the differences by kind."""

    bill: BillFile
    found: dict[str, int]
    is_repeat: bool


def take(
    *,
    brand_id: UUID,
    provider: str,
    day: date,
    source: IO[bytes],
    by: Caller,
    at: datetime,
    progress: Callable[[int], None] = lambda read_bytes: None,
) -> TakenBill:
    """
    Compare a bill with what we know of its day, and keep every difference.

    Safe to repeat: the same bytes answer with the first bill, two copies at once follow each other. Another file of
    the same day supersedes the one before, until the day is closed. A difference that another day's bill explains
    closes itself, in whichever order the two come.

    Raises:
        BillEmpty, BillColumnsMissing, BillIncomplete, BillTotalsWrong, BillCurrencyWrong: no whole bill.
        BillRefused: lines that cannot be read; the first 10,000 of them are in it.
        DayIsClosed: a new file for a day that is final.
    """
    digest = _digest(source)
    named = {"brand_id": brand_id, "provider": provider, "bill_date": day}
    with transaction.atomic(durable=True):
        if first := BillFile.objects.filter(**named, sha256=digest).first():
            return _repeat(first)
        sums = _stage(source, day, progress)
        # From here on one bill of this provider at a time: two days explain each other.
        lock(brand_id=brand_id, provider=provider)
        if first := BillFile.objects.filter(**named, sha256=digest).first():
            return _repeat(first)
        if DayClose.objects.filter(**named).exists():
            raise DayIsClosed(bill_date=day.isoformat())
        before = BillFile.objects.filter(**named, superseded_at__isnull=True).first()
        return _compare(BillFile(**named, sha256=digest, taken_by_id=by.id, taken_at=at), sums, before, by=by, at=at)


def lock(*, brand_id: UUID, provider: str) -> None:
    """One comparison or close of a brand's days at a provider at a time. Runs inside the caller's transaction."""
    assert connection.in_atomic_block, "the lock goes with the transaction"
    digest = sha256(b"bill/" + brand_id.bytes + provider.encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], signed=True)])


def _digest(source: IO[bytes]) -> bytes:
    source.seek(0)
    hashed = sha256()
    while chunk := source.read(CHUNK_BYTES):
        hashed.update(chunk)
    return hashed.digest()


def _repeat(first: BillFile) -> TakenBill:
    kinds = BillDifference.objects.filter(bill=first).values_list("kind", flat=True)
    found: dict[str, int] = {}
    for kind in kinds.iterator():
        found[kind] = found.get(kind, 0) + 1
    return TakenBill(first, dict(sorted(found.items())), is_repeat=True)


def _stage(source: IO[bytes], day: date, progress: Callable[[int], None]) -> Sums:
    with bill_file.opened(source, day=day) as opened:
        staging: Staging[BillLine] = Staging(
            create=statements.STAGED, copy=statements.COPY, cells_of=_staged, keep=REPORTED_AT_MOST
        )
        staging.fill(opened.rows, after_batch=lambda: progress(source.tell()))
        staging.require_no_problem([], refusal=BillRefused)
        return opened.sums


def _staged(row: BillLine) -> tuple[Any, ...]:
    key = row.reference if row.is_refund else f"{row.reference} {row.transaction}"
    return (row.line, row.is_refund, row.reference, row.transaction, key, row.amount_fen, row.at)


def _compare(bill: BillFile, sums: Sums, before: BillFile | None, *, by: Caller, at: datetime) -> TakenBill:
    bill.id = new_id()
    begins = datetime.combine(bill.bill_date, time(), tzinfo=ZONE)
    ends = begins + timedelta(days=1)
    given: dict[str, Any] = {
        "bill": bill.id,
        "brand": bill.brand_id,
        "provider": bill.provider,
        "day": bill.bill_date,
        "begins": begins,
        "ends": ends,
        "posted_from": begins - CLOCKS_DIFFER,
        "posted_until": ends + POSTED_WITHIN,
        "zone": ZONE.key,
        "currency": CURRENCY,
        "superseded": before.id if before else None,
        "milliseconds": f"{int(at.timestamp() * 1_000):012x}",
        "at": at,
    }
    with connection.cursor() as cursor:
        if before is not None:
            before.superseded_at = at
            before.save(update_fields=["superseded_at"])
            cursor.execute(statements.CLOSE_SUPERSEDED, given)
        cursor.execute(statements.KNOWN, given)
        cursor.execute(statements.ANALYZE)
        cursor.execute(statements.COPIES)
        cursor.execute(statements.ELSEWHERE, given)
        cursor.execute(statements.FOUND, given)
        cursor.execute(statements.COUNTS, given)
        bill.others_count, differing, bill.known_count = cursor.fetchone()
        bill.line_count = sums.lines
        bill.matched_count = sums.lines - bill.others_count - differing
        bill.captured_fen, bill.refunded_fen, bill.fee_fen = sums.captured_fen, sums.refunded_fen, sums.fee_fen
        bill.save(force_insert=True)
        cursor.execute(statements.INSERT_DIFFERENCES, given)
        for statement in (statements.PAIRS, statements.CLOSE_MINE, statements.CLOSE_THEIRS):
            cursor.execute(statement, given)
        cursor.execute(statements.BY_KIND)
        found = dict(cursor.fetchall())
    _tell(bill, found, before, by=by, at=at)
    return TakenBill(bill, found, is_repeat=False)


def _tell(bill: BillFile, found: dict[str, int], before: BillFile | None, *, by: Caller, at: datetime) -> None:
    audit.record(
        act="bill.taken",
        actor_kind=by.kind,
        actor_id=by.id,
        brand_id=bill.brand_id,
        subject_kind="billfile",
        subject_id=bill.id,
        details={
            "provider": bill.provider,
            "bill_date": bill.bill_date.isoformat(),
            "lines": bill.line_count,
            "found": found,
            "supersedes": before.public_id if before else None,
        },
        at=at,
    )
    if count := sum(found.values()):
        alarms.raise_alarm(
            reason="bill_differs",
            subject_kind="billfile",
            references=list(_references(alarms.NAMED_AT_MOST)),
            count=count,
            brand_id=bill.brand_id,
            at=at,
        )


def _references(at_most: int) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(statements.FIRST_REFERENCES, {"named": at_most})
        yield from (reference for (reference,) in cursor.fetchall())
