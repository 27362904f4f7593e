"""I2 from outside: what a client wrote down as acknowledged is there, exactly once, with that content."""

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from config.kernel.ids import parse
from config.kernel.pipeline import as_jsonb
from orders.invariants.auditing import FIRST, Result
from orders.models import Purchase
from stores.models import Customer

CHUNK = 10_000

# A left join, so that a key which is not there is a row without a purchase.
COMPARE = """
SELECT line, said.customer, said.request_id, said.purchase, purchase.id,
       said.quantity, purchase.quantity, said.total_fen, purchase.total_fen
FROM jsonb_to_recordset(%(rows)s::jsonb)
    AS said(line int, customer uuid, request_id uuid, purchase uuid, quantity int, total_fen bigint)
LEFT JOIN orders_purchase purchase
    ON purchase.customer_id = said.customer AND purchase.request_id = said.request_id
WHERE (purchase.id, purchase.quantity, purchase.total_fen)
    IS DISTINCT FROM (said.purchase, said.quantity, said.total_fen)
ORDER BY line
"""


class NotAJournal(Exception):
    """A line is not what docs/ledger.md says a journal holds."""


def compare(lines: Iterable[str]) -> Result:
    """
    Check a client's journal, one JSON object a line: customer, request_id, purchase, quantity, total_fen.

    Runs inside the caller's snapshot, in chunks, so a journal of millions of lines costs no memory.
    A key may stand in it several times (the client asked again): each must name the same purchase.

    Raises:
        NotAJournal: with the number of the line that cannot be read.
    """
    started = time.monotonic()
    rows = units = total_fen = broken = 0
    first: list[dict[str, Any]] = []
    entries = _entries(lines)
    while chunk := list(islice(entries, CHUNK)):
        rows += len(chunk)
        units += sum(entry["quantity"] for entry in chunk)
        total_fen += sum(entry["total_fen"] for entry in chunk)
        with connection.cursor() as cursor:
            cursor.execute(COMPARE, {"rows": as_jsonb(chunk)})
            wrong = cursor.fetchall()
        broken += len(wrong)
        first += [_named(row) for row in wrong[: FIRST - len(first)]]
    rule = "acknowledged_purchase_is_there_once_as_answered"
    return Result(
        invariant="I2",
        check="acknowledged",
        rows=rows,
        figures={"units": units, "fen": total_fen},
        broken={rule: broken} if broken else {},
        first={rule: first} if broken else {},
        seconds=round(time.monotonic() - started, 3),
    )


def _entries(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            said = orjson.loads(line)
            yield {
                "line": number,
                "customer": parse(Customer.PREFIX, said["customer"]),
                "request_id": UUID(said["request_id"]),
                "purchase": parse(Purchase.PREFIX, said["purchase"]),
                "quantity": int(said["quantity"]),
                "total_fen": int(said["total_fen"]),
            }
        # The form of a line is the client's; whatever is wrong with it is one thing to its reader.
        except Exception as error:
            raise NotAJournal(f"line {number}: {type(error).__name__}: {error}") from error


def _named(row: tuple[Any, ...]) -> dict[str, Any]:
    line, customer, request_id, said, found, said_quantity, quantity, said_fen, fen = row
    return {
        "line": line,
        "customer": str(customer),
        "request_id": str(request_id),
        "acknowledged": {"purchase": str(said), "quantity": said_quantity, "total_fen": said_fen},
        "found": {"purchase": str(found), "quantity": quantity, "total_fen": fen} if found else None,
    }
