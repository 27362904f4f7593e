"""How long a million statement lines take as a file: CSV as it is streamed, a workbook as a worker writes it."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from django.db import connection

from config.kernel.caller import Caller, CallerKind
from orders.models import StatementExport
from orders.queries import statement_files
from orders.services import statement_exports
from orders.services.statement_exports import Span
from stores.models import Brand
from stores.queries import Books
from tests import factories
from tests.bench.report import Figure, peak_mb
from tests.bench.rows import UUID7
from tests.bench.stand import own_database, vacuum

LINES, STORES, DAYS = 1_000_000, 2_000, 30
AT = datetime(2026, 7, 1, 4, tzinfo=UTC)
SPAN = Span(date(2026, 6, 1), date(2026, 7, 1))


def export() -> Iterator[Figure]:
    """``statement_export_s`` and ``statement_xlsx_s``: a month of 2,000 stores."""
    with own_database():
        brand = factories.brand()
        books = Books(brand.id, None)
        _settle(brand)
        began, before = time.perf_counter(), peak_mb()
        lines = statement_files.csv_of_lines(books=books, since=SPAN.since, until=SPAN.until)
        size = sum(len(text.encode()) for text in lines)
        yield _figure("statement_export_s", time.perf_counter() - began, "CSV", size, before)

        by = Caller(kind=CallerKind.OPERATOR, id=None)
        statement_exports.ask(books=books, span=SPAN, request_id=uuid4(), by=by, at=AT)
        began, before = time.perf_counter(), peak_mb()
        assert statement_exports.write_due(at=AT) == 1
        took = time.perf_counter() - began
        made = StatementExport.objects.get()
        assert made.line_count == LINES
        yield _figure("statement_xlsx_s", took, "XLSX, stored in the database", made.size_bytes or 0, before)


def _figure(name: str, took: float, form: str, size: int, before: float) -> Figure:
    told = f"{LINES:,} lines, {STORES:,} stores, {DAYS} days; {form}, {size / 1e6:.0f} MB; "
    return Figure(
        name, round(took, 1), "s", f"{told}memory at its peak {peak_mb():.0f} MB, {before:.0f} MB of it before"
    )


def _settle(brand: Brand) -> None:
    entity = factories.entity(brand)
    _stores(brand.id)
    given = {
        "brand": brand.id,
        "entity": entity.id,
        "lines": LINES,
        "stores": STORES,
        "days": DAYS,
        "since": SPAN.since,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(UUID7)
        cursor.execute(
            "INSERT INTO orders_settlement (id, brand_id, source_kind, store_id, entity_id, customer_id, "
            "redemption_id, purchase_id, terms_id, rule, fault, business_date, booked_date, settled_at, paid_fen, "
            "share_fen, subsidy_fen, fee_fen, borne_fen, promoter_fen, provider_fen, platform_fen, entity_fen, "
            "brand_fen, till_fen) "
            "SELECT key, %(brand)s, 'redemption', store.id, %(entity)s, key, key, key, key, 1, '', day, day, day, "
            "970, 892, 0, 19, 0, 58, 20, 0, 873, 19, 0 "
            "FROM (SELECT bench_uuid7(n) AS key, n %% %(stores)s AS nth, "
            "%(since)s::date + ((n / %(stores)s) %% %(days)s)::int AS day "
            "FROM generate_series(1, %(lines)s) AS n) line "
            "JOIN (SELECT id, row_number() OVER () - 1 AS nth FROM stores_store) store USING (nth)",
            given,
        )
        cursor.execute(
            "INSERT INTO orders_storestatement (brand_id, store_id, entity_id, day, lines, paid_fen, share_fen, "
            "subsidy_fen, fee_fen, borne_fen, promoter_fen, provider_fen, platform_fen, entity_fen, brand_fen, "
            "till_fen) SELECT brand_id, store_id, entity_id, booked_date, count(*), sum(paid_fen), sum(share_fen), "
            "sum(subsidy_fen), sum(fee_fen), sum(borne_fen), sum(promoter_fen), sum(provider_fen), sum(platform_fen), "
            "sum(entity_fen), sum(brand_fen), sum(till_fen) FROM orders_settlement "
            "GROUP BY brand_id, store_id, entity_id, booked_date"
        )
    vacuum("orders_settlement", "orders_storestatement", "stores_store")


def _stores(brand_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO stores_store "
            "(id, brand_id, code, name, name_en, city, address, zone, hours, status, created_at) "
            "SELECT gen_random_uuid(), %s, 'H' || n, '江南大道' || n || '店', '', '杭州市', '', 'Asia/Shanghai', '{}', "
            "'open', %s "
            "FROM generate_series(1, %s) AS n",
            [brand_id, AT - timedelta(days=60), STORES],
        )
