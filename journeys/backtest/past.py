"""What happened in a period, read a chunk of contacts at a time, and worlds made of it.

A chunk costs the same few statements whatever the number of people in it, and nothing is written.
What is not kept over time is as it is today: attributes, subscriptions, suppressed addresses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from contacts.models import TOO_LATE, Contact, Event, Membership
from journeys.backtest.looks import Looks
from journeys.calendar import later
from journeys.models import Enrollment, Version
from journeys.simulation.setting import Setting, begin
from journeys.world import (
    EPOCH,
    BirthFact,
    ChangeFact,
    EnterFact,
    EventFact,
    Fact,
    Happening,
    Person,
    World,
)
from messaging.models import Message, Subscription, Suppression, address_hash


@dataclass(slots=True)
class StaticChange(ChangeFact):
    """Someone was put into a static segment, or taken out of it."""

    segment: str = ""
    member: bool = True

    def apply(self, person: Person) -> None:
        """Bring the person up to it."""
        if not self.member:
            person.members.discard(self.segment)
        elif self.segment not in person.members:
            person.members.add(self.segment)
            person.joined = [self.segment]


@dataclass(frozen=True)
class Span:
    """The period of a backtest of one journey, both ends included."""

    journey: int
    slug: str
    start: datetime
    until: datetime


@dataclass
class Chunk:
    """Some contacts and what is known of them, each in the order in which it was received."""

    contacts: Sequence[Contact]
    events: dict[int, list[tuple[datetime, Happening]]] = field(default_factory=dict)
    memberships: dict[int, list[tuple[str, datetime, datetime | None]]] = field(
        default_factory=dict
    )
    choices: dict[int, dict[str, bool]] = field(default_factory=dict)
    marketing: dict[int, list[datetime]] = field(default_factory=dict)
    by_hand: dict[int, list[datetime]] = field(default_factory=dict)
    suppressed: dict[str, bool] = field(default_factory=dict)


# whom it is about


def candidates(looks: Looks, span: Span) -> QuerySet[Contact]:
    """Those who could enter in the period; all who were there, where no event or hand decides."""
    if looks.starts is None:
        return Contact.objects.filter(created_at__lte=span.until)
    started = Event.objects.filter(
        contact=OuterRef("pk"),
        name__in=looks.starts,
        received_at__range=(span.start, span.until),
        occurred_at__gte=later(span.start, -TOO_LATE) or EPOCH,
    )
    found = Q(Exists(started)) if looks.starts else Q()
    if looks.by_hand:
        found |= Q(Exists(_entries_by_hand(span).filter(contact=OuterRef("pk"))))
    return Contact.objects.filter(found)


def _entries_by_hand(span: Span) -> QuerySet[Enrollment]:
    return Enrollment.objects.filter(
        journey=span.journey,
        version__trigger=Version.Trigger.MANUAL,
        entered_at__range=(span.start, span.until),
    )


# reading


def read(looks: Looks, span: Span, setting: Setting, after: int, size: int) -> Chunk:
    """The next contacts behind the id ``after``, with all that is looked at."""
    people = candidates(looks, span).filter(pk__gt=after).order_by("pk")
    chunk = Chunk(list(people[:size]))
    ids = [contact.pk for contact in chunk.contacts]
    if not ids:
        return chunk
    _read_events(chunk, looks, span, ids)
    _read_memberships(chunk, looks, span, ids)
    _read_subscriptions(chunk, ids)
    _read_marketing(chunk, span, setting, ids)
    _read_entries(chunk, looks, span, ids)
    _read_suppressed(chunk, looks)
    return chunk


def _read_events(chunk: Chunk, looks: Looks, span: Span, ids: list[int]) -> None:
    wanted = Q(received_at__gte=span.start)
    if not looks.every:
        wanted &= Q(name__in=looks.events)
    if looks.back:
        wanted |= Q(name__in=looks.back)
    rows = Event.objects.filter(wanted, contact_id__in=ids, received_at__lte=span.until)
    found: dict[int, list[tuple[datetime, Happening]]] = defaultdict(list)
    for pk, contact, name, properties, occurred_at, received_at in rows.order_by(
        "received_at", "pk"
    ).values_list("pk", "contact_id", "name", "properties", "occurred_at", "received_at"):
        late = received_at - occurred_at > TOO_LATE
        found[contact].append((received_at, Happening(pk, name, properties, occurred_at, late)))
    chunk.events = found


def _read_memberships(chunk: Chunk, looks: Looks, span: Span, ids: list[int]) -> None:
    """Of static segments alone: those by condition are worked out."""
    if not looks.static:
        return
    rows = Membership.objects.filter(
        contact_id__in=ids, segment__slug__in=looks.static, entered_at__lte=span.until
    ).order_by("pk")
    for contact, slug, entered_at, left_at in rows.values_list(
        "contact_id", "segment__slug", "entered_at", "left_at"
    ):
        chunk.memberships.setdefault(contact, []).append((slug, entered_at, left_at))


def _read_subscriptions(chunk: Chunk, ids: list[int]) -> None:
    rows = Subscription.objects.filter(contact_id__in=ids)
    for contact, topic, subscribed in rows.values_list("contact_id", "topic__slug", "subscribed"):
        chunk.choices.setdefault(contact, {})[topic or ""] = subscribed


def _read_marketing(chunk: Chunk, span: Span, setting: Setting, ids: list[int]) -> None:
    """What counts for the cap: mails of before, and what other journeys sent meanwhile (S5)."""
    if setting.cap is None:
        return
    rows = Message.objects.filter(
        Q(queued_at__lt=span.start) | ~Q(journey=span.slug),
        contact_id__in=ids,
        transactional=False,
        queued_at__gt=later(span.start, -setting.cap.within) or EPOCH,
        queued_at__lte=span.until,
    ).exclude(status=Message.Status.SKIPPED)
    for contact, queued_at in rows.values_list("contact_id", "queued_at"):
        chunk.marketing.setdefault(contact, []).append(queued_at)


def _read_entries(chunk: Chunk, looks: Looks, span: Span, ids: list[int]) -> None:
    if not looks.by_hand:
        return
    rows = _entries_by_hand(span).filter(contact_id__in=ids).order_by("pk")
    for contact, entered_at in rows.values_list("contact_id", "entered_at"):
        chunk.by_hand.setdefault(contact, []).append(entered_at)


def _read_suppressed(chunk: Chunk, looks: Looks) -> None:
    addresses = {contact.email.lower() for contact in chunk.contacts if contact.email}
    hashes = {address_hash(address): address for address in addresses | looks.addresses}
    found = set(Suppression.objects.filter(hash__in=list(hashes)).values_list("hash", flat=True))
    chunk.suppressed = {address: key in found for key, address in hashes.items()}


# making a world of it


def world_of(chunk: Chunk, setting: Setting) -> World:
    """A world with these people, in which nothing has moved yet."""
    world = setting.world()
    world.suppressed = dict(chunk.suppressed)
    for contact in chunk.contacts:
        _add(world, contact, chunk, setting)
    return world


def _add(world: World, contact: Contact, chunk: Chunk, setting: Setting) -> None:
    person = world.people[contact.pk] = Person(
        world,
        contact.pk,
        external_id=contact.external_id,
        email=contact.email,
        timezone=contact.timezone,
        created_at=contact.created_at,
        attributes=contact.attributes,
        language=contact.language,
    )
    choices = dict(chunk.choices.get(contact.pk, {}))
    person.unsubscribed = not choices.pop("", True)
    person.subscriptions = choices
    person.marketing = list(chunk.marketing.get(contact.pk, ()))
    events = chunk.events.get(contact.pk, ())
    there = min([contact.created_at, *(received_at for received_at, _ in events[:1])])
    person.born = there >= setting.start
    facts: list[Fact] = []
    if person.born:
        first = BirthFact if events and events[0][0] == there else ChangeFact
        facts.append(first(there))
    rows = chunk.memberships.get(contact.pk, ())
    facts += _memberships(person, rows, there if person.born else setting.start)
    for received_at, happening in events:
        if received_at < setting.start:
            person.remember(happening)
        else:
            facts.append(EventFact(received_at, None, happening))
    facts += [EnterFact(at, None, 0) for at in chunk.by_hand.get(contact.pk, ())]
    person.facts.extend(sorted(facts, key=lambda fact: fact.at))
    if not person.born:
        begin(person, setting.start)


def _memberships(
    person: Person, rows: Iterable[tuple[str, datetime, datetime | None]], start: datetime
) -> list[Fact]:
    """What changed in static segments from ``start`` on; what was so before is taken as given."""
    facts: list[Fact] = []
    for slug, entered_at, left_at in rows:
        if left_at is not None and left_at < start:
            continue
        if entered_at >= start or person.born:
            facts.append(StaticChange(max(entered_at, start), segment=slug, member=True))
        else:
            person.members.add(slug)
        if left_at is not None:
            facts.append(StaticChange(left_at, segment=slug, member=False))
    return facts
