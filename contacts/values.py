"""The values of the language: durations, moments, equality of JSON, dotted names (§2, §3).

Nothing here reads the clock or the database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

#: The shortest time there is between two moments.
TICK = timedelta(microseconds=1)

# --- durations ------------------------------------------------------------------------------------

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(
    "(?P<sign>[+-]?)" + "".join(f"(?:(?P<{name}>[0-9]+){unit})?" for unit, name in _UNITS.items())
)


def parse_duration(text: Any, *, signed: bool = False) -> timedelta:
    """The time that ``text`` such as ``1d12h`` stands for; with ``signed`` also ``-3d``.

    Raises ValueError, with a sentence for the person who wrote it, where it is none.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    amounts = {name: match[name] for name in _UNITS.values() if match[name]} if match else {}
    if match is None or not amounts or (match["sign"] and not signed):
        raise ValueError(f"{_quoted(text)} is not a duration; write for example 3d or 1d12h.")
    try:
        length = timedelta(**{name: int(amount) for name, amount in amounts.items()})
    except (OverflowError, ValueError):
        raise ValueError(f"{_quoted(text)} is too long a duration.") from None
    return -length if match["sign"] == "-" else length


def format_duration(length: timedelta) -> str:
    """A duration as the journey file writes it: ``1d12h``; parts of a second are dropped."""
    sign = "-" if length < timedelta(0) else ""
    return sign + ("".join(f"{amount}{name[0]}" for amount, name in _parts(length)) or "0s")


def words_duration(length: timedelta) -> str:
    """A duration as a person reads it: ``1 day 12 hours``."""
    parts = [f"{n} {name if n != 1 else name.removesuffix('s')}" for n, name in _parts(length)]
    return " ".join(parts) or "0 seconds"


def _parts(length: timedelta) -> Iterator[tuple[int, str]]:
    length = abs(length)
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    amounts = {"days": length.days, "hours": hours, "minutes": minutes, "seconds": seconds}
    return ((amount, name) for name, amount in amounts.items() if amount)


def _quoted(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"“{shown if len(shown) <= 40 else shown[:39] + '…'}”"


# --- moments --------------------------------------------------------------------------------------


class Moment(NamedTuple):
    """What an ISO 8601 text stands for: an instant in UTC, and the date itself where it is one."""

    instant: datetime
    is_date: bool
    date: date | None


_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))?)?"
)


def parse_moment(value: Any) -> Moment | None:
    """The moment a text names, by the rule of ``before`` and ``after`` (§3), else None.

    A date is its midnight in UTC, a datetime without an offset is in UTC, digits beyond
    microseconds are cut; a day that does not exist, or one beyond the calendar, is none.
    """
    return _parse_moment(value) if isinstance(value, str) else None


@lru_cache(maxsize=16384)
def _parse_moment(text: str) -> Moment | None:
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, off_hours, off_minutes = match.groups()
    try:
        midnight = datetime(int(year), int(month), int(day), tzinfo=UTC)
        if hour is None:
            return Moment(midnight, True, midnight.date())
        micros = int((fraction or "")[:6].ljust(6, "0"))
        local = midnight.replace(
            hour=int(hour), minute=int(minute), second=int(second or 0), microsecond=micros
        )
        return Moment(local - _offset(sign, off_hours, off_minutes), False, None)
    except (ValueError, OverflowError):
        return None


def _offset(sign: str | None, hours: str | None, minutes: str | None) -> timedelta:
    if sign is None or hours is None or minutes is None:
        return timedelta(0)
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError("no such offset")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return -offset if sign == "-" else offset


def format_moment(moment: datetime) -> str:
    """An aware datetime as results write it: in UTC with ``Z``, microseconds only where not 0."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


# --- JSON -----------------------------------------------------------------------------------------


def leaves(values: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    """Each value with its dotted name; objects are gone into."""
    for name in sorted(values):
        value = values[name]
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{place}{name}.")
        else:
            yield f"{place}{name}", value


# Up to here every whole number is a float of its own, and Python compares the two exactly.
_EXACT = 2**53


def number(value: float) -> float:
    """A JSON number such that Python compares any two of them as their decimal digits read.

    ``1e23`` reads as ten to the 23rd, while the float next to it is a little less; PostgreSQL hands
    the same number back as a whole one.
    """
    if type(value) is float and (value >= _EXACT or value <= -_EXACT) and value - value == 0:
        return int(Decimal(repr(value)))
    return value


def is_number(value: Any) -> bool:
    """Whether it is a number in JSON; a boolean is none (C3)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def json_eq(a: Any, b: Any) -> bool:
    """Whether two JSON values are `eq` (C3): the same type and equal, deep; 1 is equal to 1.0."""
    pairs = [(a, b)]
    while pairs:
        a, b = pairs.pop()
        if isinstance(a, dict):
            if not isinstance(b, dict) or a.keys() != b.keys():
                return False
            pairs.extend((item, b[key]) for key, item in a.items())
        elif isinstance(a, list | tuple):
            if not isinstance(b, list | tuple) or len(a) != len(b):
                return False
            pairs.extend(zip(a, b, strict=True))
        elif is_number(a):
            if not is_number(b) or number(a) != number(b):
                return False
        elif type(a) is not type(b) or a != b:
            return False
    return True


class _Text(str):
    """Text that stands in the key as it is."""


def json_key(value: Any) -> str:
    """A canonical text of a JSON value: two are equal exactly when the values are `json_eq`."""
    written: list[str] = []
    rest: list[Any] = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, _Text):
            written.append(item)
        elif isinstance(item, dict):
            written.append("{")
            rest.append(_Text("}"))
            for name in sorted(item, reverse=True):
                rest += (_Text(","), item[name], _Text(json.dumps(name) + ":"))
        elif isinstance(item, list | tuple):
            written.append("[")
            rest.append(_Text("]"))
            for element in reversed(item):
                rest += (_Text(","), element)
        elif is_number(item):
            item = number(item)
            written.append(str(int(item)) if item == item // 1 else repr(item))
        else:
            written.append(json.dumps(item))
    return "".join(written)


# --- dotted names ---------------------------------------------------------------------------------

#: A dotted name that is written to has so many parts at most: values are nested no deeper.
MAX_PARTS = 32


def too_deep(path: str) -> bool:
    """Whether a dotted name would nest objects deeper than values may be."""
    return path.count(".") >= MAX_PARTS


def get_path(mapping: Any, path: str) -> Any:
    """What a dotted name leads to, into objects only; None where it is absent (or null)."""
    for step in path.split("."):
        if not isinstance(mapping, Mapping):
            return None
        mapping = mapping.get(step)
    return mapping


def set_path(mapping: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with ``value`` at the dotted name, objects made on the way; None removes (T6).

    What is not changed is shared with ``mapping``, which itself stays as it was.
    """
    changed = dict(mapping)
    step, _, rest = path.partition(".")
    if rest or path.endswith("."):
        inner = changed.get(step)
        if isinstance(inner, Mapping):
            changed[step] = set_path(inner, rest, value)
        elif value is not None:
            changed[step] = set_path({}, rest, value)
    elif value is None:
        changed.pop(step, None)
    else:
        changed[step] = value
    return changed
