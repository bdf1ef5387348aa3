"""The rooms that keep something of a contact."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from contacts.models import Contact
from contacts.privacy.subject import Subject


class Room(Protocol):
    """What a room keeps of a contact."""

    def addresses(self, contact: Contact) -> Iterable[str]:
        """Addresses that are or were the contact's, by what this room keeps."""

    def export(self, subject: Subject) -> dict[str, Any]:
        """All of it by section, as values that JSON has a word for."""

    def counts(self, subject: Subject) -> dict[str, int]:
        """How much of what there is, by words in the plural."""

    def erase(self, subject: Subject, at: datetime) -> None:
        """Take away what does not go with the contact's row, in the caller's transaction."""


#: In the order of their sections; this room's own comes first.
rooms: list[Room] = []
