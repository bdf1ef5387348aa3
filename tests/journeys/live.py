"""A case of the reference generator, played through the live house: rows, facts, batches, commits.

What the simulation does in memory happens here as it does in use: facts come in through the one
door, the queue is worked in batches on the database at hand, and the result is read from its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from contacts import ingest, segments
from contacts.items import Track
from contacts.models import Contact, Membership, Segment
from contacts.values import format_moment
from journeys import clock, plans, publishing, work
from journeys.models import DateEntry, Enrollment, Journey
from journeys.simulation.inputs import ContactLine, FactLine
from journeys.world import Policy
from messaging import subscriptions
from messaging.models import Installation, Message, Template, Topic

HOUR = timedelta(hours=1)


class AnsweredAtOnce(Policy):
    """Live, but webhooks are taken as answered, as in a simulation (SEMANTICS §4)."""

    def calls(self) -> bool:
        return False


class House:
    """An installation in which one case is played."""

    policy: Policy = AnsweredAtOnce()

    def __init__(self, definition: dict[str, Any], people: dict[str, ContactLine]) -> None:
        self.definition = definition
        self.ids: dict[str, int] = {}
        self.people = people
        plans.forget()

    def open(self, start: datetime) -> None:
        """Install what the file carries, let the people in, and publish the journey."""
        data = self.definition
        cap = data.get("installation", {}).get("frequency_cap")
        Installation(
            timezone=data.get("installation", {}).get("timezone", "UTC"),
            cap_count=cap["count"] if cap else None,
            cap_within=_duration(cap["within"]) if cap else None,
        ).save()
        for slug, template in data.get("templates", {}).items():
            Template.objects.create(slug=slug, **{"name": slug, **template})
        for slug, topic in data.get("topics", {}).items():
            default = topic.get("default", "subscribed") == "subscribed"
            Topic.objects.create(slug=slug, name=slug, subscribed_by_default=default)
        self._people()
        self._segments(start)
        journey = Journey.objects.create(
            slug=data["journey"],
            name=data.get("name", "Journey"),
            draft={key: data[key] for key in data if key not in SECTIONS},
        )
        publishing.publish(journey, by=None, at=start)
        self.journey_id = journey.pk

    def _people(self) -> None:
        rows = [
            Contact(
                external_id=line.external_id,
                email=line.email,
                timezone=line.timezone,
                created_at=line.created_at or datetime(2020, 1, 1, tzinfo=UTC),
                attributes=line.attributes,
            )
            for line in self.people.values()
        ]
        for row in Contact.objects.bulk_create(rows):
            self.ids[str(row.external_id)] = row.pk

    def _segments(self, start: datetime) -> None:
        for slug, section in self.definition.get("segments", {}).items():
            segment = Segment.objects.create(slug=slug, name=slug, condition=section.get("when"))
            for external_id in section.get("members", ()):
                if external_id in self.ids:
                    Membership.objects.create(
                        segment=segment, contact_id=self.ids[external_id], entered_at=start
                    )
        segments.recount_all(start)

    def take(self, line: FactLine) -> None:
        """One line, through the one door."""
        at = line.at
        if line.kind == "event":
            ingest.record(
                [
                    Track(
                        line.value,
                        line.properties,
                        line.occurred_at,
                        line.message_id,
                        external_id=line.contact,
                    )
                ],
                received_at=at,
            )
            return
        contact = self.ids[line.contact]
        if line.kind == "set":
            ingest.change({contact: line.value}, at=at)
        elif line.kind == "suppress":
            subscriptions.insert([Contact.objects.get(pk=contact).email], "manual", at=at)
            ingest.touch([contact], at=at)
        elif line.kind == "enter":
            ingest.enter([contact], self.journey_id, at=at)
        elif line.kind in ("subscribe", "unsubscribe"):
            topic = None if line.value == "all" else line.value
            subscriptions.subscribe(contact, topic, line.kind == "subscribe", at=at)

    def work(self, now: datetime) -> None:
        """Work through what is due, and hand over what was queued."""
        while work.work(now, policy=self.policy):
            pass
        Message.objects.filter(status=Message.Status.QUEUED).update(status=Message.Status.SENT)

    def next_due(self) -> datetime | None:
        """When the next timer or date is due."""
        timers = Enrollment.objects.filter(resume_at__isnull=False, held=False)
        dates = DateEntry.objects.filter(due_at__isnull=False)
        moments = [
            timers.order_by("resume_at").values_list("resume_at", flat=True).first(),
            dates.order_by("due_at").values_list("due_at", flat=True).first(),
        ]
        return min((moment for moment in moments if moment), default=None)

    def play(
        self,
        lines: list[FactLine],
        start: datetime,
        until: datetime,
        *,
        hourly: bool,
        after_each: Callable[[], None] | None = None,
    ) -> None:
        """Let the lines come in at their times, and time pass until ``until``."""
        at, rest = start, list(lines)
        hour = start.replace(minute=0, second=0, microsecond=0)
        while True:
            moments = [self.next_due(), rest[0].at if rest else None]
            hour_due = hour if hour >= at else hour + HOUR
            if hourly:
                moments.append(hour_due)
            now = min((moment for moment in moments if moment), default=None)
            if now is None or now > until:
                return
            while rest and rest[0].at == now:
                line = rest.pop(0)
                if line.kind in AT_ONCE:
                    self.work(now)
                self.take(line)
            self.work(now)
            if hourly and now == hour_due:
                clock.count_hour(now)
                self.work(now)
                hour = hour_due + HOUR
            at = now
            if after_each is not None:
                after_each()

    def results(self) -> list[dict[str, Any]]:
        """The result lines of SEMANTICS §5, read from the rows."""
        enrollments = (
            Enrollment.objects.select_related("contact", "journey")
            .prefetch_related("visits__node")
            .order_by("entered_at", "pk")
        )
        found = [(row.entered_at, str(row.contact.external_id), row.pk, row) for row in enrollments]
        return [_result(row) for *_, row in sorted(found, key=lambda one: one[:3])]


#: What counts as soon as it is stored, before facts that still wait: whom nobody may write to.
AT_ONCE = ("subscribe", "unsubscribe", "suppress")
SECTIONS = ("templates", "segments", "topics", "installation")


def _duration(text: str) -> timedelta:
    from contacts.values import parse_duration

    return parse_duration(text)


def _stamp(moment: datetime | None) -> str | None:
    return format_moment(moment) if moment else None


def _result(row: Enrollment) -> dict[str, Any]:
    messages = Message.objects.filter(enrollment=row.pk).select_related("template").order_by("pk")
    return {
        "journey": row.journey.slug,
        "contact": row.contact.external_id,
        "entered_at": _stamp(row.entered_at),
        "status": row.status,
        "reason": row.reason or None,
        "ended_at": _stamp(row.ended_at),
        "visits": [
            {
                "node": visit.node.key,
                "entered_at": _stamp(visit.entered_at),
                "left_at": _stamp(visit.left_at),
                "outcome": visit.outcome,
            }
            for visit in sorted(row.visits.all(), key=lambda visit: visit.number)
        ],
        "messages": [
            {
                "node": message.node,
                "template": message.template.slug,
                "at": _stamp(message.queued_at),
                "status": "queued" if message.status == "sent" else message.status,
                "reason": message.reason or None,
            }
            for message in messages
        ],
    }
