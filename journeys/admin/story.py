"""Why an enrollment is where it is, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

from journeys.models import Enrollment, Journey, Visit, WebhookCall
from journeys.naming import names_in
from journeys.picture import Card, read_nodes
from journeys.timing import ago, length
from messaging import wording
from messaging.models import Message

ENDED = {
    "exit_when": "The condition on which people leave this journey became true.",
    "archived": "The journey was archived.",
    "moved_out": "It was taken out when a new version was published.",
    "merged": "The person was found to be one with another, who was on this journey already.",
    "loop": "It went on without resting for more than 100 changes, so it was stopped.",
}

Status = Enrollment.Status


@dataclass
class Step:
    """One visit, with what belongs to it."""

    visit: Visit
    card: Card | None
    stayed: str
    open: bool
    messages: list[Message] = field(default_factory=list)
    calls: list[WebhookCall] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What became of its messages, a sentence each."""
        return [wording.story(message) for message in self.messages]


def steps(enrollment: Enrollment, now: datetime) -> list[Step]:
    """The visits of an enrollment in their order; three queries."""
    definition = enrollment.version.definition
    cards = read_nodes(definition, names_in(definition))
    found = {
        visit.number: Step(
            visit,
            cards.get(visit.node.key),
            length((visit.left_at or now) - visit.entered_at),
            visit.left_at is None,
        )
        for visit in enrollment.visits.select_related("node").order_by("number")
    }
    messages = Message.objects.filter(enrollment=enrollment.pk).select_related("template")
    for message in messages.order_by("pk"):
        if message.visit in found:
            found[message.visit].messages.append(message)
    for call in enrollment.webhook_calls.order_by("pk"):
        if call.visit in found:
            found[call.visit].calls.append(call)
    return list(found.values())


def why(enrollment: Enrollment, cards: Mapping[str, Card], now: datetime) -> str:
    """What the enrollment does now and until when, or why it ended."""
    if enrollment.status in Enrollment.OPEN:
        return _under_way(enrollment, cards, now)
    return _ended(enrollment, cards)


def _under_way(enrollment: Enrollment, cards: Mapping[str, Card], now: datetime) -> str:
    if enrollment.status == Status.ACTIVE:
        return "It is being moved right now."
    card = cards.get(enrollment.node.key) if enrollment.node else None
    doing = f"It stands at “{card.words}”" if card else "It waits"
    stayed = f", for {length(now - enrollment.arrived_at)}" if enrollment.arrived_at else ""
    sentences = [f"{doing}{stayed.replace('for at once', 'since just now')}."]
    if enrollment.resume_outcome:
        sentences.append(f"The wait is over, by “{enrollment.resume_outcome}”.")
    elif enrollment.resume_at is None:
        sentences.append("It goes on when what it waits for happens; there is no time limit.")
    elif enrollment.resume_at <= now:
        sentences.append(f"It has been due for {length(now - enrollment.resume_at)}.")
    else:
        sentences.append(f"At the latest it goes on {ago(enrollment.resume_at, now)}.")
    if enrollment.journey.status == Journey.Status.PAUSED:
        sentences.append("The journey is paused, so nobody moves on until it is resumed.")
    return " ".join(sentences)


def _ended(enrollment: Enrollment, cards: Mapping[str, Card]) -> str:
    if enrollment.status == Status.COMPLETED:
        return "It came to the end of its path."
    if enrollment.status == Status.FAILED:
        said = ENDED.get(enrollment.reason) or enrollment.error or enrollment.reason
        return f"It failed. {said}"
    if enrollment.reason == "goal":
        goal = next((r.text for r in cards["@entry"].rows if r.text.startswith("Goal")), "Goal")
        return f"The goal was reached ({goal.removeprefix('Goal: ')}): a conversion."
    return ENDED.get(enrollment.reason) or f"It left the journey: {enrollment.reason}."


def refusals(enrollment: Enrollment) -> Q:
    """What else was refused to this person in this journey."""
    return Q(journey=enrollment.journey_id, contact=enrollment.contact_id)
