"""A thousand rows at a time: what they mean is decided in memory and written in few statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from contacts import bulk, catalogue, timezones
from contacts.identity import Directory, Person, joined
from contacts.imports import hooks
from contacts.imports.mapping import Column, Reader, Reading
from contacts.imports.reading import Row
from contacts.ingest import attributes_of, insert_facts
from contacts.items import ADDRESS, Identify, Refused, clean_ids
from contacts.models import Fact, Import, ImportChunk, Membership, RefusedRow
from contacts.signals import announce, contacts_changed

#: Rows in one transaction.
SIZE = 1000
#: Of so many rows of a chunk the names and types are noted in the catalogue.
NOTED = 50
#: The attribute that keeps the tags of the imports a contact came by.
TAGS = "imports"


@dataclass(slots=True)
class Touched:
    """A contact that rows of the chunk are about, and what they changed in it."""

    person: Person
    made: bool
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Chunk:
    """What a number of rows come to."""

    at: datetime
    directory: Directory
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[tuple[Row, str]] = field(default_factory=list)
    touched: dict[int, Touched] = field(default_factory=dict)
    topics: list[tuple[Person, str, bool]] = field(default_factory=list)
    #: For a dry run: what each row that was taken names its contact by, and whether it made it.
    taken: list[tuple[Identify, str]] = field(default_factory=list)


class Loader:
    """Reads rows as one import is set up to."""

    def __init__(self, source: Import) -> None:
        self.source = source
        self.reader = Reader([Column.from_json(item) for item in source.mapping])

    def decide(self, rows: Sequence[Row], at: datetime) -> Chunk:
        """Find and lock the contacts, and decide in memory what becomes of them."""
        chunk = Chunk(at, Directory(at), rows=len(rows))
        readings: list[tuple[Identify, Reading]] = []
        for row in rows:
            try:
                reading = self.reader.read(row)
                readings.append((self._item(reading, at), reading))
            except Refused as refused:
                chunk.refused.append((row, refused.message))
        chunk.directory.load([item for item, _ in readings], mostly_new=True)
        for item, reading in readings:
            outcome = self._take(chunk, item, reading)
            chunk.taken.append((item, outcome))
            setattr(chunk, outcome, getattr(chunk, outcome) + 1)
        return chunk

    def _item(self, reading: Reading, at: datetime) -> Identify:
        email = reading.fields.get("email")
        if email is not None and not ADDRESS.fullmatch(email):
            raise Refused("unfit", f"“{email[:50]}” is no email address.")
        zone = reading.fields.get("timezone")
        if zone is not None and (wrong := timezones.fault(zone)):
            raise Refused("unfit", wrong)
        item = Identify(created_at=reading.created_at, **reading.fields)  # type: ignore[arg-type]
        return clean_ids(item, reading.attributes, at)

    def _take(self, chunk: Chunk, item: Identify, reading: Reading) -> str:
        person = chunk.directory.who(item)
        if person is None or self.source.update_existing:
            item = self._allowed(item, person, reading.keep)
            made = person is None
            person, payload = chunk.directory.identify(item)
        else:
            made, payload = False, {}
        touched = chunk.touched.setdefault(id(person), Touched(person, made))
        touched.payload = joined(touched.payload, payload)
        chunk.topics += [(person, slug, value) for slug, value in reading.topics.items()]
        return "created" if made else "updated" if payload else "unchanged"

    def _allowed(self, item: Identify, person: Person | None, keep: Set[str]) -> Identify:
        """What of a row may be written to a contact that is there already, with the tag."""
        if self.source.overwrite == Import.Overwrite.EMPTY:
            keep = {*item.set, "language"}
        if not keep and not self.source.tag:
            return item
        changes = dict(item.set)
        if person is not None:
            for name in keep & changes.keys():
                if not _is_free(person, name):
                    del changes[name]
            if "language" in keep and person.language:
                item = replace(item, language=None)
        if self.source.tag:
            tags = list((person.attributes if person else {}).get(TAGS) or [])
            changes[TAGS] = tags if self.source.tag in tags else [*tags, self.source.tag]
        return replace(item, set=changes)

    def save(self, chunk: Chunk) -> None:
        """Write the chunk, in the caller's transaction; a fixed number of statements."""
        chunk.directory.save()
        touched = [found for found in chunk.touched.values() if found.person.merged_into is None]
        entered = self._save_members(touched, chunk.at)
        self._save_topics(chunk)
        self._save_facts(touched, entered, chunk)
        bulk.insert(
            RefusedRow,
            [
                {
                    "source_id": self.source.pk,
                    "row": row.number,
                    "line": row.line,
                    "reason": reason,
                    "cells": [_storable(cell) for cell in row.cells],
                }
                for row, reason in chunk.refused
            ],
        )
        changed = {
            str(found.person.pk): found.payload["changes"]
            for found in touched
            if found.payload and not found.made
        }
        made = [found.person.pk for found in touched if found.made]
        if made or changed or entered:
            ImportChunk.objects.create(
                source=self.source,
                position=self.source.position,
                created=made,
                changed=changed,
                entered=sorted(entered),
            )

    def _save_members(self, touched: Sequence[Touched], at: datetime) -> set[int]:
        segment_id = self.source.segment_id
        if segment_id is None:
            return set()
        ids = {found.person.pk for found in touched}
        inside = Membership.objects.filter(segment=segment_id, left_at=None, contact__in=ids)
        new = ids - set(inside.values_list("contact_id", flat=True))
        bulk.insert(
            Membership,
            [{"segment_id": segment_id, "contact_id": pk, "entered_at": at} for pk in sorted(new)],
        )
        return new

    def _save_topics(self, chunk: Chunk) -> None:
        if chunk.topics and hooks.topics is not None:
            last = {(person.root.pk, slug): value for person, slug, value in chunk.topics}
            hooks.topics.choose(
                [(pk, slug, value) for (pk, slug), value in sorted(last.items())],
                at=chunk.at,
                keep_unsubscribed=self.source.keep_unsubscribed,
                source=f"Import {self.source.filename}"[:100],
            )

    def _save_facts(self, touched: Sequence[Touched], entered: set[int], chunk: Chunk) -> None:
        quiet = {} if self.source.start_journeys else {"quiet": True}
        chose = {person.root.pk for person, _, _ in chunk.topics}
        facts: list[tuple[int, str, int | None, dict[str, Any]]] = []
        for found in touched:
            pk = found.person.pk
            if found.payload or found.made or pk in entered or pk in chose:
                membership = {"joined": [self.source.segment_id]} if pk in entered else {}
                payload = {**found.payload, **membership, **quiet}
                facts.append((pk, Fact.Kind.CHANGE, None, payload))
        if self.source.enter_journey is not None:
            payload = {"journey": self.source.enter_journey}
            facts += [(found.person.pk, Fact.Kind.ENTER, None, payload) for found in touched]
        insert_facts(facts, at=chunk.at)
        differences: list[Mapping[str, Any]] = [
            attributes_of(found.payload) for found in touched[:NOTED]
        ]
        catalogue.note(events=[], attributes=differences, at=chunk.at)
        announce(contacts_changed, list(dict.fromkeys(pk for pk, *_ in facts)))


def _is_free(person: Person, name: str) -> bool:
    """Whether a contact has nothing under this name yet."""
    if name in ("email", "timezone"):
        return not getattr(person, name)
    value: Any = person.attributes
    for step in name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value is None


def _storable(cell: str) -> str:
    """A refused cell without what no database takes."""
    return cell.replace("\0", "�").encode("utf-8", "replace").decode("utf-8")[:10_000]
