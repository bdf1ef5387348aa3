"""The condition language: what a condition is, what is allowed where, and how one is parsed (§3).

Each form is a class that registers itself with `form`; rooms above add forms of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models.expressions import Combinable

from contacts.conditions.sql import constant
from contacts.conditions.view import View
from contacts.problems import Problems, under

#: Conditions nested deeper are refused: no person writes them, and databases give up on them.
MAX_DEPTH = 32


@dataclass(frozen=True)
class Scope:
    """What is allowed where a condition stands.

    - ``enrollment``: there is one, so ``message`` and ``since`` may stand (branches, ``exit_when``)
    - ``trigger``: an event starts the enrollment, so ``{trigger: q}`` may stand in ``where``
    - ``forms``: the forms that may stand here; None: all
    - ``segments``, ``topics``, ``nodes``: the slugs that exist, and the ids of the send nodes;
      None where it is not known here, so nothing is refused; a mapping leads to the names that
      people know them by, for sentences
    """

    enrollment: bool = False
    trigger: bool = False
    forms: Collection[str] | None = None
    segments: Collection[str] | None = None
    topics: Collection[str] | None = None
    nodes: Collection[str] | None = None
    depth: int = 0

    def deeper(self) -> Scope:
        """The same, one level further in."""
        return replace(self, depth=self.depth + 1)


@dataclass(frozen=True)
class References:
    """The names a condition looks at.

    ``properties`` are those of events in ``where``, ``trigger`` those of the starting event.
    ``spans`` says of each event how far back it is looked for, None without an end.
    """

    events: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()
    properties: frozenset[str] = frozenset()
    trigger: frozenset[str] = frozenset()
    spans: frozenset[tuple[str, timedelta | None]] = frozenset()

    @classmethod
    def of(cls, conditions: Iterable[Condition]) -> References:
        """The names that any of the ``conditions`` looks at."""
        return reduce(or_, (condition.looks_at() for condition in conditions), cls())

    def __or__(self, other: References) -> References:
        return References(
            *(getattr(self, each.name) | getattr(other, each.name) for each in fields(self))
        )


class Condition(ABC):
    """One parsed condition. It judges in Python (`holds`) and in SQL (`expression`), to one end."""

    #: Whether its own leaves look at the time (T5); segments it is built on are not asked.
    time_dependent: bool = False
    #: The conditions it is made of.
    children: tuple[Condition, ...] = ()

    @abstractmethod
    def holds(self, view: View) -> bool:
        """Whether it is true of one contact at one moment. Never raises (C2)."""

    @abstractmethod
    def expression(self, now: datetime, inside: tuple[str, ...] = ()) -> Combinable:
        """A boolean expression for ``Contact.objects.filter(…)``, true of those it holds for at
        ``now``. It may be NULL where it is not true: negate it with `contacts.conditions.negate`.

        ``inside`` are the segments being inlined around it. Raises TypeError where it needs an
        enrollment: there is no set of contacts for that.
        """

    @abstractmethod
    def words(self) -> str:
        """The condition as a person says it, without a full stop."""

    @abstractmethod
    def denial(self) -> str:
        """Its opposite, as a person says it, without a full stop."""

    def looks_at(self) -> References:
        """The names it looks at."""
        return References()

    def moments(self, view: View) -> Iterable[datetime]:
        """The instants after ``view.now`` from which on its truth may be another by time alone.

        Between two of them it cannot change. Where an end is included (C4), the instant is a
        microsecond after it. Segments it is built on are not asked: see `segments.built_on`.
        """
        return ()


class Never(Condition):
    """What stands for a condition that could not be parsed: true of nobody."""

    def holds(self, view: View) -> bool:
        return False

    def expression(self, now: datetime, inside: tuple[str, ...] = ()) -> Combinable:
        return constant(False)

    def words(self) -> str:
        return "nobody"

    def denial(self) -> str:
        return "everybody"


Parser = Callable[[Mapping[str, Any], "Reader"], Condition]


@dataclass(frozen=True)
class Form:
    """A form of the language: its key in the file, its label, its other keys, and its parser."""

    key: str
    label: str
    others: tuple[str, ...]
    parse: Parser


#: The forms by their key, in the order in which they registered.
FORMS: dict[str, Form] = {}


def form(key: str, label: str, others: tuple[str, ...] = ()) -> Callable[[Parser], Parser]:
    """Register the parser of the form that is known by ``key`` and may have ``others`` beside."""

    def register(parse: Parser) -> Parser:
        FORMS[key] = Form(key, label, others, parse)
        return parse

    return register


@dataclass(frozen=True)
class Reader:
    """What a parser works with: the scope, the place, and where to report problems."""

    scope: Scope
    place: str
    problems: Problems = field(default_factory=Problems)

    def error(self, key: str | int | None, message: str, hint: str = "") -> None:
        """Report an error at ``key`` below this place, or here."""
        place = self.place if key is None else under(self.place, key)
        self.problems.error(place, message, hint)

    def warning(self, key: str | int | None, message: str, hint: str = "") -> None:
        """Report, at ``key`` below this place, what is allowed and probably not meant."""
        place = self.place if key is None else under(self.place, key)
        self.problems.warning(place, message, hint)

    def below(self, *steps: str | int) -> Reader:
        """A reader for what stands at ``steps`` below this place."""
        place = self.place
        for step in steps:
            place = under(place, step)
        return replace(self, place=place)

    def condition(self, data: Any, *steps: str | int) -> Condition:
        """The condition that stands at ``steps`` below this place."""
        inner = replace(self.below(*steps), scope=self.scope.deeper())
        return read(data, inner)

    def name(self, data: Mapping[str, Any], key: str, what: str) -> str:
        """The name at ``key``: a text that is not empty and can be stored; "" after a problem."""
        value = data.get(key)
        if not isinstance(value, str) or not value:
            self.error(key, f"Give the name of {what} as text.")
            return ""
        return value if storable(value, self.below(key)) else ""

    def title(self, name: str, names: Collection[str] | None) -> str:
        """What people call the thing known by ``name``, as far as ``names`` say it."""
        title = names.get(name) if isinstance(names, Mapping) else None
        return title if isinstance(title, str) and title else name

    def known(self, name: str, key: str, names: Collection[str] | None, what: str) -> None:
        """Report a ``name`` that is not one of the known ``names``."""
        if name and names is not None and name not in names:
            self.error(key, f"There is no {what} “{name}”.", one_of(names))


def parse(
    data: Any, scope: Scope | None = None, place: str = "", problems: Problems | None = None
) -> Condition:
    """The condition that ``data`` (from JSON or YAML) writes.

    All that is wrong is reported together: to ``problems`` where it is given (and the result is
    then `Never` in the parts that are wrong), else by raising `contacts.problems.Invalid`.
    """
    reader = Reader(scope or Scope(), place)
    condition = read(data, reader)
    if problems is None:
        reader.problems.refuse()
    else:
        problems.extend(reader.problems)
    return condition


def read(data: Any, reader: Reader) -> Condition:
    """The condition at the reader's place; problems go to the reader."""
    found = _form_of(data, reader)
    if found is None:
        return Never()
    if reader.scope.forms is not None and found.key not in reader.scope.forms:
        reader.error(None, f"“{found.key}” is not allowed here.", one_of(reader.scope.forms))
        return Never()
    unknown_keys(data, (found.key, *found.others), reader)
    return found.parse(data, reader)


def _form_of(data: Any, reader: Reader) -> Form | None:
    if not isinstance(data, Mapping):
        reader.error(None, "A condition is a mapping.", "Such as {attribute: plan, op: is_set}.")
        return None
    if reader.scope.depth > MAX_DEPTH:
        reader.error(None, f"Conditions can be nested at most {MAX_DEPTH} deep.")
        return None
    keys = [key for key in FORMS if key in data]
    if len(keys) == 1:
        return FORMS[keys[0]]
    if keys:
        reader.error(
            None,
            f"This is several conditions in one: {', '.join(keys)}.",
            "Put them in a list under “all” or “any”.",
        )
    elif data:
        reader.error(None, "This is no condition.", one_of(FORMS))
    else:
        reader.error(None, "This condition says nothing yet.", "Choose what it is about.")
    return None


def unknown_keys(data: Mapping[str, Any], allowed: Collection[str], reader: Reader) -> None:
    """Report the keys that are not among the ``allowed`` ones."""
    for key in data:
        if key not in allowed:
            reader.error(str(key), f"The key “{key}” is not known here.", one_of(allowed))


def one_of(names: Iterable[str]) -> str:
    """The hint that lists what may stand in a place."""
    listed = ", ".join(sorted(names) if isinstance(names, set | frozenset) else names)
    return f"One of: {listed}." if listed else ""


def storable(value: Any, reader: Reader) -> bool:
    """Whether ``value`` is JSON that can be stored; reports where it is not.

    PostgreSQL stores neither U+0000 nor half a surrogate pair, and JSON has no NaN.
    """
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, Mapping):
            rest += [*item, *item.values()]
        elif isinstance(item, list | tuple):
            rest += item
        elif isinstance(item, str):
            if "\0" in item or any("\ud800" <= letter <= "\udfff" for letter in item):
                reader.error(None, "This text has a character that cannot be stored.")
                return False
        elif not (item is None or isinstance(item, int) or _finite(item)):
            reader.error(None, "This is not a value that JSON knows.")
            return False
    return True


def _finite(value: Any) -> bool:
    return isinstance(value, float) and value - value == 0
