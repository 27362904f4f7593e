"""manage.py import_stores stores.csv --brand qingyu --map name=店名 --map city=城市"""

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.utils import timezone
from rich.console import Console

from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import DomainError
from stores.errors import StoreFileRefused
from stores.management.lists import SHOWN_AT_MOST, bar, brand_of, pair, show_problems
from stores.services import store_import
from stores.services.store_file import HEADINGS
from stores.services.store_import import Reading, Report


class Command(BaseCommand):
    help = (
        "Open and update a brand's stores from a CSV list, all of it or nothing; the same list twice changes nothing."
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
        parser.add_argument("--zone", help="for new stores whose row names none, such as Asia/Singapore")
        parser.add_argument("--entity", help="code of the settlement entity of stores whose row names none")
        parser.add_argument("--dry-run", action="store_true", help="report everything, change nothing")

    def handle(self, *, file: Path, map: list[tuple[str, str]], dry_run: bool, **options: Any) -> None:
        told = Console(stderr=True)
        brand = brand_of(options["brand"])
        reading = Reading(mapping=dict(map), zone=options["zone"], entity=options["entity"])
        try:
            with file.open("rb") as source, bar(told) as progress:
                reading_bar = progress.add_task("reading", total=os.fstat(source.fileno()).st_size)

                def advance(read_bytes: int) -> None:
                    progress.update(reading_bar, completed=read_bytes)

                at = timezone.now()
                if dry_run:
                    report = store_import.rehearse(
                        brand_id=brand.id, source=source, reading=reading, at=at, progress=advance
                    )
                else:
                    report = store_import.import_stores(
                        brand_id=brand.id,
                        source=source,
                        reading=reading,
                        by=Caller(kind=CallerKind.OPERATOR, id=None),
                        at=at,
                        progress=advance,
                    )
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from None
        except StoreFileRefused as refusal:
            show_problems(refusal, told)
            raise CommandError(refusal.message("en")) from None
        except DomainError as refusal:
            raise CommandError(f"{refusal.code}: {refusal.message('en')}") from None
        show(report, self.stdout, dry_run=dry_run)


def show(report: Report, out: OutputWrapper, *, dry_run: bool) -> None:
    """Codes and changes a line each, to be kept or piped on; then what it comes to."""
    for derived in report.derived:
        out.write(f"{derived.code}\t{derived.name}")
    for change in report.changed[:SHOWN_AT_MOST]:
        out.write(f"line {change.line}: {change.code} changes {', '.join(change.fields)}")
    columns = ", ".join(f"{field} ← {heading}" for field, heading in report.columns.headings.items())
    out.write(f"columns   {columns}")
    if report.columns.ignored:
        out.write(f"ignored   {', '.join(report.columns.ignored)}")
    out.write(f"encoding  {report.encoding}")
    if report.derived_count:
        out.write(f"codes     {report.derived_count} made from city and name (above)")
    counts = f"{report.created} new, {report.updated} changed, {report.unchanged} as they were"
    out.write(f"rows      {report.rows}: {counts}" + (" — dry run, nothing was changed" if dry_run else ""))
