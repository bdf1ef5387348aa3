"""The run of a simulation: worlds made from files, the live engine, and the result's lines."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from contacts.values import format_moment
from journeys import engine, files, plans
from journeys.definition import Catalog, Definition, ManualTrigger
from journeys.nodes.update import Update
from journeys.simulation import installation
from journeys.simulation.inputs import (
    ContactLine,
    FactLine,
    Known,
    SimulationError,
    read_contacts,
    read_facts,
    read_text,
)
from journeys.simulation.installation import Installed
from journeys.simulation.setting import Setting, begin, plan_of
from journeys.world import (
    BirthFact,
    ChangeFact,
    EnterFact,
    EventFact,
    Fact,
    Happening,
    MessageFact,
    Passage,
    Person,
    TooManyChanges,
    World,
    filled,
)
from messaging.outbox import Cap

#: People in one world; those who may come to share an address are always in the same one (T8).
CROWD = 500

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class LineChange(ChangeFact):
    """A change that a line makes when its turn comes."""

    line: FactLine = None  # type: ignore[assignment]

    def apply(self, person: Person) -> None:
        apply(person, self.line)


def apply(person: Person, line: FactLine) -> None:
    """Bring the person up to a line that is no event."""
    if line.kind == "set":
        person.set(line.value)
    elif line.kind == "suppress":
        person.world.suppress(person.email)
    elif line.value == "all":
        person.unsubscribed = line.kind == "unsubscribe"
    else:
        person.subscriptions[line.value] = line.kind == "subscribe"


@dataclass
class Case(Setting):
    """A setting with the external ids that are members of each static segment."""

    members: Mapping[str, frozenset[str]]


def simulate(
    journey: Path,
    contacts: Path,
    events: Path,
    *,
    until: datetime,
    start: datetime | None = None,
    out: Path,
    progress: Progress | None = None,
) -> None:
    """Replay the journey file over contacts and facts up to ``until``, and write the result.

    Raises SimulationError where a file or a line is wrong; there is no output file then.
    """
    _check_out(out, (journey, contacts, events))
    installed = installation.read()
    definition = _definition(journey, installed.catalog)
    topics = dict(installed.topics)
    topics |= {slug: topic.subscribed for slug, topic in definition.topics.items()}
    people = read_contacts(contacts)
    lines = read_facts(events, _known(definition, topics))
    setting = _setting(definition, installed, topics, (_start(start, lines, until), until))
    results = []
    lines = _received(lines, until)
    crowds = list(_crowds(definition, people, lines))
    by_contact: dict[str, list[tuple[int, FactLine]]] = {}
    for number, line in enumerate(lines, start=1):
        by_contact.setdefault(line.contact, []).append((number, line))
    for number, crowd in enumerate(crowds):
        results += _replay(setting, crowd, people, _about(crowd, by_contact))
        if progress is not None:
            progress(number + 1, len(crowds))
    results.sort(key=lambda result: (result[0], result[1]))
    _write(out, (line for _, _, line in results))


def _definition(path: Path, catalog: Catalog) -> Definition:
    definition, _, problems = files.load(read_text(path), catalog)
    if definition is None:
        raise SimulationError("\n".join(f"{path}: {problem}" for problem in problems.errors))
    return definition


def _known(definition: Definition, topics: Iterable[str]) -> Known:
    sends = {key for key, node in definition.nodes.items() if node.kind.kind == "send"}
    return Known(frozenset(topics), sends, isinstance(definition.trigger, ManualTrigger))


def _start(start: datetime | None, lines: list[FactLine], until: datetime) -> datetime:
    return start or (lines[0].at if lines else until)


def _setting(
    definition: Definition,
    installed: Installed,
    topics: Mapping[str, bool],
    period: tuple[datetime, datetime],
) -> Case:
    """What the file says over what the installation says; nothing else of it counts."""
    own = definition.installation
    conditions = dict(installed.catalog.segments)
    conditions |= {slug: segment.when for slug, segment in definition.segments.items()}
    members = dict(installed.members)
    for slug, segment in definition.segments.items():
        members[slug] = frozenset(segment.members or ())
    cap = (Cap(*own.cap) if own.cap else None) if own.has_cap else installed.cap
    return Case(
        plan=plan_of(definition),
        segments=plans.segment_rules({slug: (0, when) for slug, when in conditions.items()}),
        members=members,
        topics=topics,
        timezone=own.timezone or installed.timezone,
        cap=cap,
        start=period[0],
        until=period[1],
    )


def _received(lines: list[FactLine], until: datetime) -> list[FactLine]:
    """The lines up to ``until``, without events whose ``message_id`` was received before (T8)."""
    seen: set[str] = set()
    kept = []
    for line in lines:
        if line.at > until:
            break
        if line.message_id is not None:
            if line.message_id in seen:
                continue
            seen.add(line.message_id)
        kept.append(line)
    return kept


# who must be in one world


def _crowds(
    definition: Definition, people: Mapping[str, ContactLine], lines: list[FactLine]
) -> Iterator[list[str]]:
    """The external ids in crowds; who may come to share an address is in the same one (T8)."""
    ids = dict.fromkeys([*people, *(line.contact for line in lines)])
    leader = {one: one for one in ids}

    def find(one: str) -> str:
        while leader[one] != one:
            leader[one] = leader[leader[one]]
            one = leader[one]
        return one

    holder: dict[str, str] = {}
    for address, one in _addresses(definition, people, lines, ids):
        if address in holder:
            leader[find(one)] = find(holder[address])
        else:
            holder[address] = one
    groups: dict[str, list[str]] = {}
    for one in ids:
        groups.setdefault(find(one), []).append(one)
    crowd: list[str] = []
    for group in groups.values():
        crowd += group
        if len(crowd) >= CROWD:
            yield crowd
            crowd = []
    if crowd:
        yield crowd


def _addresses(
    definition: Definition,
    people: Mapping[str, ContactLine],
    lines: list[FactLine],
    ids: Iterable[str],
) -> Iterator[tuple[str, str]]:
    """Each address that someone has or may come to have, where addresses may be suppressed."""
    if not any(line.kind == "suppress" or line.did == "bounced" for line in lines):
        return
    for contact in people.values():
        if contact.email:
            yield contact.email.lower(), contact.external_id
    for line in lines:
        if line.kind == "set" and line.value.get("email"):
            yield line.value["email"].lower(), line.contact
    for node in definition.nodes.values():
        address = node.kind.config["set"].get("email") if isinstance(node.kind, Update) else None
        if address:
            for one in ids:
                yield address.lower(), one


def _about(
    crowd: list[str], by_contact: Mapping[str, list[tuple[int, FactLine]]]
) -> list[tuple[int, FactLine]]:
    """The lines about these people, in the order of receipt, each with its number in it."""
    lines = [line for external_id in crowd for line in by_contact.get(external_id, ())]
    return sorted(lines, key=lambda line: line[0])


# one crowd


def _replay(
    setting: Case,
    crowd: list[str],
    people: Mapping[str, ContactLine],
    lines: list[tuple[int, FactLine]],
) -> list[tuple[tuple[datetime, str], int, str]]:
    world = setting.world()
    by_id: dict[str, Person] = {}
    for external_id in crowd:
        if external_id in people:
            by_id[external_id] = _known_person(world, people[external_id], setting)
    for number, line in lines:
        person = by_id.get(line.contact)
        if line.at < setting.start:
            if person is None:
                person = by_id[line.contact] = _new_person(world, line, setting)
                person.joined = []
            _store(person, line, number)
            continue
        if person is None:
            person = by_id[line.contact] = _new_person(world, line, setting)
            person.facts.append(BirthFact(line.at))
        person.facts.append(_fact(line, number))
    for person in by_id.values():
        if not person.born:
            begin(person, setting.start)
    try:
        engine.run(world)
    except TooManyChanges as error:
        raise SimulationError(f"{error}") from error
    return [
        ((passage.entered_at, str(passage.person.external_id)), number, _result(passage))
        for number, passage in enumerate(world.touched)
    ]


def _person(
    world: World, external_id: str, line: ContactLine, created_at: datetime | None
) -> Person:
    person = Person(
        world,
        len(world.people),
        external_id=external_id,
        email=filled(line.email),
        timezone=filled(line.timezone),
        created_at=created_at,
        attributes=line.attributes,
    )
    world.people[person.id] = person
    return person


def _known_person(world: World, line: ContactLine, setting: Case) -> Person:
    person = _person(world, line.external_id, line, line.created_at)
    person.members = _static(line.external_id, setting)
    return person


def _new_person(world: World, line: FactLine, setting: Case) -> Person:
    """Someone whom a line makes, a member of nothing before (§6): what they are began now."""
    person = _person(world, line.contact, ContactLine(line.contact), line.at)
    person.born = line.at >= setting.start
    person.members = _static(line.contact, setting)
    person.joined = sorted(person.members)
    return person


def _static(external_id: str, setting: Case) -> set[str]:
    return {slug for slug, ids in setting.members.items() if external_id in ids}


def _happening(line: FactLine, number: int) -> Happening:
    return Happening(number, line.value, line.properties, line.occurred_at, line.too_late)


def _store(person: Person, line: FactLine, number: int) -> None:
    """A fact from before the start is stored and moves nothing."""
    if line.kind == "event":
        person.remember(_happening(line, number))
    elif line.kind not in ("enter", "message"):
        apply(person, line)


def _fact(line: FactLine, number: int) -> Fact:
    if line.kind == "event":
        return EventFact(line.at, None, _happening(line, number))
    if line.kind == "message":
        return MessageFact(line.at, None, line.value, line.did, number)
    if line.kind == "enter":
        return EnterFact(line.at, None, 0)
    return LineChange(line.at, line=line)


# the result


def _result(passage: Passage) -> str:
    return json.dumps(
        {
            "journey": passage.plan.slug,
            "contact": passage.person.external_id,
            "entered_at": format_moment(passage.entered_at),
            "status": str(passage.status),
            "reason": passage.reason or None,
            "ended_at": _stamp(passage.ended_at),
            "visits": [
                {
                    "node": visit.node,
                    "entered_at": format_moment(visit.entered_at),
                    "left_at": _stamp(visit.left_at),
                    "outcome": visit.outcome,
                }
                for visit in passage.visits
            ],
            "messages": [
                {
                    "node": draft.node,
                    "template": draft.template,
                    "at": format_moment(draft.queued_at),
                    "status": str(draft.status),
                    "reason": draft.reason or None,
                }
                for draft in passage.sent
            ],
        },
        ensure_ascii=False,
    )


def _stamp(moment: datetime | None) -> str | None:
    return format_moment(moment) if moment else None


def _check_out(out: Path, inputs: Iterable[Path]) -> None:
    """Refuse before the run what could not be written after it, or would replace what it reads."""
    try:
        if not out.parent.is_dir():
            raise SimulationError(f"{out}: can't be written: there is no folder {out.parent}.")
        if out.is_dir():
            raise SimulationError(f"{out}: can't be written: it is a folder.")
        if not os.access(out if _is_stream(out) else out.parent, os.W_OK):
            raise SimulationError(f"{out}: can't be written: that is not permitted.")
        if any(path.exists() and out.exists() and out.samefile(path) for path in inputs):
            raise SimulationError(
                f"{out}: is read by the simulation; give the result another name."
            )
    except OSError as error:
        raise SimulationError(f"{out}: can't be written: {error.strerror}.") from error


def _is_stream(out: Path) -> bool:
    """Whether it is there and no file that another could take the place of, such as /dev/stdout."""
    return out.exists() and (not out.is_file() or Path("/dev") in out.absolute().parents)


def _write(out: Path, lines: Iterable[str]) -> None:
    """Write the file whole, or not at all."""
    text = (f"{line}\n" for line in lines)
    try:
        if _is_stream(out):
            with out.open("w", encoding="utf-8") as file:
                file.writelines(text)
        else:
            _replace(out.resolve(), text)
    except OSError as error:
        raise SimulationError(f"{out}: can't be written: {error.strerror}.") from error


def _replace(out: Path, text: Iterable[str]) -> None:
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(text)
        os.replace(name, out)
    except BaseException:
        os.unlink(name)
        raise
