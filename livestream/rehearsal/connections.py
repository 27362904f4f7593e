"""
A lean HTTP/1.1 client on kept-alive connections, for thousands of simulated people on the site's own machine.

A general client costs several times what the server's answer does, and would be what is measured.
It speaks to our own servers only: answers carry a Content-Length and nothing is redirected.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson


class ConnectionLost(Exception):
    """The server closed the connection before its answer was whole: whether it acted is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        """The error code of a refusal, empty for anything else."""
        return "" if self.status < 400 else str(self.json()["error"]["code"])


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.buffer = b""
        self.answered: asyncio.Future[Answer] | None = None
        self.is_open = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.is_open = True

    def ask(self, payload: bytes) -> "asyncio.Future[Answer]":
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(payload)
        return self.answered

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = _content_length(head)
        if len(body) < length or self.answered is None or self.answered.done():
            return
        self.buffer = b""
        self.answered.set_result(Answer(int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(ConnectionLost())


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0] or 0)


def request_bytes(method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body or method != "GET":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Connections:
    """A pool of at most ``most`` connections to one port of this machine."""

    port: int
    most: int = 512
    _idle: list[_Connection] = field(default_factory=list)
    _places: asyncio.Semaphore | None = None

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """
        Send one request and wait for its answer; ``body`` is sent as JSON.

        Raises:
            ConnectionLost: no whole answer; the request may be repeated with its key.
            OSError: nothing listens there.
        """
        return await self.ask_bytes(
            request_bytes(method, path, headers or {}, b"" if body is None else orjson.dumps(body))
        )

    async def ask_bytes(self, payload: bytes) -> Answer:
        """Send a request made beforehand; otherwise as ``ask``."""
        self._places = self._places or asyncio.Semaphore(self.most)
        async with self._places:
            connection = await self._connection()
            answer = await connection.ask(payload)
            self._idle.append(connection)
            return answer

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(_Connection, "127.0.0.1", self.port)
        return protocol

    def close(self) -> None:
        for connection in self._idle:
            connection.transport.close()
        self._idle.clear()
