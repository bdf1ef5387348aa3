"""The batch in memory: contacts with their enrollments, as the node kinds and conditions see them.

A batch is loaded in a fixed number of statements (``journeys.store``), moved in memory, and written
in a fixed number of statements, all in one transaction. So what a batch costs the database does not
depend on how many people move, or on how many nodes they pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from contacts.conditions import OWN_FIELDS
from contacts.values import format_moment, get_path, set_path
from journeys.calendar import Window, zone
from journeys.nodes.base import Wait
from journeys.plans import Plan, SegmentRule
from messaging.outbox import Cap, Draft
from messaging.subscriptions import suppressed

#: A chain of changes that set off one another may have so many links, over all journeys (T6).
MOST_LINKS = 100
#: One fact may set off so many changes of its contact. Updates that go on in several enrollments at
#: once multiply with each link, so the limit of links alone would let a fact go on for ever.
MOST_CHANGES = 10_000
#: A contact may have so many open enrollments in one journey (E4).
MOST_OPEN = 100
HOUR = timedelta(hours=1)
EPOCH = datetime(1, 1, 1, tzinfo=UTC)


def filled(text: str | None) -> str:
    """``text``, or nothing where it is blank."""
    return text if text and text.strip() else ""


class TooManyChanges(RuntimeError):
    """One fact set off more changes of its contact than can be worked through."""


@dataclass(slots=True)
class Happening:
    """An event as the engine sees it; ``id`` is its order of receipt."""

    id: int
    name: str
    properties: Mapping[str, Any]
    occurred_at: datetime
    too_late: bool = False


@dataclass(slots=True)
class Fact:
    """What can move enrollments, received at ``at``; ``row`` is its row in the queue, if any."""

    at: datetime
    row: int | None = None


@dataclass(slots=True)
class EventFact(Fact):
    """Something the contact did."""

    happening: Happening = None  # type: ignore[assignment]


@dataclass(slots=True)
class ChangeFact(Fact):
    """A change of the contact; ``apply`` brings the person in memory up to it.

    ``quiet``: membership that it changes is noted, and nobody enters by it.
    """

    quiet: bool = False

    def apply(self, person: Person) -> None:
        """Nothing to bring up to date where the change is already in what was loaded."""


@dataclass(slots=True)
class BirthFact(Fact):
    """A contact came into being by what it did: dates of its own are known, and nothing changed."""


@dataclass(slots=True)
class MessageFact(Fact):
    """What became of the latest message of a node; an event, where there is such a message (T7).

    In a simulation; live, it is recorded with the message's row, and comes as an event.
    """

    node: str = ""
    did: str = ""
    event_id: int = 0


@dataclass(slots=True)
class EnterFact(Fact):
    """An entry by hand, or ``again``: of one whom the journey turned away while it was paused, by
    what ``happening`` would have started then.
    """

    journey: int = 0
    again: bool = False
    happening: Happening | None = None


@dataclass(slots=True)
class RecountFact(Fact):
    """A full hour at which memberships that look at the time are counted anew (T5)."""


@dataclass(slots=True)
class WebhookFact(Fact):
    """The result of a request that a webhook node asked for."""

    enrollment: int = 0
    visit: int = 0
    outcome: str = ""


@dataclass(slots=True)
class VisitRecord:
    """A visit; ``pk`` is set where its row exists already."""

    number: int
    node: str
    entered_at: datetime
    left_at: datetime | None = None
    outcome: str | None = None
    pk: int | None = None


@dataclass(slots=True)
class DateState:
    """When a date trigger asks next and when it asked last; ``pk`` where its row exists."""

    due_at: datetime | None = None
    asked_at: datetime | None = None
    local_date: date | None = None
    pk: int | None = None
    changed: bool = False


@dataclass(slots=True)
class Entries:
    """What the re-entry rule looks at, for one contact, journey and key."""

    count: int = 0
    last: datetime | None = None


class Policy:
    """How time passes and what leaves the process: as things happen, or in a simulation."""

    #: Whether full hours are counted by the engine itself, and not by facts that the clock makes.
    counts_hours = False
    #: Whether a queued message is taken as handed over at once.
    hands_over = False

    def timer_time(self, due: datetime, until: datetime) -> datetime:
        """The time of a timer's fact: live, the time at which it is processed (T4)."""
        return until

    def calls(self) -> bool:
        """Whether webhooks are called; if not, they are taken as answered (``ok``)."""
        return True


def _is_suppressed(address: str) -> bool:
    return bool(suppressed([address]))


@dataclass
class World:
    """A batch: everything that is looked at and everything that will be written."""

    until: datetime
    policy: Policy
    timezone: str = "UTC"
    cap: Cap | None = None
    plans: dict[int, Plan] = field(default_factory=dict)
    #: The live version of each journey that is live or paused, in the order of the journeys.
    open_plans: list[Plan] = field(default_factory=list)
    paused: set[int] = field(default_factory=set)
    segments: dict[str, SegmentRule] = field(default_factory=dict)
    #: The dynamic segments whose membership is followed.
    followed: list[SegmentRule] = field(default_factory=list)
    topic_defaults: dict[str, bool] = field(default_factory=dict)
    suppressed: dict[str, bool] = field(default_factory=dict)
    #: Whether an address is suppressed that was not looked up with the batch.
    looks_up: Callable[[str], bool] = _is_suppressed
    people: dict[int, Person] = field(default_factory=dict)

    #: Passages that moved, in the order in which they first did, and visits of before that ended.
    touched: list[Passage] = field(default_factory=list)
    left_visits: list[VisitRecord] = field(default_factory=list)
    drafts: list[tuple[Passage, Draft]] = field(default_factory=list)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    memberships: list[tuple[Person, SegmentRule, datetime, bool]] = field(default_factory=list)
    calls: list[tuple[Passage, int, dict[str, Any], datetime]] = field(default_factory=list)
    done_facts: list[int] = field(default_factory=list)
    #: What is being worked on, for the report where it can't be.
    current: tuple[Person, Fact | Passage | None] | None = None

    def plan_of_journey(self, journey_id: int) -> Plan | None:
        """The live version of a journey that is live or paused."""
        return next((plan for plan in self.open_plans if plan.journey_id == journey_id), None)

    def is_suppressed(self, address: str) -> bool:
        """Whether nothing may be sent to the address (S2); one not yet looked up is looked up."""
        known = self.suppressed.get(address)
        if known is None:
            known = self.suppressed[address] = self.looks_up(address)
        return known

    def suppress(self, address: str) -> None:
        """Suppress an address from now on, for whoever has it (T8); in a simulation.

        Live, what suppresses an address writes that before its fact is worked through (T7).
        """
        self.suppressed[address.lower()] = True


class Person:
    """A contact in the batch. It is the view of conditions where there is no enrollment."""

    __slots__ = (
        "attributes", "born", "chain", "changed", "clock", "created_at", "dates", "email",
        "entries", "entry_mark", "external_id", "facts", "history", "id", "joined", "key",
        "language", "link",
        "local_dates", "marketing", "members", "next_hour", "now", "passages", "position", "sent",
        "subscriptions", "timezone", "trigger", "unsubscribed", "wait_order", "was_member", "world",
    )  # fmt: skip

    def __init__(
        self,
        world: World,
        pk: int,
        *,
        external_id: str | None,
        email: str,
        timezone: str,
        created_at: datetime | None,
        attributes: dict[str, Any],
        language: str = "",
    ) -> None:
        self.world, self.id = world, pk
        self.external_id, self.email, self.timezone = external_id, filled(email), filled(timezone)
        self.language, self.created_at, self.attributes = language, created_at, attributes
        self.key = external_id or f"#{pk}"
        self.now = self.clock = EPOCH
        self.trigger: Mapping[str, Any] | None = None
        self.entry_mark: int | None = None
        self.history: dict[str, list[Happening]] = {}
        #: The last event, by order of receipt, that was worked through.
        self.position = 0
        self.passages: list[Passage] = []
        self.entries: dict[tuple[int, str], Entries] = {}
        #: The segments it is a member of, and the rows of the memberships that were loaded.
        self.members: set[str] = set()
        self.was_member: dict[str, int] = {}
        self.subscriptions: dict[str, bool] = {}
        self.unsubscribed = False
        self.marketing: list[datetime] = []
        self.sent: list[Draft] = []
        self.dates: dict[int, DateState] = {}
        self.local_dates: set[tuple[int, date]] = set()
        #: Static segments that the fact at hand put the contact into.
        self.joined: list[str] = []
        self.facts: deque[Fact] = deque()
        self.chain: deque[int] = deque()
        self.link = 0
        self.wait_order = 0
        self.next_hour: datetime | None = None
        self.changed = False
        #: Whether the contact came into being after the batch began (simulation).
        self.born = False

    @property
    def zone(self) -> tzinfo:
        """Where the contact lives, or the installation's zone (W5)."""
        return zone(self.timezone, self.world.timezone)

    # what conditions see

    def attribute(self, path: str) -> Any:
        if "." in path:
            return get_path(self.attributes, path)
        if path not in OWN_FIELDS:
            return self.attributes.get(path)
        if path == "email":
            return self.email or None
        if path == "external_id":
            return self.external_id
        if path == "timezone":
            return self.timezone or None
        return format_moment(self.created_at) if self.created_at else None

    def events(self, name: str) -> Sequence[Happening]:
        return self.history.get(name, ())

    def in_segment(self, slug: str) -> bool:
        rule = self.world.segments.get(slug)
        if rule is None:
            return False
        return slug in self.members if rule.condition is None else rule.condition.holds(self)

    def takes(self, topic: str | None) -> bool:
        """Whether marketing about the topic is welcome; without a topic, whether any is (S3)."""
        if self.unsubscribed:
            return False
        if topic is None:
            return True
        return self.subscriptions.get(topic, self.world.topic_defaults.get(topic, False))

    def message_did(self, node: str, did: str) -> bool:
        return False

    # what nodes ask of it

    def is_suppressed(self) -> bool:
        return self.world.is_suppressed(self.email.lower())

    def change(self, settings: Mapping[str, Any]) -> bool:
        """Set attributes now, with the change as a fact to follow; False at the limit (T6)."""
        if self.link + 1 > MOST_LINKS:
            return False
        self.set(settings)
        self.chain.append(self.link + 1)
        self.changed = True
        return True

    def set(self, settings: Mapping[str, Any]) -> None:
        """Set attributes and own fields; null removes, dotted names make objects on the way."""
        for name, value in settings.items():
            if name == "email":
                self.email = filled(value)
            elif name == "timezone":
                self.timezone = filled(value)
            else:
                self.attributes = set_path(self.attributes, name, value)

    def remember(self, happening: Happening) -> None:
        """Take an event into the history."""
        self.history.setdefault(happening.name, []).append(happening)
        self.position = max(self.position, happening.id)

    def messages_of(self, node: str) -> Iterable[Draft]:
        """The queued messages of a node to this contact, latest first."""
        return (
            draft
            for draft in reversed(self.sent)
            if draft.node == node and draft.status != "skipped"
        )


class Passage:
    """An enrollment in the batch, and the view of conditions on it."""

    __slots__ = (
        "arrived_at", "changed", "ended_at", "entered_at", "entry_mark", "event_id",
        "exclusive", "held", "key", "local_date", "node", "old_messages", "person", "pk", "plan",
        "reason", "resume_at", "resume_outcome", "sent", "status", "trigger", "visit", "visits",
        "visits_count", "wait_order",
    )  # fmt: skip

    def __init__(self, person: Person, plan: Plan, entered_at: datetime) -> None:
        self.person, self.plan, self.entered_at = person, plan, entered_at
        self.pk: int | None = None
        self.status, self.reason = "active", ""
        self.ended_at: datetime | None = None
        self.event_id: int | None = None
        self.trigger: Mapping[str, Any] | None = None
        self.entry_mark: int | None = 0
        self.key = ""
        self.local_date: date | None = None
        self.exclusive: str | None = None
        self.node: str | None = None
        self.arrived_at = entered_at
        self.resume_at: datetime | None = None
        self.resume_outcome = ""
        self.wait_order = 0
        self.held = False
        self.visits_count = 0
        #: The visit it is in, and those that are to be written.
        self.visit: VisitRecord | None = None
        self.visits: list[VisitRecord] = []
        self.sent: list[Draft] = []
        #: What became of messages queued before this batch, by node.
        self.old_messages: dict[str, set[str]] = {}
        self.changed = False

    def touch(self) -> None:
        """Have it written with the batch."""
        if not self.changed:
            self.changed = True
            self.person.world.touched.append(self)

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    # what conditions see

    @property
    def now(self) -> datetime:
        return self.person.now

    def attribute(self, path: str) -> Any:
        return self.person.attribute(path)

    def events(self, name: str) -> Sequence[Happening]:
        return self.person.events(name)

    def in_segment(self, slug: str) -> bool:
        return self.person.in_segment(slug)

    def takes(self, topic: str) -> bool:
        return self.person.takes(topic)

    def message_did(self, node: str, did: str) -> bool:
        """Whether any of its messages from the node did that; queued counts as sent."""
        if did in self.old_messages.get(node, ()):
            return True
        return any(
            draft.node == node and draft.status != "skipped" and (did == "sent" or did in draft.did)
            for draft in self.sent
        )

    # what nodes ask of it

    def until_open(self, window: Window) -> Wait | None:
        """The wait for the window's next opening, or None inside it (W4)."""
        opening = window.opening(self.now, self.person.zone)
        return None if opening is not None and opening <= self.now else Wait(opening)

    def moved_opening(self, window: Window) -> str | Wait | None:
        """What a change of the contact does to a wait for the window; None leaves it (W4)."""
        opening = window.opening(self.now, self.person.zone)
        if opening == self.resume_at:
            return None
        return "next" if opening is not None and opening <= self.now else Wait(opening)

    def queue(
        self, *, template: str, topic: str | None, transactional: bool, skipped: str | None
    ) -> None:
        """Queue a message, or record why it was skipped (S6)."""
        person, plan = self.person, self.plan
        draft = Draft(
            contact_id=person.id,
            template_id=plan.template_ids[template],
            topic_id=plan.topic_ids.get(topic) if topic else None,
            transactional=transactional,
            journey=plan.slug,
            node=self.node or "",
            template=template,
            visit=self.visits_count,
            context=self._context(),
            to=person.email,
            queued_at=person.now,
        )
        if skipped:
            draft.status, draft.reason = "skipped", skipped
        elif not transactional:
            person.marketing.append(person.now)
        self.sent.append(draft)
        person.sent.append(draft)
        person.world.drafts.append((self, draft))

    def _context(self) -> dict[str, Any]:
        """What a template sees beside the contact: the event that started the enrollment."""
        if self.trigger is None:
            return {}
        return {"event": dict(self.trigger), "event_name": self.plan.trigger_event}

    def call(self, config: dict[str, Any]) -> bool:
        """Ask for an HTTP request; True where it is taken as answered at once (simulation)."""
        world = self.person.world
        if not world.policy.calls():
            return True
        world.calls.append((self, self.visits_count, config, self.now))
        return False
