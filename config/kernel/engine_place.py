"""Where the embedded engines of a checkout keep their data and sockets, and whose processes they are."""

import hashlib
import os
import pwd
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNT = "hexiao"
ACCOUNT_FOLDER = Path("/var/lib/hexiao")
MAKE_ACCOUNT = f"useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {ACCOUNT}"
# Not the caller's: PGHOST, PGPORT and their like are not about these engines.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class EngineError(Exception):
    """Something the person at the terminal can mend; the message says how."""


@dataclass(frozen=True)
class Place:
    """The folders of one checkout, worked out from its path; only ``prepare`` makes them."""

    checkout: Path = Path(__file__).resolve().parents[2]

    @property
    def local(self) -> Path:
        return self.checkout / ".local"

    @property
    def folder(self) -> Path:
        """Data and logs. Root's account cannot pass a closed folder above the checkout, and we open none."""
        away = os.geteuid() == 0 and is_closed(self.checkout)
        return ACCOUNT_FOLDER / self._key if away else self.local / "engines"

    @property
    def sockets(self) -> Path:
        longest = os.fsencode(self.folder / ".s.PGSQL.5432")
        if len(longest) < 100 and b"," not in longest:  # the kernel takes 107 bytes; libpq splits at commas
            return self.folder
        return Path(f"/tmp/hexiao-{os.geteuid()}-{self._key}")  # noqa: S108 - own and 0700, or prepare() refuses

    @property
    def _key(self) -> str:
        return hashlib.sha256(os.fsencode(self.checkout)).hexdigest()[:12]

    def owner(self) -> tuple[int, int]:
        """User and group of the processes: the caller's, or for root, whom PostgreSQL refuses, an account's."""
        if os.geteuid() != 0:
            return os.geteuid(), os.getegid()
        if self.folder.exists() and (found := self.folder.stat()).st_uid != 0:
            return found.st_uid, found.st_gid
        return system_account()

    def identity(self) -> dict[str, Any]:
        """How ``subprocess`` becomes the owner; nothing to become for an ordinary user."""
        uid, gid = self.owner()
        return {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}

    def prepare(self) -> None:
        uid, gid = self.owner()
        self.local.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            self.folder.parent.mkdir(exist_ok=True)
            self.folder.parent.chmod(self.folder.parent.stat().st_mode | 0o011)  # the account passes through
        for folder in (self.folder, self.sockets):
            folder.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0 == folder.lstat().st_uid:
                os.chown(folder, uid, gid, follow_symlinks=False)
            found = folder.lstat()
            if found.st_uid != uid or found.st_mode & 0o077:
                raise EngineError(f"{folder} is somebody else's or open to others: remove it, or run as its owner.")


def is_closed(path: Path) -> bool:
    """Whether an account that is neither owner nor in the group cannot reach the path."""
    return any(not folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def system_account() -> tuple[int, int]:
    """The account PostgreSQL runs under for root, made at first need."""
    answer = ""
    for _ in range(20):  # two checkouts may want it at once: one finds /etc/passwd locked
        with suppress(KeyError):
            entry = pwd.getpwnam(ACCOUNT)
            return entry.pw_uid, entry.pw_gid
        try:
            command = MAKE_ACCOUNT.split()
            answer = subprocess.run(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, check=False).stderr  # noqa: S603 - a constant
        except FileNotFoundError as error:
            answer = str(error)
        time.sleep(0.2)
    raise EngineError(
        f"PostgreSQL does not run as root. Make it an account with `{MAKE_ACCOUNT}` (tried: {answer.strip()}),"
        " or run as an ordinary user, or set DATABASE_URL."
    )
