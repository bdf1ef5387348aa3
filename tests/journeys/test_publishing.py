"""Publishing, moving people between versions, pausing, resuming, archiving (V1, V2), and files."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext

from contacts import ingest, segments
from contacts.items import Identify, Track
from contacts.models import Contact, Segment
from contacts.problems import Invalid
from journeys import bundles, files, plans, publishing, work
from journeys.models import (
    DateEntry,
    Edge,
    Enrollment,
    Journey,
    Node,
    Refusal,
    Relocation,
    Version,
    Visit,
)
from journeys.publishing import Move, Stale, dating, relocating
from messaging.models import Message, Template, Topic

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

JOURNEY: dict[str, Any] = {
    "journey": "j",
    "name": "J",
    "entry": {"trigger": {"event": "go"}},
    "start": "rest",
    "nodes": {
        "rest": {"kind": "wait", "for": "7d", "next": "mail"},
        "mail": {"kind": "send", "template": "hello", "next": "done"},
        "done": {"kind": "exit", "reason": "thanked"},
    },
}


@pytest.fixture(autouse=True)
def house() -> None:
    plans.forget()
    Template.objects.create(slug="hello", name="Hello", subject="Hi", text="Hello")
    Topic.objects.create(slug="news", name="News")


def journey(**changes: Any) -> Journey:
    return publishing.create(copy.deepcopy({**JOURNEY, **changes}), at=T0)


def live(**changes: Any) -> Journey:
    made = journey(**changes)
    publishing.publish(made, at=T0)
    return made


def change(made: Journey, **changes: Any) -> None:
    """Save a draft with other parts."""
    made.refresh_from_db()
    data = {**made.draft, **changes}
    publishing.save_draft(made, data, at=T0, revision=made.draft_revision)
    made.refresh_from_db()


def nodes_with(**changes: Any) -> dict[str, Any]:
    nodes = {**copy.deepcopy(JOURNEY["nodes"]), **changes}
    return {key: node for key, node in nodes.items() if node is not None}


def people(*ids: str) -> None:
    ingest.record(
        [Identify({"email": f"{one}@example.com"}, external_id=one) for one in ids], received_at=T0
    )
    work.work(T0)


def go(*ids: str, at: datetime = T0, name: str = "go") -> None:
    ingest.record([Track(name, external_id=one) for one in ids], received_at=at)
    work.work(at)


def of(external_id: str) -> Enrollment:
    return Enrollment.objects.select_related("node", "version").get(
        contact__external_id=external_id
    )


def path(enrollment: Enrollment) -> list[tuple[str, int, str | None]]:
    """The visits: node, version, outcome."""
    return list(
        enrollment.visits.order_by("number").values_list(
            "node__key", "node__version__number", "outcome"
        )
    )


# drafts


def test_a_draft_is_saved_with_who_and_when(admin_user: Any) -> None:
    made = journey()
    saved = publishing.save_draft(
        made, {**JOURNEY, "name": "Other"}, by=admin_user, at=T0 + HOUR, revision=1
    )
    assert (saved.draft_revision, saved.draft_saved_at, saved.draft_saved_by) == (
        2,
        T0 + HOUR,
        admin_user,
    )
    assert (saved.name, saved.draft["name"]) == ("Other", "Other")


def test_two_editors_are_told(admin_user: Any) -> None:
    made = journey()
    publishing.save_draft(made, JOURNEY, by=admin_user, at=T0, revision=1)
    with pytest.raises(Stale, match="saved by admin") as caught:
        publishing.save_draft(made, {**JOURNEY, "name": "Mine"}, at=T0, revision=1)
    assert caught.value.journey.draft_revision == 2
    assert Journey.objects.get().name == "J"


def test_a_journey_keeps_its_slug() -> None:
    made = journey()
    saved = publishing.save_draft(made, {**JOURNEY, "journey": "other"}, at=T0, revision=1)
    assert (saved.slug, saved.draft["journey"]) == ("j", "j")


def test_the_history_tells_the_difference(admin_user: Any) -> None:
    made = publishing.create(copy.deepcopy(JOURNEY), by=admin_user, at=T0)
    nodes = nodes_with(rest={"kind": "wait", "for": "3d", "next": "mail"})
    publishing.save_draft(made, {**JOURNEY, "nodes": nodes}, by=admin_user, at=T0, revision=1)
    made.refresh_from_db()
    publishing.publish(made, by=admin_user, at=T0)
    publishing.pause(made, by=admin_user, at=T0)
    publishing.resume(made, by=admin_user, at=T0)
    publishing.archive(made, by=admin_user, at=T0)
    said = list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))
    assert said[0] == "Made the journey."
    assert "3 days" in said[1]
    assert said[2] == "Published version 1."
    assert said[3:] == [
        "Paused the journey.",
        "Resumed the journey. Nobody was overdue.",
        "Archived the journey.",
    ]


def test_a_copy_has_a_slug_of_its_own() -> None:
    made = live()
    one, two = publishing.duplicate(made, at=T0), publishing.duplicate(made, at=T0)
    assert [one.slug, two.slug] == ["j-copy", "j-copy-2"]
    assert (one.name, one.status, one.draft["journey"]) == ("Copy of J", "draft", "j-copy")
    publishing.publish(one, at=T0)


def test_an_old_version_can_be_taken_over_as_the_draft() -> None:
    made = live()
    first = made.versions.get()
    change(made, nodes=nodes_with(done=None, mail={"kind": "send", "template": "hello"}))
    publishing.publish(made, at=T0)
    restored = publishing.restore(first, at=T0)
    assert restored.draft["nodes"] == JOURNEY["nodes"]
    assert restored.live_version.number == 2


# problems


def test_problems_are_errors_and_warnings_together() -> None:
    made = journey(nodes=nodes_with(mail={"kind": "send", "template": "none", "next": "done"}))
    found = {(one.level, one.place) for one in publishing.problems(made)}
    assert ("error", "nodes.mail.template") in found
    assert ("warning", "entry.trigger.event") in found


def test_a_draft_carries_no_sections() -> None:
    found = publishing.problems({**JOURNEY, "topics": {"x": {"name": "X"}}})
    assert [one.place for one in found.errors] == ["topics"]


# publishing


def test_publishing_makes_a_version_with_nodes_edges_and_uses() -> None:
    """V1"""
    Segment.objects.create(slug="inner", name="I", condition={"attribute": "a", "op": "is_set"})
    Segment.objects.create(slug="outer", name="O", condition={"not": {"segment": "inner"}})
    made = journey(
        entry={
            "trigger": {"event": "go"},
            "filter": {"all": [{"segment": "outer"}, {"subscribed": "news"}]},
        }
    )
    version = publishing.publish(made, at=T0)
    assert (made.status, made.live_version) == ("live", version)
    assert (version.number, version.trigger, version.trigger_event) == (1, "event", "go")
    assert version.definition == made.draft
    assert set(version.nodes.values_list("key", "kind", "template__slug")) == {
        ("rest", "wait", None),
        ("mail", "send", "hello"),
        ("done", "exit", None),
    }
    assert set(Edge.objects.values_list("source__key", "outcome", "target__key")) == {
        ("rest", "next", "mail"),
        ("mail", "next", "done"),
    }
    assert set(version.segment_uses.values_list("segment__slug", flat=True)) == {"inner", "outer"}
    assert list(version.topic_uses.values_list("topic__slug", flat=True)) == ["news"]


def test_what_a_version_uses_cannot_be_deleted() -> None:
    Segment.objects.create(slug="s", name="S", condition={"attribute": "a", "op": "is_set"})
    live(exit_when={"any": [{"segment": "s"}, {"not": {"subscribed": "news"}}]})
    for row in (Template.objects.get(), Segment.objects.get(), Topic.objects.get()):
        with pytest.raises(ProtectedError):
            row.delete()


def test_a_draft_with_errors_is_refused_whole() -> None:
    """L1"""
    made = journey(nodes=nodes_with(done={"kind": "exit", "next": "rest"}, lost={"kind": "exit"}))
    with pytest.raises(Invalid) as caught:
        publishing.publish(made, at=T0)
    assert {one.place for one in caught.value.problems.errors} == {"nodes.done.next", "nodes.lost"}
    assert (Version.objects.count(), Node.objects.count(), Journey.objects.get().status) == (
        0,
        0,
        "draft",
    )


def test_only_the_draft_that_was_looked_at_is_published() -> None:
    made = journey()
    publishing.save_draft(made, JOURNEY, at=T0, revision=1)
    with pytest.raises(Stale):
        publishing.publish(made, at=T0, revision=1)
    assert publishing.publish(made, at=T0, revision=2).number == 1


def test_publishing_takes_as_many_statements_for_100_nodes_as_for_10() -> None:
    def statements(count: int) -> int:
        chain: dict[str, Any] = {
            f"n{number}": {"kind": "wait", "for": "1h", "next": f"n{number + 1}"}
            for number in range(count)
        }
        chain[f"n{count}"] = {"kind": "exit"}
        made = publishing.create(
            {**JOURNEY, "journey": f"j{count}", "start": "n0", "nodes": chain}, at=T0
        )
        with CaptureQueriesContext(connection) as queries:
            publishing.publish(made, at=T0)
        return len(queries)

    statements(5)
    assert statements(10) == statements(100)


def test_members_of_before_do_not_enter() -> None:
    """SEMANTICS §2: those who are members already when the journey goes live do not enter."""
    Segment.objects.create(
        slug="s", name="S", condition={"attribute": "plan", "op": "eq", "value": "pro"}
    )
    people("old", "new")
    ingest.change({Contact.objects.get(external_id="old").pk: {"plan": "pro"}}, at=T0)
    live(entry={"trigger": {"segment": "s"}})
    work.work(T0)
    ingest.change({Contact.objects.get(external_id="new").pk: {"plan": "pro"}}, at=T0 + HOUR)
    work.work(T0 + HOUR)
    assert [one.contact.external_id for one in Enrollment.objects.all()] == ["new"]


def test_dates_are_worked_out_for_everybody_when_a_date_journey_goes_live() -> None:
    """A date that has passed before it was known does not enter anybody."""
    ingest.record(
        [
            Identify({"due": due}, external_id=one)
            for one, due in (
                ("past", "2026-03-01"), ("soon", "2026-03-04"), ("none", None),
                ("now", "2026-03-02T09:00Z"),
            )
        ],
        received_at=T0 - HOUR,
    )  # fmt: skip
    work.work(T0 - HOUR)
    made = live(entry={"trigger": {"date": "due", "offset": "0d"}})
    entries = dict(
        DateEntry.objects.filter(due_at__isnull=False).values_list("contact__external_id", "due_at")
    )
    assert entries == {"soon": datetime(2026, 3, 4, tzinfo=UTC), "now": T0}
    assert made.dates_after is None
    work.work(T0 + 3 * DAY)
    assert {one.contact.external_id for one in Enrollment.objects.all()} == {"soon", "now"}


def test_dates_of_many_are_worked_out_in_batches(monkeypatch: Any) -> None:
    monkeypatch.setattr(dating, "BATCH", 3)
    ids = [f"u{number}" for number in range(8)]
    ingest.record([Identify({"due": "2026-03-04"}, external_id=one) for one in ids], received_at=T0)
    work.work(T0)
    made = live(entry={"trigger": {"date": "due"}})
    assert DateEntry.objects.count() == 3
    assert publishing.due_since(T0) == T0
    assert not publishing.carry_on(T0)
    made.refresh_from_db()
    assert (DateEntry.objects.count(), made.dates_after) == (8, None)


def test_a_date_that_waits_for_the_engine_is_left_to_it() -> None:
    ingest.record([Identify({"due": "2026-03-02T10:00Z"}, external_id="u")], received_at=T0)
    work.work(T0)
    made = live(entry={"trigger": {"date": "due"}})
    change(made, name="Again")
    publishing.publish(made, at=T0 + 2 * HOUR)
    work.work(T0 + 2 * HOUR)
    assert Enrollment.objects.count() == 1


def test_dates_are_forgotten_when_the_trigger_is_another() -> None:
    ingest.record([Identify({"due": "2026-03-04"}, external_id="u")], received_at=T0)
    work.work(T0)
    made = live(entry={"trigger": {"date": "due"}})
    change(made, entry={"trigger": {"manual": True}})
    publishing.publish(made, at=T0)
    assert not DateEntry.objects.filter(due_at__isnull=False).exists()


def test_a_segment_or_date_is_no_business_of_an_archived_journey() -> None:
    made = live()
    publishing.archive(made, at=T0)
    with pytest.raises(Invalid, match="archived"):
        publishing.publish(made, at=T0)


# moving people (V1)


def second(
    made: Journey, moves: dict[str, Move], at: datetime = T0 + DAY, **changes: Any
) -> Version:
    change(made, **changes)
    return publishing.publish(made, at=at, moves=moves)


def test_enrollments_finish_in_the_version_they_entered() -> None:
    """V1"""
    made = live()
    people("u")
    go("u")
    second(made, {}, nodes=nodes_with(rest={"kind": "wait", "for": "1h", "next": "mail"}))
    assert (of("u").version.number, of("u").resume_at) == (1, T0 + 7 * DAY)
    assert not Relocation.objects.exists()


def test_a_wait_that_is_kept_keeps_its_beginning() -> None:
    """V1: its deadline is computed anew."""
    made = live()
    people("u")
    go("u")
    shorter = nodes_with(rest={"kind": "wait", "for": "3d", "next": "mail"})
    second(made, {"rest": Move("same")}, nodes=shorter)
    moved = of("u")
    assert (moved.version.number, moved.node.version.number) == (2, 2)
    assert (moved.arrived_at, moved.resume_at, moved.status) == (T0, T0 + 3 * DAY, "waiting")
    assert path(moved) == [("rest", 2, None)]
    work.work(T0 + 3 * DAY)
    assert (of("u").status, of("u").reason) == ("exited", "thanked")
    assert path(of("u")) == [("rest", 2, "next"), ("mail", 2, "next"), ("done", 2, None)]


def test_a_kept_wait_that_is_over_by_the_new_version_goes_on() -> None:
    made = live()
    people("u")
    go("u")
    second(
        made,
        {"rest": Move("same")},
        nodes=nodes_with(rest={"kind": "wait", "for": "1h", "next": "mail"}),
    )
    assert (of("u").status, of("u").ended_at) == ("exited", T0 + DAY)
    assert Message.objects.get().queued_at == T0 + DAY


def test_a_wait_becomes_another_kind_of_wait() -> None:
    made = live()
    people("u")
    go("u")
    until = {"kind": "wait", "until_event": {"event": "x", "timeout": "2d"}, "next": "mail"}
    second(made, {"rest": Move("same")}, nodes=nodes_with(rest=until))
    assert of("u").resume_at == T0 + 2 * DAY
    go("u", at=T0 + DAY, name="x")
    assert path(of("u"))[0] == ("rest", 2, "event")


def test_people_go_on_at_a_chosen_node() -> None:
    made = live()
    people("u")
    go("u")
    nodes = {"later": {"kind": "wait", "for": "1h", "next": "done"}, "done": {"kind": "exit"}}
    second(made, {"rest": Move("node", "later")}, nodes=nodes, start="later")
    moved = of("u")
    assert (moved.node.key, moved.arrived_at, moved.resume_at) == (
        "later",
        T0 + DAY,
        T0 + DAY + HOUR,
    )
    assert path(moved) == [("rest", 1, None), ("later", 2, None)]
    assert Visit.objects.get(number=1).left_at == T0 + DAY


def test_at_a_chosen_node_people_do_what_it_says() -> None:
    made = live()
    people("u")
    go("u")
    second(made, {"rest": Move("node", "mail")}, name="Other")
    assert Message.objects.get().queued_at == T0 + DAY
    assert of("u").reason == "thanked"
    assert path(of("u")) == [("rest", 1, None), ("mail", 2, "next"), ("done", 2, None)]


def test_people_are_moved_out() -> None:
    """V1: exited, moved_out."""
    made = live()
    people("u")
    go("u")
    second(made, {"rest": Move("exit")}, name="Other")
    assert (of("u").status, of("u").reason, of("u").ended_at) == ("exited", "moved_out", T0 + DAY)
    assert path(of("u")) == [("rest", 1, None)]


def test_what_happened_before_the_move_is_worked_through_before_it() -> None:
    made = live(goal={"event": "bought"})
    people("u", "v")
    go("u", "v")
    ingest.record([Track("bought", external_id="u")], received_at=T0 + HOUR)
    second(made, {"rest": Move("exit")}, name="Other")
    assert (of("u").reason, of("v").reason) == ("goal", "moved_out")


def test_a_node_that_is_not_in_the_new_version_leaves_people_where_they_are() -> None:
    made = live()
    people("u")
    go("u")
    nodes = {"done": {"kind": "exit"}}
    second(made, {"rest": Move("same")}, nodes=nodes, start="done")
    assert of("u").version.number == 1
    assert Relocation.objects.get().moved == 0


def test_moving_changes_only_this_journey_and_the_chosen_nodes() -> None:
    made = live()
    other = publishing.create({**JOURNEY, "journey": "k"}, at=T0)
    publishing.publish(other, at=T0)
    people("u")
    go("u")
    second(made, {"rest": Move("exit"), "mail": Move("exit")}, name="Other")
    assert [
        (one.journey.slug, one.reason) for one in Enrollment.objects.order_by("journey__slug")
    ] == [("j", "moved_out"), ("k", "")]


def test_several_open_enrollments_may_be_moved_whatever_the_new_reentry_rule() -> None:
    made = live(entry={"trigger": {"event": "go"}, "reentry": "every_time"})
    people("u")
    go("u")
    go("u", at=T0 + MINUTE)
    second(
        made, {"rest": Move("same")}, entry={"trigger": {"event": "go"}, "reentry": "after_exit"}
    )
    moved = Enrollment.objects.order_by("pk")
    assert [one.version.number for one in moved] == [2, 2]
    assert len({one.wait_order for one in moved}) == 2


def test_many_are_moved_in_batches_of_a_fixed_number_of_statements(monkeypatch: Any) -> None:
    def statements(count: int) -> int:
        made = publishing.create({**JOURNEY, "journey": f"j{count}"}, at=T0)
        publishing.publish(made, at=T0)
        ids = [f"{count}-{number}" for number in range(count)]
        people(*ids)
        go(*ids)
        monkeypatch.setattr(relocating, "BATCH", 0)
        second(
            made,
            {"rest": Move("same")},
            nodes=nodes_with(rest={"kind": "wait", "for": "3d", "next": "mail"}),
        )
        monkeypatch.setattr(relocating, "BATCH", 1000)
        relocation = Relocation.objects.get(journey=made)
        Relocation.objects.update(finished_at=None)
        with CaptureQueriesContext(connection) as queries:
            assert relocating.batch(relocation, T0 + DAY)
        assert Enrollment.objects.filter(version__number=2, journey=made).count() == count
        Journey.objects.filter(pk=made.pk).update(status="archived")
        return len(queries)

    statements(3)
    assert statements(10) == statements(300)


def test_a_relocation_is_carried_on_with_after_a_restart(monkeypatch: Any) -> None:
    monkeypatch.setattr(relocating, "BATCH", 2)
    made = live()
    ids = [f"u{number}" for number in range(7)]
    people(*ids)
    go(*ids)
    second(made, {"rest": Move("exit")}, name="Other")
    assert Enrollment.objects.filter(reason="moved_out").count() == 4
    assert publishing.due_since(T0 + DAY) == T0 + DAY
    assert not publishing.carry_on(T0 + DAY)
    assert Enrollment.objects.filter(reason="moved_out").count() == 7
    done = Relocation.objects.get()
    assert (done.moved, done.failed, done.finished_at) == (7, 0, T0 + DAY)


def test_one_who_cannot_be_moved_stops_nobody_else(monkeypatch: Any) -> None:
    made = live()
    people("u", "v", "w")
    go("u", "v", "w")
    bad = of("v").pk
    real = relocating._move

    def move(passage: Any, *args: Any) -> bool:
        if passage.pk == bad:
            raise RuntimeError("poison")
        return real(passage, *args)

    monkeypatch.setattr(relocating, "_move", move)
    second(made, {"rest": Move("exit")}, name="Other")
    assert [of(one).reason for one in "uvw"] == ["moved_out", "", "moved_out"]
    done = Relocation.objects.get()
    assert (done.moved, done.failed) == (2, 1)


def test_how_many_people_stand_where_is_said_before() -> None:
    made = live()
    people("u", "v", "w")
    go("u", "v")
    nodes = nodes_with(rest={"kind": "wait", "for": "1d", "next": "mail"})
    change(made, nodes=nodes)
    publishing.publish(made, at=T0)
    go("w")
    draft = {**made.draft, "nodes": nodes_with(rest=None)}
    found = publishing.standing(made, draft)
    assert [(one.version, one.node, one.people, one.state) for one in found] == [
        (2, "rest", 1, "gone"),
        (1, "rest", 2, "gone"),
    ]
    assert [one.state for one in publishing.standing(made, made.draft)] == ["same", "changed"]


# back again


@pytest.mark.parametrize("move", [Move("same"), Move("node", "later"), Move("exit")])
def test_a_move_can_be_taken_back_for_a_while(move: Move, admin_user: Any) -> None:
    made = live()
    people("u")
    go("u")
    before = of("u")
    nodes = nodes_with(
        rest={"kind": "wait", "for": "3d", "next": "later"},
        later={"kind": "wait", "for": "5d", "next": "mail"},
    )
    second(made, {"rest": move}, nodes=nodes)
    relocation = Relocation.objects.get()
    assert publishing.take_back(relocation, by=admin_user, at=T0 + DAY + HOUR)
    back = of("u")
    for name in (
        "version_id",
        "node_id",
        "status",
        "arrived_at",
        "resume_at",
        "exclusive",
    ):
        assert getattr(back, name) == getattr(before, name), name
    assert (back.ended_at, back.reason) == (None, "")
    numbers = list(back.visits.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, back.visits_count + 1))
    assert back.visits.filter(left_at=None).count() == 1
    relocation.refresh_from_db()
    assert (relocation.put_back, relocation.finished_at) == (1, T0 + DAY + HOUR)
    assert not publishing.take_back(relocation, at=T0 + DAY + HOUR)
    work.work(T0 + 7 * DAY)
    assert path(of("u"))[-2:] == [("mail", 1, "next"), ("done", 1, None)]


def test_a_move_can_be_taken_back_only_for_a_day() -> None:
    made = live()
    people("u")
    go("u")
    second(made, {"rest": Move("same")}, name="Other")
    relocation = Relocation.objects.get()
    assert not publishing.may_take_back(relocation, T0 + 2 * DAY + HOUR)
    assert not publishing.take_back(relocation, at=T0 + 2 * DAY + HOUR)


def test_who_has_gone_on_since_is_not_put_back() -> None:
    made = live()
    people("u", "v")
    go("u", "v")
    until = {"kind": "wait", "until_event": {"event": "x", "timeout": "9d"}, "next": "pause"}
    nodes = nodes_with(rest=until, pause={"kind": "wait", "for": "1d", "next": "mail"})
    second(made, {"rest": Move("same")}, nodes=nodes)
    go("u", at=T0 + DAY + MINUTE, name="x")
    publishing.take_back(Relocation.objects.get(), at=T0 + DAY + HOUR)
    assert (of("u").node.key, of("u").version.number) == ("pause", 2)
    assert (of("v").node.key, of("v").version.number) == ("rest", 1)


def test_who_entered_again_after_being_moved_out_is_not_put_back_beside_it() -> None:
    made = live(entry={"trigger": {"event": "go"}, "reentry": "after_exit"})
    people("u")
    go("u")
    second(made, {"rest": Move("exit")}, name="Other")
    go("u", at=T0 + DAY + MINUTE)
    publishing.take_back(Relocation.objects.get(), at=T0 + DAY + HOUR)
    assert sorted(Enrollment.objects.values_list("status", "version__number")) == [
        ("exited", 1),
        ("waiting", 2),
    ]


# pausing (V2)


def test_paused_nobody_enters_and_nobody_moves_on() -> None:
    """V2"""
    made = live()
    people("u", "v")
    go("u")
    assert publishing.pause(made, at=T0 + HOUR)
    assert (made.status, made.paused_at) == ("paused", T0 + HOUR)
    go("v", at=T0 + DAY)
    work.work(T0 + 8 * DAY)
    assert of("u").status == "waiting"
    assert Refusal.objects.get().reason == "not_live"
    assert not publishing.pause(made, at=T0)


def test_paused_goals_and_exits_end_enrollments_as_ever() -> None:
    """V2"""
    made = live(goal={"event": "bought"})
    people("u")
    go("u")
    publishing.pause(made, at=T0)
    go("u", at=T0 + HOUR, name="bought")
    assert of("u").reason == "goal"


def test_a_wait_that_an_event_ends_is_marked_and_goes_on_when_resumed() -> None:
    """V2"""
    until = {"kind": "wait", "until_event": {"event": "x", "timeout": "9d"},
             "next": {"event": "mail", "timeout": "done"}}  # fmt: skip
    made = live(nodes=nodes_with(rest=until))
    people("u")
    go("u")
    publishing.pause(made, at=T0)
    go("u", at=T0 + HOUR, name="x")
    assert (of("u").node.key, of("u").resume_outcome) == ("rest", "event")
    found = publishing.overdue(made, T0 + 2 * HOUR)
    assert (found.people, found.marked, found.nodes) == (1, 1, (("rest", 1),))
    assert publishing.resume(made, at=T0 + 2 * HOUR) == 1
    work.work(T0 + 2 * HOUR)
    assert path(of("u"))[0] == ("rest", 1, "event")
    assert Message.objects.get().queued_at == T0 + 2 * HOUR


def paused_with(count: int) -> Journey:
    made = live()
    ids = [f"u{number}" for number in range(count)]
    people(*ids)
    for number, one in enumerate(ids):
        go(one, at=T0 + number * MINUTE)
    publishing.pause(made, at=T0 + DAY)
    return made


def test_resumed_now_the_overdue_go_on_at_the_time_of_the_resumption() -> None:
    """V2, T4"""
    made = paused_with(3)
    at = T0 + 10 * DAY
    found = publishing.overdue(made, at)
    assert (found.people, found.marked, found.since) == (3, 0, T0 + 7 * DAY)
    assert publishing.resume(made, at=at) == 3
    work.work(at)
    assert set(Enrollment.objects.values_list("reason", "ended_at")) == {("thanked", at)}
    assert (made.status, made.paused_at) == ("live", None)


def test_resumed_spread_out_they_go_on_one_after_the_other(monkeypatch: Any) -> None:
    """V2"""
    monkeypatch.setattr("journeys.publishing.pausing.BATCH", 2)
    made = paused_with(4)
    at = T0 + 10 * DAY
    assert publishing.resume(made, at=at, how="spread", over=4 * HOUR) == 4
    assert list(Enrollment.objects.order_by("pk").values_list("resume_at", "held")) == [
        (at + number * HOUR, False) for number in (1, 2, 3, 4)
    ]
    work.work(at + 2 * HOUR)
    assert Enrollment.objects.filter(status="exited").count() == 2


def test_resumed_dropping_the_overdue_end_and_the_others_go_on() -> None:
    """V2"""
    made = paused_with(3)
    at = T0 + 7 * DAY + MINUTE
    assert publishing.resume(made, at=at, how="drop") == 2
    assert sorted(Enrollment.objects.values_list("status", "reason")) == [
        ("exited", "dropped"),
        ("exited", "dropped"),
        ("waiting", ""),
    ]
    work.work(T0 + 8 * DAY)
    assert Message.objects.count() == 1


def test_who_is_moved_waits_for_the_resumption() -> None:
    made = live()
    people("u")
    go("u")
    publishing.pause(made, at=T0)
    second(made, {"rest": Move("node", "mail")}, name="Other")
    assert (made.status, of("u").version.number) == ("paused", 1)
    publishing.resume(made, at=T0 + 2 * DAY)
    assert not publishing.carry_on(T0 + 2 * DAY)
    assert of("u").reason == "thanked"


def test_only_a_paused_journey_is_resumed() -> None:
    made = live()
    assert publishing.resume(made, at=T0) == -1
    assert made.status == "live"


# archiving (V2)


def test_archived_open_enrollments_end_and_what_they_queued_is_cancelled(monkeypatch: Any) -> None:
    """V2"""
    monkeypatch.setattr("journeys.publishing.ending.BATCH", 2)
    nodes = nodes_with(mail={"kind": "send", "template": "hello", "next": "rest"}, done=None)
    nodes["rest"] = {"kind": "wait", "for": "1d"}
    made = live(nodes=nodes, start="mail")
    ids = [f"u{number}" for number in range(5)]
    people(*ids)
    go(*ids)
    publishing.archive(made, at=T0 + HOUR)
    assert made.status == "archived"
    assert set(Enrollment.objects.values_list("status", "reason", "ended_at", "resume_at")) == {
        ("exited", "archived", T0 + HOUR, None)
    }
    assert not Visit.objects.filter(left_at=None).exists()
    assert set(Message.objects.values_list("status", flat=True)) == {"cancelled"}
    go("u1", at=T0 + 2 * HOUR)
    assert Enrollment.objects.count() == 5


def test_archiving_that_was_interrupted_is_finished() -> None:
    made = live()
    people("u")
    go("u")
    Journey.objects.filter(pk=made.pk).update(status="archived")
    assert publishing.due_since(T0 + HOUR) == T0 + HOUR
    assert not publishing.carry_on(T0 + HOUR)
    assert of("u").reason == "archived"


def test_once_stays_used_up_after_archiving() -> None:
    made = live()
    people("u")
    go("u")
    publishing.archive(made, at=T0)
    assert (of("u").exclusive or "").startswith("once")


# files in and out

FILE = """\
journey: hello
name: Hello
entry: {trigger: {segment: germans}}
exit_when: {segment: beta}
start: mail
nodes:
  mail: {kind: send, template: greeting, topic: offers, next: rest}
  rest: {kind: wait, for: 1d}
templates:
  greeting: {name: Greeting, subject: "no", markdown: "Hello {{ contact.email }}"}
segments:
  germans:
    name: Germans
    when: {all: [{attribute: country, op: eq, value: de}, {not: {segment: beta}}]}
  beta: {name: Beta, members: [u1, u2, nobody]}
topics:
  offers: {name: Offers, default: unsubscribed}
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "journey.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_is_imported_with_what_it_carries(tmp_path: Path) -> None:
    people("u1", "u2", "u3")
    out = StringIO()
    call_command("import_journey", written(tmp_path, FILE), stdout=out, stderr=StringIO())
    assert out.getvalue().strip() == (
        "Made the journey “hello”, with 1 template, 2 segments, 1 topic."
    )
    made = Journey.objects.get(slug="hello")
    assert (made.status, "templates" in made.draft) == ("draft", False)
    template = Template.objects.get(slug="greeting")
    assert (template.subject, "Hello" in template.compiled_html) == ("no", True)
    assert Topic.objects.get(slug="offers").subscribed_by_default is False
    beta = Segment.objects.get(slug="beta")
    assert segments.size(beta) == 2
    assert made.draft["exit_when"] == {"segment": "beta"}


def test_a_file_is_imported_and_published_and_again(tmp_path: Path) -> None:
    people("u1", "u3")
    contact = Contact.objects.get(external_id="u3").pk
    ingest.change({contact: {"country": "de"}}, at=T0)
    path_ = written(tmp_path, FILE)
    call_command("import_journey", path_, publish=True, stdout=StringIO(), stderr=StringIO())
    call_command("import_journey", path_, publish=True, stdout=StringIO(), stderr=StringIO())
    made = Journey.objects.get(slug="hello")
    assert (made.status, made.live_version.number, made.draft_revision) == ("live", 2, 2)
    work.work(T0 + DAY)
    assert not Enrollment.objects.exists()  # members of before do not enter


def test_all_problems_are_told_and_nothing_is_half_written(tmp_path: Path) -> None:
    broken = FILE.replace("for: 1d", "for: soon").replace("topic: offers", "topic: none")
    path_ = written(tmp_path, broken)
    for command in ("import_journey", "check_journey"):
        with pytest.raises(CommandError) as caught:
            call_command(command, path_, stderr=StringIO())
        said = str(caught.value).splitlines()
        assert caught.value.returncode == 1
        assert f"{path_}:7: error: nodes.mail.topic: There is no topic “none”." in said[0] + said[1]
        assert any(line.startswith(f"{path_}:8: error: nodes.rest.for: ") for line in said)
    assert not Journey.objects.exists()
    assert not Template.objects.filter(slug="greeting").exists()


def test_an_import_that_fails_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(bundles, "_journey", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bundles.take_in(FILE, at=T0)
    assert not Template.objects.filter(slug="greeting").exists()


@pytest.mark.parametrize("name", ["missing.yaml", "bytes.yaml"])
def test_a_file_that_is_none_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    for command in ("import_journey", "check_journey"):
        with pytest.raises(CommandError, match=name):
            call_command(command, tmp_path / name)


def test_a_right_file_is_said_to_be_right_with_its_warnings(tmp_path: Path) -> None:
    out, err = StringIO(), StringIO()
    call_command("check_journey", written(tmp_path, FILE), stdout=out, stderr=err)
    assert out.getvalue().endswith("is right.\n")
    assert "warning: nodes" in err.getvalue()
    assert not Journey.objects.exists()


def test_export_and_import_are_the_same(tmp_path: Path) -> None:
    people("u1", "u2")
    bundles.take_in(FILE, at=T0)
    made = Journey.objects.get(slug="hello")
    out = StringIO()
    call_command("export_journey", "hello", "--bundle", stdout=out)
    original = files.read(FILE)
    original["segments"]["beta"]["members"] = ["u1", "u2"]
    assert files.read(out.getvalue()) == original
    again = bundles.take_in(out.getvalue(), at=T0)
    assert not again.is_new
    assert again.journey.draft == made.draft


def test_export_writes_a_file_and_alone_it_carries_nothing(tmp_path: Path) -> None:
    bundles.take_in(FILE, at=T0)
    path_ = tmp_path / "out.yaml"
    call_command("export_journey", "hello", "--out", path_)
    data = files.read(path_.read_text(encoding="utf-8"))
    assert set(data) == {"journey", "name", "entry", "exit_when", "start", "nodes"}
    with pytest.raises(CommandError, match="There is no journey “none”"):
        call_command("export_journey", "none")
