"""How often somebody may call, counted in Redis: windows of fixed length, each with its count.

Redis may be away at any moment, and then nobody is held up: a limit protects the house from a
client that runs wild, and is no promise to anybody.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime
from functools import lru_cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

log = logging.getLogger(__name__)

#: Seconds that a call waits for Redis at most, and for which it is not asked again after that.
PATIENCE = 0.25
SILENCE = 10.0
_silent_until = 0.0


@lru_cache(maxsize=4)
def _redis(url: str) -> Redis:
    return Redis.from_url(
        url,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        retry=Retry(NoBackoff(), 0),
    )


def count(name: str, *, most: int, seconds: int, now: datetime) -> int:
    """Count one more of ``name`` in its window of so many seconds.

    Returns 0 where it is one of the ``most`` that are allowed, where ``most`` is 0 (no limit), and
    where Redis is away; else the seconds until the next window begins.
    """
    global _silent_until
    if not most or time.monotonic() < _silent_until:
        return 0
    moment = int(now.timestamp())
    key = f"limit:{name}:{moment // seconds}"
    try:
        with _redis(settings.REDIS_URL).pipeline(transaction=False) as pipe:
            pipe.incr(key)
            pipe.expire(key, 2 * seconds)
            number = int(pipe.execute()[0])
    except (RedisError, OSError) as error:
        log.warning("Redis is away (%s): calls are not counted for a while", error)
        _silent_until = time.monotonic() + SILENCE
        return 0
    return 0 if number <= most else seconds - moment % seconds


def listen_again() -> None:
    """Ask Redis with the next call, whatever happened before."""
    global _silent_until
    _silent_until = 0.0
