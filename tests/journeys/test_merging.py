"""Two contacts become one: both passages are kept, and the re-entry rules hold again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts import identity, ingest
from contacts.items import Alias, Identify, Track
from contacts.models import Contact, Event, Fact
from journeys import plans, publishing, work
from journeys.models import DateEntry, Enrollment, Journey, Visit
from messaging.models import Message, Template

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REST = {
    "first": {"kind": "send", "template": "hello", "next": "rest"},
    "rest": {"kind": "wait", "for": "7d", "next": "done"},
    "done": {"kind": "exit", "reason": "thanked"},
}


@pytest.fixture(autouse=True)
def house() -> None:
    plans.forget()
    Template.objects.create(slug="hello", name="Hello", subject="Hi", text="Hello")


def live(slug: str = "j", **entry: Any) -> Journey:
    definition = {
        "journey": slug,
        "name": slug,
        "entry": {"trigger": {"event": "go"}, **entry},
        "start": "first",
        "nodes": REST,
    }
    made = publishing.create(definition, at=T0)
    publishing.publish(made, at=T0)
    return made


def go(*users: str, at: datetime, **properties: Any) -> None:
    for user in users:
        ingest.record([Track("go", properties, external_id=user)], received_at=at)
    work.work(at)


def merge(winner: str = "u1", loser: str = "u2", at: datetime = T0 + DAY) -> Contact:
    kept = Contact.objects.get(external_id=winner)
    identity.merge(kept.pk, Contact.objects.get(external_id=loser).pk, at=at)
    work.work(at)
    kept.refresh_from_db()
    return kept


def told(contact: Contact) -> list[tuple[str, str]]:
    rows = Enrollment.objects.filter(contact=contact).order_by("pk")
    return list(rows.values_list("status", "reason"))


@pytest.mark.parametrize("reentry", ["once", "after_exit", {"after": "30d"}])
def test_the_losers_passage_ends_where_the_rule_allows_one(reentry):
    live(reentry=reentry)
    people = [Identify(external_id=user, email=f"{user}@x.org") for user in ("u1", "u2")]
    ingest.record(people, received_at=T0)
    go("u2", at=T0)
    go("u1", at=T0 + HOUR)
    contact = merge()
    assert told(contact) == [("exited", "merged"), ("waiting", "")]
    ended = Enrollment.objects.get(reason="merged")
    assert (ended.ended_at, ended.resume_at, ended.exclusive) == (T0 + DAY, None, None)
    assert not Visit.objects.filter(enrollment=ended, left_at=None).exists()
    assert set(Message.objects.values_list("enrollment", "status")) == {
        (ended.pk, "cancelled"),
        (Enrollment.objects.get(status="waiting").pk, "queued"),
    }
    go("u2", at=T0 + 2 * DAY)
    assert [status for status, _ in told(contact)] == ["exited", "waiting"]
    assert Event.objects.filter(contact=contact).count() == 3


def test_every_time_keeps_both_under_way_and_their_timers_apart():
    live(reentry="every_time")
    go("u2", at=T0)
    go("u1", at=T0 + HOUR)
    contact = merge()
    assert told(contact) == [("waiting", ""), ("waiting", "")]
    orders = Enrollment.objects.order_by("pk").values_list("wait_order", flat=True)
    assert list(orders) == [1, 2]  # T1: in the order in which the waits began
    work.work(T0 + 7 * DAY)
    assert told(contact) == [("exited", "thanked"), ("waiting", "")]
    work.work(T0 + 8 * DAY)
    assert told(contact) == [("exited", "thanked")] * 2


def test_passages_with_different_keys_go_on_side_by_side():
    live(trigger={"event": "go", "key": "order"}, reentry="after_exit")
    go("u1", at=T0, order=1)
    go("u2", at=T0, order=2)
    assert told(merge()) == [("waiting", "")] * 2


def test_once_counts_a_passage_that_is_over():
    live(reentry="once")
    go("u1", at=T0)
    work.work(T0 + 8 * DAY)
    go("u2", at=T0 + 9 * DAY)
    contact = merge(at=T0 + 10 * DAY)
    assert told(contact) == [("exited", "thanked"), ("exited", "merged")]
    assert Enrollment.objects.filter(exclusive__isnull=False).count() == 1


def test_the_losers_passage_that_is_over_is_history():
    live(reentry="once")
    go("u2", at=T0)
    work.work(T0 + 8 * DAY)
    go("u1", at=T0 + 9 * DAY)
    contact = merge(at=T0 + 10 * DAY)
    assert told(contact) == [("exited", "thanked"), ("waiting", "")]


def test_three_become_one_in_one_batch():
    live(reentry="after_exit")
    go("u3", "u2", "u1", at=T0)
    ingest.record([Alias("u3", "u2"), Alias("u2", "u1")], received_at=T0 + DAY)
    work.work(T0 + DAY)
    contact = Contact.objects.get()
    assert told(contact) == [("exited", "merged"), ("exited", "merged"), ("waiting", "")]


def test_dates_ask_once_for_both():
    trigger = {"date": "born", "at": "09:00", "yearly": True}
    live(trigger=trigger, reentry="every_time")
    ingest.record(
        [Identify({"born": "1990-03-02"}, external_id=user) for user in ("u1", "u2", "u3")],
        received_at=T0 - HOUR,
    )
    work.work(T0 - HOUR)
    assert DateEntry.objects.count() == 3
    work.work(T0)
    assert Enrollment.objects.filter(status="waiting").count() == 3
    contact = merge(at=T0 + HOUR)
    entry = DateEntry.objects.get(contact=contact)
    assert (entry.asked_at, entry.due_at) == (T0, datetime(2027, 3, 2, 9, tzinfo=UTC))
    assert told(contact) == [("waiting", ""), ("exited", "merged")]


def test_a_loser_that_was_asked_is_not_asked_again():
    live(trigger={"date": "born"}, reentry="every_time")
    ingest.record([Identify(external_id="u1")], received_at=T0 - HOUR)
    ingest.record([Identify({"born": T0.isoformat()}, external_id="u2")], received_at=T0 - HOUR)
    work.work(T0 - HOUR)
    work.work(T0)
    contact = merge(at=T0)
    assert DateEntry.objects.get().asked_at == T0
    assert told(contact) == [("waiting", "")]


def test_facts_that_wait_are_worked_through_for_the_winner():
    live(reentry="once")
    ingest.record([Track("go", external_id="u2"), Track("x", external_id="u1")], received_at=T0)
    contact = merge()
    assert told(contact) == [("waiting", "")]
    assert not Fact.objects.exists()
