"""What may happen on the night: Redis freezes and is wiped, PostgreSQL goes away, in the middle of the sale."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from django.conf import settings
from rich.console import Console

from config.kernel.engine_servers import PostgreSQL, Redis
from config.kernel.engines import PLACE

BEGIN_AFTER_SECONDS = 2.0
FROZEN_SECONDS = 8.0
AWAY_SECONDS = 20.0
TROUBLE_SECONDS = BEGIN_AFTER_SECONDS + FROZEN_SECONDS + AWAY_SECONDS + 5.0
"""How long a sale lasts at least, so that all of it happens in the middle."""


class NotOurEngines(Exception):
    """The servers are somebody else's: trouble is made with the embedded ones alone."""


def require_own_engines() -> None:
    """
    Raises:
        NotOurEngines: DATABASE_URL or REDIS_URL names a server.
    """
    if os.environ.get("DATABASE_URL") or os.environ.get("REDIS_URL"):
        raise NotOurEngines("--trouble stops PostgreSQL and freezes Redis, so it works on the embedded engines only.")


@contextmanager
def trouble(console: Console) -> Iterator[None]:
    """While the block runs: Redis frozen and wiped, PostgreSQL gone for 20 s; all back at its end."""
    making = threading.Thread(target=_make, args=(console,), name="trouble")
    making.start()
    try:
        yield
    finally:
        making.join()


def _make(console: Console) -> None:
    time.sleep(BEGIN_AFTER_SECONDS)
    frozen, stopped = Redis(PLACE), PostgreSQL(PLACE)
    console.print(f"  trouble: Redis is frozen for {FROZEN_SECONDS:.0f} s", style="yellow")
    frozen.send(signal.SIGSTOP)
    try:
        time.sleep(FROZEN_SECONDS)
    finally:
        frozen.send(signal.SIGCONT)
    redis.Redis.from_url(settings.REDIS_URL).flushall()
    console.print(f"  trouble: Redis is wiped; PostgreSQL stops for {AWAY_SECONDS:.0f} s", style="yellow")
    stopped.stop()
    try:
        time.sleep(AWAY_SECONDS)
    finally:
        stopped.start()
    console.print("  trouble: PostgreSQL is back", style="yellow")
