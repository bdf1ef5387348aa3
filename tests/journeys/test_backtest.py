"""A backtest is the simulation of the stored past: same passages, nothing written, resumable."""

from __future__ import annotations

import csv
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact, Event, Membership, Segment
from contacts.problems import Invalid
from journeys import backtest, clock, engine, jobs, plans, publishing, simulation
from journeys.backtest import running
from journeys.models import Backtest, Enrollment, Journey
from journeys.simulation import run as simulating
from journeys.simulation.inputs import ContactLine, FactLine, Known, read_contacts, read_facts
from journeys.world import Passage, World
from messaging.models import (
    Installation,
    Message,
    Subscription,
    Suppression,
    Template,
    Topic,
    address_hash,
)
from tests.journeys.live import House
from tests.reference import generate

pytestmark = pytest.mark.django_db

FROM = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = datetime(2026, 3, 31, tzinfo=UTC)
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def draft(**parts: Any) -> dict[str, Any]:
    """welcome → a day or a purchase → nudge."""
    return {
        "journey": "tried",
        "name": "Tried",
        "entry": {"trigger": {"event": "joined"}},
        "goal": {"event": "bought"},
        "start": "welcome",
        "nodes": {
            "welcome": {"kind": "send", "template": "mail", "next": "pause"},
            "pause": {"kind": "wait", "for": "1d", "next": "nudge"},
            "nudge": {"kind": "send", "template": "mail"},
        },
        **parts,
    }


@pytest.fixture(autouse=True)
def _clean() -> None:
    plans.forget()
    Template.objects.create(slug="mail", name="Mail", subject="Hello", text="Hello")


def journey(**parts: Any) -> Journey:
    data = draft(**parts)
    return Journey.objects.create(slug=data["journey"], name=data["name"], draft=data)


def person(name: str, created_at: datetime = BEFORE, **fields: Any) -> Contact:
    email = fields.pop("email", f"{name}@example.com")
    return Contact.objects.create(external_id=name, email=email, created_at=created_at, **fields)


def event(contact: Contact, name: str, at: datetime, received: datetime | None = None) -> Event:
    return Event.objects.create(
        contact=contact, name=name, occurred_at=at, received_at=received or at
    )


def asked(subject: Journey, period_from: datetime = FROM, until: datetime = UNTIL) -> Backtest:
    return backtest.start(subject, period_from, until, at=NOW)


def finished(subject: Journey, **period: Any) -> Backtest:
    """The backtest of the journey, worked through."""
    made = asked(subject, **period)
    while backtest.step(NOW):
        pass
    made.refresh_from_db()
    assert made.status == "done", made.error
    return made


# the same as a simulation


class Seen:
    """The result lines of all worlds that were run, by the side they are of."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.sides: tuple[list[Any], list[Any]] = ([], [])
        self.worlds = 0

    def __call__(self, world: World) -> None:
        engine_run(world)
        self.sides[self.worlds % 2].extend(
            (one.entered_at, str(one.person.external_id), number, _line(one))
            for number, one in enumerate(world.touched)
        )
        self.worlds += 1

    def lines(self, side: int) -> list[dict[str, Any]]:
        return [line for *_, line in sorted(self.sides[side], key=lambda one: one[:3])]


engine_run = engine.run


def _line(passage: Passage) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(simulating._result(passage))
    return line


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Every world that a backtest runs, in chunks of three people."""
    found = Seen()
    monkeypatch.setattr(running.engine, "run", found)
    monkeypatch.setattr(running, "CHUNK", 3)
    return found


def kept(lines: list[FactLine]) -> Iterator[FactLine]:
    """The events, each once: what an installation remembers of the past."""
    known: set[str] = set()
    for line in lines:
        if line.kind == "event" and line.message_id not in known:
            known |= {line.message_id} if line.message_id else set()
            yield line


def remembered(folder: Path, seed: int) -> tuple[generate.Case, Any, dict[str, Any], Any] | None:
    """A case as far as an installation can remember it; None where nobody could enter."""
    case = generate.case(seed)
    if "manual" in case.journey["entry"]["trigger"]:
        return None
    files = generate.write(case, folder)
    known = Known(frozenset(case.journey.get("topics", {})), _sends(case.journey), False)
    lines = list(kept(read_facts(files.events, known)))
    if not lines:
        return None
    start = case.start or lines[0].at
    people = read_contacts(files.contacts)
    for one in people.values():
        one.created_at = min(one.created_at or BEFORE, start - DAY)
    _rewrite(files, people, lines)
    return case, files, people, (lines, start)


def _sends(data: dict[str, Any]) -> frozenset[str]:
    return frozenset(key for key, node in data["nodes"].items() if node["kind"] == "send")


def _rewrite(files: generate.Files, people: dict[str, ContactLine], lines: list[FactLine]) -> None:
    with files.contacts.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["external_id", "email", "timezone", "created_at", "attributes"])
        for one in people.values():
            made = one.created_at.isoformat() if one.created_at else ""
            attributes = json.dumps(one.attributes)
            writer.writerow([one.external_id, one.email, one.timezone, made, attributes])
    rows = [
        {
            "contact": line.contact,
            "at": line.occurred_at.isoformat(),
            "received_at": line.at.isoformat(),
            "event": line.value,
            "properties": line.properties,
        }
        for line in lines
    ]
    files.events.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def playable() -> Iterator[int]:
    """The seeds of cases in which the past that is remembered can enter somebody."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in itertools.count():
            if remembered(Path(folder) / str(seed), seed) is not None:
                yield seed


@pytest.mark.parametrize("seed", list(itertools.islice(playable(), 60)))
def test_the_stored_past_gives_what_a_simulation_of_it_gives(
    seed: int, tmp_path: Path, seen: Seen
) -> None:
    """Events, late ones too, static and dynamic segments, dates, caps, windows, updates."""
    Template.objects.all().delete()
    found = remembered(tmp_path, seed)
    assert found is not None
    case, files, people, (lines, start) = found
    out = tmp_path / "result.jsonl"
    simulation.simulate(
        files.journey, files.contacts, files.events, until=case.until, start=start, out=out
    )
    expected = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if line.at <= case.until:
            people.setdefault(line.contact, ContactLine(line.contact, created_at=line.at))
    house = House(case.journey, people)
    house.open(start - HOUR)
    for line in lines:
        if line.at <= case.until:
            Event.objects.create(
                contact_id=house.ids[line.contact],
                name=line.value,
                properties=line.properties,
                occurred_at=line.occurred_at,
                received_at=line.at,
            )
    seen.forget()
    made = finished(Journey.objects.get(), period_from=start, until=case.until)
    assert seen.lines(0) == expected
    assert seen.lines(1) == expected
    assert made.result["draft"] == made.result["live"]
    assert made.result["draft"]["entered"] == len(expected)
    queued = [one for line in expected for one in line["messages"] if one["status"] != "skipped"]
    assert made.result["draft"]["mails"] == len(queued)


# what it shows


def test_it_counts_people_mails_goals_and_days() -> None:
    ann, bob, eve = person("ann"), person("bob"), person("eve", email="")
    event(ann, "joined", FROM + HOUR)
    event(bob, "joined", FROM + DAY)
    event(bob, "bought", FROM + DAY + HOUR)
    event(eve, "joined", FROM + DAY)
    event(eve, "joined", FROM + 2 * DAY)
    made = finished(journey())
    side = made.result["draft"]
    assert (made.done, made.total) == (3, 3)
    assert (side["entered"], side["people"], side["goals"], side["mails"]) == (3, 3, 1, 3)
    assert side["skipped"] == {"no_address": 2}
    assert side["refused"] == {"reentry": 1}
    assert side["ended"] == {"completed:": 2, "exited:goal": 1}
    assert side["days"] == {"2026-03-01": [1, 1], "2026-03-02": [2, 2]}
    assert side["nodes"]["nudge"] == {
        "people": 2, "mails": 1, "skipped": 1, "days": {"2026-03-02": [1, 1], "2026-03-03": [1, 0]},
    }  # fmt: skip
    assert [(one["contact"], one["mails"]) for one in side["first"]] == [
        (ann.pk, 2), (bob.pk, 1), (eve.pk, 0),
    ]  # fmt: skip
    assert "live" not in made.result


def test_a_day_is_the_installations() -> None:
    Installation(timezone="Pacific/Auckland").save()
    event(person("ann"), "joined", FROM + 20 * HOUR)
    assert list(finished(journey()).result["draft"]["days"]) == ["2026-03-02", "2026-03-03"]


def test_the_live_version_is_replayed_beside_the_draft() -> None:
    subject = journey()
    publishing.publish(subject, by=None, at=BEFORE)
    ann, bob = person("ann"), person("bob")
    event(ann, "joined", FROM + HOUR)
    event(bob, "joined", FROM + HOUR)
    event(bob, "tested", FROM + 2 * HOUR)
    Journey.objects.update(draft=draft(entry={"trigger": {"event": "tested"}}))
    subject.refresh_from_db()
    result = finished(subject).result
    assert (result["draft"]["people"], result["live"]["people"], result["both"]) == (1, 2, 1)


def test_what_lies_before_the_period_is_history_and_moves_nothing() -> None:
    ann, bob = person("ann"), person("bob")
    event(ann, "joined", FROM - HOUR)
    event(bob, "seen", FROM - HOUR)
    event(bob, "joined", FROM + HOUR)
    event(ann, "joined", UNTIL + HOUR)
    seen_before = {"event": "seen", "within": "2d"}
    made = finished(journey(entry={"trigger": {"event": "joined"}, "filter": seen_before}))
    assert [one["contact"] for one in made.result["draft"]["first"]] == [bob.pk]


def test_who_joined_a_static_segment_in_the_period_enters() -> None:
    """Those who were members before do not; those who left and came back do (E5)."""
    segment = Segment.objects.create(slug="vip", name="VIP")
    old, new, back = person("old"), person("new"), person("back")
    person("never")
    for contact, entered_at, left_at in (
        (old, BEFORE, None),
        (new, FROM + DAY, None),
        (back, BEFORE, FROM + DAY),
        (back, FROM + 2 * DAY, None),
    ):
        Membership.objects.create(
            segment=segment, contact=contact, entered_at=entered_at, left_at=left_at
        )
    made = finished(journey(entry={"trigger": {"segment": "vip"}}))
    assert made.total == 4
    first = made.result["draft"]["first"]
    assert [(one["contact"], one["at"]) for one in first] == [
        (new.pk, "2026-03-02T00:00:00Z"), (back.pk, "2026-03-03T00:00:00Z"),
    ]  # fmt: skip


def test_who_came_in_the_period_joins_a_segment_then() -> None:
    Segment.objects.create(
        slug="pro", name="Pro", condition={"attribute": "plan", "op": "eq", "value": "pro"}
    )
    person("old", attributes={"plan": "pro"})
    new = person("new", FROM + DAY, attributes={"plan": "pro"})
    person("later", UNTIL + DAY, attributes={"plan": "pro"})
    made = finished(journey(entry={"trigger": {"segment": "pro"}}))
    assert [one["contact"] for one in made.result["draft"]["first"]] == [new.pk]


def test_a_date_enters_whom_it_falls_to_in_the_period() -> None:
    ann = person("ann", attributes={"renews": "2026-03-10"})
    person("bob", attributes={"renews": "2026-04-10"})
    made = finished(journey(entry={"trigger": {"date": "renews", "at": "09:00"}}))
    assert [one["contact"] for one in made.result["draft"]["first"]] == [ann.pk]


def test_entries_by_hand_are_repeated() -> None:
    subject = journey(entry={"trigger": {"manual": True}})
    version = publishing.publish(subject, by=None, at=BEFORE)
    ann = person("ann")
    person("bob")
    Enrollment.objects.create(
        journey=subject, version=version, contact=ann, entered_at=FROM + DAY, status="waiting"
    )
    subject.refresh_from_db()
    made = finished(subject)
    assert (made.total, made.result["draft"]["entered"], made.result["live"]["entered"]) == (1,) * 3


def test_suppressed_unsubscribed_and_capped_mails_are_skipped() -> None:
    """S2, S3 and S5, with what other journeys sent in the period."""
    Installation(cap_count=1, cap_within=2 * DAY).save()
    topic = Topic.objects.create(slug="news", name="News")
    people = [person(name) for name in ("ann", "bob", "eve", "joe")]
    for one in people:
        event(one, "joined", FROM + DAY)
    Suppression.objects.create(address=people[0].email)
    assert Suppression.objects.get().hash == address_hash(people[0].email)
    Subscription.objects.create(contact=people[1], topic=topic, subscribed=False)
    for contact, slug in ((people[2], "other"), (people[3], "tried")):
        Message.objects.create(
            contact=contact, template=Template.objects.get(), journey=slug, node="x",
            to=contact.email, queued_at=FROM + DAY - HOUR, status="sent",
        )  # fmt: skip
    nodes = {"welcome": {"kind": "send", "template": "mail", "topic": "news"}}
    side = finished(journey(nodes=nodes)).result["draft"]
    assert side["skipped"] == {"suppressed": 1, "unsubscribed": 1, "capped": 1}
    assert side["mails"] == 1


def test_a_condition_on_time_is_judged_at_events_of_any_name() -> None:
    ann = person("ann")
    event(ann, "joined", FROM + HOUR)
    event(ann, "passed_by", FROM + 5 * HOUR)
    quiet = {"not": {"event": "joined", "within": "3h"}}
    side = finished(journey(exit_when=quiet)).result["draft"]
    assert side["ended"] == {"exited:exit_when": 1}


# what it costs


def crowd(count: int, first: int = 0) -> None:
    people = Contact.objects.bulk_create(
        Contact(external_id=f"u{number}", email=f"u{number}@example.com", created_at=BEFORE)
        for number in range(first, first + count)
    )
    Event.objects.bulk_create(
        Event(contact=one, name=name, occurred_at=FROM + HOUR, received_at=FROM + HOUR)
        for one in people
        for name in ("joined", "seen")
    )


def test_a_chunk_costs_the_same_statements_for_ten_and_a_thousand() -> None:
    Installation(cap_count=5, cap_within=DAY).save()
    subject = journey()
    publishing.publish(subject, by=None, at=BEFORE)

    def statements() -> int:
        asked(subject)
        plans.forget()
        with CaptureQueriesContext(connection) as queries:
            backtest.step(NOW)
        return len(queries)

    crowd(10)
    few = statements()
    crowd(900, first=10)
    assert statements() == few
    assert few < 25


def test_nothing_is_written_but_the_backtest_itself() -> None:
    crowd(20)
    subject = journey()
    publishing.publish(subject, by=None, at=BEFORE)
    asked(subject)
    with CaptureQueriesContext(connection) as queries:
        while backtest.step(NOW):
            pass
    told = [one["sql"] for one in queries]
    writes = [sql for sql in told if not sql.lstrip().upper().startswith("SELECT")]
    assert len(writes) == 2
    assert all(sql.startswith('UPDATE "journeys_backtest"') for sql in writes)
    assert not Enrollment.objects.exists()
    assert not Message.objects.exists()


# stopping and going on


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "CHUNK", 2)


def test_progress_is_saved_behind_each_chunk(small: None) -> None:
    crowd(5)
    made = asked(journey())
    reached = []
    while backtest.step(NOW):
        made.refresh_from_db()
        reached.append((made.status, made.done, made.total, made.result["draft"]["people"]))
    assert reached == [("running", 2, 5, 2), ("running", 4, 5, 4), ("done", 5, 5, 5)]
    assert made.finished_at == NOW


def test_it_can_be_cancelled_also_while_a_chunk_is_at_work(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(5)
    made = asked(journey())
    backtest.step(NOW)
    during(monkeypatch, lambda: backtest.cancel(made, at=NOW))
    backtest.step(NOW)
    made.refresh_from_db()
    assert (made.status, made.done, made.finished_at) == ("cancelled", 2, NOW)
    assert not backtest.step(NOW)
    assert not backtest.cancel(made, at=NOW)


def during(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> None:
    """Let something happen while a chunk is replayed."""
    monkeypatch.setattr(running.engine, "run", lambda world: (what(), engine_run(world)))


class Killed(BaseException):
    """The process is gone."""


def killed() -> None:
    raise Killed


def test_a_kill_in_the_middle_is_picked_up_by_the_clock(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(3)
    made = asked(journey())
    backtest.step(NOW)
    during(monkeypatch, killed)
    with pytest.raises(Killed):
        backtest.step(NOW)
    monkeypatch.undo()
    assert not backtest.step(NOW)  # somebody seems to be at work
    assert backtest.due_since(NOW) is None
    monkeypatch.setattr(clock, "close_old_connections", lambda: None)  # the test's own is open
    later = NOW + running.LEASE + HOUR
    clock.tick(later)
    made.refresh_from_db()
    assert (made.status, made.result["draft"]["people"]) == ("done", 3)


def test_what_kills_the_process_each_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd(1)
    made = asked(journey())
    during(monkeypatch, killed)
    at = NOW
    for _ in range(running.MOST_TRIES):
        with pytest.raises(Killed):
            backtest.step(at)
        at += 2 * running.LEASE
    assert backtest.step(at)
    made.refresh_from_db()
    assert (made.status, made.error) == (
        "failed",
        "It was interrupted three times at the same place.",
    )


def test_an_error_fails_it_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd(1)
    made = asked(journey())
    during(monkeypatch, lambda: 1 / 0)
    assert backtest.step(NOW)
    made.refresh_from_db()
    assert (made.status, made.lease_until) == ("failed", None)
    assert made.error == "It stopped at an error of the program: ZeroDivisionError."
    assert not backtest.step(NOW)


def test_a_draft_that_lost_what_it_refers_to_fails() -> None:
    made = asked(journey())
    Template.objects.all().delete()
    backtest.step(NOW)
    made.refresh_from_db()
    assert made.status == "failed"
    assert "mail" in made.error


def test_a_draft_with_problems_is_not_begun() -> None:
    with pytest.raises(Invalid) as caught:
        asked(journey(start="nowhere"))
    assert caught.value.problems
    assert not Backtest.objects.exists()


def test_two_workers_do_not_count_a_chunk_twice(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower one finds the chunk done, and writes nothing."""
    crowd(3)
    made = asked(journey())
    late = NOW + running.LEASE + HOUR

    def overtaken() -> None:
        monkeypatch.undo()
        backtest.step(late)

    during(monkeypatch, overtaken)
    monkeypatch.setattr(running, "CHUNK", 2)
    backtest.step(NOW)
    while backtest.step(late):
        pass
    made.refresh_from_db()
    assert (made.status, made.done, made.result["draft"]["people"]) == ("done", 3, 3)


def test_old_backtests_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "KEPT", 2)
    subject = journey()
    made = [finished(subject).pk for _ in range(4)]
    assert sorted(Backtest.objects.values_list("pk", flat=True)) == made[-2:]


def test_the_job_works_until_nothing_waits(small: None) -> None:
    crowd(5)
    made = asked(journey())
    jobs.run_backtests()
    made.refresh_from_db()
    assert made.status == "done"


def test_memory_stays_flat(small: None) -> None:
    """What is kept between chunks does not grow with the people."""
    crowd(300)
    made = finished(journey())
    assert len(made.result["draft"]["first"]) == 100
    assert len(json.dumps(made.result)) < 20_000
