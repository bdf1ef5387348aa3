"""Comparisons in PostgreSQL's SQL, on jsonb as it is (C1 to C3).

jsonb compares numbers exactly, and values of different types by a rank of its own, so each order
comparison asks the type too. Texts are compared by code point (``COLLATE "C"``) and lower-cased by
ICU, which does it as Unicode says. No cast may meet a text it cannot read: a regular expression
stands before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from contacts.conditions.operators import never_true
from contacts.conditions.sql.fragments import Fragment, build
from contacts.conditions.sql.subjects import BLANKS, JsonPath, OwnField, Subject
from contacts.values import parse_duration, parse_moment

FALSE = Fragment("false")

# A day that exists, of the years 0001 to 9999, perhaps with a time and an offset.
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DAY = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP_YEAR}-02-29)"
)
_TIME = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_LONG_TIME = _TIME.replace("{1,6}", "+")
# In UTC, as texts mostly are: PostgreSQL reads it as it stands.
_PLAIN = f"^{_DAY}(?:{_TIME}Z?)?$"
_MOMENT = f"^{_DAY}{_LONG_TIME}(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?$"
# Of any other: all but the offset and the digits beyond microseconds; the offset.
_LOCAL = r"^[0-9-]{10}[T ][0-9:]{5,8}(?:\.[0-9]{1,6})?"
_OFFSET = "[+-][0-9]{2}:[0-9]{2}$"

_FIRST = datetime(1, 1, 1)  # noqa: DTZ001  PostgreSQL's timestamps here are UTC without a zone
_LAST = datetime.max  # noqa: DTZ901


def comparison(
    column: Fragment, subject: Subject, op: str, written: Any, now: datetime
) -> Fragment:
    """SQL that is true where the comparison holds, and false or NULL where it does not."""
    value = _Json(column, subject) if isinstance(subject, JsonPath) else _Own(column, subject)
    if op == "is_set":
        return value.is_set
    if op == "is_not_set":
        return build("(?) IS NOT TRUE", value.is_set)
    if op == "ne":
        return build("(?) IS NOT TRUE", FALSE if written is None else value.eq(written))
    return FALSE if never_true(op, written) else _WRITERS[op](value, written, now)


class _Json:
    """A value inside a jsonb column."""

    def __init__(self, column: Fragment, subject: JsonPath) -> None:
        *way, last = subject.steps
        holder = column
        for step in way:
            # With a text on its right the arrow reaches into objects only.
            holder = build("? -> ?::text", holder, step)
        self.json = build("(? -> ?::text)", holder, last)
        self.text = build("(? ->> ?::text)", holder, last)
        self.is_set = build("jsonb_typeof(?) <> 'null'", self.json)
        self.moment = _moment(self.has_type("string"), self.text)

    def has_type(self, name: str) -> Fragment:
        return build("jsonb_typeof(?) = ?", self.json, name)

    def eq(self, written: Any) -> Fragment:
        return build("? = ?::jsonb", self.json, _dump(written))

    def eq_any(self, items: list[Any]) -> Fragment:
        return build("? = ANY(?::jsonb[])", self.json, [_dump(item) for item in items])

    def contains_item(self, written: Any) -> Fragment:
        if isinstance(written, dict | list):
            array = build(
                "CASE WHEN ? THEN ? ELSE '[]'::jsonb END", self.has_type("array"), self.json
            )
            return build(
                "EXISTS (SELECT 1 FROM jsonb_array_elements(?) AS items(item)"
                " WHERE items.item = ?::jsonb)",
                array,
                _dump(written),
            )
        return build("(? AND ? @> ?::jsonb)", self.has_type("array"), self.json, _dump([written]))

    def order(self, sign: Fragment, written: float) -> Fragment:
        return build(
            "(? AND ? ? ?::jsonb)", self.has_type("number"), self.json, sign, _dump(written)
        )


class _Own:
    """A field of the contact, as the JSON text it stands for."""

    def __init__(self, column: Fragment, subject: OwnField) -> None:
        if subject.is_moment:
            self.is_set = build("? IS NOT NULL", column)
            self.moment = build("(? AT TIME ZONE 'UTC')", column)
            self.text = _written_out(self.moment)
        else:
            self.is_set = build("btrim(?, ?) <> ''", column, BLANKS)
            self.text = column
            self.moment = _moment(self.is_set, column)

    def has_type(self, name: str) -> Fragment:
        return self.is_set if name == "string" else FALSE

    def eq(self, written: Any) -> Fragment:
        if not isinstance(written, str):
            return FALSE
        return build("(? AND ? = ?)", self.is_set, self.text, written)

    def eq_any(self, items: list[Any]) -> Fragment:
        texts = [item for item in items if isinstance(item, str)]
        return build("(? AND ? = ANY(?::text[]))", self.is_set, self.text, texts)

    def contains_item(self, written: Any) -> Fragment:
        return FALSE

    def order(self, sign: Fragment, written: float) -> Fragment:
        return FALSE


_Value = _Json | _Own
_Writer = Callable[[_Value, Any, datetime], Fragment]


def _dump(written: Any) -> str:
    return json.dumps(written, ensure_ascii=False)


def _moment(is_text: Fragment, text: Fragment) -> Fragment:
    """The timestamp, in UTC and without a zone, that a text stands for; else NULL."""
    return build(
        "(CASE WHEN NOT ? THEN NULL WHEN ? ~ ?::text THEN ?::timestamp"
        " WHEN ? ~ ?::text THEN substring(?, ?::text)::timestamp"
        " - coalesce(substring(?, ?::text), '00:00')::interval END)",
        is_text, text, _PLAIN, text, text, _MOMENT, text, _LOCAL, text, _OFFSET,
    )  # fmt: skip


def _written_out(moment: Fragment) -> Fragment:
    """A timestamp as results write it: microseconds only where they are not zero."""
    return build(
        "(to_char(?, 'YYYY-MM-DD\"T\"HH24:MI:SS') || CASE WHEN date_trunc('second', ?) = ?"
        " THEN '' ELSE to_char(?, '.US') END || 'Z')",
        moment, moment, moment, moment,
    )  # fmt: skip


def _lowered(text: Fragment) -> Fragment:
    return build('lower(? COLLATE "und-x-icu") COLLATE "C"', text)


def _eq(value: _Value, written: Any, now: datetime) -> Fragment:
    return value.eq(written)


def _in(value: _Value, written: Any, now: datetime) -> Fragment:
    return value.eq_any([item for item in written if item is not None])


def _order(sign: str) -> _Writer:
    def write(value: _Value, written: Any, now: datetime) -> Fragment:
        if isinstance(written, str):
            return build(
                '(? AND ? COLLATE "C" ? ?)',
                value.has_type("string"), value.text, Fragment(sign), written,
            )  # fmt: skip
        return value.order(Fragment(sign), written)

    return write


def _contains(value: _Value, written: Any, now: datetime) -> Fragment:
    item = value.contains_item(written)
    if not isinstance(written, str):
        return item
    inside = build("strpos(?, ?) > 0", _lowered(value.text), written.lower())
    return build("((? AND ?) OR ?)", value.has_type("string"), inside, item)


def _starts_with(value: _Value, written: Any, now: datetime) -> Fragment:
    starts = build("starts_with(?, ?)", _lowered(value.text), written.lower())
    return build("(? AND ?)", value.has_type("string"), starts)


def _between(value: _Value, first: datetime, last: datetime, ends: str = "[]") -> Fragment:
    # A range asks for the moment once, two comparisons would work it out twice.
    return build("? <@ tsrange(?, ?, ?)", value.moment, first, last, ends)


def _before(value: _Value, written: Any, now: datetime) -> Fragment:
    return _between(value, _FIRST, _bound(written, now), "[)")


def _after(value: _Value, written: Any, now: datetime) -> Fragment:
    return _between(value, _bound(written, now), _LAST, "(]")


def _bound(written: Any, now: datetime) -> datetime:
    moment = None if written == "now" else parse_moment(written)
    return _in_utc(moment.instant if moment else now)


def _within_last(value: _Value, written: Any, now: datetime) -> Fragment:
    return _between(value, _shifted(now, written, -1), _in_utc(now))


def _within_next(value: _Value, written: Any, now: datetime) -> Fragment:
    return _between(value, _in_utc(now), _shifted(now, written, 1))


def _shifted(now: datetime, written: Any, sign: int) -> datetime:
    length: timedelta = parse_duration(written)
    try:
        return _in_utc(now) + sign * length
    except OverflowError:
        return _LAST if sign > 0 else _FIRST


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


_WRITERS: dict[str, _Writer] = {
    "eq": _eq,
    "in": _in,
    **{op: _order(sign) for op, sign in (("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<="))},
    "contains": _contains,
    "starts_with": _starts_with,
    "before": _before,
    "after": _after,
    "within_last": _within_last,
    "within_next": _within_next,
}
