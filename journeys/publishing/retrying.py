"""Those whom a paused journey turned away, and asking them in again where an operator chose so.

Nobody enters a paused journey, and nobody by the resumption alone (V2). Who is asked in again is
judged as at any entry (E1), with the event that would have started it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Min, QuerySet

from contacts import bulk
from contacts.ingest import insert_facts
from contacts.models import Contact, Fact
from contacts.signals import announce, contacts_changed
from journeys import store
from journeys.models import Journey, Refusal

#: Refusals in one transaction.
BATCH = 500
#: How many of those who were turned away are named.
NAMED = 8


@dataclass(frozen=True)
class TurnedAway:
    """Whom a pause kept out: how many people, how often, and the first few of them."""

    people: int
    times: int
    named: tuple[Contact, ...]

    @property
    def more(self) -> int:
        """How many are not named."""
        return self.people - len(self.named)


def turned_away(journey: Journey) -> TurnedAway:
    """Whom the pause that goes on has kept out; two statements."""
    found = _refusals(journey).aggregate(people=Count("contact", distinct=True), times=Count("pk"))
    first = _refusals(journey).order_by("contact").values("contact").annotate(first=Min("pk"))
    ids = first.order_by("first").values("contact")[:NAMED]
    named = Contact.objects.filter(pk__in=list(ids.values_list("contact", flat=True)))
    return TurnedAway(found["people"], found["times"], tuple(named.order_by("pk")))


def _refusals(journey: Journey) -> QuerySet[Refusal]:
    """What this pause refused; nothing where the journey is not paused."""
    if journey.paused_at is None:
        return Refusal.objects.none()
    return Refusal.objects.filter(
        journey=journey,
        reason=Refusal.Reason.NOT_LIVE,
        pk__gt=journey.refused_before,  # what an earlier pause refused was settled when it ended
        retry_at__isnull=True,
    )


def ask_again(journey: Journey, at: datetime, over: timedelta = timedelta()) -> int:
    """Have those who were turned away asked in again, in their order, evenly ``over`` a time.

    ``journey`` is as it was while it was paused. Returns how many times somebody will be asked:
    where one passage is all that a contact can have, once for each contact.
    """
    rows = _refusals(journey)
    if not _each_counts(journey):
        first = rows.order_by("contact").values("contact").annotate(first=Min("pk"))
        rows = rows.filter(pk__in=first.values("first"))
    if over <= timedelta():
        return rows.update(retry_at=at)
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    step = over / max(len(ids), 1)
    for begin in range(0, len(ids), BATCH):
        part = enumerate(ids[begin : begin + BATCH], start=begin)
        bulk.update(
            Refusal,
            [{"id": pk, "retry_at": at + step * number} for number, pk in part],
            ["retry_at"],
        )
    return len(ids)


def _each_counts(journey: Journey) -> bool:
    """Whether a contact can be in the journey several times, by its re-entry rule or a key."""
    entry = journey.live_version.definition.get("entry", {}) if journey.live_version else {}
    trigger = entry.get("trigger")
    keyed = isinstance(trigger, dict) and "key" in trigger
    return keyed or entry.get("reentry") == "every_time"


def due(now: datetime) -> QuerySet[Refusal]:
    """Those who are to be asked in by ``now``, the earliest first."""
    return Refusal.objects.filter(retry_at__lte=now).order_by("retry_at", "pk")


def batch(now: datetime) -> bool:
    """Ask in the next who are due; whether there may be more."""
    contacts = list(due(now).values_list("contact", flat=True)[:BATCH])
    if not contacts:
        return False
    with transaction.atomic():
        # Whoever else works at them has done so when the lock is ours.
        ids = [contact.pk for contact in store.lock(set(contacts))]
        rows = list(due(now).filter(contact__in=ids).values("pk", "contact", "event", "journey"))
        facts = [
            (
                row["contact"],
                Fact.Kind.ENTER,
                row["event"],
                {"journey": row["journey"], "again": True},
            )
            for row in rows
        ]
        insert_facts(facts, at=now)
        Refusal.objects.filter(pk__in=[row["pk"] for row in rows]).update(retry_at=None)
        announce(contacts_changed, ids)
    return True
