"""Looking: every check over one snapshot, a result for each."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction
from psycopg import sql

from orders.invariants import (
    accounts,
    conservation,
    consumption,
    inventory,
    invoices,
    materials,
    payouts,
    purchases,
    reconciliation,
    references,
    settlement,
    slices,
    stock,
    store_orders,
    trail,
    vouchers,
)
from orders.invariants.check import Check, Invariant
from orders.invariants.slices import Slice

FIRST = 5
"""How many offending rows are named."""


@dataclass(frozen=True)
class Result:
    """What one check found: ``broken`` counts by rule, ``first`` names some rows of each broken rule."""

    invariant: str
    check: str
    rows: int
    figures: dict[str, int]
    broken: dict[str, int]
    first: dict[str, list[dict[str, Any]]]
    seconds: float


Progress = Callable[[Invariant, Sequence[Result]], None]


def silent(invariant: Invariant, results: Sequence[Result]) -> None:
    """The progress of an audit nobody watches."""


def invariants() -> tuple[Invariant, ...]:
    """What is audited, in the order of docs/ledger.md."""
    return (
        stock.INVARIANT,
        purchases.SOLD_ONCE,
        purchases.ISSUED_AS_PAID,
        vouchers.INVARIANT,
        accounts.INVARIANT,
        conservation.INVARIANT,
        settlement.INVARIANT,
        consumption.INVARIANT,
        materials.INVARIANT,
        inventory.INVARIANT,
        store_orders.INVARIANT,
        payouts.INVARIANT,
        invoices.INVARIANT,
        reconciliation.INVARIANT,
        trail.INVARIANT,
        references.invariant(),
    )


@contextmanager
def one_snapshot() -> Iterator[None]:
    """A read-only transaction that sees one moment, however long it looks."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # The site's own limits are for requests; a whole audit of millions of rows takes minutes.
        cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '128MB'")
        yield


def look_at_everything(*, progress: Progress = silent) -> list[Result]:
    """
    Every check over every row; ``progress`` hears of each invariant when it is done.

    Runs inside ``one_snapshot``.
    """
    return look(slices.whole(), progress=progress)


def look_at_recent(
    *, minutes: int, limit: int, at: datetime, progress: Progress = silent
) -> tuple[Slice, list[Result]]:
    """
    The checks that hold of a part, over what ``slices.recent`` finds of the last minutes.

    Runs inside ``one_snapshot``.
    """
    part = slices.recent(minutes=minutes, limit=limit, at=at)
    return part, look(part, progress=progress)


def look(part: Slice, *, progress: Progress = silent) -> list[Result]:
    """Run the checks over ``part``. Runs inside the caller's transaction, which decides what it sees."""
    assert connection.in_atomic_block, "one audit sees one moment"
    found: list[Result] = []
    for invariant in invariants():
        checks = [check for check in invariant.checks if part.is_whole or check.in_slices]
        results = [_run(invariant, check, part) for check in checks]
        progress(invariant, results)
        found += results
    return found


def violations(results: Sequence[Result]) -> int:
    return sum(sum(result.broken.values()) for result in results)


def _run(invariant: Invariant, check: Check, part: Slice) -> Result:
    started = time.monotonic()
    facts = sql.SQL(check.facts).format(**part.relations)
    columns = [sql.SQL("count(*)")]
    columns += [sql.SQL(f"count(*) FILTER (WHERE ({rule}) IS NOT TRUE)") for rule in check.rules.values()]
    columns += [sql.SQL(f"coalesce({figure}, 0)::bigint") for figure in check.figures.values()]
    counted = sql.SQL("SELECT {columns} FROM ({facts}) AS fact").format(
        columns=sql.SQL(", ").join(columns), facts=facts
    )
    [(rows, *numbers)] = part.ask(counted)
    counts = dict(zip(check.rules, numbers, strict=False))
    broken = {name: count for name, count in counts.items() if count}
    first = {name: _first_broken(facts, check.rules[name], part) for name in broken}
    return Result(
        invariant=invariant.number,
        check=check.name,
        rows=rows,
        figures=dict(zip(check.figures, numbers[len(check.rules) :], strict=True)),
        broken=broken,
        first=first,
        seconds=round(time.monotonic() - started, 3),
    )


def _first_broken(facts: sql.Composable, rule: str, part: Slice) -> list[dict[str, Any]]:
    rows = part.ask(
        sql.SQL("SELECT to_jsonb(fact) FROM ({facts}) AS fact WHERE ({rule}) IS NOT TRUE LIMIT {first}").format(
            facts=facts, rule=sql.SQL(rule), first=sql.Literal(FIRST)
        )
    )
    return [orjson.loads(row[0]) for row in rows]
