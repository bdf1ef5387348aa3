"""S1 to S6: what decides whether a message is queued; and that a simulation writes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from journeys.simulation.inputs import ContactLine
from journeys.world import Policy
from messaging.models import Message
from tests.journeys.conftest import Play
from tests.journeys.scenario import (
    HOLD,
    Live,
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
TOPICS = {"news": {"name": "News"}, "extra": {"name": "Extra", "default": "unsubscribed"}}
OFFICE = {"from": "09:00", "to": "17:00"}


def cap(count: int, within: str) -> dict[str, Any]:
    return {"frequency_cap": {"count": count, "within": within}}


# S1


@pytest.mark.parametrize("email", ["", "   "])
@pytest.mark.parametrize("transactional", [False, True])
def test_S1_no_address_or_a_blank_one(play: Play, email: str, transactional: bool) -> None:
    story = journey(mail=send(transactional=transactional), end=leave())
    told = play(story, [GO], people=[contact(email=email)], until="3 00:00")
    assert told.mails == ["mail 2 09:00 no_address"]
    assert told.path == ["mail next", "end"]


def test_S1_comes_before_what_follows(play: Play) -> None:
    story = journey(mail=send(topic="extra"), topics=TOPICS, window={"to": "08:00"})
    told = play(story, [GO], people=[contact(email="")], until="3 00:00")
    assert told.mails == ["mail 2 09:00 no_address"]


# S2


@pytest.mark.parametrize("transactional", [False, True])
def test_S2_a_suppressed_address_also_for_transactional_mail(
    play: Play, transactional: bool
) -> None:
    story = journey(mail=send(transactional=transactional))
    facts = [suppress("2 08:00"), GO]
    told = play(story, facts, people=[contact(email="U1@Example.com")], until="3 00:00")
    assert told.mails == ["mail 2 09:00 suppressed"]


def test_S2_it_is_the_address_that_is_suppressed_and_not_the_person(play: Play) -> None:
    facts = [
        suppress("2 08:00"),
        change("2 08:30", email="new@example.com"),
        GO,
    ]
    assert play(journey(mail=send()), facts, until="3 00:00").mails == ["mail 2 09:00"]


# S3


@pytest.mark.parametrize(
    ("facts", "topic", "mail"),
    [
        ([], None, "mail 2 09:00"),
        ([], "news", "mail 2 09:00"),
        ([], "extra", "mail 2 09:00 unsubscribed"),
        ([subscribe("2 08:00", "extra")], "extra", "mail 2 09:00"),
        ([unsubscribe("2 08:00", "news")], "news", "mail 2 09:00 unsubscribed"),
        ([unsubscribe("2 08:00", "news")], None, "mail 2 09:00"),
        ([unsubscribe("2 08:00", "all")], None, "mail 2 09:00 unsubscribed"),
        ([unsubscribe("2 08:00", "all")], "news", "mail 2 09:00 unsubscribed"),
    ],
)
def test_S3_marketing_needs_that_the_contact_takes_the_topic(
    play: Play, facts: Any, topic: str | None, mail: str
) -> None:
    story = journey(mail=send(**({"topic": topic} if topic else {})), topics=TOPICS)
    assert play(story, [*facts, GO], until="3 00:00").mails == [mail]


def test_S3_not_for_transactional_mail(play: Play) -> None:
    story = journey(mail=send(topic="news", transactional=True), topics=TOPICS)
    facts = [unsubscribe("2 08:00", "news"), unsubscribe("2 08:00", "all"), GO]
    assert play(story, facts, until="3 00:00").mails == ["mail 2 09:00"]


@pytest.mark.parametrize(
    ("facts", "mails"),
    [
        # Choosing a topic does not undo the unsubscription from all …
        ([unsubscribe("2 08:00", "all"), subscribe("2 08:10", "extra")], ["unsubscribed"] * 2),
        # … and `subscribe: all` undoes only that, and keeps the topics chosen.
        (
            [
                subscribe("2 08:00", "extra"),
                unsubscribe("2 08:10", "news"),
                unsubscribe("2 08:20", "all"),
                subscribe("2 08:30", "all"),
            ],
            ["unsubscribed", ""],
        ),
    ],
)
def test_S3_fine_print_topics_and_all(play: Play, facts: Any, mails: list[str]) -> None:
    story = journey(a=send(topic="news"), b=send(topic="extra"), topics=TOPICS)
    told = play(story, [*facts, GO], until="3 00:00")
    assert told.mails == [f"{n} 2 09:00 {why}".strip() for n, why in zip("ab", mails, strict=True)]


# S4


def test_S4_outside_the_window_it_waits_in_the_node(play: Play) -> None:
    story = journey(window=OFFICE, mail=send(), end=leave())
    told = play(story, [event("2 18:00", "go")], until="4 00:00")
    assert told.visits == ["mail 2 18:00 - 3 09:00 next", "end 3 09:00 - 3 09:00"]
    assert told.mails == ["mail 3 09:00"]


def test_S4_not_for_transactional_mail(play: Play) -> None:
    story = journey(window=OFFICE, mail=send(transactional=True))
    assert play(story, [event("2 18:00", "go")], until="4 00:00").mails == ["mail 2 18:00"]


@pytest.mark.parametrize(
    ("fact", "mail"),
    [
        (unsubscribe("2 20:00", "news"), "mail 3 09:00 unsubscribed"),
        (suppress("2 20:00"), "mail 3 09:00 suppressed"),
        (change("2 20:00", email=None), "mail 3 09:00 no_address"),
    ],
)
def test_S4_when_it_opens_all_starts_again_at_S1(play: Play, fact: Any, mail: str) -> None:
    story = journey(window=OFFICE, topics=TOPICS, mail=send(topic="news"))
    assert play(story, [event("2 18:00", "go"), fact], until="4 00:00").mails == [mail]


def test_S4_the_cap_is_asked_when_the_window_opens(play: Play) -> None:
    """Two wait for Tuesday; of Monday's cap nothing is left over."""
    story = journey(window=OFFICE, reentry="every_time", mail=send(), installation=cap(1, "12h"))
    facts = [GO, event("2 18:00", "go"), event("2 19:00", "go")]
    told = play(story, facts, until="4 00:00")
    assert told.mails == ["mail 2 09:00", "mail 3 09:00", "mail 3 09:00 capped"]


@pytest.mark.parametrize(
    ("zone", "mail"),
    [
        ("America/New_York", "mail 2 20:00"),  # 15:00 there: it goes on at that change
        ("Asia/Tokyo", "mail 3 00:00"),
        ("Europe/Berlin", "mail 3 08:00"),
    ],
)
def test_S4_a_change_of_the_timezone_moves_the_opening(play: Play, zone: str, mail: str) -> None:
    story = journey(window=OFFICE, mail=send())
    facts = [event("2 18:00", "go"), change("2 20:00", timezone=zone)]
    assert play(story, facts, until="4 00:00").mails == [mail]


def test_S4_a_goal_ends_it_while_it_waits_for_the_window(play: Play) -> None:
    story = journey(window=OFFICE, goal={"event": "paid"}, mail=send())
    told = play(story, [event("2 18:00", "go"), event("2 20:00", "paid")], until="4 00:00")
    assert (told.ends, told.mails) == (["exited goal 2 20:00"], [])


# S5


def mails_at(play: Play, limit: dict[str, Any], *times: str) -> list[str]:
    story = journey(reentry="every_time", mail=send(), installation=limit)
    told = play(story, [event(at, "go") for at in times], until="20 00:00")
    return ["capped" if mail.endswith("capped") else "queued" for mail in told.mails]


def test_S5_so_many_in_so_long_a_time(play: Play) -> None:
    """A message is out of the count exactly `within` after it was queued: (now − within, now]."""
    times = ["2 09:00", "2 10:00", "2 11:00", "3 08:59:59", "3 09:00", "3 09:01"]
    expected = ["queued", "queued", "capped", "capped", "queued", "capped"]
    assert mails_at(play, cap(2, "1d"), *times) == expected


def test_S5_what_was_skipped_or_transactional_does_not_count(play: Play) -> None:
    story = journey(
        topics=TOPICS,
        installation=cap(1, "1d"),
        a=send(transactional=True),
        b=send(topic="extra"),
        c=send(),
        d=send(transactional=True),
        e=send(),
    )
    told = play(story, [GO], until="3 00:00")
    assert told.mails == [
        "a 2 09:00",
        "b 2 09:00 unsubscribed",
        "c 2 09:00",
        "d 2 09:00",
        "e 2 09:00 capped",
    ]


@pytest.mark.django_db
def test_S5_counts_all_journeys_together() -> None:
    person = ContactLine("u1", "u1@example.com", created_at=moment("1 00:00"))
    live = Live(journey(a=send(), installation=cap(1, "1d")), {"u1": person})
    live.begin(moment("2 08:00"))
    live.also(journey("other", journey="second", b=send()))
    live.go("3 00:00", GO, event("2 10:00", "other"))
    rows = Message.objects.order_by("queued_at").values_list("node", "status", "reason")
    assert list(rows) == [("a", "sent", ""), ("b", "skipped", "capped")]


# S6


def test_S6_one_message_for_each_visit(play: Play) -> None:
    story = journey(
        mail=send(), hold=to(wait(until_event={"event": "ping", "timeout": "1h"}), event="mail")
    )
    facts = [GO, event("2 09:10", "ping"), event("2 09:20", "ping")]
    told = play(story, facts, until="3 00:00")
    assert told.mails == ["mail 2 09:00", "mail 2 09:10", "mail 2 09:20"]


@pytest.mark.django_db
def test_S6_a_constraint_stands_behind_it() -> None:
    live = Live(
        journey(mail=send()),
        {"u1": ContactLine("u1", "u1@example.com", created_at=moment("1 00:00"))},
    )
    live.begin(moment("2 08:00"))
    live.go("3 00:00", GO)
    again = Message.objects.get()
    again.pk, again.uuid = None, None
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.bulk_create([again])


# The webhook is part of what leaves the house


def test_a_simulated_webhook_is_ok_at_once(play: Play) -> None:
    hook = {"kind": "webhook", "url": "https://example.com/hook"}
    story = journey(call=to(hook, ok="mail", failed="end"), mail=to(send(), "end"), end=leave())
    told = play(story, [GO], until="3 00:00")
    assert told.visits[0] == "call 2 09:00 - 2 09:00 ok"
    assert told.mails == ["mail 2 09:00"]


@pytest.mark.django_db
def test_a_live_webhook_waits() -> None:
    hook = {"kind": "webhook", "url": "https://example.com/hook"}
    live = Live(
        journey(call=hook, mail=send()),
        {"u1": ContactLine("u1", "u1@example.com", created_at=moment("1 00:00"))},
    )
    live.policy = Policy()
    live.begin(moment("2 08:00"))
    live.go("3 00:00", GO)
    assert live.told().visits == ["call 2 09:00 -"]


# What a simulation leaves behind


def test_a_simulation_writes_no_table(simulated: Play) -> None:
    story = journey(
        {"segment": "who"},
        segments={"who": {"name": "Who", "when": {"event": "go", "within": "1d"}}},
        topics=TOPICS,
        goal={"event": "paid"},
        note=update(lead=True),
        mail=send(topic="news"),
        hook={"kind": "webhook", "url": "https://example.com/hook"},
        hold=HOLD,
    )
    facts = [
        event("2 08:00", "other"),
        GO,
        suppress("2 10:00"),
        unsubscribe("2 10:00", "news"),
        change("2 11:00", x=1, who="new"),
        event("2 12:00", "paid"),
    ]
    with CaptureQueriesContext(connection) as queries:
        told = simulated(story, facts, until="5 00:00")
    assert told.ends == ["exited goal 2 12:00"]
    statements = [query["sql"].split()[0].upper() for query in queries]
    assert set(statements) == {"SELECT"}
