"""A webhook receiver on this machine: a real HTTP server that answers as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Heard:
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """``answer`` gets the handler after the request was read; the default says 204."""

    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    answer: Callable[[BaseHTTPRequestHandler], None] = lambda handler: says(handler, 204)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


def says(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def receiver() -> Iterator[Receiver]:
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.heard.append(Heard(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            # The sender may have had enough: some tests are about that.
            with suppress(BrokenPipeError, ConnectionResetError):
                told.answer(self)

        def do_GET(self) -> None:
            told.heard.append(Heard(self.path, {}, b""))
            says(self, 200)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        told.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield told
        server.shutdown()
        thread.join()
