"""
Who waits for whom, as PostgreSQL says it. A race is steered by that and never by time: on a machine of a
tenth of the speed the same act loses.
"""

import time
from collections.abc import Callable, Collection
from types import TracebackType

from django.db import connection

LIMIT_SECONDS = 120
"""Nothing that is right takes this long; a test that is wrong ends with it."""

WAITS = """
SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def this_backend() -> int:
    """The number of the PostgreSQL process behind this thread's connection."""
    connection.ensure_connection()
    return int(connection.connection.info.backend_pid)


class Watch:
    """Looks at the database from a connection of its own, opened when first asked."""

    def __enter__(self) -> "Watch":
        self._own = connection.copy()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._own.close()

    def waiting_for(self, holders: Collection[int]) -> set[int]:
        """The backends that cannot go on until one of ``holders`` does, directly or behind one another."""
        with self._own.cursor() as cursor:
            cursor.execute(WAITS)
            waits = dict(cursor.fetchall())
        stopped: set[int] = set()
        while more := {pid for pid, ahead in waits.items() if not stopped.union(holders).isdisjoint(ahead)} - stopped:
            stopped |= more
        return stopped


def until(true: Callable[[], bool], *, otherwise: str) -> None:
    """Wait until it is so; fail with ``otherwise`` if it never is."""
    end = time.monotonic() + LIMIT_SECONDS
    while not true():
        assert time.monotonic() < end, otherwise
        time.sleep(0.005)
