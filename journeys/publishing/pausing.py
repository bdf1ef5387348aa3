"""Pausing and resuming (V2): nobody enters and nobody moves on, and then all do, as was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db import transaction
from django.db.models import Count, Max, Min, Q, QuerySet

from contacts import bulk
from contacts.values import words_duration
from journeys import jobs, store
from journeys.models import Enrollment, Journey, Refusal
from journeys.publishing import retrying
from journeys.publishing.ending import BATCH, end_all
from journeys.publishing.history import By, note
from messaging.models import Message

Status = Journey.Status


@dataclass(frozen=True)
class Overdue:
    """Who would go on at a resumption: how many, of them those whose wait an event has ended, the
    moment the first was due, and how many at which node.
    """

    people: int
    marked: int
    since: datetime | None
    nodes: tuple[tuple[str, int], ...]


def pause(journey: Journey, *, by: By = None, at: datetime) -> bool:
    """Pause a live journey; False where it is not live."""
    with transaction.atomic():
        current = Journey.objects.select_for_update().get(pk=journey.pk)
        if current.status != Status.LIVE:
            return False
        current.status, current.paused_at = Status.PAUSED, at
        last = Refusal.objects.filter(journey=current).aggregate(last=Max("pk"))["last"]
        current.refused_before = last or 0
        current.save(update_fields=["status", "paused_at", "refused_before"])
        _open(current).update(held=True)
        note(current, by, at, "Paused the journey.")
    journey.refresh_from_db()
    return True


@dataclass(frozen=True)
class Inside:
    """Whom a pause holds: people on the way, and messages that wait to be handed over."""

    people: int
    messages: int


def inside(journey: Journey) -> Inside:
    """What an operator is shown before pausing; two statements."""
    queued = Message.objects.filter(
        enrollment__in=_open(journey).values("pk"), status=Message.Status.QUEUED
    )
    return Inside(_open(journey).count(), queued.count())


def _open(journey: Journey) -> QuerySet[Enrollment]:
    return Enrollment.objects.filter(journey=journey, status__in=[*Enrollment.OPEN])


def _overdue(journey: Journey, at: datetime) -> QuerySet[Enrollment]:
    return _open(journey).filter(resume_at__lte=at)


def overdue(journey: Journey, at: datetime) -> Overdue:
    """What an operator is shown before resuming; two statements."""
    rows = _overdue(journey, at)
    found = rows.aggregate(
        people=Count("pk"), marked=Count("pk", filter=~Q(resume_outcome="")), since=Min("resume_at")
    )
    nodes = rows.values_list("node__key").annotate(people=Count("pk")).order_by("-people")
    return Overdue(found["people"], found["marked"], found["since"], tuple(nodes))


def resume(
    journey: Journey,
    *,
    by: By = None,
    at: datetime,
    how: Literal["now", "spread", "drop"] = "now",
    over: timedelta = timedelta(),
    again: bool = False,
    again_over: timedelta = timedelta(),
) -> int:
    """Let a paused journey go on; how many were overdue, -1 where it is not paused.

    They go on now, ``spread`` evenly ``over`` a time in the order in which they were due, or are
    dropped: they end, ``exited``, reason ``dropped``. With ``again``, those whom it turned away
    while it was paused are asked in, evenly ``again_over`` a time; without, they stay out.
    """
    if Journey.objects.filter(pk=journey.pk, status=Status.PAUSED).first() is None:
        return -1
    count = _overdue(journey, at).count()
    if how == "spread" and over > timedelta():
        _spread(journey, at, over, count)
    elif how == "drop":
        end_all(_overdue(journey, at), "dropped", at)
    with transaction.atomic():
        current = Journey.objects.select_for_update().get(pk=journey.pk)
        if current.status != Status.PAUSED:
            return -1
        asked = retrying.ask_again(current, at, again_over) if again else 0
        current.status, current.paused_at = Status.LIVE, None
        current.save(update_fields=["status", "paused_at"])
        _open(current).filter(held=True).update(held=False)
        said = f"Resumed the journey. {_said(how, over, count)} {_said_again(asked, again_over)}"
        note(current, by, at, said.strip())
        transaction.on_commit(jobs.enqueue_work)
        transaction.on_commit(jobs.enqueue_publishing)
        transaction.on_commit(jobs.enqueue_calls)
    journey.refresh_from_db()
    return count


def _said(how: str, over: timedelta, count: int) -> str:
    people = f"{count} overdue {'enrollment' if count == 1 else 'enrollments'}"
    if how == "drop":
        return f"Dropped {people}."
    if how == "spread" and over > timedelta():
        return f"Spread {people} over {words_duration(over)}."
    return f"Moved {people} on." if count else "Nobody was overdue."


def _said_again(asked: int, over: timedelta) -> str:
    if not asked:
        return ""
    spread = f", spread over {words_duration(over)}" if over > timedelta() else ""
    return f"Asked in {asked} turned away while it was paused{spread}."


def _spread(journey: Journey, at: datetime, over: timedelta, count: int) -> None:
    """Give the overdue new moments between now and then, in the order in which they were due."""
    done = 0
    while rows := list(
        _overdue(journey, at).order_by("resume_at", "pk").values_list("pk", "contact_id")[:BATCH]
    ):
        with transaction.atomic():
            store.lock({contact for _, contact in rows})
            done += _postpone(_overdue(journey, at), [pk for pk, _ in rows], at, over, done, count)


def _postpone(
    rows: QuerySet[Enrollment],
    ids: Sequence[int],
    at: datetime,
    over: timedelta,
    done: int,
    count: int,
) -> int:
    still = set(rows.filter(pk__in=ids).values_list("pk", flat=True))
    later = [pk for pk in ids if pk in still]
    step = over / max(count, 1)
    bulk.update(
        Enrollment,
        [
            {"id": pk, "resume_at": at + min(step * (done + number), over)}
            for number, pk in enumerate(later, start=1)
        ],
        ["resume_at"],
    )
    return len(later)
