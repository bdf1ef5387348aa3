"""A reference interpreter of journeys, written from the page on semantics alone.

It shares no code with the engine. It is slow on purpose where that keeps it clear: one fact at a
time, one contact at a time, everything looked up anew. The names of rules (W3, T6, E1, ...) in the
comments are those of the page.

Instants are whole microseconds since 1970 in UTC (``int``), so that no arithmetic can overflow;
only the calendar functions know about the years 1 to 9999.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
TOO_LATE = 72 * HOUR  # T3
MAX_LINKS = 100  # T6
MAX_OPEN = 100  # E4
MAX_CHANGES = 20_000  # not of the page: chains may fork, and a hundred links then take for ever
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_INSTANT = -62_135_596_800 * SECOND  # 0001-01-01T00:00:00Z
LAST_INSTANT = 253_402_300_800 * SECOND - 1  # 9999-12-31T23:59:59.999999Z
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class WrongInput(ValueError):
    """The input is not what the page allows (only a few such things are looked for)."""


class TooLong(RuntimeError):
    """The interpreter gives up; the case says nothing."""


# --------------------------------------------------------------------------------------------
# Reading the journey file (section 2)


JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


class _Loader(yaml.SafeLoader):
    """YAML whose plain scalars are read as JSON would read them; keys are the text they are."""

    yaml_implicit_resolvers: dict[Any, Any] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or key in result:
                raise WrongInput(f"key {key!r} is no scalar or stands twice")
            result[key] = self.construct_object(value_node, deep=True)
        return result


def _construct_map(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node)


def _construct_number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    return json.loads(node.value)  # type: ignore[no-any-return]


_Loader.add_constructor("tag:yaml.org,2002:map", _construct_map)
_Loader.add_constructor("tag:page:number", _construct_number)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)\Z"), ["t", "f"]
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)\Z"), ["n", "~", ""]
)
_Loader.add_implicit_resolver(
    "tag:page:number", re.compile("^" + JSON_NUMBER.pattern + r"\Z"), list("-0123456789")
)


def load_document(text: str) -> Any:
    """A journey file, as YAML 1.2 (of which JSON is a part)."""
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped.startswith("{"):
        try:
            return json.loads(text.lstrip("\ufeff"))
        except ValueError:
            pass  # a flow mapping of YAML
    return yaml.load(text, Loader=_Loader)


# --------------------------------------------------------------------------------------------
# Durations, dates and local times


DURATION = re.compile(r"(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")
UNITS = (7 * DAY, DAY, HOUR, MINUTE, SECOND)


def parse_duration(text: Any) -> int | None:
    """``1d12h`` in microseconds, or None where it is no duration."""
    match = DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if match is None:
        return None
    return sum(
        int(count) * unit for count, unit in zip(match.groups(), UNITS, strict=True) if count
    )


def parse_offset(text: str | None) -> int:
    """A duration that may have a sign; nothing is no offset."""
    if not text:
        return 0
    sign = -1 if text[0] == "-" else 1
    result = parse_duration(text[1:] if text[0] in "+-" else text)
    if result is None:
        raise WrongInput(f"no offset: {text!r}")
    return sign * result


ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


@lru_cache(maxsize=4096)
def _parse_iso(text: str) -> tuple[int, date | None] | None:
    """The instant of an ISO 8601 text, and the date itself where it has no time."""
    match = ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        value = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int(((fraction or "") + "000000")[:6]),  # digits beyond microseconds are cut
            tzinfo=UTC,
        )
    except ValueError:
        return None  # a day that does not exist is no date
    instant = to_instant(value)
    if zone is not None and zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 23 or minutes > 59:
            return None
        shift = hours * HOUR + minutes * MINUTE
        instant += shift if zone[0] == "-" else -shift
    if not FIRST_INSTANT <= instant <= LAST_INSTANT:
        return None  # beyond the calendar
    return instant, (value.date() if hour is None else None)


def parse_instant(value: Any) -> int | None:
    """A date is its midnight in UTC, a datetime without an offset is in UTC."""
    parsed = _parse_iso(value) if isinstance(value, str) else None
    return None if parsed is None else parsed[0]


def to_instant(value: datetime) -> int:
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return (value - EPOCH) // timedelta(microseconds=1)


def to_datetime(instant: int) -> datetime:
    return EPOCH + timedelta(microseconds=instant)


def format_instant(instant: int) -> str:
    """UTC with Z, and microseconds only where they are not zero."""
    return to_datetime(instant).replace(tzinfo=None).isoformat() + "Z"


@lru_cache(maxsize=256)
def find_zone(name: str | None) -> ZoneInfo | None:
    """The zone of that IANA name, or None where there is none."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def offset_at(zone: ZoneInfo, instant: int) -> int:
    """How far local clocks are ahead of UTC at an instant, in microseconds."""
    local = to_datetime(instant).astimezone(zone)
    shift = local.utcoffset()
    assert shift is not None
    return shift // timedelta(microseconds=1)


def local_date(zone: ZoneInfo, instant: int) -> date | None:
    """The date that local calendars show at an instant; None beyond the calendar."""
    try:
        return to_datetime(instant).astimezone(zone).date()
    except OverflowError:
        return None


@lru_cache(maxsize=65536)
def local_to_instant(zone: ZoneInfo, day: date, minute: int) -> int | None:
    """W5: the instant of a local time, ``minute`` minutes after midnight (1440 is the next day's).

    In a gap it is the first instant after it; of two it is the first. None beyond the calendar.
    """
    try:
        naive = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
        first = naive.replace(tzinfo=zone, fold=0).utcoffset()
    except OverflowError:
        return None
    assert first is not None
    wall = to_instant(naive)
    before = first // timedelta(microseconds=1)
    instant = wall - before
    if not FIRST_INSTANT <= instant <= LAST_INSTANT:
        return None
    try:
        if offset_at(zone, instant) == before:
            return instant  # it exists, and fold=0 is the first of two
        second = naive.replace(tzinfo=zone, fold=1).utcoffset()
        assert second is not None
        # The clocks went forward between these two instants: find the first one after it.
        low, high = wall - second // timedelta(microseconds=1), instant
        while high - low > 1:
            middle = (low + high) // 2
            if offset_at(zone, middle) == before:
                low = middle
            else:
                high = middle
        return high
    except OverflowError:
        return None


def parse_clock(text: str) -> int:
    """``HH:MM`` as minutes after midnight."""
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def add_days(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def date_moment(value: Any, zone: ZoneInfo, offset: int, at: str | None) -> int | None:
    """W3: the instant of a date with an offset; None where it is no date or beyond the calendar."""
    parsed = _parse_iso(value) if isinstance(value, str) else None
    if parsed is None:
        return None
    instant, day = parsed
    if at is None:
        moment = instant + offset
        return moment if FIRST_INSTANT <= moment <= LAST_INSTANT else None
    if day is None:
        day = local_date(zone, instant)
    if day is not None:
        day = add_days(day, offset // DAY)
    return None if day is None else local_to_instant(zone, day, parse_clock(at))


def window_spans(window: dict[str, Any], zone: ZoneInfo, around: int) -> Iterator[tuple[int, int]]:
    """W4: the spans in which the window is open, from two days before to nine weeks after."""
    opens = parse_clock(window.get("from", "00:00"))
    closes = parse_clock(window.get("to", "24:00"))
    if closes < opens:
        closes += 24 * 60  # over midnight, it belongs to the day it opened on
    days = window.get("days", list(WEEKDAYS))
    today = local_date(zone, around)
    assert today is not None
    for distance in range(-3, 64):
        day = add_days(today, distance)
        if day is None or WEEKDAYS[day.weekday()] not in days:
            continue
        first, last = local_to_instant(zone, day, opens), local_to_instant(zone, day, closes)
        if first is not None and last is not None and first < last:  # an empty span does not open
            yield first, last


def window_moment(window: dict[str, Any], zone: ZoneInfo, now: int) -> int | None:
    """W4: now where the window is open, else its next opening."""
    upcoming: int | None = None
    for first, last in window_spans(window, zone, now):
        if first <= now < last:
            return now
        if first > now and upcoming is None:
            upcoming = first
    return upcoming


# --------------------------------------------------------------------------------------------
# Conditions (section 3)


def json_type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "list" if isinstance(value, list) else "object"


def equal(left: Any, right: Any) -> bool:
    """Equal with the same JSON type, also inside lists and objects (C3)."""
    kind = json_type(left)
    if kind != json_type(right):
        return False
    if kind == "list":
        return len(left) == len(right) and all(
            equal(a, b) for a, b in zip(left, right, strict=True)
        )
    if kind == "object":
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return bool(left == right)


def compare(left: Any, op: str, value: Any, now: int) -> bool:
    """One operator on one attribute or property (C1, C2, C3)."""
    if op == "is_set":
        return left is not None
    if op == "is_not_set":
        return left is None
    if left is None or value is None:
        return op == "ne"  # C1
    if op == "eq":
        return equal(left, value)
    if op == "ne":
        return not equal(left, value)
    if op in ("gt", "gte", "lt", "lte"):
        kind = json_type(left)
        if kind != json_type(value) or kind not in ("number", "string"):
            return False  # C2
        return bool(
            {
                "gt": left > value,
                "gte": left >= value,
                "lt": left < value,
                "lte": left <= value,
            }[op]
        )
    if op == "contains":
        if isinstance(left, str):
            return isinstance(value, str) and value.lower() in left.lower()
        return isinstance(left, list) and any(equal(item, value) for item in left)
    if op == "starts_with":
        return (
            isinstance(left, str)
            and isinstance(value, str)
            and left.lower().startswith(value.lower())
        )
    if op == "in":
        return isinstance(value, list) and any(equal(left, item) for item in value)
    moment = parse_instant(left)
    if moment is None:
        return False
    if op in ("before", "after"):
        other = now if value == "now" else parse_instant(value)
        if other is None:
            return False
        return moment < other if op == "before" else moment > other
    duration = parse_duration(value)
    if duration is None:
        return False
    if op == "within_last":
        return now - duration <= moment <= now
    if op == "within_next":
        return now <= moment <= now + duration
    raise WrongInput(f"unknown operator {op!r}")


def count_holds(number: int, count: dict[str, Any] | None) -> bool:
    """``count`` defaults to at least 1."""
    op, value = (count or {}).get("op", "gte"), (count or {}).get("value", 1)
    return bool(
        {
            "eq": number == value,
            "ne": number != value,
            "gt": number > value,
            "gte": number >= value,
            "lt": number < value,
            "lte": number <= value,
        }[op]
    )


def reach(values: Any, name: str) -> Any:
    """A dotted name reaches into nested objects, not into lists."""
    for part in name.split("."):
        if not isinstance(values, dict):
            return None
        values = values.get(part)
    return values


# --------------------------------------------------------------------------------------------
# What the interpreter keeps


@dataclass
class Event:
    name: str
    properties: dict[str, Any]
    occurred_at: int
    order: int  # the number of the fact in which it was received


@dataclass
class Message:
    node: str
    template: str
    at: int
    status: str
    reason: str | None
    address: str | None = None
    marketing: bool = True
    did: set[str] = field(default_factory=set)


@dataclass
class Visit:
    node: str
    entered_at: int
    left_at: int | None = None
    outcome: str | None = None


@dataclass
class Wait:
    """Why an enrollment is still in its node: a key of ``wait``, or ``send`` for S4."""

    kind: str
    began: int  # in which order waits began (T1)
    due: int | None


@dataclass
class Enrollment:
    number: int
    contact: Contact
    entered_at: int
    order: int  # the number of the fact that started it
    event: Event | None  # the event that started it
    status: str = "active"
    reason: str | None = None
    ended_at: int | None = None
    wait: Wait | None = None
    visits: list[Visit] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    @property
    def open(self) -> bool:
        return self.ended_at is None


@dataclass
class Contact:
    external_id: str
    email: str | None = None
    timezone: str | None = None
    created_at: int | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    topics: dict[str, bool] = field(default_factory=dict)  # own choices
    unsubscribed_from_all: bool = False
    member: bool = False  # of the trigger's segment, after the last count (E5)
    events: list[Event] = field(default_factory=list)
    enrollments: list[Enrollment] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    asked: set[int] = field(default_factory=set)  # moments at which a date trigger has asked
    entered_dates: set[date] = field(default_factory=set)

    def get(self, name: str) -> Any:
        """The contact's own fields by their names, everything else from the attributes."""
        if name == "external_id":
            return self.external_id
        if name == "email":
            return self.email
        if name == "timezone":
            return self.timezone
        if name == "created_at":
            return None if self.created_at is None else format_instant(self.created_at)
        return reach(self.attributes, name)

    def set(self, name: str, value: Any) -> None:
        """null removes; dotted names make objects on the way; email and timezone are fields."""
        if name in ("email", "timezone"):
            blank = not isinstance(value, str) or not value.strip()
            setattr(self, name, None if blank else value)
            return
        *path, last = name.split(".")
        place = self.attributes
        for part in path:
            if not isinstance(place.get(part), dict):
                if value is None:
                    return  # nothing there to remove
                place[part] = {}
            place = place[part]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = json.loads(json.dumps(value))

    def takes(self, topic: str, default: bool) -> bool:
        return not self.unsubscribed_from_all and self.topics.get(topic, default)


@dataclass
class Fact:
    """What is being processed: where its updates put the changes that follow from them (T6)."""

    at: int
    link: int = 0
    order: int = 0
    changes: list[Fact] = field(default_factory=list)


@dataclass
class Line:
    number: int
    contact: str
    at: int  # when it is received
    occurred_at: int
    data: dict[str, Any]


# --------------------------------------------------------------------------------------------
# Reading contacts and facts (section 5)


def read_contacts(text: str) -> list[Contact]:
    contacts = []
    for row in csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")):
        contact = Contact(external_id=row["external_id"])
        extra: dict[str, Any] = {}
        for column, cell in row.items():
            if cell is None or cell == "" or column == "external_id":
                continue  # an empty cell is absent
            if column == "created_at":
                contact.created_at = parse_instant(cell)
                if contact.created_at is None:
                    raise WrongInput(f"created_at {cell!r}")
            elif column == "attributes":
                extra = json.loads(cell)
            else:
                contact.set(column, cell)
        contact.attributes.update(extra)
        contacts.append(contact)
    return contacts


def read_lines(text: str) -> list[Line]:
    """The facts in the order of receipt; those at the same time keep the file's order."""
    lines = []
    for number, raw in enumerate(text.split("\n"), start=1):
        if not raw.strip():
            continue
        data = json.loads(raw)
        occurred_at = parse_instant(data["at"])
        received_at = parse_instant(data.get("received_at", data["at"]))
        if occurred_at is None or received_at is None or received_at < occurred_at:
            raise WrongInput(f"line {number}: time")
        lines.append(Line(number, data["contact"], received_at, occurred_at, data))
    return sorted(lines, key=lambda line: line.at)


# --------------------------------------------------------------------------------------------
# The interpreter (section 4)


class Simulation:
    """One run of one journey over the facts of some contacts."""

    def __init__(
        self,
        journey: dict[str, Any],
        contacts: Iterable[Contact],
        lines: list[Line],
        until: int,
        start: int | None = None,
    ) -> None:
        self.journey = journey
        self.slug: str = journey["journey"]
        self.nodes: dict[str, dict[str, Any]] = journey["nodes"]
        self.trigger: dict[str, Any] = journey["entry"]["trigger"]
        self.filter = journey["entry"].get("filter")
        self.reentry = journey["entry"].get("reentry", "once")
        self.goal: dict[str, Any] | None = journey.get("goal")
        self.exit_when = journey.get("exit_when")
        self.segments: dict[str, dict[str, Any]] = journey.get("segments") or {}
        self.topics: dict[str, dict[str, Any]] = journey.get("topics") or {}
        installation = journey.get("installation") or {}
        self.default_zone = find_zone(installation.get("timezone", "UTC")) or ZoneInfo("UTC")
        self.cap = installation.get("frequency_cap")
        self.contacts = {contact.external_id: contact for contact in contacts}
        self.lines = lines
        self.until = until
        if start is None:
            start = lines[0].at if lines else until
        self.start = start
        self.message_ids: set[str] = set()
        self.suppressed: dict[str, set[tuple[int, str]]] = {}  # address: when, by whom (T8)
        self.facts = 0
        self.waits = 0
        self.changes = 0
        self.enrollments: list[Enrollment] = []
        self.loops = 0
        # What the page leaves open (T8): who asked about which address at which time.
        self.questions: list[str] = []
        self.looked_up: set[tuple[str, int, str]] = set()
        self._moments: dict[tuple[str, str | None], dict[int, date | None]] = {}

    # ---- the clock -------------------------------------------------------------------------

    def run(self) -> list[dict[str, Any]]:
        position = 0
        while position < len(self.lines) and self.lines[position].at < self.start:
            self.store(self.lines[position])
            position += 1
        if "segment" in self.trigger:
            for contact in self.contacts.values():
                contact.member = self.is_member(contact, self.trigger["segment"], self.start)
        hourly = "segment" in self.trigger and self.looks_at_time(self.trigger["segment"])
        last = self.start - 1
        while True:
            # T1: by time; then lines, timers, entries by time.
            times = [line.at for line in self.lines[position : position + 1]]
            times += [wait.due for _, wait in self.timers()]
            if hourly:
                times.append((last // HOUR + 1) * HOUR)
            if "date" in self.trigger:
                times += [
                    moment
                    for contact in self.contacts.values()
                    for moment in self.date_moments(contact)
                    if moment > last
                ]
            now = min(times, default=self.until + 1)
            if now > self.until:
                return [self.result(enrollment) for enrollment in self.in_result_order()]
            while position < len(self.lines) and self.lines[position].at == now:
                self.receive(self.lines[position])
                position += 1
            while due := [(e, wait) for e, wait in self.timers() if wait.due <= now]:
                enrollment, _ = min(due, key=lambda pair: pair[1].began)
                self.fire(enrollment, now)
            for contact in list(self.contacts.values()):
                if hourly and now % HOUR == 0:
                    self.enter_by_hourly_count(contact, now)
                if "date" in self.trigger:
                    self.enter_by_date(contact, now)
            last = now

    def timers(self) -> list[tuple[Enrollment, Any]]:
        return [
            (enrollment, enrollment.wait)
            for enrollment in self.enrollments
            if enrollment.open and enrollment.wait and enrollment.wait.due is not None
        ]

    # ---- facts that come in ----------------------------------------------------------------

    def contact_of(self, line: Line) -> Contact:
        """A line about an unknown contact makes that contact at that time."""
        if line.contact not in self.contacts:
            self.contacts[line.contact] = Contact(line.contact, created_at=line.at)
        return self.contacts[line.contact]

    def is_known(self, line: Line) -> bool:
        """T2, T8: whether an event with this message_id has been received already."""
        message_id = line.data.get("message_id")
        if message_id is None:
            return False
        if message_id in self.message_ids:
            return True
        self.message_ids.add(message_id)
        return False

    def store(self, line: Line) -> None:
        """A fact before --from: stored, and it moves nothing."""
        if "event" in line.data and self.is_known(line):
            return
        contact = self.contact_of(line)
        self.facts += 1
        if "event" in line.data:
            contact.events.append(self.event_of(line))
        else:
            self.change(contact, line.data, line.at)

    def event_of(self, line: Line) -> Event:
        properties = line.data.get("properties") or {}
        return Event(line.data["event"], properties, line.occurred_at, self.facts)

    def change(self, contact: Contact, data: dict[str, Any], now: int) -> None:
        """What a line changes about the contact."""
        for name, value in data.get("set", {}).items():
            contact.set(name, value)
        for word in ("subscribe", "unsubscribe"):
            if word not in data:
                continue
            if data[word] == "all":
                contact.unsubscribed_from_all = word == "unsubscribe"
            else:
                contact.topics[data[word]] = word == "subscribe"
        if data.get("suppress") and contact.email:
            self.suppress(contact.email, contact, now)

    def suppress(self, address: str, contact: Contact, now: int) -> None:
        self.suppressed.setdefault(address.lower(), set()).add((now, contact.external_id))

    def receive(self, line: Line) -> None:
        data = line.data
        if "event" in data and self.is_known(line):
            return  # changes nothing at all
        contact = self.contact_of(line)
        fact = self.new_fact(line.at)
        if "event" in data:
            event = self.event_of(line)
            if line.at - line.occurred_at > TOO_LATE:
                contact.events.append(event)
                self.note_membership(contact, line.at)  # T3: without an entry
                return
            self.process_event(contact, event, fact)
        elif "message" in data:
            self.receive_outcome(contact, data["message"], data["did"], fact)
        elif "enter" in data:
            self.enter(contact, fact)
            self.finish_changes(contact, fact)
        else:
            self.change(contact, data, line.at)
            self.process_change(contact, fact)
            self.finish_changes(contact, fact)

    def receive_outcome(self, contact: Contact, node: str, did: str, fact: Fact) -> None:
        """T7, of the latest queued message of that node to this contact."""
        queued = [m for m in contact.messages if m.node == node and m.status == "queued"]
        if not queued:
            return
        message = queued[-1]
        message.did.add(did)
        if did == "bounced" and message.address:
            self.suppress(message.address, contact, fact.at)
        if did == "sent":
            return  # makes no event
        properties = {"journey": self.slug, "node": node, "template": message.template}
        event = Event(f"message_{did}", properties, fact.at, fact.order)
        self.process_event(contact, event, fact)

    def new_fact(self, now: int, link: int = 0) -> Fact:
        self.facts += 1
        return Fact(now, link, self.facts)

    # ---- T2: what a fact does --------------------------------------------------------------

    def open_enrollments(self, contact: Contact) -> list[Enrollment]:
        return [enrollment for enrollment in contact.enrollments if enrollment.open]

    def process_event(self, contact: Contact, event: Event, fact: Fact) -> None:
        contact.events.append(event)
        self.end_by_goals_and_exits(self.open_enrollments(contact), fact, event)
        for enrollment in self.open_enrollments(contact):
            wait = enrollment.wait
            if wait is None or wait.kind != "until_event":
                continue
            if self.matches(event, self.node_of(enrollment)["until_event"], enrollment.event, fact):
                self.leave(enrollment, "event", fact)
        if "segment" in self.trigger:
            self.enter_by_membership(contact, fact)
        elif "event" in self.trigger and self.matches(event, self.trigger, None, fact):
            self.enter(contact, fact, event)
        self.finish_changes(contact, fact)

    def process_change(self, contact: Contact, fact: Fact) -> None:
        self.end_by_goals_and_exits(self.open_enrollments(contact), fact, None)
        for enrollment in self.open_enrollments(contact):
            self.move_wait(enrollment, fact)
        if "segment" in self.trigger:
            self.enter_by_membership(contact, fact)

    def finish_changes(self, contact: Contact, fact: Fact) -> None:
        """T6: each update was a change of its own, processed now, before any other fact."""
        changes = deque(fact.changes)
        while changes:
            change = changes.popleft()
            self.facts += 1
            self.changes += 1
            if self.changes > MAX_CHANGES:
                raise TooLong("the chains of changes fork without end")
            change.order = self.facts
            self.process_change(contact, change)
            changes.extend(change.changes)

    def end_by_goals_and_exits(
        self, enrollments: list[Enrollment], fact: Fact, event: Event | None
    ) -> None:
        """First the goals of all, then the exits of all."""
        for enrollment in enrollments:
            if self.goal is None:
                break
            if "event" in self.goal:
                reached = event is not None and self.matches(
                    event, self.goal, enrollment.event, fact
                )
            else:
                reached = self.holds(self.goal, enrollment.contact, fact.at, enrollment)
            if reached:
                self.end(enrollment, "exited", "goal", fact)
        for enrollment in enrollments:
            if not enrollment.open or self.exit_when is None:
                continue
            if self.holds(self.exit_when, enrollment.contact, fact.at, enrollment):
                self.end(enrollment, "exited", "exit_when", fact)

    def fire(self, enrollment: Enrollment, now: int) -> None:
        """A timer: goal, exit and then the end of the wait, of its own enrollment alone."""
        fact = self.new_fact(now)
        self.end_by_goals_and_exits([enrollment], fact, None)
        if enrollment.open:
            wait = enrollment.wait
            assert wait is not None
            if wait.kind == "send":
                self.send_again(enrollment, fact)
            else:
                self.leave(enrollment, "timeout" if wait.kind == "until_event" else "next", fact)
        self.finish_changes(enrollment.contact, fact)

    # ---- waits -----------------------------------------------------------------------------

    def zone_of(self, contact: Contact) -> ZoneInfo:
        return find_zone(contact.timezone) or self.default_zone  # W5

    def wait_moment(self, enrollment: Enrollment, kind: str, now: int) -> int | None:
        """The moment for which a wait of this kind is, as the contact is now."""
        contact = enrollment.contact
        node = self.node_of(enrollment)
        if kind == "until_date":
            spec = node["until_date"]
            return date_moment(
                contact.get(spec["attribute"]),
                self.zone_of(contact),
                parse_offset(spec.get("offset")),
                spec.get("at"),
            )
        window = self.journey["window"] if kind == "send" else node["until_window"]
        return window_moment(window or {}, self.zone_of(contact), now)

    def begin_wait(self, enrollment: Enrollment, kind: str, due: int | None) -> None:
        self.waits += 1
        enrollment.wait = Wait(kind, self.waits, due)
        enrollment.status = "waiting"

    def move_wait(self, enrollment: Enrollment, fact: Fact) -> None:
        """A change of the contact may move the end of a wait, or end it at once (W3, W4, S4)."""
        wait = enrollment.wait
        if wait is None or wait.kind not in ("until_date", "until_window", "send"):
            return
        moment = self.wait_moment(enrollment, wait.kind, fact.at)
        if moment == wait.due:
            # It leaves the moment as it was. Where a new timezone's window has been open for a
            # while at the very opening of the old one, the page can be read in two ways.
            if wait.kind != "until_date" and moment == fact.at:
                self.note_opening(enrollment, fact.at)
            return
        if wait.kind == "until_date":
            outcome = date_outcome(moment, fact.at)
            if outcome is not None:
                self.leave(enrollment, outcome, fact)
                return
        elif moment == fact.at:
            if wait.kind == "send":
                self.send_again(enrollment, fact)
            else:
                self.leave(enrollment, "next", fact)
            return
        wait.due = moment

    def note_opening(self, enrollment: Enrollment, now: int) -> None:
        wait = enrollment.wait
        send = wait is not None and wait.kind == "send"
        window = self.journey["window"] if send else self.node_of(enrollment)["until_window"]
        spans = window_spans(window, self.zone_of(enrollment.contact), now)
        if not any(first == now for first, _ in spans):
            self.questions.append(f"W4: a window at {format_instant(now)}")

    # ---- entries ---------------------------------------------------------------------------

    def note_membership(self, contact: Contact, now: int) -> bool:
        """E5: count the membership anew; whether the contact became a member by that."""
        if "segment" not in self.trigger:
            return False
        before = contact.member
        contact.member = self.is_member(contact, self.trigger["segment"], now)
        return contact.member and not before

    def enter_by_membership(self, contact: Contact, fact: Fact) -> None:
        if self.note_membership(contact, fact.at):
            self.enter(contact, fact)

    def enter_by_hourly_count(self, contact: Contact, now: int) -> None:
        """T5: those who became members by the time that passed enter, an entry by time."""
        fact = self.new_fact(now)
        if self.note_membership(contact, now):
            self.enter(contact, fact)
            self.finish_changes(contact, fact)

    def date_moments(self, contact: Contact) -> dict[int, date | None]:
        """The moments of the date trigger from the start to the end, with their local dates.

        The local date is that of the attribute in the year of the moment, before the offset, and
        None where the trigger has no ``at``.
        """
        value = contact.get(self.trigger["date"])
        if not isinstance(value, str):
            return {}
        key = (value, contact.timezone)
        if key not in self._moments:
            self._moments[key] = dict(self.compute_date_moments(value, self.zone_of(contact)))
        return self._moments[key]

    def compute_date_moments(self, value: str, zone: ZoneInfo) -> Iterator[tuple[int, date | None]]:
        parsed = _parse_iso(value)
        if parsed is None:
            return
        offset, at = parse_offset(self.trigger.get("offset")), self.trigger.get("at")
        instant, day = parsed
        if day is None and at is not None:
            day = local_date(zone, instant)
            if day is None:
                return
        days = [day]
        if self.trigger.get("yearly") and day is not None:
            reach_of_offset = abs(offset) // (365 * DAY) + 2
            first = max(day.year, to_datetime(self.start).year - reach_of_offset, 1)
            last = min(to_datetime(self.until).year + reach_of_offset, 9999)
            days = [in_year(day, year) for year in range(first, last + 1)]
        for each in days:
            if at is None:
                moment = date_moment(value, zone, offset, None)
            else:
                assert each is not None
                moment = date_moment(each.isoformat(), zone, offset, at)
            if moment is not None and self.start <= moment <= self.until:
                yield moment, (each if at is not None else None)

    def enter_by_date(self, contact: Contact, now: int) -> None:
        """A date trigger asks once at each moment, and enters once for each local date."""
        moments = self.date_moments(contact)
        if now not in moments or now in contact.asked:
            return
        contact.asked.add(now)
        day = moments[now]
        if day is not None and day in contact.entered_dates:
            return
        fact = self.new_fact(now)
        if self.enter(contact, fact) and day is not None:
            contact.entered_dates.add(day)
        self.finish_changes(contact, fact)

    def may_reenter(self, contact: Contact, event: Event | None, now: int) -> bool:
        if self.reentry == "every_time":
            return True
        earlier = contact.enrollments
        key = self.trigger.get("key")
        if key is not None and event is not None:  # E3
            mine = reach(event.properties, key)
            earlier = [
                enrollment
                for enrollment in earlier
                if enrollment.event is not None
                and equal(reach(enrollment.event.properties, key), mine)
            ]
        if self.reentry == "once":
            return not earlier
        if any(enrollment.open for enrollment in earlier):
            return False
        if self.reentry == "after_exit":
            return True
        pause = parse_duration(self.reentry["after"])
        assert pause is not None
        return all(now - enrollment.entered_at >= pause for enrollment in earlier)

    def enter(self, contact: Contact, fact: Fact, event: Event | None = None) -> bool:
        """E1: whether the contact entered."""
        if not self.may_reenter(contact, event, fact.at):
            return False
        if len(self.open_enrollments(contact)) >= MAX_OPEN:  # E4
            return False
        if self.filter is not None and not self.holds(self.filter, contact, fact.at, None, event):
            return False
        goal = None if self.goal is None or "event" in self.goal else self.goal
        if goal is not None and self.holds(goal, contact, fact.at, None, event):
            return False
        enrollment = Enrollment(len(self.enrollments) + 1, contact, fact.at, fact.order, event)
        self.enrollments.append(enrollment)
        contact.enrollments.append(enrollment)
        if self.exit_when is not None and self.holds(self.exit_when, contact, fact.at, enrollment):
            self.end(enrollment, "exited", "exit_when", fact)
        else:
            self.go(enrollment, self.journey["start"], fact)
        return True

    # ---- moving through the nodes ----------------------------------------------------------

    def node_of(self, enrollment: Enrollment) -> dict[str, Any]:
        return self.nodes[enrollment.visits[-1].node]

    def end(self, enrollment: Enrollment, status: str, reason: str | None, fact: Fact) -> None:
        enrollment.status, enrollment.reason, enrollment.ended_at = status, reason, fact.at
        enrollment.wait = None
        if enrollment.visits and enrollment.visits[-1].left_at is None:
            enrollment.visits[-1].left_at = fact.at

    def leave(self, enrollment: Enrollment, outcome: str, fact: Fact) -> None:
        """Leave the node by an outcome and go on; an outcome with no edge completes."""
        visit = enrollment.visits[-1]
        visit.left_at, visit.outcome = fact.at, outcome
        enrollment.wait = None
        enrollment.status = "active"
        following = self.nodes[visit.node].get("next")
        target = following if isinstance(following, str) else (following or {}).get(outcome)
        if target is None:
            self.end(enrollment, "completed", None, fact)
        else:
            self.go(enrollment, target, fact)

    def go(self, enrollment: Enrollment, node_id: str, fact: Fact) -> None:
        enrollment.visits.append(Visit(node_id, fact.at))
        node = self.nodes[node_id]
        outcome = getattr(self, f"do_{node['kind']}")(enrollment, node_id, node, fact)
        if outcome is not None:
            self.leave(enrollment, outcome, fact)

    def do_exit(self, enrollment: Enrollment, _: str, node: dict[str, Any], fact: Fact) -> None:
        self.end(enrollment, "exited", node.get("reason", "exit"), fact)

    def do_webhook(self, *_: Any) -> str:
        return "ok"

    def do_branch(self, enrollment: Enrollment, _: str, node: dict[str, Any], fact: Fact) -> str:
        for path in node["paths"]:
            if self.holds(path["when"], enrollment.contact, fact.at, enrollment):
                return str(path["name"])
        return "else"

    def do_split(self, enrollment: Enrollment, node_id: str, node: dict[str, Any], _: Fact) -> str:
        """P1."""
        variants: dict[str, int] = node["variants"]
        text = f"{self.slug}:{node_id}:{enrollment.contact.external_id}"
        place = int(sha256(text.encode()).hexdigest()[:8], 16) % sum(variants.values())
        cumulative = 0
        for name in sorted(variants):
            cumulative += variants[name]
            if cumulative > place:
                return name
        raise AssertionError("weights that add up to 0")

    def do_update(
        self, enrollment: Enrollment, _: str, node: dict[str, Any], fact: Fact
    ) -> str | None:
        """T6."""
        if fact.link + 1 > MAX_LINKS:
            self.loops += 1
            self.end(enrollment, "failed", "loop", fact)
            return None
        for name, value in node["set"].items():
            enrollment.contact.set(name, value)
        fact.changes.append(Fact(fact.at, fact.link + 1))
        return "next"

    def do_wait(
        self, enrollment: Enrollment, _: str, node: dict[str, Any], fact: Fact
    ) -> str | None:
        if "for" in node:  # W1
            duration = parse_duration(node["for"])
            assert duration is not None
            self.begin_wait(enrollment, "for", fact.at + duration)
        elif "until_event" in node:  # W2
            timeout = parse_duration(node["until_event"].get("timeout"))
            due = None if timeout is None else fact.at + timeout
            self.begin_wait(enrollment, "until_event", due)
        elif "until_date" in node:  # W3
            moment = self.wait_moment(enrollment, "until_date", fact.at)
            outcome = date_outcome(moment, fact.at)
            if outcome is not None:
                return outcome
            self.begin_wait(enrollment, "until_date", moment)
        else:  # W4
            moment = self.wait_moment(enrollment, "until_window", fact.at)
            if moment == fact.at:
                return "next"
            self.begin_wait(enrollment, "until_window", moment)
        return None

    # ---- sends -----------------------------------------------------------------------------

    def do_send(
        self, enrollment: Enrollment, node_id: str, node: dict[str, Any], fact: Fact
    ) -> str | None:
        contact, now = enrollment.contact, fact.at
        marketing = not node.get("transactional", False)
        topic = node.get("topic")
        reason: str | None = None
        if not (contact.email or "").strip():
            reason = "no_address"  # S1
        elif self.is_suppressed(contact, now):
            reason = "suppressed"  # S2
        elif marketing and (
            contact.unsubscribed_from_all
            or (topic is not None and not self.subscribed(contact, topic))
        ):
            reason = "unsubscribed"  # S3
        elif marketing and self.journey.get("window") is not None:
            opening = window_moment(self.journey["window"], self.zone_of(contact), now)
            if opening != now:
                self.begin_wait(enrollment, "send", opening)  # S4
                return None
        if reason is None and marketing and self.is_capped(contact, now):
            reason = "capped"  # S5
        message = Message(
            node_id,
            node["template"],
            now,
            "queued" if reason is None else "skipped",
            reason,
            contact.email,
            marketing,
        )
        enrollment.messages.append(message)
        contact.messages.append(message)
        return "next"

    def send_again(self, enrollment: Enrollment, fact: Fact) -> None:
        """S4: the window is open, the send starts again at S1 within the same visit."""
        enrollment.wait = None
        enrollment.status = "active"
        node_id = enrollment.visits[-1].node
        outcome = self.do_send(enrollment, node_id, self.nodes[node_id], fact)
        if outcome is not None:
            self.leave(enrollment, outcome, fact)

    def is_suppressed(self, contact: Contact, now: int) -> bool:
        address = (contact.email or "").lower()
        known = self.suppressed.get(address, set())
        if not any(when < now or by == contact.external_id for when, by in known):
            self.looked_up.add((address, now, contact.external_id))
        return bool(known)

    def is_capped(self, contact: Contact, now: int) -> bool:
        if self.cap is None:
            return False
        within = parse_duration(self.cap["within"])
        assert within is not None
        recent = [
            message
            for message in contact.messages
            if message.status == "queued" and message.marketing and message.at > now - within
        ]
        return len(recent) >= self.cap["count"]

    def open_questions(self) -> list[str]:
        """What the page leaves open about this run.

        T8: sends for which another contact suppressed the address at that very time.
        """
        return self.questions + [
            f"{address} at {format_instant(now)} for {external_id}"
            for address, now, external_id in sorted(self.looked_up)
            if any(
                when == now and by != external_id for when, by in self.suppressed.get(address, ())
            )
        ]

    # ---- conditions ------------------------------------------------------------------------

    def subscribed(self, contact: Contact, topic: str) -> bool:
        default = self.topics.get(topic, {}).get("default", "subscribed") == "subscribed"
        return contact.takes(topic, default)

    def is_member(self, contact: Contact, segment: str, now: int) -> bool:
        definition = self.segments[segment]
        if "members" in definition:
            return contact.external_id in definition["members"]
        return self.holds(definition["when"], contact, now, None)

    def matches(
        self, event: Event, spec: dict[str, Any], trigger: Event | None, fact: Fact
    ) -> bool:
        """Whether an event is the one that a trigger, goal or wait looks for."""
        return event.name == spec["event"] and self.where_holds(
            spec.get("where"), event, trigger, fact.at
        )

    def where_holds(
        self, where: list[dict[str, Any]] | None, event: Event, trigger: Event | None, now: int
    ) -> bool:
        for item in where or []:
            value = item.get("value")
            if isinstance(value, dict) and list(value) == ["trigger"]:
                value = None if trigger is None else reach(trigger.properties, value["trigger"])
            if not compare(reach(event.properties, item["property"]), item["op"], value, now):
                return False
        return True

    def holds(
        self,
        condition: dict[str, Any],
        contact: Contact,
        now: int,
        enrollment: Enrollment | None,
        trigger: Event | None = None,
    ) -> bool:
        """Whether a condition holds; ``trigger`` is the event that would start an enrollment."""
        if enrollment is not None:
            trigger = enrollment.event
        if "all" in condition:
            return all(self.holds(c, contact, now, enrollment, trigger) for c in condition["all"])
        if "any" in condition:
            return any(self.holds(c, contact, now, enrollment, trigger) for c in condition["any"])
        if "not" in condition:
            return not self.holds(condition["not"], contact, now, enrollment, trigger)
        if "attribute" in condition:
            left = contact.get(condition["attribute"])
            return compare(left, condition["op"], condition.get("value"), now)
        if "segment" in condition:
            return self.is_member(contact, condition["segment"], now)
        if "subscribed" in condition:
            return self.subscribed(contact, condition["subscribed"])
        if "message" in condition:
            assert enrollment is not None
            return any(
                message.node == condition["message"]
                and message.status == "queued"
                and (condition["did"] == "sent" or condition["did"] in message.did)
                for message in enrollment.messages
            )
        within = parse_duration(condition.get("within"))
        number = 0
        for event in contact.events:
            if event.name != condition["event"] or event.occurred_at > now:
                continue
            if within is not None and event.occurred_at < now - within:
                continue  # C4
            if condition.get("since") == "entry":
                assert enrollment is not None
                if event.order <= enrollment.order:
                    continue
            number += self.where_holds(condition.get("where"), event, trigger, now)
        return count_holds(number, condition.get("count"))

    def looks_at_time(self, segment: str) -> bool:
        """T5: whether time alone can change who is a member."""
        definition = self.segments[segment]
        return "when" in definition and self.condition_looks_at_time(definition["when"])

    def condition_looks_at_time(self, condition: dict[str, Any]) -> bool:
        if condition.get("op") in ("within_last", "within_next"):
            return True
        if condition.get("op") in ("before", "after") and condition.get("value") == "now":
            return True
        if "event" in condition and "within" in condition:
            return True
        inner = [*condition.get("all", []), *condition.get("any", [])]
        inner += condition.get("where") or []
        if "not" in condition:
            inner.append(condition["not"])
        if "segment" in condition and self.looks_at_time(condition["segment"]):
            return True
        return any(self.condition_looks_at_time(part) for part in inner)

    # ---- the result ------------------------------------------------------------------------

    def in_result_order(self) -> list[Enrollment]:
        return sorted(
            self.enrollments, key=lambda e: (e.entered_at, e.contact.external_id, e.number)
        )

    def result(self, enrollment: Enrollment) -> dict[str, Any]:
        def moment(instant: int | None) -> str | None:
            return None if instant is None else format_instant(instant)

        return {
            "journey": self.slug,
            "contact": enrollment.contact.external_id,
            "entered_at": moment(enrollment.entered_at),
            "status": enrollment.status,
            "reason": enrollment.reason,
            "ended_at": moment(enrollment.ended_at),
            "visits": [
                {
                    "node": visit.node,
                    "entered_at": moment(visit.entered_at),
                    "left_at": moment(visit.left_at),
                    "outcome": visit.outcome,
                }
                for visit in enrollment.visits
            ],
            "messages": [
                {
                    "node": message.node,
                    "template": message.template,
                    "at": moment(message.at),
                    "status": message.status,
                    "reason": message.reason,
                }
                for message in enrollment.messages
            ],
        }


def date_outcome(moment: int | None, now: int) -> str | None:
    """W3: with which outcome the wait is over already, or None where it is to come."""
    if moment is None:
        return "missing"
    if moment < now:
        return "past"
    return "next" if moment == now else None


def in_year(day: date, year: int) -> date:
    """29 February falls on 28 February in other years."""
    try:
        return day.replace(year=year)
    except ValueError:
        return day.replace(year=year, day=28)


# --------------------------------------------------------------------------------------------
# Ways to call it


def prepare(
    journey_path: Path,
    contacts_path: Path,
    events_path: Path,
    until: datetime,
    start: datetime | None = None,
) -> Simulation:
    return Simulation(
        load_document(Path(journey_path).read_text(encoding="utf-8")),
        read_contacts(Path(contacts_path).read_text(encoding="utf-8")),
        read_lines(Path(events_path).read_text(encoding="utf-8-sig")),
        to_instant(until),
        None if start is None else to_instant(start),
    )


def simulate(
    journey_path: Path,
    contacts_path: Path,
    events_path: Path,
    until: datetime,
    start: datetime | None = None,
) -> list[dict[str, Any]]:
    """The result lines of section 5."""
    return prepare(journey_path, contacts_path, events_path, until, start).run()


def main(arguments: list[str] | None = None) -> int:
    def time(text: str) -> datetime:
        instant = parse_instant(text)
        if instant is None:
            raise argparse.ArgumentTypeError(f"no time: {text}")
        return to_datetime(instant)

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("journey", type=Path)
    parser.add_argument("--contacts", type=Path, required=True)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--from", dest="start", type=time)
    parser.add_argument("--until", type=time, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    lines = simulate(
        options.journey, options.contacts, options.events, options.until, options.start
    )
    with options.out.open("w", encoding="utf-8") as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
