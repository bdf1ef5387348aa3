"""A backtest from the question to its result: a chunk of people at a time, resumed after a kill.

Everything is in the row of the backtest. Whoever takes its lease replays one chunk in memory and
writes the count and the place it got to in one statement; that row is all that is ever written.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import F, Q, QuerySet

from contacts.models import Segment
from contacts.problems import Invalid
from journeys import engine, jobs, plans, publishing
from journeys.backtest import past, tally
from journeys.backtest.looks import Looks, looks
from journeys.calendar import zone
from journeys.definition import Definition
from journeys.models import Backtest, Journey
from journeys.plans import NotRunnable
from journeys.publishing.history import By
from journeys.simulation.setting import Setting, plan_of
from messaging.models import Installation, Topic
from messaging.outbox import Cap

log = logging.getLogger(__name__)

#: People in one chunk: enough to make statements cheap, few enough to stay small in memory.
CHUNK = 1000
#: How long a chunk may take before somebody else begins it anew.
LEASE = timedelta(minutes=2)
#: How often one chunk is begun before the backtest is given up.
MOST_TRIES = 3
#: How many backtests of a journey are kept.
KEPT = 20

STATUS = Backtest.Status

# what a person asks for


def start(
    journey: Journey, period_from: datetime, period_until: datetime, *, by: By = None, at: datetime
) -> Backtest:
    """Have the journey's draft replayed over the period, and compared with the live version.

    Raises Invalid with the problems of a draft that can't be published.
    """
    definition, problems = publishing.examine(journey.draft)
    if definition is None:
        raise Invalid(problems)
    backtest = Backtest.objects.create(
        journey=journey,
        draft=journey.draft,
        version_id=journey.live_version_id,
        period_from=period_from,
        period_until=period_until,
        made_at=at,
        made_by=by,
    )
    _forget_old(journey)
    transaction.on_commit(jobs.enqueue_backtests)
    return backtest


def _forget_old(journey: Journey) -> None:
    rows = Backtest.objects.filter(journey=journey)
    kept = rows.order_by("-pk").values_list("pk", flat=True)[:KEPT]
    rows.exclude(pk__in=list(kept)).exclude(status__in=Backtest.OPEN).delete()


def cancel(backtest: Backtest, *, at: datetime) -> bool:
    """Stop behind the chunk at hand; False where it has ended already."""
    return _end(backtest, STATUS.CANCELLED, at)


def _end(backtest: Backtest, status: str, at: datetime, error: str = "") -> bool:
    still = Backtest.objects.filter(pk=backtest.pk, status__in=Backtest.OPEN)
    return bool(still.update(status=status, error=error, finished_at=at, lease_until=None))


# who does the work


def due(at: datetime) -> QuerySet[Backtest]:
    """The backtests that nobody works on, or whose worker has died, oldest first."""
    free = Q(lease_until=None) | Q(lease_until__lt=at)
    return Backtest.objects.filter(free, status__in=Backtest.OPEN).order_by("made_at", "pk")


def due_since(at: datetime) -> datetime | None:
    """Since when the first backtest waits for somebody, for the clock."""
    first = due(at).defer("draft", "result").first()
    if first is None:
        return None
    return first.lease_until or first.moved_at or first.made_at


def step(at: datetime) -> bool:
    """Replay the next chunk of the first backtest that waits; False where none does.

    What goes wrong is said in the backtest. Raises only where the database is away.
    """
    backtest = due(at).first()
    if backtest is None:
        return False
    if not _claim(backtest, at):
        return True
    if backtest.tries > MOST_TRIES:
        _end(backtest, STATUS.FAILED, at, "It was interrupted three times at the same place.")
        return True
    try:
        _advance(backtest, at)
    except OperationalError:
        raise
    except NotRunnable as error:
        _end(backtest, STATUS.FAILED, at, f"The journey does not fit any more: {error}")
    except Exception as error:
        log.exception("Backtest %s stopped", backtest.pk)
        said = f"It stopped at an error of the program: {type(error).__name__}."
        _end(backtest, STATUS.FAILED, at, said)
    return True


def _claim(backtest: Backtest, at: datetime) -> bool:
    """Take the lease, if nobody else took it meanwhile."""
    as_seen = due(at).filter(pk=backtest.pk, position=backtest.position, tries=backtest.tries)
    claimed = as_seen.order_by().update(
        status=STATUS.RUNNING, lease_until=at + LEASE, tries=F("tries") + 1
    )
    backtest.tries += 1
    return bool(claimed)


def _advance(backtest: Backtest, at: datetime) -> None:
    """Replay one chunk, and write the count and the place in one statement."""
    sides, looked = _sides(backtest)
    span = past.Span(
        backtest.journey_id,
        str(sides["draft"].plan.slug),
        backtest.period_from,
        backtest.period_until,
    )
    total = backtest.total
    if total is None:
        total = past.candidates(looked, span).count()
    chunk = past.read(looked, span, sides["draft"], backtest.position, CHUNK)
    result = backtest.result or {"both": 0, **{name: tally.empty() for name in sides}}
    entered = []
    for name, setting in sides.items():
        world = past.world_of(chunk, setting)
        engine.run(world)
        entered.append(tally.count(result[name], world, zone(setting.timezone)))
    if len(entered) == 2:
        result["both"] += len(entered[0] & entered[1])
    _save(backtest, chunk, total, result, at)


def _save(
    backtest: Backtest, chunk: past.Chunk, total: int, result: dict[str, Any], at: datetime
) -> None:
    """Nothing is saved where it was cancelled, or somebody else did the chunk."""
    last = len(chunk.contacts) < CHUNK
    done = backtest.done + len(chunk.contacts)
    still = Backtest.objects.filter(
        pk=backtest.pk, status=STATUS.RUNNING, position=backtest.position, done=backtest.done
    )
    still.update(
        position=chunk.contacts[-1].pk if chunk.contacts else backtest.position,
        done=done,
        total=done if last else max(total, done),
        result=result,
        status=STATUS.DONE if last else STATUS.RUNNING,
        finished_at=at if last else None,
        moved_at=at,
        lease_until=None,
        tries=0,
    )


# what is replayed


def _sides(backtest: Backtest) -> tuple[dict[str, Setting], Looks]:
    """The draft, and the version it is compared with, each in its setting; what both look at."""
    installation = Installation.load()
    rows = Segment.objects.values_list("slug", "pk", "condition")
    rules = plans.segment_rules({slug: (pk, condition) for slug, pk, condition in rows})
    topics = dict(Topic.objects.values_list("slug", "subscribed_by_default"))
    cap = installation.cap
    definitions = _definitions(backtest)
    sides = {
        name: Setting(
            plan=plan_of(definition),
            segments=rules,
            topics=topics,
            timezone=installation.timezone,
            cap=Cap(*cap) if cap else None,
            start=backtest.period_from,
            until=backtest.period_until,
        )
        for name, definition in definitions.items()
    }
    looked = Looks()
    for definition in definitions.values():
        looked |= looks(definition, rules)
    return sides, looked


def _definitions(backtest: Backtest) -> dict[str, Definition]:
    draft = plans.compile_definition(backtest.draft, plans.installed())
    found = {"draft": draft}
    if backtest.version_id is not None:
        version = backtest.version_id
        found["live"] = plans.load([version])[version].definition
    return found
