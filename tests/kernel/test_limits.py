"""How often: in Redis, without Redis, and how long it takes to find out."""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings as site
from pytest_django import Settings

from config.kernel import limits
from config.kernel.errors import TooManyRequests
from config.kernel.limits import Limit
from tests.kernel.frozen_redis import frozen_redis

TEN = Limit("ten", times=10, seconds=60 * 60, times_alone=3)
"""So slow to refill that no slow machine sees it."""


@pytest.fixture(autouse=True)
def _redis_is_trusted_again() -> Iterator[None]:
    limits._breaker.closed_until = 0.0
    yield
    limits._breaker.closed_until = 0.0
    limits._client.cache_clear()


@pytest.fixture
def key() -> str:
    return uuid4().hex


def granted(limit: Limit, key: str, *, tries: int) -> int:
    return sum(limits.spend((limit, key)).wait_seconds == 0 for _ in range(tries))


def test_as_many_as_the_limit_says_and_not_one_more(key: str) -> None:
    assert granted(TEN, key, tries=15) == 10
    assert granted(TEN, key + "of another", tries=1) == 1


def test_counting_says_what_is_left_and_when_it_is_whole_again(key: str) -> None:
    for _ in range(4):
        count = limits.spend((TEN, key))

    assert count.left == 6
    assert 23 * 60 < count.whole_in_seconds <= 24 * 60
    reset = str(math.ceil(count.whole_in_seconds))
    assert count.headers() == {"RateLimit-Limit": "10", "RateLimit-Remaining": "6", "RateLimit-Reset": reset}


def test_a_used_up_limit_says_how_long_to_wait(key: str) -> None:
    granted(TEN, key, tries=10)

    with pytest.raises(TooManyRequests) as refusal:
        limits.spend((TEN, key)).require_room()

    assert 300 < refusal.value.details["retry_after_seconds"] <= 360


def test_room_comes_back_evenly(key: str) -> None:
    began = time.monotonic()
    ten = Limit("ten", times=10, seconds=10, times_alone=10)
    granted_at_first = granted(ten, key, tries=12)
    time.sleep(2.2)
    granted_in_all = granted_at_first + granted(ten, key, tries=12)
    seconds = time.monotonic() - began

    # One a second, on a machine as slow as it likes.
    assert granted_at_first >= 10
    assert 10 + 2 <= granted_in_all <= 10 + seconds


def test_checking_counts_nothing(key: str) -> None:
    for _ in range(20):
        limits.check((TEN, key)).require_room()
    assert granted(TEN, key, tries=15) == 10

    with pytest.raises(TooManyRequests):
        limits.check((TEN, key)).require_room()


def test_of_two_limits_the_tighter_one_answers(key: str) -> None:
    two = Limit("two", times=2, seconds=60, times_alone=2)

    assert limits.spend((TEN, key), (two, key)).left == 1
    assert limits.spend((TEN, key), (two, key)).left == 0
    assert limits.spend((TEN, key), (two, key)).wait_seconds > 0


def test_many_at_once_are_counted_one_by_one(key: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        rooms = list(threads.map(lambda _: limits.spend((TEN, key)).wait_seconds == 0, range(64)))

    assert sum(rooms) == 10


def test_a_forgotten_count_leaves_nothing_in_redis(key: str) -> None:
    limits.spend((TEN, key))
    there = redis.Redis.from_url(site.REDIS_URL)
    milliseconds = there.pttl(f"limit:ten:{key}")
    there.close()

    assert 300_000 < milliseconds <= 360_000, "it goes by itself when all of it is there again"


def test_without_redis_this_process_counts_strictly(
    key: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "unix:///nowhere/redis.sock"

    assert granted(TEN, key, tries=15) == 3
    assert "counted in this process" in caplog.text
    with pytest.raises(TooManyRequests):
        limits.check((TEN, key)).require_room()


def test_a_frozen_redis_costs_200_ms_once_and_then_nothing(
    key: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BREAKER_SECONDS", 60 * 60)
    asked, really = list[float](), limits._counted_in_redis

    def counted(*args: Any, **named: Any) -> Any:
        asked.append(limits._client(settings.REDIS_URL).connection_pool.connection_kwargs["socket_timeout"])
        return really(*args, **named)

    monkeypatch.setattr(limits, "_counted_in_redis", counted)
    with frozen_redis() as url:
        settings.REDIS_URL, settings.REDIS_SOCKET_SECONDS = url, 0.2
        for _ in range(100):
            limits.spend((TEN, key))

    assert asked == [0.2]


def test_redis_counts_again_when_it_is_back(key: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BREAKER_SECONDS", 0.05)
    alive = settings.REDIS_URL
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    assert granted(TEN, key, tries=5) == 3
    settings.REDIS_URL = alive
    time.sleep(0.06)

    assert granted(TEN, key, tries=15) == 10


def test_memory_of_a_process_alone_is_bounded(key: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOCAL_KEYS_AT_MOST", 100)
    alone = limits._Alone()

    for number in range(500):
        alone.count(TEN, f"{key}{number}", spend=True)

    assert len(alone._full_at) == 100
