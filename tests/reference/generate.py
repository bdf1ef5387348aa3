"""Random valid journeys with contacts and facts, in which things collide often.

``case(seed)`` is a whole simulation, ``invalid_case(seed)`` one with a single thing broken. Times
are taken from a small grid, and durations, windows and dates are made to fall on it, so that facts
meet deadlines, openings and each other; names and values are few, so that facts meet conditions.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.reference.interpreter import (
    DAY,
    HOUR,
    JSON_NUMBER,
    MINUTE,
    SECOND,
    format_instant,
    parse_duration,
    parse_instant,
    to_datetime,
    to_instant,
)

KINDS = ("send", "wait", "branch", "split", "update", "webhook", "exit")
OPS = (
    *("eq", "ne", "gt", "gte", "lt", "lte", "contains", "starts_with", "in"),
    *("is_set", "is_not_set", "before", "after", "within_last", "within_next"),
)
COUNT_OPS = ("eq", "ne", "gt", "gte", "lt", "lte")

# Moments around which simulations take place, with the zone that makes them interesting.
MOMENTS = (
    ("2026-03-29T01:00:00Z", "Europe/Berlin"),  # forward
    ("2026-10-25T01:00:00Z", "Europe/Berlin"),  # back
    ("2026-03-08T07:00:00Z", "America/New_York"),
    ("2026-11-01T06:00:00Z", "America/New_York"),
    ("2026-04-04T15:00:00Z", "Australia/Lord_Howe"),  # half an hour back
    ("2026-10-03T15:30:00Z", "Australia/Lord_Howe"),
    ("2011-12-30T10:00:00Z", "Pacific/Apia"),  # a day that does not exist
    ("2026-04-04T14:00:00Z", "Pacific/Chatham"),
    ("2026-09-26T14:00:00Z", "Pacific/Chatham"),
    ("2026-02-15T02:00:00Z", "Africa/Casablanca"),
    ("2026-03-22T02:00:00Z", "Africa/Casablanca"),
    ("2024-02-28T23:00:00Z", "Europe/Berlin"),  # a leap day
    ("2027-02-28T12:00:00Z", "Pacific/Chatham"),
    ("2026-12-31T12:00:00Z", "Pacific/Kiritimati"),
    ("2026-03-02T09:00:00Z", "Europe/Berlin"),  # an ordinary Monday
    ("2026-06-13T00:00:00Z", "Asia/Kolkata"),
    ("2019-11-02T21:00:00Z", "America/Sao_Paulo"),  # clocks that went forward at midnight
    ("2018-11-04T03:00:00Z", "America/Sao_Paulo"),
    ("2026-03-29T00:00:00Z", "America/Scoresbysund"),
)
ZONES = sorted({zone for _, zone in MOMENTS} | {"UTC", "Etc/GMT+12", "Asia/Kathmandu"})
UNKNOWN_ZONES = ("Mars/Olympus", "berlin", "Europe")
EXTERNAL_IDS = ("u1", "u2", "U1", "0123", "ü-3", "no", "u 4", "z,9")
NODE_IDS = (
    *("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "o", "p", "q"),
    *("no", "on", "0123", "true", "null", "A", "B-2", "c_3", "1e3", "Z"),
)
TEXTS = ("team", "Team", "solo", "TEAM-x", "İstanbul", "istanbul", "straße", "STRASSE", "", "no")
GREEK = ("ΟΔΟΣ", "οδος", "οδοσ", "Σ", "ß", "ẞ", "İ", "i̇", "10", "true", "null")
ADDRESSES = ("a@x.example", "A@X.example", "b@x.example", "B@x.Example", "c@x.example")
EVENTS = ("ping", "order", "seen", "Ping")
ODD_DATES: tuple[Any, ...] = (
    *("2026-02-30", "2026-2-3", "soon", "", "2026-03-29T", "2026-03-29t09:00:00z", "20260329"),
    *("2026-03-29T09", "2026-03-29T09:00:00,5Z", "2026-W13-7", "9999-12-31", "0001-01-01"),
    *("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-03-29T09:00:60Z", " 2026-03-29"),
    *("2026-03-29 ", "２０２６-03-29", "2026-03-29T09:00+0100", "2025-02-29", "0000-01-01"),
    *("2026-03-29T09:00:00+02", "2026-03-29  09:00", "2026-03-29 09:00:00 Z", "2026-13-01"),
    *("9999-12-30T12:00:00.999999Z", "2026-03-29T09:00:00.Z", "now"),
    *(20260329, 1774774800.5, True, ["2026-03-29"], {"date": "2026-03-29"}),
)
THEMES = (
    "mixed",
    "waits",
    "windows",
    "date_waits",
    "date_trigger",
    "segment",
    "segment_time",
    "keys",
    "every_time",
    "messages",
    "caps",
    "late",
    "shared",
    "manual",
    "chains",
    "conditions",
    "large",
)


@dataclass
class Case:
    """One simulation: what its files hold and from when until when it runs."""

    seed: int
    theme: str
    journey: dict[str, Any]
    contacts_csv: str
    events_jsonl: str
    start: datetime | None
    until: datetime
    as_json: bool = False

    def lines(self) -> list[dict[str, Any]]:
        """The facts, as objects."""
        return [json.loads(line) for line in self.events_jsonl.splitlines() if line]


@dataclass
class InvalidCase:
    """A case with one thing broken."""

    case: Case
    broken: str
    journey_text: str | None = None  # where the journey can't be written from the object


# --------------------------------------------------------------------------------------------
# Writing a case into files


PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_:.@/+-]*")


def to_yaml(value: Any, rng: random.Random, indent: int = 0) -> str:
    """A value as YAML 1.2, with plain scalars where a reader of YAML 1.1 would stumble."""
    pad = "  " * indent
    if isinstance(value, dict) and value and (indent < 2 or rng.random() < 0.4):
        parts = []
        for key, item in value.items():
            text = to_yaml(item, rng, indent + 1)
            parts.append(f"{pad}{yaml_key(key)}:{'' if text[:1] == chr(10) else ' '}{text}")
        return ("\n" if indent else "") + "\n".join(parts)
    if isinstance(value, list) and value and rng.random() < 0.3:
        return "\n" + "\n".join(f"{pad}- {to_flow(item, rng)}" for item in value)
    return to_flow(value, rng)


def to_flow(value: Any, rng: random.Random) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        items = (f"{yaml_key(key)}: {to_flow(item, rng)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(to_flow(item, rng) for item in value) + "]"
    if isinstance(value, str):
        plain = (
            PLAIN.fullmatch(value)
            and value not in ("true", "false", "null")
            and not JSON_NUMBER.fullmatch(value)
            and not value.endswith(":")
            and rng.random() < 0.6
        )
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


def yaml_key(key: str) -> str:
    """A key; the text that stands there is the key, so a plain one needs no care."""
    return key if PLAIN.fullmatch(key) else json.dumps(key, ensure_ascii=False)


@dataclass
class Files:
    """Where a case has been written."""

    journey: Path
    contacts: Path
    events: Path


def write(case: Case, folder: Path, journey_text: str | None = None) -> Files:
    """Write a case into a folder, with the command that runs it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(
        folder / ("journey.json" if case.as_json else "journey.yaml"),
        folder / "contacts.csv",
        folder / "events.jsonl",
    )
    if journey_text is None:
        journey_text = (
            json.dumps(case.journey, ensure_ascii=False, indent=1)
            if case.as_json
            else to_yaml(case.journey, random.Random(case.seed))
        )
    files.journey.write_text(journey_text + "\n", encoding="utf-8")
    files.contacts.write_text(case.contacts_csv, encoding="utf-8", newline="")
    files.events.write_text(case.events_jsonl, encoding="utf-8")
    start = f" --from {format_instant(to_instant(case.start))}" if case.start else ""
    (folder / "command.txt").write_text(
        f"simulate {files.journey} --contacts {files.contacts} --events {files.events}{start}"
        f" --until {format_instant(to_instant(case.until))} --out {folder / 'out.jsonl'}\n"
        f"# seed {case.seed}, theme {case.theme}\n",
        encoding="utf-8",
    )
    return files


# --------------------------------------------------------------------------------------------
# Making a case


@dataclass
class Scope:
    """What may stand in a condition."""

    events: bool = True
    enrollment: bool = False  # message and since
    trigger: bool = False  # {trigger: q}
    subscribed: bool = True
    segments: list[str] = field(default_factory=list)
    sends: list[str] = field(default_factory=list)
    time: bool = True  # may look at the time


class Maker:
    """Makes one case from one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        rng = self.rng
        self.theme = THEMES[seed % len(THEMES)]
        self.large = self.theme == "large" or (self.theme != "mixed" and rng.random() < 0.25)
        moment, zone = rng.choice(MOMENTS)
        base = parse_instant(moment)
        assert base is not None
        self.unit = rng.choice((MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, HOUR, 6 * HOUR, DAY, DAY))
        if self.theme == "segment_time":
            self.unit = rng.choice((15 * MINUTE, 30 * MINUTE, HOUR, HOUR, 2 * HOUR))
        if self.theme in ("windows", "date_waits", "date_trigger"):
            self.unit = rng.choice((30 * MINUTE, HOUR, 6 * HOUR, 12 * HOUR, DAY))
        self.length = rng.choice((6, 12, 24, 40))
        self.base = base - self.unit * rng.randrange(0, self.length)
        if rng.random() < 0.1:
            self.base += rng.choice((1, SECOND, 30 * SECOND, 123_456))
        self.grid = [self.base + self.unit * k for k in range(self.length + 1)]
        self.zones = [zone, rng.choice(ZONES), rng.choice(ZONES)]
        self.until = self.grid[-1] + rng.choice((0, 0, self.unit, 3 * self.unit, 7 * DAY))
        if self.theme == "segment_time":
            self.until = min(self.until, self.grid[-1] + 2 * DAY)
        self.yearly = False
        self.chance = {
            name: rng.choice((0.0, 0.15, 0.5))
            for name in ("late", "ids", "set", "did", "topic", "suppress", "odd_dates", "unicode")
        }
        boosts = {
            "late": ("late", "ids"),
            "shared": ("ids", "suppress"),
            "messages": ("did",),
            "caps": ("topic", "suppress"),
            "date_waits": ("set", "odd_dates"),
            "date_trigger": ("set", "odd_dates"),
            "segment": ("set",),
            "segment_time": ("set",),
            "chains": ("set",),
            "windows": ("set",),
            "conditions": ("set", "unicode"),
        }
        for name in boosts.get(self.theme, ()):
            self.chance[name] = 0.6
        self.topics: dict[str, Any] = {}
        self.segments: dict[str, Any] = {}
        self.timely: set[str] = set()
        self.templates: dict[str, Any] = {}

    # ---- small things ------------------------------------------------------------------

    def yes(self, chance: float) -> bool:
        return self.rng.random() < chance

    def time(self) -> int:
        """An instant, most often one of the grid."""
        instant = self.rng.choice(self.grid)
        roll = self.rng.random()
        if roll < 0.06:
            instant += self.rng.choice((-SECOND, SECOND, 1, -1))
        elif roll < 0.12:
            instant += self.rng.randrange(0, max(self.unit, 2))
        elif roll < 0.2:
            instant -= instant % HOUR
        return instant

    def zone(self) -> str:
        return self.rng.choice(self.zones)

    def clock(self) -> str:
        """A local time, most often that of a moment of the grid."""
        if self.yes(0.15):
            return self.rng.choice(("00:00", "02:00", "02:30", "01:30", "23:30", "23:59"))
        local = to_datetime(self.rng.choice(self.grid)).astimezone(ZoneInfo(self.zone()))
        return local.strftime("%H:%M")

    def duration(self, least: int = SECOND) -> str:
        """A duration, most often some units of the grid, in one of the ways to write it."""
        if self.yes(0.15):
            text = self.rng.choice(("1s", "59s", "1m", "90s", "1h30m", "1d", "1d12h", "1w", "52w"))
            length = parse_duration(text)
            assert length is not None
            if length >= least:
                return text
        return self.spell(max(self.unit * self.rng.choice((1, 1, 1, 2, 2, 3, 4, 6)), least))

    def spell(self, length: int) -> str:
        """A length as text; not always in the shortest way."""
        seconds = length // SECOND
        if self.yes(0.2):
            for size, letter in ((3600, "h"), (60, "m")):
                if seconds and seconds % size == 0:
                    return f"{seconds // size}{letter}"
            return f"{seconds}s"
        parts = []
        for size, letter in ((604800, "w"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
            count, seconds = divmod(seconds, size)
            if count:
                parts.append(f"{count}{letter}")
        return "".join(parts) or "0s"

    def date_text(self) -> Any:
        """A date or datetime in an attribute, near the grid, or something odd."""
        rng = self.rng
        if self.yes(self.chance["odd_dates"] * 0.4):
            return rng.choice(ODD_DATES)
        instant = self.time() + rng.choice((0, 0, 0, -self.unit, 2 * self.unit, DAY, -DAY, 3 * DAY))
        if self.yearly and self.yes(0.5):
            year = rng.choice((1999, 2000, 2024, 2027))
            moment = to_datetime(instant)
            if (moment.month, moment.day) != (2, 29):
                instant = to_instant(moment.replace(year=year))
            if self.yes(0.2):
                return rng.choice(("2000-02-29", "2024-02-29", "2024-02-29T23:30:00Z"))
        local = to_datetime(instant).astimezone(ZoneInfo(self.zone()))
        if self.yes(0.4):
            return local.strftime("%Y-%m-%d")
        zone = rng.choice(("Z", "Z", "", "own", "+14:00", "-12:00", "+05:45", "-00:00"))
        if zone == "own" and local.second == 0:
            offset = local.strftime("%z")
            if len(offset) == 5:
                text = local.replace(tzinfo=None)
                suffix = f"{offset[:3]}:{offset[3:]}"
            else:
                text, suffix = to_datetime(instant).replace(tzinfo=None), "Z"
        elif zone in ("Z", "", "own"):
            text, suffix = to_datetime(instant).replace(tzinfo=None), zone if zone != "own" else ""
        else:
            sign = 1 if zone[0] == "+" else -1
            shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6])) * sign
            text, suffix = (to_datetime(instant) + shift).replace(tzinfo=None), zone
        day, clock = text.strftime("%Y-%m-%d"), text.strftime("%H:%M:%S")
        if text.microsecond:
            clock += f".{text.microsecond:06}" + rng.choice(("", "9", "000"))
        elif clock.endswith(":00") and self.yes(0.3):
            clock = clock[:5]
        elif self.yes(0.2):
            clock += rng.choice((".0", ".000000", ".0000009", ".000000999"))
        return day + rng.choice("TTT ") + clock + suffix

    def text(self) -> str:
        if self.yes(self.chance["unicode"] * 0.6):
            return self.rng.choice(GREEK)
        return self.rng.choice(TEXTS)

    def number(self) -> Any:
        return self.rng.choice((0, 1, 1.0, 2, 2.5, 10, -3, 100))

    # ---- attributes and properties -----------------------------------------------------

    def attribute_value(self, name: str) -> Any:
        rng = self.rng
        if self.yes(0.08):
            return rng.choice((None, True, 0, "", "x", [], {}, ["a"], 1))
        return {
            "plan": self.text,
            "seats": lambda: rng.choice((self.number(), self.number(), "10", True)),
            "vip": lambda: rng.choice((True, False)),
            "flag": lambda: rng.choice(("on", "off")),
            "tags": lambda: [rng.choice(("a", "A", 1, 1.0, True, None)) for _ in range(2)],
            "address.city": self.text,
            "address.geo.zip": self.number,
            "due": self.date_text,
            "born": self.date_text,
        }[name]()

    def attribute(self) -> str:
        weights = (3, 3, 2, 5, 2, 2, 1, 4, 2)
        names = (
            *("plan", "seats", "vip", "flag", "tags", "address.city", "address.geo.zip"),
            *("due", "born"),
        )
        return self.rng.choices(names, weights)[0]

    def property_value(self, name: str) -> Any:
        rng = self.rng
        return {
            "id": lambda: rng.choice((1, 2, 1.0, "1", "2", True, None)),
            "amount": self.number,
            "state": self.text,
            "tags": lambda: rng.choice((["a", "b"], ["a"], [1, True], [])),
            "o.id": lambda: rng.choice((1, 2, "1")),
            "on": self.date_text,
            "pause": lambda: rng.choice(("1h", "1d", self.spell(self.unit), "x", "0s")),
        }[name]()

    def property(self) -> str:
        return self.rng.choices(
            ("id", "amount", "state", "tags", "o.id", "on", "pause"), (6, 3, 3, 2, 2, 1, 1)
        )[0]

    def properties(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            name = self.property()
            if name == "o.id":
                result["o"] = self.rng.choice(({"id": self.property_value(name)}, {}, [1], None))
            else:
                result[name] = self.property_value(name)
        return result

    # ---- conditions --------------------------------------------------------------------

    def comparison(self, name: str, make: Callable[[str], Any], time: bool) -> dict[str, Any]:
        """An operator with a value for one attribute or property."""
        rng = self.rng
        dates = name in ("due", "born", "on", "created_at")
        if dates and self.yes(0.75):
            ops = ["before", "after", "before", "after"]
            if time:
                ops += ["within_last", "within_next", "within_last", "within_next"]
            ops += ["is_set", "is_not_set"]
        elif name == "created_at":
            ops = ["is_set", "before"]
        elif name in ("email", "external_id", "timezone"):
            ops = ["eq", "ne", "starts_with", "contains", "in", "is_set", "is_not_set"]
        else:
            ops = [*OPS[:11], "eq", "eq", "in"]
            if name in ("tags", "plan", "address.city", "state"):
                ops += ["contains", "contains", "starts_with"]
            if name in ("flag", "vip"):
                ops = ["eq", "eq", "eq", "ne", "in", "is_set", "is_not_set"]
            if self.yes(0.03):
                ops = ["before", "after"] + (["within_last", "within_next"] if time else [])
        op = rng.choice(ops)
        result: dict[str, Any] = {"op": op}
        if op in ("is_set", "is_not_set"):
            return result
        if op in ("before", "after"):
            value: Any = self.date_text()
            while parse_instant(value) is None:
                value = self.date_text()
            result["value"] = "now" if time and self.yes(0.4) else value
        elif op in ("within_last", "within_next"):
            result["value"] = rng.choice((self.duration(), self.duration(), "0s", "9999w"))
        elif op == "in":
            result["value"] = [make(name) for _ in range(rng.choice((0, 1, 2, 3)))]
        elif op == "contains" and name == "tags":
            result["value"] = rng.choice(("a", "A", 1, 1.0, True, "ab"))
        elif op in ("contains", "starts_with"):
            value = make(name)
            result["value"] = value[: rng.randrange(4)] if isinstance(value, str) else self.text()
            if self.yes(0.5):
                result["value"] = rng.choice((result["value"].upper(), result["value"].lower()))
        elif op in ("gt", "gte", "lt", "lte"):
            value = make(name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            result["value"] = value if number or isinstance(value, str) else self.number()
        else:
            result["value"] = make(name)
        return result

    def own_value(self, name: str) -> Any:
        """A value for one of the contact's own fields."""
        if name == "email":
            return self.rng.choice(ADDRESSES)
        if name == "external_id":
            return self.rng.choice(EXTERNAL_IDS)
        if name == "timezone":
            return self.rng.choice((*self.zones, UNKNOWN_ZONES[0]))
        return self.date_text()

    def attribute_condition(self, scope: Scope) -> dict[str, Any]:
        if self.yes(0.12):
            name = self.rng.choice(("email", "external_id", "timezone", "created_at"))
            return {"attribute": name, **self.comparison(name, self.own_value, scope.time)}
        name = self.attribute()
        comparison = self.comparison(name, self.attribute_value, scope.time)
        if self.yes(0.03):
            name = self.rng.choice(("tags.0", "plan.x", "address", "nothing", "address.geo"))
        return {"attribute": name, **comparison}

    def where(self, trigger: bool, time: bool = True) -> list[dict[str, Any]]:
        items = []
        for _ in range(self.rng.choice((0, 1, 1, 1, 2))):
            name = self.property()
            item = {"property": name, **self.comparison(name, self.property_value, time)}
            if trigger and self.yes(0.5):
                op = self.rng.choice(("eq", "eq", "eq", "ne", "gte", "in", "contains", "before"))
                other = name if self.yes(0.7) else self.property()
                if op == "in":
                    other = "tags"
                item = {"property": name, "op": op, "value": {"trigger": other}}
                if time and self.yes(0.05):
                    item = {"property": "on", "op": "within_last", "value": {"trigger": "pause"}}
            items.append(item)
        return items

    def event_name(self) -> str:
        if self.yes(self.chance["did"] * 0.4):
            return "message_" + self.rng.choice(("delivered", "opened", "clicked", "bounced"))
        return self.rng.choices(EVENTS, (6, 4, 2, 1))[0]

    def event_spec(self, trigger: bool, time: bool = True) -> dict[str, Any]:
        """``event`` and perhaps ``where``."""
        spec: dict[str, Any] = {"event": self.event_name()}
        if self.yes(0.4):
            spec["where"] = self.where(trigger, time)
        elif spec["event"].startswith("message_") and self.sends and self.yes(0.5):
            node = self.rng.choice(self.sends)
            spec["where"] = [{"property": "node", "op": "eq", "value": node}]
        return spec

    def condition(self, scope: Scope, depth: int = 2) -> dict[str, Any]:
        rng = self.rng
        if depth and self.yes(0.28):
            word = rng.choice(("all", "any", "not"))
            if word == "not":
                return {"not": self.condition(scope, depth - 1)}
            count = rng.choice((0, 1, 2, 2, 3)) if self.yes(0.5) else 2
            return {word: [self.condition(scope, depth - 1) for _ in range(count)]}
        kinds = ["attribute"] * 5
        if scope.events:
            kinds += ["event"] * 3
        if scope.segments:
            kinds += ["segment"] * 2
        if scope.subscribed and self.topics:
            kinds += ["subscribed"]
        if scope.enrollment and scope.sends:
            kinds += ["message"] * (4 if self.theme == "messages" else 2)
        kind = rng.choice(kinds)
        if kind == "segment":
            return {"segment": rng.choice(scope.segments)}
        if kind == "subscribed":
            return {"subscribed": rng.choice(list(self.topics))}
        if kind == "message":
            did = rng.choice(("sent", "delivered", "opened", "clicked", "bounced"))
            return {"message": rng.choice(scope.sends), "did": did}
        if kind == "attribute":
            return self.attribute_condition(scope)
        result = self.event_spec(scope.trigger, scope.time)
        if self.yes(0.5):
            result["count"] = {"op": rng.choice(COUNT_OPS), "value": rng.choice((0, 1, 2, 3))}
        if scope.time and self.yes(0.4):
            result["within"] = rng.choice((self.duration(), self.duration(), "0s"))
        if scope.enrollment and self.yes(0.5):
            result["since"] = "entry"
        return result

    # ---- the parts of a journey --------------------------------------------------------

    def make_segments(self) -> None:
        count = self.rng.choice((0, 1, 2, 3))
        if self.theme in ("segment", "segment_time", "chains"):
            count = max(count, 1)
        for number in range(count):
            slug = self.rng.choice(("s", "Seg-", "no")) + str(number)
            if self.yes(0.12):
                members = self.rng.sample((*EXTERNAL_IDS, "new1"), 3)
                self.segments[slug] = {"name": slug, "members": members}
                continue
            timely = self.theme == "segment_time" or (self.unit <= HOUR and self.yes(0.3))
            scope = Scope(segments=list(self.segments), time=timely)
            if not timely:
                scope.segments = [name for name in self.segments if name not in self.timely]
            condition = self.condition(scope)
            if self.theme in ("segment", "chains") and self.yes(0.6):
                condition = {"attribute": "flag", "op": "eq", "value": "on"}
                if self.yes(0.4):
                    condition = {"any": [condition, self.condition(scope, 1)]}
            if self.theme == "segment_time" and self.yes(0.7):
                condition = self.timely_condition()
            self.segments[slug] = {"name": slug, "when": condition}
            if timely:
                self.timely.add(slug)

    def timely_condition(self) -> dict[str, Any]:
        """A condition that time alone makes true or false within some units of the grid."""
        rng = self.rng
        op = rng.choice(("within_last", "within_next", "before", "after", "event", "not"))
        if op == "not":
            return {"not": self.timely_condition()}
        if op == "event":
            return {
                **self.event_spec(False),
                "within": self.duration(),
                "count": {"op": rng.choice(COUNT_OPS), "value": rng.choice((0, 1, 1, 2))},
            }
        value = "now" if op in ("before", "after") else self.duration()
        name = rng.choice(("due", "due", "born", "created_at"))
        return {"attribute": name, "op": op, "value": value}

    def make_trigger(self) -> dict[str, Any]:
        rng = self.rng
        kind = {
            "segment": "segment",
            "segment_time": "segment",
            "date_trigger": "date",
            "manual": "manual",
            "keys": "event",
            "every_time": rng.choice(("event", "event", "segment")),
            "chains": "segment",
        }.get(self.theme) or rng.choices(("event", "segment", "date", "manual"), (6, 2, 1, 1))[0]
        if kind == "segment" and self.segments:
            return {"segment": rng.choice(list(self.segments))}
        if kind == "date":
            return self.date_trigger()
        if kind == "manual":
            return {"manual": True}
        trigger = self.event_spec(False)
        if self.yes(0.8):
            trigger["event"] = rng.choice(EVENTS[:2])
        if self.yes(0.9 if self.theme == "keys" else 0.15):
            trigger["key"] = rng.choice(("id", "id", "o.id", "tags", "amount"))
        return trigger

    def date_trigger(self) -> dict[str, Any]:
        rng = self.rng
        name = rng.choice(("due", "due", "due", "born", "created_at"))
        trigger: dict[str, Any] = {"date": name}
        self.yearly = self.yes(0.35)
        if self.yearly or self.yes(0.6):
            trigger["at"] = self.clock()
            if self.yes(0.5):
                trigger["offset"] = rng.choice(("-3d", "1d", "0d", "-1d", "+1d", "24h", "-1w"))
        elif self.yes(0.6):
            trigger["offset"] = rng.choice(("-", "", "+")) + self.spell(self.unit)
        if self.yearly:
            trigger["yearly"] = True
            if self.yes(0.6):
                self.until += rng.choice((1, 2, 4)) * 366 * DAY
        return trigger

    def make_reentry(self) -> Any:
        if self.theme == "every_time":
            return "every_time"
        again = ("segment", "segment_time", "chains", "keys", "date_trigger")
        if self.theme in again and self.yes(0.8):
            return self.rng.choice(
                ("after_exit", "every_time", "every_time", {"after": self.duration()})
            )
        return self.rng.choice(
            (None, "once", "after_exit", "after_exit", {"after": self.duration()}, "every_time")
        )

    def window(self) -> dict[str, Any]:
        rng = self.rng
        result: dict[str, Any] = {}
        days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        if self.yes(0.4):
            result["days"] = rng.sample(days, rng.choice((1, 2, 5, 6)))
        opens = self.clock() if self.yes(0.85) else "00:00"
        closes = rng.choice((self.clock(), self.clock(), "24:00", "00:00"))
        if opens == closes:
            closes = "24:00"
        if opens != "00:00" or self.yes(0.3):
            result["from"] = opens
        if closes != "24:00" or self.yes(0.3):
            result["to"] = closes
        return result or {"from": "09:00"}

    def make_wait(self) -> dict[str, Any]:
        rng = self.rng
        kinds = {
            "windows": ("until_window", "until_window", "for"),
            "date_waits": ("until_date", "until_date", "for", "until_event"),
            "chains": ("until_date", "until_date", "until_window", "until_event"),
        }.get(
            self.theme, ("for", "for", "until_event", "until_event", "until_date", "until_window")
        )
        kind = rng.choice(kinds)
        if kind == "for":
            return {"for": self.duration()}
        if kind == "until_event":
            spec = self.event_spec(self.has_trigger_event)
            if self.yes(0.7):
                spec["timeout"] = self.duration()
            return {"until_event": spec}
        if kind == "until_window":
            return {"until_window": self.window()}
        date: dict[str, Any] = {
            "attribute": rng.choice(("due", "due", "due", "born", "created_at", "plan"))
        }
        if self.yes(0.5):
            date["at"] = self.clock()
            if self.yes(0.5):
                date["offset"] = rng.choice(("-3d", "1d", "0d", "-1d", "+2d", "48h", "9999w"))
        elif self.yes(0.5):
            date["offset"] = rng.choice(("-", "", "+")) + self.duration()
        return {"until_date": date}

    def make_set(self) -> dict[str, Any]:
        rng = self.rng
        result: dict[str, Any] = {}
        for _ in range(rng.choice((1, 1, 2))):
            roll = rng.random()
            if roll < 0.12:
                result["email"] = rng.choice((*ADDRESSES, None, " "))
            elif roll < (0.5 if self.theme in ("windows", "date_trigger") else 0.25):
                result["timezone"] = rng.choice((*self.zones, None, *UNKNOWN_ZONES[:1]))
            elif roll < 0.5 and self.theme in ("date_waits", "date_trigger", "chains"):
                result["due"] = rng.choice((self.date_text(), self.date_text(), None))
            elif roll < 0.6 and self.theme in ("segment", "chains"):
                result["flag"] = rng.choice(("on", "off"))
            else:
                name = self.attribute()
                result[name] = self.attribute_value(name)
        return result

    def template(self) -> str:
        slug = self.rng.choice(("t1", "t2", "T-3"))
        if slug not in self.templates:
            body = self.rng.choice(("text", "html", "markdown"))
            self.templates[slug] = {
                "name": slug,
                "subject": "Hello {{ contact.first_name }}",
                body: "Good day",
            }
        return slug

    def topic(self) -> str | None:
        return self.rng.choice(list(self.topics)) if self.topics and self.yes(0.6) else None

    # ---- the graph ---------------------------------------------------------------------

    def make_node(self, kind: str) -> dict[str, Any]:
        """A node without its edges, and without what refers to other nodes."""
        rng = self.rng
        node: dict[str, Any] = {"kind": kind}
        if kind == "send":
            node["template"] = self.template()
            topic = self.topic()
            if topic:
                node["topic"] = topic
            if self.yes(0.2):
                node["transactional"] = rng.choice((True, True, False))
        elif kind == "wait":
            node.update(self.make_wait())
        elif kind == "branch":
            names = rng.sample(("x", "y", "no", "1", "Else"), rng.choice((1, 1, 2, 3)))
            node["paths"] = [{"name": name} for name in names]
        elif kind == "split":
            names = rng.sample(("a", "B", "c", "10", "9", "no"), rng.choice((1, 2, 2, 3)))
            node["variants"] = {name: rng.choice((0, 1, 1, 30, 70)) for name in names}
            if not sum(node["variants"].values()):
                node["variants"][names[0]] = 1
        elif kind == "update":
            node["set"] = self.make_set()
        elif kind == "webhook":
            node["url"] = "https://hooks.example/x"
            if self.yes(0.5):
                node["method"] = "POST"
        elif self.yes(0.6):
            node["reason"] = rng.choice(("offered", "done", "no"))
        return node

    def make_graph(self) -> dict[str, dict[str, Any]]:
        rng = self.rng
        count = rng.randrange(8, 17) if self.large else rng.choice((1, 2, 3, 3, 4, 5, 6))
        ids = rng.sample(NODE_IDS, count)
        weights = {
            "send": 5,
            "wait": 6,
            "branch": 3,
            "split": 2,
            "update": 3,
            "webhook": 1,
            "exit": 1,
        }
        if self.theme in ("chains", "segment"):
            weights["update"] = 8
        if self.theme == "caps":
            weights["send"] = 10
        if self.theme in ("waits", "windows", "date_waits", "every_time"):
            weights["wait"] = 12
        kinds = rng.choices(list(weights), list(weights.values()), k=count)
        if count > 1 and kinds[0] == "exit":
            kinds[0] = "wait"
        self.sends = [node_id for node_id, kind in zip(ids, kinds, strict=True) if kind == "send"]
        nodes: dict[str, dict[str, Any]] = {}
        slots: list[tuple[str, str]] = []
        edges: dict[str, dict[str, str]] = {}
        plain: set[str] = set()
        for node_id, kind in zip(ids, kinds, strict=True):
            if nodes and not slots:
                break
            node = self.make_node(kind)
            if nodes:
                parent, outcome = slots.pop(rng.randrange(len(slots)))
                self.connect(edges, plain, slots, parent, outcome, node_id)
            nodes[node_id] = node
            edges[node_id] = {}
            outcomes = outcomes_of(node)
            slots += [(node_id, outcome) for outcome in outcomes]
            if len(outcomes) == 1 or self.yes(0.3):
                plain.add(node_id)
        self.sends = [name for name in self.sends if name in nodes]
        for parent, outcome in list(slots):
            if (parent, outcome) not in slots or self.yes(0.45):
                continue
            target = rng.choice(list(nodes))
            tried = copy.deepcopy(edges)
            for each in outcomes_of(nodes[parent]) if parent in plain else [outcome]:
                tried[parent][each] = target
            if self.cycles_wait(nodes, tried):
                self.connect(edges, plain, slots, parent, outcome, target)
        for node_id, node in nodes.items():
            if not edges[node_id]:
                continue
            targets = set(edges[node_id].values())
            full = len(edges[node_id]) == len(outcomes_of(node))
            if full and len(targets) == 1 and (node_id in plain or self.yes(0.5)):
                node["next"] = targets.pop()
            else:
                node["next"] = edges[node_id]
        return nodes

    def connect(
        self,
        edges: dict[str, dict[str, str]],
        plain: set[str],
        slots: list[tuple[str, str]],
        parent: str,
        outcome: str,
        target: str,
    ) -> None:
        """An edge; a plain ``next`` serves every outcome."""
        edges[parent][outcome] = target
        if parent in plain:
            for other in [slot for slot in slots if slot[0] == parent]:
                slots.remove(other)
                edges[parent][other[1]] = target
        elif (parent, outcome) in slots:
            slots.remove((parent, outcome))

    def cycles_wait(
        self, nodes: dict[str, dict[str, Any]], edges: dict[str, dict[str, str]]
    ) -> bool:
        """L1, and no cycle so fast that it would go round thousands of times."""
        least = max(MINUTE, min(2 * self.unit, (self.until - self.base) // 25))
        rest = {
            name: list(edges[name].values())
            for name, node in nodes.items()
            if not breaks_cycle(node, least)
        }
        return not has_cycle(rest)

    def fill(self, nodes: dict[str, dict[str, Any]]) -> None:
        """The conditions of branches, which may refer to any node."""
        scope = self.scope_of_enrollment()
        for node in nodes.values():
            for path in node.get("paths", []):
                path["when"] = self.condition(scope)

    def scope_of_enrollment(self) -> Scope:
        return Scope(
            enrollment=True,
            trigger=self.has_trigger_event,
            segments=list(self.segments),
            sends=self.sends,
        )

    # ---- the whole ---------------------------------------------------------------------

    def make_journey(self) -> dict[str, Any]:
        rng = self.rng
        self.sends: list[str] = []
        for slug in rng.sample(("news", "no", "Offers"), rng.choice((0, 1, 1, 2))):
            topic = {"name": slug}
            if self.yes(0.8):
                topic["default"] = rng.choice(("subscribed", "unsubscribed"))
            else:
                topic["default"] = "subscribed"
            self.topics[slug] = topic
        self.make_segments()
        trigger = self.make_trigger()
        self.has_trigger_event = "event" in trigger
        nodes = self.make_graph()
        self.fill(nodes)
        entry: dict[str, Any] = {"trigger": trigger}
        scope = Scope(trigger=self.has_trigger_event, segments=list(self.segments))
        if self.yes(0.25):
            entry["filter"] = self.condition(scope, 1)
        reentry = self.make_reentry()
        if reentry is not None:
            entry["reentry"] = reentry
        journey: dict[str, Any] = {
            "journey": rng.choice(("trial", "no", "J-1", "0123")),
            "name": "Journey",
            "entry": entry,
        }
        if self.yes(0.35):
            goal: dict[str, Any]
            if self.yes(0.6):
                goal = self.event_spec(self.has_trigger_event)
            else:
                goal = self.condition(
                    Scope(events=False, subscribed=False, segments=list(self.segments)), 1
                )
            journey["goal"] = goal
        if self.yes(0.3):
            journey["exit_when"] = self.condition(self.scope_of_enrollment(), 1)
        if self.yes(0.6 if self.theme in ("windows", "caps") else 0.25):
            journey["window"] = self.window()
        journey["start"] = next(iter(nodes))
        journey["nodes"] = nodes
        if self.templates:
            journey["templates"] = self.templates
        if self.segments:
            journey["segments"] = self.segments
        if self.topics:
            journey["topics"] = self.topics
        installation: dict[str, Any] = {"timezone": rng.choice((*self.zones, "UTC"))}
        if self.yes(0.8 if self.theme == "caps" else 0.2):
            within = rng.choice((self.duration(), self.spell(self.unit)))
            installation["frequency_cap"] = {"count": rng.choice((1, 1, 2, 3)), "within": within}
        journey["installation"] = installation
        return journey

    def make_contacts(self) -> tuple[str, list[str]]:
        rng = self.rng
        ids = rng.sample(EXTERNAL_IDS, rng.choice((1, 1, 2, 2, 3, 4, 6)))
        addresses = ADDRESSES if self.theme in ("shared", "caps") else (*ADDRESSES, *ADDRESSES[:1])
        columns = ["external_id", "email", "timezone", "created_at"]
        extra = [name for name in ("plan", "flag", "due", "address.city", "born") if self.yes(0.3)]
        with_json = self.yes(0.8)
        columns += extra + (["attributes"] if with_json else [])
        if self.yes(0.2):
            rng.shuffle(columns)
        rows = []
        for external_id in ids:
            row: dict[str, str] = {"external_id": external_id}
            row["email"] = (
                rng.choice(("", *addresses)) if self.yes(0.4) else f"{rng.choice('abc')}@x.example"
            )
            if self.yes(0.75):
                row["timezone"] = self.zone() if self.yes(0.85) else rng.choice(UNKNOWN_ZONES)
            created = self.rng.choice(self.grid) + rng.choice((0, -DAY, -self.unit, self.unit))
            row["created_at"] = format_instant(created)
            for name in extra:
                value = self.attribute_value(name)
                row[name] = value if isinstance(value, str) and self.yes(0.8) else ""
            if with_json and self.yes(0.85):
                attributes: dict[str, Any] = {}
                for _ in range(rng.choice((1, 2, 4, 6))):
                    self.put(attributes, extra)
                row["attributes"] = json.dumps(attributes, ensure_ascii=self.yes(0.5))
            rows.append(row)
        out = io.StringIO()
        writer = csv.DictWriter(out, columns, restval="", lineterminator=rng.choice(("\n", "\r\n")))
        writer.writeheader()
        writer.writerows(rows)
        return ("\ufeff" if self.yes(0.15) else "") + out.getvalue(), ids

    def put(self, attributes: dict[str, Any], columns: list[str]) -> None:
        """An attribute into a nested object."""
        name = self.attribute()
        if name.startswith("address") and "address.city" in columns:
            return
        *path, last = name.split(".")
        place = attributes
        for part in path:
            if not isinstance(place.get(part), dict):
                place[part] = {}
            place = place[part]
        place[last] = self.attribute_value(name)

    def make_lines(self, journey: dict[str, Any], ids: list[str]) -> list[dict[str, Any]]:
        rng = self.rng
        names = [*ids, *(["new1"] if self.yes(0.3) else []), *(["new2"] if self.yes(0.1) else [])]
        count = rng.choice((4, 8, 12, 16, 20, 30))
        specs = [spec for spec in specs_of(journey) if not spec["event"].startswith("message_")]
        specs = specs or [{"event": EVENTS[0]}]
        compared = [
            part
            for part in walk(journey)
            if isinstance(part.get("attribute"), str)
            and "op" in part
            and part["attribute"] not in ("external_id", "created_at")
            and part.get("value") != "now"
        ]
        times = [self.time() for _ in range(rng.choice((count, count // 2 + 1, count // 3 + 1)))]
        trigger = journey["entry"]["trigger"]
        lines = []
        for _ in range(count):
            line: dict[str, Any] = {"contact": rng.choice(names)}
            instant = rng.choice(times)
            line["at"] = self.time_text(instant)
            kinds = {"event": 6.0, "set": 8 * self.chance["set"] + 0.5}
            if self.sends:
                kinds["did"] = 8 * self.chance["did"] + 0.3
            kinds["topic"] = 5 * self.chance["topic"] + 0.2
            kinds["suppress"] = 2 * self.chance["suppress"]
            if "manual" in trigger:
                kinds["enter"] = 5
            if "segment" in trigger or "date" in trigger:
                kinds["set"] += 3
            kind = rng.choices(list(kinds), list(kinds.values()))[0]
            if kind == "event":
                spec = rng.choice(specs)
                line["event"] = spec["event"] if self.yes(0.9) else rng.choice(EVENTS)
                if self.yes(0.85):
                    line["properties"] = self.properties()
                    for item in spec.get("where", []):
                        if self.yes(0.8):
                            value = satisfying(item, rng)
                            line["properties"].update(
                                {"o": {"id": value}}
                                if item["property"] == "o.id"
                                else {item["property"]: value}
                            )
                if self.yes(self.chance["ids"]):
                    line["message_id"] = f"m{rng.randrange(8)}"
                if self.yes(self.chance["late"] * 0.6):
                    late = rng.choice(
                        (
                            *(0, 1, self.unit, 2 * self.unit, 71 * HOUR, 72 * HOUR),
                            *(72 * HOUR + 1, 72 * HOUR + SECOND, 100 * HOUR),
                        )
                    )
                    if self.yes(0.5):
                        line["received_at"] = self.time_text(instant + late)
                    else:
                        line["at"] = self.time_text(instant - late)
                        line["received_at"] = self.time_text(instant)
            elif kind == "set":
                line["set"] = self.make_set()
                if compared and self.yes(0.5):
                    part = rng.choice(compared)
                    value = satisfying(part, rng)
                    field_of_text = part["attribute"] in ("email", "timezone")
                    if field_of_text and not isinstance(value, str | None):
                        value = None
                    if part["op"] not in ("within_last", "within_next"):
                        line["set"] = {part["attribute"]: value}
                if "date" in trigger and self.yes(0.6):
                    line["set"][trigger["date"].replace("created_at", "due")] = self.date_text()
            elif kind == "did":
                line["message"] = rng.choice(self.sends)
                line["did"] = rng.choice(("sent", "delivered", "opened", "clicked", "bounced"))
            elif kind == "topic":
                word = rng.choice(("subscribe", "unsubscribe"))
                line[word] = rng.choice(("all", *self.topics))
            elif kind == "suppress":
                line["suppress"] = True
            else:
                line["enter"] = True
            lines.append((parse_instant(line.get("received_at", line["at"])), line))
        if self.yes(0.85):
            lines.sort(key=lambda pair: pair[0] or 0)
        return [line for _, line in lines]

    def time_text(self, instant: int) -> str:
        if self.yes(0.1):
            shift = self.rng.choice((2 * HOUR, -5 * HOUR, 345 * MINUTE))
            sign = "+" if shift > 0 else "-"
            hours, rest = divmod(abs(shift), HOUR)
            text = format_instant(instant + shift)[:-1]
            return f"{text}{sign}{hours:02}:{rest // MINUTE:02}"
        return format_instant(instant)

    def make(self) -> Case:
        rng = self.rng
        journey = self.make_journey()
        contacts_csv, ids = self.make_contacts()
        lines = self.make_lines(journey, ids)
        if self.yes(0.02):
            lines = []
        start = None
        if self.yes(0.2):
            start = to_datetime(rng.choice(self.grid[: len(self.grid) // 2 + 1]))
        return Case(
            self.seed,
            self.theme,
            journey,
            contacts_csv,
            "".join(json.dumps(line, ensure_ascii=self.yes(0.3)) + "\n" for line in lines),
            start,
            to_datetime(self.until),
            as_json=self.yes(0.3),
        )


# --------------------------------------------------------------------------------------------
# What journeys consist of


def outcomes_of(node: dict[str, Any]) -> list[str]:
    """The outcomes of a node."""
    kind = node["kind"]
    if kind == "exit":
        return []
    if kind == "branch":
        return [*(path["name"] for path in node["paths"]), "else"]
    if kind == "split":
        return list(node["variants"])
    if kind == "webhook":
        return ["ok", "failed"]
    if "until_event" in node:
        return ["event", "timeout"] if "timeout" in node["until_event"] else ["event"]
    if "until_date" in node:
        return ["next", "past", "missing"]
    return ["next"]


def breaks_cycle(node: dict[str, Any], least: int = MINUTE) -> bool:
    """L1: whether each way round through this node takes some time."""
    if "for" in node:
        return (parse_duration(node["for"]) or 0) >= least
    if "until_event" in node:
        timeout = node["until_event"].get("timeout")
        return timeout is None or (parse_duration(timeout) or 0) >= least
    return False


def has_cycle(graph: dict[str, list[str]]) -> bool:
    """Whether a graph has a cycle; targets that are not in it do not count."""
    done: set[str] = set()

    def visit(name: str, path: set[str]) -> bool:
        if name in path:
            return True
        if name in done or name not in graph:
            return False
        if any(visit(target, path | {name}) for target in graph[name]):
            return True
        done.add(name)
        return False

    return any(visit(name, set()) for name in graph)


def edges_of(node: dict[str, Any]) -> list[str]:
    """The nodes to which a node's edges lead."""
    following = node.get("next")
    if following is None:
        return []
    return [following] if isinstance(following, str) else list(following.values())


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a document."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def specs_of(journey: dict[str, Any]) -> list[dict[str, Any]]:
    """All places of a journey that look for an event, the trigger three times."""
    found = [part for part in walk(journey) if isinstance(part.get("event"), str)]
    trigger = journey["entry"]["trigger"]
    return found + ([trigger, trigger] if "event" in trigger else [])


def satisfying(item: dict[str, Any], rng: random.Random) -> Any:
    """A value that most often makes a comparison true."""
    op, value = item["op"], item.get("value")
    if isinstance(value, dict) or op in ("is_set", "ne"):
        return rng.choice((1, 2, "team"))
    if op == "is_not_set":
        return None
    if op in ("gt", "lt") and isinstance(value, int | float):
        return value + (1 if op == "gt" else -1)
    if op == "gt" and isinstance(value, str):
        return value + "x"
    if op == "in" and value:
        return rng.choice(value)
    if op == "contains":
        return rng.choice(([value], [value, "x"])) if item.get("property") == "tags" else value
    if op in ("before", "after") and isinstance(value, str) and value[:1].isdigit():
        return "2001-01-01" if op == "before" else "2098-12-31T09:00"
    return value


def problems(journey: dict[str, Any]) -> list[str]:
    """What is wrong with the graph of a generated journey; the shrinker asks it too."""
    nodes = journey["nodes"]
    found = []
    if journey["start"] not in nodes:
        return ["start"]
    reached, todo = set(), [journey["start"]]
    while todo:
        name = todo.pop()
        if name in reached:
            continue
        if name not in nodes:
            found.append(f"edge to {name}")
            continue
        reached.add(name)
        todo += edges_of(nodes[name])
    found += [f"unreachable {name}" for name in nodes if name not in reached]
    for name, node in nodes.items():
        following = node.get("next")
        if isinstance(following, dict) and not set(following) <= set(outcomes_of(node)):
            found.append(f"outcomes of {name}")
        if node.get("template", "") not in ("", *journey.get("templates", {})):
            found.append(f"template of {name}")
        if node.get("topic", "") not in ("", *journey.get("topics", {})):
            found.append(f"topic of {name}")
    rest = {name: edges_of(node) for name, node in nodes.items() if not breaks_cycle(node)}
    if has_cycle(rest):
        found.append("cycle without a wait")
    for part in walk(journey):
        if "did" in part and nodes.get(part["message"], {}).get("kind") != "send":
            found.append(f"message {part['message']}")
        if isinstance(part.get("segment"), str) and part["segment"] not in journey.get(
            "segments", {}
        ):
            found.append(f"segment {part['segment']}")
        if isinstance(part.get("subscribed"), str) and part["subscribed"] not in journey.get(
            "topics", {}
        ):
            found.append(f"topic {part['subscribed']}")
    return found


# --------------------------------------------------------------------------------------------
# Cases that chance would not find


def loop_case(seed: int) -> Case:
    """T6: about a hundred enrollments, each of which wakes the one that began before it.

    One that began later would be moved within the same fact; so this is how a chain becomes long
    without forking, which would make it longer than anybody can wait for.
    """
    rng = random.Random(seed)
    many, tail = rng.choice((96, 99, 100, 100)), rng.choice((2, 6))
    far, past = "2099-01-01", rng.choice((None, "2001-01-01", "no date"))
    last = many - tail
    nodes: dict[str, Any] = {
        "who": {
            "kind": "branch",
            "paths": [
                {"name": f"p{k}", "when": {"attribute": "n", "op": "eq", "value": k}}
                for k in range(1, many + 1)
            ],
            "next": {**{f"p{k}": f"w{k}" for k in range(1, many + 1)}, "else": "rest"},
        },
        "rest": {"kind": "wait", "for": "1h"},
    }
    dates = {f"d{k}": far for k in range(1, many + 1)}
    for k in range(1, many + 1):
        wakes = f"d{k - 1}" if k > 1 else f"t{many}"
        following = f"again{k}" if k > last else "rest"
        nodes[f"w{k}"] = {"kind": "wait", "until_date": {"attribute": f"d{k}"}, "next": f"u{k}"}
        nodes[f"u{k}"] = {"kind": "update", "set": {wakes: past}, "next": following}
        if k > last:
            dates[f"t{k}"] = far
            nodes[f"again{k}"] = {
                "kind": "wait",
                "until_date": {"attribute": f"t{k}"},
                "next": f"more{k}",
            }
            nodes[f"more{k}"] = {"kind": "update", "set": {f"t{k - 1}": past}, "next": "rest"}
    journey = {
        "journey": "loop",
        "name": "Loop",
        "entry": {"trigger": {"event": "ping"}, "reentry": "every_time"},
        "start": "who",
        "nodes": nodes,
        "installation": {"timezone": "UTC"},
    }
    facts: list[dict[str, Any]] = [{"set": dates}]
    for k in range(1, many + 1):
        facts += [{"set": {"n": k}}, {"event": "ping"}]
    facts += [{"set": {f"d{many}": past}}, {"set": {f"t{many}": past}}]
    lines = [{"contact": "u1", "at": "2026-03-01T09:00:00Z", **each} for each in facts]
    return Case(
        seed,
        "loop",
        journey,
        "external_id,email,timezone,created_at\nu1,a@x.example,,\n",
        "".join(json.dumps(line) + "\n" for line in lines),
        None,
        datetime.fromisoformat("2026-03-01T10:00:00+00:00"),
    )


def chain_case(seed: int) -> Case:
    """T6: enrollments by membership that wake each other by what they change."""
    rng = random.Random(seed)
    far, late = "2099-01-01", (None, "2001-01-01", "2098-01-01", "2099-01-01")
    nodes: dict[str, Any] = {}
    size = rng.randrange(4, 9)
    for place in range(size):
        following = {"next": f"n{place + 1}"} if place + 1 < size else {}
        if rng.random() < 0.5:
            node: dict[str, Any] = {"kind": "wait", "until_date": {"attribute": rng.choice("xyz")}}
        else:
            changes = {name: rng.choice((far, *late)) for name in rng.sample("xyz", 2)}
            if rng.random() < 0.4:
                changes["m"] = False
            node = {"kind": "update", "set": changes}
        nodes[f"n{place}"] = {**node, **following}
    journey: dict[str, Any] = {
        "journey": "chain",
        "name": "Chain",
        "entry": {
            "trigger": {"segment": "on"},
            "reentry": rng.choice(("every_time", "every_time", "after_exit")),
        },
        "start": "n0",
        "nodes": nodes,
        "segments": {"on": {"name": "On", "when": {"attribute": "m", "op": "eq", "value": True}}},
        "installation": {"timezone": "UTC"},
    }
    if rng.random() < 0.4:
        goal = {"attribute": rng.choice("xyz"), "op": "before", "value": "2098-06-01"}
        journey[rng.choice(("goal", "exit_when"))] = goal
    lines = []
    for number in range(rng.randrange(4, 14)):
        changes = {name: rng.choice((far, far, *late)) for name in rng.sample("xyz", 1)}
        if number == 0:
            changes = {"x": far, "y": far, "z": far}
        if rng.random() < 0.6:
            changes["m"] = rng.choice((True, True, False))
        lines.append({"contact": "u1", "at": "2026-03-01T09:00:00Z", "set": changes})
    return Case(
        seed,
        "chain",
        journey,
        "external_id,email,timezone,created_at\nu1,a@x.example,,\n",
        "".join(json.dumps(line) + "\n" for line in lines),
        None,
        datetime.fromisoformat("2026-03-01T10:00:00+00:00"),
    )


def crowd_case(seed: int) -> Case:
    """E4: more triggers than enrollments may be open."""
    rng = random.Random(seed)
    first = parse_instant("2026-03-02T09:00:00Z")
    assert first is not None
    many = rng.randrange(98, 106)
    wait: dict[str, Any] = {"kind": "wait", "until_event": {"event": "go"}, "next": "after"}
    if rng.random() < 0.5:
        item = {"property": "id", "op": "eq", "value": {"trigger": "id"}}
        wait["until_event"]["where"] = [item]
    journey = {
        "journey": "crowd",
        "name": "Crowd",
        "entry": {"trigger": {"event": "ping"}, "reentry": "every_time"},
        "start": "w",
        "nodes": {"w": wait, "after": {"kind": "exit", "reason": "gone"}},
        "installation": {"timezone": "UTC"},
    }
    if rng.random() < 0.4:
        journey["entry"]["trigger"]["key"] = "id"  # type: ignore[index]
        journey["entry"]["reentry"] = "after_exit"  # type: ignore[index]
    lines: list[dict[str, Any]] = []
    for number in range(many):
        at = format_instant(first + (number // 10) * MINUTE)
        properties = {"id": number if rng.random() < 0.9 else 1}
        lines.append({"contact": "u1", "at": at, "event": "ping", "properties": properties})
    for number in range(4):
        at = format_instant(first + HOUR + number * MINUTE)
        name = "go" if number % 2 == 0 else "ping"
        lines.append({"contact": "u1", "at": at, "event": name, "properties": {"id": number + 1}})
    return Case(
        seed,
        "crowd",
        journey,
        "external_id,email,timezone,created_at\nu1,a@x.example,,\n",
        "".join(json.dumps(line) + "\n" for line in lines),
        None,
        to_datetime(first + DAY),
    )


def case(seed: int) -> Case:
    """The case of a seed; always the same one."""
    if seed % 200 == 77:
        return loop_case(seed)
    if seed % 200 == 177:
        return crowd_case(seed)
    if seed % 20 == 17:
        return chain_case(seed)
    if seed % 2:
        from tests.reference.focused import focused_case

        return replace(focused_case(seed // 2), seed=seed)
    return replace(Maker(seed // 2).make(), seed=seed)


# --------------------------------------------------------------------------------------------
# Broken cases


def invalid_case(seed: int) -> InvalidCase:
    """A valid case with one thing broken that the page says is refused."""
    rng = random.Random(seed)
    given = Maker(rng.randrange(10**6)).make()
    given.seed = seed
    names = [("journey", name) for name in JOURNEY_BREAKERS]
    names += [("line", name) for name in LINE_BREAKERS]
    file, name = names[seed % len(names)]
    if file == "line":
        lines = given.lines()
        at = format_instant(to_instant(given.until) - rng.choice((0, HOUR, -DAY)))
        line = LINE_BREAKERS[name]({"contact": rng.choice(("u1", "new1")), "at": at}, given.journey)
        lines.insert(rng.randrange(len(lines) + 1), line)
        given.events_jsonl = "".join(
            (each if isinstance(each, str) else json.dumps(each, ensure_ascii=False)) + "\n"
            for each in lines
        )
        return InvalidCase(given, f"line: {name}")
    journey = copy.deepcopy(given.journey)
    # Something to break is always there.
    journey["nodes"] = {
        "x-send": {"kind": "send", "template": "x-t", "next": "x-wait"},
        "x-wait": {"kind": "wait", "for": "2h", "next": "x-event"},
        "x-event": {
            "kind": "wait",
            "until_event": {"event": "ping"},
            "next": {"event": "x-branch"},
        },
        "x-branch": {
            "kind": "branch",
            "paths": [{"name": "yes", "when": {"attribute": "plan", "op": "is_set"}}],
            "next": {"yes": "x-split", "else": "x-exit"},
        },
        "x-split": {"kind": "split", "variants": {"a": 1, "b": 2}, "next": {"a": "x-update"}},
        "x-update": {"kind": "update", "set": {"plan": "x"}, "next": "x-date"},
        "x-date": {
            "kind": "wait",
            "until_date": {"attribute": "due"},
            "next": {"next": "x-window"},
        },
        "x-window": {
            "kind": "wait",
            "until_window": {"from": "09:00", "to": "17:00"},
            "next": journey["start"],
        },
        "x-exit": {"kind": "exit"},
        **journey["nodes"],
    }
    journey["start"] = "x-send"
    journey.setdefault("templates", {})["x-t"] = {"name": "X", "subject": "X", "text": "X"}
    journey.setdefault("segments", {})["x-seg"] = {
        "name": "X",
        "when": {"attribute": "plan", "op": "is_set"},
    }
    journey.setdefault("topics", {})["x-topic"] = {"name": "X", "default": "subscribed"}
    given.journey = journey
    text = JOURNEY_BREAKERS[name](journey, rng)
    return InvalidCase(given, f"journey: {name}", text)


def _at(journey: dict[str, Any], path: str) -> tuple[Any, str]:
    """The place that a path with slashes names, and the last step."""
    *steps, last = path.split("/")
    place: Any = journey
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place[step]
    return place, last


def put(path: str, value: Any) -> Callable[[dict[str, Any], random.Random], str | None]:
    """A breaker that puts a value somewhere."""

    def breaker(journey: dict[str, Any], _: random.Random) -> str | None:
        place, last = _at(journey, path)
        if isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = copy.deepcopy(value)
        return None

    return breaker


def drop(path: str) -> Callable[[dict[str, Any], random.Random], str | None]:
    """A breaker that takes something away."""

    def breaker(journey: dict[str, Any], _: random.Random) -> str | None:
        place, last = _at(journey, path)
        del place[last]
        return None

    return breaker


def _twice(journey: dict[str, Any], _: random.Random) -> str:
    """A key that stands twice."""
    text = json.dumps(journey, ensure_ascii=False)
    return text[:-1] + ', "name": "Again"}'


def _manual(*steps: Callable[[dict[str, Any], random.Random], str | None]) -> Any:
    """A breaker for a journey that no event starts."""

    def breaker(journey: dict[str, Any], rng: random.Random) -> None:
        journey["entry"] = {"trigger": {"manual": True}}
        journey.pop("goal", None)
        journey.pop("exit_when", None)
        for node in journey["nodes"].values():
            for item in walk(node):
                if "where" in item:
                    del item["where"]
        for step in steps:
            step(journey, rng)

    return breaker


_SET = {"attribute": "plan", "op": "is_set"}
_SENT = {"message": "x-send", "did": "sent"}
_SINCE = {"event": "ping", "since": "entry"}
_FOLLOW = [{"property": "id", "op": "eq", "value": {"trigger": "id"}}]

JOURNEY_BREAKERS: dict[str, Callable[[dict[str, Any], random.Random], str | None]] = {
    "unknown key": put("colour", "red"),
    "unknown key of entry": put("entry/when", _SET),
    "unknown key of a node": put("nodes/x-wait/colour", "red"),
    "unknown key of a wait": put("nodes/x-event/until_event/colour", "red"),
    "unknown key of a condition": put("nodes/x-branch/paths/0/when", {**_SET, "since": "entry"}),
    "key of another kind": put("nodes/x-wait/template", "x-t"),
    "key twice": _twice,
    "no journey": drop("journey"),
    "no start": drop("start"),
    "no nodes": put("nodes", {}),
    "no trigger": drop("entry/trigger"),
    "two triggers": put("entry/trigger", {"event": "ping", "manual": True}),
    "slug with a blank": put("journey", "a b"),
    "node id with a dot": put("nodes/a.b", {"kind": "exit"}),
    "start is nowhere": put("start", "nowhere"),
    "edge to nowhere": put("nodes/x-wait/next", "nowhere"),
    "edge of an outcome to nowhere": put("nodes/x-split/next/b", "nowhere"),
    "unreachable": put("nodes/x-lonely", {"kind": "exit"}),
    "unknown outcome": put("nodes/x-split/next/c", "x-exit"),
    "timeout without one": put("nodes/x-event/next/timeout", "x-exit"),
    "next of exit": put("nodes/x-exit/next", "x-send"),
    "unknown kind": put("nodes/x-exit/kind", "stop"),
    "unknown template": put("nodes/x-send/template", "none-such"),
    "no template": drop("nodes/x-send/template"),
    "unknown topic": put("nodes/x-send/topic", "none-such"),
    "unknown segment": put("nodes/x-branch/paths/0/when", {"segment": "none-such"}),
    "unknown segment of the trigger": put("entry/trigger", {"segment": "none-such"}),
    "unknown topic in a condition": put("entry/filter", {"subscribed": "none-such"}),
    "message of no send": put("nodes/x-branch/paths/0/when", {"message": "x-wait", "did": "sent"}),
    "unknown did": put("nodes/x-branch/paths/0/when", {"message": "x-send", "did": "read"}),
    "weights of 0": put("nodes/x-split/variants", {"a": 0, "b": 0}),
    "negative weight": put("nodes/x-split/variants/a", -1),
    "half a weight": put("nodes/x-split/variants/a", 1.5),
    "no variants": put("nodes/x-split/variants", {}),
    "cycle": put("nodes/x-update/next", "x-branch"),
    "cycle through a date": put("nodes/x-date/next", "x-date"),
    "cycle through a window": put("nodes/x-window/next", "x-date"),
    "cycle through a short wait": lambda journey, _: (
        journey["nodes"].update(
            {"x-wait": {"kind": "wait", "for": "59s", "next": {"next": "x-send"}}}
        )
        or _cut(journey, "x-send")
    ),
    "path else": put("nodes/x-branch/paths/0/name", "else"),
    "no paths": put("nodes/x-branch", {"kind": "branch", "paths": [], "next": "x-split"}),
    "paths alike": lambda journey, _: journey["nodes"]["x-branch"]["paths"].append(
        {"name": "yes", "when": _SET}
    ),
    "two waits": put("nodes/x-wait/until_window", {"from": "09:00"}),
    "no wait": drop("nodes/x-wait/for"),
    "for 0s": put("nodes/x-wait/for", "0s"),
    "for, not falling": put("nodes/x-wait/for", "1h1d"),
    "for, twice a unit": put("nodes/x-wait/for", "1h1h"),
    "for, a fraction": put("nodes/x-wait/for", "1.5h"),
    "for, a number": put("nodes/x-wait/for", 60),
    "for, empty": put("nodes/x-wait/for", ""),
    "for, with a sign": put("nodes/x-wait/for", "-1h"),
    "timeout 0s": put("nodes/x-event/until_event/timeout", "0s"),
    "window from is to": put("window", {"from": "09:00", "to": "09:00"}),
    "window from 24:00": put("window", {"from": "24:00", "to": "09:00"}),
    "window without days": put("window", {"days": [], "from": "09:00"}),
    "window with an unknown day": put("window", {"days": ["monday"], "from": "09:00"}),
    "window at 25:00": put("nodes/x-window/until_window/from", "25:00"),
    "window at 9": put("nodes/x-window/until_window/from", 9),
    "offset of hours with at": put(
        "nodes/x-date/until_date", {"attribute": "due", "at": "09:00", "offset": "36h"}
    ),
    "no attribute": put("nodes/x-date/until_date", {"at": "09:00"}),
    "yearly without at": put("entry", {"trigger": {"date": "due", "yearly": True}}),
    "key on a segment": put("entry", {"trigger": {"segment": "x-seg", "key": "id"}}),
    "message in the filter": put("entry/filter", _SENT),
    "since in the filter": put("entry/filter", {"not": _SINCE}),
    "message in a segment": put("segments/x-seg/when", _SENT),
    "since in a segment": put("segments/x-seg/when", _SINCE),
    "since in the goal": put("goal", {"all": [_SINCE]}),
    "message in the goal": put("goal", {"any": [_SENT]}),
    "trigger value in the trigger": put("entry", {"trigger": {"event": "x", "where": _FOLLOW}}),
    "trigger value in a segment": put("segments/x-seg/when", {"event": "ping", "where": _FOLLOW}),
    "trigger value in a wait without an event": _manual(
        put("nodes/x-event/until_event/where", _FOLLOW)
    ),
    "trigger value in the goal without an event": _manual(
        put("goal", {"event": "x", "where": _FOLLOW})
    ),
    "trigger value in the filter without an event": _manual(
        put("entry/filter", {"event": "x", "where": _FOLLOW})
    ),
    "value of is_set": put("entry/filter", {**_SET, "value": True}),
    "unknown operator": put("entry/filter", {"attribute": "plan", "op": "like", "value": "x"}),
    "unknown operator of a count": put(
        "entry/filter", {"event": "ping", "count": {"op": "in", "value": 1}}
    ),
    "two conditions in one": put("entry/filter", {**_SET, "segment": "x-seg"}),
    "empty condition": put("entry/filter", {}),
    "segment of itself": put("segments/x-seg/when", {"not": {"segment": "x-seg"}}),
    "segments in a circle": lambda journey, _: journey["segments"].update(
        {
            "x-one": {"name": "1", "when": {"segment": "x-two"}},
            "x-two": {"name": "2", "when": {"any": [{"segment": "x-one"}]}},
        }
    ),
    "set external_id": put("nodes/x-update/set", {"external_id": "x"}),
    "set created_at": put("nodes/x-update/set", {"created_at": "2026-01-01"}),
    "template without subject": put("templates/x-t", {"name": "X", "text": "X"}),
    "template without a body": put("templates/x-t", {"name": "X", "subject": "X"}),
    "template that does not parse": put("templates/x-t/text", "{% if %}"),
    "topic all": put("topics/all", {"name": "All", "default": "subscribed"}),
    "unknown default": put("topics/x-topic/default", "maybe"),
    "unknown reentry": put("entry/reentry", "always"),
    "after 0s": put("entry/reentry", {"after": "0s"}),
    "cap within 0s": put("installation/frequency_cap", {"count": 1, "within": "0s"}),
}

LINE_BREAKERS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]] = {
    "no fact": lambda line, _: line,
    "two facts": lambda line, _: {**line, "event": "ping", "suppress": True},
    "two changes": lambda line, _: {**line, "subscribe": "all", "set": {"a": 1}},
    "unknown key": lambda line, _: {**line, "event": "ping", "colour": "red"},
    "no time": lambda line, _: {"contact": line["contact"], "event": "ping"},
    "time that is none": lambda line, _: {**line, "at": "soon", "event": "ping"},
    "a day that does not exist": lambda line, _: {
        **line,
        "at": "2026-02-30T09:00:00Z",
        "event": "ping",
    },
    "no contact": lambda line, _: {"at": line["at"], "event": "ping"},
    "received before": lambda line, _: {
        **line,
        "event": "ping",
        "received_at": format_instant((parse_instant(line["at"]) or 0) - 1),
    },
    "received_at of a change": lambda line, _: {
        **line,
        "set": {"a": 1},
        "received_at": line["at"],
    },
    "unknown topic": lambda line, _: {**line, "subscribe": "none-such"},
    "unknown topic again": lambda line, _: {**line, "unsubscribe": "none-such"},
    "message of an unknown node": lambda line, _: {
        **line,
        "message": "none-such",
        "did": "opened",
    },
    "message of a node that sends nothing": lambda line, journey: {
        **line,
        "message": next(
            (name for name, node in journey["nodes"].items() if node["kind"] != "send"), "none"
        ),
        "did": "opened",
    },
    "message without did": lambda line, journey: {**line, "message": journey["start"]},
    "event from the engine": lambda line, _: {**line, "event": "message_opened"},
    "event with a reserved name": lambda line, _: {**line, "event": "message_read"},
    "enter without manual": lambda line, journey: {
        **line,
        **(
            {"enter": False, "event": "x"}
            if "manual" in journey["entry"]["trigger"]
            else {"enter": True}
        ),
    },
    "no JSON": lambda line, _: '{"contact": "u1", ',
    "no object": lambda line, _: "[1]",
    "properties that are a list": lambda line, _: {**line, "event": "ping", "properties": [1]},
}


def _cut(journey: dict[str, Any], keep: str) -> None:
    """Leave only what can be reached."""
    reached, todo = set(), [keep]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += edges_of(journey["nodes"][name])
    journey["nodes"] = {name: node for name, node in journey["nodes"].items() if name in reached}
    journey.pop("exit_when", None)
