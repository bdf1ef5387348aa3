"""Conditions in SQL, the same answer on PostgreSQL and SQLite as `holds` gives in Python."""

from contacts.conditions.sql.counts import event_count
from contacts.conditions.sql.expressions import Compare as compare
from contacts.conditions.sql.expressions import constant, every, negate, some
from contacts.conditions.sql.subjects import JsonPath, OwnField

__all__ = [
    "JsonPath",
    "OwnField",
    "compare",
    "constant",
    "event_count",
    "every",
    "negate",
    "some",
]
