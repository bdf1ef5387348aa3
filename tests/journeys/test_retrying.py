"""Whom a paused journey turned away: nobody is asked in unless an operator chooses so (V2, E1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import ingest
from contacts.items import Identify, Track
from contacts.models import Contact, Segment
from journeys import plans, publishing, work
from journeys.models import Enrollment, Journey, Refusal
from journeys.publishing import retrying

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def house() -> None:
    plans.forget()


def paused(trigger: dict[str, Any] | None = None, **entry: Any) -> Journey:
    """A journey that was published, and paused at once."""
    made = publishing.create(
        {
            "journey": "j",
            "entry": {"trigger": trigger or {"event": "go"}, **entry},
            "start": "rest",
            "nodes": {"rest": {"kind": "wait", "for": "7d"}},
        },
        at=T0,
    )
    publishing.publish(made, at=T0)
    assert publishing.pause(made, at=T0)
    return made


def go(*ids: str, at: datetime = T0 + HOUR, **properties: Any) -> None:
    ingest.record([Track("go", properties, external_id=one) for one in ids], received_at=at)
    work.work(at)


def resume(made: Journey, at: datetime = T0 + DAY, **how: Any) -> None:
    assert publishing.resume(made, at=at, **how) >= 0
    carry_on(at)


def carry_on(at: datetime) -> None:
    publishing.carry_on(at)
    work.work(at)


def entered() -> list[tuple[str, datetime]]:
    rows = Enrollment.objects.order_by("entered_at", "pk")
    return list(rows.values_list("contact__external_id", "entered_at"))


def test_those_who_were_turned_away_are_shown() -> None:
    made = paused()
    go("u", "v")
    go("v", at=T0 + 2 * HOUR)
    found = publishing.turned_away(made)
    assert (found.people, found.times) == (2, 3)
    assert [one.external_id for one in found.named] == ["u", "v"]


def test_they_stay_out_unless_somebody_chooses_otherwise() -> None:
    """V2"""
    made = paused()
    go("u")
    resume(made)
    carry_on(T0 + 30 * DAY)
    assert entered() == []
    assert publishing.due_since(T0 + 30 * DAY) is None


def test_they_are_asked_in_with_the_event_that_would_have_started_it() -> None:
    made = paused()
    go("u", plan="team")
    resume(made, again=True)
    one = Enrollment.objects.select_related("event").get()
    assert (one.entered_at, one.status) == (T0 + DAY, "waiting")
    assert (one.entry_properties, one.event.name) == ({"plan": "team"}, "go")


def test_they_are_asked_in_one_after_the_other() -> None:
    made = paused()
    go("u", "v")
    resume(made, again=True, again_over=2 * HOUR)
    assert [who for who, _ in entered()] == ["u"]
    assert publishing.due_since(T0 + DAY + MINUTE) is None
    assert publishing.due_since(T0 + DAY + HOUR) == T0 + DAY + HOUR
    carry_on(T0 + DAY + HOUR)
    assert entered() == [("u", T0 + DAY), ("v", T0 + DAY + HOUR)]


def test_the_entry_rules_decide_as_ever() -> None:
    """E1: the filter and the re-entry rule are asked when the contact is asked in."""
    made = paused(filter={"attribute": "country", "op": "eq", "value": "de"})
    ingest.record(
        [
            Identify({"country": "de"}, external_id="u"),
            Identify({"country": "fr"}, external_id="v"),
        ],
        received_at=T0,
    )
    go("u", "v")
    resume(made, again=True)
    assert [who for who, _ in entered()] == ["u"]
    assert Refusal.objects.latest("pk").reason == "filter"


def test_one_who_came_several_times_enters_once_by_the_first() -> None:
    made = paused()
    go("u", number=1)
    go("u", at=T0 + 2 * HOUR, number=2)
    resume(made, again=True)
    assert Enrollment.objects.get().entry_properties == {"number": 1}
    assert set(Refusal.objects.values_list("reason", flat=True)) == {"not_live"}


@pytest.mark.parametrize(
    ("trigger", "reentry", "passages"),
    [({"event": "go"}, "every_time", 3), ({"event": "go", "key": "order"}, "once", 2)],
)
def test_each_time_counts_where_a_contact_can_be_in_it_several_times(
    trigger: dict[str, Any], reentry: str, passages: int
) -> None:
    """E3"""
    made = paused(trigger, reentry=reentry)
    for hours, order in enumerate(("a", "a", "b"), start=1):
        go("u", at=T0 + hours * HOUR, order=order)
    resume(made, again=True)
    assert Enrollment.objects.count() == passages


def test_who_has_left_the_segment_since_stays_out() -> None:
    Segment.objects.create(
        slug="s", name="S", condition={"attribute": "plan", "op": "eq", "value": "pro"}
    )
    made = paused({"segment": "s"})
    for one in ("stays", "leaves"):
        ingest.record([Identify({"plan": "pro"}, external_id=one)], received_at=T0 + HOUR)
    work.work(T0 + HOUR)
    leaves = Contact.objects.get(external_id="leaves")
    ingest.change({leaves.pk: {"plan": "free"}}, at=T0 + 2 * HOUR)
    work.work(T0 + 2 * HOUR)
    assert publishing.turned_away(made).people == 2
    resume(made, again=True)
    assert [who for who, _ in entered()] == ["stays"]


def test_a_date_that_came_during_the_pause_enters_once_for_its_day() -> None:
    made = paused({"date": "due", "at": "12:00"}, reentry="every_time")
    ingest.record([Identify({"due": "2026-03-03"}, external_id="u")], received_at=T0)
    work.work(T0 + 2 * DAY)
    resume(made, at=T0 + 3 * DAY, again=True)
    one = Enrollment.objects.get()
    assert (one.entered_at, str(one.local_date)) == (T0 + 3 * DAY, "2026-03-03")


def test_what_another_pause_refused_is_its_own_affair() -> None:
    made = paused()
    go("early")
    resume(made)
    publishing.pause(made, at=T0 + 2 * DAY)
    go("late", at=T0 + 3 * DAY)
    assert publishing.turned_away(made).people == 1
    resume(made, at=T0 + 4 * DAY, again=True)
    assert [who for who, _ in entered()] == ["late"]


@pytest.mark.parametrize("again", [True, False])
def test_whoever_was_settled_is_not_asked_in_by_a_pause_soon_after(again: bool) -> None:
    made = paused(reentry="every_time")
    go("early")
    resume(made, at=T0 + HOUR + MINUTE, again=again)
    publishing.pause(made, at=T0 + HOUR + 2 * MINUTE)
    go("late", at=T0 + HOUR + 3 * MINUTE)
    assert [one.external_id for one in publishing.turned_away(made).named] == ["late"]
    resume(made, at=T0 + HOUR + 4 * MINUTE, again=True)
    assert [who for who, _ in entered()] == [*(["early"] if again else []), "late"]


def test_paused_again_before_their_turn_they_are_turned_away_again() -> None:
    made = paused()
    go("u", "v")
    resume(made, again=True, again_over=2 * HOUR)
    publishing.pause(made, at=T0 + DAY + MINUTE)
    carry_on(T0 + DAY + HOUR)
    assert [who for who, _ in entered()] == ["u"]
    assert [one.external_id for one in publishing.turned_away(made).named] == ["v"]


def test_asking_in_takes_as_many_statements_for_50_as_for_5(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def statements(count: int) -> int:
        ids = [f"c{count}-{number}" for number in range(count)]
        go(*ids)
        Refusal.objects.update(retry_at=T0)
        with CaptureQueriesContext(connection) as queries:
            assert retrying.batch(T0 + DAY)
        return len(queries)

    paused()
    assert statements(5) == statements(50)
