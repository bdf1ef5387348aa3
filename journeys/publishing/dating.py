"""Working out for everybody when a date-triggered journey asks for them (SEMANTICS §2)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from contacts.models import Contact
from journeys import jobs, store, triggers, work
from journeys.definition import DateTrigger
from journeys.models import Journey
from journeys.world import Policy

#: Contacts in one transaction.
BATCH = 500


def backfill(journey: Journey, now: datetime) -> bool:
    """Work the dates out for the next batch of contacts; whether there are more.

    Dates that have passed by ``now`` enter nobody. One that is due already and waits for the engine
    is left to it. Contacts that come or change meanwhile are seen to by the engine anyway.
    """
    after = Journey.objects.filter(pk=journey.pk).values_list("dates_after", flat=True).first()
    if after is None:
        return False
    contacts = Contact.objects.filter(pk__gt=after).order_by("pk")
    ids = list(contacts.values_list("pk", flat=True)[:BATCH])
    with transaction.atomic():
        if ids:
            _plan(journey, ids, now)
        last = ids[-1] if len(ids) == BATCH else None
        Journey.objects.filter(pk=journey.pk, dates_after=after).update(dates_after=last)
    return last is not None


def _plan(journey: Journey, ids: list[int], now: datetime) -> None:
    world = store.new_world(now, Policy())
    store.add_people(world, store.lock(ids))
    store.load_people(world, pending=work.load_facts(world))
    plan = world.plan_of_journey(journey.pk)
    if plan is None or not isinstance(plan.definition.trigger, DateTrigger):
        return
    for person in world.people.values():
        state = person.dates.get(journey.pk)
        if state is None or state.due_at is None or state.due_at > now:
            person.now = now
            triggers.plan_date(person, plan, plan.definition.trigger.rule)
    written = store.write(world)
    transaction.on_commit(lambda: jobs.nudge(written))
