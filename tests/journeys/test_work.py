"""Live batches: who is due is found, what fails is put aside, and nothing goes on for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

from contacts import ingest
from contacts.items import Identify, Track
from contacts.models import Contact, Fact
from journeys import clock, plans, publishing, store, triggers, work
from journeys.models import DateEntry, Enrollment, Hour, Journey
from messaging import delivery
from messaging.models import Message, Template

WAIT = {"kind": "wait", "for": "1h"}
T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


def journey(trigger: dict[str, Any], nodes: dict[str, Any] | None = None) -> Journey:
    plans.forget()
    draft = {
        "journey": "one",
        "name": "One",
        "entry": {"trigger": trigger},
        "start": "rest",
        "nodes": nodes or {"rest": WAIT},
    }
    made = Journey.objects.create(slug="one", name="One", draft=draft)
    publishing.publish(made, by=None, at=T0)
    made.refresh_from_db()
    return made


def test_a_date_of_a_journey_that_ended_keeps_nobody_busy() -> None:
    one = journey({"date": "due"})
    ingest.record([Identify({"due": "2026-03-03"}, external_id="u1")], received_at=T0)
    work.work(T0)
    assert DateEntry.objects.get().due_at == T0.replace(hour=0) + DAY
    Journey.objects.filter(pk=one.pk).update(status=Journey.Status.ARCHIVED)
    assert work.work(T0 + 2 * DAY) == 0
    assert not Enrollment.objects.exists()


def test_a_fact_that_fails_is_put_aside_and_stops_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Poison: one of three people makes the engine raise; the other two go on."""
    journey({"event": "go"})
    ingest.record([Track("go", external_id=f"u{n}") for n in range(3)], received_at=T0)
    real = triggers.by_event

    def poisoned(person: Any, happening: Any) -> None:
        if person.external_id == "u1":
            raise ZeroDivisionError("a bad day")
        real(person, happening)

    with monkeypatch.context() as patch:
        patch.setattr(triggers, "by_event", poisoned)
        work.work(T0)
    aside = Fact.objects.get(failed_at__isnull=False)
    assert aside.contact.external_id == "u1"
    assert aside.error == "ZeroDivisionError: a bad day"
    entered = Enrollment.objects.values_list("contact__external_id", flat=True)
    assert sorted(entered) == ["u0", "u2"]
    ingest.record([Track("go", external_id="u1")], received_at=T0)
    work.work(T0)
    assert Enrollment.objects.count() == 3


def test_a_database_that_is_busy_puts_nothing_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No fact is at fault when the database is away: it waits, and is worked through later."""
    journey({"event": "go"})
    ingest.record([Track("go", external_id="u1")], received_at=T0)

    def busy(world: Any) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", busy)
        with pytest.raises(OperationalError):
            work.work(T0)
    assert not Fact.objects.filter(failed_at__isnull=False).exists()
    work.work(T0)
    assert Enrollment.objects.get().status == "waiting"


def test_a_timer_that_fails_ends_its_enrollment_with_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journey({"event": "go"})
    ingest.record([Track("go", external_id="u1")], received_at=T0)
    work.work(T0)
    monkeypatch.setattr("journeys.nodes.wait.WaitKind.due", lambda *_: 1 / 0)
    work.work(T0 + DAY)
    enrollment = Enrollment.objects.get()
    assert (enrollment.status, enrollment.reason) == ("failed", "error")
    assert enrollment.error == "ZeroDivisionError: division by zero"


def test_a_change_is_judged_in_the_order_of_receipt() -> None:
    """T2: an event sees the contact as it was when the event was received."""
    journey(
        {"event": "go"},
        {
            "rest": {
                "kind": "branch",
                "paths": [{"name": "big", "when": {"attribute": "seats", "op": "gte", "value": 9}}],
                "next": {"big": "yes", "else": "no"},
            },
            "yes": {"kind": "exit", "reason": "big"},
            "no": {"kind": "exit", "reason": "small"},
        },
    )
    ingest.record(
        [
            Identify({"seats": 1}, external_id="u1"),
            Track("go", external_id="u1"),
            Identify({"seats": 12}, external_id="u1"),
        ],
        received_at=T0,
    )
    assert Contact.objects.get().attributes == {"seats": 12}
    work.work(T0)
    assert Enrollment.objects.get().reason == "small"
    assert Contact.objects.get().attributes == {"seats": 12}


def test_two_clocks_count_an_hour_once() -> None:
    """T5: the full hour is counted by whoever is first."""
    clock.count_hour(T0 + timedelta(minutes=5))
    clock.count_hour(T0 + timedelta(minutes=20))
    assert [hour.at for hour in Hour.objects.all()] == [T0]


@pytest.mark.django_db(transaction=True)
def test_the_clock_does_the_work_where_there_is_no_redis() -> None:
    journey({"event": "go"})
    ingest.record([Track("go", external_id="u1")], received_at=T0)
    clock.tick(T0)
    assert Enrollment.objects.get().status == "waiting"
    clock.tick(T0 + DAY)
    assert Enrollment.objects.get().status == "completed"


def test_a_paused_journey_holds_back_what_it_queued(outbox_dir: Path) -> None:
    """V2: who waits for a mail of a paused journey gets it when the journey goes on."""
    Template.objects.create(slug="mail", name="Mail", subject="{{ event.name }}", text="Hello")
    one = journey(
        {"event": "go"},
        {"rest": {"kind": "send", "template": "mail", "next": "then"}, "then": WAIT},
    )
    ingest.record(
        [Identify({}, external_id="u1", email="u1@example.org"), Track("go", external_id="u1")],
        received_at=T0,
    )
    work.work(T0)
    publishing.pause(one, by=None, at=T0)
    assert delivery.run(T0) == 0
    assert Message.objects.get().status == "queued"
    publishing.resume(one, by=None, at=T0)
    assert delivery.run(T0) == 1
    assert Message.objects.get().subject == "go"
    assert len(list(outbox_dir.glob("*.eml"))) == 1


def test_who_came_last_and_whose_time_has_come_do_not_wait_for_a_large_import() -> None:
    journey({"event": "go"})
    early = [Track("go", external_id=f"early{n}") for n in range(5)]
    ingest.record(early, received_at=T0)
    work.work(T0)
    ingest.record([Identify({}, external_id=f"row{n}") for n in range(100)], received_at=T0)
    ingest.record([Track("go", external_id="last")], received_at=T0)
    chosen = work.due_contacts(T0 + DAY, 20)
    names = Contact.objects.in_bulk(chosen)
    picked = [names[pk].external_id for pk in chosen]
    assert len(picked) == len(set(picked)) == 20
    assert picked[:8] == [f"row{n}" for n in range(8)]
    assert "last" in picked
    assert (
        len({f"early{n}" for n in range(5)} & set(picked)) == 4
    )  # all are due since the same time
    work.work(T0 + DAY)
    assert not Fact.objects.exists()
    assert Enrollment.objects.filter(status="completed").count() == 6


@pytest.mark.django_db(transaction=True)
def test_contacts_that_another_worker_holds_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer.")
    journey({"event": "go"})
    monkeypatch.setattr(work, "BATCH", 5)
    ingest.record([Track("go", external_id=f"u{n}") for n in range(20)], received_at=T0)

    def other_worker() -> int:
        try:
            return work.work(T0)
        finally:
            connections.close_all()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        first = store.lock(work.due_contacts(T0, 5))
        assert len(first) == 5
        assert pool.submit(other_worker).result(timeout=30) == 15
    assert Enrollment.objects.count() == 15
    assert work.work(T0) == 5


@pytest.mark.parametrize(
    ("conditions", "loaded"),
    [
        ([{"event": "seen", "within": "30d"}], 2),
        ([{"event": "seen", "within": "7d"}], 1),
        ([{"event": "seen", "within": "7d"}, {"event": "seen", "within": "30d"}], 2),
        ([{"event": "seen", "within": "7d"}, {"event": "seen"}], 3),
        ([{"event": "other"}], 0),
    ],
)
def test_only_events_in_reach_of_a_condition_are_loaded(
    conditions: list[dict[str, Any]], loaded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C4 includes both ends, so the event of exactly thirty days ago is in reach."""
    look = {"kind": "branch", "paths": [{"name": "yes", "when": {"any": conditions}}]}
    journey({"event": "go"}, {"rest": look})
    for days in (31, 30, 3):
        at = T0 - days * DAY
        ingest.record([Track("seen", external_id="u1", occurred_at=at)], received_at=at)
    work.work(T0)
    ingest.record([Track("go", external_id="u1")], received_at=T0)
    found: list[int] = []
    run = work.engine.run

    def watched(world: Any) -> int:
        found.append(
            sum(len(one) for person in world.people.values() for one in person.history.values())
        )
        return run(world)

    monkeypatch.setattr(work.engine, "run", watched)
    work.work(T0)
    assert found == [loaded]
    (visit,) = Enrollment.objects.get().visits.all()
    assert visit.outcome == ("yes" if loaded else "else")
