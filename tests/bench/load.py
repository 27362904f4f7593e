"""
A load generator for HTTP/1.1 on loopback, lean enough to share a machine with what it measures.

It speaks to sockets directly (about 40 µs a request), because a general client costs ten times the
server's own work. Requests are made beforehand; a client sends its next one when the last is answered
(closed loop), or at the appointed time whether or not anything was answered (open loop).
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop


@dataclass
class Outcome:
    """What came back: seconds of the run, each answer's latency, answers by status."""

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.latencies_ms) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def request_bytes(method: str, path: str, *, headers: Sequence[str] = (), body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Connection(asyncio.Protocol):
    """One kept-alive connection; hands whole answers to ``on_answer(connection, status, body)``."""

    def __init__(self, run: "_Run") -> None:
        self.run = run
        self.buffer = b""
        self.sent_at = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self, payload: bytes, since: float) -> None:
        self.sent_at = since
        self.transport.write(payload)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lowered = head.lower()
        start = lowered.find(b"content-length:") + 15
        end = lowered.find(b"\r\n", start)
        length = int(lowered[start : end if end != -1 else len(lowered)])
        if len(rest) < length:
            return
        self.buffer = b""
        self.run.answered(self, int(head[9:12]), rest)

    def connection_lost(self, error: Exception | None) -> None:
        self.run.lost(self)


class _Run:
    def __init__(self, requests: Sequence[bytes], keep_bodies: bool) -> None:
        self.requests: Iterator[bytes] = iter(requests)
        self.expected = len(requests)
        self.outcome = Outcome()
        self.keep_bodies = keep_bodies
        self.finished = asyncio.get_running_loop().create_future()
        self.is_open_loop = False
        self.idle: list[_Connection] = []

    def next(self, connection: _Connection) -> None:
        payload = next(self.requests, None)
        if payload is not None:
            connection.send(payload, time.perf_counter())

    def answered(self, connection: _Connection, status: int, body: bytes) -> None:
        self.outcome.latencies_ms.append((time.perf_counter() - connection.sent_at) * 1_000)
        self.outcome.statuses[status] += 1
        if self.keep_bodies:
            self.outcome.bodies.append(body)
        if len(self.outcome.latencies_ms) == self.expected:
            self.finished.set_result(None)
        elif self.is_open_loop:
            self.idle.append(connection)
        else:
            self.next(connection)

    def lost(self, connection: _Connection) -> None:
        if not self.finished.done():
            self.finished.set_exception(ConnectionError("the server closed a connection in the middle of a run"))


async def _connect(run: _Run, port: int, count: int) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_connection(lambda: _Connection(run), "127.0.0.1", port) for _ in range(count)]
    return [protocol for _, protocol in pairs]


async def _closed(port: int, requests: Sequence[bytes], clients: int, keep_bodies: bool) -> Outcome:
    run = _Run(requests, keep_bodies)
    connections = await _connect(run, port, clients)
    began = time.perf_counter()
    for connection in connections:
        run.next(connection)
    await run.finished
    run.outcome.seconds = time.perf_counter() - began
    for connection in connections:
        connection.transport.close()
    return run.outcome


async def _open(port: int, requests: Sequence[bytes], per_second: float, connections: int) -> Outcome:
    run = _Run(requests, keep_bodies=False)
    run.is_open_loop = True
    run.idle = await _connect(run, port, connections)
    opened = list(run.idle)
    began = time.perf_counter()
    for number in itertools.count():
        payload = next(run.requests, None)
        if payload is None:
            break
        due = began + number / per_second
        while (now := time.perf_counter()) < due:
            await asyncio.sleep(due - now)
        while not run.idle:
            # Every connection waits for its answer: the wait counts, since ``due`` is what latency starts from.
            await asyncio.sleep(0.0005)
        run.idle.pop().send(payload, due)
    await run.finished
    run.outcome.seconds = time.perf_counter() - began
    for connection in opened:
        connection.transport.close()
    return run.outcome


def closed_loop(port: int, requests: Sequence[bytes], *, clients: int, keep_bodies: bool = False) -> Outcome:
    """Send ``requests`` over ``clients`` connections, each waiting for its answer before it sends the next."""
    return uvloop.run(_closed(port, requests, clients, keep_bodies))


def open_loop(port: int, requests: Sequence[bytes], *, per_second: float, connections: int = 512) -> Outcome:
    """Send ``requests`` at a fixed pace; latency counts from when each was due (no coordinated omission)."""
    return uvloop.run(_open(port, requests, per_second, connections))
