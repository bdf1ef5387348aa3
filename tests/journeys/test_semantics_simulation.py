"""The simulation's own rules (§5 and §6), and what publishing refuses beside L1."""

from __future__ import annotations

import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contacts.problems import Problems
from journeys import definition, engine
from journeys.definition import Catalog
from journeys.simulation import SimulationError, simulate
from journeys.simulation.inputs import read_contacts
from tests.journeys.conftest import Play
from tests.journeys.scenario import (
    HOLD,
    Story,
    change,
    contact,
    enter,
    event,
    journey,
    leave,
    moment,
    send,
    stamp,
    subscribe,
    suppress,
    wait,
)

GO = event("2 09:00", "go")
VIPS = {"vips": {"name": "VIPs", "when": {"attribute": "vip", "op": "eq", "value": True}}}


def test_timers_due_up_to_and_including_until_fire(simulated: Play) -> None:
    story = journey(hold=wait(duration="1h"))
    assert simulated(story, [GO], until="2 10:00").ends == ["completed 2 10:00"]


def test_facts_before_from_are_stored_and_move_nothing(simulated: Play) -> None:
    twice = {"event": "go", "count": {"op": "gte", "value": 2}}
    story = journey(reentry="every_time", filter=twice, end=leave())
    told = simulated(story, [GO, event("2 12:00", "go")], start="2 10:00", until="3 00:00")
    assert told.entered == ["u1 2 12:00"]


def test_a_message_id_before_from_is_known(simulated: Play) -> None:
    facts = [event("2 09:00", "go", message_id="m"), event("2 12:00", "go", message_id="m")]
    assert simulated(journey(hold=HOLD), facts, start="2 10:00", until="3 00:00").entered == []


def test_membership_at_the_start_is_counted_after_what_lies_before_it(simulated: Play) -> None:
    story = journey({"segment": "vips"}, segments=VIPS, hold=HOLD)
    facts = [change("2 09:00", vip=True), event("2 12:00", "x")]
    assert simulated(story, facts, start="2 10:00", until="3 00:00").entered == []


def test_one_whom_a_line_makes_is_a_member_of_nothing_before(simulated: Play) -> None:
    story = journey({"segment": "vips"}, segments=VIPS, hold=HOLD)
    facts = [GO, change("2 12:00", vip=True, who="new")]
    assert simulated(story, facts, until="3 00:00").entered == ["new 2 12:00"]


def test_one_whom_a_line_makes_has_the_lines_time_as_created_at(simulated: Play) -> None:
    since = {"attribute": "created_at", "op": "before", "value": "2026-03-02T09:00:01Z"}
    story = journey(filter=since, hold=HOLD)
    facts = [event("2 09:00", "go", who="new"), event("2 09:00:01", "go", who="newer")]
    assert simulated(story, facts, until="3 00:00").entered == ["new 2 09:00"]


def test_a_contact_of_the_file_is_there_whatever_its_created_at(simulated: Play) -> None:
    story = journey({"date": "day"}, hold=HOLD)
    people = [{**contact(day="2026-03-03"), "created_at": "2027-01-01"}]
    told = simulated(story, [], people=people, start="2 10:00", until="4 00:00")
    assert told.entered == ["u1 3 00:00"]


def test_without_lines_the_start_is_until(simulated: Play) -> None:
    story = journey({"date": "day"}, hold=HOLD)
    people = [contact("u1", day="2026-03-03"), contact("u2", day="2026-03-04")]
    told = simulated(story, [], people=people, until="4 00:00")
    assert told.entered == ["u2 4 00:00"]


def test_T8_contacts_with_one_address_share_its_suppression_at_later_times(
    simulated: Play,
) -> None:
    people = [contact(one, email="a@example.com") for one in ("u1", "u2")]
    facts = [suppress("2 09:00", who="u1"), event("2 09:00:01", "go", who="u2")]
    told = simulated(journey(mail=send()), facts, people=people, until="3 00:00")
    assert told.mails == ["mail 2 09:00:01 suppressed"]


def test_results_are_by_entered_at_then_external_id_then_beginning(simulated: Play) -> None:
    order = ["b", "a", "b"]
    story = journey(reentry="every_time", hold=HOLD)
    facts = [event("2 09:00:01", "go", who="0")]
    facts += [event("2 09:00", "go", who=who) for who in order]
    told = simulated(story, facts, until="3 00:00")
    assert told.entered == ["a 2 09:00", "b 2 09:00", "b 2 09:00", "0 2 09:00:01"]


def bad(**line: Any) -> dict[str, Any]:
    return {"contact": "u1", "at": stamp("2 09:00"), **line}


@pytest.mark.parametrize(
    "line",
    [
        bad(),
        bad(event="a", set={}),
        bad(event="a", other=1),
        {"contact": "u1", "event": "a"},
        bad(event="a", received_at=stamp("2 08:59:59")),
        bad(set={}, received_at=stamp("2 09:00")),
        bad(set={"external_id": "x"}),
        subscribe("2 09:00", "unknown"),
        bad(message="hold", did="opened"),
        bad(message="mail", did="read"),
        enter("2 09:00"),
        bad(event="message_opened"),
        bad(contact="u\ud800", event="a"),
        bad(event="a\udfff"),
        bad(event="a", message_id="\ud800"),
        bad(event="a", properties={"x": [{"\ud800": 1}]}),
        bad(set={"x": "\udc00\ud800"}),
        bad(set={".".join("a" * 990): 1}),
        bad(set={".".join("a" * 33): None}),
    ],
)
def test_a_line_that_is_wrong_is_named_and_nothing_is_written(
    simulated: Play, tmp_path: Any, line: Any
) -> None:
    with pytest.raises(SimulationError, match="line 2"):
        simulated(journey(mail=send(), hold=HOLD), [GO, line], until="3 00:00")
    assert not (tmp_path / "story" / "result.jsonl").exists()


def test_a_column_whose_name_has_too_many_parts_is_named(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("external_id," + ".".join("a" * 990) + "\nu1,x\n")
    with pytest.raises(SimulationError, match=r"line 1: .*more than 32 parts"):
        read_contacts(path)


def test_attributes_with_half_a_surrogate_pair_are_named(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    pair = '"{""a"": ""\\ud83d\\ude00""}"'
    path.write_text(f"external_id,attributes\nu1,{pair}\n")
    assert read_contacts(path)["u1"].attributes == {"a": "\U0001f600"}
    path.write_text(f"external_id,attributes\nu1,{pair}\nu2," + pair.replace("\\ud83d", ""))
    with pytest.raises(SimulationError, match=r"line 3: attributes: .* surrogate"):
        read_contacts(path)


def test_a_result_that_cannot_be_written_leaves_nothing_behind(
    simulated: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*names: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(SimulationError, match=r"result\.jsonl: can't be written: No space left"):
        simulated(journey(hold=HOLD), [GO], until="3 00:00")
    names = {path.name for path in (tmp_path / "story").iterdir()}
    assert names == {"journey.yaml", "contacts.csv", "events.jsonl"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("nowhere/result.jsonl", r"nowhere/result\.jsonl: can't be written: there is no folder"),
        ("folder", "folder: can't be written: it is a folder"),
        ("events.jsonl", r"events\.jsonl: is read by the simulation"),
        ("folder/../contacts.csv", r"contacts\.csv: is read by the simulation"),
        ("link", "link: is read by the simulation"),
        ("x" * 300, "can't be written: File name too long"),
    ],
)
def test_where_no_result_can_be_written_is_said_before_anything_is_read(
    tmp_path: Path, out: str, message: str
) -> None:
    names = ("journey.yaml", "contacts.csv", "events.jsonl")
    for name in names:
        (tmp_path / name).write_text("no line of this is right")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "journey.yaml")
    with pytest.raises(SimulationError, match=message) as caught:
        simulate(
            *(tmp_path / name for name in names),
            until=datetime(2026, 3, 2, tzinfo=UTC),
            out=tmp_path / out,
        )
    assert len(str(caught.value).splitlines()) == 1
    assert all((tmp_path / name).read_text() == "no line of this is right" for name in names)


@pytest.mark.django_db
def test_a_result_may_go_where_no_file_can_take_its_place(tmp_path: Path) -> None:
    story = Story(tmp_path, journey(hold=HOLD), [contact()], [GO], until="3 00:00")
    story.simulated()
    before = (tmp_path / "result.jsonl").read_text()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "link").symlink_to(tmp_path / "result.jsonl")
    (tmp_path / "result.jsonl").write_text("")
    kept = (tmp_path / "kept").open("w+")
    for out in (pipe, tmp_path / "link", Path(f"/dev/fd/{kept.fileno()}")):
        simulate(
            *(tmp_path / name for name in ("journey.yaml", "contacts.csv", "events.jsonl")),
            until=moment("3 00:00"),
            out=out,
        )
    assert os.read(reader, 10_000).decode() == before
    os.close(reader)
    with kept:
        assert kept.read() == before
    assert pipe.is_fifo()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "result.jsonl").read_text() == before


# What publishing refuses, of the fine print


def refused(**parts: Any) -> bool:
    found = Problems()
    data = {
        "journey": "story",
        "name": "Story",
        "entry": {"trigger": {"event": "go"}},
        "start": "a",
        "nodes": {"a": {"kind": "exit"}},
        **parts,
    }
    definition.parse(data, Catalog(), found)
    return bool(list(found.errors))


OWN = {"property": "x", "op": "eq", "value": {"trigger": "x"}}


def test_what_is_built_on_is_right() -> None:
    assert not refused()


@pytest.mark.parametrize(
    "parts",
    [
        {"entry": {"trigger": {"event": "go", "where": [OWN]}}},
        {"entry": {"trigger": {"manual": True}, "filter": {"event": "e", "where": [OWN]}}},
        {"goal": {"event": "e", "where": [OWN]}, "entry": {"trigger": {"date": "day"}}},
        {"segments": {"s": {"name": "S", "when": {"event": "e", "where": [OWN]}}}},
        {"segments": {"s": {"name": "S", "when": {"segment": "s"}}}},
        {"entry": {"trigger": {"segment": "vips", "key": "k"}}, "segments": VIPS},
        {"entry": {"trigger": {"event": "go"}, "filter": {"event": "e", "since": "entry"}}},
        {"goal": {"message": "a", "did": "sent"}},
        {"entry": {"trigger": {"event": "go"}, "reentry": {"after": "0s"}}},
        {"installation": {"frequency_cap": {"count": 1, "within": "0s"}}},
        {"nodes": {"a": {"kind": "wait", "until_event": {"event": "e", "timeout": "0s"}}}},
        {"templates": {"t": {"name": "T", "subject": "S"}}},
        {"templates": {"t": {"name": "T", "text": "x"}}},
        {"topics": {"all": {"name": "All"}}},
        {"entry": {"trigger": {"date": "day", "yearly": True}}},
        {"entry": {"trigger": {"date": "day", "offset": "1h", "at": "09:00"}}},
        {"start": "b"},
        {"unknown": 1},
    ],
)
def test_fine_print_that_publishing_refuses(parts: dict[str, Any]) -> None:
    assert refused(**parts)


@pytest.mark.django_db
def test_changes_that_multiply_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T6 bounds how long a chain is; how wide it grows is bounded too, with a word about it."""
    day = "2099-01-01"
    forking = {
        "journey": "fork",
        "entry": {"trigger": {"segment": "on"}, "reentry": "every_time"},
        "start": "u1",
        "nodes": {
            "u1": {"kind": "update", "set": {"m": False, "x": None}, "next": "w1"},
            "w1": {"kind": "wait", "until_date": {"attribute": "y"}, "next": "u2"},
            "u2": {"kind": "update", "set": {"y": day, "z": None}, "next": "w2"},
            "w2": {"kind": "wait", "until_date": {"attribute": "x"}, "next": "u3"},
            "u3": {"kind": "update", "set": {"x": day, "y": None, "z": day}, "next": "w3"},
            "w3": {"kind": "wait", "until_date": {"attribute": "z"}, "next": "u4"},
            "u4": {"kind": "update", "set": {"m": True, "z": day}},
        },
        "segments": {"on": {"name": "On", "when": {"attribute": "m", "op": "eq", "value": True}}},
    }
    files = {
        "journey.json": json.dumps(forking),
        "contacts.csv": f"external_id,x,y,z\nu,{day},{day},{day}\n",
        "events.jsonl": "".join(
            json.dumps({"contact": "u", "at": "2026-03-01T09:00:00Z", "set": change}) + "\n"
            for change in ({"m": True}, {"x": day, "y": None}, {"m": True}, {"seats": 1})
        ),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(engine, "MOST_CHANGES", 1000)
    with pytest.raises(SimulationError, match="One fact set off more than 1,000 changes"):
        simulate(
            *(tmp_path / name for name in files),
            until=datetime(2026, 3, 2, tzinfo=UTC),
            out=tmp_path / "result.jsonl",
        )
    assert not (tmp_path / "result.jsonl").exists()
