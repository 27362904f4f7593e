"""manage.py import_menu menu.csv --brand qingyu --map name=品名"""

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.utils import timezone
from rich.console import Console

from config.kernel.caller import Caller, CallerKind
from config.kernel.csv_export import as_csv
from config.kernel.errors import DomainError
from stores.errors import ListRefused
from stores.management.lists import bar, brand_of, pair, show_problems
from stores.services import menu_import
from stores.services.menu_file import HEADINGS
from stores.services.menu_import import Report

REPORT_HEADINGS = ("line", "outcome", "code", "name", "reason")


class Command(BaseCommand):
    help = (
        "Make and update a brand's products and toppings from a CSV list, all of it or nothing; the same list twice "
        "changes nothing. Rows that are no product for sale are flagged, each with its line and the rule."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="CSV in UTF-8 or GBK, its first line naming the columns")
        parser.add_argument("--brand", help="the brand's slug; may be left out where there is only one")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            type=pair,
            metavar="FIELD=HEADING",
            help=f"which column holds what, where its heading does not say; fields: {', '.join(HEADINGS)}",
        )
        parser.add_argument("--report", type=Path, help="write flagged, repeated and refused rows there, as CSV")
        parser.add_argument("--dry-run", action="store_true", help="report everything, change nothing")

    def handle(
        self, *, file: Path, map: list[tuple[str, str]], report: Path | None, dry_run: bool, **options: Any
    ) -> None:
        told = Console(stderr=True)
        brand = brand_of(options["brand"])
        try:
            with file.open("rb") as source, bar(told) as progress:
                reading_bar = progress.add_task("reading", total=os.fstat(source.fileno()).st_size)
                given: dict[str, Any] = {
                    "brand_id": brand.id,
                    "source": source,
                    "mapping": dict(map),
                    "at": timezone.now(),
                    "progress": lambda read_bytes: progress.update(reading_bar, completed=read_bytes),
                }
                if dry_run:
                    taken = menu_import.rehearse(**given)
                else:
                    taken = menu_import.import_menu(by=Caller(kind=CallerKind.OPERATOR, id=None), **given)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from None
        except ListRefused as refusal:
            write_report(report, refused_rows(refusal))
            show_problems(refusal, told)
            raise CommandError(refusal.message("en")) from None
        except DomainError as refusal:
            raise CommandError(f"{refusal.code}: {refusal.message('en')}") from None
        write_report(report, rows_of(taken))
        show(taken, self.stdout, dry_run=dry_run)


Row = tuple[int, str, str, str, str]


def rows_of(taken: Report) -> list[Row]:
    flagged = [(row.line, row.flag, row.code, row.name, row.reason) for row in taken.flagged]
    repeated = [
        (row.line, "repeated", row.code, row.name, f"merged with line {row.first_line}") for row in taken.repeated
    ]
    return sorted([*flagged, *repeated])


def refused_rows(refusal: ListRefused) -> list[Row]:
    told = [problem.told() for problem in refusal.problems]
    return [(row["line"], "refused", "", row["value"], f"{row['code']} {row['column']}".strip()) for row in told]


def write_report(path: Path | None, rows: list[Row]) -> None:
    if path is not None:
        with path.open("w", encoding="utf-8", newline="") as written:
            written.writelines(as_csv(REPORT_HEADINGS, rows))


def show(taken: Report, out: OutputWrapper, *, dry_run: bool) -> None:
    """Every row that is no product for sale, a line each; then what it comes to."""
    for line, outcome, code, name, reason in rows_of(taken):
        out.write(f"line {line}: {outcome}: {code} {name}: {reason}")
    columns = ", ".join(f"{field} ← {heading}" for field, heading in taken.columns.headings.items())
    out.write(f"columns   {columns}")
    if taken.columns.ignored:
        out.write(f"ignored   {', '.join(taken.columns.ignored)}")
    out.write(f"encoding  {taken.encoding}")
    out.write(
        f"rows      {taken.rows}: {taken.products} products, {taken.flagged_count} flagged "
        f"({taken.notices} not sold, {taken.addons} add-ons), {taken.repeated_count} repeated"
    )
    counts = f"{taken.created} new, {taken.updated} changed, {taken.unchanged} as they were"
    out.write(f"menu      {counts}" + (" — dry run, nothing was changed" if dry_run else ""))
    if taken.addons:
        out.write("add-ons   no product asks for them yet: a list does not say which take them")
