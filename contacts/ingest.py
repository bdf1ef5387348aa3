"""The one door for what happens to contacts: events, changes and entries by hand.

Each function takes a whole batch and works it in a fixed number of statements and one transaction.
The contacts are locked first, in the order of their ids, so the ids of the facts are the order of
receipt within each contact. After the commit the batch is announced once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction

from contacts import bulk, catalogue
from contacts.identity import FIELDS, Directory, Moved, Person, lock
from contacts.items import Alias, Identify, Item, Refused, Track, clean, clean_changes
from contacts.models import Contact, Event, Fact, Receipt
from contacts.signals import announce, contacts_changed, events_recorded

__all__ = ["Alias", "Identify", "Outcome", "Refused", "Track", "change", "enter", "record", "touch"]

#: How often a batch starts again that met another one on its way.
ATTEMPTS = 8

Result = TypeVar("Result")


@dataclass(slots=True)
class Outcome:
    """What became of a batch. ``rejected`` holds (index, code, message)."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    contact_ids: list[int] = field(default_factory=list)


def record(
    items: Sequence[Item], *, received_at: datetime, source: str = "", internal: bool = False
) -> Outcome:
    """Store what happened, in the order given: contacts, events and the facts that they are.

    An item that can't be stored is rejected and the others are kept. One whose ``message_id`` is
    known changes nothing at all (T8). ``internal`` permits the names of T7. ``source`` is where the
    batch came from, for the log. Raises only what the database raises.
    """
    outcome = Outcome()
    cleaned: list[Item] = []
    for index, item in enumerate(items):
        try:
            cleaned.append(clean(item, received_at=received_at, internal=internal))
        except Refused as refused:
            outcome.rejected.append((index, refused.code, refused.message))
    if cleaned:
        accepted, ids = again(lambda: _record(cleaned, received_at))
        outcome.accepted, outcome.contact_ids = accepted, ids
        outcome.duplicates = len(cleaned) - accepted
    return outcome


def again(work: Callable[[], Result]) -> Result:
    """Run ``work`` in a transaction, anew where another batch was in its way.

    What ``work`` reads it must read again each time it is called.
    """
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return work()
        except (Moved, IntegrityError, OperationalError) as error:
            last = attempt == ATTEMPTS - 1
            if last or (isinstance(error, OperationalError) and not _is_conflict(error)):
                raise
    raise AssertionError("unreachable")


def _is_conflict(error: OperationalError) -> bool:
    """A deadlock or a serialization failure, which the next attempt does not meet again."""
    cause = error.__cause__
    return (
        connection.vendor == "postgresql"
        and getattr(cause, "sqlstate", None) in ("40001", "40P01")
        and connection.in_atomic_block is False
    )


def _record(items: Sequence[Item], at: datetime) -> tuple[int, list[int]]:
    fresh = without_known(items)
    if not fresh:
        return 0, []
    directory = Directory(at)
    directory.load(fresh)
    batch = Batch(at)
    for item in fresh:
        batch.take(directory, item)
    directory.save()
    batch.save()
    return len(fresh), batch.contact_ids()


def without_known(items: Sequence[Item]) -> list[Item]:
    """The items whose ``message_id`` has neither been stored nor stands before in the batch."""
    ids = {item.message_id for item in items if item.message_id}
    if not ids:
        return list(items)
    seen = set(
        Event.objects.filter(message_id__any_of=ids)
        .values_list("message_id")
        .union(Receipt.objects.filter(message_id__any_of=ids).values_list("message_id"), all=True)
        .values_list("message_id", flat=True)
    )
    fresh = []
    for item in items:
        if item.message_id is None or item.message_id not in seen:
            fresh.append(item)
            seen.add(item.message_id)
    return fresh


class Batch:
    """The events and facts of a batch, gathered in the order of receipt and written at once."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.events: list[tuple[Person, Track]] = []
        self.facts: list[tuple[Person, str, Track | None, dict[str, Any]]] = []
        self.receipts: list[str] = []

    def take(self, directory: Directory, item: Item) -> None:
        """Work one item in memory."""
        if isinstance(item, Track):
            person, made = directory.track(item)
            self.events.append((person, item))
            self.facts.append((person, Fact.Kind.EVENT, item, {}))
            if made:
                # After the event, so that one fact alone finds a person who was nobody before.
                self.facts.append((person, Fact.Kind.CHANGE, None, {"created": True}))
            return
        if isinstance(item, Identify):
            person, payload = directory.identify(item)
        else:
            person, payload = directory.alias(item)
        self.facts.append((person, Fact.Kind.CHANGE, None, payload))
        if item.message_id:
            self.receipts.append(item.message_id)

    def contact_ids(self) -> list[int]:
        """Whose batch it was."""
        return sorted({person.root.pk for person, *_ in self.facts})

    def save(self) -> None:
        """Write receipts, events and facts, and see to it that they are announced."""
        bulk.insert(
            Receipt,
            [{"message_id": value, "received_at": self.at} for value in sorted(self.receipts)],
        )
        event_ids = dict(
            zip(
                (id(item) for _, item in self.events),
                bulk.reserve(Event, len(self.events)),
                strict=True,
            )
        )
        self._save_events(event_ids)
        self._save_facts(event_ids)
        catalogue.note(
            events=[item for _, item in self.events],
            attributes=[attributes_of(payload) for *_, payload in self.facts],
            at=self.at,
        )
        announce(events_recorded, {person.root.pk for person, _ in self.events})
        announce(contacts_changed, self._changed())

    def _changed(self) -> set[int]:
        return {p.root.pk for p, kind, *_ in self.facts if kind == Fact.Kind.CHANGE}

    def _save_events(self, event_ids: Mapping[int, int]) -> None:
        rows = [
            {
                "id": event_ids[id(item)],
                "contact_id": person.root.pk,
                "name": item.name,
                "properties": item.properties,
                "occurred_at": item.occurred_at,
                "received_at": self.at,
                "message_id": item.message_id,
            }
            for person, item in self.events
        ]
        # By message id, so that two batches with the same ones can't wait for each other.
        bulk.insert(Event, sorted(rows, key=lambda row: str(row["message_id"])))

    def _save_facts(self, event_ids: Mapping[int, int]) -> None:
        insert_facts(
            [
                (person.root.pk, kind, event_ids.get(id(event)), payload if kept(person) else {})
                for person, kind, event, payload in self.facts
            ],
            at=self.at,
        )


def attributes_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a change's payload that is about attributes: name → old and new."""
    attributes: dict[str, Any] = payload.get("changes", {}).get("attributes", {})
    return attributes


def kept(person: Person) -> bool:
    """Whether the person was not merged away later in the batch: then its old values count."""
    return person.merged_into is None


def insert_facts(
    facts: Sequence[tuple[int, str, int | None, dict[str, Any]]], *, at: datetime
) -> None:
    """Append (contact, kind, event, payload) to the engine's queue, in this order."""
    ids = bulk.reserve(Fact, len(facts))
    bulk.insert(
        Fact,
        [
            {
                "id": pk,
                "contact_id": contact_id,
                "kind": str(kind),
                "event_id": event_id,
                "payload": payload,
                "received_at": at,
            }
            for pk, (contact_id, kind, event_id, payload) in zip(ids, facts, strict=True)
        ],
    )


def change(changes: Mapping[int, Mapping[str, Any]], *, at: datetime) -> list[int]:
    """Change contacts as the ``update`` node does, also ``language``; contact id → what to set.

    One fact each, also where nothing changes. Returns the ids of the contacts that are there.
    Raises ``Refused``, before anything is written, where a value can't be stored.
    """
    cleaned = {pk: clean_changes(wanted) for pk, wanted in changes.items()}
    return again(lambda: _change(cleaned, at))


def _change(changes: Mapping[int, Mapping[str, Any]], at: datetime) -> list[int]:
    people = lock(changes)
    payloads = [(pk, person.set(changes[pk])) for pk, person in people.items()]
    save_people([person for person in people.values() if person.changed], at=at)
    store_changes(payloads, at=at)
    return list(people)


def save_people(people: Iterable[Person], *, at: datetime) -> None:
    """Write what contacts became, in one statement."""
    bulk.update(
        Contact,
        [
            {
                "id": person.pk,
                **{name: getattr(person, name) for name in (*FIELDS, "attributes")},
                "updated_at": at,
            }
            for person in people
        ],
        [*FIELDS, "attributes", "updated_at"],
    )


def store_changes(
    changes: Sequence[tuple[int, dict[str, Any]]], *, at: datetime, quiet: bool = False
) -> None:
    """Append a change fact for each (contact, payload); the contacts are written and locked.

    ``quiet``: membership that it changes is noted without an entry.
    """
    mark = {"quiet": True} if quiet else {}
    insert_facts([(pk, Fact.Kind.CHANGE, None, {**p, **mark}) for pk, p in changes], at=at)
    attributes = [attributes_of(payload) for _, payload in changes]
    catalogue.note(events=[], attributes=attributes, at=at)
    announce(contacts_changed, [pk for pk, _ in changes])


def touch(contact_ids: Iterable[int], *, at: datetime) -> list[int]:
    """Say that something about these contacts changed that is not in their row.

    A subscription, a suppression: a change that changes nothing is looked at all the same (T2).
    Returns the ids of the contacts that are there, which the caller's transaction has locked now.
    """
    with transaction.atomic():
        ids = _lock_ids(contact_ids)
        store_changes([(pk, {}) for pk in ids], at=at)
        return ids


def enter(contact_ids: Iterable[int], journey_pk: int, *, at: datetime) -> None:
    """Enter contacts by hand into a journey whose trigger is manual; the engine decides (E1)."""
    with transaction.atomic():
        ids = _lock_ids(contact_ids)
        payload = {"journey": journey_pk}
        insert_facts([(pk, Fact.Kind.ENTER, None, payload) for pk in ids], at=at)
        announce(contacts_changed, ids)


def _lock_ids(contact_ids: Iterable[int]) -> list[int]:
    """The ids of those contacts that are there, locked, in order."""
    contacts = Contact.objects.filter(pk__any_of=set(contact_ids)).order_by("pk")
    return list(contacts.select_for_update(no_key=True).values_list("pk", flat=True))


def edit(
    contact_id: int, *, attributes: Mapping[str, Any], fields: Mapping[str, Any], at: datetime
) -> bool:
    """What a person changed by hand: whole attributes by name, None removes, and fields by name.

    False where the contact is gone. Raises ``Refused``.
    """
    clean_changes({name: value for name, value in attributes.items() if value is not None})
    return again(lambda: _edit(contact_id, attributes, fields, at))


def _edit(
    contact_id: int, attributes: Mapping[str, Any], fields: Mapping[str, Any], at: datetime
) -> bool:
    person = lock([contact_id]).get(contact_id)
    if person is None:
        return False
    kept = {name: value for name, value in person.attributes.items() if name not in attributes}
    given = {name: value for name, value in attributes.items() if value is not None}
    payload = person.become(attributes={**kept, **given}, **fields)
    save_people([person], at=at)
    store_changes([(contact_id, payload)], at=at)
    return True
