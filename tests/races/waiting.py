"""
Who waits for whom, as PostgreSQL says it. A race is steered by that and never by time: on a machine of a
tenth of the speed the same act loses.
"""

from collections.abc import Collection
from types import TracebackType

from django.db import connection

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
