"""Time zones by their IANA names, where people write them."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones


@cache
def known() -> frozenset[str]:
    """All that there are."""
    return frozenset(available_timezones())


def fault(name: str) -> str:
    """What is wrong with a name, in a sentence; an empty text for one that there is."""
    if name in known():
        return ""
    meant = next((one for one in known() if one.lower() == name.lower()), "Europe/Berlin")
    return f"“{name[:50]}” is no time zone. Write it as {meant}."
