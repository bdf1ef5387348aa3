"""The contact list, the search and the timeline among a million contacts, on PostgreSQL.

    python bench/lists.py [--quick]

Each page is opened as a person opens it. ``ratio`` is the slowest query of all, in units of the
100 ms that none may take. The plans of the slowest are shown.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where it is run by its path

from bench.house import arguments, house, result, table, timed

LIMIT = 0.1
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def fill(people: int) -> None:
    """Contacts, a few events of each, and one contact with very many."""
    from django.db import connection

    from contacts import bulk
    from contacts.models import Contact, Event, Membership, Segment

    chance = random.Random(1)
    for start in range(0, people, 20_000):
        bulk.insert(
            Contact,
            [
                {
                    "external_id": f"user-{n}",
                    "email": f"Person{n}@example{n % 7}.com",
                    "attributes": {"first_name": "Ann", "plan": "pro", "seats": n % 50},
                    "created_at": NOW - timedelta(minutes=n),
                    "updated_at": NOW,
                }
                for n in range(start, min(people, start + 20_000))
            ],
        )
    ids = list(Contact.objects.order_by("pk").values_list("pk", flat=True))
    some = [chance.choice(ids) for _ in range(people)] + [ids[0]] * 50_000
    for start in range(0, len(some), 20_000):
        bulk.insert(
            Event,
            [
                {
                    "contact_id": pk,
                    "name": f"event_{chance.randrange(20)}",
                    "properties": {"n": 1},
                    "occurred_at": NOW - timedelta(minutes=chance.randrange(500_000)),
                    "received_at": NOW - timedelta(minutes=chance.randrange(500_000)),
                }
                for pk in some[start : start + 20_000]
            ],
        )
    segment = Segment.objects.create(slug="half", name="Half")
    for start in range(0, len(ids), 40_000):
        bulk.insert(
            Membership,
            [{"segment_id": segment.pk, "contact_id": pk} for pk in ids[start : start + 20_000]],
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def main() -> None:
    """Open the pages, and look at each query."""
    people = 60_000 if arguments(__doc__ or "").quick else 1_000_000
    with house("postgresql"):
        from django.contrib.auth import get_user_model
        from django.core.management import call_command
        from django.db import connection
        from django.test import Client
        from django.test.utils import CaptureQueriesContext
        from django.urls import reverse

        from contacts.models import Contact

        call_command("collectstatic", interactive=False, verbosity=0)
        fill(people)
        get_user_model().objects.create_superuser("admin", "a@example.com", "admin")
        client = Client(HTTP_HOST="127.0.0.1")
        client.force_login(get_user_model().objects.get())
        first = Contact.objects.order_by("pk").values_list("pk", flat=True)[0]
        contacts = reverse("admin:contacts_contact_changelist")
        events = reverse("admin:contacts_event_changelist")
        person = reverse("admin:contacts_contact_change", args=[first])
        pages = {
            "contact list": contacts,
            "its page 100": f"{contacts}?p=100",
            "members of a segment": f"{contacts}?segment=half",
            "search: an address": f"{contacts}?q=person{people // 2}@example",
            "search: its beginning": f"{contacts}?q=person1",
            "search: a user id": f"{contacts}?q=user-{people // 3}",
            "search: nobody": f"{contacts}?q=nobody@nowhere",
            "event list": events,
            "events of one name": f"{events}?q=event_7",
            "timeline of 50,000 events": person,
            "timeline, earlier": f"{person}?before=2025-10-01T00:00:00%2B00:00",
        }
        rows, slowest = [], (0.0, "")
        for name, address in pages.items():
            client.get(address)
            with CaptureQueriesContext(connection) as queries, timed() as seconds:
                answer = client.get(address)
            if answer.status_code != 200:
                raise AssertionError(f"{name}: {answer.status_code}")
            worst = max(queries.captured_queries, key=lambda query: float(query["time"]))
            slowest = max(slowest, (float(worst["time"]), worst["sql"]))
            rows.append(
                (
                    name,
                    len(queries),
                    f"{float(worst['time']) * 1000:.0f}",
                    f"{seconds[0] * 1000:.0f}",
                )
            )
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {slowest[1]}")
            plan = [line for (line,) in cursor.fetchall()]
    table(("page", "queries", "slowest query, ms", "whole page, ms"), rows)
    print("\nThe plan of the slowest query:")
    print("\n".join(f"  {line[:150]}" for line in plan))
    result("lists", slowest[0] / LIMIT, 1.0, contacts=people, slowest_ms=round(slowest[0] * 1000))


if __name__ == "__main__":
    main()
