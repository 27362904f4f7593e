"""From the tap to the voucher: sold, paid at the sandbox provider, told by notices, applied and issued."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import uvloop
from django.db import connection

from config.kernel.processes import beside_python
from livestream.rehearsal.connections import Connections
from tests.bench.report import Figure
from tests.bench.stand import free_port, own_database, run, serve, stage, wait_for_port

PURCHASES = 100_000
CLIENTS = 128
PAYERS = 4
COUNT = """
    SELECT count(*) FILTER (WHERE paid_at IS NULL), count(*) FILTER (WHERE issued_at IS NULL), count(*)
    FROM orders_purchase
"""


def pipeline() -> Iterator[Figure]:
    """``pipeline_per_s``: purchases from the first tap to the last voucher, everything on this machine."""
    sandbox_port, site_port = free_port(), free_port()
    where = {
        "HEXIAO_PUBLIC_URL": f"http://127.0.0.1:{site_port}",
        "HEXIAO_SANDBOX_URL": f"http://127.0.0.1:{sandbox_port}",
    }
    python, celery = beside_python("python"), beside_python("celery")
    worker = [celery, "-A", "config.celery", "worker", "--queues", "issue", "--pool", "solo", "--loglevel", "ERROR"]
    with (
        own_database(),
        run([python, "manage.py", "sandbox", "--port", str(sandbox_port)], **where),
        serve("config.asgi:intake", port=site_port, **where) as server,
        run([*worker, "--hostname", "bench@%h"], **where),
    ):
        wait_for_port(sandbox_port)
        staged = stage()
        wishes = [staged.buy() for _ in range(PURCHASES)]
        began = time.perf_counter()
        bought_after = uvloop.run(_buy_and_pay(wishes, server.port, sandbox_port))
        paid_and_issued_after = _wait_for_vouchers(began)
    yield Figure(
        "pipeline_per_s",
        round(PURCHASES / paid_and_issued_after),
        "purchases/s",
        f"{PURCHASES:,} purchases by {CLIENTS} clients, 1 intake process, sandbox provider (devices pay up to 100 in a "
        f"call), 1 worker; all bought and paid after {bought_after:.0f} s, the last voucher "
        f"{paid_and_issued_after - bought_after:.1f} s later",
    )


async def _buy_and_pay(wishes: Sequence[bytes], site_port: int, sandbox_port: int) -> float:
    site, sandbox = Connections(site_port, CLIENTS), Connections(sandbox_port, PAYERS)
    began = time.perf_counter()
    left, unpaid, is_sold = iter(wishes), deque[Any](), asyncio.Event()

    async def customer() -> None:
        for wish in left:
            while (bought := await site.ask_bytes(wish)).status == 503:
                await asyncio.sleep(0.2)
            assert bought.status in (200, 201), bought.body
            unpaid.append(orjson.loads(bought.body)["payment"]["parameters"])

    async def devices() -> None:
        """Whoever has bought meanwhile pays, up to a hundred in one call."""
        while unpaid or not is_sold.is_set():
            if crowd := [unpaid.popleft() for _ in range(min(len(unpaid), 100))]:
                paid = await sandbox.ask("POST", "/pay/many", body={"payments": crowd})
                assert paid.status < 300, paid.body
            else:
                await asyncio.sleep(0.005)

    paying = [asyncio.ensure_future(devices()) for _ in range(PAYERS)]
    await asyncio.gather(*[customer() for _ in range(CLIENTS)])
    is_sold.set()
    await asyncio.gather(*paying)
    site.close()
    sandbox.close()
    return time.perf_counter() - began


def _wait_for_vouchers(began: float) -> float:
    while True:
        with connection.cursor() as cursor:
            cursor.execute(COUNT)
            unpaid, unissued, purchases = cursor.fetchone()
        if purchases and not unissued and not unpaid:
            return time.perf_counter() - began
        time.sleep(0.2)
