"""The operators of comparisons, and how they judge in Python (§3, C1 to C3).

A test is made once from an operator and the value written beside it, and then asked of many
values, so whatever can be worked out about the written value is worked out first.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from contacts.values import TICK, is_number, json_eq, number, parse_duration, parse_moment

#: Whether a value passes, asked at a moment. The value is None where it is absent or null.
Test = Callable[[Any, datetime], bool]

#: What is written beside an operator: any JSON, a number or a text, a text, a list, a date, a
#: duration, or nothing.
Takes = Literal["any", "ordered", "text", "list", "moment", "duration", "nothing"]

#: Kinds of attributes that a form may offer, with their labels.
TYPES = {"text": "Text", "number": "Number", "yes_no": "Yes or no", "date": "Date", "list": "List"}


@dataclass(frozen=True)
class Operator:
    """One operator: its name in the file, its words, what it takes, and the `TYPES` it suits."""

    name: str
    label: str
    takes: Takes
    types: tuple[str, ...]

    @property
    def looks_at_the_time(self) -> bool:
        """Whether its truth changes by time alone, whatever is written beside it."""
        return self.takes == "duration"


OPERATORS: dict[str, Operator] = {
    each.name: each
    for each in (
        Operator("eq", "is", "any", ("text", "number", "yes_no", "date")),
        Operator("ne", "is not", "any", ("text", "number", "yes_no", "date")),
        Operator("gt", "is more than", "ordered", ("number",)),
        Operator("gte", "is at least", "ordered", ("number",)),
        Operator("lt", "is less than", "ordered", ("number",)),
        Operator("lte", "is at most", "ordered", ("number",)),
        Operator("contains", "contains", "any", ("text", "list")),
        Operator("starts_with", "starts with", "text", ("text",)),
        Operator("in", "is one of", "list", ("text", "number")),
        Operator("is_set", "is set", "nothing", tuple(TYPES)),
        Operator("is_not_set", "is not set", "nothing", tuple(TYPES)),
        Operator("before", "is before", "moment", ("date",)),
        Operator("after", "is after", "moment", ("date",)),
        Operator("within_last", "was in the last", "duration", ("date",)),
        Operator("within_next", "is in the next", "duration", ("date",)),
    )
}


def operators_for(kind: str) -> list[Operator]:
    """The operators that suit an attribute of one of the `TYPES`, in the order to offer them."""
    return [each for each in OPERATORS.values() if kind in each.types]


ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


def make_test(op: str, written: Any) -> Test:
    """The test that ``op`` with the ``written`` value stands for. Never raises (C2).

    A written None is like an absent value: only ``ne`` is true, whatever it is asked of (C1).
    """
    if op == "is_set":
        return lambda value, now: value is not None
    if op == "is_not_set":
        return lambda value, now: value is None
    if op == "ne":
        equal = _make_eq(written)
        return lambda value, now: value is None or not equal(value, now)
    return _never if written is None else _MAKERS[op](written)


def never_true(op: str, written: Any) -> bool:
    """Whether no value at all passes, because what is written does not fit the operator (C2)."""
    return op not in ("is_set", "is_not_set", "ne") and make_test(op, written) is _never


def changes(op: str, written: Any, value: Any) -> Iterator[datetime]:
    """The instants at which the test of ``value`` turns true or false by time alone."""
    moment = parse_moment(value)
    if moment is None:
        return
    at = moment.instant
    if op in ("before", "after") and written == "now":
        yield from _shifted(at, TICK if op == "before" else timedelta(0))
    length = _duration(written) if OPERATORS[op].looks_at_the_time else None
    if length is not None:
        first, last = (timedelta(0), length) if op == "within_last" else (-length, timedelta(0))
        yield from _shifted(at, first)
        yield from _shifted(at, last + TICK)


def _shifted(at: datetime, by: timedelta) -> Iterator[datetime]:
    try:
        yield at + by
    except OverflowError:
        return


# --- one maker of tests for each operator ---------------------------------------------------------


def _never(value: Any, now: datetime) -> bool:
    return False


def _make_eq(written: Any) -> Test:
    if written is None:
        return _never
    if isinstance(written, str):
        return lambda value, now: isinstance(value, str) and value == written
    if isinstance(written, bool):
        return lambda value, now: value is written
    if is_number(written):
        bound = number(written)
        return lambda value, now: (
            value == bound if type(value) is int else is_number(value) and number(value) == bound
        )
    return lambda value, now: json_eq(value, written)


def _make_order(op: str) -> Callable[[Any], Test]:
    compare = ORDER[op]

    def make(written: Any) -> Test:
        if isinstance(written, str):
            return lambda value, now: isinstance(value, str) and compare(value, written)
        if is_number(written):
            bound = number(written)
            return lambda value, now: (
                compare(value, bound)
                if type(value) is int
                else is_number(value) and compare(number(value), bound)
            )
        return _never

    return make


def _make_contains(written: Any) -> Test:
    lowered = written.lower() if isinstance(written, str) else None
    equal = _make_eq(written)

    def test(value: Any, now: datetime) -> bool:
        if isinstance(value, str):
            return lowered is not None and lowered in value.lower()
        if isinstance(value, list | tuple):
            return any(equal(item, now) for item in value)
        return False

    return test


def _make_starts_with(written: Any) -> Test:
    if not isinstance(written, str):
        return _never
    lowered = written.lower()
    return lambda value, now: isinstance(value, str) and value.lower().startswith(lowered)


def _make_in(written: Any) -> Test:
    items = [item for item in written if item is not None] if isinstance(written, list) else []
    if not items:
        return _never
    if all(isinstance(item, str) for item in items):
        texts = frozenset(items)
        return lambda value, now: isinstance(value, str) and value in texts
    tests = [_make_eq(item) for item in items]
    return lambda value, now: value is not None and any(test(value, now) for test in tests)


def _make_moment(op: str) -> Callable[[Any], Test]:
    compare = operator.lt if op == "before" else operator.gt

    def make(written: Any) -> Test:
        if written == "now":
            return lambda value, now: (
                (moment := parse_moment(value)) is not None and compare(moment.instant, now)
            )
        bound = parse_moment(written)
        if bound is None:
            return _never
        instant = bound.instant
        return lambda value, now: (
            (moment := parse_moment(value)) is not None and compare(moment.instant, instant)
        )

    return make


def _make_within(op: str) -> Callable[[Any], Test]:
    sign = 1 if op == "within_last" else -1

    def make(written: Any) -> Test:
        length = _duration(written)
        if length is None:
            return _never
        none = timedelta(0)

        def test(value: Any, now: datetime) -> bool:
            moment = parse_moment(value)
            return moment is not None and none <= sign * (now - moment.instant) <= length

        return test

    return make


def _duration(written: Any) -> timedelta | None:
    try:
        return parse_duration(written)
    except ValueError:
        return None


_MAKERS: dict[str, Callable[[Any], Test]] = {
    "eq": _make_eq,
    **{op: _make_order(op) for op in ("gt", "gte", "lt", "lte")},
    "contains": _make_contains,
    "starts_with": _make_starts_with,
    "in": _make_in,
    **{op: _make_moment(op) for op in ("before", "after")},
    **{op: _make_within(op) for op in ("within_last", "within_next")},
}
