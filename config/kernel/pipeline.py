"""
Several statements on one trip to PostgreSQL.

psycopg's pipeline mode sends without waiting; results are read after the block. It sits below Django's
cursor, on Django's own connection and inside its transaction, so ``atomic`` keeps its meaning.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
import psycopg
from django.db import connection

Row = tuple[Any, ...]
Cursor = psycopg.Cursor[Row]
Send = Callable[[str, Mapping[str, Any]], Cursor]


def as_jsonb(rows: list[dict[str, Any]]) -> str:
    """
    A whole batch as one ``jsonb`` parameter, for ``jsonb_to_recordset(%(rows)s::jsonb)``.

    Quoting lists on the client took half of a batch's Python time when it was measured.
    """
    return orjson.dumps(rows).decode()


@contextmanager
def pipelined() -> Iterator[Send]:
    """
    Yield ``send(statement, parameters)``; after the block every returned cursor holds its rows.

    Runs inside the caller's transaction. A statement that fails is raised at the block's end, in
    Django's exception classes; the transaction is then broken, as after any failed statement.
    """
    assert connection.in_atomic_block, "pipelined statements belong to a transaction"
    connection.ensure_connection()
    raw: psycopg.Connection[Row] = connection.connection
    cursors: list[Cursor] = []

    def send(statement: str, parameters: Mapping[str, Any]) -> Cursor:
        if connection.queries_logged:
            connection.queries_log.append({"sql": statement, "time": "0"})
        # A server-side binding cursor: the parameters travel beside the text and the plan is kept.
        cursor: Cursor = psycopg.Cursor(raw)
        cursors.append(cursor)
        return cursor.execute(statement, parameters, prepare=True)

    with connection.wrap_database_errors, raw.pipeline():
        yield send
