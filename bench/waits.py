"""A million waiting, a thousand due: as fast as with ten thousand waiting.

    python bench/waits.py [--quick]

Finds and resumes 1,000 due enrollments, on PostgreSQL and on SQLite, with few and with many others
waiting. The ratio is the worse of the two databases' time with many over its time with few. With
--quick, "many" is 25,000 and "few" 5,000.
"""

from __future__ import annotations

import json
import statistics
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where it is run by its path

from bench.house import anew, copy, house, result, table, timed

TARGET = 1.5
DUE = 1000
JOURNEY = {
    "journey": "bench",
    "name": "Bench",
    "entry": {"trigger": {"manual": True}, "reentry": "every_time"},
    "start": "rest",
    "nodes": {"rest": {"kind": "wait", "for": "1d", "next": "done"}, "done": {"kind": "exit"}},
}


def fill(version: Any, first: int, count: int, now: datetime) -> None:
    """Contacts who wait, none of them due before another year."""
    from contacts import bulk
    from contacts.models import Contact
    from journeys.models import Enrollment, Visit

    node = version.nodes.get(key="rest")
    built = min(count, 5000)
    numbers = range(first, first + built)
    contacts = bulk.reserve(Contact, built)
    bulk.insert(
        Contact,
        [
            {"id": pk, "external_id": f"w{number}", "updated_at": now}
            for pk, number in zip(contacts, numbers, strict=True)
        ],
    )
    enrollments = bulk.reserve(Enrollment, built)
    bulk.insert(
        Enrollment,
        [
            {
                "id": pk,
                "journey_id": version.journey_id,
                "version_id": version.pk,
                "contact_id": contact,
                "status": "waiting",
                "entered_at": now,
                "node_id": node.pk,
                "arrived_at": now,
                "visits_count": 1,
                "wait_order": 1,
                "resume_at": now + timedelta(days=365, seconds=number),
            }
            for pk, contact, number in zip(enrollments, contacts, numbers, strict=True)
        ],
    )
    visits = bulk.reserve(Visit, built)
    bulk.insert(
        Visit,
        [
            {"id": visit, "enrollment_id": pk, "number": 1, "node_id": node.pk, "entered_at": now}
            for visit, pk in zip(visits, enrollments, strict=True)
        ],
    )
    if times := count // built - 1:
        copy(Contact, contacts[0], built, times)
        copy(Enrollment, enrollments[0], built, times, contact_id=built)
        copy(Visit, visits[0], built, times, enrollment_id=built)


def resume(now: datetime, rounds: int) -> float:
    """The seconds it takes to find and resume 1,000 that are due; the median of the rounds."""
    from journeys import work
    from journeys.models import Enrollment

    times = []
    for number in range(rounds):
        waiting = Enrollment.objects.filter(status="waiting").order_by("pk")
        offset = number * DUE
        ids = list(waiting.values_list("pk", flat=True)[offset : offset + DUE])
        Enrollment.objects.filter(pk__in=ids).update(resume_at=now)
        with timed() as seconds:
            done = work.work(now)
        if done != DUE:
            raise SystemExit(f"{done} were resumed, and {DUE} were due.")
        times.append(seconds[0])
    return statistics.median(times)


def measure(database: str, few: int, many: int, rounds: int) -> tuple[float, float]:
    """Seconds with few and with many waiting, on a fresh installation."""
    with house(database):
        from django.db import connection
        from django.utils import timezone

        from bench.engine import publish

        version, now = publish(JOURNEY), timezone.now()
        found = []
        for first, count in ((0, few), (few, many - few)):
            fill(version, first, count, now)
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
            found.append(resume(now, rounds))
    return found[0], found[1]


def main() -> None:
    if "--measure" in sys.argv:
        database, few, many, rounds = sys.argv[-4:]
        print(json.dumps(measure(database, int(few), int(many), int(rounds))))
        return
    few, many, rounds = (5_000, 25_000, 3) if "--quick" in sys.argv else (10_000, 1_000_000, 5)
    rows, ratios = [], []
    for database in ("postgresql", "sqlite"):
        with_few, with_many = anew("waits", "--measure", database, few, many, rounds)
        ratios.append(with_many / with_few)
        rows.append((database, with_few * 1000, with_many * 1000, ratios[-1]))
    table(("database", f"ms with {few:,}", f"ms with {many:,}", "ratio"), rows)
    result(
        "waits",
        max(ratios),
        TARGET,
        waiting=many,
        due=DUE,
        **dict(zip(("postgresql", "sqlite"), [round(one, 2) for one in ratios], strict=True)),
    )


if __name__ == "__main__":
    main()
