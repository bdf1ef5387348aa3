"""Waits and ways: W1 to W5 with clock changes near and far, P1, and L1."""

from __future__ import annotations

from datetime import time
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contacts.problems import Problems
from journeys import definition
from journeys.calendar import Window
from journeys.definition import Catalog
from tests.journeys.conftest import Play
from tests.journeys.scenario import (
    HOLD,
    branch,
    change,
    contact,
    event,
    journey,
    leave,
    moment,
    send,
    to,
    update,
    wait,
)

GO = event("2 09:00", "go")


def until_date(**rule: Any) -> dict[str, Any]:
    return journey(hold=wait(until_date={"attribute": "day", **rule}))


# W1


def test_W1_a_day_is_24_hours_also_over_a_clock_change(play: Play) -> None:
    """In Berlin the clocks go forward on 29 March."""
    facts = [event("28 12:00", "go")]
    people = [contact(timezone="Europe/Berlin")]
    told = play(journey(hold=wait(duration="1d")), facts, people=people, until="31 00:00")
    assert told.visits == ["hold 28 12:00 - 29 12:00 next"]


def test_W1_durations_add_up(play: Play) -> None:
    told = play(journey(hold=wait(duration="1d2h3m4s")), [GO], until="9 00:00")
    assert told.visits == ["hold 2 09:00 - 3 11:03:04 next"]


def test_W1_a_wait_beyond_the_time_that_is_looked_at_goes_on(play: Play) -> None:
    story = journey(hold=wait(duration="1h"))
    assert play(story, [GO], until="2 09:59:59").visits == ["hold 2 09:00 -"]
    assert play(story, [GO], until="2 10:00").ends == ["completed 2 10:00"]


# W2


def test_W2_the_first_matching_event_ends_the_wait(play: Play) -> None:
    where = [{"property": "n", "op": "gte", "value": 2}]
    story = journey(hold=wait(until_event={"event": "ping", "where": where, "timeout": "1h"}))
    facts = [GO, *(event(f"2 09:0{n}", "ping", n=n) for n in (1, 2, 3))]
    assert play(story, facts, until="2 12:00").visits == ["hold 2 09:00 - 2 09:02 event"]


def test_W2_an_event_before_the_wait_began_does_not_count(play: Play) -> None:
    story = journey(first=wait(duration="1h"), hold=wait(until_event={"event": "ping"}))
    told = play(story, [GO, event("2 09:30", "ping")], until="2 12:00")
    assert told.visits == ["first 2 09:00 - 2 10:00 next", "hold 2 10:00 -"]


@pytest.mark.parametrize(
    ("at", "outcome"),
    [("2 09:59:59", "event"), ("2 10:00", "event"), ("2 10:00:01", "timeout")],
)
def test_W2_an_event_exactly_at_the_deadline_wins(play: Play, at: str, outcome: str) -> None:
    story = journey(hold=wait(until_event={"event": "ping", "timeout": "1h"}))
    assert play(story, [GO, event(at, "ping")], until="2 12:00").path == [f"hold {outcome}"]


def test_W2_with_no_timeout_it_has_no_end(play: Play) -> None:
    story = journey(hold=wait(until_event={"event": "ping"}))
    assert play(story, [GO], until="2999-12-31 00:00").ends == ["waiting"]


def test_W2_an_outcome_without_an_edge_completes_it(play: Play) -> None:
    story = journey(
        hold=to(wait(until_event={"event": "ping", "timeout": "1h"}), timeout="mail"), mail=send()
    )
    told = play(story, [GO, event("2 09:30", "ping")], until="2 12:00")
    assert told.ends == ["completed 2 09:30"]
    assert told.mails == []


# W3

ZONES = [
    ("Pacific/Kiritimati", "4 19:00"),
    ("Europe/Berlin", "5 08:00"),
    ("Asia/Kathmandu", "5 03:15"),
    ("", "5 14:00"),
    ("  ", "5 14:00"),
    ("Nowhere/At_All", "5 14:00"),
    ("localtime", "5 14:00"),  # a file that stands beside the zones, and is none
    ("Factory", "5 09:00"),  # odd, but IANA's: UTC
    ("Pacific/Pago_Pago", "5 20:00"),
]


@pytest.mark.parametrize(("zone", "due"), ZONES)
def test_W3_W5_a_local_time_where_the_contact_lives(play: Play, zone: str, due: str) -> None:
    """Without a zone, or with an unknown one, the installation's counts: New York."""
    story = until_date(offset="0d", at="09:00") | {"installation": {"timezone": "America/New_York"}}
    told = play(story, [GO], people=[contact(day="2026-03-05", timezone=zone)], until="9 00:00")
    assert told.visits == [f"hold 2 09:00 - {due} next"]


@pytest.mark.parametrize(
    ("day", "due"),
    [
        ("2026-03-05", "4 12:00"),  # a date is its midnight in UTC
        ("2026-03-05T10:30", "4 22:30"),
        ("2026-03-05 10:30:00.5Z", "4 22:30:00.500000"),
        ("2026-03-05T10:30+05:30", "4 17:00"),
    ],
)
def test_W3_without_at_it_is_the_instant_plus_the_offset(play: Play, day: str, due: str) -> None:
    people = [contact(day=day, timezone="Pacific/Kiritimati")]
    told = play(until_date(offset="-12h"), [GO], people=people, until="9 00:00")
    assert told.visits == [f"hold 2 09:00 - {due} next"]


@pytest.mark.parametrize(
    ("zone", "due"),
    [("Pacific/Kiritimati", "4 19:00"), ("Pacific/Pago_Pago", "3 20:00")],
)
def test_W3_a_datetimes_local_date_is_the_one_in_the_contacts_timezone(
    play: Play, zone: str, due: str
) -> None:
    """10:30 UTC on the 4th is the 5th in Kiritimati, and 23:30 on the 3rd in Pago Pago."""
    people = [contact(day="2026-03-04T10:30:00Z", timezone=zone)]
    told = play(until_date(offset="0d", at="09:00"), [GO], people=people, until="9 00:00")
    assert told.visits == [f"hold 2 09:00 - {due} next"]


def test_W3_the_offset_is_added_to_the_local_date(play: Play) -> None:
    """Seven days before 1 April is a day before the clocks go forward: still UTC+1."""
    people = [contact(day="2026-04-01", timezone="Europe/Berlin")]
    told = play(until_date(offset="-7d", at="09:00"), [GO], people=people, until="31 00:00")
    assert told.visits == ["hold 2 09:00 - 25 08:00 next"]


@pytest.mark.parametrize(
    ("day", "outcome"),
    [
        ("2026-03-02T08:59:59Z", "past"),
        ("2026-03-02T09:00:00Z", "next"),
        ("2026-02-29", "missing"),
        ("soon", "missing"),
        (20260305, "missing"),
        (None, "missing"),
        (["2026-03-05"], "missing"),
    ],
)
def test_W3_past_now_and_missing_go_on_at_once(play: Play, day: Any, outcome: str) -> None:
    told = play(until_date(), [GO], people=[contact(day=day)], until="9 00:00")
    assert told.visits == [f"hold 2 09:00 - 2 09:00 {outcome}"]


def test_W3_beyond_the_calendar_is_missing(play: Play) -> None:
    told = play(until_date(offset="2d"), [GO], people=[contact(day="9999-12-31")], until="9 00:00")
    assert told.path == ["hold missing"]


def test_W3_a_plain_next_serves_all_three(play: Play) -> None:
    story = journey(hold=to(wait(until_date={"attribute": "day"}), "mail"), mail=send())
    people = [contact("u1"), contact("u2", day="2026-03-01"), contact("u3", day="2026-03-03")]
    facts = [event("2 09:00", "go", who=who) for who in ("u1", "u2", "u3")]
    told = play(story, facts, people=people, until="9 00:00")
    assert told.mails == ["mail 2 09:00", "mail 2 09:00", "mail 3 00:00"]


@pytest.mark.parametrize(
    ("edit", "left"),
    [
        ({"day": "2026-03-07"}, "7 00:00 next"),  # put off
        ({"day": "2026-03-04"}, "4 00:00 next"),  # brought forward
        ({"day": "2026-03-01"}, "3 10:00 past"),
        ({"day": "2026-03-03T10:00:00Z"}, "3 10:00 next"),  # due at the change
        ({"day": None}, "3 10:00 missing"),
        ({"day": "2026-03-05T01:00+01:00"}, "5 00:00 next"),  # the same moment
        ({"other": 1}, "5 00:00 next"),
    ],
)
def test_W3_a_date_that_is_edited_while_waiting_is_worked_out_anew(
    play: Play, edit: Any, left: str
) -> None:
    facts = [GO, change("3 10:00", edit)]
    told = play(until_date(), facts, people=[contact(day="2026-03-05")], until="9 00:00")
    assert told.visits == [f"hold 2 09:00 - {left}"]


def test_W3_a_timezone_that_changes_while_waiting_moves_the_moment(play: Play) -> None:
    facts = [GO, change("3 10:00", timezone="Pacific/Pago_Pago")]
    people = [contact(day="2026-03-05", timezone="Pacific/Kiritimati")]
    told = play(until_date(offset="0d", at="09:00"), facts, people=people, until="9 00:00")
    assert told.visits == ["hold 2 09:00 - 5 20:00 next"]


def test_W3_fine_print_a_change_at_the_very_moment_that_leaves_it_does_nothing(
    play: Play,
) -> None:
    """The timer does it, after the change: the second fact of that moment still is before it."""
    story = journey(hold=wait(until_date={"attribute": "day"}), look=branch(late={"event": "late"}))
    facts = [GO, change("3 00:00", day="2026-03-03T00:00:00Z"), event("3 00:00", "late")]
    told = play(story, facts, people=[contact(day="2026-03-03")], until="9 00:00")
    assert told.path == ["hold next", "look late"]


# W4

OFFICE = {"from": "09:00", "to": "17:00"}


def window(**rule: Any) -> dict[str, Any]:
    return journey(hold=wait(until_window=rule))


@pytest.mark.parametrize(
    ("at", "left"),
    [
        ("2 08:59:59", "2 09:00"),
        ("2 09:00", "2 09:00"),  # `from` is included
        ("2 16:59:59", "2 16:59:59"),
        ("2 17:00", "3 09:00"),  # `to` is not
    ],
)
def test_W4_inside_at_once_else_at_the_next_opening(play: Play, at: str, left: str) -> None:
    told = play(window(**OFFICE), [event(at, "go")], until="9 00:00")
    assert told.visits == [f"hold {at} - {left} next"]


def test_W4_only_on_its_days(play: Play) -> None:
    told = play(window(days=["mon", "thu"], **OFFICE), [event("2 18:00", "go")], until="9 00:00")
    assert told.visits == ["hold 2 18:00 - 5 09:00 next"]


@pytest.mark.parametrize(
    ("at", "left"),
    [
        ("2 21:59", "2 22:00"),  # Monday
        ("3 01:00", "3 01:00"),  # belongs to the Monday it opened on
        ("3 06:00", "9 22:00"),
        ("2 01:00", "2 22:00"),  # would belong to Sunday
    ],
)
def test_W4_over_midnight_belongs_to_the_day_it_opened_on(play: Play, at: str, left: str) -> None:
    rule = {"days": ["mon"], "from": "22:00", "to": "06:00"}
    told = play(window(**rule), [event(at, "go")], until="2026-04-01 00:00")
    assert told.visits == [f"hold {at} - {left} next"]


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ({"days": ["tue"]}, "3 00:00"),
        ({"from": "10:00"}, "2 10:00"),
        ({"to": "08:00"}, "3 00:00"),
        ({"from": "12:00", "to": "24:00"}, "2 12:00"),
    ],
)
def test_W4_defaults_are_the_whole_day_and_all_days(play: Play, rule: Any, left: str) -> None:
    assert play(window(**rule), [GO], until="9 00:00").visits == [f"hold 2 09:00 - {left} next"]


@pytest.mark.parametrize(
    ("zone", "left"),
    [
        ("Asia/Tokyo", "3 00:00"),  # 09:00 there
        ("Europe/Berlin", "3 08:00"),
        ("America/New_York", "2 20:00"),  # 15:00 there: open at once
    ],
)
def test_W4_is_in_the_contacts_timezone_and_a_change_of_it_moves_the_deadline(
    play: Play, zone: str, left: str
) -> None:
    facts = [event("2 18:00", "go"), change("2 20:00", timezone=zone)]
    told = play(window(**OFFICE), facts, until="9 00:00")
    assert told.visits == [f"hold 2 18:00 - {left} next"]


OVERNIGHT = Window(time(16), time(7, 30))
NOON = Window(time(12))


@pytest.mark.parametrize(
    ("hours", "zone", "at", "opening"),
    [
        (OVERNIGHT, "UTC", "9999-12-31 21:30", "9999-12-31 16:00"),
        (OVERNIGHT, "UTC", "9999-12-31 12:00", "9999-12-31 16:00"),
        (NOON, "UTC", "9999-12-31 13:00", "9999-12-31 12:00"),
        (NOON, "Asia/Tokyo", "9999-12-30 22:30", "9999-12-31 03:00"),
        (NOON, "Asia/Tokyo", "9999-12-31 14:59", "9999-12-31 03:00"),
        (NOON, "Asia/Tokyo", "9999-12-31 15:00", None),  # there it is the year 10000
        (OVERNIGHT, "Asia/Tokyo", "9999-12-31 22:29", "9999-12-31 07:00"),
        (OVERNIGHT, "Asia/Tokyo", "9999-12-31 22:30", None),
        (NOON, "America/New_York", "9999-12-31 18:00", "9999-12-31 17:00"),
        (NOON, "America/New_York", "9999-12-31 16:00", "9999-12-31 17:00"),
        (Window(time(9), time(10)), "UTC", "9999-12-31 10:00", None),
        (NOON, "America/New_York", "0001-01-01 00:00", "0001-01-01 16:56:02"),
        (NOON, "UTC", "0001-01-01 00:00", "0001-01-01 12:00"),
        (Window(), "Asia/Tokyo", "0001-01-01 00:00", "0001-01-01 00:00"),
        (Window(time(1), time(2)), "Asia/Tokyo", "0001-01-01 00:00", "0001-01-01 15:41:01"),
    ],
)
def test_W4_at_the_ends_of_the_calendar(
    hours: Window, zone: str, at: str, opening: str | None
) -> None:
    found = hours.opening(moment(at), ZoneInfo(zone))
    assert found == (moment(opening) if opening else None)


# W5: gaps and overlaps


def local(play: Play, zone: str, day: str, at: str) -> str:
    """When it is that local time, in UTC."""
    story = until_date(offset="0d", at=at)
    facts = [event("2010-01-01 00:00", "go")]
    people = [contact(day=day, timezone=zone)]
    told = play(story, facts, people=people, until="2030-01-01 00:00")
    return told.visits[0].split(" - ")[1].removesuffix(" next")


@pytest.mark.parametrize(
    ("zone", "day", "at", "utc"),
    [
        ("Europe/Berlin", "2026-03-29", "02:00", "29 01:00"),
        ("Europe/Berlin", "2026-03-29", "02:30", "29 01:00"),
        ("Europe/Berlin", "2026-03-29", "03:00", "29 01:00"),
        ("America/New_York", "2026-03-08", "02:59", "8 07:00"),
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03 15:30"),  # half an hour
        ("Asia/Beirut", "2026-03-29", "00:00", "28 22:00"),  # midnight itself is skipped
        ("Pacific/Apia", "2011-12-30", "09:00", "2011-12-30 10:00"),  # the whole day is
    ],
)
def test_W5_a_skipped_time_is_the_first_instant_after_the_gap(
    play: Play, zone: str, day: str, at: str, utc: str
) -> None:
    assert local(play, zone, day, at) == utc


@pytest.mark.parametrize(
    ("zone", "day", "at", "utc"),
    [
        ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25 00:30"),
        ("America/New_York", "2026-11-01", "01:00", "2026-11-01 05:00"),
        ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04 14:45"),
    ],
)
def test_W5_a_time_that_occurs_twice_is_the_first_of_the_two(
    play: Play, zone: str, day: str, at: str, utc: str
) -> None:
    assert local(play, zone, day, at) == utc


@pytest.mark.parametrize(
    ("at", "left"),
    [
        ("2026-10-25 00:15", "2026-10-25 00:30"),  # 02:15, the first
        ("2026-10-25 00:45", "2026-10-25 00:45"),  # 02:45, open
        ("2026-10-25 01:45", "2026-10-25 01:45"),  # 02:45 again: opened at the first 02:30
        ("2026-10-25 02:00", "2026-10-26 01:30"),  # 03:00, closed
    ],
)
def test_W4_W5_a_window_over_an_hour_that_occurs_twice(play: Play, at: str, left: str) -> None:
    rule = {"from": "02:30", "to": "03:00"}
    people = [contact(timezone="Europe/Berlin")]
    told = play(window(**rule), [event(at, "go")], people=people, until="2026-11-01 00:00")
    assert told.visits == [f"hold {at} - {left} next"]


def test_W4_W5_a_span_that_a_clock_change_leaves_empty_does_not_open(play: Play) -> None:
    """02:15 and 02:45 both are 03:00 on 29 March in Berlin; the next opening is a day later."""
    people = [contact(timezone="Europe/Berlin")]
    facts = [event("29 00:30", "go")]
    told = play(window(**{"from": "02:15", "to": "02:45"}), facts, people=people, until="31 00:00")
    assert told.visits == ["hold 29 00:30 - 30 00:15 next"]


def test_W4_W5_the_day_that_apia_skipped_does_not_open(play: Play) -> None:
    """30 December 2011, a Friday, did not exist there: both ends are the midnight after it."""
    people = [contact(timezone="Pacific/Apia")]
    facts = [event("2011-12-29 12:00", "go")]
    told = play(window(days=["fri"]), facts, people=people, until="2012-02-01 00:00")
    assert told.visits == ["hold 2011-12-29 12:00 - 2012-01-05 10:00 next"]


# P1


def share(key: str, external_id: str, total: int) -> int:
    text = f"{key}:{external_id}"
    return int(sha256(text.encode()).hexdigest()[:8], 16) % total


@pytest.mark.parametrize("external_id", ["u1", "ü2", "u3", "u4", "u5"])
def test_P1_the_variant_is_a_hash_of_journey_node_and_contact(play: Play, external_id: str) -> None:
    story = journey(pick={"kind": "split", "variants": {"b": 1, "a": 2, "never": 0}})
    people = [contact(external_id)]
    told = play(story, [event("2 09:00", "go", who=external_id)], people=people, until="3 00:00")
    expected = "a" if share("story:pick", external_id, 3) < 2 else "b"
    assert told.path == [f"pick {expected}"]


def test_P1_a_contact_gets_the_same_variant_at_each_visit(play: Play) -> None:
    split = {"kind": "split", "variants": {"a": 1, "b": 1, "c": 1}}
    story = journey(reentry="every_time", pick=to(split, "hold"), hold=wait(duration="1h"))
    facts = [event(f"2 09:{minute}", "go") for minute in range(10, 20)]
    told = play(story, facts, until="3 00:00")
    assert len({one.path[0] for one in told.passages}) == 1


# L1 and cycles


def test_L1_a_cycle_with_a_wait_goes_round(play: Play) -> None:
    story = journey(
        exit_when={"attribute": "stop", "op": "eq", "value": True},
        mail=send(),
        hold=to(wait(duration="1h"), "mail"),
    )
    told = play(story, [GO, change("2 11:30", stop=True)], until="3 00:00")
    assert told.mails == ["mail 2 09:00", "mail 2 10:00", "mail 2 11:00"]
    assert told.ends == ["exited exit_when 2 11:30"]


def problems(nodes: dict[str, Any], **parts: Any) -> list[str]:
    found = Problems()
    catalog = Catalog(frozenset({"mail"}), frozenset({"news"}), {})
    data = {
        "journey": "story",
        "name": "Story",
        "entry": {"trigger": {"event": "go"}},
        "start": "a",
        "nodes": nodes,
        **parts,
    }
    definition.parse(data, catalog, found)
    return [problem.place for problem in found.errors]


@pytest.mark.parametrize(
    ("way", "allowed"),
    [
        ({"duration": "1m"}, True),
        ({"duration": "59s"}, False),
        ({"until_event": {"event": "x"}}, True),
        ({"until_event": {"event": "x", "timeout": "1m"}}, True),
        ({"until_event": {"event": "x", "timeout": "59s"}}, False),
        ({"until_date": {"attribute": "day"}}, False),
        ({"until_window": {"from": "09:00"}}, False),
    ],
)
def test_L1_which_waits_slow_a_cycle(way: Any, allowed: bool) -> None:
    found = problems({"a": {**send(), "next": "b"}, "b": {**wait(**way), "next": "a"}})
    assert (found == []) is allowed


def test_L1_each_way_round_needs_a_wait() -> None:
    look = {**branch(x={"attribute": "x", "op": "is_set"}), "next": {"x": "b", "else": "a"}}
    assert problems({"a": {**update(x=1), "next": "look"}, "look": look,
                     "b": {**wait(duration="1h"), "next": "a"}})  # fmt: skip


@pytest.mark.parametrize(
    "nodes",
    [
        {"a": send(), "b": leave()},  # cannot be reached
        {"a": {**send(), "next": "nowhere"}},
        {"a": {**send(), "next": {"opened": "b"}}, "b": leave()},  # an unknown outcome
        {"a": send("unknown")},
        {"a": send(topic="unknown")},
        {"a": branch(x={"segment": "unknown"})},
        {"a": {"kind": "split", "variants": {"x": 0, "y": 0}}},
        {"a": {**leave(), "next": "b"}, "b": leave()},  # fine print: an exit has no next
        {"a": {**wait(until_event={"event": "x"}), "next": {"timeout": "b"}}, "b": leave()},
        {"a": {"kind": "branch", "paths": []}},
        {"a": {"kind": "branch", "paths": [{"name": "else", "when": {"all": []}}]}},
        {"a": {"kind": "branch", "paths": [{"name": "x", "when": {"all": []}}] * 2}},
        {"a": wait(duration="0s")},
        {"a": wait(until_window={"days": []})},
        {"a": wait(until_window={"from": "24:00"})},
        {"a": wait(until_window={"from": "09:00", "to": "09:00"})},
        {"a": wait(until_date={"attribute": "d", "offset": "1h", "at": "09:00"})},
        {"a": wait(duration="1h", until_event={"event": "x"})},
        {"a": {"kind": "update", "set": {"external_id": "x"}}},
    ],
)
def test_L1_and_fine_print_publishing_refuses(nodes: Any) -> None:
    assert problems(nodes)


def test_L1_templates_that_do_not_parse_are_refused() -> None:
    broken = {"mail": {"name": "Mail", "subject": "Hi {{ name", "text": "x"}}
    assert problems({"a": send()}, templates=broken)


def test_a_hold_without_end_is_left_by_nothing(play: Play) -> None:
    assert play(journey(hold=HOLD), [GO], until="2030-01-01 00:00").ends == ["waiting"]
