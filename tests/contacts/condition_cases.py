"""Conditions, contacts and events by chance, odd ones above all; the view of a stored contact."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from contacts import conditions
from contacts.conditions import Happened, attribute_of
from contacts.models import Contact, Event, Membership, Segment
from contacts.values import format_moment

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


class StoredView:
    """A stored contact at one moment, as the language sees it. Each question is a query."""

    trigger = None
    entry_mark = None

    def __init__(self, contact: Contact, now: datetime = NOW) -> None:
        self.contact, self.now = contact, now

    def attribute(self, path: str) -> Any:
        return attribute_of(self.contact, path)

    def events(self, name: str) -> Sequence[Happened]:
        if not hasattr(self, "_events"):
            self._events = list(self.contact.events.order_by("id"))
        return [
            Happened(event.pk, event.properties, event.occurred_at)
            for event in self._events
            if event.name == name
        ]

    def in_segment(self, slug: str) -> bool:
        segment = Segment.objects.get(slug=slug)
        if segment.condition is None:
            return Membership.objects.filter(
                segment=segment, contact=self.contact, left_at__isnull=True
            ).exists()
        return conditions.parse_segment(segment.condition).holds(self)

    def takes(self, topic: str) -> bool:
        raise NotImplementedError

    def message_did(self, node: str, did: str) -> bool:
        raise NotImplementedError


DATES = (
    "2026-03-01", "2026-02-28T09:00:00Z", "2026-03-01T09:00:00Z", "2026-03-01 09:00",
    "2026-03-01T10:00:00+01:00", "2026-03-01T08:59:59.9999999", "2026-03-01T09:00:00.000001Z",
    "2026-03-01T09:00:00.0000009Z", "2024-02-29", "2025-02-29", "2026-02-30", "1900-02-29",
    "2000-02-29", "0000-01-01", "0001-01-01", "0001-01-01T00:00+00:01", "9999-12-31",
    "9999-12-31T23:59:59.999999-00:01", "9999-12-31T23:59:59.999999Z", "2026-03-01T24:00",
    "2026-03-01T09:60", "2026-03-01T09:00:60Z", "2026-03-01T09:00+24:00", "2026-03-01T09:00+23:59",
    "2026-03-01T09:00-05:60", "2026-3-1", " 2026-03-01", "2026-03-01\n", "2026-03-01T09",
    "2026-03-01t09:00z", "2026-03-01T09:00:00.Z", "2026-03-01  09:00", "20260301", "now",
    "2026-03-01Z", "２026-03-01", "2026-13-01", "2026-04-31", "2026-03-02T09:00:00.5-03:30",
)  # fmt: skip
TEXTS = (
    "", " ", "pro", "Pro", "PRO", "prö", "team", "p", "ΟΔΟΣ", "οδος", "οδοσ", "ΟΔΟΣΑ", "Σ", "σ",
    "ς", "İ", "i", "i\u0307", "I", "ı", "ß", "SS", "ẞ", "ǅ", "é", "e\u0301", "É", "\ue000",
    "\uffff", "😀", "𐐀", "𐐨", 'a"b', "a\\b", "100%", "%s", "a_b", "?", "'", "{}", "null", "true",
    "1", "1.0", "[1]", "\u001f", "\u00a0", "\u2028", "a\tb", "Z", "_", "a",
)  # fmt: skip
NUMBERS = (
    0, -0.0, 1, 1.0, -1, 2, 10, 1.5, 0.1, 0.30000000000000004, 9.999999999999998, 10.0, 1e23,
    10**23, 99999999999999991611392, 2**53, 2**53 + 1, 2.0**53, 2**63, 2.0**63, 2**63 - 1, 2**64,
    -(2**63), -5, 5e-324, 1e308, -1e308, 1e16, 123456789012345678901234567890,
)  # fmt: skip
KEYS = (
    "plan", "plan", "plan", "seats", "due", "tags", "address", "address.city", "address.0",
    "tags.0", "a b", "é", 'x"y', "k\\", "0", "a..b", ".", "a.b.c", "x'y", "%", "Plan", "__class__",
    "$", "a[0]", "?",
)  # fmt: skip
OPS = tuple(conditions.OPERATORS)
COUNTS = ("eq", "ne", "gt", "gte", "lt", "lte")
NAMES = ("bought", "Bought", "seen", "öffnete", "a'b")


class Chance:
    """Everything by one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def scalar(self) -> Any:
        pools: tuple[Sequence[Any], ...] = (DATES, TEXTS, NUMBERS, (True, False, None))
        return self.rng.choice(self.rng.choice(pools))

    def value(self, depth: int = 2) -> Any:
        if depth and self.rng.random() < 0.3:
            items = [self.value(depth - 1) for _ in range(self.rng.randrange(3))]
            if self.rng.random() < 0.6:
                return items
            return {self.rng.choice(("city", "a", "0", "é", "")): item for item in items}
        return self.scalar()

    def moment(self) -> datetime:
        seconds = self.rng.choice((0, 0, 1, 3600, 86400, 7 * 86400, 30 * 86400))
        tick = self.rng.choice((-1, 0, 0, 1))
        return NOW - timedelta(seconds=seconds, microseconds=tick)

    def near(self) -> str:
        """A moment around now, as text."""
        return format_moment(NOW - self.rng.choice((-1, 1)) * (NOW - self.moment()))

    def attributes(self) -> dict[str, Any]:
        attributes: dict[str, Any] = {}
        for key in set(self.rng.choices(KEYS, k=6)):
            first, _, rest = key.partition(".")
            if rest:
                attributes[first] = {rest.split(".")[0]: {"b": self.value(), "c": self.value()}}
            else:
                attributes[first] = self.value()
        if self.rng.random() < 0.5:
            attributes["plan"] = self.rng.choice(("pro", "Pro", "team", 1, True, None))
        return attributes

    def duration(self) -> str:
        return self.rng.choice(("0s", "1s", "1h", "1d", "7d", "30d", "9999w", "999999d", "1h0s"))

    def comparison(self, values: Sequence[Any]) -> dict[str, Any]:
        op = self.rng.choice(OPS)
        takes = conditions.OPERATORS[op].takes
        if takes == "nothing":
            return {"op": op}
        if takes == "duration":
            return {"op": op, "value": self.duration()}
        known = self.rng.choice(values) if values and self.rng.random() < 0.5 else self.value()
        if takes == "list" and self.rng.random() < 0.9:
            known = [known, self.value()][: self.rng.randrange(3)]
        if takes == "moment" and self.rng.random() < 0.7:
            known = self.rng.choice((*DATES, "now", "now", "now"))
        if takes in ("text", "any") and isinstance(known, str) and self.rng.random() < 0.3:
            known = self.rng.choice((known.upper(), known.lower(), known[:2], known[1:]))
        return {"op": op, "value": known}

    def condition(self, seen: dict[str, list[Any]], depth: int = 3) -> dict[str, Any]:
        roll = self.rng.random()
        if depth and roll < 0.3:
            form = self.rng.choice(("all", "any", "not"))
            if form == "not":
                return {"not": self.condition(seen, depth - 1)}
            parts = self.rng.choice((0, 1, 2, 2, 3))
            return {form: [self.condition(seen, depth - 1) for _ in range(parts)]}
        if roll < 0.5:
            return self.event(seen)
        if roll < 0.56:
            return {"segment": self.rng.choice(("static", "dynamic", "nested"))}
        own = ("email", "external_id", "timezone", "created_at")
        name = self.rng.choice(own) if self.rng.random() < 0.25 else self.rng.choice(KEYS)
        return {"attribute": name, **self.comparison(seen.get(name, []))}

    def event(self, seen: dict[str, list[Any]]) -> dict[str, Any]:
        event: dict[str, Any] = {"event": self.rng.choice(NAMES)}
        if self.rng.random() < 0.4:
            names = self.rng.choices(KEYS, k=self.rng.randrange(3))
            event["where"] = [
                {"property": name, **self.comparison(seen.get(name, []))} for name in names
            ]
        if self.rng.random() < 0.6:
            count = self.rng.choice((0, 1, 1, 2, 3, 2.0))
            event["count"] = {"op": self.rng.choice(COUNTS), "value": count}
        if self.rng.random() < 0.5:
            event["within"] = self.duration()
        return event


def populate(chance: Chance, contacts: int) -> tuple[list[Contact], dict[str, list[Any]]]:
    """Store contacts with events and segments, and return the values seen by name."""
    rng = chance.rng
    made = [
        Contact(
            external_id=rng.choice((None, f"u{number}", f"Ü{number}", f"2026-03-{number:02}")),
            email=rng.choice(("", " ", "\u2003", "a@b.example", "A@B.example", "İ@x.example")),
            timezone=rng.choice(("", "Europe/Berlin", "nowhere")),
            attributes=chance.attributes(),
            created_at=rng.choice(
                (
                    chance.moment(),
                    datetime(1, 1, 1, tzinfo=UTC),
                    datetime(999, 5, 6, 7, tzinfo=UTC),
                    datetime.max.replace(tzinfo=UTC),
                )
            ),
        )
        for number in range(contacts)
    ]
    Contact.objects.bulk_create(made)
    events = [
        Event(
            contact=contact,
            name=rng.choice(NAMES),
            properties=chance.attributes(),
            occurred_at=chance.moment(),
            received_at=NOW,
        )
        for contact in made
        for _ in range(rng.choice((0, 1, 2, 4, 6)))
    ]
    Event.objects.bulk_create(events)
    make_segments(made[::3])
    seen: dict[str, list[Any]] = {}
    documents = [contact.attributes for contact in made] + [event.properties for event in events]
    for document in documents:
        for key, value in document.items():
            seen.setdefault(key, []).append(value)
    seen["email"] = ["a@b.example"]
    seen["external_id"] = ["u1", "u2"]
    seen["created_at"] = [format_moment(contact.created_at) for contact in made]
    return list(Contact.objects.order_by("pk")), seen


def make_segments(members: Sequence[Contact]) -> None:
    """A static segment, one by condition, and one built on both."""
    static = Segment.objects.create(slug="static", name="Static")
    for contact in members:
        Membership.objects.create(segment=static, contact=contact)
    for contact in members[::2]:
        Membership.objects.filter(contact=contact).update(left_at=NOW)
    Segment.objects.create(
        slug="dynamic", name="Dynamic", condition={"event": "bought", "within": "7d"}
    )
    either = [{"segment": "static"}, {"not": {"segment": "dynamic"}}]
    Segment.objects.create(slug="nested", name="Nested", condition={"any": either})
