"""Why an enrollment is where it is, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

from journeys.admin import cards
from journeys.models import Enrollment, Journey, Relocated, Visit, WebhookCall
from journeys.nodes import NodeKind
from journeys.picture import Card, read_kind
from journeys.timing import ago, length, plain
from messaging import wording
from messaging.models import Message

ENDED = {
    "exit_when": "The condition on which people leave this journey became true.",
    "archived": "The journey was archived.",
    "taken_out": "It was taken out by hand.",
    "moved_out": "It was taken out when a new version was published.",
    "dropped": "It was overdue when the journey was resumed, and was taken out then.",
    "exit": "It came to an exit.",
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
    #: That a publisher moved it here, or while it was here, a sentence each.
    moves: list[str] = field(default_factory=list)

    @property
    def way(self) -> str:
        """What the outcome by which it left is called."""
        outcome = self.visit.outcome or ""
        return self.card.way(outcome) if self.card else outcome

    @property
    def notes(self) -> list[str]:
        """What became of its messages, a sentence each."""
        return [wording.story(message) for message in self.messages]


def steps(enrollment: Enrollment, now: datetime) -> list[Step]:
    """The visits of an enrollment in their order, each in the words of its own version; a fixed
    number of statements.
    """
    visits = list(enrollment.visits.select_related("node").order_by("number"))
    known = cards.of_nodes(visit.node for visit in visits)
    found = {
        visit.number: Step(
            visit,
            known.of(visit.node),
            length((visit.left_at or now) - visit.entered_at),
            visit.left_at is None,
        )
        for visit in visits
    }
    messages = Message.objects.filter(enrollment=enrollment.pk).select_related("template")
    for message in messages.order_by("pk"):
        if message.visit in found:
            found[message.visit].messages.append(message)
    for call in enrollment.webhook_calls.order_by("pk"):
        if call.visit in found:
            found[call.visit].calls.append(call)
    _tell_moves(enrollment, found)
    return list(found.values())


def _tell_moves(enrollment: Enrollment, found: Mapping[int, Step]) -> None:
    """Say at the steps where a publisher moved the enrollment, and took that back."""
    rows = enrollment.relocated.select_related(
        "relocation__version", "relocation__made_by", "version"
    )
    for row in rows.order_by("pk"):
        for number, sentence in _moved(row, found, enrollment):
            if number in found:
                found[number].moves.append(sentence)


def _moved(
    row: Relocated, found: Mapping[int, Step], enrollment: Enrollment
) -> Iterator[tuple[int, str]]:
    """What a move did, with the number of the visit at which it is told."""
    move = row.relocation
    by = f" by {move.made_by.get_username()}" if move.made_by else ""
    to = f"to version {move.version.number}{by}"
    back = f"Put back to version {row.version.number}: the move was taken back."
    last = found.get(row.visits)
    if row.how == "exit":
        yield row.visits, f"Taken out by the move {to}, {plain(move.made_at)}."
        if (enrollment.status, enrollment.reason) != (Status.EXITED, "moved_out"):
            yield row.visits, back
    elif row.how == "kept":
        yield row.visits, f"Moved {to}, {plain(move.made_at)}."
        if move.taken_back_at and last and last.visit.node.version_id == row.version_id:
            yield row.visits, back
    else:
        yield _arrived(row, found), f"Moved here {to}."
        after = found.get(row.visits + 1)
        if move.taken_back_at and after and after.visit.node_id == row.node_id:
            yield row.visits + 1, back


def _arrived(row: Relocated, found: Mapping[int, Step]) -> int:
    """The number of the first visit after a move that led to another step."""
    move = row.relocation
    return next(
        (
            number
            for number, step in found.items()
            if step.visit.node.version_id == move.version_id
            and step.visit.entered_at >= move.made_at
        ),
        row.visits,
    )


def why(
    enrollment: Enrollment, cards: Mapping[str, Card], path: Sequence[Step], now: datetime
) -> str:
    """What the enrollment does now and until when, or why it ended."""
    if enrollment.status in Enrollment.OPEN:
        return _under_way(enrollment, cards, path, now)
    return _ended(enrollment, cards)


def _under_way(
    enrollment: Enrollment, cards: Mapping[str, Card], path: Sequence[Step], now: datetime
) -> str:
    if enrollment.status == Status.ACTIVE:
        return "It is being moved right now."
    card = cards.get(enrollment.node.key) if enrollment.node else None
    doing = f"It stands at “{card.words}”" if card else "It waits"
    stayed = f", for {length(now - enrollment.arrived_at)}" if enrollment.arrived_at else ""
    sentences = [f"{doing}{stayed.replace('for at once', 'since just now')}."]
    if enrollment.resume_outcome:
        outcome = enrollment.resume_outcome
        sentences.append(f"The wait is over, by “{card.way(outcome) if card else outcome}”.")
    elif enrollment.resume_at is None:
        calls = path[-1].calls if path else []
        sentences += [_without_end(enrollment), *(_request(call, now) for call in calls)]
    elif enrollment.resume_at <= now:
        sentences.append(f"It has been due for {length(now - enrollment.resume_at)}.")
    else:
        sentences.append(f"At the latest it goes on {ago(enrollment.resume_at, now)}.")
    if enrollment.journey.status == Journey.Status.PAUSED:
        sentences.append("The journey is paused, so nobody moves on until it is resumed.")
    return " ".join(sentences)


def _without_end(enrollment: Enrollment) -> str:
    """What it waits for that has no deadline, as the kind of its node says it."""
    key = enrollment.node.key if enrollment.node else ""
    kind, _ = read_kind(key, enrollment.version.definition["nodes"].get(key))
    return (kind or NodeKind(key, {})).without_end()


def _request(call: WebhookCall, now: datetime) -> str:
    """How far a request is."""
    if call.status == WebhookCall.Status.SENDING:
        return f"Attempt {call.attempts} is under way."
    often = "once" if call.attempts == 1 else f"{call.attempts} times"
    tried = f"The request was tried {often}" if call.attempts else "The request was not tried yet"
    if call.status == WebhookCall.Status.QUEUED and call.next_attempt_at:
        return f"{tried}; the next attempt is {_soon(call.next_attempt_at, now)}."
    return f"{tried}."


def _soon(at: datetime, now: datetime) -> str:
    return ago(at, now) if at > now else "due now"


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
