"""Entering people by hand (``{manual: true}``, §1) from this room: an import, or the API.

Which journeys there are is known in a higher room, which sets ``by_hand`` when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

#: Who may enter people by hand.
PERMISSION = "journeys.enter_journey"


class Entry(NamedTuple):
    """A live journey that starts by hand."""

    pk: int
    slug: str
    name: str


def _none() -> Sequence[Entry]:
    return ()


#: The live journeys that start by hand, by name.
by_hand: Callable[[], Sequence[Entry]] = _none


def find(slug: object) -> Entry | None:
    """The one that is called so."""
    return next((entry for entry in by_hand() if entry.slug == slug), None)
