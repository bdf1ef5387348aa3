"""Words in which a test tells a story: a journey, the people, what happens, and what became of it.

A moment is ``"2 09:00"``, the second of March 2026 (a Monday) in UTC, or ``"2026-07-01 09:00:30"``.
The same story can be simulated, or played live on the database; see the fixture ``play``.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from django.db import transaction

from contacts.models import Contact
from journeys import publishing, simulation
from journeys.models import Journey
from journeys.simulation.inputs import FactLine, Known, read_contacts, read_facts
from messaging import tracking
from messaging.models import Message, Template, Topic
from tests.journeys.live import SECTIONS, House

BEFORE = "2026-01-01T00:00:00Z"
FIELDS = ("email", "timezone")

# moments


def moment(text: str) -> datetime:
    """The moment that the text says."""
    day, _, clock = text.rpartition(" ")
    date = day if "-" in day else f"2026-03-{int(day):02}"
    return datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=UTC)


def stamp(text: str) -> str:
    """The moment as a file says it."""
    return f"{moment(text):%Y-%m-%dT%H:%M:%S.%fZ}"


def short(value: str | None) -> str:
    """The moment of a result line, in the words of a story."""
    if value is None:
        return ""
    at = datetime.fromisoformat(value)
    clock = f"{at:%H:%M:%S.%f}" if at.microsecond else f"{at:%H:%M:%S}"
    clock = clock.removesuffix(":00") if not at.microsecond else clock
    march = (at.year, at.month) == (2026, 3)
    return f"{at.day} {clock}" if march else f"{at.date().isoformat()} {clock}"


# a journey


def wait(**way: Any) -> dict[str, Any]:
    """A wait; ``duration`` stands for the key `for`."""
    ways = {"for" if name == "duration" else name: value for name, value in way.items()}
    return {"kind": "wait", **ways}


def send(template: str = "mail", **keys: Any) -> dict[str, Any]:
    return {"kind": "send", "template": template, **keys}


def branch(**paths: Any) -> dict[str, Any]:
    return {
        "kind": "branch",
        "paths": [{"name": name, "when": when} for name, when in paths.items()],
    }


def update(**values: Any) -> dict[str, Any]:
    return {"kind": "update", "set": values}


def leave(reason: str = "exit") -> dict[str, Any]:
    return {"kind": "exit", "reason": reason}


def to(node: dict[str, Any], target: Any = None, **outcomes: str) -> dict[str, Any]:
    """A node with its ``next``: one for all outcomes, or one each."""
    return {**node, "next": outcomes or target}


#: Waits for something that never happens.
HOLD = wait(until_event={"event": "never"})


def journey(trigger: Any = "go", **parts: Any) -> dict[str, Any]:
    """A journey; ``trigger`` may be the name of an event.

    ``reentry`` and ``filter`` go into the entry, the sections of a file are themselves, and all
    other parts are nodes. A node without ``next`` leads to the one that follows. Templates that
    nodes name are made.
    """
    entry: dict[str, Any] = {"trigger": {"event": trigger} if isinstance(trigger, str) else trigger}
    for name in ("reentry", "filter"):
        if name in parts:
            entry[name] = parts.pop(name)
    data = {name: parts.pop(name) for name in list(parts) if name in KEYS}
    nodes = _linked(parts)
    data.setdefault("journey", "story")
    data |= {"entry": entry, "start": next(iter(nodes)), "nodes": nodes}
    return completed(data)


KEYS = ("journey", "name", "goal", "exit_when", "window", *SECTIONS)


def completed(data: dict[str, Any]) -> dict[str, Any]:
    """The file with the templates that its nodes name and that it does not carry."""
    sends = (node["template"] for node in data["nodes"].values() if node["kind"] == "send")
    templates = {slug: {"name": slug, "subject": slug, "text": slug} for slug in sends}
    templates |= data.get("templates", {})
    return {**data, "templates": templates} if templates else data


def _linked(nodes: dict[str, Any]) -> dict[str, Any]:
    linked, keys = {}, list(nodes)
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        node = nodes[key]
        if "next" not in node and node["kind"] != "exit" and following is not None:
            node = {**node, "next": following}
        linked[key] = {name: value for name, value in node.items() if value is not None}
    return linked


# people and facts


def contact(external_id: str = "u1", given: Any = None, /, **values: Any) -> dict[str, Any]:
    """A contact with an address; ``email`` and ``timezone`` are fields, the rest attributes."""
    values = {**(given or {}), **values}
    fields = {name: values.pop(name) for name in FIELDS if name in values}
    return {
        "external_id": external_id,
        "email": f"{external_id}@example.com",
        "created_at": BEFORE,
        **{name: value or "" for name, value in fields.items()},
        "attributes": json.dumps(values),
    }


def event(
    at: str,
    name: str,
    /,
    *,
    who: str = "u1",
    received: str | None = None,
    message_id: str | None = None,
    **properties: Any,
) -> dict[str, Any]:
    """An event; ``received`` where that was later than it occurred (T3)."""
    line = {"contact": who, "at": stamp(at), "event": name, "properties": properties}
    if received is not None:
        line["received_at"] = stamp(received)
    if message_id is not None:
        line["message_id"] = message_id
    return line


def change(
    at: str, given: dict[str, Any] | None = None, /, *, who: str = "u1", **values: Any
) -> dict[str, Any]:
    return {"contact": who, "at": stamp(at), "set": {**(given or {}), **values}}


def subscribe(at: str, topic: str, *, who: str = "u1") -> dict[str, Any]:
    return {"contact": who, "at": stamp(at), "subscribe": topic}


def unsubscribe(at: str, topic: str, *, who: str = "u1") -> dict[str, Any]:
    return {"contact": who, "at": stamp(at), "unsubscribe": topic}


def suppress(at: str, *, who: str = "u1") -> dict[str, Any]:
    return {"contact": who, "at": stamp(at), "suppress": True}


def became(at: str, node: str, did: str, *, who: str = "u1") -> dict[str, Any]:
    """What became of the latest message of a node (T7)."""
    return {"contact": who, "at": stamp(at), "message": node, "did": did}


def enter(at: str, *, who: str = "u1") -> dict[str, Any]:
    return {"contact": who, "at": stamp(at), "enter": True}


# what became of it


@dataclass(frozen=True)
class Passage:
    """One enrollment of the result."""

    line: dict[str, Any]

    @property
    def entered(self) -> str:
        return f"{self.line['contact']} {short(self.line['entered_at'])}"

    @property
    def end(self) -> str:
        """Status, reason and time of the end, as far as there are."""
        line = self.line
        words = [line["status"], line["reason"] or "", short(line["ended_at"])]
        return " ".join(word for word in words if word)

    @property
    def path(self) -> list[str]:
        """The nodes with their outcomes."""
        return [f"{one['node']} {one['outcome'] or ''}".strip() for one in self.line["visits"]]

    @property
    def visits(self) -> list[str]:
        """The nodes with the time of entering, of leaving, and the outcome."""
        return [
            " ".join(
                word
                for word in (
                    visit["node"],
                    short(visit["entered_at"]),
                    "-",
                    short(visit["left_at"]),
                    visit["outcome"],
                )
                if word
            )
            for visit in self.line["visits"]
        ]

    @property
    def mails(self) -> list[str]:
        """The messages: node, time, and the reason where one was skipped."""
        return [
            " ".join(
                [one["node"], short(one["at"])]
                + ([] if one["status"] == "queued" else [one["reason"] or one["status"]])
            )
            for one in self.line["messages"]
        ]


@dataclass(frozen=True)
class Told:
    """All enrollments of the result, in its order."""

    lines: list[dict[str, Any]]

    @cached_property
    def passages(self) -> list[Passage]:
        return [Passage(line) for line in self.lines]

    @property
    def only(self) -> Passage:
        (passage,) = self.passages
        return passage

    @property
    def entered(self) -> list[str]:
        return [one.entered for one in self.passages]

    @property
    def ends(self) -> list[str]:
        return [one.end for one in self.passages]

    @property
    def path(self) -> list[str]:
        return self.only.path

    @property
    def visits(self) -> list[str]:
        return self.only.visits

    @property
    def mails(self) -> list[str]:
        """The messages of all, in the order of the enrollments."""
        return [mail for one in self.passages for mail in one.mails]


# the two ways to play it


@dataclass(frozen=True)
class Story:
    """A journey, people, facts, and the time until which they are followed."""

    folder: Path
    journey: dict[str, Any]
    people: Sequence[dict[str, Any]]
    facts: Sequence[dict[str, Any]]
    until: str
    start: str | None = None

    def _write(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "journey.yaml").write_text(json.dumps(self.journey), encoding="utf-8")
        names = ["external_id", "email", "timezone", "created_at", "attributes"]
        with (self.folder / "contacts.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows(self.people)
        (self.folder / "events.jsonl").write_text(jsonl(self.facts), encoding="utf-8")

    def simulated(self) -> Told:
        """As `manage.py simulate` tells it."""
        self._write()
        out = self.folder / "result.jsonl"
        simulation.simulate(
            self.folder / "journey.yaml",
            self.folder / "contacts.csv",
            self.folder / "events.jsonl",
            until=moment(self.until),
            start=moment(self.start) if self.start else None,
            out=out,
        )
        return Told([json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()])

    def live(self) -> Told:
        """As it happens in an installation, on the database, which is clean again afterwards."""
        self._write()
        lines = lines_of(self.facts, self.journey)
        begin = moment(self.start) if self.start else (lines[0].at if lines else None)
        with transaction.atomic():
            house = Live(self.journey, read_contacts(self.folder / "contacts.csv"))
            house.begin(begin or moment(self.until))
            house.go(self.until, *self.facts)
            told = house.told()
            transaction.set_rollback(True)
        return told


def jsonl(facts: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(fact) + "\n" for fact in facts)


def lines_of(facts: Sequence[dict[str, Any]], journey: dict[str, Any]) -> list[FactLine]:
    """The facts as they are read from a file, in the order of receipt."""
    known = Known(
        frozenset(journey.get("topics", {})),
        frozenset(key for key, node in journey["nodes"].items() if node["kind"] == "send"),
        "manual" in journey["entry"]["trigger"],
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        path.write_text(jsonl(facts), encoding="utf-8")
        return read_facts(path, known)


class Live(House):
    """The live house, in which a story goes on from one moment to the next."""

    at: datetime

    def begin(self, at: datetime) -> None:
        """Open the house at this moment."""
        self.open(at)
        self.at = at
        self.hourly = "segment" in self.definition["entry"]["trigger"]

    def also(self, data: dict[str, Any]) -> Journey:
        """Publish one more journey in the house."""
        self.carry(data)
        draft = {key: data[key] for key in data if key not in SECTIONS}
        made = Journey.objects.create(slug=data["journey"], name=data["journey"], draft=draft)
        publishing.publish(made, by=None, at=self.at)
        return made

    def carry(self, data: dict[str, Any]) -> None:
        """Make the templates and topics of a file that are not there yet."""
        for model, section in ((Template, "templates"), (Topic, "topics")):
            known = set(model.objects.values_list("slug", flat=True))
            for slug, given in data.get(section, {}).items():
                if slug not in known:
                    values = dict(given)
                    if "default" in values:
                        default = values.pop("default")
                        values["subscribed_by_default"] = default == "subscribed"
                    model.objects.create(slug=slug, **values)

    @property
    def journey(self) -> Journey:
        return Journey.objects.get(pk=self.journey_id)

    def go(self, until: str, *facts: dict[str, Any]) -> None:
        """Let these facts come in, and time pass until then."""
        lines = lines_of(facts, self.definition)
        self.work(self.at)
        self.play(lines, self.at, moment(until), hourly=self.hourly)
        self.at = moment(until)

    def happen(self, *facts: dict[str, Any]) -> None:
        """Let facts come in that nobody works through for the time being."""
        for line in lines_of(facts, self.definition):
            self.take(line)

    def take(self, line: FactLine) -> None:
        if line.kind == "message":
            self._became(line)
            return
        if line.kind != "event" and line.contact not in self.ids:
            self.ids[line.contact] = Contact.objects.get(external_id=line.contact).pk
        super().take(line)

    def _became(self, line: FactLine) -> None:
        """The provider tells what became of a message (T7)."""
        self.work(line.at)
        message = (
            Message.objects.filter(node=line.value, contact__external_id=line.contact)
            .exclude(status=Message.Status.SKIPPED)
            .order_by("pk")
            .last()
        )
        if message is not None and line.did != "sent":
            news = tracking.News(
                message.pk, tracking.What(line.did), line.at, suppress=line.did == "bounced"
            )
            tracking.note([news], received_at=line.at)

    def told(self) -> Told:
        return Told(self.results())
