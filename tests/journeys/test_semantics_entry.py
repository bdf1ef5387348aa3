"""Who enters and what ends it: triggers, E1 to E5, G1, G2, and C1 to C5 as the engine uses them."""

from __future__ import annotations

from typing import Any

import pytest

from journeys import work
from journeys.models import Journey, Refusal
from journeys.simulation.inputs import ContactLine
from messaging.models import Message
from tests.journeys.conftest import Play
from tests.journeys.scenario import (
    HOLD,
    Live,
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

GO = event("2 09:00", "go")
BRIEF = wait(duration="1h")


def segment(when: Any) -> dict[str, Any]:
    return {"who": {"name": "Who", "when": when}}


def house(data: dict[str, Any], **attributes: Any) -> Live:
    """An installation with one contact, opened on 2 March at 08:00."""
    person = ContactLine(
        "u1", "u1@example.com", created_at=moment("1 00:00"), attributes=attributes
    )
    live = Live(data, {"u1": person})
    live.begin(moment("2 08:00"))
    return live


def refusals(live: Live) -> list[str]:
    rows = Refusal.objects.filter(contact__external_id="u1").order_by("pk")
    return list(rows.values_list("reason", flat=True))


# Triggers (§2)


def test_event_trigger_needs_its_where(play: Play) -> None:
    trigger = {"event": "go", "where": [{"property": "plan.name", "op": "eq", "value": "team"}]}
    facts = [
        event("2 09:00", "go", plan={"name": "solo"}),
        event("2 09:10", "go"),
        event("2 09:20", "Go", plan={"name": "team"}),
        event("2 09:30", "go", plan={"name": "team"}),
    ]
    assert play(journey(trigger, hold=HOLD), facts, until="2 12:00").entered == ["u1 2 09:30"]


def test_segment_trigger_leaves_alone_who_is_a_member_already(play: Play) -> None:
    story = journey(
        {"segment": "who"},
        segments=segment({"attribute": "vip", "op": "eq", "value": True}),
        hold=HOLD,
    )
    facts = [event("2 09:00", "x", who="u1"), change("2 09:10", vip=True, who="u2")]
    people = [contact("u1", vip=True), contact("u2")]
    assert play(story, facts, people=people, until="2 12:00").entered == ["u2 2 09:10"]


def test_date_trigger_with_an_offset(play: Play) -> None:
    story = journey({"date": "ends", "offset": "-1d12h"}, hold=HOLD)
    people = [contact(ends="2026-03-04T10:30:00+01:00")]
    told = play(story, [], people=people, start="2 08:00", until="5 00:00")
    assert told.entered == ["u1 2 21:30"]


@pytest.mark.parametrize(
    ("zone", "entered"),
    [
        ("Pacific/Kiritimati", "u1 3 19:00"),  # UTC+14
        ("Europe/Berlin", "u1 4 08:00"),
        ("", "u1 4 14:00"),  # the installation's
        ("Mars/Olympus", "u1 4 14:00"),
        ("Pacific/Pago_Pago", "u1 4 20:00"),  # UTC-11
    ],
)
def test_date_trigger_with_at_is_in_the_contacts_timezone(
    play: Play, zone: str, entered: str
) -> None:
    story = journey(
        {"date": "day", "offset": "-1d", "at": "09:00"},
        installation={"timezone": "America/New_York"},
        hold=HOLD,
    )
    people = [contact(day="2026-03-05", timezone=zone)]
    told = play(story, [], people=people, start="2 08:00", until="6 00:00")
    assert told.entered == [entered]


def test_date_trigger_enters_nobody_for_a_date_that_had_passed(play: Play) -> None:
    story = journey({"date": "day"}, hold=HOLD)
    facts = [change("2 09:00", day="2026-03-02T08:59:59Z", who="u2")]
    people = [contact("u1", day="2026-03-01"), contact("u2")]
    told = play(story, facts, people=people, start="2 08:00", until="9 00:00")
    assert told.entered == []


def test_fine_print_a_date_that_becomes_known_at_its_very_moment_enters(play: Play) -> None:
    story = journey({"date": "day"}, hold=HOLD)
    told = play(
        story, [change("2 09:00", day="2026-03-02T09:00:00Z")], start="2 08:00", until="9 00:00"
    )
    assert told.entered == ["u1 2 09:00"]


def test_date_trigger_asks_nobody_twice_for_the_same_local_date(play: Play) -> None:
    """It was asked in Kiritimati; the same 4 March comes again in Pago Pago."""
    story = journey({"date": "day", "at": "09:00"}, reentry="every_time", go=leave())
    facts = [change("4 12:00", timezone="Pacific/Pago_Pago")]
    people = [contact(day="2026-03-04", timezone="Pacific/Kiritimati")]
    told = play(story, facts, people=people, start="2 08:00", until="6 00:00")
    assert told.entered == ["u1 3 19:00"]


def test_fine_print_a_new_timezone_has_a_date_asked_again_that_entered_nobody(play: Play) -> None:
    story = journey(
        {"date": "day", "at": "09:00"},
        filter={"attribute": "ready", "op": "eq", "value": True},
        hold=HOLD,
    )
    facts = [
        change("4 11:00", ready=True),
        change("4 12:00", timezone="Pacific/Pago_Pago"),
    ]
    people = [contact(day="2026-03-04", timezone="Pacific/Kiritimati")]
    told = play(story, facts, people=people, start="2 08:00", until="6 00:00")
    assert told.entered == ["u1 4 20:00"]


def test_fine_print_date_triggers_ask_once_at_each_moment(play: Play) -> None:
    story = journey({"date": "day"}, filter={"attribute": "x", "op": "is_set"}, hold=HOLD)
    facts = [
        change("3 00:00", x=1, day="2026-03-03"),
        change("3 00:00", day=None),
        change("3 00:00", day="2026-03-03"),
    ]
    people = [contact(day="2026-03-03")]
    # The first change comes before the entry at that moment (T1).
    told = play(story, facts, people=people, start="2 08:00", until="6 00:00")
    assert told.entered == ["u1 3 00:00"]


def test_yearly_date_trigger_repeats_from_the_year_of_the_date_on(play: Play) -> None:
    story = journey(
        {"date": "birthday", "at": "09:00", "yearly": True}, reentry="every_time", go=leave()
    )
    people = [contact("u1", birthday="1990-03-04"), contact("u2", birthday="2027-03-04")]
    told = play(story, [], people=people, start="2 08:00", until="2028-12-31 00:00")
    assert told.entered == [
        "u1 4 09:00",
        "u1 2027-03-04 09:00",
        "u2 2027-03-04 09:00",
        "u1 2028-03-04 09:00",
        "u2 2028-03-04 09:00",
    ]


def test_yearly_29_february_falls_on_the_28th_in_other_years(play: Play) -> None:
    story = journey(
        {"date": "birthday", "at": "09:00", "yearly": True}, reentry="every_time", go=leave()
    )
    people = [contact(birthday="2024-02-29")]
    told = play(story, [], people=people, start="2 08:00", until="2028-12-31 00:00")
    assert told.entered == ["u1 2027-02-28 09:00", "u1 2028-02-29 09:00"]


def test_yearly_offset_reaches_over_the_turn_of_the_year(play: Play) -> None:
    story = journey({"date": "birthday", "offset": "-3d", "at": "09:00", "yearly": True}, hold=HOLD)
    people = [contact(birthday="1990-01-01")]
    told = play(story, [], people=people, start="2 08:00", until="2027-01-02 00:00")
    assert told.entered == ["u1 2026-12-29 09:00"]


def test_manual_trigger_and_fine_print_it_is_a_fact_of_its_own_enrollment_alone(
    play: Play,
) -> None:
    """The entry by hand does not end the older enrollment, whose exit has come to hold by time."""
    story = journey(
        {"manual": True},
        reentry="every_time",
        exit_when={"attribute": "until", "op": "before", "value": "now"},
        hold=HOLD,
    )
    facts = [enter("2 09:00"), enter("2 11:00")]
    people = [contact(until="2026-03-02T10:00:00Z")]
    told = play(story, facts, people=people, until="2 12:00")
    assert told.entered == ["u1 2 09:00", "u1 2 11:00"]
    assert told.ends == ["waiting", "exited exit_when 2 11:00"]
    assert told.passages[1].visits == []


# Re-entry (§2)


def entries(play: Play, reentry: Any, *times: str) -> list[str]:
    parts = {} if reentry is None else {"reentry": reentry}
    facts = [event(at, "go") for at in times]
    return play(journey(hold=BRIEF, **parts), facts, until="9 00:00").entered


@pytest.mark.parametrize("reentry", [None, "once"])
def test_reentry_once_is_once_ever_and_the_default(play: Play, reentry: Any) -> None:
    assert entries(play, reentry, "2 09:00", "2 09:30", "5 09:00") == ["u1 2 09:00"]


def test_reentry_after_exit(play: Play) -> None:
    times = ["2 09:00", "2 09:59:59", "2 11:00"]
    assert entries(play, "after_exit", *times) == ["u1 2 09:00", "u1 2 11:00"]


def test_reentry_after_exit_at_the_very_end_comes_before_the_timer(play: Play) -> None:
    """At 10:00 the event is first (T1), and finds the enrollment still open."""
    assert entries(play, "after_exit", "2 09:00", "2 10:00") == ["u1 2 09:00"]


def test_reentry_after_a_time_since_the_last_entry(play: Play) -> None:
    times = ["2 09:00", "2 10:30", "3 08:59:59", "3 09:00", "3 12:00"]
    assert entries(play, {"after": "1d"}, *times) == ["u1 2 09:00", "u1 3 09:00"]


def test_reentry_after_a_time_not_while_one_is_open(play: Play) -> None:
    facts = [event("2 09:00", "go"), event("5 09:00", "go")]
    story = journey(hold=HOLD, reentry={"after": "1d"})
    assert play(story, facts, until="9 00:00").entered == ["u1 2 09:00"]


def test_reentry_every_time_several_at_once(play: Play) -> None:
    times = ["2 09:00", "2 09:00", "2 09:10"]
    assert entries(play, "every_time", *times) == ["u1 2 09:00", "u1 2 09:00", "u1 2 09:10"]


# E1


@pytest.mark.django_db
def test_E1_the_first_condition_that_fails_is_the_reason() -> None:
    """The order is: live, trigger, re-entry, filter, goal."""
    live = house(
        journey(
            filter={"attribute": "country", "op": "eq", "value": "de"},
            goal={"attribute": "paid", "op": "eq", "value": True},
            hold=BRIEF,
        ),
        paid=True,
    )
    live.go("2 09:05", event("2 09:05", "go"))
    live.go("2 09:10", change("2 09:06", country="de"), event("2 09:10", "go"))
    live.go("2 09:20", change("2 09:16", paid=False), event("2 09:20", "go"))
    live.go("2 09:30", change("2 09:26", country="fr"), event("2 09:30", "go"))
    assert refusals(live) == ["filter", "goal", "reentry"]
    Journey.objects.update(status="paused")
    live.go("2 09:40", event("2 09:40", "go"), event("2 09:40", "other"))
    assert refusals(live)[3:] == ["not_live"]
    assert live.told().entered == ["u1 2 09:20"]


def test_E1_a_refusal_uses_nothing_up(play: Play) -> None:
    story = journey(filter={"attribute": "ready", "op": "eq", "value": True}, hold=BRIEF)
    facts = [GO, change("2 09:30", ready=True), event("2 10:00", "go"), event("2 12:00", "go")]
    assert play(story, facts, until="3 00:00").entered == ["u1 2 10:00"]


def test_E1_a_goal_that_is_a_condition_and_holds_already_refuses(play: Play) -> None:
    story = journey(goal={"attribute": "paid", "op": "eq", "value": True}, hold=HOLD)
    facts = [GO, event("2 09:00", "go", who="u2")]
    people = [contact("u1", paid=True), contact("u2")]
    assert play(story, facts, people=people, until="3 00:00").entered == ["u2 2 09:00"]


def test_E1_exit_when_that_holds_ends_it_at_once_without_a_visit(play: Play) -> None:
    story = journey(exit_when={"attribute": "churned", "op": "eq", "value": True}, mail=send())
    told = play(story, [GO], people=[contact(churned=True)], until="3 00:00")
    assert told.ends == ["exited exit_when 2 09:00"]
    assert told.visits == []


def test_E1_the_filter_sees_the_event_that_would_start_it(play: Play) -> None:
    """`{trigger: q}` in the filter (fine print), and the event itself counts (C4)."""
    own = [{"property": "order", "op": "eq", "value": {"trigger": "order"}}]
    filter = {"event": "go", "where": own, "count": {"op": "eq", "value": 1}}
    story = journey(reentry="every_time", filter=filter, end=leave())
    facts = [event(f"2 09:0{n}", "go", order=order) for n, order in enumerate("aba")]
    assert play(story, facts, until="3 00:00").entered == ["u1 2 09:00", "u1 2 09:01"]


# E2


@pytest.mark.parametrize("end", [{"goal": {"event": "go"}}, {"exit_when": {
    "event": "go", "count": {"op": "gte", "value": 1}, "since": "entry"}}])  # fmt: skip
def test_E2_who_is_ended_by_an_event_can_enter_again_on_it(play: Play, end: Any) -> None:
    story = journey(reentry="after_exit", hold=HOLD, **end)
    told = play(story, [GO, event("2 10:00", "go")], until="2 12:00")
    assert told.entered == ["u1 2 09:00", "u1 2 10:00"]
    assert [line.split()[0] for line in told.ends] == ["exited", "waiting"]


def test_E2_also_where_the_event_ends_the_last_wait(play: Play) -> None:
    story = journey(reentry="after_exit", hold=wait(until_event={"event": "go"}))
    told = play(story, [GO, event("2 10:00", "go")], until="2 12:00")
    assert told.ends == ["completed 2 10:00", "waiting"]


def test_E2_and_fine_print_it_holds_for_every_fact(play: Play) -> None:
    """A change ends the enrollment and makes the contact a member anew."""
    story = journey(
        {"segment": "who"},
        segments=segment({"attribute": "n", "op": "in", "value": [1, 3]}),
        exit_when={"attribute": "n", "op": "eq", "value": 3},
        reentry="after_exit",
        hold=HOLD,
    )
    facts = [change("2 09:00", n=1), change("2 09:10", n=2), change("2 09:20", n=3)]
    told = play(story, facts, until="2 12:00", start="2 08:00")
    assert told.ends == ["exited exit_when 2 09:20", "exited exit_when 2 09:20"]
    assert told.entered == ["u1 2 09:00", "u1 2 09:20"]


# E3


@pytest.mark.parametrize(
    ("reentry", "entered"),
    [
        ("once", ["a 09:00", "b 09:10"]),
        ("after_exit", ["a 09:00", "b 09:10", "a 11:00"]),
        ({"after": "1h50m"}, ["a 09:00", "b 09:10", "a 11:00"]),
        ("every_time", ["a 09:00", "b 09:10", "a 09:20", "a 11:00", "b 11:00"]),
    ],
)
def test_E3_with_a_key_each_value_has_its_own_passage(
    play: Play, reentry: Any, entered: list[str]
) -> None:
    story = journey({"event": "go", "key": "order.id"}, reentry=reentry, hold=wait(duration="2h"))
    given = ["a 09:00", "b 09:10", "a 09:20", "a 11:00", "b 11:00"]
    facts = [event(f"2 {one[2:]}", "go", order={"id": one[0]}) for one in given]
    # At 11:00 the first has its timer behind it where a second passed in between.
    facts[3] = event("2 11:00:01", "go", order={"id": "a"})
    facts[4] = event("2 11:00:02", "go", order={"id": "b"})
    told = play(story, facts, until="2 11:05")
    times = {"09:00": "a", "09:10": "b", "09:20": "a", "11:00:01": "a", "11:00:02": "b"}
    found = [(times[one.split()[-1]], one.split()[-1][:5]) for one in told.entered]
    assert [" ".join(one) for one in found] == entered


def test_E3_absent_or_null_is_a_value_of_its_own_and_numbers_are_eq(play: Play) -> None:
    story = journey({"event": "go", "key": "n"}, hold=HOLD)
    keys: list[dict[str, Any]] = [{}, {"n": None}, {"n": 1}, {"n": 1.0}, {"n": True}, {"n": "1"}]
    facts = [event(f"2 09:0{number}", "go", **key) for number, key in enumerate(keys)]
    told = play(story, facts, until="2 12:00")
    assert told.entered == ["u1 2 09:00", "u1 2 09:02", "u1 2 09:04", "u1 2 09:05"]


# E4


def test_E4_at_most_a_hundred_are_open_at_once(play: Play) -> None:
    story = journey(reentry="every_time", hold=wait(until_event={"event": "flush"}))
    facts = [event("2 09:00", "go") for _ in range(102)]
    facts += [event("2 10:00", "flush"), event("2 10:01", "go")]
    told = play(story, facts, until="2 12:00")
    assert told.entered == ["u1 2 09:00"] * 100 + ["u1 2 10:01"]


@pytest.mark.django_db
def test_E4_is_a_reason_of_its_own() -> None:
    live = house(journey(reentry="every_time", hold=HOLD))
    live.go("2 12:00", *[event("2 09:00", "go") for _ in range(101)])
    assert refusals(live) == [Refusal.Reason.TOO_MANY]


# E5


def test_E5_leaving_and_becoming_a_member_again_is_a_new_trigger(play: Play) -> None:
    story = journey(
        {"segment": "who"},
        segments=segment({"attribute": "vip", "op": "eq", "value": True}),
        reentry="every_time",
        end=leave(),
    )
    vip = [("2 09:00", True), ("2 09:10", True), ("2 09:20", None), ("2 09:30", True)]
    facts = [change(at, vip=value) for at, value in vip]
    told = play(story, facts, until="2 12:00", start="2 08:00")
    assert told.entered == ["u1 2 09:00", "u1 2 09:30"]


def test_E5_who_was_refused_is_not_asked_again_while_it_stays_a_member(play: Play) -> None:
    story = journey(
        {"segment": "who"},
        segments=segment({"attribute": "vip", "op": "eq", "value": True}),
        filter={"attribute": "ready", "op": "eq", "value": True},
        hold=HOLD,
    )
    facts = [
        change("2 09:00", vip=True),
        change("2 09:10", ready=True),
        change("2 09:20", vip=False),
        change("2 09:30", vip=True),
    ]
    assert play(story, facts, until="2 12:00", start="2 08:00").entered == ["u1 2 09:30"]


def test_E5_and_fine_print_membership_is_not_counted_anew_at_timers(play: Play) -> None:
    """Time alone made the member; the timer at 10:30 does not notice, the event at 10:45 does."""
    parts: dict[str, Any] = {
        "segments": segment({"attribute": "ends", "op": "before", "value": "now"}),
        "reentry": "every_time",
        "hold": wait(duration="90m"),
    }
    story = journey({"segment": "who"}, **parts)
    facts = [
        change("2 09:00", ends="2026-03-01"),
        change("2 09:05", ends="2026-03-02T10:20:00Z"),
        event("2 10:45", "x"),
    ]
    told = play(story, facts, until="2 12:30", start="2 08:00")
    assert told.entered == ["u1 2 09:00", "u1 2 10:45"]


# G1, G2


def test_G1_a_goal_event_that_is_a_later_fact_is_a_conversion(play: Play) -> None:
    where = [{"property": "order", "op": "eq", "value": {"trigger": "order"}}]
    story = journey(goal={"event": "paid", "where": where}, hold=HOLD)
    facts = [
        event("2 09:00", "paid", order="a"),
        event("2 09:00", "go", order="a"),
        event("2 10:00", "paid", order="b"),
        event("2 11:00", "paid", order="a"),
    ]
    told = play(story, facts, until="2 12:00")
    assert told.ends == ["exited goal 2 11:00"]
    assert told.visits == ["hold 2 09:00 - 2 11:00"]


def test_G1_a_goal_condition_holds_at_a_later_fact(play: Play) -> None:
    story = journey(
        goal={"segment": "who"},
        segments=segment({"attribute": "seats", "op": "gte", "value": 10}),
        hold=HOLD,
    )
    facts = [GO, change("2 10:00", seats=9), change("2 11:00", seats=10)]
    assert play(story, facts, until="2 12:00").ends == ["exited goal 2 11:00"]


def test_G1_a_goal_is_looked_at_before_a_wait_ends(play: Play) -> None:
    """Goals against waits: the same event would end the wait, and the timer at 10:00 as well."""
    ended = {"attribute": "ends", "op": "before", "value": "now"}
    story = journey(
        goal={"segment": "who"},
        segments=segment(ended),
        hold=wait(until_event={"event": "never", "timeout": "1h"}),
        mail=send(),
    )
    told = play(story, [GO], people=[contact(ends="2026-03-02T09:30:00Z")], until="2 12:00")
    assert told.ends == ["exited goal 2 10:00"]
    assert told.mails == []


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["goal", "exit_when"])
def test_G1_a_message_that_is_not_yet_handed_over_is_cancelled(end: str) -> None:
    live = house(journey(mail=send(), hold=HOLD, **{end: {"event": "done"}}))
    live.happen(GO)
    while work.work(moment("2 09:00")):
        pass
    live.happen(event("2 09:01", "done"))
    while work.work(moment("2 09:01")):
        pass
    assert live.told().ends == [f"exited {end} 2 09:01"]
    assert Message.objects.get().status == Message.Status.CANCELLED


@pytest.mark.parametrize(
    ("condition", "fact"),
    [
        ({"attribute": "churned", "op": "eq", "value": True}, change("2 10:00", churned=True)),
        ({"event": "left", "count": {"op": "gte", "value": 1}}, event("2 10:00", "left")),
        ({"not": {"subscribed": "news"}}, unsubscribe("2 10:00", "news")),
        ({"not": {"subscribed": "news"}}, unsubscribe("2 10:00", "all")),
        ({"subscribed": "extra"}, subscribe("2 10:00", "extra")),
        ({"message": "mail", "did": "clicked"}, became("2 10:00", "mail", "clicked")),
    ],
)
def test_G2_exit_when_ends_it_likewise(play: Play, condition: Any, fact: Any) -> None:
    topics = {"news": {"name": "N"}, "extra": {"name": "E", "default": "unsubscribed"}}
    story = journey(exit_when=condition, topics=topics, mail=send(), hold=HOLD)
    told = play(story, [GO, suppress("2 09:30"), fact], until="2 12:00")
    assert told.ends == ["exited exit_when 2 10:00"]


# C1 to C5


def taken(play: Play, condition: Any, facts: Any = (), **attributes: Any) -> bool:
    """Whether a branch takes the path with this condition."""
    story = journey(look=branch(yes=condition))
    told = play(story, [*facts, GO], people=[contact("u1", attributes)], until="2 12:00")
    return told.path == ["look yes"]


OPS = ["eq", "gt", "gte", "lt", "lte", "contains", "starts_with", "before", "after"]


@pytest.mark.parametrize("given", [{}, {"a": None}, {"a": {"c": 1}}, {"a": [{"b": 1}]}])
def test_C1_absent_or_null_is_ne_and_not_set_and_nothing_else(play: Play, given: Any) -> None:
    name = "a" if given in ({}, {"a": None}) else "a.b"
    value = "2026-01-01"
    false: list[Any] = [{"attribute": name, "op": op, "value": value} for op in OPS]
    false += [
        {"attribute": name, "op": "in", "value": [value, None]},
        {"attribute": name, "op": "is_set"},
        {"attribute": name, "op": "within_last", "value": "30d"},
    ]
    true = [
        {"attribute": name, "op": "ne", "value": value},
        {"attribute": name, "op": "is_not_set"},
    ]
    condition = {"all": [*true, {"not": {"any": false}}]}
    assert taken(play, condition, **given)


def test_C1_also_where_the_value_is_null_or_an_absent_trigger_value(play: Play) -> None:
    absent = {"property": "x", "op": "eq", "value": {"trigger": "nothing"}}
    differs = {"property": "x", "op": "ne", "value": {"trigger": "nothing"}}
    assert not taken(play, {"event": "go", "where": [absent]})
    assert taken(play, {"event": "go", "where": [differs]})
    assert not taken(play, {"attribute": "a", "op": "eq", "value": None}, a=1)
    assert taken(play, {"attribute": "a", "op": "ne", "value": None}, a=1)


@pytest.mark.parametrize(
    ("op", "value", "given"),
    [
        ("gt", 3, "4"),
        ("lt", "b", 1),
        ("lte", 1, True),
        ("gte", [1], [1]),
        ("contains", 1, "a1"),
        ("contains", "a", {"a": 1}),
        ("starts_with", "1", 12),
        ("before", "2026-02-30", "2026-01-01"),
        ("after", "2026-01-01", "2026-02-30"),
        ("after", "2026-01-01", 20260202),
        ("within_last", "30d", "yesterday"),
    ],
)
def test_C2_types_that_do_not_fit_are_false_and_raise_nothing(
    play: Play, op: str, value: Any, given: Any
) -> None:
    assert not taken(play, {"attribute": "a", "op": op, "value": value}, a=given)


@pytest.mark.parametrize(
    ("value", "given", "equal"),
    [
        (1, True, False),
        (1.0, 1, True),
        ([1, {"b": 1}], [1.0, {"b": 1.0}], True),
        ([1], [True], False),
        ("1", 1, False),
    ],
)
def test_C3_a_boolean_is_no_number_and_1_is_eq_1_0(
    play: Play, value: Any, given: Any, equal: bool
) -> None:
    assert taken(play, {"attribute": "a", "op": "eq", "value": value}, a=given) is equal
    assert taken(play, {"attribute": "a", "op": "ne", "value": value}, a=given) is not equal
    assert taken(play, {"attribute": "a", "op": "in", "value": [value]}, a=given) is equal
    assert taken(play, {"attribute": "a", "op": "contains", "value": value}, a=[given]) is equal


@pytest.mark.parametrize(
    ("at", "counted"),
    [("2 08:00", True), ("2 07:59:59", False), ("2 09:00", True)],
)
def test_C4_both_ends_of_within_are_included(play: Play, at: str, counted: bool) -> None:
    facts = [event(at, "seen")]
    assert taken(play, {"event": "seen", "within": "1h"}, facts) is counted


def test_C4_the_event_being_processed_counts(play: Play) -> None:
    assert taken(play, {"event": "go", "within": "0s", "count": {"op": "eq", "value": 1}})


@pytest.mark.parametrize(
    ("op", "value", "holds"),
    [("eq", 0, True), ("ne", 2, True), ("lt", 1, True), ("gte", 0, True), ("gt", 0, False)],
)
def test_count_may_ask_for_none(play: Play, op: str, value: int, holds: bool) -> None:
    condition = {"event": "never", "count": {"op": op, "value": value}}
    assert taken(play, condition) is holds


def test_since_entry_counts_what_comes_after_the_start_also_at_the_same_time(play: Play) -> None:
    """The starting event does not count (fine print), nor one received before it."""
    since = {"event": "go", "since": "entry"}
    story = journey(hold=BRIEF, look=branch(two={**since, "count": {"op": "eq", "value": 2}}))
    facts = [GO, GO, event("2 09:30", "go")]
    assert play(story, facts, until="2 12:00").path == ["hold next", "look two"]


def test_since_entry_counts_an_event_that_comes_with_the_change_that_enters(play: Play) -> None:
    since = {"event": "seen", "since": "entry"}
    story = journey(
        {"segment": "who"},
        segments=segment({"attribute": "vip", "op": "eq", "value": True}),
        hold=BRIEF,
        look=branch(seen=since),
    )
    facts = [event("2 09:00", "seen", who="u2"), change("2 09:00", vip=True, who="u1")]
    facts += [change("2 09:00", vip=True, who="u2"), event("2 09:00", "seen", who="u1")]
    told = play(
        story, facts, people=[contact("u1"), contact("u2")], until="2 12:00", start="2 08:00"
    )
    assert [one.path[-1] for one in told.passages] == ["look seen", "look else"]


def test_C5_a_segment_on_segments_is_counted_now(play: Play) -> None:
    segments = {
        "germans": {"name": "G", "when": {"attribute": "country", "op": "eq", "value": "de"}},
        "buyers": {"name": "B", "when": {"event": "bought"}},
        "both": {"name": "X", "when": {"all": [{"segment": "germans"}, {"segment": "buyers"}]}},
        "hand": {"name": "H", "members": ["u1", "u9"]},
    }
    story = journey(
        segments=segments,
        move=update(country="de"),
        look=branch(yes={"all": [{"segment": "both"}, {"segment": "hand"}]}),
    )
    told = play(story, [event("2 08:30", "bought"), GO], until="2 12:00")
    assert told.path == ["move next", "look yes"]


@pytest.mark.parametrize(
    ("op", "value", "given"),
    [
        ("contains", "STRASSE ÄÖ", "Alte Strasse äö 5"),
        ("contains", "", "x"),
        ("starts_with", "éCOLE", "École 42"),
        ("starts_with", "", "x"),
    ],
)
def test_C5_ignoring_case_is_unicodes(play: Play, op: str, value: str, given: str) -> None:
    assert taken(play, {"attribute": "a", "op": op, "value": value}, a=given)


def test_C5_names_are_compared_exactly_and_strings_by_code_point(play: Play) -> None:
    assert not taken(play, {"attribute": "Plan", "op": "is_set"}, plan="x")
    assert not taken(play, {"event": "Seen"}, [event("2 08:00", "seen")])
    assert taken(play, {"attribute": "a", "op": "lt", "value": "a"}, a="Z")
    assert taken(play, {"attribute": "a", "op": "gt", "value": "\uffff"}, a="\U00010000")


def test_own_fields_and_nested_objects(play: Play) -> None:
    condition = {
        "all": [
            {"attribute": "email", "op": "eq", "value": "u1@example.com"},
            {"attribute": "external_id", "op": "eq", "value": "u1"},
            {"attribute": "timezone", "op": "is_not_set"},
            {"attribute": "created_at", "op": "before", "value": "2026-01-01T00:00:01"},
            {"attribute": "address.city", "op": "eq", "value": "Bonn"},
            {"attribute": "list.0", "op": "is_not_set"},
        ]
    }
    assert taken(play, condition, address={"city": "Bonn"}, list=["a"])


def test_message_did_looks_at_this_enrollment_and_nothing_implies_another(play: Play) -> None:
    """A click is no open (fine print); sent holds as soon as it is queued."""
    story = journey(
        reentry="every_time",
        mail=send(),
        hold=BRIEF,
        look=branch(
            opened={"message": "mail", "did": "opened"},
            clicked={"message": "mail", "did": "clicked"},
            sent={"message": "mail", "did": "sent"},
        ),
    )
    facts = [GO, became("2 09:10", "mail", "clicked"), event("2 09:30", "go")]
    told = play(story, facts, until="2 12:00")
    assert [one.path[-1] for one in told.passages] == ["look clicked", "look sent"]


def test_fine_print_a_skipped_message_did_nothing(play: Play) -> None:
    story = journey(mail=send(), look=branch(sent={"message": "mail", "did": "sent"}))
    told = play(story, [GO], people=[contact(email="")], until="2 12:00")
    assert told.path == ["mail next", "look else"]


def test_correlated_events_follow_their_own_order(play: Play) -> None:
    """`{trigger: q}` in a wait and in a branch: two orders at once do not mix."""
    own = [{"property": "id", "op": "eq", "value": {"trigger": "id"}}]
    story = journey(
        {"event": "go", "key": "id"},
        reentry="after_exit",
        hold=to(wait(until_event={"event": "paid", "where": own, "timeout": "2h"}), "look"),
        look=branch(viewed={"event": "viewed", "where": own}),
    )
    facts = [
        event("2 09:00", "go", id="a"),
        event("2 09:10", "go", id="b"),
        event("2 09:20", "viewed", id="a"),
        event("2 09:30", "paid", id="b"),
    ]
    told = play(story, facts, until="2 12:00")
    assert told.passages[0].visits == [
        "hold 2 09:00 - 2 11:00 timeout",
        "look 2 11:00 - 2 11:00 viewed",
    ]
    assert told.passages[1].visits == [
        "hold 2 09:10 - 2 09:30 event",
        "look 2 09:30 - 2 09:30 else",
    ]
