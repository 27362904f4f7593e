"""The sandbox's bills as files on its disk: written once asked for, kept for a while, handed out in pieces."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import date
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, Any

import msgspec

from orders.providers import sandbox_bill
from orders.providers.sandbox_bill import BillFaults, Movement

AT_ONCE = 2_000
"""A bill of so many movements is written while the merchant waits; a longer one when it asks again."""
KEPT = 8
PIECE_BYTES = 1 << 18


class NoSuchBill(Exception):
    """Never written here, or forgotten since."""


class BillRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    day: date


class BillAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the file is, and the hash it must have; without a hash it is not ready yet."""

    sha256: str = ""


class BillFiles:
    """The last bills by what they were written from; a bill of today grows with the day."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[Any, str] = OrderedDict()
        self._files: dict[str, IO[bytes]] = {}
        self._lock = threading.Lock()

    def ask(self, day: date, movements: Sequence[Movement], faults: BillFaults) -> BillAnswer:
        key = (day, faults, len(movements), movements[-1].transaction if movements else "")
        with self._lock:
            if (found := self._hashes.get(key)) is not None:
                return BillAnswer(found)
            self._hashes[key] = ""
            self._forget(kept=KEPT)
        if len(movements) <= AT_ONCE:
            return BillAnswer(self._write(key, day, movements, faults))
        threading.Thread(target=self._write, args=(key, day, movements, faults), daemon=True).start()
        return BillAnswer()

    def pieces(self, digest: str) -> Iterator[bytes]:
        """
        The file, a quarter of a megabyte at a time.

        Raises:
            NoSuchBill: see there.
        """
        with self._lock:
            if (written := self._files.get(digest)) is None:
                raise NoSuchBill
        return _pieces(written)

    def close(self) -> None:
        """Nothing is handed out any more."""
        with self._lock:
            self._forget(kept=0)

    def _write(self, key: Any, day: date, movements: Sequence[Movement], faults: BillFaults) -> str:
        written, hashed = TemporaryFile(), sha256()  # noqa: SIM115 - kept until it is forgotten
        for line in sandbox_bill.written(day, movements, faults):
            hashed.update(encoded := line.encode())
            written.write(encoded)
        with self._lock:
            self._files[hashed.hexdigest()] = written
            self._hashes[key] = hashed.hexdigest()
        return hashed.hexdigest()

    def _forget(self, *, kept: int) -> None:
        while len(self._hashes) > kept:
            _, digest = self._hashes.popitem(last=False)
            if digest not in self._hashes.values() and (gone := self._files.pop(digest, None)) is not None:
                gone.close()


def _pieces(written: IO[bytes]) -> Iterator[bytes]:
    place = 0
    while True:
        written.seek(place)  # several may read one file
        piece = written.read(PIECE_BYTES)
        if not piece:
            return
        place += len(piece)
        yield piece
