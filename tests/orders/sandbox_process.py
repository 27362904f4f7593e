"""The real sandbox in a process of its own, and a merchant's address that writes down what it is told."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from django.conf import settings

from orders.providers.interface import NoticeEvent
from orders.providers.sandbox import Sandbox
from tests.patience import LIMIT_SECONDS, until


@dataclass
class Merchant:
    """Answers notices with ``answers``, then with 200; only what was signed right is written down."""

    url: str = ""
    notices: list[list[NoticeEvent]] = field(default_factory=list)
    refused: list[list[NoticeEvent]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    @property
    def events(self) -> list[NoticeEvent]:
        return [event for notice in self.notices for event in notice]

    def told(self, count: int) -> list[NoticeEvent]:
        """Wait for so many events."""
        until(lambda: len(self.events) >= count, otherwise=f"fewer than {count} events came")
        return self.events


@contextmanager
def merchant() -> Iterator[Merchant]:
    listening = Merchant()
    reader = Sandbox(url="", key=settings.SECRETS.sandbox_key)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            events = reader.read_notice(headers, body, at=datetime.now(UTC))
            status = listening.answers.pop(0) if listening.answers else 200
            (listening.notices if status == 200 else listening.refused).append(events)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the tests look at what came."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    listening.url = f"http://127.0.0.1:{server.server_port}/notices"
    try:
        yield listening
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def sandbox(*, notify_url: str) -> Iterator[str]:
    """``./manage.py sandbox``; the address it answers at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "manage.py", "sandbox", "--port", str(port), "--notify-url", notify_url]
    process = subprocess.Popen(
        command, cwd=settings.BASE_DIR, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: is_up(url) or process.poll() is not None, otherwise="the sandbox does not answer")
        assert process.poll() is None, "the sandbox ended while starting"
        yield url
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/figures").is_success
    except httpx.TransportError:
        return False


@dataclass
class Customer:
    """Somebody's phone: it posts what the merchant gave it, and may be told to misbehave."""

    http: httpx.Client
    url: str

    def pay(self, parameters: dict[str, Any], **simulate: Any) -> httpx.Response:
        body = {**parameters, "simulate": simulate} if simulate else parameters
        return self.http.post(f"{self.url}/pay", content=json.dumps(body))

    def pay_together(self, crowd: list[dict[str, Any]]) -> httpx.Response:
        return self.http.post(f"{self.url}/pay/many", content=json.dumps({"payments": crowd}))

    def set_faults(self, **faults: Any) -> None:
        self.http.post(f"{self.url}/faults", content=json.dumps(faults)).raise_for_status()

    def figures(self) -> dict[str, int]:
        found: dict[str, int] = self.http.get(f"{self.url}/figures").json()
        return found
