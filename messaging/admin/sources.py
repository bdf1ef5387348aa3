"""What the journeys that queued messages are called.

A message keeps the slug of its journey. The names are known in a higher room, which sets ``names``
when its admin starts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping


def _none(slugs: Collection[str]) -> Mapping[str, str]:
    return {}


#: The names of the journeys with these slugs, by slug; those that are gone have none.
names: Callable[[Collection[str]], Mapping[str, str]] = _none


def called(slugs: Iterable[str]) -> dict[str, str]:
    """What each of them is called, by name or else by slug; at most one statement."""
    wanted = {slug for slug in slugs if slug}
    known = names(wanted) if wanted else {}
    return {slug: known.get(slug) or slug for slug in wanted}
