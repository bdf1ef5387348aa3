"""Which contact a command's argument means."""

from __future__ import annotations

from django.core.management.base import CommandError

from contacts import lookup
from contacts.models import Contact


def contact(text: str) -> Contact:
    """The one contact with this user id or address, or ``#`` and its number.

    Raises ``CommandError`` where none or several are meant.
    """
    found = list(lookup.exactly(text)[:2])
    number = text.removeprefix("#")
    if not found and number != text and number.isdecimal():
        found = list(Contact.objects.filter(pk=int(number)))
    if len(found) != 1:
        said = "Several contacts have" if found else "No contact has"
        raise CommandError(f"{said} the id or address “{text}”.")
    return found[0]
