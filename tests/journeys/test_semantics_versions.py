"""V1 and V2, played live: versions and moves, pause, resumption and the archive.

Beside them: what runs live is what runs in a simulation, function by function.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from journeys import engine, publishing, work
from journeys.models import Journey, Version
from journeys.publishing import Move
from journeys.simulation.inputs import ContactLine
from journeys.world import World
from tests.journeys.conftest import Play
from tests.journeys.scenario import (
    HOLD,
    Live,
    Story,
    became,
    branch,
    change,
    contact,
    enter,
    event,
    journey,
    leave,
    moment,
    send,
    subscribe,
    suppress,
    to,
    unsubscribe,
    update,
    wait,
)

pytestmark = pytest.mark.django_db

GO = event("2 09:00", "go")
DAY = wait(duration="1d")
ASK = wait(until_event={"event": "answer", "timeout": "1d"})


@pytest.fixture
def house() -> Callable[..., Live]:
    """Opens an installation on 2 March at 08:00, with the contacts u1 and u2."""

    def opened(data: dict[str, Any], **attributes: Any) -> Live:
        people = {
            one: ContactLine(
                one,
                f"{one}@example.com",
                created_at=moment("1 00:00"),
                attributes=dict(attributes),
            )
            for one in ("u1", "u2")
        }
        live = Live(data, people)
        live.begin(moment("2 08:00"))
        return live

    return opened


def publish(live: Live, data: dict[str, Any], at: str, **moves: Move) -> None:
    """Publish this as the journey's next version."""
    live.go(at)
    live.carry(data)
    made = live.journey
    draft = {key: data[key] for key in data if key != "templates"}
    publishing.save_draft(made, draft, at=moment(at), revision=made.draft_revision)
    made.refresh_from_db()
    publishing.publish(made, at=moment(at), moves=moves)
    live.work(moment(at))


# V1


def test_V1_enrollments_go_on_in_the_version_they_entered(house: Callable[..., Live]) -> None:
    live = house(journey(hold=DAY, old=leave("old")))
    live.go("2 09:00", GO)
    publish(live, journey(hold=wait(duration="2d"), new=leave("new")), "2 12:00")
    live.go("9 00:00", event("2 13:00", "go", who="u2"))
    assert live.told().ends == ["exited old 3 09:00", "exited new 4 13:00"]


def test_V1_a_version_is_numbered_and_never_changes(house: Callable[..., Live]) -> None:
    live = house(journey(hold=DAY))
    publish(live, journey(hold=wait(duration="2d")), "2 12:00")
    versions = Version.objects.order_by("number")
    waits = [(one.number, one.definition["nodes"]["hold"]["for"]) for one in versions]
    assert waits == [(1, "1d"), (2, "2d")]


@pytest.mark.parametrize(
    ("longer", "left"),
    [
        ("2d", "4 09:00"),  # counted from the beginning of the wait, not from the move
        ("2h", "2 12:00"),  # over by now: goes on at the move
    ],
)
def test_V1_moved_to_the_same_node_a_wait_keeps_its_beginning(
    house: Callable[..., Live], longer: str, left: str
) -> None:
    live = house(journey(hold=DAY, old=leave("old")))
    live.go("2 09:00", GO)
    revised = journey(hold=wait(duration=longer), new=leave("new"))
    publish(live, revised, "2 12:00", hold=Move("same"))
    live.go("9 00:00")
    assert live.told().visits == [f"hold 2 09:00 - {left} next", f"new {left} - {left}"]


def test_V1_a_wait_for_an_event_is_kept_with_its_new_timeout(house: Callable[..., Live]) -> None:
    live = house(journey(hold=ASK))
    live.go("2 09:00", GO)
    longer = wait(until_event={"event": "reply", "timeout": "3d"})
    publish(live, journey(hold=longer), "2 12:00", hold=Move("same"))
    live.go("9 00:00", event("2 13:00", "answer"), event("5 09:00", "reply"))
    assert live.told().visits == ["hold 2 09:00 - 5 09:00 event"]


def test_V1_moved_to_a_chosen_node(house: Callable[..., Live]) -> None:
    live = house(journey(hold=DAY))
    live.go("2 09:00", GO)
    revised = journey(hold=to(HOLD, "mail"), mail=send(), rest=wait(duration="1h"))
    publish(live, revised, "2 12:00", hold=Move("node", "mail"))
    live.go("9 00:00")
    assert live.told().visits == [
        "hold 2 09:00 - 2 12:00",
        "mail 2 12:00 - 2 12:00 next",
        "rest 2 12:00 - 2 13:00 next",
    ]


def test_V1_moved_out(house: Callable[..., Live]) -> None:
    live = house(journey(hold=DAY))
    live.go("2 09:00", GO)
    publish(live, journey(hold=HOLD), "2 12:00", hold=Move("exit"))
    assert live.told().ends == ["exited moved_out 2 12:00"]
    assert live.told().visits == ["hold 2 09:00 - 2 12:00"]


# V2


def test_V2_paused_nobody_enters_and_nobody_moves_on(house: Callable[..., Live]) -> None:
    live = house(journey(reentry="every_time", hold=wait(duration="1h"), mail=send()))
    live.go("2 09:30", GO)
    publishing.pause(live.journey, at=moment("2 09:30"))
    live.go("2 12:00", event("2 09:40", "go"))
    assert live.told().visits == ["hold 2 09:00 -"]
    assert live.told().mails == []


def test_V2_facts_are_stored_while_it_is_paused(house: Callable[..., Live]) -> None:
    seen = {"event": "seen", "count": {"op": "gte", "value": 1}}
    live = house(journey(hold=wait(duration="1h"), look=branch(seen=seen)))
    live.go("2 09:30", GO)
    publishing.pause(live.journey, at=moment("2 09:30"))
    live.go("2 12:00", event("2 09:40", "seen"))
    publishing.resume(live.journey, at=moment("2 12:00"))
    live.go("2 13:00")
    assert live.told().visits == ["hold 2 09:00 - 2 12:00 next", "look 2 12:00 - 2 12:00 seen"]


@pytest.mark.parametrize(
    ("end", "fact", "reason"),
    [
        ({"goal": {"event": "paid"}}, event("2 10:00", "paid"), "goal"),
        ({"exit_when": {"attribute": "x", "op": "is_set"}}, change("2 10:00", x=1), "exit_when"),
    ],
)
def test_V2_goals_and_exits_end_enrollments_as_ever(
    house: Callable[..., Live], end: Any, fact: Any, reason: str
) -> None:
    live = house(journey(hold=HOLD, **end))
    live.go("2 09:30", GO)
    publishing.pause(live.journey, at=moment("2 09:30"))
    live.go("2 12:00", fact)
    assert live.told().ends == [f"exited {reason} 2 10:00"]


def test_V2_a_wait_that_an_event_would_end_is_marked_with_that_outcome(
    house: Callable[..., Live],
) -> None:
    """u1 answered in time, u2 did not; both go on when the journey does, two days later."""
    live = house(journey(hold=ASK))
    live.go("2 09:30", GO, event("2 09:00", "go", who="u2"))
    publishing.pause(live.journey, at=moment("2 09:30"))
    live.go("4 12:00", event("2 10:00", "answer"))
    assert live.told().ends == ["waiting", "waiting"]
    publishing.resume(live.journey, at=moment("4 12:00"))
    live.go("4 13:00")
    visits = [one.visits for one in live.told().passages]
    assert visits == [["hold 2 09:00 - 4 12:00 event"], ["hold 2 09:00 - 4 12:00 timeout"]]


def test_V2_what_is_not_due_at_the_resumption_goes_on_when_it_is(
    house: Callable[..., Live],
) -> None:
    live = house(journey(hold=DAY))
    live.go("2 09:30", GO)
    publishing.pause(live.journey, at=moment("2 09:30"))
    live.go("2 20:00")
    publishing.resume(live.journey, at=moment("2 20:00"))
    live.go("4 00:00")
    assert live.told().ends == ["completed 3 09:00"]


@pytest.mark.parametrize(
    ("how", "ends"),
    [
        ({}, ["completed 3 12:00", "completed 3 12:00"]),
        (
            {"how": "spread", "over": timedelta(hours=2)},
            ["completed 3 13:00", "completed 3 14:00"],
        ),
        ({"how": "drop"}, ["exited dropped 3 12:00", "exited dropped 3 12:00"]),
    ],
)
def test_V2_resumed_the_overdue_go_on_then_or_spread_out_or_are_dropped(
    house: Callable[..., Live], how: Any, ends: list[str]
) -> None:
    live = house(journey(hold=wait(duration="1h")))
    live.go("2 09:30", GO, event("2 09:10", "go", who="u2"))
    publishing.pause(live.journey, at=moment("2 09:30"))
    live.go("3 12:00")
    publishing.resume(live.journey, at=moment("3 12:00"), **how)
    live.go("4 00:00")
    assert live.told().ends == ends


def test_V2_who_became_a_member_while_it_was_paused_is_not_asked_again(
    house: Callable[..., Live],
) -> None:
    """E5: a refusal is a refusal, whatever its reason."""
    vips = {"vips": {"name": "VIPs", "when": {"attribute": "vip", "op": "eq", "value": True}}}
    live = house(journey({"segment": "vips"}, segments=vips, hold=HOLD))
    live.go("2 09:00")
    publishing.pause(live.journey, at=moment("2 09:00"))
    live.go("2 10:30", change("2 10:00", vip=True))
    publishing.resume(live.journey, at=moment("2 10:30"))
    live.go("2 12:30", change("2 11:00", other=1), change("2 11:00", vip=True, who="u2"))
    assert live.told().entered == ["u2 2 11:00"]


def test_V2_archived_open_enrollments_end_and_nobody_enters(house: Callable[..., Live]) -> None:
    live = house(journey(hold=HOLD))
    live.go("2 09:30", GO)
    publishing.archive(live.journey, at=moment("2 10:00"))
    live.go("2 12:00", event("2 11:00", "go", who="u2"))
    assert live.told().ends == ["exited archived 2 10:00"]
    assert Journey.objects.get().status == Journey.Status.ARCHIVED


# the same functions


ROOT = Path(work.__file__).parents[1]
ROOMS = ("journeys/", "contacts/", "messaging/")

#: What only a simulation needs: how a line becomes a fact, and a clock of its own.
ONLY_SIMULATED = {
    # A line changes the person in memory; live the contact's row was changed by the one door.
    ("journeys/simulation/", "LineChange.apply"),
    ("journeys/simulation/", "apply"),
    ("journeys/world.py", "World.suppress"),
    # A line tells what became of a message; live the provider has, and the event is there (T7).
    ("journeys/engine.py", "message"),
    ("journeys/world.py", "Person.messages_of"),
    # The policy: timers fire when they are due, webhooks are answered, nobody looks anything up.
    ("journeys/simulation/", "Replay."),
    ("journeys/simulation/", "Setting.world.<locals>"),
    # Full hours are counted by the engine, where live the clock makes facts of them (T5).
    ("journeys/triggers.py", "next_hour"),
    ("journeys/triggers.py", "full_hour_from"),
}
#: What only a live run needs: how a row becomes a fact, and time as it passes.
ONLY_LIVE = {
    ("journeys/work.py", "RecordedChange."),
    ("journeys/world.py", "Policy.timer_time"),
    # An address that an update has just set is looked up among the suppressed ones.
    ("journeys/world.py", "_is_suppressed"),
    ("messaging/subscriptions.py", "suppressed"),
    ("messaging/models/suppression.py", "address_hash"),
}


class Recorder:
    """Stands in for `engine.run`, and notes which functions run meanwhile, in all our rooms."""

    def __init__(self) -> None:
        self.found: set[tuple[str, str]] = set()
        self.codes: set[CodeType] = set()
        self.run = engine.run

    def __call__(self, world: World) -> Any:
        before = sys.getprofile()
        sys.setprofile(self._called)
        try:
            return self.run(world)
        finally:
            sys.setprofile(before)

    def _called(self, frame: Any, kind: str, _: object) -> None:
        code = frame.f_code
        if kind != "call" or code in self.codes:
            return
        self.codes.add(code)
        if code.co_filename.startswith(str(ROOT)):
            path = Path(code.co_filename).relative_to(ROOT).as_posix()
            if path.startswith(ROOMS):
                self.found.add((path, code.co_qualname))


def everything() -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """A journey with all kinds of nodes, and facts that lead through all of them."""
    own = [{"property": "id", "op": "eq", "value": {"trigger": "id"}}]
    data = journey(
        {"event": "go", "key": "id"},
        reentry={"after": "1h"},
        filter={"not": {"segment": "out"}},
        goal={"event": "paid", "where": own},
        exit_when={"any": [{"attribute": "gone", "op": "eq", "value": True}]},
        window={"from": "08:00", "to": "20:00"},
        topics={"news": {"name": "News"}},
        installation={"timezone": "Europe/Berlin", "frequency_cap": {"count": 2, "within": "1d"}},
        segments={
            "out": {"name": "Out", "when": {"attribute": "out", "op": "contains", "value": "x"}}
        },
        one=send(topic="news"),
        rest=wait(duration="1h"),
        answer=wait(until_event={"event": "answer", "where": own, "timeout": "2h"}),
        date=wait(until_date={"attribute": "day", "offset": "0d", "at": "09:00"}),
        office=wait(until_window={"from": "10:00"}),
        way=branch(
            opened={"message": "one", "did": "opened"},
            often={"event": "go", "count": {"op": "gte", "value": 9}, "since": "entry"},
            lately={"event": "answer", "within": "30d"},
        ),
        pick={"kind": "split", "variants": {"a": 1, "b": 1}},
        note=update(lead=True, email="new@example.com"),
        hook={"kind": "webhook", "url": "https://example.com/hook"},
        two=send(),
        end=leave(),
    )
    people = [contact(day="2026-03-05"), contact("u2", email="", timezone="Asia/Tokyo")]
    facts = [
        event("2 09:00", "go", id="a"),
        event("2 09:00", "go", id="b", who="u2"),
        became("2 09:30", "one", "opened"),
        event("2 10:30", "answer", id="a"),
        event("2 10:45", "answer", id="a", received="3 10:00"),
        change("3 11:00", day="2026-03-06", timezone="America/New_York"),
        subscribe("3 12:00", "news"),
        unsubscribe("3 12:00", "all", who="u2"),
        suppress("3 12:00", who="u2"),
        event("4 21:00", "go", id="c"),
        event("5 09:00", "paid", id="c"),
        change("5 10:00", gone=True, who="u2"),
    ]
    return data, people, facts


TRIGGERS: list[tuple[Any, list[Any]]] = [
    ({"segment": "vips"}, [change("2 09:10", vip=True)]),
    ({"date": "day", "at": "09:00", "yearly": True}, [change("2 09:10", day="1990-03-05")]),
    ({"manual": True}, [enter("2 09:10")]),
]


def stories(folder: Path) -> list[Story]:
    data, people, facts = everything()
    vips = {"vips": {"name": "VIPs", "when": {"attribute": "vip", "op": "eq", "value": True}}}
    return [
        Story(folder / "all", data, people, facts, "12 00:00"),
        *(
            Story(
                folder / f"trigger-{number}",
                journey(trigger, segments=vips, mail=send(), hold=HOLD),
                [contact()],
                facts,
                "7 00:00",
                start="2 09:00",
            )
            for number, (trigger, facts) in enumerate(TRIGGERS)
        ),
    ]


def without(found: set[tuple[str, str]], known: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The functions that are not among those that only one of the two needs."""
    return {
        (path, name)
        for path, name in found
        if not any(path.startswith(where) and name.startswith(begin) for where, begin in known)
    }


def test_live_and_simulated_runs_execute_the_same_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulator is no second implementation: both call `engine.run`, and it does the same."""
    recorders, results = [], []
    for way in (Story.simulated, Story.live):
        for story in stories(tmp_path):
            way(story)  # what is compiled or cached once a process is behind us
        with monkeypatch.context() as patch:
            recorders.append(Recorder())
            patch.setattr(engine, "run", recorders[-1])
            results.append([way(story) for story in stories(tmp_path)])
    simulated, live = (recorder.found for recorder in recorders)
    assert results[0] == results[1]
    assert len(simulated & live) > 100
    assert without(simulated - live, ONLY_SIMULATED) == set()
    assert without(live - simulated, ONLY_LIVE) == set()


def test_all_kinds_of_nodes_are_in_that_story(play: Play) -> None:
    from journeys.nodes import kinds

    data, people, facts = everything()
    assert {node["kind"] for node in data["nodes"].values()} == set(kinds())
    told = play(data, facts, people=people, until="12 00:00")
    visited = {visit["node"] for line in told.lines for visit in line["visits"]}
    assert visited == set(data["nodes"])
