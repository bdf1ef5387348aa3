"""What a batch costs the database does not depend on how many people move (DESIGN §4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import ingest
from contacts.items import Identify, Track
from journeys import plans, publishing, work
from journeys.models import Enrollment, Journey, Visit
from journeys.nodes import kinds
from messaging.models import Installation, Message, Template, Topic

T0 = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)

#: For each kind, journeys whose middle node is of that kind, in each way it can be set up.
NODES: dict[str, dict[str, Any]] = {
    "send": {"kind": "send", "template": "mail", "topic": "news"},
    "wait for": {"kind": "wait", "for": "1h"},
    "wait until_event": {"kind": "wait", "until_event": {"event": "seen", "timeout": "1h"}},
    "wait until_date": {"kind": "wait", "until_date": {"attribute": "due", "offset": "1h"}},
    "wait until_window": {"kind": "wait", "until_window": {"from": "10:00", "to": "11:00"}},
    "branch": {
        "kind": "branch",
        "paths": [
            {"name": "many", "when": {"event": "go", "count": {"op": "gte", "value": 1}}},
            {"name": "pro", "when": {"attribute": "plan", "op": "eq", "value": "pro"}},
        ],
    },
    "split": {"kind": "split", "variants": {"a": 1, "b": 1}},
    "update": {"kind": "update", "set": {"lead": True}},
    "webhook": {"kind": "webhook", "url": "https://example.com/hook"},
    "exit": {"kind": "exit", "reason": "enough"},
}


def publish(node: dict[str, Any]) -> Journey:
    plans.forget()
    Installation(cap_count=50, cap_within=DAY).save()
    Template.objects.create(slug="mail", name="Mail", subject="Hello", text="Hello")
    Topic.objects.create(slug="news", name="News")
    definition = {
        "journey": "counted",
        "name": "Counted",
        "entry": {"trigger": {"event": "go"}},
        "start": "middle",
        "nodes": {"middle": node},
    }
    journey = Journey.objects.create(slug="counted", name="Counted", draft=definition)
    publishing.publish(journey, by=None, at=T0)
    return journey


def statements(first: int, people: int) -> int:
    """How many statements it takes these people to enter, move, wait and resume."""
    ids = [f"u{number}" for number in range(first, first + people)]
    ingest.record(
        [Identify({"plan": "pro", "due": "2026-03-02T09:30:00Z"}, external_id=one) for one in ids],
        received_at=T0,
    )
    work.work(T0)
    ingest.record([Track("go", external_id=one) for one in ids], received_at=T0)
    with CaptureQueriesContext(connection) as queries:
        work.advance(work.due_contacts(T0, 2000), T0)
        later = T0 + DAY
        due = work.due_contacts(later, 2000)
        if due:
            work.advance(due, later)
    return len(queries)


@pytest.mark.django_db
@pytest.mark.parametrize("name", NODES)
def test_a_node_moves_a_thousand_with_the_statements_of_ten(name: str) -> None:
    publish(NODES[name])
    statements(5000, 1)  # the version is compiled once a process
    few = statements(0, 10)
    many = statements(1000, 1000)
    assert many == few
    assert Enrollment.objects.count() == Visit.objects.count() == 1011
    if name == "send":
        assert Message.objects.filter(reason="no_address").count() == 1011


def test_each_kind_is_counted() -> None:
    assert {node["kind"] for node in NODES.values()} == set(kinds())
