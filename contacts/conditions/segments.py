"""``{segment: s}``, and how segments are built on segments (C5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef
from django.db.models.expressions import Combinable

from contacts.conditions import wording
from contacts.conditions.language import (
    MAX_DEPTH,
    Condition,
    Reader,
    References,
    Scope,
    form,
    parse,
)
from contacts.conditions.sql import constant
from contacts.conditions.view import View
from contacts.problems import Problems

#: So many segments, each inside the one before, are judged on the way down; what is further in is
#: judged first, and then the way is gone again. Python has an end to how deep calls may go.
DEEP = 8


@dataclass(slots=True)
class _Answers:
    """What is known of segments while one question is asked of one contact."""

    known: dict[str, bool] = field(default_factory=dict)
    depth: int = 0


class _First(Exception):
    """Another segment must be judged first."""

    def __init__(self, slug: str) -> None:
        super().__init__(slug)
        self.slug = slug


class _Inlined:
    """A segment and those it is built on, as they are stored, and what became of each in SQL."""

    def __init__(self, slug: str) -> None:
        from contacts.models import Segment

        self.ids: dict[str, int] = {}
        self.conditions: dict[str, Condition | None] = {}
        self.expressions: dict[str, Combinable] = {}
        fresh = {slug}
        while fresh:
            rows = Segment.objects.filter(slug__in=fresh).values_list("slug", "pk", "condition")
            fresh = set()
            for name, pk, data in rows:
                self.ids[name] = pk
                condition = self.conditions[name] = None if data is None else parse_segment(data)
                fresh |= condition.looks_at().segments if condition else frozenset()
            fresh -= self.ids.keys()

    def expression(self, slug: str, now: datetime, inside: tuple[str, ...]) -> Combinable:
        if slug not in self.ids or slug in inside:
            return constant(False)
        if slug not in self.expressions:
            self.expressions[slug] = self._new(slug, now, inside)
        return self.expressions[slug]

    def _new(self, slug: str, now: datetime, inside: tuple[str, ...]) -> Combinable:
        from contacts.models import Membership

        condition = self.conditions[slug]
        if condition is None:
            members = Membership.objects.filter(segment=self.ids[slug], left_at__isnull=True)
            return Exists(members.filter(contact=OuterRef("pk")))
        return condition.expression(now, (*inside, slug))


_answers: ContextVar[_Answers | None] = ContextVar("answers", default=None)
_inlined: ContextVar[_Inlined | None] = ContextVar("inlined", default=None)


@dataclass(frozen=True)
class SegmentMember(Condition):
    """The contact is a member now, counted now and not from a stored list."""

    slug: str
    title: str = field(default="", compare=False)

    def holds(self, view: View) -> bool:
        """Each segment is judged once, however many others are built on it."""
        answers = _answers.get()
        if answers is None:
            return _ask(self.slug, view)
        known = answers.known.get(self.slug)
        if known is None:
            if answers.depth == DEEP:
                raise _First(self.slug)
            answers.depth += 1
            known = answers.known[self.slug] = view.in_segment(self.slug)
            answers.depth -= 1
        return known

    def expression(self, now: datetime, inside: tuple[str, ...] = ()) -> Combinable:
        """The segment's own condition in its place; a static segment's open memberships.

        A segment that does not exist, or stands inside itself, has no members. Each is the same
        object wherever it stands, so that nothing need be said twice to the database.
        """
        inlined = _inlined.get()
        if inlined is not None:
            return inlined.expression(self.slug, now, inside)
        inlined = _Inlined(self.slug)
        token = _inlined.set(inlined)
        try:
            for slug in in_order(inlined.conditions):
                inlined.expression(slug, now, inside)
            return inlined.expression(self.slug, now, inside)
        finally:
            _inlined.reset(token)

    def words(self) -> str:
        return f"in the segment {wording.quoted(self.title or self.slug)}"

    def denial(self) -> str:
        return f"not {self.words()}"

    def looks_at(self) -> References:
        return References(segments=frozenset({self.slug}))


def _ask(slug: str, view: View) -> bool:
    """Whether the contact is a member, with what must be known of other segments found out first.

    A segment that stands inside itself has no members there.
    """
    answers = _Answers()
    token = _answers.set(answers)
    try:
        asked = [slug]
        while asked:
            try:
                answers.depth = 1
                answers.known[asked[-1]] = view.in_segment(asked[-1])
                asked.pop()
            except _First as first:
                if first.slug in asked:
                    answers.known[first.slug] = False
                else:
                    asked.append(first.slug)
        return answers.known[slug]
    finally:
        _answers.reset(token)


@form("segment", "Segment")
def _parse(data: Mapping[str, Any], reader: Reader) -> Condition:
    slug = reader.name(data, "segment", "a segment")
    reader.known(slug, "segment", reader.scope.segments, "segment")
    return SegmentMember(slug, reader.title(slug, reader.scope.segments))


def parse_segment(data: Any) -> Condition:
    """The stored condition of a segment; what is wrong in it is true of nobody."""
    return parse(data, Scope(), problems=Problems())


def built_on(slug: str, conditions: Mapping[str, Condition | None]) -> set[str]:
    """The segments that ``slug`` is built on, itself included where there is a circle.

    ``conditions``: the parsed condition of each segment, None for a static one.
    """
    found: set[str] = set()
    rest = [slug]
    while rest:
        condition = conditions.get(rest.pop())
        fresh = (condition.looks_at().segments if condition else frozenset()) - found
        found |= fresh
        rest += fresh
    return found


def time_dependent(conditions: Mapping[str, Condition | None]) -> set[str]:
    """The segments that look at the time, also inside the segments they are built on (T5)."""
    own = {slug for slug, condition in conditions.items() if condition and condition.time_dependent}
    return {slug for slug in conditions if own & (built_on(slug, conditions) | {slug})}


def in_order(conditions: Mapping[str, Condition | None]) -> list[str]:
    """The segments such that each comes after those it is built on."""
    return sorted(conditions, key=lambda slug: (len(built_on(slug, conditions)), slug))


def segment_problems(
    slug: str,
    data: Any,
    others: Mapping[str, Any] | None = None,
    place: str = "",
    topics: Iterable[str] | None = None,
) -> Problems:
    """All that is wrong with ``data`` as the condition of the segment ``slug``.

    Beside what `parse` finds: segments that do not exist, and circles (C5). ``others`` are the
    conditions as data, by slug, of all other segments (None: static); by default those stored.
    """
    data_of = dict(_stored() if others is None else others)
    data_of[slug] = data
    problems = Problems()
    scope = Scope(segments=data_of, topics=None if topics is None else frozenset(topics))
    conditions: dict[str, Condition | None] = {
        name: None if name == slug or value is None else parse_segment(value)
        for name, value in data_of.items()
    }
    conditions[slug] = parse(data, scope, place, problems)
    inner = built_on(slug, conditions)
    if slug in inner:
        _report_circle(slug, conditions, place, problems)
    elif slug in too_large({name: conditions.get(name) for name in {slug, *inner}}):
        problems.error(place, f"The segment “{slug}” is built on too many others.", HOW_LARGE)
    return problems


def _report_circle(
    slug: str, conditions: Mapping[str, Condition | None], place: str, problems: Problems
) -> None:
    condition = conditions[slug]
    for name in sorted(condition.looks_at().segments if condition else ()):
        if name == slug:
            problems.error(place, f"The segment “{slug}” is built on itself.")
        elif slug in built_on(name, conditions):
            problems.error(
                place,
                f"The segment “{slug}” is built on “{name}”, and that one on “{slug}”.",
                "Segments cannot be built in a circle.",
            )


#: So many questions, the ones of inner segments included, may a segment ask.
MAX_SIZE = 5_000
HOW_LARGE = (
    f"With those in their places it may be nested at most {MAX_DEPTH} deep"
    f" and ask at most {MAX_SIZE:,} questions."
)


def too_large(conditions: Mapping[str, Condition | None]) -> list[str]:
    """The segments that, with inner ones in their places, would be too much for a database."""
    known: dict[str, tuple[int, int]] = {}

    def measure(part: Condition) -> tuple[int, int]:
        if isinstance(part, SegmentMember):
            return known.get(part.slug, (1, 1))  # also where it stands inside itself
        measured = [measure(child) for child in part.children]
        depth = 1 + max((depth for depth, _ in measured), default=0)
        return depth, sum(size for _, size in measured) or 1

    for slug in in_order(conditions):
        condition = conditions[slug]
        known[slug] = (1, 1) if condition is None else measure(condition)
    return [
        slug for slug, (depth, size) in known.items() if depth > MAX_DEPTH + 1 or size > MAX_SIZE
    ]


def _stored() -> dict[str, Any]:
    from contacts.models import Segment

    return dict(Segment.objects.values_list("slug", "condition"))
