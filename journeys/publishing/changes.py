"""Whether a draft says something else than what is live, without drawing either."""

from __future__ import annotations

from typing import Any

from journeys.models import Journey

#: Parts of a draft that hold for the journey as soon as they are saved; nobody publishes them.
AT_ONCE = frozenset({"journey", "name", "description"})


def unpublished(journey: Journey) -> bool:
    """Whether the draft of a journey that has been published differs from its live version.

    No statement where ``live_version`` was selected with the journey, so it can be asked of each
    row of a list. False for a journey that was never published: all of it is a draft.
    """
    live = journey.live_version
    return live is not None and to_publish(journey.draft) != to_publish(live.definition)


def to_publish(draft: Any) -> dict[str, Any]:
    """What of a draft only publishing brings to life."""
    given = draft if isinstance(draft, dict) else {}
    return {part: value for part, value in given.items() if part not in AT_ONCE}
