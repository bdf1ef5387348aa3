"""Taking back what an import did, chunk by chunk from its end.

Contacts it made go, except those to whom something has happened since. What it changed becomes
what it was before, wherever it still is what the import wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contacts import ingest, segments
from contacts.identity import FIELDS, Person, lock
from contacts.imports import hooks
from contacts.models import Contact, Event, Import, ImportChunk
from contacts.values import json_eq

#: Chunks of which it is looked up, before an import is undone, what would become of each person.
LOOKED_UP = 50


@dataclass(frozen=True, slots=True)
class Undone:
    """How many people go, have back what they were, and stay although the import made them."""

    gone: int = 0
    back: int = 0
    kept: int = 0

    def __add__(self, other: Undone) -> Undone:
        return Undone(self.gone + other.gone, self.back + other.back, self.kept + other.kept)


def expected(source: Import) -> Undone:
    """What undoing would do; of a large import, what it did itself."""
    if source.chunks.count() > LOOKED_UP:
        return Undone(source.created, source.updated)
    return sum((_expected(chunk) for chunk in source.chunks.all()), Undone())


def _expected(chunk: ImportChunk) -> Undone:
    made = set(Contact.objects.filter(pk__any_of=chunk.created).values_list("pk", flat=True))
    changed = set(map(int, chunk.changed)) - set(chunk.created)
    kept = len(_with_history(made))
    return Undone(len(made) - kept, Contact.objects.filter(pk__any_of=changed).count(), kept)


def undo_chunk(source: Import, chunk: ImportChunk, at: datetime) -> Undone:
    """Take back one chunk, in the caller's transaction; returns what became of whom."""
    # Locked before anybody asks what they did, so that nothing that is done meanwhile goes too.
    locked = lock([*chunk.created, *map(int, chunk.changed)])
    made = locked.keys() & set(chunk.created)
    kept = _with_history(made)
    if source.segment is not None and source.segment.is_static:
        segments.remove(source.segment, chunk.entered, at=at)
    people = [(pk, person) for pk, person in locked.items() if str(pk) in chunk.changed]
    payloads = []
    for pk, person in people:
        payload = person.become(**_before(person, chunk.changed[str(pk)]))
        if payload:
            payloads.append((pk, payload))
    ingest.save_people([person for _, person in people if person.changed], at=at)
    ingest.store_changes(payloads, at=at, quiet=True)
    Contact.objects.filter(pk__in=made - kept).delete()
    chunk.delete()
    back = {pk for pk, _ in payloads} - made
    return Undone(len(made - kept), len(back), len(kept))


def _with_history(created: set[int]) -> set[int]:
    events = Event.objects.filter(contact__in=created).order_by()
    kept = set(events.values_list("contact_id", flat=True).distinct())
    for keeper in hooks.keepers:
        kept |= keeper(created - kept)
    return kept & created


def _before(person: Person, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The values to go back to: only where the contact still has what the import wrote."""
    attributes = dict(person.attributes)
    for name, sides in changes.get("attributes", {}).items():
        if not json_eq(attributes.get(name), sides.get("new")):
            continue
        if "old" in sides:
            attributes[name] = sides["old"]
        else:
            attributes.pop(name, None)
    fields = {
        name: changes[name]["old"]
        for name in FIELDS
        if name in changes and getattr(person, name) == changes[name]["new"]
    }
    return {**fields, "attributes": attributes}
