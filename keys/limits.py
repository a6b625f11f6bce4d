"""Limits how many events a key may send per second (a token bucket) and per day (counted from midnight UTC).

With `CACHE_URL`, Redis or Valkey keeps the count for all workers and machines, in one atomic step. Without it, or while
it does not answer, each worker grants its share of the limit (docs/operations.md, "Keys").
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import redis
from cachetools import LRUCache
from django.conf import settings

from keys.models import ApiKey
from runtime.circuit import Circuit
from runtime.refusals import Code, Refusal

logger = logging.getLogger(__name__)

DAY = 86_400
# How much may be sent at once, in seconds of the limit. A larger batch is accepted when all of this is free; the next
# one must then wait until the excess is paid back.
BURST_SECONDS = 0.5
# A wait shorter than this, in seconds, counts as none.
ROUNDING = 0.000001
# A request waits for Redis, but never longer than REDIS_SECONDS. After a failure Redis is not asked for RETRY_SECONDS.
REDIS_SECONDS = 0.1
RETRY_SECONDS = 5.0
# The most keys whose counts a worker keeps in memory.
CAPACITY = 10_000


@dataclass(frozen=True, slots=True)
class Quota:
    """How many events a key may send; None means no limit."""

    per_second: float | None
    per_day: int | None

    def of(self, share: int) -> "Quota":
        """Return the part that one of `share` processes grants; at least one event a day."""
        second = None if self.per_second is None else self.per_second / share
        return Quota(second, None if self.per_day is None else max(1, self.per_day // share))

    @property
    def interval(self) -> float:
        """Seconds of the bucket that one event takes; 0 if there is no limit per second."""
        return 0.0 if self.per_second is None else 1 / self.per_second

    @property
    def burst(self) -> float:
        """Seconds of the bucket that may be taken at once; enough for at least one event."""
        return max(BURST_SECONDS, self.interval)


@dataclass(frozen=True, slots=True)
class Count:
    """The state of a key's limits.

    `wait`: seconds until it may send, 0 for now. `bucket`: seconds of the bucket that are free. `today`: events counted
    today. `midnight`: seconds until the day ends.
    """

    wait: float
    bucket: float
    today: int
    midnight: float


class Memory:
    """Keeps the counts in this process; they are lost when it ends."""

    def __init__(self, clock: Callable[[], float] = time.time, capacity: int = CAPACITY) -> None:
        self._clock = clock
        # By name: the time until which the bucket is used up, the day, and the events of that day. If there are more
        # keys than there is room for, those that have sent nothing for longest are dropped.
        self._counts: LRUCache[str, tuple[float, int, int]] = LRUCache(capacity)

    def take(self, name: str, quota: Quota, events: int) -> Count:
        """Take the events if they fit, and return the state of the limits either way.

        Nothing here waits, so no other greenlet can run in between.
        """
        now = self._clock()
        day, midnight = int(now // DAY), DAY - now % DAY
        until, counted_day, today = self._counts.get(name, (now, day, 0))
        until, today = max(until, now), today if counted_day == day else 0
        wait = until - now + min(events * quota.interval, quota.burst) - quota.burst
        wait = wait if wait > ROUNDING else 0.0
        if quota.per_day is not None and today + events > quota.per_day:
            wait = midnight
        if wait == 0:
            until, today = until + events * quota.interval, today + events
            self._counts[name] = (until, day, today)
        return Count(wait, max(0.0, quota.burst - (until - now)), today, midnight)


# The same rule as `Memory.take`, by Redis's clock. Each key has a hash with the fields u(ntil), d(ay) and c(ount).
_SCRIPT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local events, interval, burst, per_day = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local day, midnight = math.floor(now / 86400), 86400 - now % 86400
local kept = redis.call('HMGET', KEYS[1], 'u', 'd', 'c')
local till = math.max(tonumber(kept[1] or '0'), now)
local today = tonumber(kept[2] or '-1') == day and tonumber(kept[3]) or 0
local wait = till - now + math.min(events * interval, burst) - burst
if wait <= 0.000001 then wait = 0 end
if per_day >= 0 and today + events > per_day then wait = midnight end
if wait == 0 then
    till, today = till + events * interval, today + events
    redis.call('HSET', KEYS[1], 'u', string.format('%.6f', till), 'd', day, 'c', today)
    redis.call('EXPIRE', KEYS[1], 172800 + math.ceil(till - now))
end
return {string.format('%.6f', wait), string.format('%.6f', math.max(0, burst - (till - now))), today,
        string.format('%.6f', midnight)}
"""


class Redis:
    """Keeps the counts in Redis or Valkey, for all processes that use the same one."""

    def __init__(self, url: str) -> None:
        client = redis.Redis.from_url(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)
        self._script = client.register_script(_SCRIPT)

    def take(self, name: str, quota: Quota, events: int) -> Count:
        """Take the events if they fit, and return the state of the limits either way.

        Raises redis.RedisError where Redis fails or does not answer in time.
        """
        per_day = -1 if quota.per_day is None else quota.per_day
        wait, bucket, today, midnight = self._script(
            [f"thrad_events:limit:{name}"], [events, quota.interval, quota.burst, per_day]
        )
        return Count(float(wait), float(bucket), int(today), float(midnight))


class Limiter:
    """Counts in Redis if there is one and it answers, otherwise in memory with this process's share of the limit."""

    def __init__(self, url: str, processes: int, memory: Memory | None = None, circuit: Circuit | None = None) -> None:
        self._redis = Redis(url) if url else None
        self._memory = memory or Memory()
        self._processes = processes
        self._circuit = circuit or Circuit("the cache of limits", RETRY_SECONDS)

    def take(self, key: ApiKey, events: int) -> Mapping[str, str]:
        """Take `events` from the key's limits and return the headers that say what is left.

        Raises `Refusal` (`rate_limited`) where they do not fit; then none are taken.
        """
        quota = Quota(key.per_second, key.per_day)
        count = self._take(key.prefix, quota, events)
        headers = _headers(quota, count)
        if count.wait:
            retry_after = {"Retry-After": str(math.ceil(count.wait))}
            raise Refusal(Code.RATE_LIMITED, _detail(quota, events), headers={**retry_after, **headers})
        return headers

    def _take(self, name: str, quota: Quota, events: int) -> Count:
        if self._redis is not None and not self._circuit.is_open:
            try:
                count = self._redis.take(name, quota, events)
            except redis.RedisError as error:
                self._circuit.open(error)
            else:
                self._circuit.close()
                return count
        return self._memory.take(name, quota.of(self._processes), events)


def _detail(quota: Quota, events: int) -> str:
    if quota.per_day is not None and events > quota.per_day:
        return f"{events} events in one request are more than the key may send in a day"
    limits = {"second": quota.per_second, "day": quota.per_day}
    return "The key may send " + " and ".join(f"{limit:g} events a {unit}" for unit, limit in limits.items() if limit)


def _headers(quota: Quota, count: Count) -> dict[str, str]:
    """Return `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10)."""
    policies, limits = [], []
    if quota.per_second is not None:
        left = int(count.bucket * quota.per_second + 1e-6)
        policies.append(f'"second";q={quota.per_second:g};w=1')
        limits.append(f'"second";r={left};t={math.ceil(count.wait) if left == 0 else 0}')
    if quota.per_day is not None:
        policies.append(f'"day";q={quota.per_day};w={DAY}')
        limits.append(f'"day";r={max(0, quota.per_day - count.today)};t={math.ceil(count.midnight)}')
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(limits)}


def take(key: ApiKey, events: int) -> Mapping[str, str]:
    """Take `events` from the key's limits and return the headers that say what is left.

    Raises `Refusal` (`rate_limited`) where they do not fit; then none are taken.
    """
    return _limiter(settings.CACHE_URL, settings.WEB_CONCURRENCY).take(key, events)


def prepare() -> None:
    """Make the limiter of this process, so that a CACHE_URL that cannot be used ends a start and refuses no event.

    Raises ValueError for such a URL. The cache is not asked.
    """
    _limiter(settings.CACHE_URL, settings.WEB_CONCURRENCY)


@cache
def _limiter(url: str, processes: int) -> Limiter:
    return Limiter(url, processes)
