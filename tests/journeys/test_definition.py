"""What a journey file may say, and what is said of one that is wrong (SEMANTICS §2, §3, §6, L1)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts.problems import Problems
from journeys.definition import Catalog, parse, read

JOURNEY: dict[str, Any] = {
    "journey": "trial",
    "name": "Trial",
    "entry": {
        "trigger": {
            "event": "trial_started",
            "where": [{"property": "plan", "op": "eq", "value": "team"}],
        },
        "filter": {"attribute": "country", "op": "in", "value": ["de", "fr"]},
        "reentry": "after_exit",
    },
    "goal": {"event": "subscribed"},
    "exit_when": {"attribute": "churned", "op": "eq", "value": True},
    "window": {"days": ["mon", "fri"], "from": "09:00", "to": "17:00"},
    "start": "welcome",
    "nodes": {
        "welcome": {"kind": "send", "template": "hello", "topic": "product", "next": "look"},
        "look": {
            "kind": "wait",
            "until_event": {"event": "made", "timeout": "3d"},
            "next": {"event": "which", "timeout": "short"},
        },
        "short": {"kind": "wait", "for": "7d", "next": "day"},
        "day": {"kind": "wait", "until_date": {"attribute": "due"}, "next": "open"},
        "open": {"kind": "wait", "until_window": {"from": "09:00"}, "next": "which"},
        "which": {
            "kind": "branch",
            "paths": [{"name": "big", "when": {"attribute": "seats", "op": "gte", "value": 10}}],
            "next": {"big": "mark", "else": "offer"},
        },
        "mark": {"kind": "update", "set": {"lead": True}, "next": "call"},
        "call": {"kind": "webhook", "url": "https://example.com/x", "next": {"ok": "offer"}},
        "offer": {"kind": "split", "variants": {"a": 70, "b": 30}, "next": {"a": "done"}},
        "done": {"kind": "exit", "reason": "offered"},
    },
    "templates": {"hello": {"name": "Hello", "subject": "Hi {{ contact.name }}", "text": "Hello"}},
    "segments": {
        "germans": {"name": "Germans", "when": {"attribute": "country", "op": "eq", "value": "de"}},
        "beta": {"name": "Beta", "members": ["u1"]},
    },
    "topics": {"product": {"name": "News", "default": "subscribed"}},
    "installation": {"timezone": "Europe/Berlin", "frequency_cap": {"count": 2, "within": "7d"}},
}

SET = {"attribute": "plan", "op": "is_set"}
SENT = {"message": "welcome", "did": "sent"}
SINCE = {"event": "made", "since": "entry"}
FOLLOW = [{"property": "id", "op": "eq", "value": {"trigger": "id"}}]
DEEP_NAME = ".".join("a" * 33)
DROP = object()

Change = tuple[str, Any]


def changed(*changes: Change) -> dict[str, Any]:
    """The journey with values put at places, whose steps are divided by slashes."""
    journey = copy.deepcopy(JOURNEY)
    for path, value in changes:
        *steps, last = path.split("/")
        place: Any = journey
        for step in steps:
            place = place[int(step) if isinstance(place, list) else step]
        key: Any = int(last) if isinstance(place, list) else last
        if value is DROP:
            del place[key]
        else:
            place[key] = copy.deepcopy(value)
    return journey


def check(journey: Any, catalog: Catalog | None = None) -> Problems:
    problems = Problems()
    definition = parse(journey, catalog or Catalog(), problems)
    assert (definition is None) == bool(problems.errors)
    return problems


def test_the_journey_that_the_others_are_made_of_is_right() -> None:
    assert check(JOURNEY) == []


# what is an error, and where it is reported

BY_HAND: tuple[Change, ...] = (("entry", {"trigger": {"manual": True}}),)

WRONG: dict[str, tuple[tuple[Change, ...], str]] = {
    # §2 the file
    "unknown key": ((("colour", "red"),), "colour"),
    "description is a number": ((("description", 5),), "description"),
    "no journey": ((("journey", DROP),), "journey"),
    "no entry": ((("entry", DROP),), "entry"),
    "entry is null": ((("entry", None),), "entry"),
    "no start": ((("start", DROP),), "start"),
    "no nodes": ((("nodes", DROP),), "nodes"),
    "nodes are a list": ((("nodes", []),), "nodes"),
    "nodes are empty": ((("nodes", {}),), "start"),
    "slug with a blank": ((("journey", "a b"),), "journey"),
    "slug is a number": ((("journey", 5),), "journey"),
    "slug ends in a line break": ((("journey", "a\n"),), "journey"),
    "slug is empty": ((("journey", ""),), "journey"),
    "name is a number": ((("name", 5),), "name"),
    "node id with a dot": (
        (("nodes/a.b", {"kind": "exit"}), ("nodes/call/next/failed", "a.b")),
        "nodes.a.b",
    ),
    "node is text": ((("nodes/done", "exit"),), "nodes.done"),
    "start is nowhere": ((("start", "nowhere"),), "start"),
    "start is a number": ((("start", 1), ("nodes/1", {"kind": "exit"})), "start"),
    "edge to nowhere": ((("nodes/short/next", "nowhere"),), "nodes.short.next"),
    "edge of an outcome to nowhere": ((("nodes/call/next/ok", "x"),), "nodes.call.next.ok"),
    "edge to null": ((("nodes/call/next/failed", None),), "nodes.call.next.failed"),
    "next is a list": ((("nodes/call/next", ["offer"]),), "nodes.call.next"),
    "unreachable": ((("nodes/lonely", {"kind": "exit"}),), "nodes.lonely"),
    "unknown outcome": ((("nodes/call/next/done", "done"),), "nodes.call.next.done"),
    "unknown outcome of a path": ((("nodes/which/next/small", "done"),), "nodes.which.next.small"),
    "timeout without one (§6)": (
        (("nodes/look/until_event/timeout", DROP),),
        "nodes.look.next.timeout",
    ),
    "next of exit (§6)": ((("nodes/done/next", "offer"),), "nodes.done.next"),
    "next of exit, empty (§6)": ((("nodes/done/next", {}),), "nodes.done.next"),
    "unknown kind": ((("nodes/done/kind", "stop"),), "nodes.done.kind"),
    "no kind": ((("nodes/done/kind", DROP),), "nodes.done.kind"),
    "kind is a list": ((("nodes/done/kind", []),), "nodes.done.kind"),
    "unknown key of a node": ((("nodes/short/colour", 1),), "nodes.short.colour"),
    "key of another kind": ((("nodes/short/template", "hello"),), "nodes.short.template"),
    # entry
    "unknown key of entry": ((("entry/when", SET),), "entry.when"),
    "no trigger": ((("entry/trigger", DROP),), "entry.trigger"),
    "two triggers": ((("entry/trigger", {"event": "x", "manual": True}),), "entry.trigger"),
    "trigger is text": ((("entry/trigger", "x"),), "entry.trigger"),
    "trigger is empty": ((("entry/trigger", {}),), "entry.trigger"),
    "manual is false": ((("entry/trigger", {"manual": False}),), "entry.trigger.manual"),
    "event is empty": ((("entry/trigger", {"event": ""}),), "entry.trigger.event"),
    "event is a number": ((("entry/trigger", {"event": 1}),), "entry.trigger.event"),
    "where is a mapping": ((("entry/trigger/where", {}),), "entry.trigger.where"),
    "timeout of a trigger": ((("entry/trigger/timeout", "1d"),), "entry.trigger.timeout"),
    "key on a segment (§6)": (
        (("entry", {"trigger": {"segment": "germans", "key": "id"}}),),
        "entry.trigger.key",
    ),
    "key on a date (§6)": (
        (("entry", {"trigger": {"date": "due", "key": "id"}}),),
        "entry.trigger.key",
    ),
    "key is empty": ((("entry/trigger/key", ""),), "entry.trigger.key"),
    "unknown segment of the trigger (L1)": (
        (("entry", {"trigger": {"segment": "none"}}),),
        "entry.trigger.segment",
    ),
    "date is a number": ((("entry", {"trigger": {"date": 5}}),), "entry.trigger.date"),
    "yearly without at": (
        (("entry", {"trigger": {"date": "due", "yearly": True}}),),
        "entry.trigger.at",
    ),
    "yearly is text": (
        (("entry", {"trigger": {"date": "due", "at": "09:00", "yearly": "yes"}}),),
        "entry.trigger.yearly",
    ),
    "offset of hours with at": (
        (("entry", {"trigger": {"date": "due", "at": "09:00", "offset": "36h"}}),),
        "entry.trigger.offset",
    ),
    "unknown reentry": ((("entry/reentry", "always"),), "entry.reentry"),
    "reentry with two keys": ((("entry/reentry", {"after": "1d", "x": 1}),), "entry.reentry"),
    "after 0s (§6)": ((("entry/reentry", {"after": "0s"}),), "entry.reentry.after"),
    "trigger value in the trigger (§6)": (
        (("entry/trigger/where", FOLLOW),),
        "entry.trigger.where[0].value",
    ),
    "message in the filter": ((("entry/filter", SENT),), "entry.filter"),
    "since in the filter": ((("entry/filter", {"not": SINCE}),), "entry.filter.not.since"),
    "trigger value in the filter without an event": (
        (*BY_HAND, ("entry/filter", {"event": "x", "where": FOLLOW})),
        "entry.filter.where[0].value",
    ),
    # goal and exit
    "since in the goal": ((("goal", {"all": [SINCE]}),), "goal.all[0]"),
    "message in the goal": ((("goal", {"any": [SENT]}),), "goal.any[0]"),
    "event with a count as goal (G1)": (
        (("goal", {"event": "x", "count": {"op": "gte", "value": 2}}),),
        "goal.count",
    ),
    "goal is null": ((("goal", None),), "goal"),
    "trigger value in the goal without an event": (
        (*BY_HAND, ("goal", {"event": "x", "where": FOLLOW})),
        "goal.where[0].value",
    ),
    "exit_when is empty": ((("exit_when", {}),), "exit_when"),
    "trigger value in exit_when without an event": (
        (*BY_HAND, ("exit_when", {"event": "x", "where": FOLLOW})),
        "exit_when.where[0].value",
    ),
    # windows (W4)
    "window from is to": ((("window", {"from": "09:00", "to": "09:00"}),), "window"),
    "window from midnight to midnight": ((("window", {"to": "00:00"}),), "window"),
    "window from 24:00 (§6)": ((("window/from", "24:00"),), "window.from"),
    "window without days (§6)": ((("window/days", []),), "window.days"),
    "window with an unknown day": ((("window/days", ["monday"]),), "window.days[0]"),
    "window with a list for a day": ((("window/days", [["mon"]]),), "window.days[0]"),
    "window at 25:00": (
        (("nodes/open/until_window/from", "25:00"),),
        "nodes.open.until_window.from",
    ),
    "window at 9": ((("window/from", 9),), "window.from"),
    "window at 9:00": ((("window/from", "9:00"),), "window.from"),
    "window with digits of another script": ((("window/from", "0٩:00"),), "window.from"),
    "unknown key of a window": ((("window/until", "09:00"),), "window.until"),
    # waits
    "two waits": ((("nodes/short/until_window", {"from": "09:00"}),), "nodes.short"),
    "no wait": ((("nodes/short/for", DROP),), "nodes.short"),
    "for 0s (§6)": ((("nodes/short/for", "0s"),), "nodes.short.for"),
    "for, not falling": ((("nodes/short/for", "1h1d"),), "nodes.short.for"),
    "for, twice a unit": ((("nodes/short/for", "1h1h"),), "nodes.short.for"),
    "for, a fraction": ((("nodes/short/for", "1.5h"),), "nodes.short.for"),
    "for, a number": ((("nodes/short/for", 60),), "nodes.short.for"),
    "for, empty": ((("nodes/short/for", ""),), "nodes.short.for"),
    "for, with a sign": ((("nodes/short/for", "-1h"),), "nodes.short.for"),
    "for, with a blank": ((("nodes/short/for", "1d 2h"),), "nodes.short.for"),
    "for, too long": ((("nodes/short/for", "9" * 30 + "w"),), "nodes.short.for"),
    "timeout 0s (§6)": (
        (("nodes/look/until_event/timeout", "0s"),),
        "nodes.look.until_event.timeout",
    ),
    "timeout null": (
        (("nodes/look/until_event/timeout", None),),
        "nodes.look.until_event.timeout",
    ),
    "unknown key of a wait for an event": (
        (("nodes/look/until_event/count", 2),),
        "nodes.look.until_event.count",
    ),
    "no event": ((("nodes/look/until_event/event", DROP),), "nodes.look.until_event.event"),
    "no attribute": (
        (("nodes/day/until_date", {"at": "09:00"}),),
        "nodes.day.until_date.attribute",
    ),
    "offset of hours with at in a wait": (
        (("nodes/day/until_date", {"attribute": "due", "at": "09:00", "offset": "-1h"}),),
        "nodes.day.until_date.offset",
    ),
    "yearly in a wait": (
        (("nodes/day/until_date/yearly", True),),
        "nodes.day.until_date.yearly",
    ),
    "at 24:00 (§6)": ((("nodes/day/until_date/at", "24:00"),), "nodes.day.until_date.at"),
    "trigger value in a wait without an event": (
        (*BY_HAND, ("nodes/look/until_event/where", FOLLOW)),
        "nodes.look.until_event.where[0].value",
    ),
    # branch, split, update, webhook, send
    "path else (§6)": ((("nodes/which/paths/0/name", "else"),), "nodes.which.paths[0].name"),
    "no paths (§6)": ((("nodes/which/paths", []),), "nodes.which.paths"),
    "paths left out (§6)": ((("nodes/which/paths", DROP),), "nodes.which.paths"),
    "paths alike (§6)": (
        (("nodes/which/paths", [{"name": "big", "when": SET}, {"name": "big", "when": SET}]),),
        "nodes.which.paths[1].name",
    ),
    "path without when": ((("nodes/which/paths/0/when", DROP),), "nodes.which.paths[0].when"),
    "path without name": ((("nodes/which/paths/0/name", DROP),), "nodes.which.paths[0].name"),
    "weights of 0 (L1)": ((("nodes/offer/variants", {"a": 0, "b": 0}),), "nodes.offer.variants"),
    "negative weight": ((("nodes/offer/variants/a", -1),), "nodes.offer.variants.a"),
    "half a weight": ((("nodes/offer/variants/a", 1.5),), "nodes.offer.variants.a"),
    "weight true": ((("nodes/offer/variants/a", True),), "nodes.offer.variants.a"),
    "no variants": ((("nodes/offer/variants", {}),), "nodes.offer.variants"),
    "variants are a list": ((("nodes/offer/variants", ["a"]),), "nodes.offer.variants"),
    "set external_id": ((("nodes/mark/set", {"external_id": "x"}),), "nodes.mark.set.external_id"),
    "set created_at": ((("nodes/mark/set", {"created_at": "x"}),), "nodes.mark.set.created_at"),
    "set email to a number": ((("nodes/mark/set", {"email": 5}),), "nodes.mark.set.email"),
    "set is a list": ((("nodes/mark/set", []),), "nodes.mark.set"),
    "set a name of too many parts": (
        (("nodes/mark/set", {DEEP_NAME: 1}),),
        f"nodes.mark.set.{DEEP_NAME}",
    ),
    "no url": ((("nodes/call/url", DROP),), "nodes.call.url"),
    "unknown method": ((("nodes/call/method", "PULL"),), "nodes.call.method"),
    "header with a line break": (
        (("nodes/call/headers", {"X-A": "a\nb"}),),
        "nodes.call.headers.X-A",
    ),
    "header with a colon": ((("nodes/call/headers", {"X:": "a"}),), "nodes.call.headers.X:"),
    "url that does not parse (L1)": ((("nodes/call/url", "{% if %}"),), "nodes.call.url"),
    "header that does not parse (L1)": (
        (("nodes/call/headers", {"X-A": "{{ a | nope }}"}),),
        "nodes.call.headers.X-A",
    ),
    "body that does not parse (L1)": (
        (("nodes/call/body", {"a": [1, "{% if %}"]}),),
        "nodes.call.body.a[1]",
    ),
    "reason is a number": ((("nodes/done/reason", 5),), "nodes.done.reason"),
    "no template": ((("nodes/welcome/template", DROP),), "nodes.welcome.template"),
    "transactional is text": (
        (("nodes/welcome/transactional", "yes"),),
        "nodes.welcome.transactional",
    ),
    "unknown template (L1)": ((("nodes/welcome/template", "none"),), "nodes.welcome.template"),
    "unknown topic (L1)": ((("nodes/welcome/topic", "none"),), "nodes.welcome.topic"),
    # conditions
    "unknown segment (L1)": (
        (("nodes/which/paths/0/when", {"segment": "none"}),),
        "nodes.which.paths[0].when.segment",
    ),
    "unknown topic in a condition (L1)": (
        (("entry/filter", {"all": [{"subscribed": "none"}]}),),
        "entry.filter.all[0].subscribed",
    ),
    "message of no send": (
        (("nodes/which/paths/0/when", {"message": "look", "did": "sent"}),),
        "nodes.which.paths[0].when.message",
    ),
    "message of nothing": (
        (("exit_when", {"message": "none", "did": "sent"}),),
        "exit_when.message",
    ),
    "unknown did": (
        (("exit_when", {"message": "welcome", "did": "read"}),),
        "exit_when.did",
    ),
    "value of is_set": ((("entry/filter", {**SET, "value": True}),), "entry.filter.value"),
    "unknown operator": (
        (("entry/filter", {"attribute": "a", "op": "like", "value": "x"}),),
        "entry.filter.op",
    ),
    "unknown operator of a count": (
        (("entry/filter", {"event": "x", "count": {"op": "in", "value": 1}}),),
        "entry.filter.count.op",
    ),
    "two conditions in one": ((("entry/filter", {**SET, "segment": "germans"}),), "entry.filter"),
    "unknown key of a condition": (
        (("entry/filter", {**SET, "since": "entry"}),),
        "entry.filter.since",
    ),
    # sections
    "templates are a list": ((("templates", []), ("nodes/welcome/template", "x")), "templates"),
    "template without subject (§6)": (
        (("templates/hello/subject", DROP),),
        "templates.hello.subject",
    ),
    "template without a body (§6)": ((("templates/hello/text", DROP),), "templates.hello"),
    "template that does not parse (L1)": (
        (("templates/hello/text", "{% if %}"),),
        "templates.hello.text",
    ),
    "subject that does not parse (L1)": (
        (("templates/hello/subject", "{{ contact. }"),),
        "templates.hello.subject",
    ),
    "body is a number": ((("templates/hello/html", 5),), "templates.hello.html"),
    "unknown key of a template": ((("templates/hello/from", "x"),), "templates.hello.from"),
    "slug of a template": ((("templates/a b", {"subject": "x", "text": "x"}),), "templates.a b"),
    "segment with both": ((("segments/germans/members", []),), "segments.germans"),
    "segment with neither": ((("segments/beta/members", DROP),), "segments.beta"),
    "members are text": ((("segments/beta/members", "u1"),), "segments.beta.members"),
    "members are numbers": ((("segments/beta/members", [1]),), "segments.beta.members"),
    "message in a segment": ((("segments/germans/when", SENT),), "segments.germans.when"),
    "since in a segment": ((("segments/germans/when", SINCE),), "segments.germans.when.since"),
    "trigger value in a segment (§6)": (
        (("segments/germans/when", {"event": "x", "where": FOLLOW}),),
        "segments.germans.when.where[0].value",
    ),
    "unknown segment in a segment": (
        (("segments/germans/when", {"segment": "none"}),),
        "segments.germans.when.segment",
    ),
    "segment of itself (C5)": (
        (("segments/germans/when", {"not": {"segment": "germans"}}),),
        "segments.germans.when",
    ),
    "segments in a circle (C5)": (
        (
            ("segments/germans/when", {"segment": "other"}),
            ("segments/other", {"name": "o", "when": {"any": [{"segment": "germans"}]}}),
        ),
        "segments.other.when",
    ),
    "topic all": ((("topics/all", {"name": "All"}),), "topics.all"),
    "unknown default": ((("topics/product/default", "maybe"),), "topics.product.default"),
    "unknown zone": ((("installation/timezone", "Mars"),), "installation.timezone"),
    "the machine's zone": ((("installation/timezone", "localtime"),), "installation.timezone"),
    "cap within 0s (§6)": (
        (("installation/frequency_cap/within", "0s"),),
        "installation.frequency_cap.within",
    ),
    "cap without count": (
        (("installation/frequency_cap/count", DROP),),
        "installation.frequency_cap.count",
    ),
    "cap below 0": (
        (("installation/frequency_cap/count", -1),),
        "installation.frequency_cap.count",
    ),
    # cycles (L1)
    "cycle": ((("nodes/mark/next", "which"),), "nodes.which"),
    "cycle of one": ((("nodes/mark/next", "mark"),), "nodes.mark"),
    "cycle through a date (L1)": ((("nodes/day/next", "day"),), "nodes.day"),
    "cycle through a window (L1)": ((("nodes/open/next", "day"),), "nodes.day"),
    "cycle through a short wait (L1)": (
        (
            ("nodes/short/for", "59s"),
            ("nodes/short/next", "short"),
            ("nodes/look/next", "which"),
            ("nodes/mark/next", "short"),
            ("nodes/day", DROP),
            ("nodes/open", DROP),
            ("nodes/call", DROP),
        ),
        "nodes.short",
    ),
    "cycle past a short timeout (L1)": (
        (
            ("nodes/look/until_event/timeout", "59s"),
            ("nodes/look/next/timeout", "look"),
            ("nodes/short", DROP),
            ("nodes/day", DROP),
            ("nodes/open", DROP),
        ),
        "nodes.look",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_name_their_place(name: str) -> None:
    changes, place = WRONG[name]
    problems = check(changed(*changes))
    assert place in [problem.place for problem in problems.errors], list(problems)
    assert all(problem.message.endswith(".") for problem in problems)


@pytest.mark.parametrize("name", [name for name in WRONG if not name.startswith(("no ", "cycle"))])
def test_one_mistake_is_one_error_with_a_hint(name: str) -> None:
    """What is wrong in one place does not hide under what follows from it."""
    changes, place = WRONG[name]
    here = [problem for problem in check(changed(*changes)).errors if problem.place == place]
    assert len(here) == 1


def test_all_problems_are_reported_together() -> None:
    changes = [
        ("colour", 1),
        ("start", "x"),
        ("entry/reentry", "y"),
        ("nodes/short/for", "z"),
        ("nodes/offer/variants/a", -1),
        ("segments/germans/when", {}),
    ]
    places = [problem.place for problem in check(changed(*changes))]
    for path, _ in changes:
        assert path.replace("/", ".") in places


@pytest.mark.parametrize("data", [None, [], "x", 5, True, {}, {"nodes": None}, {"journey": None}])
def test_what_is_no_journey_at_all_is_an_error_and_no_crash(data: Any) -> None:
    assert check(data).errors


# what is allowed

RIGHT: dict[str, tuple[Change, ...]] = {
    "no name": (("name", DROP),),
    "a description beside the name": (("description", "What it is for."),),
    "no goal, exit, window": (("goal", DROP), ("exit_when", DROP), ("window", DROP)),
    "slugs of all letters": (("journey", "A_b-9"),),
    "a slug of digits and dashes": (("journey", "-0-"),),
    "node ids of all letters": (
        ("nodes/-9_Z", {"kind": "exit"}),
        ("nodes/call/next/failed", "-9_Z"),
    ),
    "no edges at all": (("nodes", {"a": JOURNEY["nodes"]["which"] | {"next": {}}}), ("start", "a")),
    "next left out": (("nodes", {"a": {"kind": "wait", "for": "1s"}}), ("start", "a")),
    "a plain next serves every outcome": (("nodes/which/next", "mark"),),
    "where is empty": (("entry/trigger/where", []),),
    "a dotted key": (("entry/trigger/key", "order.id"),),
    "key with every_time": (("entry/trigger/key", "id"), ("entry/reentry", "every_time")),
    "reentry left out": (("entry/reentry", DROP),),
    "reentry once": (("entry/reentry", "once"),),
    "reentry after": (("entry/reentry", {"after": "30d"}),),
    "by segment": (("entry", {"trigger": {"segment": "germans"}}),),
    "by a static segment": (("entry", {"trigger": {"segment": "beta"}}),),
    "by date": (("entry", {"trigger": {"date": "due", "offset": "-3d", "at": "09:00"}}),),
    "by date of a dotted name": (("entry", {"trigger": {"date": "a.b", "offset": "36h"}}),),
    "by date with a plus": (("entry", {"trigger": {"date": "due", "offset": "+3d"}}),),
    "by date yearly": (("entry", {"trigger": {"date": "due", "at": "00:00", "yearly": True}}),),
    "by date not yearly": (("entry", {"trigger": {"date": "due", "yearly": False}}),),
    "whole days in hours": (
        ("entry", {"trigger": {"date": "due", "at": "09:00", "offset": "48h"}}),
    ),
    "offset of nothing": (("entry", {"trigger": {"date": "due", "at": "09:00", "offset": "0d"}}),),
    "by hand": BY_HAND,
    "trigger value in the filter": (("entry/filter", {"event": "x", "where": FOLLOW}),),
    "trigger value in the goal": (("goal", {"event": "x", "where": FOLLOW}),),
    "trigger value in exit_when": (("exit_when", {"event": "x", "where": FOLLOW}),),
    "trigger value in a wait": (("nodes/look/until_event/where", FOLLOW),),
    "trigger value in a branch": (("nodes/which/paths/0/when", {"event": "x", "where": FOLLOW}),),
    "goal is a condition": (("goal", {"all": [SET, {"not": {"segment": "beta"}}]}),),
    "message and since in exit_when": (("exit_when", {"any": [SENT, SINCE]}),),
    "message and since in a branch": (("nodes/which/paths/0/when", {"all": [SENT, SINCE]}),),
    "since and within together": (
        ("exit_when", {**SINCE, "within": "0s", "count": {"op": "lte", "value": 0}}),
    ),
    "subscribed in a filter": (("entry/filter", {"subscribed": "product"}),),
    "empty all and any": (("entry/filter", {"all": [{"any": []}]}),),
    "value null": (("entry/filter", {"attribute": "a", "op": "eq", "value": None}),),
    "a value that never fits": (("entry/filter", {"attribute": "a", "op": "gt", "value": []}),),
    "in without a list": (("entry/filter", {"attribute": "a", "op": "in", "value": "x"}),),
    "before now": (("entry/filter", {"attribute": "a", "op": "before", "value": "now"}),),
    "within_last": (("entry/filter", {"attribute": "a", "op": "within_last", "value": "30d"}),),
    "window over midnight": (("window", {"from": "22:00", "to": "06:00"}),),
    "window until 24:00": (("window", {"from": "22:00", "to": "24:00"}),),
    "window until 00:00": (("window", {"from": "22:00", "to": "00:00"}),),
    "window of days only": (("window", {"days": ["sun"]}),),
    "window that is always open": (("window", {}),),
    "a day that stands twice": (("window/days", ["mon", "mon"]),),
    "duration in all units": (("nodes/short/for", "1w2d3h4m5s"),),
    "duration with large amounts": (("nodes/short/for", "100h90m"),),
    "a wait of a second": (("nodes/short/for", "1s"),),
    "a wait with no end": (
        ("nodes/look/until_event", {"event": "made"}),
        ("nodes/look/next", {"event": "short"}),
    ),
    "outcomes of a date": (
        ("nodes/day/next", {"next": "open", "past": "done", "missing": "which"}),
    ),
    "cycle through a wait of a minute (L1)": (
        ("nodes/short/for", "1m"),
        ("nodes/which/next/else", "short"),
        ("nodes/mark/next", "offer"),
        ("nodes/call", DROP),
    ),
    "cycle through an endless wait (L1)": (
        ("nodes/look/until_event", {"event": "made"}),
        ("nodes/look/next", {"event": "short"}),
        ("nodes/call/next/failed", "look"),
    ),
    "cycle through a timeout of a minute (L1)": (
        ("nodes/look/until_event/timeout", "1m"),
        ("nodes/call/next/failed", "look"),
    ),
    "any name for a path": (
        ("nodes/which/paths/0/name", "Größer als 10. "),
        ("nodes/which/next", {"else": "mark"}),
    ),
    "a path called like an outcome": (
        ("nodes/which/paths/0/name", "next"),
        ("nodes/which/next", {"else": "mark"}),
    ),
    "a weight of 0 beside another": (("nodes/offer/variants", {"a": 0, "b": 1}),),
    "one variant": (("nodes/offer/variants", {"a": 1}),),
    "set and remove": (
        (
            "nodes/mark/set",
            {"a.b.c": [1], "d": None, DEEP_NAME[2:]: 1, "email": None, "timezone": "x"},
        ),
    ),
    "a webhook with everything": (
        (
            "nodes/call",
            {
                "kind": "webhook",
                "url": "https://example.com/{{ contact.id }}",
                "method": "PUT",
                "headers": {"X-A": "{{ event.id }}"},
                "body": {"a": [1, "{{ contact.email }}"]},
                "next": "offer",
            },
        ),
    ),
    "a body of text": (("nodes/call/body", "x={{ contact.email }}"),),
    "exit without a reason": (("nodes/done/reason", DROP),),
    "a send without a topic": (("nodes/welcome/topic", DROP),),
    "a transactional send": (("nodes/welcome/transactional", True),),
    "a template of all parts": (
        (
            "templates/hello",
            {
                "subject": "x",
                "text": "x",
                "html": "<p>x</p>",
                "markdown": "x",
                "mjml": "<mjml><mj-body></mj-body></mjml>",
            },
        ),
    ),
    "a segment without members": (("segments/beta/members", []),),
    "a segment on a segment": (("segments/germans/when", {"segment": "beta"}),),
    "a topic without a default": (("topics/product", {}),),
    "a topic unsubscribed by default": (("topics/product/default", "unsubscribed"),),
    "a cap of nothing": (("installation/frequency_cap/count", 0),),
    "an empty installation": (("installation", {}),),
    "no sections but those needed": (("segments", DROP), ("installation", DROP)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_the_page_allows_is_accepted(name: str) -> None:
    problems = check(changed(*RIGHT[name]))
    unreachable = [one for one in problems if one.message == "Cannot be reached."]
    assert [one for one in problems.errors if one not in unreachable] == []


LOST = ("nodes/lost", {"kind": "exit"})
BY_DATE: tuple[Change, ...] = (("goal", DROP), ("exit_when", DROP))
TOGETHER: dict[str, tuple[tuple[Change, ...], set[str]]] = {
    # an outcome that is none, beside settings that are wrong
    "a send": ((("nodes/welcome/topic", 5), ("nodes/welcome/next", {"ok": "look"})),
               {"nodes.welcome.topic", "nodes.welcome.next.ok"}),
    "a wait for a time": ((("nodes/short/for", "x"), ("nodes/short/next", {"past": "day"})),
                          {"nodes.short.for", "nodes.short.next.past"}),
    "a wait for an event": (
        (("nodes/look/until_event", {"event": ""}),),
        {"nodes.look.until_event.event", "nodes.look.next.timeout"},
    ),
    "a wait whose timeout can't be read": (
        (("nodes/look/until_event/timeout", 5),
         ("nodes/look/next", {"event": "which", "timeout": "short", "next": "day"})),
        {"nodes.look.until_event.timeout", "nodes.look.next.next"},
    ),
    "a wait whose timeout is misspelt": (
        (("nodes/look/until_event", {"event": "made", "timout": "3d"}),),
        {"nodes.look.until_event.timout"},
    ),
    "a wait whose timeout stands beside": (
        (("nodes/look/until_event", {"event": "made"}), ("nodes/look/timeout", "3d")),
        {"nodes.look.timeout"},
    ),
    "a wait for opening hours": (
        (("nodes/open/until_window", {"days": []}), ("nodes/open/next", {"past": "which"})),
        {"nodes.open.until_window.days", "nodes.open.next.past"},
    ),
    "a wait of two kinds": (
        (("nodes/short/until_date", {"attribute": "a"}),
         ("nodes/short/next", {"next": "day", "past": "day", "event": "day"})),
        {"nodes.short", "nodes.short.next.event"},
    ),
    "a branch whose condition is wrong": (
        (("nodes/which/paths/0/when", {}), ("nodes/which/next/small", "offer")),
        {"nodes.which.paths[0].when", "nodes.which.next.small"},
    ),
    "a branch whose path has no name": (
        (("nodes/which/paths/0/name", ""), ("nodes/which/next/small", "offer")),
        {"nodes.which.paths[0].name"},
    ),
    "a branch whose path is called by a number": (
        (("nodes/which/paths/0/name", 5), ("nodes/which/next/small", "offer")),
        {"nodes.which.paths[0].name"},
    ),
    "a branch without paths": ((("nodes/which/paths", []),), {"nodes.which.paths"}),
    "a split": (
        (("nodes/offer/variants", {"a": -1, "b": "q"}), ("nodes/offer/next/c", "done")),
        {"nodes.offer.variants.a", "nodes.offer.variants.b", "nodes.offer.next.c"},
    ),
    "a split without variants": ((("nodes/offer/variants", 5),), {"nodes.offer.variants"}),
    "an update": ((("nodes/mark/set", {}), ("nodes/mark/next", {"ok": "call"})),
                  {"nodes.mark.set", "nodes.mark.next.ok"}),
    "a webhook": ((("nodes/call/method", "FOO"), ("nodes/call/next/next", "offer")),
                  {"nodes.call.method", "nodes.call.next.next"}),
    "an exit": ((("nodes/done/reason", 5), ("nodes/done/next", "day")),
                {"nodes.done.reason", "nodes.done.next"}),
    # several mistakes in one setting
    "a date that is waited for": (
        (("nodes/day/until_date", {"attribute": "", "at": "24:00", "offset": "x"}),),
        {f"nodes.day.until_date.{key}" for key in ("attribute", "at", "offset")},
    ),
    "a date without its attribute": (
        (("nodes/day/until_date", {"at": "24:00", "offset": "12h"}),),
        {f"nodes.day.until_date.{key}" for key in ("attribute", "at", "offset")},
    ),
    "a date that starts": (
        (*BY_DATE, ("entry", {"trigger": {
            "date": "", "at": "24:00", "offset": "12h", "yearly": "x"}})),
        {f"entry.trigger.{key}" for key in ("date", "at", "offset", "yearly")},
    ),
    "a cap that lacks a part": (
        (("installation/frequency_cap", {"count": "x"}),),
        {"installation.frequency_cap.count", "installation.frequency_cap.within"},
    ),
    "a cap of two mistakes": (
        (("installation/frequency_cap", {"count": "x", "within": "0s"}),),
        {"installation.frequency_cap.count", "installation.frequency_cap.within"},
    ),
    "a template": (
        (("templates/hello", {"name": 5, "text": "{{", "html": 5, "mjml": 6}),),
        {f"templates.hello.{key}" for key in ("name", "subject", "text", "html", "mjml")},
    ),
    "a template without a body": ((("templates/hello", {"name": "x", "subject": "{{"}),),
                                  {"templates.hello", "templates.hello.subject"}),
    "a template of blanks": ((("templates/hello", {"subject": " ", "html": " "}),),
                             {"templates.hello.subject", "templates.hello.text"}),
    "a segment": ((("segments/germans", {"name": 5}),),
                  {"segments.germans", "segments.germans.name"}),
    # nodes that nothing leads to, beside nodes that can't be read
    "a kind that there is not": (
        (LOST, ("nodes/short/kind", "wayt")),
        {"nodes.lost", "nodes.short.kind"},
    ),
    "a kind that there is not, to nowhere": (
        (("nodes/short/kind", "wayt"), ("nodes/short/next", {"x": "nowhere", "y": "day"})),
        {"nodes.short.kind", "nodes.short.next.x"},
    ),
    "settings that are wrong": (
        (LOST, ("nodes/short/for", "x")),
        {"nodes.lost", "nodes.short.for"},
    ),
    "a split by what can't be read": (
        (LOST, ("nodes/offer/variants", "x"), ("nodes/offer/next", "done")),
        {"nodes.lost", "nodes.offer.variants"},
    ),
    "a next that can't be read": ((LOST, ("nodes/short/next", 5)), {"nodes.short.next"}),
    "a target that can't be read": ((LOST, ("nodes/call/next/ok", 5)), {"nodes.call.next.ok"}),
    "a node that can't be read": ((LOST, ("nodes/done", "x")), {"nodes.done"}),
    "a node that can't be read and nothing leads to": (
        (LOST, ("nodes/other", "x")),
        {"nodes.lost", "nodes.other"},
    ),
    "a start that there is not": ((LOST, ("start", "nowhere")), {"start"}),
    # circles
    "a circle and a start that there is not": (
        (("start", "nowhere"), ("nodes/call/next/ok", "mark")),
        {"start", "nodes.mark"},
    ),
    "a circle through a wait that can't be read": (
        (("nodes/short", {"kind": "wait", "for": "x", "next": "look"}),
         ("nodes/look", {"kind": "wait", "until_event": {"event": ""}, "next": "short"})),
        {"nodes.short.for", "nodes.look.until_event.event"},
    ),
}  # fmt: skip
#: What the changes leave without a way in; it is not what these are about.
CUT_OFF = {f"nodes.{key}" for key in JOURNEY["nodes"]}


@pytest.mark.parametrize("name", TOGETHER)
def test_mistakes_that_stand_together_are_reported_together(name: str) -> None:
    changes, places = TOGETHER[name]
    found = check(changed(*changes)).errors
    unreached = {one.place for one in found if one.message == "Cannot be reached."} & CUT_OFF
    assert {one.place for one in found} - unreached == places


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (("nodes/which/paths/0/name", ""), "nodes.which.paths[0].name", "Give the path a name."),
        (("nodes/which/paths/0/when", {}), "nodes.which.paths[0].when", "Add a condition."),
        (("nodes/which/paths", []), "nodes.which.paths", "Add at least one path."),
        (("exit_when", {}), "exit_when", "Add a condition."),
        (("nodes/short/for", ""), "nodes.short.for",
         "Say how long: a number and a unit, such as 3 days (3d)."),
        (("nodes/open/until_window/days", []), "nodes.open.until_window.days",
         "Choose at least one day."),
        (("nodes/open/until_window/from", ""), "nodes.open.until_window.from",
         "Give a time of day, such as 09:00."),
        (("nodes/offer/variants", {}), "nodes.offer.variants", "Add at least one variant."),
    ],
)  # fmt: skip
def test_what_a_form_leaves_empty_is_asked_for(change: Change, place: str, message: str) -> None:
    """The same sentence helps whoever writes a file and whoever fills in a form."""
    problems = check(changed(change))
    assert (place, message) in [(one.place, one.message) for one in problems.errors]


def test_what_a_file_does_not_carry_must_exist_in_the_installation() -> None:
    journey = changed(("templates", DROP), ("topics", DROP), ("segments", DROP))
    journey["entry"] = {"trigger": {"segment": "germans"}}
    assert {one.place for one in check(journey)} == {
        "nodes.welcome.template",
        "nodes.welcome.topic",
        "entry.trigger.segment",
    }
    installed = Catalog(frozenset({"hello"}), frozenset({"product"}), {"germans": None})
    assert check(journey, installed) == []


def test_a_circle_through_the_installations_segments_is_found() -> None:
    """C5: the file's segment wins over the installed one of the same name."""
    installed = Catalog(segments={"old": {"segment": "germans"}, "germans": SET})
    journey = changed(("segments/germans/when", {"segment": "old"}))
    assert [one.place for one in check(journey, installed)] == ["segments.germans.when"]


def test_segments_too_large_for_a_database_are_refused_where_one_will_count_them() -> None:
    """A simulation judges in memory, however high segments are piled up."""
    piled: dict[str, Any] = {"s0": {"when": SET}}
    for level in range(1, 600):
        below = {"segment": f"s{level - 1}"}
        piled[f"s{level}"] = {"when": {"any": [below, {"not": below}]}}
    journey = changed(("segments", piled), ("entry/filter", {"segment": "s599"}))
    assert check(journey) == []
    problems = Problems()
    read(journey, Catalog(), problems)
    assert [one.place for one in problems.errors] == ["segments.s13.when"]
    assert "The segment “s13” is built on too many others. With those" in str(problems[0])


def test_deep_conditions_are_refused_without_a_crash() -> None:
    deep: Any = SET
    for _ in range(5000):
        deep = {"not": deep}
    assert check(changed(("entry/filter", DROP)) | {"exit_when": deep}).errors


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.text("ab.", max_size=3)
    | st.just("welcome"),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["kind", "next", "event", "all", "a"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def places_of(value: Any, path: str = "") -> list[str]:
    """Every place of the journey, with slashes."""
    found: list[str] = []
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        here = f"{path}/{key}".lstrip("/")
        found += [here, *places_of(inner, here)]
    return found


@settings(max_examples=600)
@given(st.lists(st.tuples(st.sampled_from(places_of(JOURNEY)), JSON), min_size=1, max_size=2))
def test_any_json_at_any_place_is_right_or_reported(changes: list[Change]) -> None:
    for change in changes:
        try:
            journey = changed(*changes)
        except (KeyError, TypeError, IndexError, ValueError):
            journey = changed(change)
        check(journey)


def test_a_definition_says_what_the_page_says() -> None:
    definition = parse(JOURNEY, Catalog(), Problems())
    assert definition is not None
    assert definition.nodes["which"].next == {"big": "mark", "else": "offer"}
    assert definition.nodes["short"].next == {"next": "day"}
    assert definition.nodes["day"].next == {"next": "open", "past": "open", "missing": "open"}
    assert definition.segment_slugs() == set()
    assert definition.templates["hello"].bodies == {"text": "Hello"}
    reader: Callable[[str], Any] = lambda key: definition.nodes[key].kind.words()  # noqa: E731
    assert all(reader(key) for key in definition.nodes)
