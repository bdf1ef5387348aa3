"""``{event: n, where: […], count: {op: gte, value: 2}, within: 30d, since: entry}``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models.expressions import Combinable

from contacts.conditions import wording
from contacts.conditions.comparisons import soonest_first
from contacts.conditions.language import (
    Condition,
    Never,
    Reader,
    References,
    form,
    one_of,
    unknown_keys,
)
from contacts.conditions.operators import ORDER
from contacts.conditions.sql import event_count
from contacts.conditions.view import Occurrence, View
from contacts.conditions.where import Where, read_where
from contacts.problems import Problems
from contacts.values import TICK, is_number, parse_duration, words_duration


@dataclass(frozen=True)
class Count:
    """How many events there must be: an operator and a whole number."""

    op: str = "gte"
    value: int = 1

    @property
    def limit(self) -> int:
        """From so many events on, more of them change nothing."""
        return self.value if self.op in ("gte", "lt") else self.value + 1

    def passes(self, number: int) -> bool:
        """Whether ``number`` events are right."""
        return ORDER[self.op](number, self.value)

    def words(self) -> str:
        """How often, as a person says it."""
        if not self.passes(0) and self.passes(1) and self.passes(2):
            return "at least once"
        times = _TIMES.get(self.value, f"{self.value:,} times")
        if self.op == "ne":
            return f"any number of times but {times}"
        if self.op == "lt":
            times = f"{self.value:,} times"  # “fewer than twice” is not said
        return f"{COUNT_OPERATORS[self.op]} {times}"

    @property
    def opposite(self) -> Count:
        """True where this one is not."""
        return Count(_OPPOSITES[self.op], self.value)

    @property
    def is_none(self) -> bool:
        """Whether it asks for no event at all."""
        return self.passes(0) and not self.passes(1) and not self.passes(2)


#: The operators of ``count`` with their labels.
COUNT_OPERATORS = {
    "gte": "at least",
    "gt": "more than",
    "lte": "at most",
    "lt": "fewer than",
    "eq": "exactly",
    "ne": "not exactly",
}
_TIMES = {1: "once", 2: "twice"}
_OPPOSITES = {"gte": "lt", "lt": "gte", "gt": "lte", "lte": "gt", "eq": "ne", "ne": "eq"}


@dataclass(frozen=True)
class EventCount(Condition):
    """The contact has that many events of the name that match (C4).

    ``within``: only those that occurred in [now − within, now]; without it, all up to now.
    ``since_entry``: only those received after the fact that started the enrollment.
    """

    name: str
    where: Where = field(default_factory=Where)
    count: Count = field(default_factory=Count)
    within: timedelta | None = None
    since_entry: bool = False

    @property
    def time_dependent(self) -> bool:  # type: ignore[override]
        return self.within is not None or self.where.time_dependent

    def holds(self, view: View) -> bool:
        limit = self.count.limit
        number = 0
        for _ in self._matching(view):
            number += 1
            if number >= limit:
                break
        return self.count.passes(number)

    def _matching(self, view: View) -> Iterator[Occurrence]:
        now, within = view.now, self.within
        bound = self.where.bind(view.trigger, now) if self.where.terms else None
        for event in self._received(view):
            if event.occurred_at > now or (within is not None and now - event.occurred_at > within):
                continue
            if bound is None or bound.passes(event.properties):
                yield event

    def _received(self, view: View) -> Iterable[Occurrence]:
        events = view.events(self.name)
        if not self.since_entry:
            return events
        mark = view.entry_mark
        return () if mark is None else (event for event in events if event.id > mark)

    def expression(self, now: datetime, inside: tuple[str, ...] = ()) -> Combinable:
        if self.since_entry:
            raise TypeError("“since: entry” needs an enrollment, so it is no question about a set.")
        return event_count(
            self.name,
            self.where.expressions(now),
            now=now,
            within=self.within,
            op=self.count.op,
            value=self.count.value,
        )

    def words(self) -> str:
        return self._said(self.count)

    def denial(self) -> str:
        return self._said(self.count.opposite)

    def _said(self, count: Count) -> str:
        name, where = wording.plain(self.name), self.where.words()
        said = [f"never {name}" if count.is_none else f"{name} {count.words()}"]
        said += [f"in the last {words_duration(self.within)}"] if self.within is not None else []
        said += ["since the entry"] if self.since_entry else []
        said += [f"where {where}"] if where else []
        return " ".join(said)

    def looks_at(self) -> References:
        own = References(frozenset({self.name}), spans=frozenset({(self.name, self.within)}))
        return own | self.where.looks_at()

    def moments(self, view: View) -> Iterable[datetime]:
        return soonest_first(self._changes(view), view.now)

    def _changes(self, view: View) -> Iterator[datetime]:
        fixed = self.where.bind(view.trigger, view.now)
        for event in self._received(view):
            if self.where.time_dependent:
                yield from self.where.moments(event.properties, view.trigger)
            elif not fixed.passes(event.properties):
                continue
            yield event.occurred_at
            if self.within is not None:
                yield from _after(event.occurred_at, self.within)


def _after(occurred_at: datetime, within: timedelta) -> Iterator[datetime]:
    try:
        yield occurred_at + within + TICK
    except OverflowError:
        return


@form("event", "Event", ("where", "count", "within", "since"))
def _parse(data: Mapping[str, Any], reader: Reader) -> Condition:
    own = Reader(reader.scope, reader.place, Problems())
    name = own.name(data, "event", "an event")
    where = read_where(data["where"], own.below("where")) if "where" in data else Where()
    count = _read_count(data["count"], own.below("count")) if "count" in data else Count()
    within = _read_within(data["within"], own) if "within" in data else None
    since_entry = "since" in data
    if since_entry:
        _check_since(data["since"], own)
    reader.problems.extend(own.problems)
    if own.problems.errors or count is None:
        return Never()
    return EventCount(name, where, count, within, since_entry)


def _read_count(data: Any, reader: Reader) -> Count | None:
    if not isinstance(data, Mapping):
        reader.error(None, "“count” is a mapping.", "For example {op: gte, value: 2}.")
        return None
    unknown_keys(data, ("op", "value"), reader)
    op, value = data.get("op"), data.get("value")
    right_op = isinstance(op, str) and op in COUNT_OPERATORS
    if not right_op:
        what = "An operator is missing." if op is None else f"“{op}” is no operator of a count."
        reader.error("op", what, one_of(COUNT_OPERATORS))
    number = _whole(value)
    if number is None:
        reader.error("value", "A count is a whole number from 0.")
    return Count(str(op), number) if right_op and number is not None else None


def _whole(value: Any) -> int | None:
    if not is_number(value) or not value >= 0 or value % 1 != 0:
        return None
    return int(value)


def _read_within(text: Any, reader: Reader) -> timedelta | None:
    try:
        return parse_duration(text)
    except ValueError as error:
        reader.error("within", str(error))
        return None


def _check_since(value: Any, reader: Reader) -> None:
    if value != "entry":
        reader.error("since", "“since” can only be “entry”.")
    elif not reader.scope.enrollment:
        reader.error(
            "since",
            "There is no enrollment here, so nothing is “since: entry”.",
            "It may stand in branches and in exit_when.",
        )
