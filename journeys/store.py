"""A batch to and from the database, each table in one statement whatever the number of people."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q

from contacts import bulk
from contacts.models import Contact, Event, Membership, Segment
from contacts.models import Fact as FactRow
from journeys import plans
from journeys.calendar import later
from journeys.models import DateEntry, Enrollment, Journey, Refusal, Visit, WebhookCall
from journeys.world import (
    EPOCH,
    DateState,
    Entries,
    Happening,
    Passage,
    Person,
    Policy,
    VisitRecord,
    World,
)
from messaging import outbox, subscriptions
from messaging.models import Installation, Message, Topic
from messaging.outbox import Cap

# what a batch is judged by


def new_world(until: datetime, policy: Policy) -> World:
    """A world without people: the installation's settings, its journeys, segments and topics."""
    installation = Installation.load()
    cap = installation.cap
    world = World(
        until=until,
        policy=policy,
        timezone=installation.timezone,
        cap=Cap(*cap) if cap else None,
        topic_defaults=dict(Topic.objects.values_list("slug", "subscribed_by_default")),
    )
    world.segments = plans.segment_rules(
        {
            slug: (pk, condition)
            for pk, slug, condition in Segment.objects.values_list("pk", "slug", "condition")
        }
    )
    world.followed = [rule for rule in world.segments.values() if rule.condition is not None]
    journeys = plans.open_journeys()
    compiled = plans.load(version for _, _, version in journeys)
    world.open_plans = [compiled[version] for _, _, version in journeys]
    world.paused = {pk for pk, status, _ in journeys if status == Journey.Status.PAUSED}
    return world


# reading


def lock(contact_ids: Collection[int], *, wait: bool = True) -> list[Contact]:
    """The contacts' rows, locked where the database locks rows, in the order of their ids.

    Without ``wait``, those that another transaction holds are left out.
    """
    rows = Contact.objects.select_for_update(no_key=True, skip_locked=not wait)
    return list(rows.filter(pk__in=contact_ids).order_by("pk"))


def add_people(world: World, contacts: Iterable[Contact]) -> None:
    """Take contacts into the world, with nothing yet of what belongs to them."""
    for row in contacts:
        world.people[row.pk] = Person(
            world,
            row.pk,
            external_id=row.external_id,
            email=row.email,
            timezone=row.timezone,
            created_at=row.created_at,
            attributes=row.attributes,
            language=row.language,
        )


def load_people(world: World, *, pending: Collection[int] = ()) -> None:
    """Load what belongs to the people of the world; ``pending`` events are facts still to come."""
    _load_passages(world)
    _load_entries(world)
    _load_history(world, frozenset(pending))
    _load_memberships(world)
    _load_subscriptions(world)
    _load_marketing(world)
    _load_dates(world)
    _load_suppressed(world)


def _load_passages(world: World) -> None:
    rows = list(
        Enrollment.objects.filter(
            contact_id__in=list(world.people), status__in=[*Enrollment.OPEN]
        ).order_by("contact_id", "pk")
    )
    world.plans.update(plans.load(row.version_id for row in rows))
    for row in rows:
        _passage(world, row)
    _load_visits(world)
    _load_messages(world)


def _passage(world: World, row: Enrollment) -> None:
    person, plan = world.people[row.contact_id], world.plans[row.version_id]
    passage = Passage(person, plan, row.entered_at)
    passage.pk, passage.status = row.pk, row.status
    passage.event_id, passage.trigger = row.event_id, row.entry_properties
    passage.entry_mark, passage.key, passage.local_date = row.event_mark, row.key, row.local_date
    passage.exclusive = row.exclusive
    passage.node = plan.key_of_node.get(row.node_id) if row.node_id else None
    passage.arrived_at = row.arrived_at or row.entered_at
    passage.resume_at, passage.resume_outcome = row.resume_at, row.resume_outcome
    passage.held = row.held or row.journey_id in world.paused
    passage.visits_count, passage.wait_order = row.visits_count, row.wait_order
    person.passages.append(passage)
    person.wait_order = max(person.wait_order, row.wait_order)
    person.clock = max(person.clock, passage.arrived_at)


def _old_passages(world: World) -> dict[int, Passage]:
    return {
        passage.pk: passage
        for person in world.people.values()
        for passage in person.passages
        if passage.pk is not None
    }


def _load_visits(world: World) -> None:
    """The visit each enrollment is in."""
    passages = _old_passages(world)
    if not passages:
        return
    visits = Visit.objects.filter(enrollment_id__in=list(passages), left_at__isnull=True)
    for pk, enrollment, number, entered_at in visits.values_list(
        "pk", "enrollment_id", "number", "entered_at"
    ):
        passage = passages[enrollment]
        passage.visit = VisitRecord(number, passage.node or "", entered_at, pk=pk)


def _load_messages(world: World) -> None:
    """What became of the enrollments' messages, where a condition looks at that."""
    passages = {
        pk: passage for pk, passage in _old_passages(world).items() if passage.plan.looks_at.nodes
    }
    if not passages:
        return
    rows = Message.objects.filter(enrollment__in=list(passages)).exclude(
        status=Message.Status.SKIPPED
    )
    reports = ("delivered", "opened", "clicked", "bounced")
    for enrollment, node, *moments in rows.values_list(
        "enrollment", "node", *(f"{did}_at" for did in reports)
    ):
        did = passages[enrollment].old_messages.setdefault(node, {"sent"})
        did.update(name for name, moment in zip(reports, moments, strict=True) if moment)


def _load_entries(world: World) -> None:
    """What the re-entry rules look at: how often and when the contacts entered before."""
    journeys = [
        plan.journey_id
        for plan in world.open_plans
        if plan.definition.reentry.rule in ("once", "after")
    ]
    if not journeys:
        return
    rows = (
        Enrollment.objects.filter(contact_id__in=list(world.people), journey_id__in=journeys)
        .values_list("contact_id", "journey_id", "key")
        .annotate(Count("pk"), Max("entered_at"))
        .order_by()
    )
    for contact, journey, key, count, last in rows:
        world.people[contact].entries[journey, key] = Entries(count, last)


def _load_history(world: World, pending: frozenset[int]) -> None:
    """The events that conditions look at, and each contact's place in the order of receipt."""
    last = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    for person in world.people.values():
        person.position = last
    wanted = _looked_for(world)
    if not wanted:
        return
    rows = Event.objects.filter(wanted, contact_id__in=list(world.people)).order_by("pk")
    for pk, contact, name, properties, occurred_at in rows.values_list(
        "pk", "contact_id", "name", "properties", "occurred_at"
    ):
        if pk not in pending:
            happening = Happening(pk, name, properties, occurred_at)
            world.people[contact].history.setdefault(name, []).append(happening)


def _looked_for(world: World) -> Q:
    """Which events conditions may count (C4); each name only as far back as any of them looks."""
    versions = {plan.version_id: plan for plan in world.open_plans} | world.plans
    looks = [plan.looks_at for plan in versions.values()]
    looks += [rule.condition.looks_at() for rule in world.segments.values() if rule.condition]
    earliest = _earliest(world)
    starts: dict[str, datetime] = {}
    for name, within in (span for look in looks for span in look.spans):
        start = EPOCH if within is None else later(earliest, -within) or EPOCH
        starts[name] = min(starts.get(name, start), start)
    wanted = Q()
    for start in set(starts.values()):
        names = [name for name, other in starts.items() if other == start]
        wanted |= Q(name__in=names) if start == EPOCH else Q(name__in=names, occurred_at__gte=start)
    return wanted


def _earliest(world: World) -> datetime:
    """The earliest moment at which the batch is judged."""
    facts = (person.facts[0].at for person in world.people.values() if person.facts)
    return min([world.until, *facts])


def _load_memberships(world: World) -> None:
    if not world.segments:
        return
    rows = Membership.objects.filter(contact_id__in=list(world.people), left_at__isnull=True)
    for pk, contact, slug in rows.values_list("pk", "contact_id", "segment__slug"):
        world.people[contact].members.add(slug)
        world.people[contact].was_member[slug] = pk


def _load_subscriptions(world: World) -> None:
    for contact, choices in subscriptions.takes(list(world.people)).items():
        world.people[contact].unsubscribed = choices.unsubscribed_all
        world.people[contact].subscriptions = choices.topics


def _load_marketing(world: World) -> None:
    """When marketing messages were queued, as far back as the cap looks (S5)."""
    if world.cap is None:
        return
    rows = Message.objects.filter(
        contact_id__in=list(world.people),
        transactional=False,
        queued_at__gt=later(_earliest(world), -world.cap.within) or EPOCH,
    ).exclude(status=Message.Status.SKIPPED)
    for contact, queued_at in rows.values_list("contact_id", "queued_at"):
        world.people[contact].marketing.append(queued_at)


def _load_dates(world: World) -> None:
    journeys = [plan.journey_id for plan in world.open_plans if plan.has_date]
    if not journeys:
        return
    people = list(world.people)
    for row in DateEntry.objects.filter(contact_id__in=people, journey_id__in=journeys):
        world.people[row.contact_id].dates[row.journey_id] = DateState(
            row.due_at, row.asked_at, row.local_date, pk=row.pk
        )
    entered = Enrollment.objects.filter(
        contact_id__in=people, journey_id__in=journeys, local_date__isnull=False
    )
    for contact, journey, day in entered.values_list("contact_id", "journey_id", "local_date"):
        if day is not None:
            world.people[contact].local_dates.add((journey, day))


def _load_suppressed(world: World) -> None:
    addresses = {person.email.lower() for person in world.people.values() if person.email}
    found = subscriptions.suppressed(addresses)
    world.suppressed.update((address, address in found) for address in addresses)


# writing


def write(world: World) -> Written:
    """Write what the batch did, in the caller's transaction; what must follow after commit."""
    _write_contacts(world)
    _write_passages(world)
    _write_messages(world)
    _write_memberships(world)
    _write_dates(world)
    bulk.insert(Refusal, world.refusals)
    _write_calls(world)
    if world.done_facts:
        FactRow.objects.filter(pk__in=world.done_facts).delete()
    return Written(world)


class Written:
    """What a batch left to be done once it is committed."""

    def __init__(self, world: World) -> None:
        self.messages = any(draft.status == "queued" for _, draft in world.drafts)
        self.calls = bool(world.calls)
        self.minutes = {
            passage.resume_at.replace(second=0, microsecond=0) + timedelta(minutes=1)
            for passage in world.touched
            if passage.resume_at is not None and not passage.held
        }


def _write_contacts(world: World) -> None:
    bulk.update(
        Contact,
        [
            {
                "id": person.id,
                "attributes": person.attributes,
                "email": person.email,
                "timezone": person.timezone,
                "updated_at": person.now,
            }
            for person in world.people.values()
            if person.changed
        ],
        ["attributes", "email", "timezone", "updated_at"],
    )


_MOVED = (
    "status", "reason", "ended_at", "exclusive", "node_id", "visits_count", "arrived_at",
    "wait_order", "resume_at", "resume_outcome",
)  # fmt: skip


def _moved(passage: Passage) -> dict[str, Any]:
    return {
        "id": passage.pk,
        "status": str(passage.status),
        "reason": passage.reason,
        "ended_at": passage.ended_at,
        "exclusive": passage.exclusive,
        "node_id": passage.plan.node_ids[passage.node] if passage.node else None,
        "visits_count": passage.visits_count,
        "arrived_at": passage.arrived_at if passage.node else None,
        "wait_order": passage.wait_order,
        "resume_at": passage.resume_at,
        "resume_outcome": passage.resume_outcome,
    }


def _write_passages(world: World) -> None:
    """Old enrollments before new ones: what ends makes room under the re-entry rule (E2)."""
    old = [passage for passage in world.touched if passage.pk is not None]
    new = [passage for passage in world.touched if passage.pk is None]
    bulk.update(Enrollment, [_moved(passage) for passage in old], _MOVED)
    outbox.cancel(
        [passage.pk for passage in old if passage.pk and passage.reason in ("goal", "exit_when")],
        "The journey was left.",
    )
    for passage, pk in zip(new, bulk.reserve(Enrollment, len(new)), strict=True):
        passage.pk = pk
    bulk.insert(
        Enrollment,
        [
            {
                **_moved(passage),
                "journey_id": passage.plan.journey_id,
                "version_id": passage.plan.version_id,
                "contact_id": passage.person.id,
                "entered_at": passage.entered_at,
                "event_id": passage.event_id,
                "entry_properties": passage.trigger,
                "event_mark": passage.entry_mark,
                "key": passage.key,
                "local_date": passage.local_date,
            }
            for passage in new
        ],
    )
    _write_visits(world)


def _write_visits(world: World) -> None:
    bulk.update(
        Visit,
        [
            {"id": visit.pk, "left_at": visit.left_at, "outcome": visit.outcome}
            for visit in world.left_visits
        ],
        ["left_at", "outcome"],
    )
    bulk.insert(
        Visit,
        [
            {
                "enrollment_id": passage.pk,
                "number": visit.number,
                "node_id": passage.plan.node_ids[visit.node],
                "entered_at": visit.entered_at,
                "left_at": visit.left_at,
                "outcome": visit.outcome,
            }
            for passage in world.touched
            for visit in passage.visits
        ],
    )


def _write_messages(world: World) -> None:
    for passage, draft in world.drafts:
        draft.enrollment = passage.pk
    outbox.insert([draft for _, draft in world.drafts])


def _write_memberships(world: World) -> None:
    """Memberships that began, and those that ended; one that did both leaves both its moments."""
    opened: dict[tuple[int, int], dict[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    ended: list[dict[str, Any]] = []
    for person, rule, at, member in world.memberships:
        place = (person.id, rule.pk)
        if member:
            opened[place] = {
                "segment_id": rule.pk, "contact_id": person.id, "entered_at": at, "left_at": None
            }  # fmt: skip
            rows.append(opened[place])
        elif place in opened:
            opened.pop(place)["left_at"] = at
        else:
            ended.append({"id": person.was_member[rule.slug], "left_at": at})
    bulk.update(Membership, ended, ["left_at"])
    bulk.insert(Membership, rows)


def _write_dates(world: World) -> None:
    changed = [
        (person.id, journey, state)
        for person in world.people.values()
        for journey, state in person.dates.items()
        if state.changed
    ]
    fields = ["due_at", "asked_at", "local_date"]
    bulk.update(
        DateEntry,
        [
            {"id": state.pk, **{name: getattr(state, name) for name in fields}}
            for _, _, state in changed
            if state.pk is not None
        ],
        fields,
    )
    bulk.insert(
        DateEntry,
        [
            {
                "contact_id": contact,
                "journey_id": journey,
                **{name: getattr(state, name) for name in fields},
            }
            for contact, journey, state in changed
            if state.pk is None
        ],
    )


def _write_calls(world: World) -> None:
    from journeys import webhooks

    bulk.insert(
        WebhookCall,
        [webhooks.row(passage, visit, config, at) for passage, visit, config, at in world.calls],
    )
