"""``manage.py posting_table``: the table of docs/ledger.md, out of the code that posts."""

from typing import Any

from django.core.management.base import BaseCommand

from orders.services.ledger import posting_table_markdown


class Command(BaseCommand):
    help = "Print the posting table as docs/ledger.md carries it."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(posting_table_markdown())
