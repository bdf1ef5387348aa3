"""``where``: what the properties of one event must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models.expressions import Combinable

from contacts.conditions import wording
from contacts.conditions.comparisons import Comparison, TriggerComparison, read_comparison
from contacts.conditions.language import Reader, References, Scope, unknown_keys
from contacts.conditions.operators import Test
from contacts.conditions.sql import JsonPath, compare
from contacts.problems import Problems
from contacts.values import get_path


@dataclass(frozen=True)
class Term:
    """One entry of ``where``: a property, an operator and a value."""

    name: str
    comparison: Comparison

    @property
    def follows_trigger(self) -> bool:
        """Whether the value is a property of the starting event."""
        return isinstance(self.comparison, TriggerComparison)

    def words(self) -> str:
        """The entry as a person says it."""
        return f"{wording.plain(self.name)} {self.comparison.words()}"


class Bound:
    """A ``where`` for one starting event, ready to be asked of many events at one moment."""

    __slots__ = ("now", "tests")

    def __init__(self, tests: list[tuple[str, Test]], now: datetime) -> None:
        self.tests = tests
        self.now = now

    def passes(self, properties: Mapping[str, Any]) -> bool:
        """Whether an event with these properties matches."""
        return all(test(get_path(properties, path), self.now) for path, test in self.tests)


@dataclass(frozen=True)
class Where:
    """All ``terms`` must hold of one event; without any, every event matches."""

    terms: tuple[Term, ...] = ()

    @cached_property
    def time_dependent(self) -> bool:
        """Whether what matches changes by time alone."""
        return any(term.comparison.time_dependent for term in self.terms)

    def matches(
        self, properties: Mapping[str, Any], trigger: Mapping[str, Any] | None, now: datetime
    ) -> bool:
        """Whether an event with these ``properties`` matches at ``now``.

        ``trigger``: the properties of the event that started the enrollment, None where none did.
        """
        return not self.terms or self.bind(trigger, now).passes(properties)

    def bind(self, trigger: Mapping[str, Any] | None, now: datetime) -> Bound:
        """The same for one starting event and one moment, to ask of many events."""
        tests = [(term.name, term.comparison.bind(trigger).test) for term in self.terms]
        return Bound(tests, now)

    def expressions(self, now: datetime) -> list[Combinable]:
        """Boolean expressions for ``Event.objects.filter(…)``.

        Raises TypeError where a term follows the starting event.
        """
        if any(term.follows_trigger for term in self.terms):
            raise TypeError("{trigger: …} needs an enrollment, so it is no question about a set.")
        return [
            compare(JsonPath("properties", term.name), term.comparison, now) for term in self.terms
        ]

    def moments(
        self, properties: Mapping[str, Any], trigger: Mapping[str, Any] | None
    ) -> Iterator[datetime]:
        """The instants at which it may match an event, or no longer, by time alone."""
        for term in self.terms:
            yield from term.comparison.bind(trigger).moments(get_path(properties, term.name))

    def looks_at(self) -> References:
        """The properties it looks at."""
        return References(
            properties=frozenset(term.name for term in self.terms),
            trigger=frozenset(
                str(term.comparison.written) for term in self.terms if term.follows_trigger
            ),
        )

    def words(self) -> str:
        """The terms as a person says them; "" where there are none."""
        return " and ".join(term.words() for term in self.terms)


def parse_where(
    data: Any, scope: Scope | None = None, place: str = "", problems: Problems | None = None
) -> Where:
    """The ``where`` that ``data`` writes; problems are reported as by `language.parse`."""
    reader = Reader(scope or Scope(), place)
    where = read_where(data, reader)
    if problems is None:
        reader.problems.refuse()
    else:
        problems.extend(reader.problems)
    return where


def read_where(data: Any, reader: Reader) -> Where:
    """The ``where`` at the reader's place; problems go to the reader."""
    if not isinstance(data, list):
        reader.error(
            None, "“where” is a list.", "For example [{property: plan, op: eq, value: pro}]."
        )
        return Where()
    read = [_read_term(item, reader.below(index)) for index, item in enumerate(data)]
    return Where(tuple(term for term in read if term))


def _read_term(data: Any, reader: Reader) -> Term | None:
    if not isinstance(data, Mapping):
        reader.error(
            None, "This is a mapping.", "For example {property: plan, op: eq, value: pro}."
        )
        return None
    unknown_keys(data, ("property", "op", "value"), reader)
    name = reader.name(data, "property", "a property")
    comparison = read_comparison(data, reader, may_trigger=True)
    return Term(name, comparison) if name and comparison else None
