"""
Statements and their lines: what each store's day came to for whom, and every use behind it.

Exports stream ``statement_lines``: it walks the statements of the days asked for and reads each one's lines along
``settlement_by_store_and_day``, so its cost is the lines it returns, whatever the history; memory is a chunk.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet, Sum

from orders.models import ClosedStatement, Settlement, StoreStatement
from orders.models.settlement import AMOUNTS
from stores.queries import Books

CHUNK = 5_000

LINES = f"""
SELECT line.id, line.source_kind, statement.day, line.business_date, line.settled_at, store.code, store.name,
       entity.code, entity.name, line.redemption_id, line.purchase_id, line.terms_id, line.rule, line.promoter_id,
       line.fault, {", ".join(f"line.{name}" for name in AMOUNTS)}
FROM (
    SELECT store_id, entity_id, day FROM orders_storestatement
    WHERE brand_id = %(brand_id)s AND day >= %(since)s AND day < %(until)s
        AND (%(entity_ids)s::uuid[] IS NULL OR entity_id = ANY(%(entity_ids)s::uuid[]))
        AND (%(store_id)s::uuid IS NULL OR store_id = %(store_id)s)
    ORDER BY day, store_id
) statement
JOIN stores_store store ON store.id = statement.store_id
LEFT JOIN stores_settlemententity entity ON entity.id = statement.entity_id
CROSS JOIN LATERAL (
    SELECT * FROM orders_settlement
    WHERE store_id = statement.store_id AND booked_date = statement.day
        AND entity_id IS NOT DISTINCT FROM statement.entity_id
    ORDER BY id OFFSET 0
) line
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class StatementLine:
    """
    A line as a file shows it, with what it is traced by: its own use, purchase, terms and the rule's place there.

    ``day`` is the statement's, ``business_date`` when it happened. Below zero is what came back.
    """

    id: UUID
    source_kind: str
    day: date
    business_date: date
    settled_at: datetime
    store_code: str
    store_name: str
    entity_code: str | None
    entity_name: str | None
    redemption_id: UUID | None
    purchase_id: UUID | None
    terms_id: UUID | None
    rule: int | None
    promoter_id: UUID | None
    fault: str
    paid_fen: int
    share_fen: int
    subsidy_fen: int
    fee_fen: int
    borne_fen: int
    promoter_fen: int
    provider_fen: int
    platform_fen: int
    entity_fen: int
    brand_fen: int
    till_fen: int


def statement_lines(*, books: Books, since: date, until: date, store_id: UUID | None = None) -> Iterator[StatementLine]:
    """
    The lines booked from ``since`` until ``until`` (exclusive) that ``books`` lets see, by day and store.

    Streams through a cursor of the server in a transaction of its own, or the caller's: one moment's truth.
    """
    asked: dict[str, Any] = {
        "brand_id": books.brand_id,
        "entity_ids": None if books.entity_ids is None else sorted(books.entity_ids),
        "store_id": store_id,
        "since": since,
        "until": until,
    }
    with transaction.atomic():
        with connection.cursor() as plain:
            # Estimates of a whole month would have it read the whole table; each statement's lines lie together.
            plain.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
        connection.ensure_connection()
        with connection.connection.cursor(name="statement_lines") as cursor:
            cursor.itersize = CHUNK
            cursor.execute(LINES, asked)
            for row in cursor:
                yield StatementLine(*row)


def statements(*, books: Books, since: date, until: date, store_id: UUID | None = None) -> QuerySet[StoreStatement]:
    """A row for each store, entity and day with lines."""
    rows = StoreStatement.objects.filter(brand_id=books.brand_id, day__gte=since, day__lt=until)
    return _seen(rows, books, store_id)


def months(*, books: Books, since: date, until: date, store_id: UUID | None = None) -> QuerySet[StoreStatement, Any]:
    """What the days of each store and entity add up to, the open month included: ``store_id, entity_id, …_fen``."""
    sums = {name: Sum(name) for name in (*AMOUNTS, "lines")}
    rows = statements(books=books, since=since, until=until, store_id=store_id)
    return rows.values("store_id", "entity_id").annotate(**sums).order_by("store_id", "entity_id")


def closed_statements(
    *, books: Books, month: date | None = None, store_id: UUID | None = None
) -> QuerySet[ClosedStatement]:
    """Statements that never change again."""
    rows = ClosedStatement.objects.filter(brand_id=books.brand_id)
    if month is not None:
        rows = rows.filter(month=month)
    return _seen(rows, books, store_id)


def lines_of_day(*, books: Books, store_id: UUID, day: date) -> QuerySet[Settlement]:
    """The lines behind one store's day."""
    rows = Settlement.objects.filter(brand_id=books.brand_id, booked_date=day)
    return _seen(rows, books, store_id)


Row = TypeVar("Row", StoreStatement, ClosedStatement, Settlement)


def _seen(rows: QuerySet[Row], books: Books, store_id: UUID | None) -> QuerySet[Row]:
    if books.entity_ids is not None:
        rows = rows.filter(entity_id__in=books.entity_ids)
    return rows if store_id is None else rows.filter(store_id=store_id)
