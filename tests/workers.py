"""
Loaded before the settings: a worker of ``pytest -n`` has a Redis database of its own.

Its PostgreSQL database has pytest-django's suffix.
"""

import os
from urllib.parse import parse_qs

from config.kernel import engines

REDIS_DATABASES = 16

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # Taken apart by hand: urlsplit gives unix:///path back as unix:/path, which no Redis client reads.
    shared, _, query = (os.environ.get("REDIS_URL") or engines.redis_url()).partition("?")
    taken = int(parse_qs(query).get("db", ["0"])[0])
    own = (taken + 1 + int(worker.removeprefix("gw"))) % REDIS_DATABASES
    os.environ["REDIS_URL"] = f"{shared}?db={own}"
