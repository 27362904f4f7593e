"""
The servers of a checkout that names none: ``python -m config.kernel.engines run -- COMMAND``.

A run holds a shared lock while its command lives. The last one to end stops the servers, unless
``start`` asked them to stay. docs/decisions/0003-embedded-engines.md says why, and what kill -9 leaves.
"""

import argparse
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from config.kernel.engine_place import EngineError, Place
from config.kernel.engine_servers import Engine, PostgreSQL, Redis, locked, locked_if_free, say

PLACE = Place()
ENGINES: tuple[Engine, ...] = (Redis(PLACE), PostgreSQL(PLACE))
HAND = PLACE.local / "engines.lock"
USERS = PLACE.local / "users.lock"
STAY = PLACE.local / "stay"
FROM_TERMINAL = {signal.SIGINT, signal.SIGQUIT, signal.SIGHUP}
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
    child: subprocess.Popen[bytes] | None = None
    # At a terminal Ctrl-C reaches the command by itself, being sent to the whole group. Elsewhere the
    # command has a group of its own, so that a signal to ours reaches it once, through us.
    at_terminal = sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if child is None:
            raise SystemExit(128 + number)
        if not (at_terminal and number in FROM_TERMINAL):
            child.send_signal(number)

    handle_signals(pass_on)
    PLACE.prepare()
    use = locked(USERS, fcntl.LOCK_SH)
    try:
        with sole_hand():
            for engine in wanted:
                engine.start()
        child = subprocess.Popen(  # noqa: S603 - the caller's own command
            command,
            pass_fds=(use,),  # while the command lives the servers are used, even if this process was killed
            process_group=None if at_terminal else 0,
            preexec_fn=end_with_parent,
        )
        status = child.wait()
        return status if status >= 0 else 128 - status
    finally:
        handle_signals(signal.SIG_IGN)
        os.close(use)
        with sole_hand():
            stop_unless_used()


def handle_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (*FROM_TERMINAL, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and a shell's & leave it
            signal.signal(number, handler)


def end_with_parent() -> None:
    """Between fork and exec: the kernel sends SIGTERM if the runner is killed, so no command is orphaned."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


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
        state = f"running, process {engine.pid()}" if engine.is_running() else "stopped"
        say(f"{engine.name:10}  {state:24}  {engine.url}")
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
