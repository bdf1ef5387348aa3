"""Live work: who is due, and a batch of them from the lock to the commit."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet

from contacts.garbage import uncollected
from contacts.models import Fact as FactRow
from journeys import engine, jobs, store
from journeys.models import DateEntry, Enrollment, Journey, Version
from journeys.world import (
    BirthFact,
    ChangeFact,
    EnterFact,
    EventFact,
    Fact,
    Happening,
    Passage,
    Person,
    Policy,
    RecountFact,
    WebhookFact,
    World,
)

log = logging.getLogger(__name__)

#: Contacts in one transaction: enough to make statements cheap, few enough not to hold locks long.
BATCH = 500


@dataclass(slots=True)
class RecordedChange(ChangeFact):
    """A change that the contact's row shows already: memory is taken back, and on again."""

    payload: dict[str, Any] = field(default_factory=dict)

    def apply(self, person: Person) -> None:
        self._set(person, "new")
        person.joined = [
            rule.slug
            for rule in person.world.segments.values()
            if rule.pk in self.payload.get("joined", ())
        ]
        person.members.update(person.joined)

    def undo(self, person: Person) -> None:
        """Take the person back to before the change."""
        self._set(person, "old")

    def _set(self, person: Person, side: str) -> None:
        changes = dict(self.payload.get("changes") or {})
        attributes = dict(person.attributes)
        for name, values in changes.pop("attributes", {}).items():
            if side in values:
                attributes[name] = values[side]
            else:
                attributes.pop(name, None)
        person.attributes = attributes
        for name, values in changes.items():
            value = values.get(side)
            setattr(person, name, value if name == "external_id" else value or "")


def due_contacts(now: datetime, limit: int, *, passed_over: Collection[int] = ()) -> list[int]:
    """Contacts with something to be done: facts in order of receipt, timers, entries by date.

    Where more is due than ``limit``, a part of it is left to those who came last and to those whose
    time has come, so that nobody waits for a large import to be worked through. ``passed_over`` are
    left out.
    """
    facts = FactRow.objects.filter(failed_at__isnull=True).exclude(contact_id__in=passed_over)
    found = _contacts(facts.order_by("pk"), limit)
    overdue = (due_timers(now), due_dates(now))
    if len(found) < limit:
        for rows in overdue:
            found |= _contacts(rows.exclude(contact_id__in=passed_over), limit)
        return list(found)[:limit]
    share = limit // 5
    shared = _first(found, limit - 3 * share) | _contacts(facts.order_by("-pk"), share)
    for rows in overdue:
        shared |= _contacts(rows.exclude(contact_id__in=passed_over), share)
    return list(shared | found)[:limit]


def _contacts(rows: QuerySet[Any], most: int) -> dict[int, None]:
    """The contacts of the first rows, in their order; a contact may have several rows."""
    ids = rows.values_list("contact_id", flat=True)[: most * 4]
    return _first(dict.fromkeys(ids), most)


def _first(found: dict[int, None], most: int) -> dict[int, None]:
    return dict.fromkeys(list(found)[:most])


def due_timers(now: datetime) -> QuerySet[Enrollment]:
    """Enrollments whose wait has ended by ``now``, the earliest first."""
    waiting = Enrollment.objects.filter(
        status=Enrollment.Status.WAITING, held=False, resume_at__lte=now
    )
    # A batch under way at the pause may have left some that are not held.
    return waiting.exclude(journey__status=Journey.Status.PAUSED).order_by("resume_at")


def due_dates(now: datetime) -> QuerySet[DateEntry]:
    """Dates at which a journey asks for a contact by ``now``, the earliest first."""
    asking = DateEntry.objects.filter(
        journey__status__in=[Journey.Status.LIVE, Journey.Status.PAUSED],
        journey__live_version__trigger=Version.Trigger.DATE,
    )
    return asking.filter(due_at__lte=now).order_by("due_at")


#: How time passes where everything is live.
LIVE = Policy()


def work(now: datetime, *, most: int | None = None, policy: Policy = LIVE) -> int:
    """Work through what is due, batch by batch, until nothing is left or ``most`` are done.

    Returns how many contacts were taken. What another worker holds is left to it.
    """
    done = 0
    passed_over: set[int] = set()
    while most is None or done < most:
        contact_ids = due_contacts(now, BATCH, passed_over=passed_over)
        if not contact_ids:
            break
        taken = advance(contact_ids, now, policy)
        passed_over.update(set(contact_ids) - taken)
        done += len(taken)
    return done


def advance(contact_ids: Sequence[int], now: datetime, policy: Policy = LIVE) -> set[int]:
    """Move these contacts up to ``now`` in one transaction; those taken, none if nobody moved.

    Where the batch can't be processed it is halved, until the one whose fact is at fault is found;
    that fact is put aside, and stops nobody else.
    """
    world = World(until=now, policy=policy)
    try:
        with uncollected(), transaction.atomic():
            world = _load(contact_ids, now, policy)
            steps = engine.run(world)
            written = store.write(world)
            transaction.on_commit(lambda: jobs.nudge(written))
        return set(world.people) if steps else set()
    except (OperationalError, InterfaceError):
        raise  # the database is away or busy: no fact is at fault, and all of it is done later
    except Exception as error:
        if len(contact_ids) > 1:
            half = len(contact_ids) // 2
            first, second = contact_ids[:half], contact_ids[half:]
            return advance(first, now, policy) | advance(second, now, policy)
        log.exception("A fact of contact %s could not be processed", contact_ids[0])
        return set(contact_ids) if _put_aside(world, contact_ids[0], error, now) else set()


def _load(contact_ids: Sequence[int], now: datetime, policy: Policy) -> World:
    world = store.new_world(now, policy)
    contacts = store.lock(contact_ids, wait=False)
    store.add_people(world, contacts)
    pending = load_facts(world)
    store.load_people(world, pending=pending)
    return world


def load_facts(world: World) -> list[int]:
    """Queue the facts of the people, and take each back to before the first change among them."""
    rows = list(
        FactRow.objects.filter(contact_id__in=list(world.people), failed_at__isnull=True)
        .select_related("event")
        .order_by("pk")
    )
    for row in rows:
        world.people[row.contact_id].facts.append(_fact(row))
    for person in world.people.values():
        for fact in reversed(person.facts):
            if isinstance(fact, RecordedChange):
                fact.undo(person)
    return [row.event_id for row in rows if row.event_id and row.kind == FactRow.Kind.EVENT]


def _fact(row: FactRow) -> Fact:
    at, payload = row.received_at, row.payload
    happening = None
    if row.event is not None:
        event = row.event
        happening = Happening(
            event.pk, event.name, event.properties, event.occurred_at, event.too_late
        )
    if row.kind == FactRow.Kind.EVENT and happening is not None:
        return EventFact(at, row.pk, happening)
    if row.kind == FactRow.Kind.ENTER:
        return EnterFact(at, row.pk, payload["journey"], bool(payload.get("again")), happening)
    if row.kind == FactRow.Kind.RECOUNT:
        return RecountFact(datetime.fromisoformat(payload["at"]), row.pk)
    if row.kind == FactRow.Kind.WEBHOOK:
        return WebhookFact(at, row.pk, payload["enrollment"], payload["visit"], payload["outcome"])
    if payload.get("created"):
        return BirthFact(at, row.pk)
    return RecordedChange(at, row.pk, bool(payload.get("quiet")), payload)


def _put_aside(world: World, contact_id: int, error: Exception, now: datetime) -> int:
    """Set aside what could not be processed, with its error, where the admin shows it."""
    text = f"{type(error).__name__}: {error}"
    current = world.current[1] if world.current else None
    with transaction.atomic():
        if isinstance(current, Fact) and current.row is not None:
            rows = FactRow.objects.filter(pk=current.row)
            return rows.update(error=text, failed_at=now)
        if isinstance(current, Passage) and current.pk is not None:
            return _fail(Enrollment.objects.filter(pk=current.pk), text, now)
        first = FactRow.objects.filter(contact_id=contact_id, failed_at__isnull=True).first()
        if first is not None:
            return FactRow.objects.filter(pk=first.pk).update(error=text, failed_at=now)
        DateEntry.objects.filter(contact_id=contact_id, due_at__lte=now).update(
            asked_at=F("due_at"), due_at=None
        )
        overdue = Enrollment.objects.filter(contact_id=contact_id, resume_at__lte=now)
        return _fail(overdue, text, now) or 1


def _fail(enrollments: QuerySet[Enrollment], error: str, now: datetime) -> int:
    return enrollments.filter(status__in=[*Enrollment.OPEN]).update(
        status=Enrollment.Status.FAILED,
        reason="error",
        error=error,
        ended_at=now,
        resume_at=None,
        exclusive=None,
    )
