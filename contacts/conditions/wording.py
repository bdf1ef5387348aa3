"""Conditions in words: how names, values and operators read in a sentence.

Every form has `words` and `denial`, its opposite, so that no sentence needs a bare “not (…)”.
"""

from __future__ import annotations

import json
import re
import unicodedata
from calendar import month_name
from collections.abc import Sequence
from typing import Any

from contacts.conditions.operators import OPERATORS
from contacts.values import parse_duration, parse_moment, words_duration

#: The contact's own fields as they stand in a sentence.
OWN = {
    "email": "email",
    "external_id": "external id",
    "timezone": "time zone",
    "created_at": "creation date",
}

#: What is said where the comparison does not hold.
DENIED = {
    "eq": "is not",
    "ne": "is",
    "gt": "is not more than",
    "gte": "is not at least",
    "lt": "is not less than",
    "lte": "is not at most",
    "contains": "does not contain",
    "starts_with": "does not start with",
    "in": "is not one of",
    "is_set": "is not set",
    "is_not_set": "is set",
    "before": "is not before",
    "after": "is not after",
    "within_last": "was not in the last",
    "within_next": "is not in the next",
}

#: A text longer than this is cut, and of a list no more items are said.
LONGEST = 60
MOST = 8

_PLAIN_NAME = re.compile(r"[\w$][\w.$/:-]*")
_PLAIN_VALUE = re.compile(r"\w[\w.@+/:-]*")
#: Texts that would read as something else: numbers, and words of the sentence itself.
_NUMBER = re.compile(r"[\d.+-]+(e[\d+-]+)?", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_RESERVED = {"yes", "no", "true", "false", "null", "nothing", "now", "and", "or", "not", "where"}
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ISOLATE, _END = "\u2068", "\u2069"


def quoted(text: str) -> str:
    """A text in quotation marks, on one line, cut where it is long."""
    return _isolated(f"“{_shown(text)}”")


def attribute(name: str) -> str:
    """An attribute or own field as the subject of a sentence."""
    return OWN.get(name) or plain(name)


def plain(name: str) -> str:
    """A name of an event, attribute or property: in quotation marks where it is no one word."""
    return _isolated(_shown(name)) if _PLAIN_NAME.fullmatch(name) else quoted(name)


def value(written: Any) -> str:
    """A value as a person says it; texts that could be mistaken stand in quotation marks."""
    if isinstance(written, bool):
        return "yes" if written else "no"
    if isinstance(written, str):
        return _text(written)
    if written is None:
        return "nothing"
    return _shown(json.dumps(written, ensure_ascii=False))


def comparison(op: str, written: Any, *, denied: bool = False) -> str:
    """What follows the name in a sentence: ``is at least 10``, ``is not one of a or b``."""
    if op in ("before", "after") and written == "now":
        return f"is {'not ' if denied else ''}in the {'past' if op == 'before' else 'future'}"
    if op == "in" and isinstance(written, list) and len(written) == 1:
        op, written = "eq", written[0]
    said = DENIED[op] if denied else OPERATORS[op].label
    return said if OPERATORS[op].takes == "nothing" else f"{said} {_operand(op, written)}"


def follows(op: str, name: str, *, denied: bool = False) -> str:
    """The same where the value is the property ``name`` of the starting event."""
    given = f"the starting event’s {plain(name)}"
    if OPERATORS[op].looks_at_the_time:
        verb, side = ("was", "before") if op == "within_last" else ("is", "from")
        return f"{verb} {'not ' if denied else ''}in the time {side} now that is {given}"
    return f"{DENIED[op] if denied else OPERATORS[op].label} {given}"


def one_of(items: Sequence[str]) -> str:
    """``a, b or c``; of a long list, the first ones and how many more."""
    if not items:
        return "nothing"
    if len(items) > MOST + 1:
        return f"{', '.join(items[:MOST])} or {len(items) - MOST:,} more"
    *first, last = items
    return f"{', '.join(first)} or {last}" if first else last


def _operand(op: str, written: Any) -> str:
    takes = OPERATORS[op].takes
    if takes == "duration" and written is not None:
        return words_duration(parse_duration(written))
    if takes == "list" and isinstance(written, list):
        return one_of([value(item) for item in written])
    if takes == "moment":
        return _moment(written)
    return value(written)


def _moment(written: Any) -> str:
    moment = parse_moment(written)
    if moment is None:
        return value(written)
    at = moment.instant
    day = f"{at.day} {month_name[at.month]} {at.year}"
    return day if moment.is_date else f"{day} {at:%H:%M} UTC"


def _text(written: str) -> str:
    if not written:
        return "an empty text"
    read_as_other = written.lower() in _RESERVED or (
        _NUMBER.fullmatch(written) and not _DATE.fullmatch(written)
    )
    if read_as_other or not _PLAIN_VALUE.fullmatch(written):
        return quoted(written)
    return _isolated(_shown(written))


def _shown(text: str) -> str:
    """A text on one line and not too long, without marks that turn the sentence around."""
    line = _DIRECTIONS.sub("", re.sub(r"\s+", " ", text))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _isolated(text: str) -> str:
    """Text from right to left keeps its order to itself."""
    turns = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)
    return f"{_ISOLATE}{text}{_END}" if turns else text
