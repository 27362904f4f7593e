"""How long after a kill's own commit a sale can still commit, four intakes selling one hot offer."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
from django.db import connection

from tests.bench.load import closed_loop
from tests.bench.report import Figure
from tests.bench.stand import Stage, database_url, own_database, serve, stage
from vouchers.models import Offer, SellingSwitch

ROUNDS = 20
WATCH_SECONDS = 0.6


def kill() -> Iterator[Figure]:
    """``kill_switch_ms``: the worst of many kills."""
    with own_database(), serve("config.asgi:intake", workers=4) as server:
        staged = stage()
        switch = SellingSwitch.objects.create(
            scope=SellingSwitch.Scope.OFFER, scope_id=staged.offer.id, changed_at=datetime.now(UTC)
        )
        lags = [_one_kill(server.port, staged, switch) for _ in range(ROUNDS)]
    yield Figure(
        "kill_switch_ms",
        round(max(lags), 1),
        "ms",
        f"worst of {ROUNDS} kills (median {sorted(lags)[ROUNDS // 2]:.1f}), 4 intake processes, 128 clients, one hot "
        "offer; last move of the counter after the kill's commit, seen by a watcher every millisecond",
    )


def _one_kill(port: int, staged: Stage, switch: SellingSwitch) -> float:
    SellingSwitch.objects.filter(pk=switch.pk).update(stopped_at=None)
    requests = [staged.buy() for _ in range(6_000)]
    selling = threading.Thread(target=closed_loop, args=(port, requests), kwargs={"clients": 128})
    selling.start()
    time.sleep(0.8)
    before = Offer.objects.get(pk=staged.offer.pk).sold
    time.sleep(0.1)
    assert Offer.objects.get(pk=staged.offer.pk).sold > before, "nothing was being sold: nothing to stop"
    SellingSwitch.objects.filter(pk=switch.pk).update(stopped_at=datetime.now(UTC))
    killed_at = time.perf_counter()
    last_move = _last_move(staged.offer, killed_at)
    selling.join()
    connection.close()
    return (last_move - killed_at) * 1_000


def _last_move(offer: Offer, killed_at: float) -> float:
    sold, moved_at = -1, killed_at
    with psycopg.connect(database_url(), autocommit=True) as watcher:
        while time.perf_counter() - killed_at < WATCH_SECONDS:
            row = watcher.execute("SELECT sold FROM vouchers_offer WHERE id = %s", [offer.id]).fetchone()
            assert row is not None
            if row[0] != sold:
                # The first look finds what was committed before the kill; later ones, what came after.
                moved_at = time.perf_counter() if sold >= 0 else killed_at
                sold = row[0]
            time.sleep(0.001)
    return moved_at
