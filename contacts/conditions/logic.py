"""``all``, ``any`` and ``not``."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.db.models.expressions import Combinable

from contacts.conditions.comparisons import soonest_first
from contacts.conditions.language import Condition, Never, Reader, References, form
from contacts.conditions.sql import every, negate, some
from contacts.conditions.view import View


@dataclass(frozen=True)
class Junction(Condition):
    """Several conditions joined."""

    parts: tuple[Condition, ...]

    @property
    def children(self) -> tuple[Condition, ...]:  # type: ignore[override]
        return self.parts

    @cached_property
    def time_dependent(self) -> bool:  # type: ignore[override]
        return any(part.time_dependent for part in self.parts)

    @cached_property
    def _references(self) -> References:
        return References.of(self.parts)

    def looks_at(self) -> References:
        return self._references

    def moments(self, view: View) -> Iterable[datetime]:
        found = (moment for part in self.parts for moment in part.moments(view))
        return soonest_first(found, view.now)

    def _joined(self, word: str, *, denied: bool = False) -> str:
        """The parts that decide anything, joined with ``word``; with ``denied``, their opposites.

        Parts that are always or never true are not said: a sentence has no place for them.
        """
        sure = certain(self)
        if sure is not None:
            return "nobody" if sure is denied else "everybody"
        parts = [part for part in self.parts if certain(part) is None]
        said = [part.denial() if denied else part.words() for part in parts]
        if len(parts) == 1:
            return said[0]
        pairs = zip(parts, said, strict=True)
        return f", {word} ".join(f"({each})" if _several(part) else each for part, each in pairs)


class All(Junction):
    """True where all parts are; without parts, always."""

    def holds(self, view: View) -> bool:
        for part in self.parts:  # noqa: SIM110  a generator would cost as much as the parts
            if not part.holds(view):
                return False
        return True

    def expression(self, now: datetime, inside: tuple[str, ...] = ()) -> Combinable:
        return every(part.expression(now, inside) for part in self.parts)

    def words(self) -> str:
        return self._joined("and")

    def denial(self) -> str:
        return self._joined("or", denied=True)


class Any(Junction):
    """True where at least one part is; without parts, never."""

    def holds(self, view: View) -> bool:
        for part in self.parts:  # noqa: SIM110  as above
            if part.holds(view):
                return True
        return False

    def expression(self, now: datetime, inside: tuple[str, ...] = ()) -> Combinable:
        return some(part.expression(now, inside) for part in self.parts)

    def words(self) -> str:
        return self._joined("or")

    def denial(self) -> str:
        return self._joined("and", denied=True)


@dataclass(frozen=True)
class Not(Condition):
    """True where its part is not."""

    part: Condition

    @property
    def children(self) -> tuple[Condition, ...]:  # type: ignore[override]
        return (self.part,)

    @property
    def time_dependent(self) -> bool:  # type: ignore[override]
        return self.part.time_dependent

    def holds(self, view: View) -> bool:
        return not self.part.holds(view)

    def expression(self, now: datetime, inside: tuple[str, ...] = ()) -> Combinable:
        return negate(self.part.expression(now, inside))

    def words(self) -> str:
        return self.part.denial()

    def denial(self) -> str:
        return self.part.words()

    def looks_at(self) -> References:
        return self.part.looks_at()

    def moments(self, view: View) -> Iterable[datetime]:
        return self.part.moments(view)


def certain(condition: Condition) -> bool | None:
    """True or False where a condition is so of everybody, whatever its leaves; else None."""
    if isinstance(condition, Not):
        inner = certain(condition.part)
        return None if inner is None else not inner
    if isinstance(condition, All | Any):
        decides = isinstance(condition, Any)
        parts = {certain(part) for part in condition.parts}
        return decides if decides in parts else None if None in parts else not decides
    return False if isinstance(condition, Never) else None


def _several(condition: Condition) -> bool:
    """Whether its words join several parts."""
    if isinstance(condition, Junction):
        parts = [part for part in condition.parts if certain(part) is None]
        return len(parts) > 1 or any(map(_several, parts))
    return isinstance(condition, Not) and _several(condition.part)


@form("all", "All of these")
def _parse_all(data: Mapping[str, typing.Any], reader: Reader) -> Condition:
    parts = _parts(data, "all", reader)
    return Never() if parts is None else All(parts)


@form("any", "Any of these")
def _parse_any(data: Mapping[str, typing.Any], reader: Reader) -> Condition:
    parts = _parts(data, "any", reader)
    return Never() if parts is None else Any(parts)


@form("not", "Not")
def _parse_not(data: Mapping[str, typing.Any], reader: Reader) -> Condition:
    return Not(reader.condition(data["not"], "not"))


def _parts(
    data: Mapping[str, typing.Any], key: str, reader: Reader
) -> tuple[Condition, ...] | None:
    if not isinstance(data[key], list):
        reader.error(key, f"“{key}” is a list of conditions.")
        return None
    return tuple(reader.condition(item, key, index) for index, item in enumerate(data[key]))
