"""Contacts as a CSV file, which an import reads back."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from contacts.models import Contact
from contacts.values import format_moment, leaves

#: The contact's own columns, called as an import recognises them.
OWN = ("external_id", "email", "timezone", "locale", "created_at")
#: Rows read at a time.
SIZE = 1000
#: What makes a spreadsheet take a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def guarded(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula; numbers stay as they are."""
    if not cell.startswith(_FORMULA):
        return cell
    number = cell.lstrip("+-").replace(".", "", 1).replace(",", "", 1).replace(" ", "")
    return cell if number.isdigit() and cell[0] in "+-" else f"'{cell}"


def unguarded(cell: str) -> str:
    """A cell as it was before `guarded`."""
    return cell[1:] if cell[:1] == "'" and guarded(cell[1:]) == cell else cell


class _Echo:
    """A file that hands on what is written to it."""

    def write(self, text: str) -> str:
        return text


def lines(rows: Iterable[list[str]]) -> Iterator[str]:
    """The lines of a CSV file of rows, with the mark by which spreadsheets know UTF-8."""
    writer = csv.writer(_Echo())
    yield "\ufeff"
    for row in rows:
        yield writer.writerow(row)


def response(rows: Iterable[list[str]], filename: str) -> StreamingHttpResponse:
    """Rows as a file to be kept, sent as they are read."""
    answer = StreamingHttpResponse(lines(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{filename}"'
    answer["Cache-Control"] = "no-store"
    return answer


def contacts_csv(contacts: QuerySet[Contact]) -> Iterator[list[str]]:
    """The header, then a row for each contact; an attribute has a column, objects one for each of
    their values, with dots. Reads the contacts twice, and never holds more than some of them.
    """
    found = contacts.order_by("pk")
    names = sorted({name for one in _attributes(found) for name, _ in _known(one)})
    yield [*OWN, *map(guarded, names)]
    for contact in found.iterator(chunk_size=SIZE):
        values = dict(_known(contact.attributes))
        own = (contact.external_id or "", contact.email, contact.timezone, contact.language)
        cells = [*own, format_moment(contact.created_at), *(cell(values.get(n)) for n in names)]
        yield [guarded(one) for one in cells]


def _attributes(contacts: QuerySet[Contact]) -> Iterator[dict[str, Any]]:
    return contacts.values_list("attributes", flat=True).iterator(chunk_size=SIZE)


def _known(attributes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each value with its dotted name, but nulls and empty objects, which no cell can say."""
    return ((n, value) for n, value in leaves(attributes) if value is not None and value != {})


def cell(value: Any) -> str:
    """A value as an import reads it: a list of plain texts with commas, all else that is no text as
    JSON.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    plain = isinstance(value, list) and all(
        isinstance(one, str) and "," not in one for one in value
    )
    return ", ".join(value) if plain else json.dumps(value, ensure_ascii=False)
