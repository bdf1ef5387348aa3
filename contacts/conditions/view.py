"""What a condition can see: one contact at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from contacts.values import format_moment, get_path

#: The names that stand for the contact's own fields; every other name is one of the attributes.
OWN_FIELDS = ("email", "external_id", "timezone", "created_at")


class Occurrence(Protocol):
    """An event as conditions see it; a greater id was received later."""

    @property
    def id(self) -> int: ...
    @property
    def properties(self) -> Mapping[str, Any]: ...
    @property
    def occurred_at(self) -> datetime: ...


class Happened(NamedTuple):
    """The plainest `Occurrence`."""

    id: int
    properties: Mapping[str, Any]
    occurred_at: datetime


class View(Protocol):
    """One contact at one moment, in memory. `holds` asks nothing else, and no database."""

    @property
    def now(self) -> datetime:
        """The moment at which the question is asked, aware, UTC."""

    @property
    def trigger(self) -> Mapping[str, Any] | None:
        """Properties of the event that started the enrollment; None where none did."""

    @property
    def entry_mark(self) -> int | None:
        """Events with a greater id were received after the fact that started the enrollment."""

    def attribute(self, path: str) -> Any:
        """The attribute or own field of that name, as JSON; None when absent, null or blank."""

    def events(self, name: str) -> Sequence[Occurrence]:
        """All events of that name processed so far, in order of receipt."""

    def in_segment(self, slug: str) -> bool:
        """Whether the contact is a member at ``now``."""

    def takes(self, topic: str) -> bool:
        """Whether the contact takes the topic (`subscribed`)."""

    def message_did(self, node: str, did: str) -> bool:
        """Whether a message of this enrollment from that node did that."""


class Person(Protocol):
    """What `attribute_of` reads; a Contact is one."""

    @property
    def email(self) -> str | None: ...
    @property
    def external_id(self) -> str | None: ...
    @property
    def timezone(self) -> str | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def attributes(self) -> Mapping[str, Any]: ...


def attribute_of(contact: Person, path: str) -> Any:
    """The value that ``attribute: path`` names (§3), for `View.attribute`.

    A blank own field is absent; ``created_at`` is text as results write it, in UTC with ``Z``.
    """
    if path not in OWN_FIELDS:
        return get_path(contact.attributes, path)
    value = getattr(contact, path)
    if isinstance(value, datetime):
        return format_moment(value)
    return value if value and value.strip() else None
