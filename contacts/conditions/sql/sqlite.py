"""Comparisons in SQLite's SQL: plain SQL where it is exact, else a function in Python (C1 to C3).

SQLite's JSON functions turn ``true`` into 1, read the last digit of a fraction as they please and
do not undo escapes in keys; its own ``lower`` knows ASCII only. So plain SQL is for the common
questions about texts, whole numbers and booleans, each with its JSON type, and the functions at
the end, registered with each connection, answer the rest just as `holds` does.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.db.backends.signals import connection_created
from django.dispatch import receiver

from contacts.conditions.operators import Test, make_test, never_true
from contacts.conditions.sql.fragments import Fragment, build, join
from contacts.conditions.sql.subjects import BLANKS, JsonPath, Subject
from contacts.values import format_moment, get_path

FALSE = Fragment("0")

_SIGNS = {
    op: Fragment(sign)
    for op, sign in (("eq", "="), ("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<="))
}
# Keys that stand in stored JSON as they are, and in a quoted step of a path too.
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_ -]+")
# Up to here SQLite compares every number it finds in JSON exactly with a whole one.
_EXACT = 2**53


def comparison(
    column: Fragment, subject: Subject, op: str, written: Any, now: datetime
) -> Fragment:
    """SQL that is true where the comparison holds, and false or NULL where it does not."""
    if op in ("ne", "is_not_set"):
        positive = "eq" if op == "ne" else "is_set"
        return build("(?) IS NOT TRUE", comparison(column, subject, positive, written, now))
    if op != "is_set" and never_true(op, written):
        return FALSE
    asked = _Asked(op, written, now)
    if isinstance(subject, JsonPath):
        if all(_PLAIN_KEY.fullmatch(step) for step in subject.steps):
            return _at_plain_keys(column, subject, asked)
        return asked.of_document(column, subject)
    if subject.is_moment:
        return build("? IS NOT NULL", column) if op == "is_set" else asked.of_moment(column)
    is_set = build("trim(?, ?) <> ''", column, BLANKS)
    return is_set if op == "is_set" else build("(? AND ?)", is_set, asked.of_text(column))


class _Asked:
    """What is asked, of a text, a moment, or a value inside a document."""

    def __init__(self, op: str, written: Any, now: datetime) -> None:
        self.op, self.written = op, written
        self.arguments = build("?, ?, ?", op, json.dumps(written), now.astimezone(UTC).isoformat())

    def of_document(self, column: Fragment, subject: JsonPath) -> Fragment:
        return build("condition_json(?, ?, ?)", column, subject.path, self.arguments)

    def of_moment(self, stored: Fragment) -> Fragment:
        return build("condition_moment(?, ?)", stored, self.arguments)

    def of_text(self, text: Fragment) -> Fragment:
        op, written = self.op, self.written
        in_python = build("condition_text(?, ?)", text, self.arguments)
        if op in _SIGNS:
            return build("? ? ?", text, _SIGNS[op], written) if _is_text(written) else FALSE
        if op == "in":
            listed = (build("?", item) for item in written if _is_text(item))
            return build("? IN ?", text, join(", ", listed))
        if op in ("contains", "starts_with") and _is_text(written) and written.isascii():
            # The lower-casing of SQLite is right where it finds something, and in ASCII.
            found = build("instr(lower(?), ?)", text, written.lower())
            return build(
                "CASE WHEN ? ? THEN 1 WHEN ? GLOB '*[^ -~]*' THEN ? ELSE 0 END",
                found, Fragment("> 0" if op == "contains" else "= 1"), text, in_python,
            )  # fmt: skip
        return in_python


def _is_text(written: Any) -> bool:
    return isinstance(written, str)


def _at_plain_keys(column: Fragment, subject: JsonPath, asked: _Asked) -> Fragment:
    """The comparison by the JSON type of the value, at keys that SQLite finds."""
    path = "$" + "".join(f'."{step}"' for step in subject.steps)
    kind = build("json_type(?, ?)", column, path)
    value = build("json_extract(?, ?)", column, path)
    op, written = asked.op, asked.written
    if op == "is_set":
        return build("? <> 'null'", kind)
    if op == "eq" and isinstance(written, bool):
        return build("? = ?", kind, "true" if written else "false")
    exactly = asked.of_document(column, subject)
    if op in _SIGNS and isinstance(written, int) and abs(written) <= _EXACT:
        return build(
            "(CASE ? WHEN 'integer' THEN ? ? ? WHEN 'real' THEN ? ELSE 0 END)",
            kind, value, _SIGNS[op], written, exactly,
        )  # fmt: skip
    if _texts_only(op, written):
        return build("(? = 'text' AND ?)", kind, asked.of_text(value))
    return build("(CASE ? WHEN 'text' THEN ? ELSE ? END)", kind, asked.of_text(value), exactly)


def _texts_only(op: str, written: Any) -> bool:
    """Whether no value but a text can pass."""
    if op in ("before", "after", "within_last", "within_next", "starts_with"):
        return True
    if op == "in":
        return all(isinstance(item, str) for item in written)
    return op in _SIGNS and isinstance(written, str)


# --- in Python ------------------------------------------------------------------------------------


def _condition_json(document: str | None, path: str, op: str, written: str, now: str) -> bool:
    value = None if document is None else get_path(_loaded(document), path)
    return _test(op, written)(value, _moment(now))


def _condition_text(text: str | None, op: str, written: str, now: str) -> bool:
    return _test(op, written)(text, _moment(now))


def _condition_moment(stored: str | None, op: str, written: str, now: str) -> bool:
    value = None if stored is None else format_moment(_moment(stored))
    return _test(op, written)(value, _moment(now))


def _lower(value: Any) -> str | None:
    """SQL's ``lower`` for all letters, as PostgreSQL has it: addresses are found and indexed so."""
    return None if value is None else str(value).lower()


@lru_cache(maxsize=64)
def _loaded(document: str) -> Any:
    return json.loads(document)


@lru_cache(maxsize=1024)
def _test(op: str, written: str) -> Test:
    return make_test(op, json.loads(written))


@lru_cache(maxsize=64)
def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_FUNCTIONS = {
    "condition_json": (5, _condition_json),
    "condition_text": (4, _condition_text),
    "condition_moment": (4, _condition_moment),
    "lower": (1, _lower),
}


@receiver(connection_created, dispatch_uid="contacts.conditions.sql.sqlite")
def register_functions(connection: Any, **kwargs: Any) -> None:
    """Give a new connection to SQLite the functions that comparisons use."""
    if connection.vendor == "sqlite":
        for name, (arguments, function) in _FUNCTIONS.items():
            connection.connection.create_function(name, arguments, function, deterministic=True)
