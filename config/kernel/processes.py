"""Hexiao's processes as children of one command: started in order, watched, stopped in reverse."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

STOP_SECONDS = 20.0


class ProcessDied(Exception):
    """A process of the site ended by itself; the message says which and where its log lies."""


class PortTaken(Exception):
    """Something answers on the port already; the message says how to choose another."""


@dataclass
class Processes:
    """
    ``with Processes(log_folder) as processes: processes.start("site", […])``.

    Each child leads a process group of its own, so that Ctrl-C reaches only the command, and stopping
    reaches a child's own children too. SIGTERM ends the block as Ctrl-C does, by ``KeyboardInterrupt``.
    """

    log_folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _usual: Any = None

    def __enter__(self) -> "Processes":
        self.log_folder.mkdir(parents=True, exist_ok=True)
        self._usual = signal.signal(signal.SIGTERM, _interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTERM, self._usual)
        for process in reversed(self.running.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS
        for process in reversed(self.running.values()):
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def start(self, name: str, command: Sequence[str], **environment: str) -> None:
        """Start ``command``; its output goes to ``{log_folder}/{name}.log``."""
        with self.log(name).open("wb") as log:
            # The commands are this project's own.
            self.running[name] = subprocess.Popen(  # noqa: S603
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **self.environment, **environment, "HEXIAO_PROCESS": name},
            )

    def log(self, name: str) -> Path:
        return self.log_folder / f"{name}.log"

    def check(self) -> None:
        """
        Raises:
            ProcessDied: one of them has ended.
        """
        for name, process in self.running.items():
            if process.poll() is not None:
                raise ProcessDied(f"{name} ended with status {process.returncode}; see {self.log(name)}")

    def wait_for_port(self, port: int, seconds: float = 60) -> None:
        """
        Return when something listens on ``port`` of this machine.

        Raises:
            ProcessDied: a process ended instead, or nothing listened in time.
        """
        until = time.monotonic() + seconds
        while not answers(port):
            self.check()
            if time.monotonic() > until:
                raise ProcessDied(f"nothing answers on port {port} after {seconds:.0f} s; see {self.log_folder}")
            time.sleep(0.05)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def require_free(port: int, option: str) -> None:
    """
    Raises:
        PortTaken: somebody listens there.
    """
    if answers(port):
        raise PortTaken(f"Port {port} is taken. Name another with {option}, or stop what listens there.")


def beside_python(program: str) -> str:
    """A console script of the same virtual environment."""
    return str(Path(sys.executable).with_name(program))
