"""Attributes and properties edited as rows of name, type and value."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from contacts.imports.mapping import CONVERTERS, TYPES
from contacts.items import Refused, check_value, clean_changes
from contacts.values import leaves, parse_moment, set_path


def type_of(value: Any) -> str:
    """The type a value is edited as; empty where rows can't say it."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text" if parse_moment(value) is None else "date"
    if isinstance(value, list) and all(isinstance(i, str) and "," not in i for i in value):
        return "list"
    return ""


def text_of(value: Any) -> str:
    """The value as it stands in its row."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)


class RowsWidget(forms.Widget):
    """The rows; what they can't say is left out of them and kept."""

    template_name = "contacts/admin/rows.html"

    class Media:
        css = {"all": ["contacts/people.css"]}
        js = ["contacts/rows.js"]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        # An address of the page can say what a new form begins with, but no rows.
        rows = value if isinstance(value, list) else _rows(value if isinstance(value, dict) else {})
        context["widget"] |= {"rows": rows, "types": TYPES}
        return context

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[dict[str, str]]:
        columns = [data.getlist(f"{name}-{part}") for part in ("name", "type", "value")]
        rows = zip(*columns, strict=False)
        return [
            {"name": row[0].strip(), "type": row[1], "value": row[2]} for row in rows if any(row)
        ]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False


def _untouched(row: Mapping[str, str], value: Any) -> bool:
    """Whether a row is as it was shown; what a field of one line can't show does not count."""
    shown = re.sub(r"[\r\n]", "", text_of(value)).strip()
    return row["type"] == type_of(value) and row["value"].strip() == shown


def _rows(values: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"name": name, "type": type_of(value), "value": text_of(value)}
        for name, value in leaves(values)
        if type_of(value)
    ]


class RowsField(forms.Field):
    """An object, edited as rows. ``initial`` must be set to the object that is edited."""

    widget = RowsWidget

    def __init__(self, *, reserved: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: Names that no new row may have.
        self.reserved = reserved

    def clean(self, value: Any) -> dict[str, Any]:
        """The object as it is to be. Raises ``ValidationError`` naming the row."""
        kept: dict[str, Any] = dict(self.initial or {})
        stood = {name: old for name, old in leaves(kept) if type_of(old)}
        for name in stood:
            kept = set_path(kept, name, None)
        seen: set[str] = set()
        for row in value:
            name = row["name"]
            if not name and not row["value"]:
                continue
            if name in seen:
                raise ValidationError(f"There are two rows “{name}”.")
            seen.add(name)
            if name in stood and _untouched(row, stood[name]):
                kept = set_path(kept, name, stood[name])
            else:
                kept = self._with_row(kept, row)
        try:
            check_value(kept, "attributes")
        except Refused as refused:
            raise ValidationError(refused.message) from None
        return kept

    def _with_row(self, values: dict[str, Any], row: Mapping[str, str]) -> dict[str, Any]:
        kind, text = row["type"], row["value"].strip()
        if not text:
            return values
        if row["name"] in self.reserved:
            raise ValidationError(f"“{row['name']}” is no name for this: there is a field for it.")
        try:
            value = CONVERTERS[kind](text)
            clean_changes({row["name"]: value})
        except Refused as refused:
            raise ValidationError(refused.message) from None
        except (ValueError, KeyError):
            what = TYPES.get(kind, kind).lower()
            raise ValidationError(f"“{text}” in “{row['name']}” is no {what}.") from None
        return set_path(values, row["name"], value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or {}) != self.clean(data)) if isinstance(data, list) else False
