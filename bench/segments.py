"""Counting a segment anew against hand-written SQL for the same answer, on PostgreSQL and SQLite.

    python bench/segments.py [--quick]

“plan is pro, and did X at least once in the last 30 days”. ``ratio`` is how many times as long the
recount takes, on the worse of the two databases; the recount also compares with the stored members
and writes who came and who left.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where it is run by its path

from bench.house import anew, copy, house, result, table, timed

TARGET = 3
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
CONDITION = {
    "all": [
        {"attribute": "plan", "op": "eq", "value": "pro"},
        {"event": "x", "within": "30d"},
    ]
}
SQL = """
    SELECT c.id FROM contacts_contact c
    WHERE c.attributes ->> 'plan' = 'pro' AND EXISTS (
        SELECT 1 FROM contacts_event e WHERE e.contact_id = c.id AND e.name = 'x'
        AND e.occurred_at BETWEEN %s AND %s)
"""


def fill(people: int, events: int) -> None:
    """Contacts and what they did in the last 90 days."""
    from contacts import bulk
    from contacts.models import Contact, Event

    chance = random.Random(1)
    built, times = people // 10, 9
    bulk.insert(
        Contact,
        [
            {
                "external_id": f"u{n}",
                "attributes": {"plan": chance.choice(["pro", "free", "team"]), "seats": n % 50},
                "created_at": NOW,
                "updated_at": NOW,
            }
            for n in range(built)
        ],
    )
    copy(Contact, 1, built, times)
    bulk.insert(
        Event,
        [
            {
                "contact_id": 1 + chance.randrange(built),
                "name": chance.choice("xyz"),
                "occurred_at": NOW - timedelta(minutes=chance.randrange(90 * 1440)),
                "received_at": NOW,
            }
            for _ in range(events // 10)
        ],
    )
    copy(Event, 1, events // 10, times, contact_id=built)
    analyze()


def analyze() -> None:
    """What autovacuum does within a minute; SQLite knows ANALYZE alone."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def by_hand() -> tuple[float, int]:
    """Seconds and number of members of the hand-written query."""
    from django.db import connection

    moments = [NOW - timedelta(days=30), NOW]
    with timed() as seconds, connection.cursor() as cursor:
        cursor.execute(SQL, [connection.ops.adapt_datetimefield_value(at) for at in moments])
        count = len(cursor.fetchall())
    return seconds[0], count


def recounted(segment: Any) -> tuple[float, int]:
    """Seconds of a recount when nobody moves, and the number of members."""
    from contacts import segments

    with timed() as seconds:
        segments.recount(segment, NOW)
    return seconds[0], segments.size(segment)


def one_event() -> int:
    """How many statements one event of one contact costs, whatever the number of contacts."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from contacts.ingest import Track, record

    record([Track("x", external_id="u1")], received_at=NOW)
    with CaptureQueriesContext(connection) as queries:
        record([Track("x", external_id="u1")], received_at=NOW)
    return len([q for q in queries if "SAVEPOINT" not in q["sql"]])


def measure(database: str, people: int, events: int) -> dict[str, Any]:
    """The figures of one database."""
    with house(database):
        from contacts.models import Segment

        fill(people, events)
        segment = Segment.objects.create(slug="pro", name="Pro", condition=CONDITION)
        first, _ = recounted(segment)
        analyze()
        hand = [by_hand() for _ in range(5)]
        ours = [recounted(segment) for _ in range(5)]
        statements = one_event()
    if hand[0][1] != ours[0][1]:
        raise AssertionError(f"{hand[0][1]:,} members by hand, {ours[0][1]:,} by the recount")
    return {
        "members": hand[0][1],
        "hand": min(hand)[0],
        "first": first,
        "again": min(ours)[0],
        "statements": statements,
    }


def main() -> None:
    """Measure on both databases."""
    if "--measure" in sys.argv:
        database, people, events = sys.argv[-3:]
        print(json.dumps(measure(database, int(people), int(events))))
        return
    people, events = (10_000, 100_000) if "--quick" in sys.argv else (100_000, 1_000_000)
    found = {
        name: anew("segments", "--measure", name, people, events)
        for name in ("postgresql", "sqlite")
    }
    ratios = {name: one["again"] / one["hand"] for name, one in found.items()}
    ways = {
        "SQL by hand, reading only": "hand",
        "recount, everybody comes in": "first",
        "recount, nobody moves": "again",
    }
    table(
        ("database", "way", "members", "seconds"),
        [
            (name, way, one["members"], f"{one[key]:.3f}")
            for name, one in found.items()
            for way, key in ways.items()
        ],
    )
    statements = found["postgresql"]["statements"]
    print(f"one event of one contact: {statements} statements")
    result(
        "segments",
        max(ratios.values()),
        TARGET,
        contacts=people,
        events=events,
        **{name: round(ratio, 2) for name, ratio in ratios.items()},
        first_count_seconds=round(found["postgresql"]["first"], 3),
        statements_for_one_event=statements,
    )


if __name__ == "__main__":
    main()
