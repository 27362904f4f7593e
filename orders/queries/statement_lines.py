"""
Statements and what is behind them: what each store's day came to for whom, days, months, lines of a day.

``orders.queries.statement_files`` streams the lines of many days.
"""

from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.postgres.aggregates import StringAgg
from django.db.models import OuterRef, QuerySet, Subquery, Sum, TextField, Value
from django.db.models.functions import Coalesce, Concat

from orders.models import ClosedStatement, Settlement, StoreStatement
from orders.models.settlement import AMOUNTS
from stores.models import Substitution
from stores.queries import Books


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
    """The lines behind one store's day; ``substituted`` names what was sold out and what was made instead of it."""
    named = Substitution.objects.filter(source_id=OuterRef("id")).values("source_id")
    both = Concat("product_name", Value("→"), "substitute_name", output_field=TextField())
    listed = Subquery(named.annotate(both=StringAgg(both, "; ")).values("both"))
    rows = Settlement.objects.filter(brand_id=books.brand_id, booked_date=day)
    return _seen(rows.annotate(substituted=Coalesce(listed, Value(""), output_field=TextField())), books, store_id)


Row = TypeVar("Row", StoreStatement, ClosedStatement, Settlement)


def _seen(rows: QuerySet[Row], books: Books, store_id: UUID | None) -> QuerySet[Row]:
    if books.entity_ids is not None:
        rows = rows.filter(entity_id__in=books.entity_ids)
    return rows if store_id is None else rows.filter(store_id=store_id)
