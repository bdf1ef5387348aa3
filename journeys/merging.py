"""Two contacts become one: every passage of both is kept, and the re-entry rules hold again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import Q

from contacts import bulk
from contacts.identity import Pair
from journeys.models import DateEntry, Enrollment
from journeys.publishing import ending


def clear_the_way(pairs: Sequence[Pair], at: datetime) -> None:
    """See to it that the losers' passages and dates can be the winners'.

    Where the re-entry rule, or the date it was for, lets only one of two passages be, the winner's
    holds the place, else the earlier. The other is kept as history; where it is under way it ends,
    ``exited``, reason ``merged``.
    """
    winner_of = {loser: winner for winner, loser in pairs}
    _enrollments(winner_of, at)
    _dates(winner_of)


def _enrollments(winner_of: dict[int, int], at: datetime) -> None:
    of_both = {*winner_of, *winner_of.values()}
    rows = list(
        Enrollment.objects.filter(contact__in=of_both).filter(
            Q(exclusive__isnull=False)
            | Q(local_date__isnull=False)
            | Q(status__in=[*Enrollment.OPEN])
        )
    )
    rows.sort(key=lambda row: (row.contact_id in winner_of, row.entered_at, row.pk))
    given_up = _without_place(rows, winner_of)
    ended = {row.pk for row in given_up if row.status in Enrollment.OPEN}
    if ended:
        ending.end(Enrollment.objects.filter(pk__in=ended), "merged", at)
    bulk.update(
        Enrollment,
        [
            {"id": row.pk, "exclusive": row.exclusive, "local_date": row.local_date}
            for row in given_up
        ],
        ["exclusive", "local_date"],
    )
    still_open = [row for row in rows if row.status in Enrollment.OPEN and row.pk not in ended]
    _number_waits(still_open, winner_of)


def _without_place(rows: Iterable[Enrollment], winner_of: dict[int, int]) -> list[Enrollment]:
    """The passages whose place another one holds; what they held is taken from them."""
    taken: set[tuple[int, int, object]] = set()
    found = []
    for row in rows:
        person = winner_of.get(row.contact_id, row.contact_id)
        places = [(person, row.journey_id, place) for place in _places(row)]
        clash = [place for place in places if place in taken]
        if row.contact_id in winner_of and clash:
            found.append(row)
            held = {place for *_, place in clash}
            row.exclusive = None
            row.local_date = None if row.local_date in held else row.local_date
            continue
        taken.update(places)
    return found


def _places(row: Enrollment) -> Iterable[object]:
    """What a passage holds of which a contact has only one in a journey."""
    if row.exclusive is not None:
        yield row.exclusive
        if row.status in Enrollment.OPEN:
            # Of two versions one may say `once` and the other `after_exit`.
            yield "under way", row.exclusive.partition(":")[2]
    if row.local_date is not None:
        yield row.local_date


def _number_waits(rows: Iterable[Enrollment], winner_of: dict[int, int]) -> None:
    """Number the waits of both contacts as one sequence, in the order in which they began (T1)."""
    of_person: defaultdict[int, list[Enrollment]] = defaultdict(list)
    for row in rows:
        of_person[winner_of.get(row.contact_id, row.contact_id)].append(row)
    changed = []
    for waits in of_person.values():
        waits.sort(key=lambda row: (row.arrived_at or row.entered_at, row.wait_order, row.pk))
        changed += [
            {"id": row.pk, "wait_order": number} for number, row in enumerate(waits, start=1)
        ]
    bulk.update(Enrollment, changed, ["wait_order"])


def _dates(winner_of: dict[int, int]) -> None:
    """Keep one date entry in each journey; when it asked last is the later of both moments.

    When it asks next is worked out anew with the change that the merge is.
    """
    rows = list(DateEntry.objects.filter(contact__in={*winner_of, *winner_of.values()}))
    rows.sort(key=lambda row: (row.contact_id in winner_of, row.pk))
    kept: dict[tuple[int, int], DateEntry] = {}
    doubled, changed = [], {}
    for row in rows:
        key = (winner_of.get(row.contact_id, row.contact_id), row.journey_id)
        first = kept.setdefault(key, row)
        if first is row:
            continue
        doubled.append(row.pk)
        if row.asked_at is not None and (first.asked_at is None or first.asked_at < row.asked_at):
            first.asked_at = row.asked_at
            changed[first.pk] = first
    if doubled:
        DateEntry.objects.filter(pk__in=doubled).delete()
    bulk.update(
        DateEntry,
        [{"id": row.pk, "asked_at": row.asked_at} for row in changed.values()],
        ["asked_at"],
    )
