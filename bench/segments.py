"""Counting a segment anew against hand-written SQL for the same answer, on PostgreSQL.

    python -m bench.segments [--quick]

“plan is pro, and did X at least once in the last 30 days”. ``ratio`` is how many times as long the
recount takes; it also compares with the stored members and writes who came and who left.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.house import arguments, house, result, table, timed

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
    for start in range(0, people, 10_000):
        rows = [
            {
                "external_id": f"u{n}",
                "attributes": {"plan": chance.choice(["pro", "free", "team"]), "seats": n % 50},
                "created_at": NOW,
                "updated_at": NOW,
            }
            for n in range(start, min(people, start + 10_000))
        ]
        bulk.insert(Contact, rows)
    ids = list(Contact.objects.values_list("pk", flat=True))
    for start in range(0, events, 10_000):
        bulk.insert(
            Event,
            [
                {
                    "contact_id": chance.choice(ids),
                    "name": chance.choice("xyz"),
                    "occurred_at": NOW - timedelta(minutes=chance.randrange(90 * 1440)),
                    "received_at": NOW,
                }
                for _ in range(min(10_000, events - start))
            ],
        )
    analyze()


def analyze() -> None:
    """What autovacuum does within a minute."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def by_hand() -> tuple[float, int]:
    """Seconds and number of members of the hand-written query."""
    from django.db import connection

    with timed() as seconds, connection.cursor() as cursor:
        cursor.execute(SQL, [NOW - timedelta(days=30), NOW])
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


def main() -> None:
    """Measure."""
    quick = arguments(__doc__ or "").quick
    people, events = (10_000, 100_000) if quick else (100_000, 1_000_000)
    with house("postgresql"):
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
    theirs, again = min(hand)[0], min(ours)[0]
    table(
        ("way", "members", "seconds"),
        [
            ("SQL by hand, reading only", hand[0][1], f"{theirs:.3f}"),
            ("recount, everybody comes in", ours[0][1], f"{first:.3f}"),
            ("recount, nobody moves", ours[0][1], f"{again:.3f}"),
        ],
    )
    print(f"one event of one contact: {statements} statements")
    result(
        "segments",
        again / theirs,
        TARGET,
        contacts=people,
        events=events,
        first_count_seconds=round(first, 3),
        statements_for_one_event=statements,
    )


if __name__ == "__main__":
    main()
