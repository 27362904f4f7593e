"""
A brand's list of stores, taken over whole or not at all.

Rows go to a temporary table as they are read, in batches, so memory does not grow with the list; there
the list is held against itself and against the brand, and one UPDATE and one INSERT make it true.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any
from uuid import UUID

from django.db import connection, transaction

from config.kernel import audit
from config.kernel.caller import Caller
from config.kernel.ids import new_id
from stores.business_days import check_zone
from stores.errors import StoreFileRefused, StoreIsPromised, ZoneUnknown
from stores.models import Brand, Store
from stores.services import brands, entities, regions
from stores.services.csv_lists import Columns
from stores.services.list_staging import BATCH_ROWS, REPORTED_AT_MOST, Staging
from stores.services.store_file import StoreRow, opened
from stores.signals import reach_changing

STAGED = """
CREATE TEMPORARY TABLE store_import (
    line integer, id uuid, code text, code_is_derived boolean, name text, name_en text, city text, region text,
    address text, latitude numeric(9, 6), longitude numeric(9, 6), zone text, zone_if_new text, hours jsonb,
    entity text, region_id uuid, entity_id uuid
) ON COMMIT DROP
"""
COPY = """
COPY store_import (line, id, code, code_is_derived, name, name_en, city, region, address, latitude, longitude,
                   zone, zone_if_new, hours, entity) FROM STDIN
"""
FIND_PARTS = """
UPDATE store_import SET
    region_id = (SELECT id FROM stores_region WHERE brand_id = %(brand)s AND code = store_import.region),
    entity_id = (SELECT id FROM stores_settlemententity WHERE brand_id = %(brand)s AND code = store_import.entity)
WHERE region IS NOT NULL OR entity IS NOT NULL
"""
PROBLEMS = """
SELECT line, CASE WHEN code_is_derived THEN 'duplicate_store' ELSE 'duplicate_code' END, 'code',
       code || ' = line ' || first_line
FROM (SELECT *, min(line) OVER (PARTITION BY code) AS first_line FROM store_import) ordered WHERE line > first_line
UNION ALL
SELECT line, 'region_unknown', 'region', region FROM store_import WHERE region IS NOT NULL AND region_id IS NULL
UNION ALL
SELECT line, 'entity_unknown', 'entity', entity FROM store_import WHERE entity IS NOT NULL AND entity_id IS NULL
UNION ALL
SELECT row.line, 'entity_differs', 'entity', row.entity
FROM store_import row
JOIN stores_store store ON store.brand_id = %(brand)s AND store.code = row.code
CROSS JOIN LATERAL (SELECT entity_id FROM stores_storeentity WHERE store_id = store.id
                    ORDER BY from_date DESC LIMIT 1) latest
WHERE row.entity_id <> latest.entity_id
ORDER BY 1
"""
# A row that names another region than its store's; without a region a row moves nothing.
MOVING = """
FROM store_import row JOIN stores_store store ON store.brand_id = %(brand)s AND store.code = row.code
WHERE row.region_id IS NOT NULL AND row.region_id IS DISTINCT FROM store.region_id
"""
MOVES = f"SELECT DISTINCT store.region_id, row.region_id {MOVING}"
MOVED = f"""
SELECT row.line, 'store_is_promised', 'region', row.region {MOVING}
AND store.region_id IS NOT DISTINCT FROM %(before)s::uuid AND row.region_id = %(after)s
"""  # noqa: S608 - constants
DERIVED = "SELECT line, code, name FROM store_import WHERE code_is_derived ORDER BY line"
# An empty cell says nothing: coalesce keeps what is there.
FIELDS = ("name", "name_en", "city", "region_id", "address", "latitude", "longitude", "zone", "hours")
DIFFERS = {name: f"(row.{name} IS NOT NULL AND row.{name} IS DISTINCT FROM store.{name})" for name in FIELDS}
CHANGED_FIELDS = ", ".join(f"CASE WHEN {differs} THEN '{name}' END" for name, differs in DIFFERS.items())
CHANGES = f"""
SELECT row.line, row.code, array_remove(ARRAY[{CHANGED_FIELDS}], NULL) AS fields
FROM store_import row JOIN stores_store store ON store.brand_id = %(brand)s AND store.code = row.code
WHERE {" OR ".join(DIFFERS.values())} ORDER BY row.line
"""  # noqa: S608 - constants
UPDATE = f"""
UPDATE stores_store store SET {", ".join(f"{name} = coalesce(row.{name}, store.{name})" for name in FIELDS)}
FROM store_import row
WHERE store.brand_id = %(brand)s AND store.code = row.code AND ({" OR ".join(DIFFERS.values())})
"""  # noqa: S608 - constants
INSERT = """
INSERT INTO stores_store (id, brand_id, region_id, code, name, name_en, city, address, latitude, longitude, zone,
                          hours, status, created_at, closed_at)
SELECT row.id, %(brand)s, row.region_id, row.code, row.name, coalesce(row.name_en, ''), coalesce(row.city, ''),
       coalesce(row.address, ''), row.latitude, row.longitude, row.zone_if_new, coalesce(row.hours, '{}'), 'open',
       %(at)s, NULL
FROM store_import row
WHERE NOT EXISTS (SELECT FROM stores_store store WHERE store.brand_id = %(brand)s AND store.code = row.code)
"""
NOBODYS = """
SELECT store.id, row.entity_id FROM store_import row
JOIN stores_store store ON store.brand_id = %(brand)s AND store.code = row.code
WHERE row.entity_id IS NOT NULL AND NOT EXISTS (SELECT FROM stores_storeentity WHERE store_id = store.id)
"""


@dataclass(frozen=True)
class Reading:
    """How to read the list: fields to headings, and what stands in where a row names none."""

    mapping: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None
    entity: str | None = None


@dataclass(frozen=True)
class DerivedCode:
    line: int
    code: str
    name: str


@dataclass(frozen=True)
class ChangedStore:
    line: int
    code: str
    fields: Sequence[str]


@dataclass(frozen=True)
class Report:
    """What the import did, or in a rehearsal would do; the two lists end at 10,000, the figures do not."""

    encoding: str
    columns: Columns
    rows: int
    created: int
    updated: int
    unchanged: int
    derived_count: int
    derived: Sequence[DerivedCode]
    changed: Sequence[ChangedStore]


def import_stores(
    *,
    brand_id: UUID,
    source: IO[bytes],
    reading: Reading,
    by: Caller,
    at: datetime,
    progress: Callable[[int], None] = lambda read_bytes: None,
) -> Report:
    """
    Open the stores of a list that are new and update those that differ, all of it or nothing.

    The same list again changes nothing; two imports at once follow each other. Stores that the list does
    not name, and what its cells leave empty, stay as they are.

    Raises:
        StoreFileRefused: rows that cannot be taken, each with its line.
        ZoneUnknown, BrandNotFound, and what ``csv_lists.opened`` raises.
    """
    with transaction.atomic(durable=True):
        report = _take_over(brand_id, source, reading, at=at, progress=progress)
        audit.record(
            act="stores.imported",
            actor_kind=by.kind,
            actor_id=by.id,
            brand_id=brand_id,
            subject_kind="store",
            subject_count=report.created + report.updated,
            details={"created": report.created, "updated": report.updated, "unchanged": report.unchanged},
            at=at,
        )
        return report


def rehearse(
    *,
    brand_id: UUID,
    source: IO[bytes],
    reading: Reading,
    at: datetime,
    progress: Callable[[int], None] = lambda read_bytes: None,
) -> Report:
    """
    What ``import_stores`` would report or refuse, by doing it and taking it back.

    Raises:
        What ``import_stores`` raises.
    """
    with transaction.atomic(durable=True):
        report = _take_over(brand_id, source, reading, at=at, progress=progress)
        transaction.set_rollback(True)
        return report


def _take_over(
    brand_id: UUID, source: IO[bytes], reading: Reading, *, at: datetime, progress: Callable[[int], None]
) -> Report:
    brand = Brand.objects.get(id=brand_id)
    if reading.zone is not None:
        try:
            check_zone(reading.zone)
        except ValueError:
            raise ZoneUnknown(zone=reading.zone, param="zone") from None
    with opened(
        source, mapping=reading.mapping, brand_zone=brand.zone, zone=reading.zone, entity=reading.entity
    ) as file:
        staging = Staging(create=STAGED, copy=COPY, cells_of=_staged)
        staging.fill(file.rows, after_batch=lambda: progress(source.tell()))
    # From here on one import, opening or generation of this brand at a time.
    brands.lock(brand_id)
    given: dict[str, Any] = {"brand": brand_id, "at": at}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE store_import")
        cursor.execute(FIND_PARTS, given)
        cursor.execute(PROBLEMS, given)
        problems = [*cursor.fetchall(), *_promised(given)]
        staging.require_no_problem(problems, refusal=StoreFileRefused)
        cursor.execute(DERIVED)
        derived = cursor.fetchmany(REPORTED_AT_MOST)
        derived_count = cursor.rowcount
        cursor.execute(CHANGES, given)
        changed = [ChangedStore(*row) for row in cursor.fetchmany(REPORTED_AT_MOST)]
        cursor.execute(UPDATE, given)
        updated = cursor.rowcount
        cursor.execute(INSERT, given)
        created = cursor.rowcount
    _give_entities(given, at=at)
    return Report(
        encoding=file.encoding,
        columns=file.columns,
        rows=staging.rows,
        created=created,
        updated=updated,
        unchanged=staging.rows - created - updated,
        derived_count=derived_count,
        derived=[DerivedCode(*row) for row in derived],
        changed=changed,
    )


def _promised(given: dict[str, Any]) -> list[tuple[int, str, str, str]]:
    """The rows that would take a store away from vouchers that were sold."""
    refused: list[tuple[int, str, str, str]] = []
    with connection.cursor() as cursor:
        cursor.execute(MOVES, given)
        moves, parents = cursor.fetchall(), regions.parents_of(given["brand"])
        for before, after in moves:
            try:
                change = regions.move(given["brand"], before, after, parents=parents)
                reach_changing.send(sender=Store, change=change)
            except StoreIsPromised:
                cursor.execute(MOVED, {**given, "before": before, "after": after})
                refused += cursor.fetchall()
    return refused


def _staged(row: StoreRow) -> tuple[Any, ...]:
    return (
        row.line,
        new_id(),
        row.code,
        row.code_is_derived,
        row.name,
        row.name_en,
        row.city,
        row.region,
        row.address,
        row.latitude,
        row.longitude,
        row.zone,
        row.zone_if_new,
        row.hours,
        row.entity,
    )


def _give_entities(given: dict[str, Any], *, at: datetime) -> None:
    """Stores that nobody holds begin with the entity that the list names."""
    with connection.cursor() as cursor:
        cursor.execute(NOBODYS, given)
        while pairs := cursor.fetchmany(BATCH_ROWS):
            stores = Store.objects.only("zone", "hours").in_bulk([store_id for store_id, _ in pairs])
            held: dict[UUID, list[Store]] = {}
            for store_id, entity_id in pairs:
                held.setdefault(entity_id, []).append(stores[store_id])
            entities.give(held, at=at)
