"""
A brand's menu, taken over whole or not at all.

As with stores, rows go to a temporary table in batches as they are read, so memory does not grow with the
list; there repeated rows are merged, the rules flag what is no product, and a few statements make it true.

What the rules say: a price above ``NOTICE_MULTIPLE`` times the list's median is a notice (门店防疫 ¥9,999), kept
as a product that is not sold; a category of toppings (``menu_file.ADDON_CATEGORIES``) makes options; the same
code with the same name and price in several categories is one product in all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any
from uuid import UUID

from django.db import connection, transaction

from config.kernel import audit
from config.kernel.caller import Caller
from config.kernel.ids import new_id
from config.kernel.money import yuan
from stores.errors import MenuFileRefused
from stores.models import OptionGroup
from stores.services import brands
from stores.services.csv_lists import Columns
from stores.services.list_staging import REPORTED_AT_MOST, Staging
from stores.services.menu_file import ADDON_CATEGORIES, MenuRow, opened
from stores.services.menu_statements import (
    COPY,
    COUNTS,
    FLAGGED,
    INSERT_OPTIONS,
    INSERT_PRODUCTS,
    MERGED,
    NEW_GROUPS,
    ORDER_CATEGORIES,
    PROBLEMS,
    REPEATED,
    STAGED,
    UPDATE_OPTIONS,
    UPDATE_PRODUCTS,
)

MOST_ANSWERS = 50
NOTICE_MULTIPLE = 20
NOTICE_FLAG = "price_out_of_range"
ADDON_FLAG = "addon_category"


@dataclass(frozen=True, slots=True)
class FlaggedRow:
    """A row that is not taken as a product for sale, and the rule that says so."""

    line: int
    code: str
    name: str
    flag: str
    reason: str


@dataclass(frozen=True, slots=True)
class RepeatedRow:
    """A row that says a product again, in another category; ``first_line`` is where it stands first."""

    line: int
    code: str
    name: str
    first_line: int


@dataclass(frozen=True, slots=True)
class ChangedRow:
    line: int
    code: str


@dataclass(frozen=True)
class Report:
    """
    What the import did, or in a rehearsal would do. ``products``, ``notices`` and ``addons`` are what the list
    holds; ``created``, ``updated`` and ``unchanged`` what became of them. The lists end at 10,000, the figures do not.
    """

    encoding: str
    columns: Columns
    rows: int
    products: int
    notices: int
    addons: int
    repeated_count: int
    created: int
    updated: int
    unchanged: int
    flagged: Sequence[FlaggedRow]
    repeated: Sequence[RepeatedRow]
    changed: Sequence[ChangedRow]

    @property
    def flagged_count(self) -> int:
        return self.notices + self.addons


def import_menu(
    *,
    brand_id: UUID,
    source: IO[bytes],
    mapping: Mapping[str, str],
    by: Caller,
    at: datetime,
    progress: Callable[[int], None] = lambda read_bytes: None,
) -> Report:
    """
    Make the products and toppings of a list that are new and update those that differ, all of it or nothing.

    The same list again changes nothing; two imports at once follow each other. What the list does not name,
    and what its cells leave empty, stays as it is.

    Raises:
        MenuFileRefused: rows that cannot be taken, each with its line.
        BrandNotFound, and what ``csv_lists.opened`` raises.
    """
    with transaction.atomic(durable=True):
        report = _take_over(brand_id, source, mapping, at=at, progress=progress)
        audit.record(
            act="menu.imported",
            actor_kind=by.kind,
            actor_id=by.id,
            brand_id=brand_id,
            subject_kind="product",
            subject_count=report.created + report.updated,
            details={
                "created": report.created,
                "updated": report.updated,
                "unchanged": report.unchanged,
                "flagged": report.flagged_count,
            },
            at=at,
        )
        return report


def rehearse(
    *,
    brand_id: UUID,
    source: IO[bytes],
    mapping: Mapping[str, str],
    at: datetime,
    progress: Callable[[int], None] = lambda read_bytes: None,
) -> Report:
    """
    What ``import_menu`` would report or refuse, by doing it and taking it back.

    Raises:
        What ``import_menu`` raises.
    """
    with transaction.atomic(durable=True):
        report = _take_over(brand_id, source, mapping, at=at, progress=progress)
        transaction.set_rollback(True)
        return report


def _take_over(
    brand_id: UUID, source: IO[bytes], mapping: Mapping[str, str], *, at: datetime, progress: Callable[[int], None]
) -> Report:
    with opened(source, mapping=mapping) as file:
        staging = Staging(create=STAGED, copy=COPY, cells_of=_staged)
        staging.fill(file.rows, after_batch=lambda: progress(source.tell()))
    # From here on one import or edit of this brand's menu at a time.
    brands.lock(brand_id)
    given: dict[str, Any] = {
        "brand": brand_id,
        "at": at,
        "multiple": NOTICE_MULTIPLE,
        "notice": NOTICE_FLAG,
        "addons": sorted(ADDON_CATEGORIES),
    }
    with connection.cursor() as cursor:
        for statement in ("ANALYZE menu_import", MERGED, ORDER_CATEGORIES, "ANALYZE menu_product"):
            cursor.execute(statement, given if "%(" in statement else None)
        cursor.execute(PROBLEMS, given)
        staging.require_no_problem(cursor.fetchall(), refusal=MenuFileRefused)
        cursor.execute(COUNTS)
        distinct, notices, addons, median_fen = cursor.fetchone()
        cursor.execute(FLAGGED)
        flagged = [_flagged(*row, median_fen=median_fen) for row in cursor.fetchmany(REPORTED_AT_MOST)]
        cursor.execute(REPEATED)
        repeated = [RepeatedRow(*row) for row in cursor.fetchmany(REPORTED_AT_MOST)]
        changed, updated, created = _write(cursor, given)
    return Report(
        encoding=file.encoding,
        columns=file.columns,
        rows=staging.rows,
        products=distinct - notices - addons,
        notices=notices,
        addons=addons,
        repeated_count=staging.rows - distinct,
        created=created,
        updated=updated,
        unchanged=distinct - created - updated,
        flagged=flagged,
        repeated=repeated,
        changed=changed,
    )


def _write(cursor: Any, given: dict[str, Any]) -> tuple[list[ChangedRow], int, int]:
    """Products, then groups and options; what was changed, and how many were updated and created."""
    changed: list[ChangedRow] = []
    updated = created = 0
    cursor.execute(NEW_GROUPS, given)
    OptionGroup.objects.bulk_create(
        OptionGroup(
            brand_id=given["brand"],
            code=category,
            name=category,
            choose_least=0,
            choose_most=min(count, MOST_ANSWERS),
            created_at=given["at"],
        )
        for category, count in cursor.fetchall()
    )
    for update, insert in ((UPDATE_PRODUCTS, INSERT_PRODUCTS), (UPDATE_OPTIONS, INSERT_OPTIONS)):
        cursor.execute(update, given)
        updated += cursor.rowcount
        changed += [ChangedRow(*row) for row in cursor.fetchmany(REPORTED_AT_MOST)]
        cursor.execute(insert, given)
        created += cursor.rowcount
    return sorted(changed, key=lambda row: row.line)[:REPORTED_AT_MOST], updated, created


def _flagged(
    line: int, code: str, name: str, is_addon: bool, price_fen: int, categories: str, *, median_fen: int
) -> FlaggedRow:
    if is_addon:
        return FlaggedRow(line, code, name, ADDON_FLAG, f"its category {categories} is one of add-ons: an option")
    reason = f"{yuan(price_fen)} is more than {NOTICE_MULTIPLE} times the median {yuan(median_fen)}: not sold"
    return FlaggedRow(line, code, name, NOTICE_FLAG, reason)


def _staged(row: MenuRow) -> tuple[Any, ...]:
    return row.line, new_id(), row.code, row.name, row.name_en, row.category, row.price_fen, row.is_addon
