"""Small cases that each crowd around one rule, with random variations.

Where chance would rarely bring two things together, these do it on purpose: a few moments that lie
one unit apart, waits of one or two units, and facts at each of these moments.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.reference.generate import (
    ADDRESSES,
    COUNT_OPS,
    GREEK,
    MOMENTS,
    OPS,
    TEXTS,
    Case,
)
from tests.reference.interpreter import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    find_zone,
    format_instant,
    parse_instant,
    to_datetime,
)

DID = ("sent", "delivered", "opened", "clicked", "bounced")


class Small:
    """A case in the making."""

    def __init__(self, seed: int, theme: str, unit: int, moment: str | None = None) -> None:
        self.rng = random.Random(f"{theme}-{seed}")
        self.seed, self.theme, self.unit = seed, theme, unit
        first = parse_instant(moment or "2026-03-02T09:00:00Z")
        assert first is not None
        self.first = first
        self.until = self.at(self.rng.choice((8, 8, 9, 12)))
        self.start: int | None = None
        self.contacts: dict[str, dict[str, Any]] = {"u1": {"email": "a@x.example"}}
        self.lines: list[tuple[int, dict[str, Any]]] = []
        self.journey: dict[str, Any] = {
            "journey": theme.replace("_", "-"),
            "name": theme,
            "entry": {},
            "start": "",
            "nodes": {},
            "templates": {"t": {"name": "T", "subject": "T", "text": "T"}},
            "topics": {},
            "segments": {},
            "installation": {"timezone": "UTC"},
        }

    def at(self, step: float) -> int:
        return self.first + int(step * self.unit)

    def time(self, step: float) -> str:
        return format_instant(self.at(step))

    def span(self, steps: float) -> str:
        """A duration of some units."""
        return f"{int(steps * self.unit) // SECOND}s"

    def yes(self, chance: float = 0.5) -> bool:
        return self.rng.random() < chance

    def pick(self, *choices: Any) -> Any:
        return self.rng.choice(choices)

    def enter_by(self, trigger: dict[str, Any], reentry: Any = None, **more: Any) -> None:
        self.journey["entry"] = {"trigger": trigger, **more}
        if reentry:
            self.journey["entry"]["reentry"] = reentry

    def nodes(self, **nodes: dict[str, Any]) -> None:
        """The nodes; the first is the start."""
        self.journey["start"] = self.journey["start"] or next(iter(nodes))
        self.journey["nodes"].update(nodes)

    def fact(self, step: float, contact: str = "u1", **fact: Any) -> None:
        self.lines.append((self.at(step), {"contact": contact, "at": self.time(step), **fact}))

    def late(self, step: float, by: int, contact: str = "u1", **fact: Any) -> None:
        """An event received at a step, that long after it occurred."""
        at = format_instant(self.at(step) - by)
        line = {"contact": contact, "at": at, "received_at": self.time(step), **fact}
        self.lines.append((self.at(step), line))

    def contact(self, name: str, **fields: Any) -> None:
        self.contacts.setdefault(name, {"email": "a@x.example"}).update(fields)

    def case(self) -> Case:
        fields = ("email", "timezone", "created_at")
        rows = ["external_id,email,timezone,created_at,attributes"]
        for name, values in self.contacts.items():
            attributes = {key: value for key, value in values.items() if key not in fields}
            text = json.dumps(attributes, ensure_ascii=False).replace('"', '""')
            rows.append(",".join([name, *(values.get(key) or "" for key in fields), f'"{text}"']))
        self.lines.sort(key=lambda pair: pair[0])
        return Case(
            self.seed,
            self.theme,
            self.journey,
            "\n".join(rows) + "\n",
            "".join(json.dumps(line, ensure_ascii=False) + "\n" for _, line in self.lines),
            None if self.start is None else to_datetime(self.start),
            to_datetime(self.until),
            as_json=self.yes(0.2),
        )


ALIKE = (
    ("straße", "STRASSE", "strasse", "Straẞe"),
    ("İstanbul", "istanbul", "i̇stanbul", "ISTANBUL"),
    ("ΟΔΟΣ", "οδος", "οδοσ", "ΟΔΟς"),
    ("ß", "ẞ", "ss", "SS"),
    ("Σ", "σ", "ς"),
)
URL = "https://hooks.example/x"
SEND = {"kind": "send", "template": "t"}


def ending(small: Small, seen: list[str]) -> None:
    """Perhaps a goal and an exit, some of which become true as time goes by."""
    timely: list[dict[str, Any]] = [
        {"attribute": "due", "op": "before", "value": "now"},
        {"not": {"attribute": "due", "op": "after", "value": "now"}},
        {"attribute": "due", "op": "within_last", "value": small.span(1)},
        {"attribute": "due", "op": "within_next", "value": small.span(1)},
    ]
    flag = {"attribute": "flag", "op": "eq", "value": "on"}
    counted = {
        "event": small.pick(*seen),
        "count": {"op": small.pick(*COUNT_OPS), "value": small.pick(0, 1, 2, 2, 3)},
    }
    segment = {"name": "Many", "when": dict(counted)}
    if small.yes():
        segment["when"]["within"] = small.span(small.pick(0, 1, 2))
    small.journey["segments"]["many"] = segment
    small.contact("u1", due=small.time(small.pick(2, 3, 4, 5)))
    if small.yes(0.6):
        small.journey["goal"] = small.pick(
            {"event": small.pick(*seen)},
            {"event": "stop"},
            flag,
            {"segment": "many"},
            small.pick(*timely),
            small.pick(*timely),
        )
    if small.yes(0.6):
        condition = dict(counted)
        if small.yes():
            condition["since"] = "entry"
        if small.yes(0.4):
            condition["within"] = small.span(small.pick(0, 1, 1, 2, 3))
        small.journey["exit_when"] = small.pick(
            condition, condition, flag, {"segment": "many"}, small.pick(*timely)
        )


def races(small: Small) -> None:
    """T1, T2, W1, W2, G1, G2: events that meet deadlines, goals and exits."""
    names = ["go", "stop", "x"]
    reentry = small.pick("after_exit", "every_time", "every_time", {"after": small.span(2)}, None)
    small.enter_by({"event": "go"}, reentry)
    wanted: dict[str, Any] = {"event": small.pick(*names)}
    if small.yes(0.4):
        value = small.pick({"trigger": "id"}, {"trigger": "none"}, 1)
        wanted["where"] = [
            {"property": "id", "op": small.pick("eq", "ne", "gte", "contains"), "value": value}
        ]
    if small.yes(0.8):
        wanted["timeout"] = small.span(small.pick(1, 2, 3))
    following = {"event": small.pick("a", "b", "w"), "timeout": small.pick("a", "b", "w")}
    if "timeout" not in wanted:
        del following["timeout"]
    small.nodes(
        first={"kind": "update", "set": {"seen": 1}, "next": {"next": "w"}},
        w={"kind": "wait", "until_event": wanted, "next": following},
    )
    targets = set(following.values())
    if "a" in targets:
        small.nodes(a={"kind": "wait", "for": small.span(small.pick(1, 2)), "next": "last"})
    if "b" in targets:
        change = small.pick({"flag": "on"}, {"due": small.time(3)}, {"seen": 2})
        small.nodes(b={"kind": "update", "set": change, "next": "last"})
    if targets & {"a", "b"}:
        small.nodes(last=small.pick(dict(SEND), {"kind": "exit"}))
    ending(small, names)
    for _ in range(small.pick(6, 10, 16)):
        step = small.pick(0, 1, 1, 2, 2, 3, 3, 4, 5)
        if small.yes(0.75):
            properties = {"id": small.pick(1, 1, 2, "", None)} if small.yes(0.8) else {}
            small.fact(step, event=small.pick("go", *names), properties=properties)
        else:
            change = small.pick({"flag": "on"}, {"flag": "off"}, {"due": small.time(step + 1)})
            small.fact(step, set=change)


def timers(small: Small) -> None:
    """T1: timers due at the same time, in the order in which their waits began."""
    small.enter_by({"event": "go"}, "every_time")
    where = [{"property": "way", "op": "eq", "value": "long"}]
    condition = {"event": "go", "where": where, "count": {"op": "gte", "value": 1}, "within": "0s"}
    small.nodes(
        way={
            "kind": "branch",
            "paths": [{"name": "long", "when": condition}],
            "next": {"long": "l1", "else": "s1"},
        },
        l1={"kind": "wait", "for": small.span(small.pick(1, 2)), "next": "l2"},
        l2=small.pick(
            {"kind": "wait", "for": small.span(2), "next": "mark"},
            {
                "kind": "wait",
                "until_event": {"event": "none", "timeout": small.span(2)},
                "next": "mark",
            },
            {"kind": "wait", "until_date": {"attribute": "due"}, "next": "mark"},
            {
                "kind": "wait",
                "until_window": {"from": "12:00", "to": "12:30"},
                "next": "mark",
            },
        ),
        s1=small.pick(
            {"kind": "wait", "for": small.span(small.pick(2, 3)), "next": "mark"},
            {"kind": "wait", "until_date": {"attribute": "due"}, "next": "mark"},
        ),
        mark={
            "kind": "branch",
            "paths": [{"name": "y", "when": {"attribute": "m", "op": "eq", "value": 1}}],
            "next": {"y": "clear", "else": "set"},
        },
        clear={"kind": "update", "set": {"m": None}, "next": "mail"},
        set={"kind": "update", "set": {"m": 1}, "next": "mail"},
        mail=dict(SEND),
    )
    small.contact("u1", due=small.time(3))
    cap = {"count": small.pick(1, 2), "within": small.span(small.pick(1, 9))}
    small.journey["installation"]["frequency_cap"] = cap
    if small.yes(0.4):
        small.journey[small.pick("goal", "exit_when")] = small.pick(
            {"attribute": "m", "op": "eq", "value": 1},
            {"attribute": "due", "op": "before", "value": "now"},
        )
    for _ in range(small.pick(2, 3, 5)):
        step = small.pick(0, 0, 1, 1, 2)
        small.fact(step, event="go", properties={"way": small.pick("long", "short")})
    if small.yes(0.3):
        small.fact(small.pick(1, 2, 3), set={"due": small.time(small.pick(2, 3, 4))})


def moved(small: Small) -> None:
    """W3, T6: dates that facts and updates move while others wait for them."""
    small.enter_by({"event": "go"}, "every_time")
    texts = [small.time(step) for step in (1, 2, 3, 4)] + [None, "no date", small.time(-1)]
    date: dict[str, Any] = {"attribute": small.pick("d", "d", "a.d")}
    if small.yes(0.4):
        date["offset"] = small.pick("-", "") + small.span(1)
    small.nodes(
        w={
            "kind": "wait",
            "until_date": date,
            "next": {"next": "one", "past": "two", "missing": small.pick("one", "three")},
        },
        one={"kind": "update", "set": {date["attribute"]: small.pick(*texts)}, "next": "again"},
        again={"kind": "wait", "until_date": date},
        two={"kind": "wait", "for": small.span(small.pick(1, 2)), "next": "one"},
    )
    if small.journey["nodes"]["w"]["next"]["missing"] == "three":
        small.nodes(three={"kind": "update", "set": {"flag": "on"}, "next": "two"})
    if small.yes(0.3):
        small.journey["nodes"]["again"]["next"] = "mail"
        small.nodes(mail=dict(SEND))
    if small.yes(0.5):
        small.journey[small.pick("goal", "exit_when")] = small.pick(
            {"attribute": date["attribute"], "op": "is_not_set"},
            {"attribute": date["attribute"], "op": "before", "value": "now"},
            {"attribute": "flag", "op": "eq", "value": "on"},
        )
    small.contact("u1", d=small.pick(*texts), a={"d": small.pick(*texts)})
    for _ in range(small.pick(5, 8, 12)):
        step = small.pick(0, 1, 1, 2, 2, 3, 3, 4)
        if small.yes(0.5):
            small.fact(step, event="go")
        else:
            small.fact(step, set={small.pick(date["attribute"], "x"): small.pick(*texts)})


def hourly(small: Small) -> None:
    """T5, E5: segments that time changes, with timers and facts between the full hours."""
    name = small.pick("due", "due", "created_at")
    span = small.span(small.pick(1, 2, 3, 4))
    condition: dict[str, Any] = small.pick(
        {"attribute": name, "op": "before", "value": "now"},
        {"attribute": name, "op": "after", "value": "now"},
        {"attribute": name, "op": "within_last", "value": span},
        {"attribute": name, "op": "within_next", "value": span},
        {
            "event": "x",
            "within": span,
            "count": {"op": small.pick(*COUNT_OPS), "value": small.pick(0, 1, 2)},
        },
        {"event": "x", "where": [{"property": "on", "op": "within_last", "value": span}]},
    )
    if small.yes(0.3):
        condition = small.pick(
            {"not": condition},
            {"all": [condition, {"attribute": "flag", "op": "ne", "value": "off"}]},
        )
    segments = small.journey["segments"]
    segments["inner"] = {"name": "Inner", "when": condition}
    outer: dict[str, Any] = {"segment": "inner"}
    if small.yes(0.3):
        outer = {"any": [outer, {"attribute": "flag", "op": "eq", "value": "on"}]}
    segments["outer"] = {"name": "Outer", "when": outer}
    reentry = small.pick("every_time", "every_time", "after_exit", {"after": small.span(3)})
    small.enter_by({"segment": small.pick("inner", "outer")}, reentry)
    if small.yes(0.3):
        condition = {"attribute": "flag", "op": "ne", "value": "off"}
        small.journey["entry"]["filter"] = condition
    change = small.pick({"due": small.time(small.pick(3, 5, 7))}, {"flag": "on"}, {"due": None})
    small.nodes(
        a={"kind": "wait", "for": small.span(1), "next": "b"},
        b=small.pick(
            {"kind": "update", "set": change, "next": "c"},
            {"kind": "wait", "for": small.span(1), "next": "c"},
        ),
        c={"kind": "wait", "for": small.span(1)},
    )
    if small.yes(0.4):
        small.journey["nodes"]["c"]["next"] = "a"
    small.until = small.at(small.pick(16, 24))
    for contact in ("u1", "u2"):
        step = small.pick(0, 1, 2, 3, 4, 5, 6)
        small.contact(contact, due=small.time(step), created_at=small.time(step))
    small.fact(0, event="start")
    for _ in range(small.pick(3, 6, 10)):
        contact = small.pick("u1", "u1", "u2", "new")
        step = small.pick(0, 1, 2, 3, 4, 5, 6, 8, 10)
        if small.yes():
            properties = {"on": small.time(small.pick(1, 2, 3, 4, 5))}
            by = small.pick(0, 0, 0, small.unit, 2 * small.unit, 72 * HOUR, 72 * HOUR + 1)
            if by:
                small.late(step, by, contact, event="x", properties=properties)
            else:
                small.fact(step, contact, event="x", properties=properties)
        else:
            change = small.pick(
                {"due": small.time(step + small.pick(-2, -1, 0, 1, 2))},
                {"flag": small.pick("on", "off", None)},
                {"other": 1},
            )
            small.fact(step, contact, set=change)
    if small.yes(0.3):
        small.start = small.at(small.pick(1, 2, 3))


def unnoticed(small: Small) -> None:
    """T5, E5: what time changes between full hours is not noticed by timers and entries by hand."""
    early, late = small.pick(3, 4, 5), small.pick(6, 7, 8)
    condition = small.pick(
        {"attribute": "due", "op": "before", "value": "now"},
        {"attribute": "due", "op": "within_last", "value": small.span(small.pick(1, 2))},
        {"attribute": "due", "op": "within_next", "value": small.span(small.pick(1, 2))},
    )
    on = {"attribute": "flag", "op": "eq", "value": "on"}
    small.journey["segments"]["s"] = {"name": "S", "when": {"any": [on, condition]}}
    small.enter_by({"segment": "s"}, small.pick("every_time", "every_time", "after_exit"))
    change = small.pick({"kind": "update", "set": {"x": 1}}, {"kind": "webhook", "url": URL})
    small.nodes(
        a={"kind": "wait", "for": small.span(small.pick(1, 2)), "next": "b"},
        b=small.pick({**change, "next": "a"}, {"kind": "exit"}, {**change, "next": "c"}),
    )
    if small.journey["nodes"]["b"].get("next") == "c":
        date = small.pick(small.time(small.pick(6, 8)), None)
        small.nodes(
            c={"kind": "update", "set": {"due": date}, "next": "d"},
            d={"kind": "wait", "for": small.span(1), "next": "a"},
        )
    small.contact("u1", due=small.time(small.pick(early, late)))
    small.fact(0, event="x")
    small.fact(1, set={"flag": "on"})
    small.fact(small.pick(1, 2), set={"flag": None})
    for _ in range(small.pick(0, 0, 1, 3)):
        step = small.pick(3, 4, 5, 6, 7, 8)
        small.fact(step, **small.pick({"event": "x"}, {"set": {"y": 1}}))
    small.until = small.at(small.pick(12, 20))


def alone(small: Small) -> None:
    """T2, E1: timers and entries by hand look at the goal of one enrollment alone."""
    small.enter_by(
        small.pick({"event": "go"}, {"manual": True}),
        small.pick("every_time", "every_time", "after_exit"),
    )
    due, early = small.pick(2, 3), small.pick(0.5, 1)
    condition = small.pick(
        {"attribute": "due", "op": "before", "value": "now"},
        {"attribute": "due", "op": "within_last", "value": small.span(early)},
        {"attribute": "due", "op": "within_next", "value": small.span(early)},
    )
    counted = {"event": "x", "within": small.span(1), "count": {"op": "eq", "value": 0}}
    key = small.pick("goal", "exit_when")
    small.journey[key] = small.pick(condition, counted) if key == "exit_when" else condition
    if small.yes(0.3):
        other = {"attribute": "f", "op": "eq", "value": 1}
        small.journey["exit_when" if key == "goal" else "goal"] = small.pick(condition, other)
    small.nodes(
        a={"kind": "wait", "for": small.span(small.pick(1, 2)), "next": "b"},
        b=small.pick(
            {"kind": "update", "set": {"f": small.pick(0, 1)}, "next": "c"},
            {"kind": "wait", "for": small.span(1), "next": "c"},
            {**SEND, "next": "c"},
        ),
        c={"kind": "wait", "for": small.span(small.pick(1, 2))},
    )
    small.contact("u1", due=small.time(due))
    small.fact(0, event="x")
    manual = "manual" in small.journey["entry"]["trigger"]
    for _ in range(small.pick(2, 3, 5)):
        step = small.pick(0, 0.25, 0.5, 1, 1.5, due, due + early, due + early + 0.25)
        small.fact(step, **({"enter": True} if manual else {"event": "go"}))
    if small.yes(0.3):
        small.fact(small.pick(1, 2), event="x")
    if small.yes(0.2):
        small.fact(small.pick(3, 4), set={"due": small.time(small.pick(3, 5))})


def travel(small: Small) -> None:
    """W3, W4, S4: waits that a new timezone moves, ends or leaves as they are."""
    zones = ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Pacific/Auckland", None]
    small.enter_by({"event": "go"}, "every_time")
    zone = find_zone(small.pick(*zones) or "UTC")
    opens = to_datetime(small.at(small.pick(1, 2, 3, 4))).astimezone(zone)
    closes = opens + timedelta(hours=small.pick(1, 2, 6, 12, 20))
    window = {"from": opens.strftime("%H:%M"), "to": closes.strftime("%H:%M")}
    if small.yes(0.3):
        window["days"] = [small.pick("mon", "tue"), "wed"]
    at = opens.strftime("%H:%M")
    small.nodes(
        w=small.pick(
            {"kind": "wait", "until_window": window, "next": "s"},
            {"kind": "wait", "until_window": window, "next": "u"},
            {
                "kind": "wait",
                "until_date": {"attribute": "due", "at": at},
                "next": {"next": "s", "past": "u", "missing": "s"},
            },
            {"kind": "send", "template": "t", "next": "u"},
        ),
    )
    node = small.journey["nodes"]["w"]
    targets = {node["next"]} if isinstance(node["next"], str) else set(node["next"].values())
    if "u" in targets:
        small.nodes(u={"kind": "update", "set": {"timezone": small.pick(*zones)}, "next": "s"})
    small.nodes(s={**SEND, "next": "x"}, x={"kind": "wait", "for": "1h"})
    if small.yes(0.7):
        small.journey["window"] = window
    if small.yes(0.3):
        small.journey["goal"] = {"attribute": "timezone", "op": "eq", "value": "Asia/Kolkata"}
    if small.yes(0.4):
        cap = {"count": 1, "within": small.span(small.pick(1, 3, 24))}
        small.journey["installation"]["frequency_cap"] = cap
    day = opens + timedelta(days=small.pick(-1, 0, 0, 0, 1))
    due = small.pick(day.strftime("%Y-%m-%d"), format_instant(small.at(small.pick(0, 6, 14))))
    small.contact("u1", timezone=small.pick(*zones), due=due)
    small.until = small.at(small.pick(12, 40, 60))
    for _ in range(small.pick(1, 2, 3)):
        small.fact(small.pick(0, 0, 1, 2), event="go")
    for _ in range(small.pick(1, 2, 4, 6)):
        small.fact(
            small.pick(0, 1, 1, 2, 2, 3, 3, 4, 5, 8),
            **small.pick(
                {"set": {"timezone": small.pick(*zones)}},
                {"set": {"timezone": small.pick(*zones)}},
                {"set": {"timezone": small.pick(*zones), "email": small.pick(None, "b@x.example")}},
                {"set": {"other": 1}},
                {"unsubscribe": "all"},
            ),
        )


def members(small: Small) -> None:
    """E5, T3, T6: membership by facts and updates, with refusals and too late events."""
    segments = small.journey["segments"]
    at_least = small.pick(1, 2)
    segments["s"] = {
        "name": "S",
        "when": small.pick(
            {"attribute": "m", "op": "eq", "value": True},
            {"attribute": "m", "op": "eq", "value": True},
            {"event": "x", "count": {"op": "gte", "value": at_least}},
            {"event": "x", "count": {"op": "eq", "value": at_least}},
            {"subscribed": "news"},
            {"not": {"attribute": "m", "op": "eq", "value": True}},
        ),
    }
    if small.yes(0.2):
        segments["s"] = {"name": "S", "members": ["u1", "new"]}
    small.journey["topics"]["news"] = {
        "name": "News",
        "default": small.pick("subscribed", "unsubscribed"),
    }
    reentry = small.pick("every_time", "every_time", "after_exit", "once", {"after": small.span(2)})
    small.enter_by({"segment": "s"}, reentry)
    if small.yes(0.4):
        small.journey["entry"]["filter"] = {"attribute": "f", "op": "eq", "value": 1}
    if small.yes(0.4):
        small.journey[small.pick("goal", "exit_when")] = small.pick(
            {"attribute": "m", "op": "ne", "value": True},
            {"attribute": "g", "op": "eq", "value": 1},
        )
    updates = [{"m": True}, {"m": False}, {"m": None, "d": None}, {"g": 1}, {"d": small.time(4)}]
    small.nodes(
        a={"kind": "update", "set": small.pick(*updates), "next": "b"},
        b=small.pick(
            {"kind": "wait", "until_event": {"event": "x", "timeout": small.span(1)}, "next": "c"},
            {"kind": "wait", "until_date": {"attribute": "d"}, "next": "c"},
            {"kind": "wait", "for": small.span(1), "next": "c"},
        ),
        c={"kind": "update", "set": small.pick(*updates), "next": "e"},
        e=small.pick(
            {"kind": "update", "set": small.pick(*updates)},
            {"kind": "wait", "until_event": {"event": "x"}},
            {"kind": "exit"},
        ),
    )
    small.contact("u1", m=small.pick(True, False), f=small.pick(0, 1, 1), d=small.time(3))
    small.contact("u2", m=False, f=1)
    for _ in range(small.pick(6, 10, 14)):
        contact = small.pick("u1", "u1", "u2", "new")
        step = small.pick(0, 1, 1, 2, 2, 3, 4, 5)
        roll = small.rng.random()
        if roll < 0.3:
            small.fact(step, contact, event=small.pick("x", "x", "y"))
        elif roll < 0.45:
            by = small.pick(HOUR, 72 * HOUR, 72 * HOUR + 1, 72 * HOUR + SECOND, 100 * HOUR)
            small.late(step, by, contact, event="x")
        elif roll < 0.55:
            small.fact(
                step,
                contact,
                **{small.pick("subscribe", "unsubscribe"): small.pick("news", "all")},
            )
        else:
            change = small.pick({"m": True}, {"m": False}, {"f": 1}, {"d": None}, {"z": 1})
            small.fact(step, contact, set=change)
    if small.yes(0.3):
        small.start = small.at(small.pick(1, 2))


def dates(small: Small) -> None:
    """Date triggers: once at each moment, once for each local date, timezones that change."""
    zones = small.pick(
        ("Europe/Berlin", "America/New_York"),
        ("Pacific/Kiritimati", "Pacific/Apia"),
        ("Pacific/Chatham", "Asia/Kathmandu"),
        ("UTC", "Africa/Casablanca"),
    )
    name = small.pick("due", "due", "due", "created_at")
    trigger: dict[str, Any] = {"date": name}
    at = small.yes(0.75)
    if at:
        zone = find_zone(small.pick(*zones))
        local = to_datetime(small.at(small.pick(1, 2, 3, 4))).astimezone(zone)
        trigger["at"] = local.strftime("%H:%M")
        if small.yes(0.4):
            trigger["offset"] = small.pick("-1d", "0d", "1d", "-3d", "24h")
    elif small.yes():
        trigger["offset"] = small.pick("-", "+", "") + small.span(1)
    if at and small.yes(0.3):
        trigger["yearly"] = True
    reentry = small.pick("every_time", "every_time", "after_exit", {"after": small.span(2)}, None)
    small.enter_by(trigger, reentry)
    if small.yes(0.5):
        condition = small.pick(
            {"attribute": "f", "op": "eq", "value": 1},
            {"attribute": "timezone", "op": "eq", "value": zones[0]},
        )
        small.journey["entry"]["filter"] = condition
    small.nodes(
        a=small.pick(
            dict(SEND),
            {
                "kind": "update",
                "set": small.pick(
                    {"timezone": zones[1]},
                    {"due": small.time(small.pick(2, 3, 4))},
                    {"f": 0},
                ),
            },
            {"kind": "wait", "until_date": {"attribute": name, "at": "09:00"}},
        )
    )

    def text(step: float) -> str:
        moment = to_datetime(small.at(step))
        if trigger.get("yearly") and small.yes():
            year = small.pick(2000, 2024, 1999)
            moment = moment.replace(year=year, day=min(moment.day, 28))
        if small.yes(0.2) and trigger.get("yearly"):
            return str(small.pick("2024-02-29", "2000-02-29"))
        local = moment.astimezone(find_zone(small.pick(*zones)))
        day = local.strftime("%Y-%m-%d")
        instant = moment.strftime("%Y-%m-%dT%H:%M:%S") + small.pick("Z", "", "+14:00", "-12:00")
        return str(small.pick(day, day, instant))

    small.until = small.at(small.pick(8, 30, 60))
    if trigger.get("yearly") and small.yes(0.4):
        small.until += small.pick(1, 2, 3) * 366 * DAY
    small.journey["installation"]["timezone"] = small.pick(*zones)
    for contact in ("u1", "u2"):
        small.contact(
            contact,
            due=text(small.pick(1, 2, 3, 4)),
            created_at=small.time(small.pick(-1, 0, 1, 2)),
            f=small.pick(0, 1, 1),
            timezone=small.pick(*zones, None, "No/Where"),
        )
    small.fact(0, event="start")
    if at and small.yes(0.4):
        # The date comes in the east, and then the contact goes west, where it is yet to come.
        east, west = zones[::-1] if zones[0] in ("UTC", "Pacific/Chatham") else zones
        local = to_datetime(small.at(2)).astimezone(find_zone(east))
        trigger["at"] = local.strftime("%H:%M")
        trigger.pop("offset", None)
        small.contact("u1", timezone=east, due=local.strftime("%Y-%m-%d"))
        small.fact(small.pick(2, 2, 3), set={"timezone": west})
        if small.yes(0.3):
            small.fact(small.pick(3, 4), set={"timezone": east})
            small.fact(small.pick(4, 5), set={"timezone": west})
    for _ in range(small.pick(1, 3, 6)):
        contact = small.pick("u1", "u1", "u2", "new")
        step = small.pick(0, 1, 2, 2.5, 3, 4, 5, 6)
        change = small.pick(
            {"timezone": small.pick(*zones, None)},
            {"timezone": small.pick(*zones)},
            {"due": small.time(step)},
            {"due": text(step + small.pick(0, 0, 1, 1, -1))},
            {"due": text(step + small.pick(0, 1))},
            {"due": None},
            {"f": small.pick(0, 1)},
        )
        small.fact(step, contact, set=change)
    if small.yes(0.25):
        small.start = small.at(small.pick(0, 1, 2))


def mails(small: Small) -> None:
    """S-rules, T7, T8: messages and what became of them, addresses and suppressions."""
    topics = {
        "news": {"name": "N", "default": "subscribed"},
        "offers": {"name": "O", "default": "unsubscribed"},
    }
    small.journey["topics"] = topics
    reentry = small.pick("every_time", "every_time", "after_exit")
    small.enter_by(
        small.pick({"event": "go"}, {"event": "go"}, {"event": "message_opened"}, {"manual": True}),
        reentry,
    )
    trigger = small.journey["entry"]["trigger"]

    outcomes = small.pick(DID, DID[2:4], DID[3:], ("opened", "bounced"))
    words = small.pick(["news"], ["offers"], ["news", "offers"])

    def send(following: str | None) -> dict[str, Any]:
        node = dict(SEND)
        if small.yes(0.6):
            node["topic"] = small.pick(*words)
        if small.yes(0.25):
            node["transactional"] = True
        return {**node, "next": following} if following else node

    waited = "message_" + small.pick(*(did for did in outcomes if did != "sent"))
    wait: dict[str, Any] = {"event": waited}
    if small.yes(0.5):
        wait["where"] = [{"property": "node", "op": "eq", "value": small.pick("s1", "s2")}]
    if small.yes(0.7):
        wait["timeout"] = small.span(small.pick(1, 2))
    did = {"message": small.pick("s1", "s2"), "did": small.pick(*outcomes)}
    small.nodes(
        s1=send("w"),
        w={"kind": "wait", "until_event": wait, "next": "s2"},
        s2=send("b"),
        b={
            "kind": "branch",
            "paths": [
                {"name": "p", "when": did},
                {"name": "q", "when": {"message": "s1", "did": small.pick(*outcomes)}},
            ],
            "next": {"p": "s3", "else": "f"},
        },
        s3=send(None),
        f={"kind": "wait", "for": small.span(1), "next": "s1"},
    )
    if small.yes(0.4):
        small.journey["goal"] = {
            "event": "message_" + small.pick(*(did for did in outcomes if did != "sent")),
            "where": [{"property": "node", "op": small.pick("eq", "ne"), "value": "s1"}],
        }
    if small.yes(0.4):
        small.journey["exit_when"] = small.pick(
            {"message": small.pick("s1", "s2", "s3"), "did": small.pick(*outcomes)},
            {"event": "message_opened", "count": {"op": "gte", "value": 2}, "since": "entry"},
            {"not": {"subscribed": "news"}},
        )
    if small.yes(0.5):
        small.journey["installation"]["frequency_cap"] = {
            "count": small.pick(1, 2, 3),
            "within": small.span(small.pick(1, 2, 3)),
        }
    for contact in ("u1", "u2", "u3"):
        small.contact(contact, email=small.pick("a@x.example", "A@X.example", "b@x.example", ""))
    contacts = small.pick(["u1"], ["u1", "u1", "u2"], ["u1", "u2", "u3"])
    for number in range(small.pick(8, 14, 20)):
        contact = small.pick(*contacts)
        step = small.pick(0, 1, 1, 2, 2, 3, 3, 4, 5, 6)
        if len(contacts) > 1:
            step += 0.05 * contacts.index(contact)
        roll = small.rng.random()
        if number < 2 or roll < 0.25:
            if "manual" in trigger:
                small.fact(step, contact, enter=True)
            else:
                small.fact(step, contact, event="go")
        elif roll < 0.65:
            node = small.pick("s1", "s1", "s2", "s3")
            small.fact(step, contact, message=node, did=small.pick(*outcomes))
        elif roll < 0.85:
            word = small.pick("subscribe", "unsubscribe", "unsubscribe")
            small.fact(step, contact, **{word: small.pick("all", *words)})
        elif roll < 0.9:
            small.fact(step, contact, suppress=True)
        else:
            small.fact(step, contact, set={"email": small.pick(*ADDRESSES, None, " ")})


def caps(small: Small) -> None:
    """S4, S5: caps at their very edges, windows that open and are moved."""
    small.enter_by({"event": "go"}, "every_time")
    small.journey["installation"]["frequency_cap"] = {
        "count": small.pick(1, 1, 2),
        "within": small.span(small.pick(1, 1, 2)),
    }
    small.nodes(
        s1={**SEND, "transactional": small.yes(0.25), "next": "w"},
        w={"kind": "wait", "for": small.span(1), "next": "s2"},
        s2={**SEND, "transactional": small.yes(0.25), "next": "w2"},
        w2={"kind": "wait", "for": small.span(small.pick(1, 2)), "next": "s1"},
    )
    if small.yes(0.5):
        opens = to_datetime(small.at(small.pick(1, 2, 3)))
        closes = opens + timedelta(microseconds=small.unit * small.pick(1, 2))
        small.journey["window"] = {
            "from": opens.strftime("%H:%M"),
            "to": closes.strftime("%H:%M"),
        }
        if opens.strftime("%H:%M") == closes.strftime("%H:%M"):
            del small.journey["window"]
    for _ in range(small.pick(3, 6, 9)):
        step = small.pick(0, 0, 1, 2, 3, 4)
        if small.yes(0.6):
            small.fact(step, event="go")
        else:
            small.fact(
                step,
                **small.pick(
                    {"set": {"email": small.pick(None, "b@x.example")}},
                    {"set": {"timezone": small.pick("Europe/Berlin", "Asia/Kolkata", None)}},
                    {"set": {"timezone": small.pick("Atlantic/Azores", "Etc/GMT-2")}},
                    {"unsubscribe": "all"},
                    {"subscribe": "all"},
                ),
            )


def clocks(small: Small) -> None:
    """W3, W4, W5: windows and local times across changes of the clock."""
    moment, zone = small.pick(*MOMENTS)
    around = parse_instant(moment)
    assert around is not None
    small.first = around - small.pick(2, 3, 26) * HOUR
    small.unit = small.pick(HOUR, HOUR, 30 * MINUTE)
    small.until = small.first + small.pick(2, 9) * DAY

    before = to_datetime(around - 1).astimezone(find_zone(zone)).replace(tzinfo=None)
    after = to_datetime(around).astimezone(find_zone(zone)).replace(tzinfo=None)
    gap = max(before, after)  # what the clocks show at the end of the gap, or of the first pass

    def clock() -> str:
        shift = small.pick(*range(-12, 13)) * 15 * MINUTE
        if small.yes(0.6):  # within what is skipped or shown twice, or at its edges
            inside = small.pick(-75, -60, -45, -30, -30, -15, -15, 0, 15)
            return (gap + timedelta(minutes=inside, microseconds=1)).strftime("%H:%M")
        local = to_datetime(around + shift).astimezone(find_zone(zone))
        return local.strftime("%H:%M")

    def window() -> dict[str, Any]:
        opens, closes = clock(), small.pick(clock(), clock(), clock(), "24:00", "00:00")
        if after > before and small.yes(0.3):
            opens = (before + timedelta(microseconds=1)).strftime("%H:%M")
            closes = after.strftime("%H:%M")
        if opens == closes:
            closes = "24:00"
        window: dict[str, Any] = {"from": opens, "to": closes}
        if small.yes(0.3):
            days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
            window["days"] = small.rng.sample(days, small.pick(1, 2, 3))
            if small.yes(0.6):
                local = to_datetime(around).astimezone(find_zone(zone))
                window["days"] = [days[local.weekday()]]
        return window

    small.enter_by({"event": "go"}, "every_time")
    waits: list[dict[str, Any]] = []
    for _ in range(small.pick(1, 2, 3)):
        date: dict[str, Any] = {"attribute": small.pick("due", "day"), "at": clock()}
        if small.yes(0.4):
            date["offset"] = small.pick("1d", "-1d", "0d", "2d")
        waits.append(small.pick({"until_window": window()}, {"until_date": date}))
    for number, wait in enumerate(waits):
        following = {"next": f"w{number + 1}"} if number + 1 < len(waits) else {"next": "s"}
        small.nodes(**{f"w{number}": {"kind": "wait", **wait, **following}})
    small.nodes(s=dict(SEND))
    if small.yes(0.5):
        small.journey["window"] = window()
    small.journey["installation"]["timezone"] = small.pick(zone, "UTC")
    local = gap - timedelta(minutes=small.pick(1, 1, 1, 90))
    small.contact(
        "u1",
        timezone=small.pick(zone, zone, zone, None, "No/Where"),
        day=(local + timedelta(days=small.pick(-1, 0, 0, 0, 0, 1))).strftime("%Y-%m-%d"),
        due=format_instant(around + small.pick(*range(-12, 13)) * HOUR),
    )
    steps = [0, 0, 0, 1, 1, 2, 2.25, 2.5, 2.75, 3, 3.5, 4, 24, 25, 26, 26.5, 27, 30]
    for _ in range(small.pick(2, 4, 6)):
        small.fact(small.pick(*steps), event="go")
    for _ in range(small.pick(0, 1, 2)):
        change = small.pick(
            {"timezone": small.pick(zone, "UTC", None, "America/New_York")},
            {"due": format_instant(around + small.pick(*range(-6, 30)) * HOUR)},
        )
        small.fact(small.pick(*steps), set=change)


def keys(small: Small) -> None:
    """E2, E3, E4: one passage per key."""
    ids = [1, 1.0, "1", True, None, [1], [1.0], {"a": 1}, "", 0, False]
    key = small.pick("id", "id", "o.id")
    reentry = small.pick(
        "once", "after_exit", "after_exit", {"after": small.span(small.pick(1, 2, 3))}, "every_time"
    )
    small.enter_by({"event": "go", "key": key}, reentry)
    if small.yes(0.15):
        del small.journey["entry"]["trigger"]["key"]
    where = [{"property": key, "op": "eq", "value": {"trigger": small.pick(key, key, "other")}}]
    small.nodes(
        w={
            "kind": "wait",
            "until_event": {"event": small.pick("stop", "go", "x"), "where": where},
            "next": "v",
        },
        v={"kind": "wait", "for": small.span(small.pick(1, 2))},
    )
    if small.yes(0.6):
        small.journey["goal"] = {"event": small.pick("stop", "go"), "where": where}
    if small.yes(0.3):
        small.journey["exit_when"] = {
            "event": small.pick("x", "go"),
            "where": where,
            "since": "entry",
            "count": {"op": "gte", "value": small.pick(1, 2)},
        }
    if small.yes(0.3):
        small.journey["entry"]["filter"] = {
            "event": "go",
            "where": where,
            "count": {"op": small.pick("lt", "gte"), "value": 2},
        }
    chosen = small.rng.sample(ids, 4)
    for _ in range(small.pick(8, 14, 20)):
        value = small.pick(*chosen)
        properties = {"id": value} if key == "id" else {"o": {"id": value}}
        if small.yes(0.1):
            properties = small.pick({}, {"o": [1]}, {"o": 1})
        step = small.pick(0, 1, 1, 2, 2, 3, 4, 5)
        small.fact(step, event=small.pick("go", "go", "stop", "x"), properties=properties)


def judged(small: Small) -> None:
    """Conditions: a row of branches about one contact, each with a comparison that is close."""
    values: dict[str, Any] = {
        "text": small.pick(*TEXTS, *GREEK),
        "greek": small.pick(*small.pick(*ALIKE)),
        "number": small.pick(0, 1, 1.0, 2.5, -1, 10**17, 1e17),
        "truth": small.pick(True, False),
        "list": [small.pick(1, 1.0, True, "a", "A", None, [1], {"a": 1}) for _ in range(2)],
        "object": {"a": small.pick(1, 1.0, True, None), "b": [1, "x"]},
        "null": None,
        "day": small.time(small.pick(-1, 0, 1, 1, 2, 2))[:10],
        "moment": small.time(small.pick(0, 1, 1, 2, 2, 3)),
        "plain": small.time(small.pick(0, 1, 1, 2, 2, 3))[:16].replace("T", " "),
        "precise": small.time(1)[:19] + small.pick(".000001", ".0000009", ".9999999") + "Z",
        "odd": small.pick("2026-02-30", "2026-3-2", "2026-03-02T9:00Z", " 2026-03-02", 20260302),
    }
    small.contact("u1", timezone="Europe/Berlin", created_at=small.time(0), **values)
    small.enter_by({"event": "go"}, "every_time")
    paths = []
    for number in range(14):
        op = small.pick(*OPS)
        name = small.pick(*values, "object.a", "list.0", "text.x", "absent")
        if op in ("before", "after", "within_last", "within_next") and small.yes(0.8):
            name = small.pick("day", "moment", "plain", "precise", "odd", "created_at")
        if op in ("contains", "starts_with") and small.yes(0.6):
            name = small.pick("text", "greek", "list")
        condition: dict[str, Any] = {"attribute": name, "op": op}
        own = values.get(name)
        other = values[small.pick(*values)]
        if op in ("before", "after"):
            condition["value"] = small.pick(
                "now", small.time(1), small.time(1), small.time(2)[:10], small.time(0)
            )
        elif op.startswith("within"):
            condition["value"] = small.span(small.pick(0, 1, 1, 2))
        elif op == "in":
            condition["value"] = [other, own] if small.yes() else [other]
        elif op in ("contains", "starts_with"):
            text = own if isinstance(own, str) else small.pick("a", "x")
            if isinstance(own, list) and small.yes(0.7):
                condition["value"] = small.pick(own[0], own[1], 1, True)
            else:
                related = [word for word in ALIKE if text in word] or [(text,)]
                text = small.pick(*small.pick(*related))
                cut = text[: small.pick(1, 2, 3, 9)] if op == "starts_with" else text[-2:]
                spelt = small.pick(cut.upper(), cut.lower(), cut.casefold(), cut)
                condition["value"] = small.pick(spelt, spelt, spelt, small.pick(*GREEK))
        elif op in ("gt", "gte", "lt", "lte"):
            fit = isinstance(own, str | int | float) and not isinstance(own, bool)
            condition["value"] = small.pick(own if fit else 1, 1, "1", "team", 2.5)
        elif not op.startswith("is_"):
            condition["value"] = small.pick(own, own, other, 1, True, "1", [1, 1.0])
        if condition.get("value", "") is None:
            condition["value"] = 1
        if small.yes(0.25):
            condition = {"not": condition}
        if small.yes(0.2):
            condition = {small.pick("all", "any"): [condition, {"all": []}, {"any": []}]}
            if small.yes():
                condition[next(iter(condition))].pop(small.pick(1, 2))
        paths.append((f"b{number}", condition))
    for number, (node_id, condition) in enumerate(paths):
        node: dict[str, Any] = {"kind": "branch", "paths": [{"name": "y", "when": condition}]}
        if number + 1 < len(paths):
            node["next"] = paths[number + 1][0]
        small.nodes(**{node_id: node})
    small.fact(small.pick(0, 1, 1), event="go")
    small.fact(small.pick(1, 2), event="go")


def counted(small: Small) -> None:
    """C4, T3: counts of events at the edges of their spans, late events, since the entry."""
    small.enter_by({"event": "go"}, "every_time")
    paths = []
    for number in range(8):
        condition: dict[str, Any] = {
            "event": small.pick("x", "x", "go"),
            "count": {"op": small.pick(*COUNT_OPS), "value": small.pick(0, 1, 1, 2, 3)},
        }
        if small.yes(0.6):
            condition["within"] = small.span(small.pick(0, 1, 1, 2, 3))
        if small.yes(0.5):
            condition["since"] = "entry"
        if small.yes(0.4):
            op = small.pick("eq", "ne", "gt", "lte", "in", "contains", "within_last")
            value: Any = {"trigger": small.pick("id", "list", "text", "none", "span")}
            condition["where"] = [
                {"property": small.pick("id", "text", "on"), "op": op, "value": value}
            ]
            if small.yes(0.3):
                condition["where"].append({"property": "id", "op": "is_set"})
        paths.append((f"b{number}", condition))
    for number, (node_id, condition) in enumerate(paths):
        following = paths[number + 1][0] if number + 1 < len(paths) else "w"
        small.nodes(
            **{
                node_id: {
                    "kind": "branch",
                    "paths": [{"name": "y", "when": condition}],
                    "next": following,
                }
            }
        )
    small.nodes(
        w=small.pick(
            {"kind": "wait", "for": small.span(1), "next": "b0"},
            {"kind": "wait", "until_event": {"event": "x"}, "next": "b0"},
        )
    )
    for _ in range(small.pick(6, 10)):
        step = small.pick(0, 1, 1, 2, 2, 3, 4)
        properties = {
            "id": small.pick(1, 2, None),
            "text": small.pick("a", "", "ab"),
            "list": [1, "a"],
            "span": small.span(1),
            "on": small.time(step - small.pick(0, 1, 2)),
        }
        for name in ("id", "text", "list"):
            if small.yes(0.2):
                del properties[name]
        name = small.pick("x", "x", "go")
        by = small.pick(0, 0, small.unit, 2 * small.unit, 72 * HOUR, 72 * HOUR + 1)
        identity = {"message_id": small.pick("m1", "m2", "m3")} if small.yes(0.3) else {}
        if by:
            small.late(step, by, event=name, properties=properties, **identity)
        else:
            small.fact(step, event=name, properties=properties, **identity)
    if small.yes(0.3):
        small.start = small.at(small.pick(1, 2))


def split(small: Small) -> None:
    """P1: several contacts, names whose order is that of code points."""
    small.enter_by({"event": "go"}, small.pick("once", "every_time"))
    small.journey["journey"] = small.pick("split", "S-2", "no")
    for number in range(3):
        names = small.rng.sample(["a", "B", "_", "10", "9", "-x", "Z", "no"], small.pick(2, 3, 4))
        variants = {name: small.pick(0, 1, 2, 70) for name in names}
        variants[names[0]] += 1
        node: dict[str, Any] = {"kind": "split", "variants": variants}
        if number < 2:
            node["next"] = small.pick(f"n{number + 1}", dict.fromkeys(names, f"n{number + 1}"))
        small.nodes(**{f"n{number}": node})
    for contact in ("u1", "ü-2", "x y", "0123", "é"):
        small.contact(contact)
        small.fact(small.pick(0, 1), contact, event="go")


FAMILIES: tuple[tuple[Callable[[Small], None], tuple[int, ...]], ...] = (
    (races, (MINUTE, HOUR, DAY)),
    (timers, (HOUR,)),
    (moved, (MINUTE, HOUR, DAY)),
    (hourly, (20 * MINUTE, 30 * MINUTE, HOUR)),
    (unnoticed, (15 * MINUTE, 20 * MINUTE)),
    (travel, (HOUR,)),
    (alone, (MINUTE, HOUR)),
    (members, (MINUTE, HOUR)),
    (dates, (HOUR, 6 * HOUR, DAY)),
    (mails, (MINUTE, HOUR)),
    (caps, (MINUTE, HOUR)),
    (clocks, (HOUR,)),
    (keys, (MINUTE, DAY)),
    (judged, (HOUR, DAY)),
    (counted, (MINUTE, HOUR, DAY)),
    (split, (HOUR,)),
)


def focused_case(seed: int) -> Case:
    """The small case of a seed; the seeds go round through the families."""
    make, units = FAMILIES[seed % len(FAMILIES)]
    rng = random.Random(seed)
    moment = None
    if make in (dates, caps):
        moment = rng.choice(("2026-03-28T22:00:00Z", "2024-02-28T20:00:00Z", None))
    small = Small(seed, make.__name__, rng.choice(units), moment)
    make(small)
    for item in ("topics", "segments"):
        if not small.journey[item]:
            del small.journey[item]
    if not any("template" in node for node in small.journey["nodes"].values()):
        del small.journey["templates"]
    return small.case()
