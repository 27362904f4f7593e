"""
The servers of a checkout that names none: ``python -m config.kernel.engines run -- COMMAND``.

A run holds a shared lock while its command lives. The last one to end stops the servers, unless
``start`` asked them to stay. docs/decisions/0003-embedded-engines.md says why, and what kill -9 leaves.
"""

import argparse
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from config.kernel.engine_place import EngineError, Place
from config.kernel.engine_servers import Engine, PostgreSQL, Redis, locked, locked_if_free, say
from config.kernel.foreground import Foreground

PLACE = Place()
ENGINES: tuple[Engine, ...] = (Redis(PLACE), PostgreSQL(PLACE))
HAND = PLACE.local / "engines.lock"
USERS = PLACE.local / "users.lock"
STAY = PLACE.local / "stay"
EPILOG = """\
examples:
  python -m config.kernel.engines run -- ./manage.py migrate    servers for as long as the command takes
  python -m config.kernel.engines start                         servers until `stop`

DATABASE_URL and REDIS_URL, each on its own, name a server to use instead; `run` then starts nothing for it.
Data, logs and sockets lie under .local/, or where `status` says.
"""


def database_url() -> str:
    return PostgreSQL(PLACE).url


def redis_url() -> str:
    return Redis(PLACE).url


@contextmanager
def sole_hand() -> Iterator[None]:
    """One process at a time starts and stops the servers of this checkout."""
    PLACE.prepare()
    lock = locked_if_free(HAND)
    if lock is None:
        say("waiting for another command of this checkout to start or stop the servers")
        lock = locked(HAND, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)


def stop_unless_used() -> bool:
    """Inside ``sole_hand``: stop the servers if no run needs them and nobody asked them to stay."""
    if STAY.exists() or (lock := locked_if_free(USERS)) is None:
        return False
    for engine in ENGINES:
        engine.stop()
    os.close(lock)
    return True


def run(command: Sequence[str]) -> int:
    """The command's exit status; the servers it has no variable for are up while it lives."""
    wanted = [engine for engine in ENGINES if not os.environ.get(engine.variable)]
    if not wanted:
        os.execvp(command[0], list(command))  # noqa: S606 - the caller's own command
    foreground = Foreground()
    PLACE.prepare()
    use = locked(USERS, fcntl.LOCK_SH)
    try:
        with sole_hand():
            for engine in wanted:
                engine.start()
        # The command holds the lock too: while it lives the servers are used, even if this process is killed.
        return foreground.run(command, keep_open=use)
    finally:
        foreground.end(spare=[engine.pid() for engine in ENGINES])
        os.close(use)
        with sole_hand():
            stop_unless_used()


def start() -> int:
    with sole_hand():
        for engine in ENGINES:
            engine.start()
        STAY.touch()
    return status()


def stop() -> int:
    with sole_hand():
        STAY.unlink(missing_ok=True)
        if not stop_unless_used():
            say("in use by a running command: they stop when it ends")
    return 0


def status() -> int:
    for engine in ENGINES:
        state = f"process {engine.pid()}" if engine.is_ready() else "not ready" if engine.is_running() else "stopped"
        say(f"{engine.name:10}  {state:14}  {engine.url}")
    say(f"data, logs  {PLACE.folder}")
    return 0 if all(engine.is_running() for engine in ENGINES) else 3


def clean() -> int:
    with sole_hand():
        STAY.unlink(missing_ok=True)
        if not stop_unless_used():
            raise EngineError("in use by a running command: nothing removed")
        for folder in {PLACE.folder, PLACE.sockets}:
            shutil.rmtree(folder)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m config.kernel.engines",
        description="PostgreSQL and Redis for this checkout, out of the installed wheels.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    acts = parser.add_subparsers(dest="act", required=True, metavar="start|stop|status|run|clean")
    acts.add_parser("start", help="start both; they stay until `stop`")
    acts.add_parser("stop", help="stop both; where a command uses them, when it ends")
    acts.add_parser("status", help="say what runs and where; exit status 3 if not both")
    acts.add_parser("clean", help="stop both and delete their data")
    runner = acts.add_parser("run", help="run a command with both up; exit with its status")
    runner.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    arguments = parser.parse_args()
    try:
        if arguments.act != "run":
            return {"start": start, "stop": stop, "status": status, "clean": clean}[arguments.act]()
        command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
        if not command:
            parser.error("run needs a command: run -- ./manage.py migrate")
        return run(command)
    except (EngineError, OSError) as error:
        say(f"engines: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
