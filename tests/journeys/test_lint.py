"""What is allowed in a journey and probably not meant."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from contacts.problems import Problems
from journeys.definition import Catalog, read
from journeys.lint import Seen, certainty, lint
from journeys.load import mails_a_day
from messaging.models import Template

SEEN = Seen(
    events={"signed_up": frozenset({"plan"}), "bought": frozenset({"order.id"})},
    attributes=frozenset({"first_name", "address.city"}),
    templates={
        "hello": {"subject": "Hi {{ contact.first_name }}", "text": "x {{ unsubscribe_url }}"}
    },
    address="Street 1",
)
CATALOG = Catalog(templates=frozenset({"hello"}))
JOURNEY: dict[str, Any] = {
    "journey": "j",
    "entry": {"trigger": {"event": "signed_up"}},
    "start": "a",
    "nodes": {"a": {"kind": "send", "template": "hello"}},
}
MANUAL = {"trigger": {"manual": True}}


def found(changes: dict[str, Any], seen: Seen = SEEN) -> list[tuple[str, str, str]]:
    """Level, place and message of each problem."""
    problems = Problems()
    definition = read({**copy.deepcopy(JOURNEY), **changes}, CATALOG, problems)
    assert definition is not None
    lint(definition, problems, seen)
    return [(one.level, one.place, one.message) for one in problems]


def warned(changes: dict[str, Any], seen: Seen = SEEN) -> list[tuple[str, str]]:
    problems = found(changes, seen)
    assert {level for level, *_ in problems} <= {"warning"}
    return [(place, message) for _, place, message in problems]


def nodes(**given: Any) -> dict[str, Any]:
    return {"nodes": given, "start": next(iter(given))}


def wait(length: str, then: str) -> dict[str, Any]:
    return {"kind": "wait", "for": length, "next": then}


def send(then: str | None = None, template: str = "hello") -> dict[str, Any]:
    return {"kind": "send", "template": template, **({"next": then} if then else {})}


def test_a_sound_journey_has_no_warnings() -> None:
    assert found({}) == []


def test_events_that_were_never_seen() -> None:
    look = {"kind": "wait", "until_event": {"event": "y", "timeout": "1d"}, "next": "b"}
    fork = {
        "kind": "branch",
        "paths": [{"name": "p", "when": {"any": [{"event": "w"}, {"event": "bought"}]}}],
    }
    places = warned(
        {
            "entry": {"trigger": {"event": "x"}, "filter": {"event": "v"}},
            "goal": {"event": "z"},
            **nodes(a=look, b=fork),
        }
    )
    assert {place for place, _ in places} == {
        "entry.trigger.event",
        "entry.filter",
        "goal.event",
        "nodes.a.until_event.event",
        "nodes.b.paths[0].when",
    }
    assert "“x” was never seen" in dict(places)["entry.trigger.event"]


def test_what_messages_do_is_seen_by_nature() -> None:
    """T7"""
    assert warned({"goal": {"event": "message_opened"}}) == []


def test_attributes_nobody_has() -> None:
    condition = {"all": [{"attribute": name, "op": "is_set"} for name in ("plan", "email")]}
    assert [place for place, _ in warned({"exit_when": condition})] == ["exit_when"]
    update = {"kind": "update", "set": {"plan": "x"}}
    assert warned({"exit_when": condition, **nodes(a=update)}) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ contact.lastname }}", "Nobody has “lastname” so far, so the mail stays empty there."),
        ("{{ contact.address.zip }}", "Nobody has “address.zip”"),
        ("{{ event.colour }}", "never had “colour”"),
        ("{{ event.properties.colour }}", "never had “colour”"),
        ("{{ user.name }}", "“user” is always empty"),
    ],
)
def test_variables_nobody_has(source: str, words: str) -> None:
    templates = {"hello": {"subject": "x", "text": source + "{{ unsubscribe_url }}"}}
    [(place, message)] = warned({}, Seen(**{**vars(SEEN), "templates": templates}))
    assert place == "nodes.a.template"
    assert words in message


@pytest.mark.parametrize(
    "source",
    ["{{ contact.email }} {{ contact.language }}", "{{ contact.first_name | default: 'you' }}",
     "{{ contact.address.city }}", "{{ event.plan }} {{ event.properties.plan }}", "{{ journey }}",
     "{{ event.name }} {{ now }} {{ preferences_url }} {{ postal_address }}"],
)  # fmt: skip
def test_variables_that_are_there(source: str) -> None:
    templates = {"hello": {"subject": "x", "text": source + "{{ unsubscribe_url }}"}}
    assert warned({}, Seen(**{**vars(SEEN), "templates": templates})) == []


def test_a_template_of_the_file_is_looked_at_too() -> None:
    given = {"templates": {"hello": {"subject": "{{ contact.x }}", "text": "{{ nobody }}"}}}
    places = [place for place, _ in warned(given)]
    assert places == ["templates.hello.text", "nodes.a.template", "nodes.a.template"]


def test_the_event_where_none_starts_the_journey() -> None:
    templates = {"hello": {"subject": "{{ event.plan }}", "text": "{{ unsubscribe_url }}"}}
    [(_, message)] = warned({"entry": MANUAL}, Seen(**{**vars(SEEN), "templates": templates}))
    assert "no event starts this journey" in message


def test_a_template_that_does_not_parse_is_an_error() -> None:
    """L1, also for templates of the installation."""
    templates = {"hello": {"subject": "x", "text": "{% if %} {{ unsubscribe_url }}"}}
    problems = found({}, Seen(**{**vars(SEEN), "templates": templates}))
    assert ("error", "nodes.a.template") in [(level, place) for level, place, _ in problems]


def test_marketing_mail_without_a_link_gets_a_footer_and_that_is_said() -> None:
    templates = {"hello": {"subject": "x", "text": "x"}}
    seen = Seen(**{**vars(SEEN), "templates": templates})
    assert [place for place, _ in warned({}, seen)] == ["nodes.a.template"]
    receipt = {"kind": "send", "template": "hello", "transactional": True}
    assert warned(nodes(a=receipt), seen) == []


def test_marketing_mail_needs_a_postal_address() -> None:
    assert [place for place, _ in warned({}, Seen(**{**vars(SEEN), "address": ""}))] == ["nodes"]


def test_a_wait_that_may_never_end() -> None:
    look = {"kind": "wait", "until_event": {"event": "bought"}}
    [(place, message)] = warned(nodes(a=look))
    assert place == "nodes.a.until_event.timeout"
    assert "for ever" in message


ALWAYS: list[Any] = [
    {"all": []},
    {"not": {"any": []}},
    {"any": [{"all": []}, {"attribute": "first_name", "op": "is_set"}]},
    {"attribute": "created_at", "op": "is_set"},
    {"attribute": "first_name", "op": "ne", "value": None},
    {"event": "bought", "count": {"op": "gte", "value": 0}},
    {"any": [{"event": "bought"}, {"not": {"event": "bought"}}]},
]
NEVER: list[Any] = [
    {"any": []},
    {"not": {"all": []}},
    {"attribute": "first_name", "op": "eq", "value": None},
    {"attribute": "first_name", "op": "in", "value": []},
    {"event": "bought", "count": {"op": "lt", "value": 0}},
    {"all": [{"event": "bought"}, {"not": {"event": "bought"}}]},
]


@pytest.mark.parametrize("condition", ALWAYS)
def test_a_filter_that_is_always_true(condition: Any) -> None:
    entry = {"trigger": {"event": "signed_up"}, "filter": condition}
    assert ("entry.filter", "The filter is always true.") in warned({"entry": entry})


@pytest.mark.parametrize("condition", NEVER)
def test_a_filter_that_never_holds(condition: Any) -> None:
    entry = {"trigger": {"event": "signed_up"}, "filter": condition}
    assert ("entry.filter", "Nobody can enter: the filter never holds.") in warned({"entry": entry})


def test_other_conditions_are_open() -> None:
    from contacts import conditions

    for data in (
        {"attribute": "a", "op": "is_set"},
        {"event": "a"},
        {"event": "a", "count": {"op": "lte", "value": 3}},
        {"all": [{"segment": "s"}, {"all": []}]},
        {"not": {"subscribed": "t"}},
    ):
        assert certainty(conditions.parse(data)) is None


def test_a_key_that_does_nothing() -> None:
    """§6"""
    entry = {"trigger": {"event": "signed_up", "key": "id"}, "reentry": "every_time"}
    assert [place for place, _ in warned({"entry": entry})] == ["entry.trigger.key"]


def test_a_webhook_without_tls() -> None:
    hook = {"kind": "webhook", "url": "http://example.com/"}
    assert [place for place, _ in warned(nodes(a=hook))] == ["nodes.a.url"]
    assert warned(nodes(a={**hook, "url": "https://example.com/{{ contact.email }}"})) == []


def test_a_variant_nobody_gets() -> None:
    split = {"kind": "split", "variants": {"a": 1, "b": 0}}
    assert [place for place, _ in warned(nodes(a=split))] == ["nodes.a.variants.b"]


def test_names_too_long_for_the_database_are_errors() -> None:
    long = "x" * 101
    problems = found({"journey": long, **nodes(**{long: send()})})
    assert {(level, place) for level, place, _ in problems} == {
        ("error", "journey"),
        ("error", f"nodes.{long}"),
    }


# mails in a day


def most(**given: Any) -> int | None:
    definition = read({**JOURNEY, **nodes(**given)}, CATALOG, Problems())
    assert definition is not None
    result = mails_a_day(definition)
    return result.mails if result else None


def test_mails_in_a_day_are_counted_along_the_worst_way() -> None:
    fork = {
        "kind": "branch",
        "paths": [{"name": "p", "when": {"event": "bought"}}],
        "next": {"p": "c", "else": "d"},
    }
    assert most(a=send("b"), b=fork, c=send("d"), d=send()) == 3
    assert most(a={"kind": "exit"}) == 0


def test_a_day_is_any_24_hours() -> None:
    assert most(a=send("w"), w=wait("24h", "b"), b=send()) == 1
    assert most(a=send("w"), w=wait("23h59m", "b"), b=send()) == 2
    assert (
        most(a=send("w"), w=wait("2d", "b"), b=send("c"), c=send("v"), v=wait("1h", "d"), d=send())
        == 3
    )


def test_an_event_may_come_at_once_and_a_timeout_does_not() -> None:
    look = {"kind": "wait", "until_event": {"event": "bought", "timeout": "2d"}}
    assert most(a=send("w"), w={**look, "next": "b"}, b=send()) == 2
    assert most(a=send("w"), w={**look, "next": {"timeout": "b"}}, b=send()) == 1


def test_circles_are_counted_as_often_as_they_fit_into_a_day() -> None:
    assert most(a=send("w"), w=wait("6h", "a")) == 4
    assert most(a=send("w"), w=wait("1m", "a")) == 1440
    endless = {"kind": "wait", "until_event": {"event": "bought"}, "next": "a"}
    assert most(a=send("w"), w=endless) is None
    assert most(w={**endless, "next": "w"}, a=send()) == 1


def test_the_number_is_said_with_the_cap_that_holds_it() -> None:
    capped = Seen(**{**vars(SEEN), "cap": (2, timedelta(days=7))})
    problems = Problems()
    definition = read({**JOURNEY, **nodes(a=send("b"), b=send())}, CATALOG, problems)
    assert definition is not None
    lint(definition, problems, capped)
    [problem] = problems
    assert (problem.place, problem.message) == (
        "nodes.a",
        "One person can get up to 2 mails within 24 hours, from “Send hello” (a) on.",
    )
    assert "2 in 7 days" in problem.hint


def said_of(changes: dict[str, Any], seen: Seen = SEEN) -> list[Any]:
    problems = Problems()
    definition = read({**copy.deepcopy(JOURNEY), **changes}, CATALOG, problems)
    assert definition is not None
    lint(definition, problems, seen)
    return list(problems)


def test_an_event_never_seen_is_said_once_with_all_that_use_it() -> None:
    look = {"kind": "wait", "until_event": {"event": "x", "timeout": "1d"}}
    goal = {"event": "x", "where": [{"property": "size", "op": "is_set"}]}
    given = {"goal": goal, **nodes(a={**look, "next": "b"}, b=look, c=send())}
    [problem] = said_of({**given, "nodes": {**given["nodes"], "b": {**look, "next": "c"}}})
    assert problem.place == "goal.event"
    assert "the goal, “Wait for x, at most 1 day” (a) and “Wait for x" in problem.message


def test_a_footer_comes_by_itself_and_is_said_once() -> None:
    bare = {"subject": "x", "text": "x"}
    seen = Seen(**{**vars(SEEN), "templates": {"hello": bare, "bye": bare},
                   "names": {"hello": "Hello there"}})  # fmt: skip
    given = nodes(a=send("w"), w=wait("2d", "b"), b=send(template="bye"))
    problems = Problems()
    definition = read({**JOURNEY, **given}, Catalog(frozenset({"hello", "bye"})), problems)
    assert definition is not None
    lint(definition, problems, seen)
    [problem] = problems
    assert "“Send Hello there” and “Send bye”" in problem.message
    assert problem.hint.startswith("Nothing to do")


@pytest.mark.parametrize(
    "source",
    [
        "{{ contact.company | default: 'you' }}",
        "{% if contact.company %}at {{ contact.company }}{% endif %}",
        "{% unless contact.company %}x{% else %}{{ contact.company | upcase }}{% endunless %}",
        "{% case contact.company %}{% when 'a' %}x{% endcase %}",
    ],
)
def test_a_variable_with_a_default_leaves_no_gap(source: str) -> None:
    templates = {"hello": {"subject": "x", "text": source + "{{ unsubscribe_url }}"}}
    assert warned({}, Seen(**{**vars(SEEN), "templates": templates})) == []


def test_a_default_elsewhere_does_not_help_here() -> None:
    text = "{{ contact.a | default: 'x' }} {{ contact.a }} {{ unsubscribe_url }}"
    seen = Seen(**{**vars(SEEN), "templates": {"hello": {"subject": "x", "text": text}}})
    [problem] = said_of({}, seen)
    assert problem.hint == "Give it a default: {{ contact.a | default: '…' }}."


def test_the_hint_for_an_odd_name_is_liquid() -> None:
    text = '{{ contact["Company name"] }} {{ unsubscribe_url }}'
    seen = Seen(**{**vars(SEEN), "templates": {"hello": {"subject": "x", "text": text}}})
    [problem] = said_of({}, seen)
    assert """{{ contact["Company name"] | default: '…' }}""" in problem.hint


def test_a_date_nobody_has() -> None:
    until = {"kind": "wait", "until_date": {"attribute": "renewal", "at": "09:00"}}
    [(place, message)] = warned(nodes(a=until))
    assert place == "nodes.a.until_date.attribute"
    assert "Nobody has the date “renewal”" in message
    [(place, message)] = warned({"entry": {"trigger": {"date": "renewal"}}})
    assert (place, "nobody enters" in message) == ("entry.trigger.date", True)
    known = {"attributes": frozenset({"renewal"})}
    assert warned(nodes(a=until), Seen(**{**vars(SEEN), **known})) == []
    never = {**known, "dateless": frozenset({"renewal"})}
    [(_, message)] = warned(nodes(a=until), Seen(**{**vars(SEEN), **never}))
    assert "never a date" in message


def test_every_problem_has_a_hint_and_a_place() -> None:
    problems = said_of(
        {
            "entry": {"trigger": {"event": "x", "key": "id"}, "reentry": "every_time",
                      "filter": {"all": [{"attribute": "q", "op": "is_set"}, {"any": []}]}},
            "goal": {"event": "bought"},
            **nodes(
                a=send("b"),
                b={"kind": "split", "variants": {"p": 1, "q": 0}, "next": "c"},
                c={"kind": "wait", "until_event": {"event": "y"}, "next": "d"},
                d={"kind": "webhook", "url": "http://example.com", "next": "e"},
                e={"kind": "wait", "until_date": {"attribute": "day"}, "next": "f"},
                f=send(),
            ),
        },
        Seen(**{**vars(SEEN), "address": "",
                "templates": {"hello": {"subject": "{{ contact.z }}", "text": "{{ event.z }}"}}}),
    )  # fmt: skip
    assert len(problems) >= 10
    for problem in problems:
        assert problem.place, problem
        assert problem.hint.endswith("."), problem


SAME = [{"property": "order.id", "op": "eq", "value": 1}]
AND_MORE = [*SAME, {"property": "order.id", "op": "is_set"}]
NEVER = "so “it happened” is never taken."


def left_before(
    where: list[Any] | None = None, target: Any = None, **before: Any
) -> list[tuple[str, str]]:
    """What is said of a wait for “bought”, for the where and what else ends the passage."""
    until = {"event": "bought", "where": where or [], "timeout": "1d"}
    steps = nodes(a={"kind": "wait", "until_event": until, "next": "b"}, b=target or send())
    found = warned({**before, **steps})
    return [(place, message) for place, message in found if place.startswith("nodes.a")]


@pytest.mark.parametrize(
    ("where", "before", "first"),
    [
        ([], {"goal": {"event": "bought"}}, "reaches the goal first and leaves"),
        (SAME, {"goal": {"event": "bought"}}, "reaches the goal first and leaves"),
        (AND_MORE, {"goal": {"event": "bought", "where": SAME}}, "reaches the goal first"),
        ([], {"exit_when": {"event": "bought"}}, "leaves the journey first"),
        (SAME, {"exit_when": {"event": "bought", "where": SAME, "since": "entry"}}, "leaves the"),
        ([], {"exit_when": {"any": [{"attribute": "first_name", "op": "is_set"},
                                    {"event": "bought"}]}}, "leaves the journey first"),
    ],
)  # fmt: skip
def test_a_wait_for_what_ends_the_passage_first(
    where: list[Any], before: dict[str, Any], first: str
) -> None:
    [(place, message)] = left_before(where, **before)
    assert place == "nodes.a.until_event.event"
    assert message.startswith(f"Whoever does “bought” {first}")
    assert message.endswith(NEVER)


@pytest.mark.parametrize(
    "before",
    [
        {"goal": {"event": "signed_up"}},
        {"goal": {"event": "bought", "where": SAME}},
        {"exit_when": {"event": "bought", "count": {"op": "gte", "value": 2}}},
        {"exit_when": {"event": "bought", "count": {"op": "eq", "value": 1}}},
        {"exit_when": {"event": "bought", "within": "1d"}},
        {"exit_when": {"all": [{"event": "bought"}, {"attribute": "first_name", "op": "is_set"}]}},
    ],
)
def test_a_wait_that_can_come_first_is_let_be(before: dict[str, Any]) -> None:
    assert left_before(**before) == []


def test_nobody_misses_a_line_that_leads_to_an_end() -> None:
    assert left_before(target={"kind": "exit"}, goal={"event": "bought"}) == []


def test_a_wait_of_many_years_is_asked_about() -> None:
    [(place, message)] = warned(nodes(a=wait("99999999d", "b"), b=wait("1825d", "c"), c=send()))
    assert (place, "more than 5 years" in message) == ("nodes.a.for", True)


def test_going_round_is_told_from_going_through() -> None:
    """Whoever starts over each hour gets a mail each hour; once through is one."""
    again = {"kind": "wait", "until_event": {"event": "bought", "timeout": "1h"}}
    given = nodes(
        a={**again, "next": {"event": "a", "timeout": "b"}},
        b=send("c"),
        c={"kind": "wait", "until_event": {"event": "bought", "timeout": "1d"},
           "next": {"event": "a"}},
    )  # fmt: skip
    definition = read({**JOURNEY, **given}, CATALOG, Problems())
    assert definition is not None
    assert mails_a_day(definition) == (24, "b", 1, ("bought",))
    [problem] = said_of(given)
    assert "Who does “bought” goes round again; once round is 1 mail." in problem.message
    straight = read({**JOURNEY, **nodes(a=send("b"), b=send())}, CATALOG, Problems())
    assert straight is not None
    assert mails_a_day(straight) == (2, "a", 2, ())


# robustness and the database


def test_a_journey_with_errors_is_looked_at_too() -> None:
    broken = {
        "a": {"kind": "wait", "for": "x", "until_event": 5, "next": "b"},
        "b": {"kind": "branch", "paths": 3, "next": "c"},
        "c": {"kind": "split", "variants": [], "next": "d"},
        "d": {"kind": "send", "template": 5, "next": "e"},
        "e": {"kind": "update", "set": 5, "next": "f"},
        "f": {"kind": "webhook", "next": "g"},
        "g": {"kind": "wait", "until_date": [], "next": "h"},
        "h": {"kind": "wait", "until_event": {}, "next": "a"},
    }
    problems = found({"nodes": broken, "entry": {"trigger": {"event": "nope"}}})
    assert ("warning", "entry.trigger.event") in [(level, place) for level, place, _ in problems]


@pytest.mark.django_db
def test_what_was_seen_comes_from_the_database(django_assert_num_queries: Any) -> None:
    from contacts.clock import now
    from contacts.models import AttributeName, EventName

    moment = now()
    EventName.objects.create(
        name="bought", properties={"id": ["number"]}, first_seen_at=moment, last_seen_at=moment
    )
    AttributeName.objects.create(
        name="plan", types=["text"], first_seen_at=moment, last_seen_at=moment
    )
    Template.objects.create(slug="hello", name="Hello", subject="x", text="y")
    with django_assert_num_queries(4):
        seen = Seen.load(["hello"])
    assert seen.events["bought"] == {"id"}
    assert seen.attributes == {"plan"}
    assert seen.dateless == {"plan"}
    assert seen.names == {"hello": "Hello"}
    assert seen.templates["hello"]["text"] == "y"
