"""What publishing leaves to be done in batches, and that it is done whatever happens meanwhile.

All of it stands in rows: relocations that are open, journeys whose dates are not all worked out,
enrollments that are open in an archived journey. So any process can carry on with it.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from journeys import jobs
from journeys.models import Journey
from journeys.publishing import dating, ending, relocating, retrying

#: How long one call carries on before it lets another job have its turn.
SLICE = timedelta(seconds=60)


def begin(journey: Journey, now: datetime) -> None:
    """Do the first batches at once, which is all with few people; leave the rest to a job."""
    more = dating.backfill(journey, now)
    for relocation in relocating.pending().filter(journey=journey):
        # The second call finds out that there is nobody left.
        if relocating.batch(relocation, now) and relocating.batch(relocation, now):
            more = True
    if more:
        transaction.on_commit(jobs.enqueue_publishing)


def due_since(now: datetime) -> datetime | None:
    """Since when something waits to be carried on with; for the clock."""
    relocation = relocating.pending().first()
    if relocation is not None:
        return relocation.taken_back_at or relocation.made_at
    version = _undated().order_by("live_version__published_at").first()
    if version is not None and version.live_version is not None:
        return version.live_version.published_at
    asked = retrying.due(now).first()
    if asked is not None:
        return asked.retry_at
    return now if ending.archived().exists() else None


def _undated() -> QuerySet[Journey]:
    """The journeys for which dates are still to be worked out."""
    return Journey.objects.filter(
        dates_after__isnull=False, status__in=[Journey.Status.LIVE, Journey.Status.PAUSED]
    ).select_related("live_version")


def carry_on(now: datetime) -> bool:
    """Carry on with all that is left, for a while; whether there is more."""
    started = time.monotonic()

    def in_time() -> bool:
        return time.monotonic() - started < SLICE.total_seconds()

    ending.end_archived(now)
    for journey in _undated().order_by(F("dates_after")):
        while in_time() and dating.backfill(journey, now):
            pass
    for relocation in relocating.pending():
        while in_time() and relocating.batch(relocation, now):
            pass
    while in_time() and retrying.batch(now):
        pass
    return due_since(now) is not None
