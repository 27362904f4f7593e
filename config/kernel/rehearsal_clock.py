"""
The clock of a rehearsal: behind by what eight bytes of a file say, and read by every process of its site.

A week is played in a minute by moving it on, and it ends in the present: what a rehearsal leaves behind is past, and
its site goes on with the time of everybody else. Time only moves forwards, as everywhere.
"""

from datetime import UTC, datetime, timedelta
from mmap import mmap
from pathlib import Path
from struct import Struct

from django.utils import timezone

BEHIND = Struct("<q")
MICROSECOND = timedelta(microseconds=1)


class RehearsalClock:
    """The clock in a file that ``wind_back`` has written; a copy in each process says the same."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("r+b") as file:
            self._behind = mmap(file.fileno(), BEHIND.size)

    def now(self) -> datetime:
        behind: int = BEHIND.unpack_from(self._behind)[0]
        return datetime.now(UTC) - behind * MICROSECOND

    def go_to(self, moment: datetime) -> None:
        """Let it be ``moment`` for everybody at once, the present at the latest; then a second takes a second."""
        assert moment >= self.now(), "time goes forwards"
        # One aligned word: whoever reads meanwhile sees the one or the other.
        BEHIND.pack_into(self._behind, 0, max(0, (datetime.now(UTC) - moment) // MICROSECOND))


def wind_back(path: Path, *, to: datetime) -> RehearsalClock:
    """A clock in ``path`` that starts at ``to``; who ``follow``s it from now on lives then."""
    path.write_bytes(BEHIND.pack((datetime.now(UTC) - to) // MICROSECOND))
    return RehearsalClock(path)


def follow(path: Path) -> None:
    """From now on this process's edges read that clock."""
    timezone.now = RehearsalClock(path).now  # noqa: TID251 - what the edges read is what is replaced
