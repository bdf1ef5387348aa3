"""What each column of a file is, and what its cells become."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contacts.exporting import unguarded
from contacts.imports.reading import Row
from contacts.items import (
    MAX_ATTRIBUTE_NAME,
    MAX_INTEGER,
    UNFIT,
    Refused,
    check_value,
    clean_changes,
)
from contacts.models import AttributeName
from contacts.values import parse_moment

#: What a column may be mapped to, in the words of the admin.
TARGETS = {
    "skip": "Leave out",
    "external_id": "User id",
    "email": "Email address",
    "timezone": "Time zone",
    "language": "Language",
    "created_at": "Created at",
    "attribute": "Attribute",
    "attributes": "Several attributes, as JSON",
    "topic": "Subscription to a topic",
}
#: Columns whose values may be kept from being overwritten, one by one.
KEEPABLE = ("email", "timezone", "language", "attribute", "attributes")
TYPES = {
    "text": "Text",
    "number": "Number",
    "boolean": "Yes or no",
    "date": "Date",
    "list": "List",
}
#: What stands before the columns of a file of refused rows.
REFUSED = ("Line", "Reason")
_ONCE = ("external_id", "email", "timezone", "language", "created_at", "attributes")
_KNOWN = {
    "external_id": ("externalid", "userid", "id", "customerid", "contactid", "kundennummer"),
    "email": ("email", "emailaddress", "mail", "emailadresse", "address"),
    "timezone": ("timezone", "tz", "zeitzone"),
    "language": ("locale",),
    "created_at": ("createdat", "created", "signedupat", "signupdate"),
    "attributes": ("attributes",),
}
_TRUE = {"true", "yes", "y", "1", "t", "on", "ja", "oui", "si", "subscribed"}
_FALSE = {"false", "no", "n", "0", "f", "off", "nein", "non", "unsubscribed"}
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?[0-9]*[.,][0-9]+(?:[eE][+-]?[0-9]{1,2})?")
_DAY_FIRST = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name in the file and what it is mapped to."""

    name: str
    to: str = "attribute"
    #: The attribute's name, or the topic's slug.
    target: str = ""
    type: str = "text"
    #: Whether it is written only where nothing is known yet, whatever holds for the other columns.
    keep: bool = False

    def as_json(self) -> dict[str, Any]:
        """As ``Import.mapping`` keeps it."""
        keep = {"keep": True} if self.keep else {}
        return {"column": self.name, "to": self.to, "name": self.target, "type": self.type, **keep}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Column:
        """Back from ``Import.mapping``."""
        name, kind = data.get("name", ""), data.get("type", "text")
        return cls(data["column"], data["to"], name, kind, data.get("keep", False))


@dataclass(slots=True)
class Reading:
    """What a row says about a contact."""

    fields: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    topics: dict[str, bool] = field(default_factory=dict)
    created_at: datetime | None = None
    #: The fields and attributes that may only be filled in.
    keep: set[str] = field(default_factory=set)


def recognise(names: Sequence[str], sample: Sequence[Row]) -> list[Column]:
    """A mapping to begin with: fields by their names, all else attributes of the type they show."""
    known = dict(AttributeName.objects.values_list("name", "types"))
    fields: set[str] = set()
    taken: set[str] = set()
    targets: set[str] = set()
    columns = []
    for index, name in enumerate(names):
        plain = re.sub(r"[^a-z]", "", name.lower())
        to = next((to for to, words in _KNOWN.items() if plain in words and to not in fields), "")
        if index < len(REFUSED) and tuple(names[: len(REFUSED)]) == REFUSED:
            columns.append(Column(name, "skip"))  # what a file of refused rows has in front
        elif to:
            fields.add(to)
            if to != "language":  # the one field by whose name an attribute may be called
                taken.add(to)
            columns.append(Column(name, to))
        elif not name or name in taken:
            columns.append(Column(name, "skip"))
        else:
            taken.add(name)
            cells = [row.cells[index].strip() for row in sample if len(row.cells) > index]
            own = unguarded(name)
            target = attribute_name(own, known)
            if target in names or target in targets:
                target = plain_name(own)  # another column is called so
            targets.add(target)
            kind = type_of([cell for cell in cells if cell], known.get(target, []))
            columns.append(Column(name, "attribute", target, kind))
    return columns


def attribute_name(column: str, known: Iterable[str] = ()) -> str:
    """A column's name as that of an attribute: one that is known already, however it is spelled.

    “First name” is the attribute ``first_name``, also where nobody has it yet: names with blanks or
    capitals are found neither by conditions nor by templates. Empty steps between dots go.
    """
    same = _letters(column)
    for name in known:
        if _letters(name) == same:
            return name
    if re.search(r"\s", column) or column[:1].isupper():
        column = re.sub(r"[\s-]+", "_", column.strip().lower())
    return plain_name(column)


def plain_name(column: str) -> str:
    """A column's own name as that of an attribute."""
    return ".".join(step for step in column.split(".") if step)[:MAX_ATTRIBUTE_NAME]


def _letters(name: str) -> str:
    """What is left of a name without case, blanks, underscores and hyphens."""
    return re.sub(r"[\s_-]+", "", name.casefold())


def type_of(cells: Sequence[str], known: Sequence[str]) -> str:
    """The type that the catalogue knows and the cells bear, else the one the cells show."""
    if set(known) == {"list"}:
        return "list"
    for kind in ("number", "boolean", "date"):
        names = {"date": {"date", "datetime"}}.get(kind, {kind})
        fits = bool(cells) and all(_fits(cell, kind) for cell in cells)
        if fits and (names & set(known) or (not known and not _is_code(cells, kind))):
            return kind
    return "text"


def _is_code(cells: Sequence[str], kind: str) -> bool:
    """Digits that are no number to count with: they begin with a zero, or are 0 and 1 alone."""
    if kind == "number":
        return any(len(cell) > 1 and cell[0] == "0" and cell[1].isdigit() for cell in cells)
    return kind == "boolean" and set(cells) <= {"0", "1"}


def _fits(cell: str, kind: str) -> bool:
    try:
        CONVERTERS[kind](cell)
    except ValueError:
        return False
    return True


def problems(columns: Sequence[Column]) -> list[str]:
    """What is wrong with a mapping, in sentences."""
    found = []
    for to in _ONCE:
        if sum(column.to == to for column in columns) > 1:
            found.append(f"Only one column can be “{TARGETS[to]}”.")
    if not any(column.to in ("external_id", "email") for column in columns):
        found.append("One column must be the user id or the email address.")
    names = [column.target for column in columns if column.to == "attribute"]
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.append(f"Two columns are the attribute “{name}”.")
    found += [_name_problem(column) for column in columns if column.to == "attribute"]
    return [text for text in found if text]


def _name_problem(column: Column) -> str:
    name = column.target
    if not name or not all(name.split(".")) or len(name) > MAX_ATTRIBUTE_NAME:
        return f"The column “{column.name}” needs the name of an attribute."
    if name in ("email", "external_id", "timezone", "created_at"):
        return f"“{name}” is no attribute: choose the field of that name."
    return ""


class Reader:
    """Turns rows into readings, by a mapping."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = [
            (index, column, CONVERTERS.get(column.type, str))
            for index, column in enumerate(columns)
            if column.to != "skip"
        ]

    def read(self, row: Row) -> Reading:
        """What the row says; an empty cell says nothing. Raises ``Refused``."""
        if row.problem:
            raise Refused("unreadable", row.problem)
        if UNFIT.search("\n".join(row.cells)):
            raise Refused("invalid_text", "A cell holds a character that no text may have.")
        reading = Reading()
        several: dict[str, Any] = {}
        for index, column, convert in self.columns:
            cell = unguarded(row.cells[index].strip()) if index < len(row.cells) else ""
            if not cell:
                continue
            if column.to == "attribute":
                try:
                    reading.attributes[column.target] = convert(cell)
                except ValueError:
                    raise _unfit(column, cell, TYPES[column.type].lower()) from None
            elif column.to == "attributes":
                several = clean_changes(_json(column, cell))
                if column.keep:
                    reading.keep |= several.keys()
            elif column.to == "topic":
                reading.topics[column.target] = _yes_or_no(column, cell)
            elif column.to == "created_at":
                reading.created_at = _instant(column, cell)
            else:
                reading.fields[column.to] = cell
            if column.keep:
                reading.keep.add(column.target or column.to)
        reading.attributes.update(several)
        return reading


def _unfit(column: Column, cell: str, what: str) -> Refused:
    return Refused("unfit", f"“{cell[:50]}” in “{column.name}” is no {what}.")


def _json(column: Column, cell: str) -> dict[str, Any]:
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        raise _unfit(column, cell, "JSON object") from None
    if not isinstance(value, dict):
        raise _unfit(column, cell, "JSON object")
    return value


def _yes_or_no(column: Column, cell: str) -> bool:
    try:
        return _boolean(cell)
    except ValueError:
        raise _unfit(column, cell, "yes or no") from None


def _instant(column: Column, cell: str) -> datetime:
    try:
        moment = parse_moment(_date(cell))
    except ValueError:
        moment = None
    if moment is None:
        raise _unfit(column, cell, "date")
    return moment.instant.astimezone(UTC)


def _number(cell: str) -> int | float:
    if _INTEGER.fullmatch(cell) and abs(whole := int(cell)) <= MAX_INTEGER:
        return whole
    if _DECIMAL.fullmatch(cell):
        return float(cell.replace(",", "."))
    raise ValueError(cell)


def _boolean(cell: str) -> bool:
    word = cell.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(cell)


def _date(cell: str) -> str:
    """An ISO date or datetime, also from 31.12.2026 and 2026/12/31."""
    match = _DAY_FIRST.fullmatch(cell)
    text = f"{match[3]}-{int(match[2]):02}-{int(match[1]):02}" if match else cell
    if len(text) == 10:
        text = text.replace("/", "-")
    if parse_moment(text) is None:
        raise ValueError(cell)
    return text


def _list(cell: str) -> list[Any]:
    """Items between commas; a list as JSON, too, as an export writes what commas can't part."""
    if cell.startswith("["):
        try:
            found = json.loads(cell)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list):
            check_value(found, "list")
            return found
    return [item.strip() for item in cell.split(",") if item.strip()]


CONVERTERS: dict[str, Callable[[str], Any]] = {
    "text": str,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "list": _list,
}
