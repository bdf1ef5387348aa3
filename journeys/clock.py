"""The loop that keeps time when everything else has fallen over (DESIGN §5).

Each tick looks for what is due: facts, timers, dates, messages, requests, expired leases, the full
hour. Where Redis is there and workers fetch their jobs, a tick only nudges them; what has been due
for longer than ``LATE`` it does itself. Two clocks do no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import django_rq
from django.db import IntegrityError, close_old_connections, transaction
from django.db.models import QuerySet
from redis.exceptions import RedisError

from contacts import segments
from contacts.imports import running as imports
from contacts.models import Fact
from journeys import backtest, jobs, publishing, webhooks, work
from journeys.models import Hour, WebhookCall
from messaging import delivery
from messaging import jobs as mail
from messaging.models import Message

log = logging.getLogger(__name__)

#: How long something may be overdue before the clock stops relying on the workers.
LATE = timedelta(seconds=15)
#: How long counted hours are remembered.
KEPT_HOURS = timedelta(days=7)


@dataclass(frozen=True)
class Duty:
    """Something the clock sees to: since when it is due, how to nudge, and how to do it."""

    name: str
    due_since: Callable[[datetime], datetime | None]
    nudge: Callable[[], None]
    do: Callable[[datetime], object]


def _earliest(queries: Iterable[QuerySet[Any, Any]]) -> datetime | None:
    """The earliest of the first rows of these queries, each of one moment."""
    moments = [row[0] for query in queries for row in query[:1]]
    return min((moment for moment in moments if moment is not None), default=None)


def _facts_due(now: datetime) -> datetime | None:
    """Since when the oldest fact, timer or date waits to be worked through."""
    first = (
        Fact.objects.filter(failed_at__isnull=True).order_by("pk").values_list("received_at"),
        work.due_timers(now).values_list("resume_at"),
        work.due_dates(now).values_list("due_at"),
    )
    return _earliest(first)


def _messages_due(now: datetime) -> datetime | None:
    queued = delivery.due(now)
    leased = Message.objects.filter(status=Message.Status.SENDING, lease_until__lte=now)
    first = (
        queued.order_by("next_attempt_at").values_list("next_attempt_at"),
        leased.order_by("lease_until").values_list("lease_until"),
    )
    return _earliest(first)


def _calls_due(now: datetime) -> datetime | None:
    open_calls = WebhookCall.objects.filter(
        status__in=[WebhookCall.Status.QUEUED, WebhookCall.Status.SENDING],
        next_attempt_at__lte=now,
    )
    row = open_calls.order_by("next_attempt_at").values_list("next_attempt_at").first()
    return row[0] if row else None


DUTIES = [
    Duty("facts", _facts_due, jobs.enqueue_work, work.work),
    Duty("messages", _messages_due, mail.nudge, delivery.run),
    Duty("webhooks", _calls_due, jobs.enqueue_calls, webhooks.deliver),
    Duty("publishing", publishing.due_since, jobs.enqueue_publishing, publishing.carry_on),
    Duty("imports", imports.due_since, imports.nudge, imports.run_for_a_while),
    Duty("backtests", backtest.due_since, jobs.enqueue_backtests, backtest.step),
]


def tick(now: datetime) -> None:
    """See to all that is due; what fails is logged, and keeps nothing else from being seen to."""
    close_old_connections()
    _guarded("full hour", lambda: count_hour(now))
    available = workers_listen()
    for duty in DUTIES:
        _guarded(duty.name, partial(_see_to, duty, now, available))


def _see_to(duty: Duty, now: datetime, available: bool) -> None:
    since = duty.due_since(now)
    if since is None:
        return
    if available and now - since < LATE:
        duty.nudge()
    else:
        duty.do(now)


def _guarded(name: str, do: Callable[[], object]) -> None:
    try:
        do()
    except Exception:
        log.exception("The clock could not see to: %s", name)


def workers_listen() -> bool:
    """Whether Redis is there; whether workers fetch their jobs shows in what becomes overdue."""
    try:
        return bool(django_rq.get_connection(jobs.FACTS).ping())
    except (RedisError, OSError):
        return False


def count_hour(now: datetime) -> None:
    """Count memberships that look at the time anew, once for each full hour (T5).

    Hours that passed while no clock ran are not made up for: the last one stands for them.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    if Hour.objects.filter(at=hour).exists():
        return
    try:
        with transaction.atomic():
            Hour.objects.create(at=hour)
            segments.recount_hour(hour)
            Hour.objects.filter(at__lt=hour - KEPT_HOURS).delete()
    except IntegrityError:
        return  # another clock was first
    jobs.enqueue_work()
