"""What a contact's page shows; every room adds its own part.

from contacts.admin import panels

@panels.section(order=30)
def subscriptions(contact, request):
    return panels.Section("Subscriptions", "label", rows=[panels.Row("Product news", "subscribed")])

@panels.timeline
def mails(contact, before, limit):
    return [panels.Entry(at=…, icon="mail", title="Welcome was sent", url=…), …]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Literal

from django.http import HttpRequest

from contacts.models import Contact, Event

Tone = Literal["", "good", "bad", "warning"]


class Phase(IntEnum):
    """What of one moment comes first: what happened, what that changed, who was let in."""

    BECAME_KNOWN, HAPPENED, CHANGED, ENTERED, WENT_THROUGH, ENDED = range(6)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a section: what it is, how it stands, and where it leads."""

    label: str
    value: str = ""
    url: str = ""
    tone: Tone = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A box beside the timeline. ``empty`` is the sentence that stands where there are no rows."""

    title: str
    icon: str
    rows: Sequence[Row] = field(default_factory=list)
    empty: str = ""
    url: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, in the timeline.

    ``rank`` orders what has the same moment by what sets off what: a phase, then a number.
    """

    at: datetime
    icon: str
    title: str
    detail: str = ""
    url: str = ""
    tone: Tone = ""
    rank: tuple[Phase, int] = (Phase.CHANGED, 0)


Sections = Callable[[Contact, HttpRequest], Section | None]
#: Called with the contact, a moment or None, and a number: the latest so many entries before it.
Source = Callable[[Contact, datetime | None, int], Sequence[Entry]]

#: Called with events: icon, title and detail of those it knows better than by their names.
Words = Callable[[Sequence[Event]], Mapping[int, tuple[str, str, str]]]

_sections: list[tuple[int, Sections]] = []
_sources: list[Source] = []
_words: list[Words] = []


def section(order: int) -> Callable[[Sections], Sections]:
    """Add a box; small orders stand on top."""

    def add(made: Sections) -> Sections:
        _sections.append((order, made))
        _sections.sort(key=lambda pair: pair[0])
        return made

    return add


def timeline(source: Source) -> Source:
    """Add a source of entries."""
    _sources.append(source)
    return source


def event_words(words: Words) -> Words:
    """Add words for events, by their pk: icon, title and detail."""
    _words.append(words)
    return words


def words_of(events: Sequence[Event]) -> dict[int, tuple[str, str, str]]:
    """Icon, title and detail of the events that a room has words for."""
    found: dict[int, tuple[str, str, str]] = {}
    for words in _words:
        found |= words(events)
    return found


def sections_of(contact: Contact, request: HttpRequest) -> list[Section]:
    """The boxes of this contact's page."""
    made = [make(contact, request) for _, make in _sections]
    return [one for one in made if one is not None]


def entries_of(contact: Contact, before: datetime | None, limit: int) -> list[Entry]:
    """The latest entries before a moment, of all sources, the newest first."""
    found = [entry for source in _sources for entry in source(contact, before, limit)]
    return sorted(found, key=lambda entry: (entry.at, entry.rank), reverse=True)[:limit]
