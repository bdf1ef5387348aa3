"""The time zones that there are, by their IANA names."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

#: What a system keeps beside its zones: where it stands itself.
_NOT_ONE = {"localtime", "posixrules"}


@cache
def names() -> frozenset[str]:
    """The names of all zones."""
    return frozenset(available_timezones() - _NOT_ONE)


def fault(name: str) -> str:
    """What is wrong with a name, in a sentence; an empty text for one that there is."""
    if name in names():
        return ""
    meant = next((one for one in names() if one.lower() == name.lower()), "Europe/Berlin")
    return f"“{name[:50]}” is no time zone. Write it as {meant}."
