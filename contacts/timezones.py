"""The time zones that there are, by their IANA names."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

#: What a system keeps beside its zones: where it stands itself, and what is meant by no zone.
_NOT_ONE = {"localtime", "posixrules", "Factory"}


@cache
def names() -> frozenset[str]:
    """The names of all zones."""
    return frozenset(available_timezones() - _NOT_ONE)
