"""``{segment: s}``, and how segments are built on segments (C5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


@dataclass(frozen=True)
class SegmentMember(Condition):
    """The contact is a member now, counted now and not from a stored list."""

    slug: str
    title: str = field(default="", compare=False)

    def holds(self, view: View) -> bool:
        return view.in_segment(self.slug)

    def expression(self, now: datetime, inside: tuple[str, ...] = ()) -> Combinable:
        """The segment's own condition in its place; a static segment's open memberships.

        A segment that does not exist, or stands inside itself, has no members.
        """
        from contacts.models import Membership, Segment

        found = Segment.objects.filter(slug=self.slug).values_list("pk", "condition").first()
        if found is None or self.slug in inside:
            return constant(False)
        pk, data = found
        if data is None:
            members = Membership.objects.filter(segment=pk, left_at__isnull=True)
            return Exists(members.filter(contact=OuterRef("pk")))
        return parse_segment(data).expression(now, (*inside, self.slug))

    def words(self) -> str:
        return f"in the segment {wording.quoted(self.title or self.slug)}"

    def denial(self) -> str:
        return f"not {self.words()}"

    def looks_at(self) -> References:
        return References(segments=frozenset({self.slug}))


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
    conditions[slug] = condition = parse(data, scope, place, problems)
    if slug in built_on(slug, conditions):
        _report_circle(slug, conditions, place, problems)
    elif _is_too_large(condition, conditions):
        problems.error(place, f"The segment “{slug}” is built on too many others.")
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


def _is_too_large(condition: Condition, conditions: Mapping[str, Condition | None]) -> bool:
    """Whether, with inner segments in their places, it would be too much for a database."""

    def of_segment(name: str) -> tuple[int, int]:
        if name not in known:
            known[name] = (1, 1)  # also where it is met again inside itself
            inner = conditions.get(name)
            known[name] = known[name] if inner is None else measure(inner)
        return known[name]

    def measure(part: Condition) -> tuple[int, int]:
        if isinstance(part, SegmentMember):
            return of_segment(part.slug)
        measured = [measure(child) for child in part.children]
        depth = 1 + max((depth for depth, _ in measured), default=0)
        return depth, sum(size for _, size in measured) or 1

    known: dict[str, tuple[int, int]] = {}
    depth, size = measure(condition)
    return depth > MAX_DEPTH + 1 or size > MAX_SIZE


def _stored() -> dict[str, Any]:
    from contacts.models import Segment

    return dict(Segment.objects.values_list("slug", "condition"))
