"""Two contacts become one: of what both chose about a topic, one choice is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contacts.identity import Pair
from messaging.models import Subscription


def clear_the_way(pairs: Sequence[Pair], at: datetime) -> None:
    """Keep one choice about each topic, and one about all mail, for each contact that stays.

    An unsubscription wins whoever made it, so that nobody gets mail again by a merge; else the
    winner's own choice does, else the latest. The row is kept as it is, with its moment and source.
    """
    winner_of = {loser: winner for winner, loser in pairs}
    kept: set[tuple[int, int | None]] = set()
    doubled = []
    rows = Subscription.objects.filter(contact__in={*winner_of, *winner_of.values()})
    for row in sorted(rows, key=lambda row: _preference(row, winner_of)):
        key = (winner_of.get(row.contact_id, row.contact_id), row.topic_id)
        if key in kept:
            doubled.append(row.pk)
        kept.add(key)
    if doubled:
        Subscription.objects.filter(pk__in=doubled).delete()


def _preference(row: Subscription, winner_of: dict[int, int]) -> tuple[bool, bool, float]:
    return row.subscribed, row.contact_id in winner_of, -row.changed_at.timestamp()
