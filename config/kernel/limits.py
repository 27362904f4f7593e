"""
How often: counted in Redis for all processes together, and in this process alone while Redis is away.

The method is GCRA (the generic cell rate algorithm, ITU-T I.371): one number a key, the moment at
which its allowance is whole again; exact over any window, one round trip.
"""

import logging
import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.kernel.errors import TooManyRequests

log = logging.getLogger(__name__)

BREAKER_SECONDS = 2.0
LOCAL_KEYS_AT_MOST = 50_000

# Times are microseconds; %.0f because Lua writes numbers with 14 digits and these have 16.
GCRA = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval, whole, spend = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = full_at + interval - whole - now
if wait <= 0 and spend == 1 then
    full_at = full_at + interval
    redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
end
return {math.max(wait, 0), full_at - now}
"""


@dataclass(frozen=True)
class Limit:
    """
    ``times`` in ``seconds``, refilled evenly.

    ``times_alone`` is what this process grants while Redis does not answer: as many where a sale must go
    on, few where somebody may be guessing.
    """

    name: str
    times: int
    seconds: int
    times_alone: int


@dataclass(frozen=True)
class Count:
    """What is left of a limit; ``wait_seconds`` is 0 where there was room."""

    limit: Limit
    left: int
    whole_in_seconds: float
    wait_seconds: float

    def require_room(self) -> None:
        """
        Raises:
            TooManyRequests: there is none; carries ``retry_after_seconds``.
        """
        if self.wait_seconds > 0:
            raise TooManyRequests(retry_after_seconds=math.ceil(self.wait_seconds))

    def headers(self) -> dict[str, str]:
        """``RateLimit-*`` as in draft-ietf-httpapi-ratelimit-headers."""
        return {
            "RateLimit-Limit": str(self.limit.times),
            "RateLimit-Remaining": str(self.left),
            "RateLimit-Reset": str(math.ceil(self.whole_in_seconds)),
        }


def spend(*keys: tuple[Limit, str]) -> Count:
    """Count one event against each limit that has room; the tightest. Takes 200 ms at most, whatever Redis does."""
    return _tightest(_counts(keys, spend=True))


def check(*keys: tuple[Limit, str]) -> Count:
    """The tightest limit, nothing counted: for limits on failures, which are spent after the failure."""
    return _tightest(_counts(keys, spend=False))


def spend_here(*keys: tuple[Limit, str]) -> Count:
    """Count in this process alone: for the lane, where asking Redis would take longer than the act it guards."""
    return _tightest([_alone.count(limit, key, spend=True) for limit, key in keys])


def _tightest(counts: list[Count]) -> Count:
    return max(counts, key=lambda count: (count.wait_seconds, -count.left))


def _counts(keys: tuple[tuple[Limit, str], ...], *, spend: bool) -> list[Count]:
    if time.monotonic() >= _breaker.closed_until:
        try:
            return _counted_in_redis(keys, spend=spend)
        except (redis.RedisError, OSError) as error:
            _breaker.closed_until = time.monotonic() + BREAKER_SECONDS
            log.warning("redis does not answer (%s); limits are counted in this process for now", error)
    return [_alone.count(limit, key, spend=spend) for limit, key in keys]


def _counted_in_redis(keys: tuple[tuple[Limit, str], ...], *, spend: bool) -> list[Count]:
    with _client(settings.REDIS_URL).pipeline(transaction=False) as pipeline:
        for limit, key in keys:
            interval = limit.seconds * 1_000_000 / limit.times
            name = f"limit:{limit.name}:{key}"
            pipeline.eval(GCRA, 1, name, repr(interval), str(limit.seconds * 1_000_000), str(int(spend)))
        return [
            _count(limit, limit.times, wait_seconds=wait / 1e6, whole_in_seconds=full_in / 1e6)
            for (limit, _), (wait, full_in) in zip(keys, pipeline.execute(), strict=True)
        ]


def _count(limit: Limit, times: int, *, wait_seconds: float, whole_in_seconds: float) -> Count:
    left = math.floor((limit.seconds - whole_in_seconds) * times / limit.seconds + 1e-6)
    return Count(limit=limit, left=max(left, 0), whole_in_seconds=whole_in_seconds, wait_seconds=wait_seconds)


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    # No retries: redis-py's own would turn 200 ms into seconds.
    return redis.Redis.from_url(
        url,
        socket_timeout=settings.REDIS_SOCKET_SECONDS,
        socket_connect_timeout=settings.REDIS_SOCKET_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


class _Breaker:
    """After a failure Redis is left in peace for a moment, so that not every request waits for it."""

    closed_until = 0.0


class _Alone:
    """The same algorithm in this process, for ``times_alone``; the keys longest unused are forgotten first."""

    def __init__(self) -> None:
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, limit: Limit, key: str, *, spend: bool) -> Count:
        now = time.monotonic()
        interval = limit.seconds / limit.times_alone
        name = f"{limit.name}:{key}"
        with self._lock:
            full_at = max(self._full_at.get(name, now), now)
            wait = full_at + interval - limit.seconds - now
            if wait <= 1e-9 and spend:
                full_at += interval
                self._full_at[name] = full_at
                self._full_at.move_to_end(name)
                while len(self._full_at) > LOCAL_KEYS_AT_MOST:
                    self._full_at.popitem(last=False)
        return _count(
            limit, limit.times_alone, wait_seconds=wait if wait > 1e-9 else 0.0, whole_in_seconds=full_at - now
        )


_breaker = _Breaker()
_alone = _Alone()
