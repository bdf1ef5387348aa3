"""The names and types seen so far: of attributes, of events and of their properties.

They feed pickers and warnings and decide nothing, so they are written after the commit, and only
what is new or was not seen for an hour: on a busy day almost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from contacts import bulk
from contacts.items import MAX_ATTRIBUTE_NAME, Track
from contacts.models import AttributeName, EventName
from contacts.values import parse_moment

SEEN_EVERY = timedelta(hours=1)
#: More names than this are data that got into the place of a name; they are not listed.
MAX_NAMES = 2_000
MAX_PROPERTIES = 300

#: name → property or "" → types
Seen = dict[str, dict[str, set[str]]]


def type_of(value: object) -> str:
    """The type a value has for people: text, number, yes or no, date, list or object."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        moment = parse_moment(value)
        return "text" if moment is None else "date" if moment.is_date else "datetime"
    return "list" if isinstance(value, list | tuple) else "object"


@dataclass(slots=True)
class Known:
    """What this process knows to be in the two tables."""

    attributes: Seen = field(default_factory=dict)
    events: Seen = field(default_factory=dict)
    seen_at: dict[tuple[str, str], datetime] = field(default_factory=dict)


_known: dict[str, Known] = {}


def forget() -> None:
    """Know nothing: the next batch reads the tables again."""
    _known.clear()


def note(*, events: Iterable[Track], attributes: Iterable[Mapping[str, Any]], at: datetime) -> None:
    """See to it that what a batch holds is listed; ``attributes`` are differences of facts."""
    seen_events: Seen = {}
    for event in events:
        collect(seen_events.setdefault(event.name, {}), event.properties)
    seen: Seen = {}
    for difference in attributes:
        for name, sides in difference.items():
            if sides.get("new") is not None and len(name) <= MAX_ATTRIBUTE_NAME:
                collect(seen, {name: sides["new"]}, top=True)
    if not seen_events and not seen:
        return
    known = _known.get(str(connection.settings_dict["NAME"]))
    if (
        known is None
        or _is_new(known, "event", seen_events, at)
        or _is_new(known, "attribute", seen, at)
    ):
        transaction.on_commit(lambda: write(seen_events, seen, at), robust=True)


def collect(into: Any, properties: Mapping[str, Any], *, top: bool = False) -> None:
    """Add the types of each value; what lies in objects goes by its dotted name."""
    waiting = [(name, value) for name, value in properties.items()]
    while waiting and len(into) < MAX_PROPERTIES:
        name, value = waiting.pop()
        if value is None or len(name) > MAX_ATTRIBUTE_NAME:
            continue
        types = (
            into.setdefault(name, {}).setdefault("", set()) if top else into.setdefault(name, set())
        )
        types.add(type_of(value))
        if isinstance(value, Mapping):
            waiting += [(f"{name}.{inner}", item) for inner, item in value.items()]


def _is_new(known: Known, kind: str, seen: Seen, at: datetime) -> bool:
    table = known.events if kind == "event" else known.attributes
    for name, properties in seen.items():
        before = table.get(name)
        if before is None or known.seen_at.get((kind, name), at) < at - SEEN_EVERY:
            return True
        if any(not types <= before.get(key, set()) for key, types in properties.items()):
            return True
    return False


def write(events: Seen, attributes: Seen, at: datetime) -> None:
    """List what was seen beside what is listed already."""
    database = str(connection.settings_dict["NAME"])
    known = Known()
    with transaction.atomic():
        stored = {row.name: row for row in EventName.objects.all()}
        known.events = {
            name: {key: set(types) for key, types in row.properties.items()}
            for name, row in stored.items()
        }
        known.seen_at = {("event", n): row.last_seen_at for n, row in stored.items()}
        _store(EventName, known, "event", events, at)
        listed = {row.name: row for row in AttributeName.objects.all()}
        known.attributes = {name: {"": set(row.types)} for name, row in listed.items()}
        known.seen_at |= {("attribute", n): row.last_seen_at for n, row in listed.items()}
        _store(AttributeName, known, "attribute", attributes, at)
    _known[database] = known


def _store(model: Any, known: Known, kind: str, seen: Seen, at: datetime) -> None:
    table = known.events if kind == "event" else known.attributes
    ids = dict(model.objects.filter(name__in=seen).values_list("name", "id")) if seen else {}
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for name, properties in sorted(seen.items()):
        fresh = name not in table
        if fresh and len(table) >= MAX_NAMES:
            table[name] = properties
            continue
        merged = table.setdefault(name, {})
        for key, types in properties.items():
            if key in merged or len(merged) < MAX_PROPERTIES:
                merged[key] = merged.get(key, set()) | types
        known.seen_at[kind, name] = at
        row = {"name": name, "last_seen_at": at, **_columns(kind, merged)}
        (new if fresh else changed).append({**row, "first_seen_at": at, "id": ids.get(name)})
    for row in new:
        del row["id"]
    bulk.insert(model, new, ignore_conflicts=True)
    column = "properties" if kind == "event" else "types"
    bulk.update(model, [row for row in changed if row["id"]], [column, "last_seen_at"])


def _columns(kind: str, merged: Mapping[str, set[str]]) -> dict[str, Any]:
    if kind == "event":
        return {"properties": {key: sorted(types) for key, types in merged.items()}}
    return {"types": sorted(merged.get("", set()))}
