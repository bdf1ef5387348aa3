"""What a simulation reads: contacts, and one fact a line. What is wrong is said with its line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from contacts.models import TOO_LATE
from contacts.values import MAX_PARTS, parse_moment, set_path, too_deep

COLUMNS = ("external_id", "email", "timezone", "created_at")
DID = ("sent", "delivered", "opened", "clicked", "bounced")
#: The keys of a line, by the key that makes it a fact.
FACTS: dict[str, tuple[str, ...]] = {
    "event": ("properties", "message_id", "received_at"),
    "set": (),
    "subscribe": (),
    "unsubscribe": (),
    "suppress": (),
    "message": ("did",),
    "enter": (),
}


class SimulationError(Exception):
    """A file or a line that is wrong; the message names the file, the line and what is wrong."""


@dataclass
class ContactLine:
    """A contact as contacts.csv gives it; ``created_at`` is None where the cell is empty."""

    external_id: str
    email: str = ""
    timezone: str = ""
    created_at: datetime | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class FactLine:
    """One line of events.jsonl; ``at`` is its receipt, by which facts are ordered (T3)."""

    contact: str
    at: datetime
    occurred_at: datetime
    kind: str
    value: Any
    properties: Mapping[str, Any]
    message_id: str | None = None
    did: str = ""

    @property
    def too_late(self) -> bool:
        return self.at - self.occurred_at > TOO_LATE


@dataclass(frozen=True)
class Known:
    """What lines may name: topics, send nodes, and whether entries by hand are possible."""

    topics: Collection[str]
    sends: Collection[str]
    manual: bool


def read_text(path: Path) -> str:
    """The file's text (UTF-8, with or without BOM)."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SimulationError(f"{path}: can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SimulationError(f"{path}: line {line}: is not UTF-8.") from error


def read_contacts(path: Path) -> dict[str, ContactLine]:
    """The contacts of a CSV file by external id, in the file's order."""
    rows = _rows(path)
    try:
        _, header = next(rows)
    except StopIteration:
        raise SimulationError(f"{path}: line 1: the header is missing.") from None
    if "external_id" not in header:
        raise SimulationError(f"{path}: line 1: there is no column external_id.")
    for name in header:
        if not name or header.count(name) > 1:
            raise SimulationError(f"{path}: line 1: the column “{name}” is empty or stands twice.")
        _check_depth(f"{path}: line 1", name)
    contacts: dict[str, ContactLine] = {}
    for number, row in rows:
        if not row:
            continue
        if len(row) != len(header):
            raise SimulationError(
                f"{path}: line {number}: has {len(row)} cells, the header has {len(header)}."
            )
        contact = _contact(f"{path}: line {number}", dict(zip(header, row, strict=True)))
        if contact.external_id in contacts:
            raise SimulationError(
                f"{path}: line {number}: the contact “{contact.external_id}” stands twice."
            )
        contacts[contact.external_id] = contact
    return contacts


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise SimulationError(f"{path}: line {number}: {error}.") from error


def _contact(where: str, cells: dict[str, str]) -> ContactLine:
    given = {name: cell for name, cell in cells.items() if cell != ""}
    if "external_id" not in given:
        raise SimulationError(f"{where}: the external_id is empty.")
    contact = ContactLine(
        given.pop("external_id"), given.pop("email", ""), given.pop("timezone", "")
    )
    created_at = given.pop("created_at", None)
    if created_at is not None:
        contact.created_at = _moment(where, "created_at", created_at)
    typed = given.pop("attributes", None)
    for name, text in given.items():
        contact.attributes = set_path(contact.attributes, name, text)
    if typed is not None:
        objects = _json(f"{where}: attributes", typed)
        if not isinstance(objects, dict):
            raise SimulationError(f"{where}: attributes must be a JSON object.")
        contact.attributes = _merged(contact.attributes, objects)
    return contact


def _merged(columns: dict[str, Any], typed: dict[str, Any]) -> dict[str, Any]:
    """The typed attributes over those of the columns, also inside objects."""
    result = dict(columns)
    for name, value in typed.items():
        below = result.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        result[name] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _json(where: str, text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_no_constant)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise SimulationError(f"{where}: a text has half a surrogate pair in it.") from error
    except (ValueError, RecursionError) as error:
        raise SimulationError(f"{where}: is not JSON ({error}).") from error
    return value


def _moment(where: str, name: str, value: Any) -> datetime:
    moment = parse_moment(value)
    if moment is None:
        raise SimulationError(f"{where}: {name} must be a time such as 2026-03-01T09:00:00Z.")
    return moment.instant


def read_facts(path: Path, known: Known) -> list[FactLine]:
    """The facts of the file in the order in which they are received."""
    facts = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            facts.append(_fact(f"{path}: line {number}", line, known))
    facts.sort(key=lambda fact: fact.at)
    return facts


def _fact(where: str, line: str, known: Known) -> FactLine:
    data = _json(where, line)
    if not isinstance(data, dict):
        raise SimulationError(f"{where}: must be a JSON object.")
    kinds = [kind for kind in FACTS if kind in data]
    if len(kinds) != 1:
        raise SimulationError(f"{where}: must be exactly one of {', '.join(FACTS)}.")
    kind = kinds[0]
    for key in data:
        if key not in ("contact", "at", kind, *FACTS[kind]):
            raise SimulationError(f"{where}: the key “{key}” is unknown here.")
    contact = data.get("contact")
    if not isinstance(contact, str) or not contact:
        raise SimulationError(f"{where}: contact must be an external id.")
    if "at" not in data:
        raise SimulationError(f"{where}: at is missing.")
    occurred_at = received_at = _moment(where, "at", data["at"])
    if "received_at" in data:
        received_at = _moment(where, "received_at", data["received_at"])
        if received_at < occurred_at:
            raise SimulationError(f"{where}: received_at is before at.")
    _check_value(where, kind, data, known)
    return FactLine(
        contact,
        received_at,
        occurred_at,
        kind,
        data[kind],
        data.get("properties") or {},
        data.get("message_id"),
        data.get("did", ""),
    )


def _check_value(where: str, kind: str, data: dict[str, Any], known: Known) -> None:
    value = data[kind]
    if kind == "event":
        _check_event(where, value, data)
    elif kind == "set":
        _check_set(where, value)
    elif kind in ("subscribe", "unsubscribe"):
        if value != "all" and (not isinstance(value, str) or value not in known.topics):
            raise SimulationError(f"{where}: there is no topic “{value}”.")
    elif kind == "message":
        if not isinstance(value, str) or value not in known.sends:
            raise SimulationError(f"{where}: “{value}” is no node that sends.")
        if data.get("did") not in DID:
            raise SimulationError(f"{where}: did must be one of {', '.join(DID)}.")
    elif value is not True:
        raise SimulationError(f"{where}: {kind} must be true.")
    elif kind == "enter" and not known.manual:
        raise SimulationError(f"{where}: the journey's trigger is not manual.")


def _check_event(where: str, name: Any, data: dict[str, Any]) -> None:
    if not isinstance(name, str) or not name:
        raise SimulationError(f"{where}: event must be a name.")
    if name.startswith("message_"):
        raise SimulationError(f"{where}: names that begin with message_ are reserved.")
    if not isinstance(data.get("properties", {}), dict):
        raise SimulationError(f"{where}: properties must be an object.")
    if not isinstance(data.get("message_id", ""), str):
        raise SimulationError(f"{where}: message_id must be text.")


def _check_set(where: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise SimulationError(f"{where}: set must be an object.")
    for name, new in value.items():
        if name in ("external_id", "created_at"):
            raise SimulationError(f"{where}: {name} can't be set.")
        if name in ("email", "timezone") and not (new is None or isinstance(new, str)):
            raise SimulationError(f"{where}: {name} must be text or null.")
        if not all(name.split(".")):
            raise SimulationError(f"{where}: “{name}” is no name of an attribute.")
        _check_depth(where, name)


def _check_depth(where: str, name: str) -> None:
    if too_deep(name):
        raise SimulationError(f"{where}: the name “{name[:40]}…” has more than {MAX_PARTS} parts.")
