"""From the tap to the voucher: sold, paid at the sandbox provider, told by notices, applied and issued."""

import asyncio
import time
from collections.abc import Iterator

import uvloop
from django.db import connection

from config.kernel.processes import beside_python
from livestream.rehearsal.connections import Connections
from tests.bench.report import Figure
from tests.bench.stand import Stage, free_port, own_database, run, serve, stage, wait_for_port

PURCHASES = 100_000
CLIENTS = 128
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
        began = time.perf_counter()
        bought_after = uvloop.run(_buy_and_pay(staged, server.port, sandbox_port))
        paid_and_issued_after = _wait_for_vouchers(began)
    yield Figure(
        "pipeline_per_s",
        round(PURCHASES / paid_and_issued_after),
        "purchases/s",
        f"{PURCHASES:,} purchases by {CLIENTS} clients, 1 intake process, sandbox provider, 1 worker; all bought and "
        f"paid after {bought_after:.0f} s, the last voucher {paid_and_issued_after - bought_after:.1f} s later",
    )


async def _buy_and_pay(staged: Stage, site_port: int, sandbox_port: int) -> float:
    site, sandbox = Connections(site_port, CLIENTS), Connections(sandbox_port, CLIENTS)
    began = time.perf_counter()
    left = iter(range(PURCHASES))

    async def customer() -> None:
        for _ in left:
            wish = staged.buy()
            while (bought := await site.ask_bytes(wish)).status == 503:
                await asyncio.sleep(0.2)
            assert bought.status in (200, 201), bought.body
            paid = await sandbox.ask("POST", "/pay", body=bought.json()["payment"]["parameters"])
            assert paid.status < 300, paid.body

    await asyncio.gather(*[customer() for _ in range(CLIENTS)])
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
