"""The interpreter against expectations worked out by hand from the page."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.reference import focused, generate, interpreter
from tests.reference.interpreter import (
    Contact,
    Simulation,
    compare,
    date_moment,
    format_instant,
    load_document,
    local_to_instant,
    parse_duration,
    parse_instant,
    read_contacts,
    read_lines,
    simulate,
    window_moment,
)

MAIL = {"t": {"name": "T", "subject": "T", "text": "T"}}


def t(clock: str, day: int = 2) -> str:
    """A time in March 2026; the second is a Monday."""
    return f"2026-03-{day:02}T{clock}:00Z"


def run(
    nodes: dict[str, Any],
    facts: list[dict[str, Any]],
    trigger: dict[str, Any] | None = None,
    *,
    until: str = t("12:00"),
    start: str | None = None,
    contacts: str = "external_id,email,timezone,created_at\nu1,a@x.example,,\n",
    reentry: Any = "every_time",
    entry_filter: Any = None,
    **journey: Any,
) -> list[dict[str, Any]]:
    entry: dict[str, Any] = {"trigger": trigger or {"event": "go"}, "reentry": reentry}
    if entry_filter is not None:
        entry["filter"] = entry_filter
    document = {"journey": "j", "entry": entry, "start": next(iter(nodes)), "nodes": nodes}
    document.update(journey)
    lines = [{"contact": "u1", **fact} for fact in facts]
    begin = None if start is None else parse_instant(start)
    end = parse_instant(until)
    assert end is not None
    return Simulation(
        document,
        read_contacts(contacts),
        read_lines("".join(json.dumps(line) + "\n" for line in lines)),
        end,
        begin,
    ).run()


def ends(results: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(line["status"], line["reason"]) for line in results]


def outcomes(line: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(visit["node"], visit["outcome"]) for visit in line["visits"]]


def mails(line: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(message["status"], message["reason"]) for message in line["messages"]]


GO = {"at": t("09:00"), "event": "go"}
SEND = {"kind": "send", "template": "t"}
HOLD = {"kind": "wait", "until_event": {"event": "never"}}


# ---- section 2: the file -----------------------------------------------------------------------


def test_plain_scalars_are_read_as_json_would_read_them() -> None:
    text = "a: no\nb: 17:00\nc: 2026-03-01\nd: 0123\ne: true\nf: ~\ng: 1.5\nh:\non: 1e3\ni: 1_000\n"
    assert load_document(text) == {
        "a": "no",
        "b": "17:00",
        "c": "2026-03-01",
        "d": "0123",
        "e": True,
        "f": None,
        "g": 1.5,
        "h": None,
        "on": 1000.0,
        "i": "1_000",
    }


def test_keys_are_the_text_that_stands_there() -> None:
    assert load_document("{1: a, null: b, true: c, 1e3: d}") == {
        "1": "a",
        "null": "b",
        "true": "c",
        "1e3": "d",
    }
    with pytest.raises(interpreter.WrongInput):
        load_document("a: 1\na: 2\n")


@pytest.mark.parametrize("text", ["True", "yes", "0x1F", "+1", ".5", "1.", "NULL", "-", "Infinity"])
def test_other_scalars_are_strings(text: str) -> None:
    assert load_document(f"a: {text}\n" if text != "-" else 'a: "-"\n') == {"a": text}


def test_durations() -> None:
    assert parse_duration("1d12h") == 36 * interpreter.HOUR
    assert parse_duration("0s") == 0
    for wrong in ("", "12h1d", "1h1h", "1.5h", "h", "-1h", 60, None):
        assert parse_duration(wrong) is None


# ---- section 3: conditions ---------------------------------------------------------------------

NOW = parse_instant(t("09:00")) or 0


@pytest.mark.parametrize(
    ("left", "op", "value", "expected"),
    [
        (1, "eq", 1.0, True),
        (True, "eq", 1, False),  # C3
        ([1, {"a": True}], "eq", [1.0, {"a": 1}], False),
        ([1], "eq", [1.0], True),
        (None, "ne", 1, True),  # C1
        (None, "eq", None, False),
        (1, "ne", None, True),
        (1, "eq", None, False),
        ("a", "gt", 1, False),  # C2
        (True, "gte", 1, False),
        ("b", "gt", "a", True),
        ("Z", "lt", "a", True),
        ("Straße", "contains", "RASSE", False),  # lower-casing is no case folding
        ("ΟΔΟΣ", "contains", "οδος", True),
        ("ΟΔΟΣ", "contains", "Σ", False),  # a final sigma is another letter
        ("İstanbul", "starts_with", "i", True),
        ("x", "contains", "", True),
        ("", "starts_with", "", True),
        (["a"], "contains", "A", False),
        ([1.0], "contains", 1, True),
        ([True], "contains", 1, False),
        ({"a": 1}, "contains", "a", False),
        (1, "in", [True, 1.0], True),
        (1, "in", 1, False),
        ("", "is_set", None, True),
        (None, "is_not_set", None, True),
        ("2026-03-02", "before", "now", True),  # its midnight in UTC
        ("2026-03-02 09:00", "before", "now", False),
        ("2026-03-02T10:00+01:00", "after", "2026-03-02T08:59:59.9999999Z", True),
        ("2026-03-02T09:00:00.0000009Z", "after", "now", False),  # cut
        ("2026-02-30", "before", "now", False),
        ("2026-3-2", "before", "now", False),
        ("2026-03-02t08:00", "before", "now", False),
        ("2026-03-02  08:00", "before", "now", False),
        ("2026-03-02T08:00:00 Z", "before", "now", False),
        ("2026-03-02\n", "before", "now", False),
        (20260302, "before", "now", False),
        ("2026-03-02T08:00", "within_last", "1h", True),
        ("2026-03-02T07:59:59", "within_last", "1h", False),
        ("2026-03-02T09:00", "within_last", "0s", True),
        ("2026-03-02T10:00", "within_next", "1h", True),
        ("2026-03-02T08:59:59", "within_next", "1h", False),
        ("0001-01-01", "within_last", "999999w", True),
    ],
)
def test_comparisons(left: Any, op: str, value: Any, expected: bool) -> None:
    assert compare(left, op, value, NOW) is expected


def test_dotted_names_reach_into_objects_and_not_into_lists() -> None:
    contact = Contact("u1", attributes={"a": {"b": {"c": 1}}, "l": [{"b": 1}], "s": "x"})
    assert contact.get("a.b.c") == 1
    assert contact.get("l.0") is None
    assert contact.get("s.b") is None
    contact.set("s.b", 2)
    contact.set("a.b.c", None)
    contact.set("new.deep.name", [1])
    assert contact.attributes == {
        "a": {"b": {}},
        "l": [{"b": 1}],
        "s": {"b": 2},
        "new": {"deep": {"name": [1]}},
    }


# ---- W3, W4, W5: calendars ---------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")


def moment(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)


@pytest.mark.parametrize(
    ("zone", "day", "minute", "expected"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 150, "2026-03-29T01:00:00Z"),  # skipped
        ("Europe/Berlin", date(2026, 3, 29), 180, "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", date(2026, 10, 25), 150, "2026-10-25T00:30:00Z"),  # the first of two
        ("Europe/Berlin", date(2026, 10, 25), 180, "2026-10-25T02:00:00Z"),
        ("Australia/Lord_Howe", date(2026, 10, 4), 135, "2026-10-03T15:30:00Z"),
        ("Australia/Lord_Howe", date(2026, 4, 5), 105, "2026-04-04T14:45:00Z"),
        ("Pacific/Apia", date(2011, 12, 30), 540, "2011-12-30T10:00:00Z"),  # no such day
        ("Pacific/Apia", date(2011, 12, 29), 1440, "2011-12-30T10:00:00Z"),
        ("America/Sao_Paulo", date(2018, 11, 4), 0, "2018-11-04T03:00:00Z"),  # no midnight
        ("America/New_York", date(9999, 12, 31), 1380, None),  # beyond the calendar
    ],
)
def test_local_times(zone: str, day: date, minute: int, expected: str | None) -> None:
    assert moment(local_to_instant(ZoneInfo(zone), day, minute)) == expected


@pytest.mark.parametrize(
    ("value", "offset", "at", "expected"),
    [
        ("2026-03-29", "0s", None, "2026-03-29T00:00:00Z"),
        ("2026-03-29", "-1h", None, "2026-03-28T23:00:00Z"),
        ("2026-03-29", "-1d", "09:00", "2026-03-28T08:00:00Z"),
        ("2026-03-28T23:30:00Z", "", "09:00", "2026-03-29T07:00:00Z"),  # the 29th in Berlin
        ("2026-03-28T23:30:00Z", "", None, "2026-03-28T23:30:00Z"),
        ("2026-02-29", "", "09:00", None),
        ("9999-12-31", "1d", "09:00", None),
        ("9999-12-31T23:30:00Z", "", "09:00", None),
        ("0001-01-01", "-1s", None, None),
        (5, "", None, None),
    ],
)
def test_moments_of_dates(value: Any, offset: str, at: str | None, expected: str | None) -> None:
    found = date_moment(value, BERLIN, interpreter.parse_offset(offset), at)
    assert moment(found) == expected


def window_at(window: dict[str, Any], zone: str, now: str) -> str | None:
    return moment(window_moment(window, ZoneInfo(zone), parse_instant(now) or 0))


def test_windows() -> None:
    office = {"days": ["mon"], "from": "09:00", "to": "17:00"}
    assert window_at(office, "UTC", t("09:00")) == t("09:00")
    assert window_at(office, "UTC", t("16:59")) == t("16:59")
    assert window_at(office, "UTC", t("17:00")) == t("09:00", 9)  # `to` is not included
    night = {"days": ["mon"], "from": "22:00", "to": "06:00"}
    assert window_at(night, "UTC", t("05:00", 3)) == t("05:00", 3)  # it belongs to Monday
    assert window_at(night, "UTC", t("05:00", 2)) == t("22:00", 2)
    assert window_at({"from": "09:00", "to": "00:00"}, "UTC", t("23:59")) == t("23:59")


def test_a_window_that_a_clock_change_leaves_empty_does_not_open() -> None:
    skipped = {"from": "02:00", "to": "03:00"}
    assert window_at(skipped, "Europe/Berlin", "2026-03-28T12:00:00Z") == "2026-03-30T00:00:00Z"
    half = {"from": "02:30", "to": "03:30"}
    assert window_at(half, "Europe/Berlin", "2026-03-28T12:00:00Z") == "2026-03-29T01:00:00Z"
    friday = {"days": ["fri"], "from": "09:00", "to": "17:00"}
    assert window_at(friday, "Pacific/Apia", "2011-12-29T20:00:00Z") == "2012-01-05T19:00:00Z"


# ---- T1, T2, T3: facts and their order ---------------------------------------------------------


def wait_for(event: str, timeout: str = "1h") -> dict[str, Any]:
    return {"kind": "wait", "until_event": {"event": event, "timeout": timeout}}


def test_an_event_at_the_deadline_wins() -> None:
    (line,) = run({"w": wait_for("x")}, [GO, {"at": t("10:00"), "event": "x"}])
    assert outcomes(line) == [("w", "event")]
    assert line["ended_at"] == t("10:00")
    (line,) = run({"w": wait_for("x")}, [GO, {"at": "2026-03-02T10:00:00.000001Z", "event": "x"}])
    assert outcomes(line) == [("w", "timeout")]


def test_a_late_event_acts_at_its_receipt_also_on_waits_that_began_later() -> None:
    late = {"at": t("08:00"), "received_at": t("09:30"), "event": "x"}
    (line,) = run({"w": wait_for("x")}, [GO, late])
    assert outcomes(line) == [("w", "event")]
    assert line["ended_at"] == t("09:30")


@pytest.mark.parametrize(
    ("received", "outcome"),
    [("2026-03-05T08:00:00Z", "event"), ("2026-03-05T08:00:00.000001Z", None)],
)
def test_more_than_72_hours_late_ends_nothing(received: str, outcome: str | None) -> None:
    late = {"at": t("08:00"), "received_at": received, "event": "x"}
    node = {"kind": "wait", "until_event": {"event": "x"}}
    (line,) = run({"w": node}, [GO, late], until=t("12:00", 6))
    assert outcomes(line) == [("w", outcome)]


def test_an_enrollment_does_not_see_the_event_that_starts_it() -> None:
    (line,) = run({"w": {"kind": "wait", "until_event": {"event": "go"}}}, [GO])
    assert ends([line]) == [("waiting", None)]
    (line,) = run({"w": HOLD}, [GO], goal={"event": "go"})
    assert ends([line]) == [("waiting", None)]


def test_one_event_ends_at_most_one_wait_of_an_enrollment() -> None:
    nodes = {
        "a": {"kind": "wait", "until_event": {"event": "x"}, "next": "b"},
        "b": {"kind": "wait", "until_event": {"event": "x"}},
    }
    (line,) = run(nodes, [GO, {"at": t("09:00"), "event": "x"}])
    assert outcomes(line) == [("a", "event"), ("b", None)]


def test_all_goals_come_before_all_waits() -> None:
    """The first enrollment's wait sets the attribute that is the goal of the second too late."""
    nodes = {
        "w": {"kind": "wait", "until_event": {"event": "x"}, "next": "u"},
        "u": {"kind": "update", "set": {"f": 1}, "next": "h"},
        "h": HOLD,
    }
    goal = {"attribute": "f", "op": "eq", "value": 1}
    first, second = run(nodes, [GO, GO, {"at": t("09:30"), "event": "x"}], goal=goal)
    assert outcomes(first) == [("w", "event"), ("u", "next"), ("h", None)]
    assert outcomes(second) == [("w", "event"), ("u", "next"), ("h", None)]
    assert ends([first, second]) == [("exited", "goal"), ("exited", "goal")]  # by the changes


def test_a_known_message_id_changes_nothing_also_for_another_contact() -> None:
    facts = [
        {"at": t("09:00"), "event": "x", "message_id": "m"},
        {"at": t("09:01"), "event": "go", "message_id": "m"},
        {"contact": "u2", "at": t("09:02"), "event": "go", "message_id": "m"},
    ]
    assert run({"h": HOLD}, facts) == []


def test_timers_at_one_time_go_in_the_order_in_which_their_waits_began() -> None:
    """The older enrollment's second wait begins after the younger one's first."""
    where = [{"property": "p", "op": "eq", "value": 1}]
    nodes = {
        "b": {
            "kind": "branch",
            "paths": [{"name": "y", "when": {"event": "go", "where": where, "within": "0s"}}],
            "next": {"y": "long", "else": "short"},
        },
        "long": {"kind": "wait", "for": "1h", "next": "more"},
        "more": {"kind": "wait", "for": "1h", "next": "s"},
        "short": {"kind": "wait", "for": "1h", "next": "s"},
        "s": SEND,
    }
    facts = [
        {**GO, "properties": {"p": 1}},
        {"at": t("10:00"), "event": "go", "properties": {"p": 2}},
    ]
    installation = {"frequency_cap": {"count": 1, "within": "1d"}}
    older, younger = run(nodes, facts, installation=installation)
    assert mails(younger) == [("queued", None)]
    assert mails(older) == [("skipped", "capped")]


def test_a_timer_looks_at_its_own_goal_and_exit_first() -> None:
    goal = {"attribute": "due", "op": "before", "value": "now"}
    nodes = {"a": {"kind": "wait", "for": "1h", "next": "b"}, "b": HOLD}
    facts = [
        {"at": t("09:00"), "set": {"due": t("09:45")}},
        GO,
        {"at": t("09:30"), "event": "go"},
    ]
    first, second = run(nodes, facts, goal=goal, until=t("10:10"))
    assert ends([first, second]) == [("exited", "goal"), ("waiting", None)]
    assert first["ended_at"] == t("10:00")
    assert first["visits"] == [
        {"node": "a", "entered_at": t("09:00"), "left_at": t("10:00"), "outcome": None}
    ]


def test_timers_until_the_end_fire() -> None:
    node = {"kind": "wait", "for": "3h"}
    assert ends(run({"w": node}, [GO], until=t("12:00"))) == [("completed", None)]
    assert ends(run({"w": node}, [GO], until=t("11:59"))) == [("waiting", None)]


# ---- entries -----------------------------------------------------------------------------------


def test_reentry_rules() -> None:
    node = {"w": {"kind": "wait", "for": "1h"}}
    facts = [{"at": t(clock), "event": "go"} for clock in ("09:00", "09:30", "10:00", "11:00")]
    assert len(run(node, facts, reentry="once")) == 1
    # At 10:00 the event comes before the timer, so the enrollment is still open.
    assert [line["entered_at"] for line in run(node, facts, reentry="after_exit")] == [
        t("09:00"),
        t("11:00"),
    ]
    assert len(run(node, facts, reentry={"after": "2h"})) == 2
    assert len(run(node, facts, reentry={"after": "121m"})) == 1
    assert len(run(node, facts)) == 4


def test_a_contact_can_reenter_on_the_event_that_ended_the_enrollment() -> None:
    facts = [GO, {"at": t("10:00"), "event": "go"}]
    lines = run({"h": HOLD}, facts, reentry="after_exit", goal={"event": "go"})
    assert ends(lines) == [("exited", "goal"), ("waiting", None)]


def test_a_refusal_uses_nothing_up() -> None:
    facts = [GO, {"at": t("09:10"), "set": {"f": 1}}, {"at": t("09:20"), "event": "go"}]
    condition = {"attribute": "f", "op": "eq", "value": 1}
    (line,) = run({"h": HOLD}, facts, reentry="once", entry_filter=condition)
    assert line["entered_at"] == t("09:20")


def test_a_goal_that_holds_already_refuses_and_an_exit_ends_at_once() -> None:
    condition = {"attribute": "f", "op": "eq", "value": 1}
    facts = [{"at": t("08:00"), "set": {"f": 1}}, GO]
    assert run({"h": HOLD}, facts, goal=condition) == []
    (line,) = run({"h": HOLD}, facts, exit_when=condition)
    assert line == {
        "journey": "j",
        "contact": "u1",
        "entered_at": t("09:00"),
        "status": "exited",
        "reason": "exit_when",
        "ended_at": t("09:00"),
        "visits": [],
        "messages": [],
    }


def test_keys_keep_passages_apart() -> None:
    trigger = {"event": "go", "key": "o.id"}
    values = [1, 1.0, True, "1", None, 1]
    facts = [{**GO, "properties": {"o": {"id": value}}} for value in values]
    facts += [{**GO, "properties": {}}]
    lines = run({"h": HOLD}, facts, trigger, reentry="once")
    assert len(lines) == 4  # 1, true, "1" and none


def test_at_most_100_open_enrollments() -> None:
    node = {"kind": "wait", "until_event": {"event": "x"}}
    go, x = GO, {"at": t("09:30"), "event": "x"}
    lines = run({"w": node}, [*[go] * 103, x, {"at": t("09:31"), "event": "go"}])
    assert len(lines) == 101


SEGMENT = {"segment": "s"}


def members(when: dict[str, Any]) -> dict[str, Any]:
    return {"s": {"name": "S", "when": when}}


M = {"attribute": "m", "op": "eq", "value": True}


def test_members_from_the_start_do_not_enter_and_leaving_makes_a_new_trigger() -> None:
    contacts = 'external_id,email,timezone,created_at,attributes\nu1,,,,"{""m"": true}"\n'
    facts = [
        {"at": t("09:00"), "event": "x"},
        {"at": t("09:10"), "set": {"m": False}},
        {"at": t("09:20"), "set": {"m": True}},
        {"at": t("09:30"), "set": {"m": True}},
    ]
    (line,) = run({"h": HOLD}, facts, SEGMENT, contacts=contacts, segments=members(M))
    assert line["entered_at"] == t("09:20")


def test_a_contact_made_by_a_line_was_no_member_before() -> None:
    facts = [{"at": t("09:00"), "event": "x"}, {"contact": "new", "at": t("09:10"), "event": "x"}]
    segments = {"s": {"name": "S", "members": ["u1", "new"]}}
    (line,) = run({"h": HOLD}, facts, SEGMENT, segments=segments)
    assert (line["contact"], line["entered_at"]) == ("new", t("09:10"))


def test_one_who_was_refused_is_not_asked_again_while_a_member() -> None:
    f = {"attribute": "f", "op": "eq", "value": 1}
    facts = [
        {"at": t("09:00"), "set": {"m": True}},
        {"at": t("09:10"), "set": {"f": 1}},
    ]
    assert run({"h": HOLD}, facts, SEGMENT, entry_filter=f, segments=members(M)) == []


def test_a_too_late_event_is_noted_without_an_entry() -> None:
    when = {"event": "x", "count": {"op": "gte", "value": 1}}
    facts = [
        {"at": t("08:00", 2), "received_at": t("08:01", 5), "event": "x"},
        {"at": t("09:00", 5), "event": "y"},
    ]
    assert run({"h": HOLD}, facts, SEGMENT, segments=members(when), until=t("10:00", 5)) == []


def test_segments_that_look_at_the_time_are_counted_at_full_hours_and_at_facts() -> None:
    when = {"attribute": "due", "op": "before", "value": "now"}
    facts = [{"at": t("08:30"), "set": {"due": t("09:10")}}]
    (line,) = run({"h": HOLD}, facts, SEGMENT, segments=members(when))
    assert line["entered_at"] == t("10:00")
    facts.append({"at": t("09:20"), "event": "y"})
    (line,) = run({"h": HOLD}, facts, SEGMENT, segments=members(when))
    assert line["entered_at"] == t("09:20")


def test_membership_is_not_counted_at_timers() -> None:
    when = {"any": [M, {"attribute": "due", "op": "before", "value": "now"}]}
    facts = [
        {"at": t("08:30"), "set": {"due": t("09:10")}},
        {"at": t("08:40"), "set": {"m": True}},
        {"at": t("08:45"), "set": {"m": False}},
    ]
    nodes = {"a": {"kind": "wait", "for": "40m", "next": "b"}, "b": HOLD}
    lines = run(nodes, facts, SEGMENT, segments=members(when))
    assert [line["entered_at"] for line in lines] == [t("08:40"), t("10:00")]


def test_date_triggers() -> None:
    trigger = {"date": "due", "at": "09:00"}
    berlin = {"timezone": "Europe/Berlin"}
    facts = [{"at": t("00:00", 2), "set": {"due": "2026-03-03"}}]
    end = t("00:00", 9)
    (line,) = run({"h": HOLD}, facts, trigger, installation=berlin, until=end)
    assert line["entered_at"] == t("08:00", 3)
    # Known at its very moment, and a moment too late.
    facts = [{"at": t("08:00", 3), "set": {"due": "2026-03-03"}}]
    assert len(run({"h": HOLD}, facts, trigger, installation=berlin, until=end)) == 1
    facts = [{"at": t("08:01", 3), "set": {"due": "2026-03-03"}}]
    assert run({"h": HOLD}, facts, trigger, installation=berlin, until=end) == []


def test_nobody_enters_twice_for_a_local_date_but_is_asked_again_after_a_refusal() -> None:
    trigger = {"date": "due", "at": "09:00"}
    facts = [
        {"at": t("00:00"), "set": {"due": "2026-03-02", "timezone": "Europe/Berlin"}},
        {"at": t("09:00"), "set": {"timezone": "America/New_York"}},
    ]
    (line,) = run({"h": HOLD}, facts, trigger, until=t("23:00"))
    assert line["entered_at"] == t("08:00")
    west = {"attribute": "timezone", "op": "eq", "value": "America/New_York"}
    (line,) = run({"h": HOLD}, facts, trigger, entry_filter=west, until=t("23:00"))
    assert line["entered_at"] == t("14:00")


def test_a_birthday_on_29_february() -> None:
    trigger = {"date": "born", "at": "09:00", "yearly": True}
    facts = [{"at": "2024-01-01T00:00:00Z", "set": {"born": "2024-02-29"}}]
    lines = run({"e": {"kind": "exit"}}, facts, trigger, until="2028-12-31T00:00:00Z")
    assert [line["entered_at"][:10] for line in lines] == [
        "2024-02-29",
        "2025-02-28",
        "2026-02-28",
        "2027-02-28",
        "2028-02-29",
    ]


# ---- changes and updates -----------------------------------------------------------------------


def test_a_date_that_moves_works_the_wait_out_anew() -> None:
    node = {"kind": "wait", "until_date": {"attribute": "due"}}
    first = {"at": t("08:00"), "set": {"due": t("10:00")}}
    for value, outcome, ended in (
        (t("09:30"), "next", t("09:30")),
        (t("09:20"), "next", t("09:20")),  # due at the change itself
        (t("09:00"), "past", t("09:20")),
        (None, "missing", t("09:20")),
        ("soon", "missing", t("09:20")),
        (t("11:00"), "next", t("11:00")),
    ):
        (line,) = run({"w": node}, [first, GO, {"at": t("09:20"), "set": {"due": value}}])
        assert (line["visits"][0]["outcome"], line["ended_at"]) == (outcome, ended)


def test_a_change_that_leaves_the_moment_as_it_was_does_nothing() -> None:
    """The event after it finds the wait still there, and the timer comes after both."""
    nodes = {
        "w": {"kind": "wait", "until_date": {"attribute": "due"}, "next": "x"},
        "x": {"kind": "wait", "until_event": {"event": "x"}},
    }
    facts = [
        {"at": t("08:00"), "set": {"due": t("10:00")}},
        GO,
        {"at": t("10:00"), "set": {"due": "2026-03-02T11:00:00+01:00"}},
        {"at": t("10:00"), "event": "x"},
    ]
    (line,) = run(nodes, facts)
    assert outcomes(line) == [("w", "next"), ("x", None)]


def test_what_follows_from_an_update_comes_after_this_facts_moves() -> None:
    """The updating enrollment goes on past its own exit condition until it waits."""
    nodes = {
        "u": {"kind": "update", "set": {"f": 1}, "next": "s"},
        "s": {**SEND, "next": "h"},
        "h": HOLD,
    }
    (line,) = run(nodes, [GO], exit_when={"attribute": "f", "op": "eq", "value": 1})
    assert outcomes(line) == [("u", "next"), ("s", "next"), ("h", None)]
    assert ends([line]) == [("exited", "exit_when")]
    assert line["visits"][-1]["left_at"] == t("09:00")


def test_an_update_seen_at_once_by_the_nodes_that_follow() -> None:
    nodes = {
        "u": {"kind": "update", "set": {"a.b": 1, "email": " "}, "next": "b"},
        "b": {
            "kind": "branch",
            "paths": [{"name": "y", "when": {"attribute": "a.b", "op": "eq", "value": 1}}],
            "next": {"y": "s"},
        },
        "s": SEND,
    }
    (line,) = run(nodes, [GO])
    assert outcomes(line) == [("u", "next"), ("b", "y"), ("s", "next")]
    assert mails(line) == [("skipped", "no_address")]


def test_the_link_that_would_be_101_fails() -> None:
    def failed(many: int) -> int:
        """Enrollments that each wake the one before; the first wakes the last again."""
        nodes: dict[str, Any] = {
            "b": {
                "kind": "branch",
                "paths": [
                    {"name": f"p{k}", "when": {"attribute": "n", "op": "eq", "value": k}}
                    for k in range(many)
                ],
                "next": {f"p{k}": f"w{k}" for k in range(many)},
            }
        }
        for k in range(many):
            date_wait = {"kind": "wait", "until_date": {"attribute": f"d{k}"}}
            nodes[f"w{k}"] = {**date_wait, "next": f"u{k}"}
            change = {f"d{k - 1}": None} if k else {"extra": None}
            nodes[f"u{k}"] = {"kind": "update", "set": change, "next": f"x{k}"}
            awaited = {"attribute": "extra" if k else "last"}
            nodes[f"x{k}"] = {"kind": "wait", "until_date": awaited, "next": f"y{k}"}
            nodes[f"y{k}"] = {"kind": "update", "set": {"last": None}}
        far = "2099-01-01"
        facts: list[dict[str, Any]] = [
            {"at": t("08:00"), "set": {f"d{k}": far for k in range(many)}},
            {"at": t("08:00"), "set": {"extra": far, "last": far}},
        ]
        for k in range(many):
            facts += [{"at": t("08:00"), "set": {"n": k}}, {"at": t("08:00"), "event": "go"}]
        facts.append({"at": t("09:00"), "set": {f"d{many - 1}": None}})
        return ends(run(nodes, facts)).count(("failed", "loop"))

    # With a hundred, the update of the first is link 100. It wakes the others within its own fact;
    # the changes of their updates wake the first again, whose next update would be link 101.
    assert failed(99) == 0
    assert failed(100) == 1


# ---- sends -------------------------------------------------------------------------------------


def test_the_first_rule_that_applies_decides() -> None:
    topics = {"news": {"name": "N", "default": "unsubscribed"}}
    node = {"s": {**SEND, "topic": "news"}}
    off = {"at": t("08:00"), "set": {"email": None}}
    suppress = {"at": t("08:00"), "suppress": True}
    assert mails(run(node, [suppress, off, GO], topics=topics)[0]) == [("skipped", "no_address")]
    assert mails(run(node, [suppress, GO], topics=topics)[0]) == [("skipped", "suppressed")]
    assert mails(run(node, [GO], topics=topics)[0]) == [("skipped", "unsubscribed")]
    chosen = {"at": t("08:00"), "subscribe": "news"}
    assert mails(run(node, [chosen, GO], topics=topics)[0]) == [("queued", None)]


def test_unsubscribing_from_all_keeps_the_topics_chosen() -> None:
    topics = {"news": {"name": "N", "default": "unsubscribed"}}
    node = {"s": {**SEND, "topic": "news"}}
    steps = [{"subscribe": "news"}, {"unsubscribe": "all"}]
    facts = [{"at": t("08:00"), **step} for step in steps]
    assert mails(run(node, [*facts, GO], topics=topics)[0]) == [("skipped", "unsubscribed")]
    facts.append({"at": t("08:00"), "subscribe": "news"})
    assert mails(run(node, [*facts, GO], topics=topics)[0]) == [("skipped", "unsubscribed")]
    facts.append({"at": t("08:00"), "subscribe": "all"})
    assert mails(run(node, [*facts, GO], topics=topics)[0]) == [("queued", None)]


def test_a_send_waits_for_its_window_and_starts_again() -> None:
    window = {"from": "10:00", "to": "11:00"}
    facts = [GO, {"at": t("09:30"), "unsubscribe": "all"}]
    (line,) = run({"s": SEND}, [GO], window=window)
    assert line["visits"] == [
        {"node": "s", "entered_at": t("09:00"), "left_at": t("10:00"), "outcome": "next"}
    ]
    assert line["messages"][0]["at"] == t("10:00")
    assert mails(run({"s": SEND}, facts, window=window)[0]) == [("skipped", "unsubscribed")]
    transactional = {**SEND, "transactional": True}
    (line,) = run({"s": transactional}, facts, window=window)
    assert line["messages"][0]["at"] == t("09:00")
    facts = [GO, {"at": t("09:30"), "set": {"timezone": "Europe/Berlin"}}]
    (line,) = run({"s": SEND}, facts, window=window)
    assert line["messages"][0]["at"] == t("09:30")


def test_the_cap_counts_queued_marketing_messages_and_its_far_end_is_open() -> None:
    installation = {"frequency_cap": {"count": 1, "within": "1h"}}
    times = ("09:00", "09:59", "10:00")
    facts = [{"at": t(clock), "event": "go"} for clock in times]
    lines = run({"s": SEND}, facts, installation=installation)
    assert [mails(line)[0] for line in lines] == [
        ("queued", None),
        ("skipped", "capped"),
        ("queued", None),
    ]


def test_a_bounce_suppresses_the_address_for_everybody_and_is_an_event() -> None:
    contacts = "external_id,email,timezone,created_at\nu1,A@x.example,,\nu2,a@X.example,,\n"
    nodes = {
        "s": {**SEND, "next": "w"},
        "w": {"kind": "wait", "until_event": {"event": "message_bounced"}, "next": "again"},
        "again": SEND,
    }
    facts = [
        GO,
        {"at": t("09:10"), "message": "s", "did": "bounced"},
        {"at": t("09:20"), "contact": "u2", "event": "go"},
        {"at": t("09:30"), "contact": "u2", "message": "s", "did": "bounced"},  # there is none
    ]
    first, second = run(nodes, facts, contacts=contacts)
    assert mails(first) == [("queued", None), ("skipped", "suppressed")]
    assert mails(second) == [("skipped", "suppressed")]
    assert ends([first, second]) == [("completed", None), ("waiting", None)]


def test_nothing_implies_another_and_queued_counts_as_sent() -> None:
    def path(did: str, seen: str) -> str | None:
        nodes = {
            "s": {**SEND, "next": "w"},
            "w": {"kind": "wait", "for": "1h", "next": "b"},
            "b": {
                "kind": "branch",
                "paths": [{"name": "y", "when": {"message": "s", "did": seen}}],
            },
        }
        (line,) = run(nodes, [GO, {"at": t("09:10"), "message": "s", "did": did}])
        return str(line["visits"][-1]["outcome"])

    assert path("clicked", "opened") == "else"
    assert path("clicked", "clicked") == "y"
    assert path("clicked", "sent") == "y"


# ---- counting events ---------------------------------------------------------------------------


def test_since_the_entry_counts_what_comes_after_also_at_the_same_time() -> None:
    condition = {"event": "go", "since": "entry", "count": {"op": "gte", "value": 1}}
    facts = [GO, {**GO, "event": "x"}, GO]
    first, second = run({"h": HOLD}, facts, exit_when=condition)
    assert ends([first, second]) == [("exited", "exit_when"), ("waiting", None)]


def test_both_ends_of_within_are_included() -> None:
    def holds(within: str) -> bool:
        nodes = {
            "w": {"kind": "wait", "for": "1h", "next": "b"},
            "b": {
                "kind": "branch",
                "paths": [{"name": "y", "when": {"event": "go", "within": within}}],
            },
        }
        return run(nodes, [GO])[0]["visits"][-1]["outcome"] == "y"

    assert holds("1h")
    assert not holds("59m59s")


def test_a_trigger_value_that_is_absent_is_like_null() -> None:
    def ended(op: str, properties: dict[str, Any]) -> bool:
        where = [{"property": "id", "op": op, "value": {"trigger": "id"}}]
        facts = [GO, {"at": t("09:10"), "event": "x", "properties": properties}]
        goal = {"event": "x", "where": where}
        return ends(run({"h": HOLD}, facts, goal=goal)) == [("exited", "goal")]

    assert not ended("eq", {})
    assert ended("ne", {})
    assert ended("ne", {"id": 1})


# ---- section 5 ---------------------------------------------------------------------------------


def test_facts_before_from_are_stored_and_move_nothing() -> None:
    facts = [
        {"at": t("08:00"), "event": "go", "message_id": "m"},
        {"at": t("08:10"), "set": {"f": 1}},
        {"at": t("09:00"), "event": "go", "message_id": "m"},
        {"at": t("09:10"), "event": "go"},
    ]
    condition = {"event": "go", "count": {"op": "eq", "value": 2}}
    f = {"attribute": "f", "op": "eq", "value": 1}
    (line,) = run({"h": HOLD}, facts, start=t("09:00"), entry_filter={"all": [condition, f]})
    assert line["entered_at"] == t("09:10")


def test_contacts_csv() -> None:
    text = (
        "\ufeffexternal_id,email,timezone,created_at,plan,address.city,attributes\r\n"
        'u1,,Europe/Berlin,2026-03-01,team,Bonn,"{""plan"": 1, ""x"": {""y"": null}}"\r\n'
        "u2,a@x.example,,,,,\r\n"
    )
    first, second = read_contacts(text)
    assert first.email is None
    assert first.created_at == parse_instant("2026-03-01")
    assert first.attributes == {"plan": 1, "address": {"city": "Bonn"}, "x": {"y": None}}
    assert second.timezone is None
    assert second.attributes == {}


def test_lines_go_by_receipt_and_keep_the_order_of_the_file() -> None:
    lines = read_lines(
        '{"contact": "a", "at": "2026-03-02T10:00:00Z", "suppress": true}\n'
        '{"contact": "b", "at": "2026-03-02T08:00:00Z", "received_at": "2026-03-02T10:00:00Z",'
        ' "event": "x"}\n'
        '{"contact": "c", "at": "2026-03-02T10:00:00+01:00", "suppress": true}\n'
    )
    assert [line.contact for line in lines] == ["c", "a", "b"]


def test_split() -> None:
    """P1, with a hash worked out by hand: 0x... % 3 falls into the second variant."""
    from hashlib import sha256

    place = int(sha256(b"j:s:u1").hexdigest()[:8], 16) % 3
    (line,) = run({"s": {"kind": "split", "variants": {"b": 1, "B": 2}}}, [GO])
    assert line["visits"][0]["outcome"] == ("B" if place < 2 else "b")


def test_results_are_in_order() -> None:
    facts = [
        {"contact": "u2", "at": t("09:00"), "event": "go"},
        {"contact": "u1", "at": t("09:00"), "event": "go"},
        {"contact": "u1", "at": t("08:00"), "event": "go"},
    ]
    lines = run({"e": {"kind": "exit"}}, facts)
    assert [(line["contact"], line["entered_at"]) for line in lines] == [
        ("u1", t("08:00")),
        ("u1", t("09:00")),
        ("u2", t("09:00")),
    ]
    assert ends(lines)[0] == ("exited", "exit")


# ---- the generator -----------------------------------------------------------------------------


def features(case: generate.Case) -> set[str]:
    """What a case makes use of."""
    journey = case.journey
    found = {f"trigger {key}" for key in journey["entry"]["trigger"]}
    reentry = journey["entry"].get("reentry", "once")
    found.add(f"reentry {reentry if isinstance(reentry, str) else 'after'}")
    found |= {f"journey {key}" for key in journey} | {f"entry {key}" for key in journey["entry"]}
    for node in journey["nodes"].values():
        found.add(f"kind {node['kind']}")
        found |= {f"node {key}" for key in node}
        found.add(f"next {type(node.get('next')).__name__}")
        if node["kind"] == "update":
            found |= {f"set {key}" for key in node["set"]}
    for part in generate.walk(journey):
        if "op" in part:
            found.add(f"op {part['op']}")
        if isinstance(part.get("value"), dict) and "trigger" in part["value"]:
            found.add("trigger value")
        for word in ("all", "any", "not", "within", "since", "message", "subscribed", "members"):
            if word in part:
                found.add(f"word {word}")
        if "did" in part:
            found.add(f"did {part['did']}")
        if isinstance(part.get("count"), dict):
            found.add(f"count {part['count']['op']}")
    for line in case.lines():
        found |= {f"line {key}" for key in line}
        if "message" in line:
            found.add(f"line did {line['did']}")
    found.add("from" if case.start else "no from")
    found.add("json" if case.as_json else "yaml")
    return found


def test_cases_are_valid_and_cover_everything(tmp_path: Path) -> None:
    seen: set[str] = set()
    results = 0
    statuses: set[Any] = set()
    for seed in range(300):
        case = generate.case(seed)
        assert generate.problems(case.journey) == []
        files = generate.write(case, tmp_path / str(seed))
        assert load_document(files.journey.read_text(encoding="utf-8")) == case.journey
        lines = simulate(files.journey, files.contacts, files.events, case.until, case.start)
        results += len(lines)
        statuses |= {(line["status"], line["reason"]) for line in lines}
        statuses |= {message["reason"] for line in lines for message in line["messages"]}
        seen |= features(case)
    wanted = {f"kind {kind}" for kind in generate.KINDS}
    wanted |= {f"op {op}" for op in generate.OPS} | {f"count {op}" for op in generate.COUNT_OPS}
    wanted |= {
        f"trigger {key}"
        for key in ("event", "where", "key", "segment", "date", "offset", "at", "yearly", "manual")
    }
    wanted |= {f"reentry {rule}" for rule in ("once", "after_exit", "after", "every_time")}
    wanted |= {f"node {key}" for key in ("for", "until_event", "until_date", "until_window")}
    wanted |= {f"node {key}" for key in ("topic", "transactional", "reason", "url", "method")}
    wanted |= {f"journey {key}" for key in ("goal", "exit_when", "window", "installation")}
    wanted |= {"entry filter", "next str", "next dict", "next NoneType", "set email"}
    wanted |= {"set timezone", "set due", "set address.city", "trigger value", "from", "no from"}
    wanted |= {f"word {word}" for word in ("all", "any", "not", "within", "since", "message")}
    wanted |= {"word subscribed", "word members", "json", "yaml"}
    for did in ("sent", "delivered", "opened", "clicked", "bounced"):
        wanted |= {f"did {did}", f"line did {did}"}
    wanted |= {
        f"line {key}"
        for key in ("event", "properties", "message_id", "received_at", "set", "subscribe")
    }
    wanted |= {f"line {key}" for key in ("unsubscribe", "suppress", "message", "enter")}
    assert wanted - seen == set()
    assert results > 300
    assert {("failed", "loop"), ("exited", "goal"), ("exited", "exit_when")} <= statuses
    assert {"no_address", "suppressed", "unsubscribed", "capped"} <= statuses


def test_a_seed_always_gives_the_same_case() -> None:
    for seed in (0, 1, 17, 77, 177):
        assert generate.case(seed) == generate.case(seed)
    families = {family.__name__ for family, _ in focused.FAMILIES}
    assert families <= {generate.case(seed).theme for seed in range(1, 4 * len(families), 2)}


def test_broken_cases_are_broken_in_many_ways() -> None:
    many = len(generate.JOURNEY_BREAKERS) + len(generate.LINE_BREAKERS)
    broken = {generate.invalid_case(seed).broken for seed in range(many)}
    assert len(broken) == many


def test_command_line(tmp_path: Path) -> None:
    case = generate.case(2)
    files = generate.write(case, tmp_path)
    out = tmp_path / "out.jsonl"
    arguments = [str(files.journey), "--contacts", str(files.contacts), "--out", str(out)]
    arguments += ["--events", str(files.events), "--until", case.until.isoformat()]
    assert interpreter.main(arguments) == 0
    expected = simulate(files.journey, files.contacts, files.events, case.until)
    assert [json.loads(line) for line in out.read_text().splitlines()] == expected
    assert case.until.tzinfo == UTC or case.until.utcoffset() is not None
    assert isinstance(case.until, datetime)
