"""An import that may not start journeys: membership is noted, and nobody enters by it (E5)."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts import ingest, segments
from contacts.clock import now
from contacts.imports import running
from contacts.items import Identify
from contacts.models import Contact, Import, Membership, Segment
from journeys import clock, plans, publishing, work
from journeys.models import Enrollment
from messaging.models import Subscription, Topic

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
FILE = b"external_id,plan\nu1,pro\nu2,free\nu3,pro\n"


@pytest.fixture(autouse=True)
def house() -> None:
    plans.forget()
    condition = {"attribute": "plan", "op": "eq", "value": "pro"}
    Segment.objects.create(slug="pros", name="Pros", condition=condition)
    Segment.objects.create(slug="guests", name="Guests")
    for slug in ("pros", "guests"):
        definition = {
            "journey": slug,
            "name": slug,
            "entry": {"trigger": {"segment": slug}, "reentry": "every_time"},
            "start": "rest",
            "nodes": {"rest": {"kind": "wait", "for": "7d"}},
        }
        publishing.publish(publishing.create(definition, at=T0), at=T0)


def entered(slug: str) -> set[str | None]:
    rows = Enrollment.objects.filter(journey__slug=slug)
    return set(rows.values_list("contact__external_id", flat=True))


def members(slug: str) -> set[str | None]:
    rows = Membership.objects.filter(segment__slug=slug, left_at=None)
    return set(rows.values_list("contact__external_id", flat=True))


def imported(**options: Any) -> Import:
    guests = Segment.objects.get(slug="guests")
    source = running.prepare(io.BytesIO(FILE), "people.csv", segment=guests, **options)
    assert running.start(source)
    assert running.run(source)
    work.work(now())
    return source


def test_an_import_notes_membership_and_starts_nothing():
    imported()
    assert members("pros") == {"u1", "u3"}
    assert members("guests") == {"u1", "u2", "u3"}
    assert entered("pros") == entered("guests") == set()


def test_an_import_that_may_starts_journeys():
    imported(start_journeys=True)
    assert entered("pros") == {"u1", "u3"}
    assert entered("guests") == {"u1", "u2", "u3"}


def test_who_became_a_member_quietly_enters_only_on_coming_again():
    source = imported()
    one = Contact.objects.get(external_id="u1").pk
    ingest.change({one: {"seats": 1}}, at=T0)
    work.work(T0)
    assert entered("pros") == set()
    ingest.change({one: {"plan": "free"}}, at=T0 + HOUR)
    ingest.change({one: {"plan": "pro"}}, at=T0 + HOUR)
    work.work(T0 + HOUR)
    assert entered("pros") == {"u1"}
    assert running.undo(source)
    running.run(source)
    # Who is on a journey by now is not taken back.
    assert list(Contact.objects.values_list("external_id", flat=True)) == ["u1"]


def test_put_into_a_segment_quietly():
    ingest.record([Identify(external_id="u1")], received_at=T0)
    segment, ids = Segment.objects.get(slug="guests"), [Contact.objects.get().pk]
    segments.add(segment, ids, at=T0, quiet=True)
    work.work(T0)
    assert (members("guests"), entered("guests")) == ({"u1"}, set())
    segments.remove(segment, ids, at=T0)
    segments.add(segment, ids, at=T0)
    work.work(T0)
    assert entered("guests") == {"u1"}


def test_the_clock_carries_on_with_an_import_that_nobody_works_on(monkeypatch):
    monkeypatch.setattr(clock, "close_old_connections", lambda: None)
    source = running.prepare(io.BytesIO(FILE), "people.csv")
    assert running.start(source)
    assert running.due_since(now()) is not None
    clock.tick(now())
    source.refresh_from_db()
    assert (source.status, source.created) == ("done", 3)
    assert running.due_since(now()) is None


def test_the_clock_gives_an_import_some_seconds_and_goes_on_next_time(monkeypatch):
    monkeypatch.setattr(running, "A_WHILE", timedelta(0))
    monkeypatch.setattr(running, "SIZE", 2)
    source = running.prepare(io.BytesIO(FILE), "people.csv")
    assert running.start(source)
    positions = []
    while running.due_since(now()) is not None:
        running.run_for_a_while(now())
        source.refresh_from_db()
        positions.append(source.position)
    assert positions[:2] == [2, 3]
    assert (source.status, source.created) == ("done", 3)


def test_a_column_for_a_topic_is_recognised_and_written():
    Topic.objects.create(slug="news", name="News")
    file = io.BytesIO(b"external_id,news\nu1,yes\nu2,no\n")
    source = running.prepare(file, "people.csv")
    source.mapping[1] = {**source.mapping[1], "to": "topic", "name": "news"}
    source.save()
    assert running.start(source)
    running.run(source)
    rows = Subscription.objects.order_by("contact__external_id")
    assert list(rows.values_list("contact__external_id", "subscribed", "source")) == [
        ("u1", True, "Import people.csv"),
        ("u2", False, "Import people.csv"),
    ]
