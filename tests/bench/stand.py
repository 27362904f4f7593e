"""The test stand: a database of its own, servers as separate processes, and rows to sell."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import orjson
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from config.accounts.tokens import sign_customer
from livestream.models import LiveSession
from tests import factories
from tests.bench.load import request_bytes
from vouchers.models import Offer

GRANIAN = str(Path(sys.executable).with_name("granian"))
DATABASE = "hexiao_bench"


@contextmanager
def own_database(name: str = DATABASE) -> Iterator[None]:
    """
    A fresh, migrated database beside the usual one; dropped afterwards. Nothing of the user's is touched.

    Within another one it needs a ``name`` of its own, and is the one in use until its block ends.
    """
    usual = settings.DATABASES["default"]["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name}")
    _use(name)
    call_command("migrate", verbosity=0)
    try:
        yield
    finally:
        _use(usual)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _use(name: str) -> None:
    connection.close()
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name


def database_url() -> str:
    """The stand's database, for processes of their own."""
    return urlsplit(settings.DATABASE_URL)._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int

    def pss_mb(self) -> list[float]:
        """Proportional set size of each worker process (the server's children), in MB."""
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                lines = Path(f"/proc/{child}/smaps_rollup").read_text().splitlines()
                found += [int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")]
        return found


@contextmanager
def serve(
    target: str, *, interface: str = "asgi", workers: int = 1, port: int | None = None, **environment: str
) -> Iterator[Server]:
    """Granian with ``target`` on ``port`` or a free one, up when the block begins, gone when it ends."""
    port = port or free_port()
    loop = ["--loop", "uvloop"] if interface == "asgi" else ["--blocking-threads", "4"]
    with run(
        [GRANIAN, "--interface", interface, target, "--port", str(port), "--workers", str(workers), "--log-level",
         "warning", "--no-access-log", *loop],
        **environment,
    ) as process:  # fmt: skip
        wait_for_port(port)
        time.sleep(0.5)
        yield Server(process, port)


@contextmanager
def run(command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process against the stand's database; ended with SIGTERM, and with SIGKILL where that is not heard."""
    process = subprocess.Popen(
        command,
        env={**os.environ, "DATABASE_URL": database_url(), "HEXIAO_LOG_LEVEL": "ERROR", **environment},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_port(port: int, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing answers on port {port}")


@dataclass(frozen=True)
class Stage:
    session: LiveSession
    offer: Offer

    def buy(self, customer_id: UUID | None = None) -> bytes:
        """One customer's request to buy one, ready to be sent."""
        token = sign_customer(
            customer_id=customer_id or uuid4(), brand_id=self.session.brand_id, at=datetime.now(UTC)
        ).text
        body: dict[str, Any] = {
            "offer": self.offer.public_id,
            "unit_price_fen": self.offer.price_fen,
            "terms_number": self.offer.terms.number,
        }
        return request_bytes(
            "POST",
            f"/api/v1/live/{self.session.public_id}/purchases",
            headers=[f"Authorization: Bearer {token}", f"Idempotency-Key: {uuid4()}"],
            body=orjson.dumps(body),
        )


def stage(*, offers: int = 1, allotment: int = 10_000_000, limit: int | None = 100) -> Stage:
    """An open session of ``offers`` offers; the first is the hot one."""
    brand = factories.brand()
    session = factories.live_session(brand)
    terms = factories.terms(factories.deal(brand, total=allotment * offers))
    made = [
        factories.offer(
            terms,
            allotment=allotment,
            per_customer_limit=limit,
            opens_at=datetime.now(UTC) - timedelta(hours=1),
        )
        for _ in range(offers)
    ]
    for offer in made:
        factories.listing(session, offer)
    return Stage(session, made[0])


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def vacuum(*tables: str) -> None:
    """VACUUM ANALYZE, which Django's own connection would wrap in a transaction."""
    with psycopg.connect(database_url(), autocommit=True) as own:
        for table in tables:
            own.execute(f"VACUUM (ANALYZE) {table}".encode())
