"""The engine against one job for each person and step: journeys a second, on PostgreSQL.

    python bench/engine.py [--quick]

10,000 contacts go through *send → wait → branch → send*; mails are queued and not handed over. The
baseline does the same with RQ's SimpleWorker, the fastest of its kind, one worker each.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where it is run by its path

from bench.house import arguments, house, peak_memory, result, table, timed

TARGET = 20
JOURNEY = {
    "journey": "bench",
    "name": "Bench",
    "entry": {"trigger": {"event": "go"}},
    "start": "hello",
    "nodes": {
        "hello": {"kind": "send", "template": "mail", "next": "rest"},
        "rest": {"kind": "wait", "for": "1d", "next": "which"},
        "which": {
            "kind": "branch",
            "paths": [{"name": "pro", "when": {"attribute": "plan", "op": "eq", "value": "pro"}}],
            "next": {"pro": "offer", "else": "offer"},
        },
        "offer": {"kind": "send", "template": "mail"},
    },
}


def people(count: int) -> list[int]:
    """Contacts, half of them on the plan the branch asks for."""
    from contacts.models import Contact

    rows = Contact.objects.bulk_create(
        [
            Contact(
                external_id=f"p{number}",
                email=f"p{number}@example.org",
                attributes={"plan": "pro" if number % 2 else "free"},
            )
            for number in range(count)
        ],
        batch_size=2000,
    )
    return [row.pk for row in rows]


def publish(definition: dict[str, Any]) -> Any:
    """The journey, live."""
    from django.utils import timezone

    from journeys import publishing
    from journeys.models import Journey
    from messaging.models import Template

    Template.objects.get_or_create(
        slug="mail", defaults={"name": "Mail", "subject": "Hello", "text": "Hello"}
    )
    journey = Journey.objects.create(
        slug=definition["journey"], name=definition["name"], draft=definition
    )
    publishing.publish(journey, by=None, at=timezone.now())
    journey.refresh_from_db()
    return journey.live_version


def record(contact_ids: list[int]) -> None:
    """The event that enters each contact, through the one door."""
    from django.utils import timezone

    from contacts import ingest
    from contacts.items import Track

    for first in range(0, len(contact_ids), 2500):
        ids = [f"p{number}" for number in range(first, min(first + 2500, len(contact_ids)))]
        ingest.record([Track("go", external_id=one) for one in ids], received_at=timezone.now())


def in_sets(count: int) -> dict[str, float]:
    """The engine: facts in, all moves, and the wait a day later."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from journeys import work
    from journeys.models import Enrollment, Visit

    record(people(count))
    with CaptureQueriesContext(connection) as queries, timed() as seconds:
        now = timezone.now()
        work.work(now)
        work.work(now + timedelta(days=1, minutes=1))
    done = Enrollment.objects.filter(status="completed").count()
    if done != count:
        raise SystemExit(f"Only {done} of {count} journeys were completed.")
    visits = Visit.objects.count()
    return {
        "journeys": done,
        "seconds": seconds[0],
        "visits": visits,
        "statements per visit": len(queries) / visits,
    }


def one_by_one(count: int, version_id: int) -> dict[str, float]:
    """The baseline, on the same tables."""
    import django_rq
    from rq import SimpleWorker
    from rq.serializers import JSONSerializer

    from bench import per_person
    from contacts.models import Contact
    from journeys.models import Enrollment, Visit

    ids = list(Contact.objects.order_by("pk").values_list("pk", flat=True)[:count])
    queue = django_rq.get_queue("facts")
    queue.empty()
    before = Visit.objects.count()
    with timed() as seconds:
        for pk in ids:
            queue.enqueue(per_person.enroll, pk, version_id, result_ttl=0)
        worker = SimpleWorker(
            [queue],
            connection=queue.connection,
            serializer=JSONSerializer,
            log_job_description=False,
        )
        worker.work(burst=True, logging_level="ERROR")
    done = Enrollment.objects.filter(exclusive=None, status="completed").count()
    if done != count:
        raise SystemExit(f"Only {done} of {count} journeys of the baseline were completed.")
    return {
        "journeys": done,
        "seconds": seconds[0],
        "visits": Visit.objects.count() - before,
        "statements per visit": 0.0,
    }


def main() -> None:
    options = arguments(__doc__ or "")
    count, baseline = (2000, 100) if options.quick else (10_000, 1000)
    with house():
        version = publish(JOURNEY)
        ours = in_sets(count)
        memory = peak_memory()
        theirs = one_by_one(baseline, version.pk)
    rows = []
    for name, figures in (("in sets", ours), ("a job for each step", theirs)):
        rate = figures["journeys"] / figures["seconds"]
        rows.append(
            (
                name,
                int(figures["journeys"]),
                figures["seconds"],
                rate,
                figures["visits"] / figures["seconds"],
            )
        )
    table(("way", "journeys", "seconds", "journeys/s", "visits/s"), rows)
    print(f"statements per visit: {ours['statements per visit']:.3f}; peak memory: {memory:.0f} MB")
    result(
        "engine",
        rows[0][3] / rows[1][3],
        TARGET,
        journeys_per_second=round(rows[0][3]),
        baseline_journeys_per_second=round(rows[1][3], 1),
        visits_per_second=round(rows[0][4]),
        statements_per_visit=round(ours["statements per visit"], 4),
        peak_memory_mb=round(memory),
    )


if __name__ == "__main__":
    main()
