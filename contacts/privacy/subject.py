"""Whom a request is about, and where a text speaks of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models.functions import Lower

from contacts.models import Contact

ERASED = "(erased)"
#: Shorter ids are words and numbers that others use too: only where an id must stand is one meant.
SHORTEST, SHORTEST_NUMBER = 4, 7


@dataclass
class Subject:
    """A contact with every address and id that leads to it, and the rows it was made of."""

    contact: Contact
    emails: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    pks: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, contact: Contact, addresses: Iterable[str]) -> Subject:
        """The contact and all that leads to it; a former address that is somebody else's is not."""
        current = _lowered([contact.email])
        former = _lowered(addresses) - current
        merges = list(contact.merges.values_list("merged_pk", "external_id"))
        ids = {
            contact.external_id,
            *contact.anonymous_ids.values_list("value", flat=True),
            *contact.former_ids.values_list("value", flat=True),
            *(external_id for _, external_id in merges),
        }
        return cls(
            contact,
            current | (former - _of_others(contact, former)),
            {value for value in ids if value},
            {contact.pk, *(pk for pk, _ in merges)},
        )

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        ids = {
            value
            for value in self.ids
            if len(value) >= (SHORTEST_NUMBER if value.isdigit() else SHORTEST)
        }
        words = sorted(self.emails | ids, key=len, reverse=True)
        if not words:
            return None
        listed = "|".join(map(re.escape, words))
        return re.compile(rf"(?<![\w@])(?:{listed})(?![\w@])", re.IGNORECASE)

    def is_meant_by(self, text: str) -> bool:
        """Whether a text holds an address or an id of the contact."""
        return self._pattern is not None and self._pattern.search(text) is not None

    def without(self, value: Any) -> Any:
        """A text, or JSON, with the contact's addresses and ids struck out."""
        if isinstance(value, str):
            return self._pattern.sub(ERASED, value) if self._pattern else value
        if isinstance(value, list):
            return [self.without(item) for item in value]
        if isinstance(value, dict):
            return {self.without(key): self.without(item) for key, item in value.items()}
        return value


def _lowered(addresses: Iterable[str]) -> set[str]:
    return {address.strip().lower() for address in addresses if address.strip()}


def _of_others(contact: Contact, addresses: Iterable[str]) -> set[str]:
    others = Contact.objects.exclude(pk=contact.pk).annotate(mailbox=Lower("email"))
    found = others.filter(mailbox__in=list(addresses))
    return set(found.values_list("mailbox", flat=True))
