"""Waiting for what happens elsewhere. It is said what is waited for, never how long that may take."""

import asyncio
import time
from collections.abc import Callable

LIMIT_SECONDS = 120
"""Nothing that is right takes this long, on a slow machine either; a test that is wrong ends with it."""


def until(true: Callable[[], bool], *, otherwise: str = "it did not come") -> None:
    """Wait until it is so; fail with ``otherwise`` if it never is."""
    end = time.monotonic() + LIMIT_SECONDS
    while not true():
        assert time.monotonic() < end, otherwise
        time.sleep(0.005)


async def soon(true: Callable[[], bool], *, otherwise: str = "it did not come") -> None:
    """``until`` for a coroutine."""
    end = time.monotonic() + LIMIT_SECONDS
    while not true():
        assert time.monotonic() < end, otherwise
        await asyncio.sleep(0.005)
