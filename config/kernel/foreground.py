"""Run a command in the foreground of a process that tidies up after it, whatever ends the command."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
FROM_TERMINAL = {signal.SIGINT, signal.SIGQUIT, signal.SIGHUP}


class Foreground:
    """From its making on a signal is the command's; before there is one, it ends this process in order."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        # At a terminal Ctrl-C reaches the command by itself, being sent to the whole group. Elsewhere the
        # command has a group of its own, so that a signal to ours reaches it once, through us.
        self.at_terminal = sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
        handle_signals(self.pass_on)
        prctl(PR_SET_CHILD_SUBREAPER, 1)  # whom the command orphans becomes our child

    def run(self, command: Sequence[str], *, keep_open: int) -> int:
        """The command's exit status, 128 and its number for a signal. ``keep_open`` is a file it inherits."""
        self.child = subprocess.Popen(  # noqa: S603 - the caller's own command
            command,
            pass_fds=(keep_open,),
            process_group=None if self.at_terminal else 0,
            preexec_fn=end_with_parent,
        )
        status = self.child.wait()
        return status if status >= 0 else 128 - status

    def pass_on(self, number: int, _frame: FrameType | None) -> None:
        if self.child is None:
            raise SystemExit(128 + number)
        if not (self.at_terminal and number in FROM_TERMINAL):
            self.child.send_signal(number)

    def end(self, *, spare: Collection[int | None]) -> None:
        """End what the command left running, politely for ten seconds; signals are ignored from here on."""
        handle_signals(signal.SIG_IGN)
        told: set[int] = set()
        deadline = time.monotonic() + 10
        while left := children() - set(spare):
            for pid in left if time.monotonic() > deadline else left - told:
                os.kill(pid, signal.SIGKILL if pid in told else signal.SIGTERM)
            told |= left
            for pid in left:
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.05)


def handle_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (*FROM_TERMINAL, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and a shell's & leave it
            signal.signal(number, handler)


def end_with_parent() -> None:
    """Between fork and exec: the command gets SIGTERM if this process is killed."""
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def children() -> set[int]:
    with suppress(FileNotFoundError):  # a kernel that does not list them
        return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
    return set()
