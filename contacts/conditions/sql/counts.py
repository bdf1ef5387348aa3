"""How many events a contact has, as a semi-join or an anti-join (C4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef
from django.db.models.expressions import Combinable

from contacts.conditions.sql.expressions import AmongGroups, constant, negate


def event_count(
    name: str,
    where: Sequence[Combinable],
    *,
    now: datetime,
    within: timedelta | None,
    op: str,
    value: int,
) -> Combinable:
    """True of contacts whose number of events compares so with ``value``.

    Counted are the events of that name for which all of ``where`` is true and that occurred in
    [now − within, now]; without ``within``, up to now.
    """
    from contacts.models import Event

    events = Event.objects.filter(*where, name=name, occurred_at__lte=now)
    earliest = _earliest(now, within)
    if earliest is not None:
        events = events.filter(occurred_at__gte=earliest)

    def at_least(number: int) -> Combinable:
        if number == 0:
            return constant(True)
        if number == 1:
            return Exists(events.filter(contact=OuterRef("pk")))
        return groups(number__gte=number)

    def groups(**having: int) -> Combinable:
        counted = events.order_by().values("contact").annotate(number=Count("*"))
        return AmongGroups(counted.filter(**having).values("contact"))

    def exactly(number: int) -> Combinable:
        return groups(number=number) if number else negate(at_least(1))

    match op:
        case "gte":
            return at_least(value)
        case "gt":
            return at_least(value + 1)
        case "lt":
            return negate(at_least(value))
        case "lte":
            return negate(at_least(value + 1))
        case "eq":
            return exactly(value)
        case _:
            return negate(exactly(value))


def _earliest(now: datetime, within: timedelta | None) -> datetime | None:
    try:
        return None if within is None else now - within
    except OverflowError:
        return None
