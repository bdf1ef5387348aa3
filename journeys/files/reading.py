"""From a journey file's text to its data, with the line in which each thing stands."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from contacts.problems import Invalid, Problem, Problems, under
from journeys.files.steps import NUMBER, NotJson, Step, Unreadable, json_steps, yaml_steps

#: More is no journey, and may be an attempt to use up memory.
MAX_SIZE = 4_000_000
MAX_DEPTH = 100
MAX_VALUES = 100_000
#: A number with more digits is refused; Python would take long over it.
MAX_DIGITS = 300

_NUMBER = re.compile(NUMBER)
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True)
class Located(Problem):
    """A problem with the line of the file it stands in, from 1; None where there is no line."""

    line: int | None = None

    def __str__(self) -> str:
        said = super().__str__()
        return f"line {self.line}: {said}" if self.line else said


@dataclass
class Source:
    """The data of a file, and the line in which each place of it begins."""

    data: Any
    lines: dict[str, int] = field(default_factory=dict)

    def line_of(self, place: str) -> int | None:
        """The line of the innermost thing around ``place`` that stands in the file."""
        while place and place not in self.lines:
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        return self.lines.get(place)

    def locate(self, problems: Iterable[Problem]) -> Problems:
        """The same problems with their lines, in the order of the file."""
        located = [
            one
            if isinstance(one, Located)
            else Located(one.place, one.message, one.hint, one.level, self.line_of(one.place))
            for one in problems
        ]
        return Problems(sorted(located, key=lambda one: getattr(one, "line", None) or 0))


def read(text: str) -> Any:
    """The data of a journey file. Raises Invalid with all that is wrong with the text."""
    problems = Problems()
    source = read_source(text, problems)
    if source is None or problems.errors:
        raise Invalid(problems)
    return source.data


def read_source(text: str, problems: Problems) -> Source | None:
    """The data of a journey file with its lines; None where the text can't be read."""
    if len(text) > MAX_SIZE:
        problems.append(Located("", f"The file has more than {MAX_SIZE:,} characters."))
        return None
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("{"):
        found = Problems()
        try:
            return _Builder(found).build(json_steps(text), problems)
        except (NotJson, Unreadable):
            pass
    try:
        return _Builder(Problems()).build(yaml_steps(text), problems)
    except Unreadable as error:
        problems.append(Located("", str(error), error.hint, line=error.line))
        return None


@dataclass
class _Open:
    """A mapping or list that is being read."""

    value: Any
    place: str
    line: int
    anchor: str | None
    began: int
    key: str | None = None
    #: Whether the key stood before, so that what comes is not kept.
    twice: bool = False


@dataclass
class _Anchored:
    value: Any
    size: int
    depth: int


class _Builder:
    """Makes data of steps, without recursion and within the limits."""

    def __init__(self, found: Problems) -> None:
        self.found = found
        self.source = Source(None)
        self.stack: list[_Open] = []
        self.anchors: dict[str, _Anchored] = {}
        self.count = 0

    def build(self, steps: Iterator[Step], problems: Problems) -> Source:
        """The data; what is wrong with it is added to ``problems`` once all of it could be read."""
        for step in steps:
            self._take(step)
        problems.extend(self.found)
        return self.source

    def _take(self, step: Step) -> None:
        if step.kind == "end":
            closed = self.stack.pop()
            self._keep(closed.anchor, closed.value, closed.began)
            return
        here = self.stack[-1] if self.stack else None
        if here is not None and isinstance(here.value, dict) and here.key is None:
            self._key(here, step)
            return
        place = self._place(here)
        self.source.lines.setdefault(place, step.line)
        self._spend(step, 1, 1)
        if step.kind in ("map", "list"):
            value: Any = {} if step.kind == "map" else []
            opened = _Open(value, place, step.line, step.anchor, self.count)
            self._put(here, value)
            self.stack.append(opened)
        else:
            value = self._alias(step) if step.kind == "alias" else self._scalar(step, place)
            self._keep(step.anchor, value, self.count)
            self._put(here, value)

    def _key(self, here: _Open, step: Step) -> None:
        if step.kind != "scalar":
            raise Unreadable(step.line, "A key must be text.")
        here.key = step.text
        place = under(here.place, step.text)
        here.twice = step.text in here.value
        if here.twice:
            first = self.source.lines.get(place)
            self._error(
                place, step.line, "This key stands twice.", f"It stands in line {first} too."
            )
        self.source.lines.setdefault(place, step.line)
        self._text(step.text, place, step.line)

    @staticmethod
    def _place(here: _Open | None) -> str:
        if here is None:
            return ""
        return under(
            here.place, len(here.value) if isinstance(here.value, list) else here.key or ""
        )

    def _put(self, here: _Open | None, value: Any) -> None:
        if here is None:
            self.source.data = value
        elif isinstance(here.value, list):
            here.value.append(value)
        else:
            if not here.twice:
                here.value[here.key] = value
            here.key = None

    def _scalar(self, step: Step, place: str) -> Any:
        if not step.plain:
            return self._text(step.text, place, step.line)
        if step.text in _WORDS:
            return _WORDS[step.text]
        if not _NUMBER.fullmatch(step.text):
            return self._text(step.text, place, step.line)
        if len(step.text) <= MAX_DIGITS:
            number = float(step.text) if set(step.text) & set(".eE") else int(step.text)
            if abs(number) != float("inf"):
                return number
        self._error(place, step.line, "This number is too large.")
        return None

    def _text(self, text: str, place: str, line: int) -> str:
        """``text`` with halves of surrogate pairs joined; what can't be stored is reported."""
        try:
            joined = text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            joined = ""
        if "\0" in joined or (text and not joined):
            self._error(place, line, "This text has a character that cannot be stored.")
        return joined

    def _error(self, place: str, line: int, message: str, hint: str = "") -> None:
        self.found.append(Located(place, message, hint, line=line))

    # anchors and aliases, within the limits

    def _alias(self, step: Step) -> Any:
        known = self.anchors.get(step.text)
        if known is None:
            raise Unreadable(step.line, f"The anchor “{step.text}” is not known here.")
        self._spend(step, known.size, known.depth)
        return copy.deepcopy(known.value)

    def _keep(self, anchor: str | None, value: Any, began: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = _Anchored(value, self.count - began + 1, _depth(value))

    def _spend(self, step: Step, size: int, depth: int) -> None:
        self.count += size
        if self.count > MAX_VALUES:
            raise Unreadable(step.line, f"The file holds more than {MAX_VALUES:,} values.")
        if len(self.stack) + depth > MAX_DEPTH:
            raise Unreadable(step.line, f"Things are nested more than {MAX_DEPTH} deep.")


def _depth(value: Any) -> int:
    """How deep a value is nested; a scalar is 1 deep."""
    deepest, rest = 1, [(value, 1)]
    while rest:
        item, depth = rest.pop()
        deepest = max(deepest, depth)
        if isinstance(item, dict | list):
            rest += [
                (one, depth + 1) for one in (item.values() if isinstance(item, dict) else item)
            ]
    return deepest
