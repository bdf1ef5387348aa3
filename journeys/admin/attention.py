"""What needs attention, each with a link that leads to exactly what it counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Count, Q
from django.urls import NoReverseMatch, reverse

from contacts.models import Fact
from journeys.models import Enrollment, Journey, WebhookCall
from journeys.timing import ago
from messaging.models import Message

#: What failed longer ago than this is history.
RECENT = timedelta(days=7)
#: What is due for longer than this is overdue: the clock and the workers are behind.
LATE = timedelta(minutes=5)


@dataclass(frozen=True)
class Matter:
    """Something that needs attention: how much of it, what it means, and where it leads.

    ``one`` is what is said of a single one, ``many`` of any other number.
    """

    icon: str
    count: int
    one: str
    many: str
    url: str
    bad: bool = True

    @property
    def words(self) -> str:
        """What it means, as it is said of so many."""
        return self.one if self.count == 1 else self.many


def matters(now: datetime) -> list[Matter]:
    """What needs attention at ``now``, the worst first; a statement for each table looked at."""
    found = (*_people(now), *_facts(), *_mails(now), *_requests(now), *_paused(now))
    return [matter for matter in found if matter.count]


def _people(now: datetime) -> Iterator[Matter]:
    since = {"status": "failed", "ended_at__gte": now - RECENT}
    yield Matter(
        "error",
        Enrollment.objects.filter(**since).count(),
        "passage failed in the last 7 days",
        "passages failed in the last 7 days",
        _rows("journeys_enrollment", since),
    )
    overdue = {"status": "waiting", "held": False, "resume_at__lt": now - LATE}
    yield Matter(
        "schedule",
        Enrollment.objects.filter(**overdue).count(),
        "person has been due for more than 5 minutes: is the clock running?",
        "people have been due for more than 5 minutes: is the clock running?",
        _rows("journeys_enrollment", overdue),
    )


def _facts() -> Iterator[Matter]:
    aside = {"failed_at__isnull": False}
    yield Matter(
        "front_hand",
        Fact.objects.filter(**aside).count(),
        "fact was put aside because it could not be worked through",
        "facts were put aside because they could not be worked through",
        _rows("contacts_fact", aside),
    )


def _mails(now: datetime) -> Iterator[Matter]:
    failed = {"status": "failed", "queued_at__gte": now - RECENT}
    uncertain = {"status": "uncertain"}
    counted = Message.objects.filter(status__in=["failed", "uncertain"]).aggregate(
        failed=Count("pk", filter=Q(**failed)), uncertain=Count("pk", filter=Q(**uncertain))
    )
    yield Matter(
        "help",
        counted["uncertain"],
        "mail of which it is uncertain whether it was sent",
        "mails of which it is uncertain whether they were sent",
        _rows("messaging_message", uncertain),
    )
    yield Matter(
        "unsubscribe",
        counted["failed"],
        "mail of the last 7 days failed",
        "mails of the last 7 days failed",
        _rows("messaging_message", failed),
    )


def _requests(now: datetime) -> Iterator[Matter]:
    failed = {"status": "failed", "created_at__gte": now - RECENT}
    yield Matter(
        "webhook",
        WebhookCall.objects.filter(**failed).count(),
        "request to another system failed in the last 7 days",
        "requests to other systems failed in the last 7 days",
        _rows("journeys_webhookcall", failed),
    )


def _paused(now: datetime) -> Iterator[Matter]:
    paused = Journey.objects.filter(status=Journey.Status.PAUSED).order_by("name")
    for pk, name, at in paused.values_list("pk", "name", "paused_at"):
        said = f"“{name}” is paused" + (f" since {ago(at, now)}" if at else "")
        yield Matter(
            "pause_circle",
            1,
            said,
            said,
            reverse("admin:journeys_journey_change", args=[pk]),
            bad=False,
        )


def _rows(model: str, chosen: Mapping[str, object]) -> str:
    """The list of exactly the rows that ``chosen`` counts; an empty text where there is none."""
    try:
        url = reverse(f"admin:{model}_changelist")
    except NoReverseMatch:
        return ""
    return f"{url}?{urlencode([(_lookup(key), _text(value)) for key, value in chosen.items()])}"


def _lookup(key: str) -> str:
    return key if "__" in key else f"{key}__exact"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return value.isoformat() if isinstance(value, datetime) else str(value)
