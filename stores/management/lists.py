"""What commands that read a list share: which brand, which columns, how far it is, what was wrong with it."""

import argparse

from django.core.management.base import CommandError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from stores.errors import ListRefused
from stores.models import Brand

SHOWN_AT_MOST = 50


def pair(text: str) -> tuple[str, str]:
    field, equals, heading = text.partition("=")
    if not (field and equals and heading):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=HEADING")
    return field.strip(), heading.strip()


def brand_of(slug: str | None) -> Brand:
    brands = list(Brand.objects.filter(slug=slug) if slug else Brand.objects.order_by("slug")[:2])
    if len(brands) != 1:
        raise CommandError(f"There is no brand {slug}." if slug else "Name the brand with --brand SLUG.")
    return brands[0]


def bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=console
    )


def show_problems(refusal: ListRefused, console: Console) -> None:
    table = Table("line", "problem", "column", "value", title=f"{refusal.details['count']} problems")
    for problem in refusal.problems[:SHOWN_AT_MOST]:
        told = problem.told()
        table.add_row(str(told["line"]), told["code"], told["column"], escape(told["value"]))
    console.print(table)
