"""What may be received about a person, and what makes an item unfit to be stored.

A value is refused here when either database would refuse or change it, so that both give the same
answer and one bad item never takes its batch with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1
MAX_ATTRIBUTE_NAME = 150
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
#: Events that only the installation itself may record (T7).
RESERVED = "message_"

_LENGTHS = {
    "external_id": 150,
    "anonymous_id": 150,
    "previous": 150,
    "user": 150,
    "email": 254,
    "timezone": 64,
    "language": 16,
    "name": 100,
    "message_id": 100,
}
#: What the databases do not take in a text: NUL, and halves of a surrogate pair.
UNFIT = re.compile("[\x00\ud800-\udfff]")
#: What an email address is at least, where people write one.
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


class Refused(ValueError):
    """One item can't be stored; ``code`` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Track:
    """Somebody did something. One of the three ids is needed; an ``occurred_at`` of None is now."""

    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None
    message_id: str | None = None
    external_id: str | None = None
    anonymous_id: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Identify:
    """Who somebody is. ``set`` works as the ``update`` node does: null removes, dots make objects.

    ``email`` finds the contact where there is no ``external_id``, and is set like ``set["email"]``.
    ``created_at`` counts only where the contact is made by this. Without ``respell`` an address
    that is known already stays written as it is.
    """

    set: Mapping[str, Any] = field(default_factory=dict)
    message_id: str | None = None
    external_id: str | None = None
    anonymous_id: str | None = None
    email: str | None = None
    timezone: str | None = None
    language: str | None = None
    created_at: datetime | None = None
    respell: bool = True


@dataclass(frozen=True, slots=True)
class Alias:
    """What was known under ``previous`` (an anonymous or an external id) belongs to ``user``."""

    previous: str
    user: str
    message_id: str | None = None


Item = Track | Identify | Alias


def clean(item: Item, *, received_at: datetime, internal: bool) -> Item:
    """The item as it will be stored, or ``Refused``."""
    if isinstance(item, Track):
        return _clean_track(item, received_at, internal)
    if isinstance(item, Identify):
        return _clean_identify(item, received_at)
    return replace(
        item,
        previous=_needed("previous", item.previous),
        user=_needed("user", item.user),
        message_id=_text("message_id", item.message_id),
    )


def _clean_track(item: Track, received_at: datetime, internal: bool) -> Track:
    name = _needed("name", item.name)
    if name.startswith(RESERVED) and not internal:
        raise Refused(
            "reserved_name", f"Events named “{RESERVED}…” are recorded by the installation alone."
        )
    properties = {} if item.properties is None else item.properties
    if not isinstance(properties, Mapping):
        raise Refused("invalid_properties", "“properties” must be an object.")
    check_value(properties, "properties")
    external_id, anonymous_id, email = _ids(item.external_id, item.anonymous_id, item.email)
    return Track(
        name=name,
        properties=properties,
        occurred_at=_moment(item.occurred_at, received_at),
        message_id=_text("message_id", item.message_id),
        external_id=external_id,
        anonymous_id=anonymous_id,
        email=email,
    )


def _clean_identify(item: Identify, received_at: datetime) -> Identify:
    return clean_ids(item, clean_changes(item.set), received_at)


def clean_ids(item: Identify, changes: dict[str, Any], received_at: datetime) -> Identify:
    """An ``Identify`` of which only ``changes``, what it sets, is known to be clean."""
    for name in ("email", "timezone"):
        given = _text(name, getattr(item, name))
        if given is not None and changes.get(name) is None:
            changes[name] = given
    external_id, anonymous_id, email = _ids(
        item.external_id, item.anonymous_id, changes.get("email")
    )
    return Identify(
        set=changes,
        message_id=_text("message_id", item.message_id),
        external_id=external_id,
        anonymous_id=anonymous_id,
        email=email,
        language=_text("language", item.language),
        created_at=_moment(item.created_at, received_at),
        respell=item.respell,
    )


def clean_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes and fields to set, checked; a ``Refused`` names the first that can't be stored."""
    if not isinstance(changes, Mapping):
        raise Refused("invalid_attributes", "The attributes must be an object.")
    for name in changes:
        _check_attribute_name(name)
    check_value(changes, "attributes")
    cleaned = dict(changes)
    for name in ("email", "timezone"):
        if name in cleaned:
            cleaned[name] = _text(name, cleaned[name])
    return cleaned


def _check_attribute_name(name: object) -> None:
    if not isinstance(name, str) or not all(name.split(".")):
        raise Refused("invalid_attributes", "An attribute's name can't be empty.")
    if len(name) > MAX_ATTRIBUTE_NAME:
        raise Refused(
            "too_long", f"An attribute's name has more than {MAX_ATTRIBUTE_NAME} characters."
        )
    if name in ("external_id", "created_at"):
        raise Refused("invalid_attributes", f"“{name}” can't be set as an attribute.")


def _ids(
    external_id: object, anonymous_id: object, email: object
) -> tuple[str | None, str | None, str | None]:
    """The ids by which a contact is found, of which one is needed."""
    ids = (
        _text("external_id", external_id),
        _text("anonymous_id", anonymous_id),
        _text("email", email),
    )
    if not any(ids):
        raise Refused("no_id", "A user id, an anonymous id or an email address is needed.")
    return ids


def _needed(name: str, value: object) -> str:
    text = _text(name, value)
    if text is None:
        raise Refused(f"no_{name}", f"“{name}” is needed.")
    return text


def _text(name: str, value: object) -> str | None:
    """A short text without the blanks around it; blank is None. A number is its digits."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER:
        value = str(value)
    if not isinstance(value, str):
        raise Refused(f"invalid_{name}", f"“{name}” must be a text.")
    _check_text(value, name)
    text = value.strip()
    if len(text) > _LENGTHS[name]:
        raise Refused("too_long", f"“{name}” has more than {_LENGTHS[name]} characters.")
    return text or None


def _moment(given: datetime | None, received_at: datetime) -> datetime:
    """When it occurred; never after the receipt (C5)."""
    if given is None:
        return received_at
    if given.tzinfo is None:
        given = given.replace(tzinfo=UTC)
    try:
        moment = given.astimezone(UTC)
    except OverflowError:
        moment = EARLIEST if given.year == 1 else received_at
    if moment <= EARLIEST:
        raise Refused("invalid_timestamp", "The timestamp lies before the year 1900.")
    return min(moment, received_at)


def check_value(value: object, place: str, depth: int = 0) -> None:
    """Refuse what JSON, PostgreSQL or SQLite can't keep as it is: ``Refused`` says where."""
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise Refused("invalid_number", f"The number in “{place}” is too large.")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise Refused("invalid_number", f"The number in “{place}” is not finite.")
    elif isinstance(value, Mapping | list | tuple):
        _check_items(value, place, depth)
    else:
        raise Refused("invalid_value", f"“{place}” holds what JSON can't say.")


def _check_items(
    value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], place: str, depth: int
) -> None:
    if depth == MAX_DEPTH:
        raise Refused("too_deep", f"“{place[:100]}” is nested more than {MAX_DEPTH} deep.")
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str):
                raise Refused("invalid_value", f"A name in “{place}” is no text.")
            _check_text(name, place)
            if not _is_plain(item):
                check_value(item, f"{place}.{name}", depth + 1)
    else:
        for index, item in enumerate(value):
            if not _is_plain(item):
                check_value(item, f"{place}[{index}]", depth + 1)


def _is_plain(value: object) -> bool:
    """Whether a value is fit at first sight, as most are."""
    return (
        value is None
        or value is True
        or value is False
        or (type(value) is str and UNFIT.search(value) is None)
    )


def _check_text(text: str, place: str) -> None:
    if UNFIT.search(text):
        raise Refused(
            "invalid_text", f"“{UNFIT.sub('?', place)[:100]}” holds a character no text may have."
        )
