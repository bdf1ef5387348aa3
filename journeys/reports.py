"""What journeys are doing, in numbers: a query each, whatever the number of nodes or people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate, TruncHour

from contacts.models import Event
from journeys.models import Enrollment, Journey, Refusal, Visit
from messaging.became import BECAME
from messaging.models import Message

#: How old the totals of a list may be, in seconds: they count every enrollment there ever was.
TOTALS_MAY_BE_OLD = 30

Status = Enrollment.Status


@dataclass
class Totals:
    """How many enrollments a journey has had, by what became of them."""

    entered: int = 0
    active: int = 0
    waiting: int = 0
    completed: int = 0
    exited: int = 0
    failed: int = 0
    converted: int = 0

    @property
    def open(self) -> int:
        """Those that are under way."""
        return self.active + self.waiting

    @property
    def conversion(self) -> float | None:
        """The share of those that ended by reaching the goal, 0 to 1; None where none ended."""
        ended = self.entered - self.open
        return self.converted / ended if ended else None


def totals(journey_ids: Iterable[int]) -> dict[int, Totals]:
    """The totals of these journeys, at most `TOTALS_MAY_BE_OLD` old."""
    wanted = list(journey_ids)
    keys = {pk: f"journeys.totals.{pk}" for pk in wanted}
    kept = cache.get_many(keys.values())
    found = {pk: kept[key] for pk, key in keys.items() if key in kept}
    missing = [pk for pk in wanted if pk not in found]
    if missing:
        counted = _count(missing)
        cache.set_many({keys[pk]: counted[pk] for pk in missing}, TOTALS_MAY_BE_OLD)
        found |= counted
    return found


def _count(journey_ids: list[int]) -> dict[int, Totals]:
    found = {pk: Totals() for pk in journey_ids}
    rows = (
        Enrollment.objects.filter(journey__in=journey_ids)
        .order_by()
        .values_list("journey", "status")
        .annotate(count=Count("pk"), converted=Count("pk", filter=Q(reason="goal")))
    )
    for pk, status, count, converted in rows:
        one = found[pk]
        setattr(one, status, count)
        one.entered += count
        if status == Status.EXITED:
            one.converted = converted
    return found


@dataclass
class NodeNumbers:
    """What happens at one node: who stands there now, and what went on in a period.

    ``outcomes`` are visits that went on, by outcome; ``goal`` those whose journey ended here by its
    goal; ``left`` is everybody who is no longer here, for whatever reason.
    """

    waiting: int = 0
    entered: int = 0
    left: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    goal: int = 0
    failed: int = 0
    messages: dict[str, int] = field(default_factory=dict)


def nodes(journey: Journey, since: datetime | None) -> dict[str, NodeNumbers]:
    """The numbers of each node by its key, over all versions; three queries.

    ``since`` bounds all but ``waiting``; None counts from the beginning.
    """
    found: dict[str, NodeNumbers] = defaultdict(NodeNumbers)
    for key, count in standing(journey):
        found[key].waiting += count
    _add_visits(found, journey, since)
    _add_messages(found, journey, since)
    _add_endings(found, journey, since)
    return dict(found)


def standing(journey: Journey, *, version: int | None = None) -> list[tuple[str, int]]:
    """How many open enrollments stand at each node, as (key, count)."""
    chosen = Enrollment.objects.filter(
        journey=journey, status__in=Enrollment.OPEN, node__isnull=False
    )
    if version is not None:
        chosen = chosen.filter(version=version)
    return list(
        chosen.order_by().values("node__key").annotate(n=Count("pk")).values_list("node__key", "n")
    )


def _add_visits(found: dict[str, NodeNumbers], journey: Journey, since: datetime | None) -> None:
    visits = Visit.objects.filter(node__version__journey=journey)
    if since is not None:
        visits = visits.filter(entered_at__gte=since)
    rows = (
        visits.order_by()
        .values("node__key", "outcome")
        .annotate(n=Count("pk"), left=Count("left_at"))
        .values_list("node__key", "outcome", "n", "left")
    )
    for key, outcome, count, left in rows:
        one = found[key]
        one.entered += count
        one.left += left
        if outcome:
            one.outcomes[outcome] = one.outcomes.get(outcome, 0) + count


def _mail_counts() -> dict[str, Count]:
    return {f"n_{name}": Count("pk", filter=condition) for name, condition in BECAME.items()}


def _add_messages(found: dict[str, NodeNumbers], journey: Journey, since: datetime | None) -> None:
    messages = Message.objects.filter(journey=journey.slug)
    if since is not None:
        messages = messages.filter(queued_at__gte=since)
    rows: list[Any] = list(messages.order_by().values("node").annotate(**_mail_counts()))
    for row in rows:
        found[row["node"]].messages = {name: row[f"n_{name}"] for name in BECAME}


def _add_endings(found: dict[str, NodeNumbers], journey: Journey, since: datetime | None) -> None:
    """Who failed at a node, and who reached the goal while standing there."""
    ended = Enrollment.objects.filter(journey=journey, node__isnull=False).filter(
        Q(status=Status.FAILED) | Q(status=Status.EXITED, reason="goal")
    )
    if since is not None:
        ended = ended.filter(ended_at__gte=since)
    rows = ended.order_by().values("node__key", "status").annotate(n=Count("pk"))
    for key, status, count in rows.values_list("node__key", "status", "n"):
        if status == Status.FAILED:
            found[key].failed += count
        else:
            found[key].goal += count


def refusals(journey: Journey, since: datetime | None) -> dict[str, int]:
    """How many were not enrolled, by the reason."""
    chosen = Refusal.objects.filter(journey=journey)
    if since is not None:
        chosen = chosen.filter(at__gte=since)
    return dict(chosen.order_by().values_list("reason").annotate(Count("pk")))


def entered(journey: Journey, since: datetime | None) -> int:
    """How many entered."""
    chosen = Enrollment.objects.filter(journey=journey)
    return (chosen.filter(entered_at__gte=since) if since else chosen).count()


def as_json(numbers: dict[str, NodeNumbers]) -> dict[str, Any]:
    """The numbers as the browser takes them."""
    return {key: asdict(one) for key, one in numbers.items()}


# --- the home page ---


@dataclass(frozen=True)
class Day:
    """One point of a chart."""

    at: datetime
    count: int


def _by_hour(rows: QuerySet[Any], column: str, now: datetime) -> list[int]:
    since = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    counted = dict(
        rows.filter(**{f"{column}__gte": since})
        .order_by()
        .annotate(hour=TruncHour(column))
        .values_list("hour")
        .annotate(Count("pk"))
    )
    return [counted.get(since + timedelta(hours=hour), 0) for hour in range(24)]


def coming_in(now: datetime) -> dict[str, list[int]]:
    """Events received in each of the last 24 hours, and entries into journeys; two queries."""
    return {
        "events": _by_hour(Event.objects.all(), "received_at", now),
        "entries": _by_hour(Enrollment.objects.all(), "entered_at", now),
    }


def mail_days(now: datetime, days: int = 14) -> dict[str, list[Any]]:
    """Messages of each of the last ``days`` days, by what became of them; one query."""
    today = now.date()
    since = today - timedelta(days=days - 1)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    messages = Message.objects.filter(queued_at__gte=midnight - timedelta(days=days - 1))
    by = messages.order_by().annotate(day=TruncDate("queued_at")).values("day")
    rows: list[Any] = list(by.annotate(**_mail_counts()))
    by_day = {row["day"]: row for row in rows}
    every = [since + timedelta(days=number) for number in range(days)]
    found: dict[str, list[Any]] = {"days": [day.isoformat() for day in every]}
    for name in BECAME:
        found[name] = [by_day[day][f"n_{name}"] if day in by_day else 0 for day in every]
    return found
