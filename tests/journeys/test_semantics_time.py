"""T1 to T8: what comes before what, and when. Each story is simulated and played live."""

from __future__ import annotations

from typing import Any

import pytest

from contacts import ingest
from contacts.items import Track
from contacts.models import Contact
from journeys.models import Enrollment
from journeys.simulation import SimulationError
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
CAP_OF_ONE = {"frequency_cap": {"count": 1, "within": "1d"}}
NEWS = {"news": {"name": "News"}}


def house(data: dict[str, Any]) -> Live:
    """An installation with one contact, opened on 2 March at 09:00."""
    person = ContactLine("u1", "u1@example.com", created_at=moment("1 00:00"))
    live = Live(data, {"u1": person})
    live.begin(moment("2 09:00"))
    return live


# T1


def test_T1_an_event_at_the_deadline_comes_before_the_timer(play: Play) -> None:
    story = journey(hold=wait(until_event={"event": "answer", "timeout": "1h"}))
    told = play(story, [GO, event("2 10:00", "answer")], until="2 12:00")
    assert told.visits == ["hold 2 09:00 - 2 10:00 event"]


def test_T1_a_change_at_the_deadline_comes_before_the_timer(play: Play) -> None:
    story = journey(hold=wait(duration="1h"), look=branch(paid={"attribute": "paid", **IS_TRUE}))
    told = play(story, [GO, change("2 10:00", paid=True)], until="2 12:00")
    assert told.path == ["hold next", "look paid"]


IS_TRUE = {"op": "eq", "value": True}


@pytest.mark.parametrize(
    ("facts", "path"),
    [
        ([event("2 09:00", "go"), event("2 09:00", "answer")], ["hold event"]),
        ([event("2 09:00", "answer"), event("2 09:00", "go")], ["hold"]),
    ],
)
def test_T1_facts_at_the_same_time_count_in_the_order_of_receipt(
    play: Play, facts: list[Any], path: list[str]
) -> None:
    story = journey(hold=wait(until_event={"event": "answer"}))
    assert play(story, facts, until="2 12:00").path == path


def test_T1_timers_at_the_same_time_fire_in_the_order_in_which_the_waits_began(play: Play) -> None:
    own = [{"property": "order", "op": "eq", "value": {"trigger": "order"}}]
    story = journey(
        reentry="every_time",
        pause=wait(until_event={"event": "next", "where": own}),
        due=wait(until_date={"attribute": "due"}),
        mail=send(),
        installation=CAP_OF_ONE,
    )
    facts = [
        event("2 09:00", "go", order="a"),
        event("2 09:01", "go", order="b"),
        event("2 09:10", "next", order="b"),
        event("2 09:20", "next", order="a"),
    ]
    told = play(story, facts, people=[contact(due="2026-03-02T11:00:00Z")], until="2 12:00")
    assert told.entered == ["u1 2 09:00", "u1 2 09:01"]
    assert told.mails == ["mail 2 11:00 capped", "mail 2 11:00"]


def test_T1_timers_come_before_entries_by_time(play: Play) -> None:
    story = journey(
        {"date": "due"},
        reentry="every_time",
        look=to(branch(second={"attribute": "done", **IS_TRUE}), second="end", **{"else": "pause"}),
        pause=wait(duration="1h"),
        note=update(done=True),
        end=leave(),
    )
    people = [contact(due="2026-03-02T10:00:00Z")]
    told = play(
        story, [change("2 10:30", due="2026-03-02T11:00:00Z")], people=people, until="2 12:00",
        start="2 09:00",
    )  # fmt: skip
    assert told.entered == ["u1 2 10:00", "u1 2 11:00"]
    assert told.passages[1].path == ["look second", "end"]


# T2


def test_T2_a_goal_comes_before_an_exit(play: Play) -> None:
    story = journey(goal={"event": "done"}, exit_when={"event": "done"}, hold=HOLD)
    told = play(story, [GO, event("2 10:00", "done")], until="2 12:00")
    assert told.ends == ["exited goal 2 10:00"]


def test_T2_an_exit_comes_before_the_end_of_a_wait(play: Play) -> None:
    story = journey(
        exit_when={"event": "done"}, hold=wait(until_event={"event": "done"}), mail=send()
    )
    told = play(story, [GO, event("2 10:00", "done")], until="2 12:00")
    assert told.ends == ["exited exit_when 2 10:00"]
    assert told.visits == ["hold 2 09:00 - 2 10:00"]
    assert told.mails == []


def test_T2_an_event_ends_at_most_one_wait_of_an_enrollment(play: Play) -> None:
    ping = wait(until_event={"event": "ping"})
    told = play(journey(a=ping, b=ping), [GO, event("2 10:00", "ping")], until="2 12:00")
    assert told.visits == ["a 2 09:00 - 2 10:00 event", "b 2 10:00 -"]


def test_T2_an_enrollment_does_not_see_the_event_that_starts_it(play: Play) -> None:
    story = journey(goal={"event": "go"}, hold=wait(until_event={"event": "go"}))
    told = play(story, [GO], until="2 12:00")
    assert told.ends == ["waiting"]


def test_T2_the_open_enrollments_follow_in_the_order_in_which_they_began(play: Play) -> None:
    story = journey(
        reentry="every_time",
        hold=wait(until_event={"event": "ping"}),
        mail=send(),
        installation=CAP_OF_ONE,
    )
    facts = [GO, event("2 09:01", "go"), event("2 10:00", "ping")]
    told = play(story, facts, until="2 12:00")
    assert told.mails == ["mail 2 10:00", "mail 2 10:00 capped"]


def test_T2_and_fine_print_all_exits_come_before_any_wait(play: Play) -> None:
    """The older one's update would keep the younger one in, but exits were asked before."""
    story = journey(
        reentry="every_time",
        exit_when={"all": [{"attribute": "rest", **IS_TRUE}, {"event": "ping"}]},
        hold=wait(until_event={"event": "ping"}),
        keep=update(rest=False),
    )
    facts = [GO, event("2 09:01", "go"), event("2 10:00", "ping")]
    told = play(story, facts, people=[contact(rest=True)], until="2 12:00")
    assert told.ends == ["exited exit_when 2 10:00"] * 2


def test_T2_a_timer_asks_for_goal_and_exit_of_its_own_enrollment_alone(play: Play) -> None:
    story = journey(
        reentry="every_time",
        exit_when={"attribute": "until", "op": "before", "value": "now"},
        hold=wait(duration="90m"),
        mail=send(),
    )
    facts = [GO, event("2 09:40", "go")]
    told = play(story, facts, people=[contact(until="2026-03-02T10:00:00Z")], until="2 12:00")
    assert told.ends == ["exited exit_when 2 10:30", "exited exit_when 2 11:10"]
    assert told.mails == []


@pytest.mark.parametrize(
    "fact",
    [
        change("2 10:15"),
        change("2 10:15", until="2026-03-02T10:00:00Z"),
        subscribe("2 10:15", "news"),
        unsubscribe("2 10:15", "all"),
        suppress("2 10:15"),
        event("2 10:15", "anything"),
    ],
)
def test_T2_each_fact_also_one_that_changes_nothing_is_looked_at(play: Play, fact: Any) -> None:
    story = journey(
        exit_when={"attribute": "until", "op": "before", "value": "now"}, topics=NEWS, hold=HOLD
    )
    people = [contact(until="2026-03-02T10:00:00Z")]
    told = play(story, [GO, fact], people=people, until="2 12:00")
    assert told.ends == ["exited exit_when 2 10:15"]


@pytest.mark.django_db
def test_T2_entries_by_membership_come_before_entries_by_the_event() -> None:
    by_event = journey(
        "ping",
        journey="by-event",
        a=send(),
        installation=CAP_OF_ONE,
        segments={"pinged": {"name": "Pinged", "when": {"event": "ping"}}},
    )
    live = house(by_event)
    live.also(journey({"segment": "pinged"}, journey="by-membership", b=send()))
    live.go("2 12:00", event("2 10:00", "ping"))
    messages = Message.objects.values_list("journey", "status").order_by("journey")
    assert list(messages) == [("by-event", "skipped"), ("by-membership", "sent")]


# T3


def test_T3_a_late_event_acts_at_its_receipt_also_on_a_wait_that_began_later(play: Play) -> None:
    story = journey(hold=wait(until_event={"event": "answer", "timeout": "2h"}))
    late = event("2 08:00", "answer", received="2 10:00")
    assert play(story, [GO, late], until="2 12:00").visits == ["hold 2 09:00 - 2 10:00 event"]


def test_T3_a_late_event_after_the_deadline_rewinds_nothing(play: Play) -> None:
    story = journey(hold=wait(until_event={"event": "answer", "timeout": "1h"}))
    late = event("2 09:30", "answer", received="2 10:30")
    assert play(story, [GO, late], until="2 12:00").visits == ["hold 2 09:00 - 2 10:00 timeout"]


def test_T3_a_late_event_counts_where_it_occurred(play: Play) -> None:
    recent = {"event": "answer", "within": "2h"}
    story = journey(hold=wait(duration="3h"), look=branch(recent=recent))
    late = event("2 08:00", "answer", received="2 11:00")
    assert play(story, [GO, late], until="2 13:00").path == ["hold next", "look else"]


@pytest.mark.parametrize(("received", "entered"), [("5 09:00", ["u1 5 09:00"]), ("5 09:00:01", [])])
def test_T3_an_event_starts_something_up_to_72_hours_late(
    play: Play, received: str, entered: list[str]
) -> None:
    facts = [event("2 09:00", "go", received=received)]
    assert play(journey(hold=HOLD), facts, until="6 09:00").entered == entered


def test_T3_an_event_that_is_too_late_ends_nothing_and_is_stored(play: Play) -> None:
    story = journey(
        goal={"event": "done"},
        hold=wait(until_event={"event": "done", "timeout": "6d"}),
        look=branch(done={"event": "done"}),
    )
    too_late = event("2 10:00", "done", received="5 10:00:01")
    told = play(story, [GO, too_late], until="9 09:00")
    assert told.path == ["hold timeout", "look done"]


def test_T3_and_fine_print_membership_by_a_too_late_event_is_noted_without_an_entry(
    play: Play,
) -> None:
    story = journey(
        {"segment": "doers"},
        segments={"doers": {"name": "Doers", "when": {"event": "done"}}},
        hold=HOLD,
    )
    facts = [event("2 09:00", "done", received="5 09:00:01"), event("5 10:00", "other")]
    assert play(story, facts, until="6 00:00", start="2 08:00").entered == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("received", "visit"),
    [
        ("2 10:00", "hold 2 09:00 - 2 10:00 event"),
        ("2 10:00:01", "hold 2 09:00 - 2 11:00 timeout"),
    ],
)
def test_T3_facts_that_are_worked_late_keep_their_place_before_the_deadline(
    received: str, visit: str
) -> None:
    """The worker was down from 09:30 to 11:00."""
    story = journey(hold=wait(until_event={"event": "answer", "timeout": "1h"}))
    live = house(story)
    live.go("2 09:30", GO)
    live.happen(event(received, "answer"))
    live.work(moment("2 11:00"))
    assert live.told().visits == [visit]


# T4


def test_T4_all_moves_of_a_fact_have_its_time(play: Play) -> None:
    story = journey(
        a=send(),
        b=update(x=1),
        c=branch(one={"attribute": "x", "op": "eq", "value": 1}),
        d=leave("through"),
    )
    told = play(story, [event("2 09:00:07", "go")], until="2 12:00")
    assert told.visits == [
        "a 2 09:00:07 - 2 09:00:07 next",
        "b 2 09:00:07 - 2 09:00:07 next",
        "c 2 09:00:07 - 2 09:00:07 one",
        "d 2 09:00:07 - 2 09:00:07",
    ]
    assert told.ends == ["exited through 2 09:00:07"]


def test_T4_a_timers_fact_has_the_time_at_which_it_was_due(play: Play) -> None:
    story = journey(a=wait(duration="90m"), b=wait(duration="30s"), c=send())
    told = play(story, [GO], until="2 12:00")
    assert told.mails == ["c 2 10:30:30"]


@pytest.mark.django_db
def test_T4_after_an_outage_the_next_wait_counts_from_then() -> None:
    story = journey(a=wait(duration="1d"), one=send(), b=wait(duration="1d"), two=send())
    live = house(story)
    live.go("2 09:00", GO)
    live.work(moment("6 12:00"))
    assert live.told().mails == ["one 6 12:00"]
    live.go("8 00:00")
    assert live.told().mails == ["one 6 12:00", "two 7 12:00"]


# T5

AWAY = {"not": {"event": "session", "within": "1d"}}


def away(**parts: Any) -> dict[str, Any]:
    segments = {"away": {"name": "Away", "when": AWAY}, **parts.pop("segments", {})}
    return journey(parts.pop("trigger", {"segment": "away"}), segments=segments, hold=HOLD, **parts)


@pytest.mark.parametrize(
    ("session", "entered"),
    [
        ("2 09:30", "u1 3 10:00"),
        ("2 09:00", "u1 3 10:00"),  # a day ago is within a day (C4)
        ("2 08:59:59", "u1 3 09:00"),
    ],
)
def test_T5_a_segment_that_looks_at_the_time_is_counted_at_each_full_hour(
    play: Play, session: str, entered: str
) -> None:
    told = play(away(), [event(session, "session")], until="3 12:00")
    assert told.entered == [entered]


def test_T5_also_where_the_segment_it_is_built_on_looks_at_the_time(play: Play) -> None:
    story = away(
        trigger={"segment": "lost"},
        segments={"lost": {"name": "Lost", "when": {"all": [{"segment": "away"}]}}},
    )
    told = play(story, [event("2 09:30", "session")], until="3 12:00")
    assert told.entered == ["u1 3 10:00"]


def test_T5_and_fine_print_a_fact_counts_it_between_the_hours(play: Play) -> None:
    facts = [event("2 09:30", "session"), event("3 09:45", "mail")]
    told = play(away(), facts, until="3 12:00")
    assert told.entered == ["u1 3 09:45"]


def test_T5_the_value_now_looks_at_the_time(play: Play) -> None:
    ended = {"attribute": "ends", "op": "before", "value": "now"}
    story = journey(
        {"segment": "ended"}, segments={"ended": {"name": "Ended", "when": ended}}, hold=HOLD
    )
    people = [
        contact("u1", ends="2026-03-02T09:20:00Z"),
        contact("u2", ends="2026-03-02T10:00:00Z"),
    ]
    told = play(story, [], people=people, until="2 12:00", start="2 09:00")
    assert told.entered == ["u1 2 10:00", "u2 2 11:00"]


def test_T5_other_segments_follow_each_fact(play: Play) -> None:
    vips = {"vips": {"name": "VIPs", "when": {"attribute": "vip", **IS_TRUE}}}
    story = journey({"segment": "vips"}, segments=vips, hold=HOLD)
    told = play(story, [change("2 09:17:03", vip=True)], until="2 12:00", start="2 09:00")
    assert told.entered == ["u1 2 09:17:03"]


# T6


def test_T6_an_update_is_seen_at_once_and_what_follows_from_it_comes_after_the_moves(
    play: Play,
) -> None:
    story = journey(
        exit_when={"attribute": "address.city", "op": "eq", "value": "Bonn"},
        move={"kind": "update", "set": {"address.city": "Bonn", "old": None}},
        look=branch(moved={"attribute": "address.city", "op": "eq", "value": "Bonn"}),
        mail=send(),
        hold=HOLD,
    )
    told = play(story, [GO], people=[contact(old=1, address={"zip": "53111"})], until="2 12:00")
    assert told.visits == [
        "move 2 09:00 - 2 09:00 next",
        "look 2 09:00 - 2 09:00 moved",
        "mail 2 09:00 - 2 09:00 next",
        "hold 2 09:00 - 2 09:00",
    ]
    assert told.ends == ["exited exit_when 2 09:00"]


def test_T6_the_change_comes_before_any_other_fact(play: Play) -> None:
    story = journey(
        exit_when={"attribute": "lead", **IS_TRUE},
        hold=wait(until_event={"event": "ping"}),
        note=update(lead=True),
        mail=send(),
        again=wait(until_event={"event": "ping"}),
    )
    facts = [GO, event("2 10:00", "ping"), event("2 10:00", "ping")]
    told = play(story, facts, until="2 12:00")
    assert told.visits[-1] == "again 2 10:00 - 2 10:00"
    assert told.ends == ["exited exit_when 2 10:00"]


def test_T6_an_update_moves_the_waits_of_other_enrollments(play: Play) -> None:
    story = journey(
        reentry="every_time",
        look=to(branch(second={"event": "go", "count": {"op": "gte", "value": 2}}),
                second="soon", **{"else": "due"}),
        soon=to(update(due="2026-03-02T11:00:00Z"), "end"),
        due=wait(until_date={"attribute": "due"}),
        end=leave(),
    )  # fmt: skip
    people = [contact(due="2026-03-09T00:00:00Z")]
    told = play(story, [GO, event("2 10:00", "go")], people=people, until="2 12:00")
    assert told.passages[0].visits[1] == "due 2 09:00 - 2 11:00 next"


def test_T6_email_and_timezone_are_the_contacts_own(play: Play) -> None:
    story = journey(
        own={"kind": "update", "set": {"email": "", "timezone": "Asia/Tokyo"}},
        mail=send(),
        nine=wait(until_date={"attribute": "day", "offset": "0d", "at": "09:00"}),
    )
    told = play(story, [GO], people=[contact(day="2026-03-03")], until="4 00:00")
    assert told.mails == ["mail 2 09:00 no_address"]
    assert told.visits[-1] == "nine 2 09:00 - 3 00:00 next"


@pytest.mark.django_db
def test_T6_a_chain_of_more_than_a_hundred_links_fails() -> None:
    """Two journeys play ping-pong; the hundred and first update is not applied."""
    sides = {
        side: {"name": side, "when": {"attribute": "side", "op": "eq", "value": side}}
        for side in ("left", "right")
    }
    over = {"reentry": "every_time"}
    live = house(
        journey({"segment": "left"}, journey="a", segments=sides, hit=update(side="right"), **over),
    )
    live.also(journey({"segment": "right"}, journey="b", hit=update(side="left"), **over))
    live.go("2 12:00", change("2 10:00", side="left"))
    told = live.told()
    assert told.ends.count("completed 2 10:00") == 100
    assert told.ends.count("failed loop 2 10:00") == 1
    assert Enrollment.objects.get(status="failed").journey.slug == "a"
    assert Contact.objects.get().attributes == {"side": "left"}


# T7

OF_MAIL = {"where": [{"property": "node", "op": "eq", "value": "mail"}]}


@pytest.mark.parametrize("did", ["delivered", "opened", "clicked", "bounced"])
def test_T7_what_became_of_a_message_is_an_event_that_a_wait_can_follow(
    play: Play, did: str
) -> None:
    where = [
        {"property": "journey", "op": "eq", "value": "story"},
        {"property": "node", "op": "eq", "value": "mail"},
        {"property": "template", "op": "eq", "value": "hello"},
    ]
    story = journey(
        mail=send("hello"), hold=wait(until_event={"event": f"message_{did}", "where": where})
    )
    told = play(story, [GO, became("2 10:00", "mail", did)], until="2 12:00")
    assert told.visits[-1] == "hold 2 09:00 - 2 10:00 event"


def test_T7_a_goal_and_a_trigger_can_follow_it(play: Play) -> None:
    story = journey(goal={"event": "message_opened", **OF_MAIL}, mail=send(), hold=HOLD)
    told = play(story, [GO, became("2 10:00", "mail", "opened")], until="2 12:00")
    assert told.ends == ["exited goal 2 10:00"]


def test_T7_a_bounce_suppresses_the_address_before_the_event_acts(play: Play) -> None:
    story = journey(mail=send(), hold=wait(until_event={"event": "message_bounced"}), second=send())
    told = play(story, [GO, became("2 10:00", "mail", "bounced")], until="2 12:00")
    assert told.mails == ["mail 2 09:00", "second 2 10:00 suppressed"]


def test_T7_and_fine_print_sent_makes_no_event_and_nothing_comes_of_nothing(play: Play) -> None:
    story = journey(mail=send(), hold=wait(until_event={"event": "message_sent"}), second=send())
    facts = [GO, became("2 10:00", "mail", "sent"), became("2 10:30", "second", "opened")]
    assert play(story, facts, until="2 12:00").path == ["mail next", "hold"]


def test_T7_and_fine_print_such_names_are_refused_from_outside(simulated: Play) -> None:
    with pytest.raises(SimulationError, match="message_"):
        simulated(journey(hold=HOLD), [event("2 09:00", "message_opened")], until="2 12:00")
    track = Track("message_opened", {}, moment("2 09:00"), None, external_id="u1")
    outcome = ingest.record([track], received_at=moment("2 09:00"))
    assert (outcome.accepted, len(outcome.rejected)) == (0, 1)


# T8


def test_T8_a_message_id_is_known_whoever_it_came_for(play: Play) -> None:
    story = journey(reentry="every_time", hold=HOLD)
    facts = [
        event("2 09:00", "go", message_id="m1"),
        event("2 09:10", "go", message_id="m1"),
        event("2 09:20", "go", message_id="m1", who="u2"),
        event("2 09:30", "go", message_id="m2", who="u2"),
    ]
    told = play(story, facts, people=[contact("u1"), contact("u2")], until="2 12:00")
    assert told.entered == ["u1 2 09:00", "u2 2 09:30"]


def test_T2_an_event_whose_message_id_is_known_changes_nothing_at_all(play: Play) -> None:
    """It is not even a fact at which an exit would be looked at."""
    story = journey(exit_when={"attribute": "until", "op": "before", "value": "now"}, hold=HOLD)
    facts = [event("2 09:00", "go", message_id="m1"), event("2 11:00", "x", message_id="m1")]
    told = play(story, facts, people=[contact(until="2026-03-02T10:00:00Z")], until="2 12:00")
    assert told.ends == ["waiting"]


def test_T8_a_suppressed_address_is_suppressed_for_whoever_has_it(play: Play) -> None:
    story = journey(mail=send())
    people = [contact("u1", email="Ann@example.com"), contact("u2", email="ann@EXAMPLE.com")]
    facts = [suppress("2 09:00", who="u1"), event("2 10:00", "go", who="u2")]
    assert play(story, facts, people=people, until="2 12:00").mails == ["mail 2 10:00 suppressed"]
