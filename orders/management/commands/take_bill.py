"""manage.py take_bill bill.csv --date 2026-06-01 --brand qingyu"""

import os
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console

from config.kernel.caller import Caller, CallerKind
from config.kernel.csv_export import as_csv
from config.kernel.errors import DomainError
from config.kernel.money import yuan
from orders.providers import registry
from orders.services import bills
from orders.services.bills import TakenBill
from stores.errors import ListRefused
from stores.management.lists import bar, brand_of, show_problems

REPORT_HEADINGS = ("line", "problem", "column", "value")


class Command(BaseCommand):
    help = (
        "Compare a provider's bill of one day with the books, all of it or nothing, and name every difference. "
        "The same file twice answers with the first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the provider's CSV, as it came")
        parser.add_argument("--date", required=True, type=date.fromisoformat, help="the provider's day, Beijing time")
        parser.add_argument("--provider", default=registry.DEFAULT, choices=registry.NAMES)
        parser.add_argument("--brand", help="the brand's slug; may be left out where there is only one")
        parser.add_argument("--report", type=Path, help="write the lines that cannot be read there, as CSV")

    def handle(
        self, *, file: Path, date: date, provider: str, brand: str | None, report: Path | None, **_: Any
    ) -> None:
        told = Console(stderr=True)
        brand_id = brand_of(brand).id
        try:
            with file.open("rb") as source, bar(told) as progress:
                reading = progress.add_task("reading", total=os.fstat(source.fileno()).st_size)
                taken = bills.take(
                    brand_id=brand_id,
                    provider=provider,
                    day=date,
                    source=source,
                    by=Caller(kind=CallerKind.OPERATOR, id=None),
                    at=timezone.now(),
                    progress=lambda read_bytes: progress.update(reading, completed=read_bytes),
                )
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from None
        except ListRefused as refusal:
            write_report(report, refusal)
            show_problems(refusal, told)
            raise CommandError(refusal.message("en")) from None
        except DomainError as refusal:
            raise CommandError(f"{refusal.code}: {refusal.message('en')}") from None
        self.show(taken)

    def show(self, taken: TakenBill) -> None:
        bill = taken.bill
        self.stdout.write(f"bill     {bill.public_id} of {bill.bill_date}" + " (taken before)" * taken.is_repeat)
        self.stdout.write(
            f"lines    {bill.line_count}: {bill.matched_count} agree, {bill.others_count} of other brands; "
            f"{bill.known_count} known to us"
        )
        self.stdout.write(
            f"money    {yuan(bill.captured_fen)} paid, {yuan(bill.refunded_fen)} refunded, {yuan(bill.fee_fen)} fees"
        )
        found = ", ".join(f"{count} {kind}" for kind, count in taken.found.items())
        self.stdout.write(f"differs  {found or 'in nothing'}")


def write_report(path: Path | None, refusal: ListRefused) -> None:
    if path is not None:
        rows = ([told["line"], told["code"], told["column"], told["value"]] for told in map(_told, refusal.problems))
        with path.open("w", encoding="utf-8", newline="") as written:
            written.writelines(as_csv(REPORT_HEADINGS, rows))


def _told(problem: Any) -> dict[str, Any]:
    told: dict[str, Any] = problem.told()
    return told
