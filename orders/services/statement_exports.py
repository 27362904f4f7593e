"""
Statement lines as a workbook: asked for, written by a worker in the background, handed out for a day.

The file lies in PostgreSQL in pieces, so that any web process hands out what any worker wrote, and it goes by itself.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from tempfile import TemporaryFile
from typing import IO
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, Sum

from config.kernel import audit
from config.kernel.caller import Caller
from config.kernel.idempotency import content_hash
from config.kernel.jobs import nudge_after_commit
from config.kernel.xlsx_export import write_xlsx
from orders.errors import ExportExpired, ExportNotReady, ExportTooLong, TooManyExports
from orders.models import ExportPiece, StatementExport
from orders.queries import statement_files, statement_lines
from orders.queries.statement_files import COLUMNS, HEADINGS
from stores.queries import Books
from stores.services.made import Key, Made, insert_once, made_before

LINES_AT_MOST = 5_000_000
DAYS_AT_MOST = 366
AT_ONCE_AT_MOST = 5
"""Files of a brand that wait or can be fetched: with the lines at most, a brand fills a bounded part of the disk."""
KEPT_FOR = timedelta(days=1)
LEASE = timedelta(minutes=30)
"""Longer than the task may run: who holds an export longer is dead."""
PIECE_BYTES = 1 << 18
PROGRESS_EVERY = 20_000

Status = StatementExport.Status
LIVE = (Status.WAITING, Status.WRITING, Status.READY)

CLAIM = """
UPDATE orders_statementexport SET status = 'writing', attempts = attempts + 1, lines_written = 0, due_at = %(until)s
WHERE id = (
    SELECT id FROM orders_statementexport
    WHERE status IN ('waiting', 'writing') AND due_at <= %(at)s AND attempts < %(most)s
    ORDER BY due_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id
"""
PROGRESS = "UPDATE orders_statementexport SET lines_written = %s WHERE id = %s AND attempts = %s AND status = 'writing'"


@dataclass(frozen=True, slots=True)
class Span:
    """Which lines: booked from ``since`` until ``until`` (exclusive), of one store where it is named."""

    since: date
    until: date
    store_id: UUID | None = None


def count_lines(books: Books, span: Span) -> int:
    """
    How many lines a file of ``span`` would have.

    Raises:
        ExportTooLong: more lines or days than one file may have.
    """
    rows = statement_lines.statements(books=books, since=span.since, until=span.until, store_id=span.store_id)
    lines: int = rows.aggregate(lines=Sum("lines", default=0))["lines"]
    if lines > LINES_AT_MOST or (span.until - span.since).days > DAYS_AT_MOST:
        raise ExportTooLong(lines=lines, most_lines=LINES_AT_MOST, most_days=DAYS_AT_MOST)
    return lines


def ask(*, books: Books, span: Span, request_id: UUID, by: Caller, at: datetime) -> Made[StatementExport]:
    """
    Have a workbook of statement lines written. The same ``request_id`` again is the same export.

    Raises:
        ExportTooLong: see ``count_lines``.
        TooManyExports: this brand has its share; one goes with each day.
        IdempotencyConflict: ``request_id`` came before for other lines.
    """
    entity_ids = None if books.entity_ids is None else sorted(books.entity_ids)
    asked = content_hash(since=span.since, until=span.until, store=span.store_id, entities=entity_ids)
    key = Key(books.brand_id, request_id, asked)
    with transaction.atomic(durable=True):
        if first := made_before(StatementExport.objects.all(), key):
            return first
        lines = count_lines(books, span)
        live = StatementExport.objects.filter(brand_id=books.brand_id, status__in=LIVE)
        if live.exclude(Q(status=Status.READY, expires_at__lte=at)).count() >= AT_ONCE_AT_MOST:
            raise TooManyExports(most=AT_ONCE_AT_MOST)
        made = insert_once(
            StatementExport(
                brand_id=books.brand_id,
                entity_ids=entity_ids,
                store_id=span.store_id,
                since=span.since,
                until=span.until,
                asked_by_id=by.id,
                request_id=request_id,
                content_hash=asked,
                line_count=lines,
                asked_at=at,
                due_at=at,
            ),
            key,
        )
        if made.is_new:
            audit.record(
                act="export.asked",
                actor_kind=by.kind,
                actor_id=by.id,
                brand_id=books.brand_id,
                subject_kind="statementexport",
                subject_id=made.row.id,
                details={"since": span.since.isoformat(), "until": span.until.isoformat(), "lines": lines},
                at=at,
            )
            nudge_after_commit("orders.write_exports", queue="outside")
        return made


def write_due(*, at: datetime) -> int:
    """
    Write one export that waits, or whose worker died over it; how many were finished.

    Claimed by state with SKIP LOCKED; a worker that comes back after its lease finds that another has it.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(CLAIM, {"at": at, "until": at + LEASE, "most": StatementExport.MOST_ATTEMPTS})
        claimed = cursor.fetchone()
    if claimed is None:
        return 0
    export = StatementExport.objects.get(id=claimed[0])
    with TemporaryFile() as file:
        write_xlsx(file, headings=HEADINGS, columns=COLUMNS, rows=_counted(export), sheet="结算明细")
        return _keep(export, file, at=at)


def pieces(export: StatementExport, *, at: datetime) -> Iterator[bytes]:
    """
    The file, a piece at a time.

    Raises:
        ExportNotReady, ExportExpired: it is not there (yet, any more).
    """
    if export.status in (Status.WAITING, Status.WRITING, Status.FAILED):
        raise ExportNotReady(status=export.status)
    if export.status == Status.EXPIRED or export.expires_at is None or at >= export.expires_at:
        raise ExportExpired
    return _pieces(export.id)


def sweep(*, at: datetime) -> int:
    """Files whose day is over go, exports that three workers died over fail; how many rows were touched."""
    with transaction.atomic(durable=True):
        over = list(
            StatementExport.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(status=Status.READY, expires_at__lte=at)
            .values_list("id", flat=True)[:20]
        )
        ExportPiece.objects.filter(export_id__in=over).delete()
        StatementExport.objects.filter(id__in=over).update(status=Status.EXPIRED)
        failed = StatementExport.objects.filter(
            status=Status.WRITING, due_at__lte=at, attempts__gte=StatementExport.MOST_ATTEMPTS
        ).update(status=Status.FAILED)
    return len(over) + failed


def _counted(export: StatementExport) -> Iterator[statement_files.Row]:
    """The lines' cells; progress is written beside, since the lines are read in one long transaction."""
    entity_ids = None if export.entity_ids is None else frozenset(export.entity_ids)
    lines = statement_files.lines(
        books=Books(export.brand_id, entity_ids), since=export.since, until=export.until, store_id=export.store_id
    )
    with closing(connection.copy()) as beside:
        for number, line in enumerate(lines, start=1):
            yield line
            if number % PROGRESS_EVERY == 0:
                with beside.cursor() as cursor:
                    cursor.execute(PROGRESS, [number, export.id, export.attempts])


def _keep(export: StatementExport, file: IO[bytes], *, at: datetime) -> int:
    size = file.tell()
    file.seek(0)
    with transaction.atomic(durable=True):
        kept = StatementExport.objects.filter(id=export.id, status=Status.WRITING, attempts=export.attempts).update(
            status=Status.READY,
            lines_written=export.line_count,
            size_bytes=size,
            ready_at=at,
            expires_at=at + KEPT_FOR,
        )
        if not kept:
            return 0  # somebody else has it by now
        number = 0
        while content := file.read(PIECE_BYTES):
            ExportPiece.objects.create(export=export, number=number, content=content)
            number += 1
    return 1


def _pieces(export_id: UUID) -> Iterator[bytes]:
    number = 0
    while (piece := ExportPiece.objects.filter(export_id=export_id, number=number).first()) is not None:
        yield bytes(piece.content)
        number += 1
