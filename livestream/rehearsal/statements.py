"""The statements of the simulated week: what settled, for whom, and line by line how it adds up."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from django.db.models import Count, Sum

from livestream.rehearsal.guests import DAYS
from orders.models import Settlement
from orders.models.settlement import AMOUNTS
from orders.queries import statement_lines
from stores.models import SettlementEntity, Store, StoreEntity
from stores.queries import Books
from vouchers.models import DealTerms

COLUMNS = ("lines", *AMOUNTS)
OTHERWISE = {"store_order": "订单现付 (paid on top)", "surcharge": "补差价 (surcharges)"}


@dataclass(frozen=True)
class Statement:
    """``rows`` are sums of lines by what was redeemed; ``total`` is what the day's statements say on their own."""

    title: str
    rows: dict[str, Counter[str]]
    total: Counter[str]

    @property
    def adds_up(self) -> bool:
        """The rows make the total, and everybody's parts make what was paid."""
        rows = self.rows.values()
        columns_do = all(sum(row[name] for row in rows) == self.total[name] for name in COLUMNS)
        return columns_do and all(_is_whole(row) for row in (*rows, self.total))


@dataclass(frozen=True)
class Week:
    company_store: Statement | None
    franchisee: Statement | None
    brand: Statement

    @property
    def all(self) -> list[Statement]:
        return [one for one in (self.company_store, self.franchisee, self.brand) if one is not None]


def of_the_week(brand_id: UUID, *, name: str, stores: Sequence[Store], until: date) -> Week:
    """
    The week before ``until``: of the brand's own store among ``stores`` with most lines, of the franchisee with most,
    and of everything.
    """
    since = until - timedelta(days=DAYS)
    everything = Books(brand_id, None)
    holders = dict(
        StoreEntity.objects.filter(store__in=stores).order_by("from_date").values_list("store_id", "entity_id")
    )
    entities = SettlementEntity.objects.in_bulk(set(holders.values()))
    busy = Counter[UUID]()
    for row in statement_lines.months(books=everything, since=since, until=until):
        busy[row["store_id"]] += row["lines"]
    by_lines = sorted(stores, key=lambda store: -busy[store.id])
    own = next((one for one in by_lines if _kind(entities, holders, one) == "company"), None)
    theirs = next((one for one in by_lines if _kind(entities, holders, one) == "franchisee"), None)
    week = Week(None, None, _statement(f"品牌 · {name} (the brand)", everything, since, until))
    if own is not None:
        title = f"直营店 · {own.name} (the company's own)"
        week = replace(week, company_store=_statement(title, everything, since, until, store_id=own.id))
    if theirs is not None:
        entity = entities[holders[theirs.id]]
        hers = Books(brand_id, frozenset({entity.id}))
        week = replace(week, franchisee=_statement(f"加盟商 · {entity.name} (a franchisee)", hers, since, until))
    return week


def _statement(title: str, books: Books, since: date, until: date, *, store_id: UUID | None = None) -> Statement:
    lines = Settlement.objects.filter(brand_id=books.brand_id, booked_date__gte=since, booked_date__lt=until)
    if books.entity_ids is not None:
        lines = lines.filter(entity_id__in=books.entity_ids)
    if store_id is not None:
        lines = lines.filter(store_id=store_id)
    rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
    titles = dict(DealTerms.objects.filter(deal__brand_id=books.brand_id).values_list("id", "title"))
    sums = {name: Sum(name) for name in AMOUNTS}
    summed = lines.values_list("terms_id", "source_kind").annotate(lines=Count("id"), **sums)
    for terms_id, source_kind, *amounts in summed:
        what = titles[terms_id] if terms_id else OTHERWISE[source_kind]
        rows[what].update(dict(zip(COLUMNS, amounts, strict=True)))
    total: Counter[str] = Counter()
    for month in statement_lines.months(books=books, since=since, until=until, store_id=store_id):
        total.update({name: month[name] for name in COLUMNS})
    return Statement(title, dict(sorted(rows.items())), total)


def _kind(entities: dict[UUID, SettlementEntity], holders: dict[UUID, UUID], store: Store) -> str:
    return str(entities[holders[store.id]].kind) if store.id in holders else ""


def _is_whole(row: Counter[str]) -> bool:
    to_others = row["promoter_fen"] + row["provider_fen"] + row["platform_fen"]
    kept = row["share_fen"] + row["subsidy_fen"] - row["fee_fen"] - row["borne_fen"]
    return row["entity_fen"] == kept and row["paid_fen"] == row["entity_fen"] + row["brand_fen"] + to_others
