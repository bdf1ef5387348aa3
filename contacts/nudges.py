"""Jobs as nudges: what is to be done stands in rows, so a job only says that somebody should look.

Losing a nudge costs seconds, since the clock looks by itself; no function here raises when Redis is
away.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import django_rq
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.exceptions import DuplicateJobError

log = logging.getLogger(__name__)

#: Seconds after which a job nobody fetched is dropped: the clock has done its work by then.
TTL = 600
#: Seconds for which a job that failed is kept, to be looked at. Its id is taken that long.
FAILURE_TTL = 60
#: Most minutes that are marked after one batch; the clock finds the others.
MOST_MINUTES = 500


_held: ContextVar[bool] = ContextVar("nudges_held", default=False)


@contextmanager
def held() -> Iterator[None]:
    """Nudge nobody inside: whoever calls works through what it makes by itself."""
    token = _held.set(True)
    try:
        yield
    finally:
        _held.reset(token)


def nudge(queue: str, job: Callable[..., Any], job_id: str) -> None:
    """Have ``job`` run soon. Of many nudges one is kept for each worker, and one after these.

    The last is needed because those that run may have looked already when the new row came.
    """
    if _held.get():
        return
    try:
        target = django_rq.get_queue(queue)
        for name in _ids(job_id, target):
            try:
                target.enqueue(
                    job,
                    job_id=name,
                    unique=True,
                    ttl=TTL,
                    result_ttl=0,
                    failure_ttl=FAILURE_TTL,
                    description=name,
                )
            except DuplicateJobError:
                continue
            return
    except (RedisError, OSError) as error:
        log.warning("Redis is away (%s): the clock will see to %s", error, job_id)


def _ids(job_id: str, queue: Queue) -> Iterator[str]:
    """The ids a nudge may have; workers are counted only where the first two are taken."""
    yield job_id
    yield f"{job_id}-again"
    for number in range(2, Worker.count(queue=queue) + 1):
        yield f"{job_id}-again-{number}"


def at_minutes(queue: str, job: Callable[..., Any], name: str, minutes: Iterable[datetime]) -> None:
    """Have ``job`` run at each of these minutes: one job a minute, whatever waits for it."""
    if _held.get():
        return
    try:
        scheduler = django_rq.get_queue(queue)
        for minute in sorted(set(minutes))[:MOST_MINUTES]:
            scheduler.enqueue_at(
                minute,
                job,
                job_id=f"{name}-{minute:%Y%m%dT%H%M}",
                result_ttl=0,
                failure_ttl=FAILURE_TTL,
                description=name,
            )
    except (RedisError, OSError) as error:
        log.warning("Redis is away (%s): the clock will see to %s", error, name)
