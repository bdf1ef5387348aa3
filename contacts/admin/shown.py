"""Values of attributes and properties as people read them: never as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from contacts.values import leaves, parse_moment

SHORT = 80


def words(value: Any) -> str:
    """A value in words."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(words(item) for item in value) or "empty list"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {words(item)}" for name, item in leaves(value)) or "empty"
    if isinstance(value, str):
        found = parse_moment(value)
        if found is None:
            return value
        return day(found.instant) if found.is_date else moment(found.instant)
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 100_000 else str(value)


def day(value: datetime) -> str:
    """A date."""
    return date_format(value, "DATE_FORMAT")


def moment(value: datetime) -> str:
    """A date and time in the time zone of the admin."""
    return date_format(timezone.localtime(value), "DATETIME_FORMAT")


def table(values: Mapping[str, Any]) -> SafeString:
    """Names and values in two columns."""
    rows = [(name, words(value)) for name, value in leaves(values)]
    if not rows:
        return format_html('<p class="p-none">{}</p>', "Nothing is known.")
    body = format_html_join("", "<tr><th>{}</th><td>{}</td></tr>", rows)
    return format_html('<table class="p-table">{}</table>', body)


def line(values: Mapping[str, Any]) -> str:
    """The first few names and values, in one line."""
    parts = [f"{name}: {_short(words(value))}" for name, value in leaves(values)]
    more = f" and {len(parts) - 4} more" if len(parts) > 4 else ""
    return " · ".join(parts[:4]) + more


def _short(text: str) -> str:
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"
