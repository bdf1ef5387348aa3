"""The journey file's meaning: from the JSON of SEMANTICS §2 to what the engine works by.

``parse`` reports all problems at once, each with its place, and never raises for bad input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from contacts import conditions
from contacts.problems import Problems
from journeys import graph
from journeys.calendar import Window, is_zone
from journeys.fields import (
    NAME,
    ConditionSetting,
    DateRule,
    DateSetting,
    DurationSetting,
    EventMatch,
    EventSetting,
    Place,
    WindowSetting,
)
from journeys.nodes import NodeKind, kinds
from messaging import rendering

TOP = (
    "journey", "name", "description", "entry", "goal", "exit_when", "window", "start", "nodes",
    "templates", "segments", "topics", "installation",
)  # fmt: skip
BODIES = ("text", "html", "mjml", "markdown")
#: What a goal that is a condition is made of (G1).
GOAL_FORMS = ("all", "any", "not", "attribute", "segment")


@dataclass(frozen=True)
class EventTrigger:
    """Each matching event; ``key`` divides the passages by a property (E3)."""

    match: EventMatch
    key: str | None = None


@dataclass(frozen=True)
class SegmentTrigger:
    """The contact becomes a member."""

    segment: str


@dataclass(frozen=True)
class DateTrigger:
    """The moment that a date attribute gives."""

    rule: DateRule


@dataclass(frozen=True)
class ManualTrigger:
    """By hand."""


Trigger = EventTrigger | SegmentTrigger | DateTrigger | ManualTrigger


@dataclass(frozen=True)
class Reentry:
    """The re-entry rule: ``once``, ``after_exit``, ``after`` (with ``pause``) or ``every_time``."""

    rule: str = "once"
    pause: timedelta = timedelta()


@dataclass(frozen=True)
class Node:
    """A node and where its outcomes lead."""

    kind: NodeKind
    next: Mapping[str, str]


@dataclass(frozen=True)
class TemplateSection:
    """A template that the file carries."""

    name: str
    subject: str
    bodies: Mapping[str, str]


@dataclass(frozen=True)
class SegmentSection:
    """A segment that the file carries: by condition, or static by external ids."""

    name: str
    when: Any = None
    members: tuple[str, ...] | None = None


@dataclass(frozen=True)
class TopicSection:
    """A topic that the file carries."""

    name: str
    subscribed: bool = True


@dataclass(frozen=True)
class InstallationSection:
    """What holds for a simulation in place of the installation's settings; None: not given."""

    timezone: str | None = None
    cap: tuple[int, timedelta] | None = None
    has_cap: bool = False


@dataclass(frozen=True)
class Catalog:
    """What exists in the installation; segments with their condition, None for a static one."""

    templates: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    segments: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Definition:
    """A journey that can be run."""

    slug: str
    name: str
    trigger: Trigger
    reentry: Reentry
    filter: conditions.Condition | None
    goal_event: EventMatch | None
    goal_condition: conditions.Condition | None
    exit_when: conditions.Condition | None
    window: Window | None
    start: str
    nodes: Mapping[str, Node]
    templates: Mapping[str, TemplateSection] = field(default_factory=dict)
    segments: Mapping[str, SegmentSection] = field(default_factory=dict)
    topics: Mapping[str, TopicSection] = field(default_factory=dict)
    installation: InstallationSection = field(default_factory=InstallationSection)

    def conditions(self) -> Iterator[conditions.Condition]:
        """Every condition in it."""
        for condition in (self.filter, self.goal_condition, self.exit_when):
            if condition is not None:
                yield condition
        for node in self.nodes.values():
            yield from node.kind.conditions()

    def segment_slugs(self) -> set[str]:
        """The segments it looks at, its trigger's included."""
        slugs = {slug for condition in self.conditions() for slug in condition.looks_at().segments}
        if isinstance(self.trigger, SegmentTrigger):
            slugs.add(self.trigger.segment)
        return slugs


def parse(data: Any, catalog: Catalog, problems: Problems) -> Definition | None:
    """The definition that ``data`` describes, or None with what is wrong in ``problems``."""
    before = len(problems)
    reader = _reader(data, catalog, problems)
    definition = reader.read() if reader else None
    wrong = any(problem.level == "error" for problem in problems[before:])
    return None if wrong else definition


def read(data: Any, catalog: Catalog, problems: Problems) -> Definition | None:
    """As `parse`, but what is wrong is left out of the definition; None for what is no mapping.

    Segments that the file carries must be such that a database can count them: a simulation, which
    judges in memory, needs no such limit.
    """
    reader = _reader(data, catalog, problems)
    if reader is None:
        return None
    reader.counted = True
    return reader.read()


def _reader(data: Any, catalog: Catalog, problems: Problems) -> _Reader | None:
    if not isinstance(data, dict):
        problems.error("", "A journey file must be a mapping.", f"Keys: {', '.join(TOP)}.")
        return None
    return _Reader(data, _Sections(data, catalog, problems), catalog, problems)


def _keys(data: dict[str, Any], section: str) -> list[str]:
    """The keys of a part of the file; none where it is no mapping."""
    value = data.get(section)
    return [str(key) for key in value] if isinstance(value, dict) else []


class _Sections:
    """The sections by which a file carries what it refers to."""

    def __init__(self, data: dict[str, Any], catalog: Catalog, problems: Problems) -> None:
        self.problems = problems
        self.known = {
            "templates": frozenset(_keys(data, "templates")) | catalog.templates,
            "topics": frozenset(_keys(data, "topics")) | catalog.topics,
            "segments": frozenset(_keys(data, "segments")) | frozenset(catalog.segments),
        }
        self.scope = conditions.Scope(segments=self.known["segments"], topics=self.known["topics"])
        self.templates = self._each(data, "templates", self._template)
        self.segments = self._each(data, "segments", self._segment)
        self.topics = self._each(data, "topics", self._topic)
        self.installation = self._installation(data.get("installation", {}))

    def _place(self, path: str) -> Place:
        return Place(path, self.problems, self.scope)

    def _each(self, data: dict[str, Any], section: str, read: Any) -> dict[str, Any]:
        given, place = data.get(section, {}), self._place(section)
        if not isinstance(given, dict):
            place.error("Must be a mapping.")
            return {}
        found = {}
        for slug, value in given.items():
            here = place.at(str(slug))
            if not NAME.match(str(slug)):
                here.error("Must be made of letters, digits, _ and -.")
            found[str(slug)] = read(str(slug), value, here)
        return {slug: value for slug, value in found.items() if value is not None}

    @staticmethod
    def _name(slug: str, given: dict[str, Any], place: Place) -> str:
        name = given.get("name", slug)
        if not isinstance(name, str):
            place.at("name").error("Must be text.")
        return str(name)

    def _template(self, slug: str, value: Any, place: Place) -> TemplateSection | None:
        given = place.mapping(value, ("name", "subject", *BODIES), ("subject",))
        if given is None:
            return None
        name = self._name(slug, given, place)
        texts = {key: given[key] for key in ("subject", *BODIES) if key in given}
        wrong = [key for key, text in texts.items() if not isinstance(text, str)]
        for key in wrong:
            place.at(key).error("Must be text.")
        bodies = {key: text for key, text in texts.items() if key != "subject"}
        if not bodies:
            place.error("A template needs a body.", f"One or more of: {', '.join(BODIES)}.")
        # What is missing or no text is said already.
        stand_ins = {"subject": "x", "text": "x"} if wrong or not bodies else {"subject": "x"}
        for problem in rendering.check(stand_ins | {**texts, **dict.fromkeys(wrong, "x")}):
            if problem.level == "error":
                place.at(problem.place).error(problem.message, problem.hint)
        return TemplateSection(name, given.get("subject", ""), bodies) if not wrong else None

    def _segment(self, slug: str, value: Any, place: Place) -> SegmentSection | None:
        given = place.mapping(value, ("name", "when", "members"))
        if given is None:
            return None
        name = self._name(slug, given, place)
        if ("when" in given) == ("members" in given):
            place.error("A segment has either a condition or members.", "Give when, or members.")
            return None
        if "when" in given:
            return SegmentSection(name, when=given["when"])
        members = given["members"]
        if not isinstance(members, list) or not all(isinstance(one, str) for one in members):
            place.at("members").error("Must be a list of external ids.")
            return None
        return SegmentSection(name, members=tuple(members))

    def _topic(self, slug: str, value: Any, place: Place) -> TopicSection | None:
        if slug == "all":
            place.error("“all” is not a topic's name.", "It stands for all topics together.")
        given = place.mapping(value, ("name", "default"))
        if given is None:
            return None
        default = given.get("default", "subscribed")
        if default not in ("subscribed", "unsubscribed"):
            place.at("default").error("Must be subscribed or unsubscribed.")
        return TopicSection(self._name(slug, given, place), default == "subscribed")

    def _installation(self, value: Any) -> InstallationSection:
        place = self._place("installation")
        given = place.mapping(value, ("timezone", "frequency_cap"))
        if given is None:
            return InstallationSection()
        timezone = given.get("timezone")
        if "timezone" in given and not (isinstance(timezone, str) and is_zone(timezone)):
            place.at("timezone").error("Must be a time zone.", "Such as Europe/Berlin.")
        cap = None
        if "frequency_cap" in given:
            cap = self._cap(given["frequency_cap"], place.at("frequency_cap"))
        return InstallationSection(timezone, cap, "frequency_cap" in given)

    @staticmethod
    def _cap(value: Any, place: Place) -> tuple[int, timedelta] | None:
        given = place.mapping(value, ("count", "within"), ("count", "within"))
        if given is None:
            return None
        count, within = given.get("count"), None
        if "count" in given and (
            isinstance(count, bool) or not isinstance(count, int) or count < 0
        ):
            place.at("count").error("Must be a whole number from 0.")
            count = None
        if "within" in given:
            within = DurationSetting().read(given["within"], place.at("within"))
        return (count, within) if count is not None and within is not None else None


class _Reader:
    """Reads the journey itself, against what the file carries and the installation has."""

    #: Whether the segments that it carries will be counted by a database.
    counted = False

    def __init__(
        self, data: dict[str, Any], sections: _Sections, catalog: Catalog, problems: Problems
    ) -> None:
        self.data, self.sections, self.problems = data, sections, problems
        self.catalog = catalog
        #: Where each node leads, by the place that says so; and those that don't say it legibly.
        self.edges: dict[str, dict[str, str]] = {}
        self.unread: set[str] = set()
        sends = [
            key
            for key in _keys(data, "nodes")
            if isinstance(data["nodes"][key], dict) and data["nodes"][key].get("kind") == "send"
        ]
        self.scope = replace(sections.scope, nodes=sends)

    def place(
        self,
        path: str,
        *,
        enrollment: bool = False,
        trigger: bool = False,
        forms: tuple[str, ...] | None = None,
    ) -> Place:
        scope = replace(self.scope, enrollment=enrollment, trigger=trigger, forms=forms)
        return Place(path, self.problems, scope)

    def read(self) -> Definition:
        for key in self.data:
            if key not in TOP:
                self.place(str(key)).error("Unknown key.", f"One of: {', '.join(TOP)}.")
        for key in ("journey", "entry", "start", "nodes"):
            if key not in self.data:
                self.place(key).error("Is missing.")
        slug, name = self._slug(), self.data.get("name", self.data.get("journey"))
        for key in ("name", "description"):
            if key in self.data and not isinstance(self.data[key], str):
                self.place(key).error("Must be text.")
        trigger, reentry, condition = self._entry(self.data.get("entry"))
        self.starts_by_event = isinstance(trigger, EventTrigger)
        goal_event, goal_condition = self._goal()
        exit_when = None
        if "exit_when" in self.data:
            exit_when = ConditionSetting().read(
                self.data["exit_when"], self._in_journey("exit_when")
            )
        window = None
        if "window" in self.data:
            window = WindowSetting().read(self.data["window"], self.place("window"))
        nodes = self._nodes(self.data.get("nodes", {}))
        definition = Definition(
            slug=slug, name=str(name or slug), trigger=trigger, reentry=reentry, filter=condition,
            goal_event=goal_event, goal_condition=goal_condition, exit_when=exit_when,
            window=window, start=str(self.data.get("start")), nodes=nodes,
            templates=self.sections.templates, segments=self.sections.segments,
            topics=self.sections.topics, installation=self.sections.installation,
        )  # fmt: skip
        self._check_graph(definition)
        self._check_references(definition)
        return definition

    def _in_journey(self, path: str) -> Place:
        return self.place(path, enrollment=True, trigger=self.starts_by_event)

    def _slug(self) -> str:
        slug = self.data.get("journey")
        if "journey" in self.data and not (isinstance(slug, str) and NAME.match(slug)):
            self.place("journey").error("Must be made of letters, digits, _ and -.")
        return str(slug)

    def _entry(self, value: Any) -> tuple[Trigger, Reentry, conditions.Condition | None]:
        place = self.place("entry")
        nothing: tuple[Trigger, Reentry, None] = (ManualTrigger(), Reentry(), None)
        if "entry" not in self.data:
            return nothing
        given = place.mapping(value, ("trigger", "filter", "reentry"), ("trigger",))
        if given is None:
            return nothing
        trigger = self._trigger(given["trigger"]) if "trigger" in given else ManualTrigger()
        condition = None
        if "filter" in given:
            by_event = isinstance(trigger, EventTrigger)
            condition = ConditionSetting().read(
                given["filter"], self.place("entry.filter", trigger=by_event)
            )
        reentry = self._reentry(given["reentry"]) if "reentry" in given else Reentry()
        return trigger, reentry, condition

    def _trigger(self, value: Any) -> Trigger:
        place = self.place("entry.trigger")
        ways = ("event", "segment", "date", "manual")
        if not isinstance(value, dict):
            place.error("Must be a mapping.", f"With one of: {', '.join(ways)}.")
            return ManualTrigger()
        given = [way for way in ways if way in value]
        if len(given) != 1:
            place.error("A trigger is exactly one thing.", f"One of: {', '.join(ways)}.")
            return ManualTrigger()
        return getattr(self, f"_{given[0]}_trigger")(value, place)

    def _event_trigger(self, value: dict[str, Any], place: Place) -> Trigger:
        match = EventSetting(extra=("key",)).read(value, place)
        key = value.get("key")
        if "key" in value and not (isinstance(key, str) and key):
            place.at("key").error("Must be the name of a property.")
        fallback = EventMatch("", conditions.parse_where([], place.scope, "", self.problems))
        return EventTrigger(match or fallback, key)

    def _segment_trigger(self, value: dict[str, Any], place: Place) -> Trigger:
        place.mapping(value, ("segment",))
        if not isinstance(value["segment"], str):
            place.at("segment").error("Must be the name of a segment.")
        return SegmentTrigger(str(value["segment"]))

    def _date_trigger(self, value: dict[str, Any], place: Place) -> Trigger:
        rule = DateSetting(name="date", extra=("yearly",)).read(value, place)
        return DateTrigger(rule or DateRule("", timedelta(), None))

    def _manual_trigger(self, value: dict[str, Any], place: Place) -> Trigger:
        place.mapping(value, ("manual",))
        if value["manual"] is not True:
            place.at("manual").error("Must be true.")
        return ManualTrigger()

    def _reentry(self, value: Any) -> Reentry:
        place = self.place("entry.reentry")
        rules = ("once", "after_exit", "every_time")
        if isinstance(value, str) and value in rules:
            return Reentry(value)
        if isinstance(value, dict) and set(value) == {"after"}:
            pause = DurationSetting().read(value["after"], place.at("after"))
            return Reentry("after", pause or timedelta())
        place.error("Is no re-entry rule.", f"One of: {', '.join(rules)}, {{after: 30d}}.")
        return Reentry()

    def _goal(self) -> tuple[EventMatch | None, conditions.Condition | None]:
        if "goal" not in self.data:
            return None, None
        goal = self.data["goal"]
        place = self.place("goal", trigger=self.starts_by_event, forms=GOAL_FORMS)
        if isinstance(goal, dict) and "event" in goal:
            return EventSetting().read(goal, place), None
        return None, ConditionSetting().read(goal, place)

    def _nodes(self, value: Any) -> dict[str, Node]:
        place = self.place("nodes")
        if not isinstance(value, dict):
            place.error("Must be a mapping from node id to node.")
            return {}
        nodes: dict[str, Node] = {}
        for key, config in value.items():
            here = self._in_journey(f"nodes.{key}")
            if not NAME.match(str(key)):
                here.error("A node's id must be made of letters, digits, _ and -.")
            node = self._node(str(key), config, here)
            if node is not None:
                nodes[str(key)] = node
        start = self.data.get("start")
        if "start" in self.data and not isinstance(start, str):
            self.place("start").error("Must be a node's id.")
        elif "start" in self.data and start not in value:
            self.place("start").error(f"There is no node “{start}”.")
        return nodes

    def _node(self, key: str, config: Any, place: Place) -> Node | None:
        self.edges[key] = {}
        if not isinstance(config, dict):
            place.error("Must be a mapping.", "With kind, its settings and next.")
            self.unread.add(key)
            return None
        kind = kinds().get(str(config.get("kind")))
        if kind is None:
            place.at("kind").error(
                f"“{config['kind']}” is no kind of node." if "kind" in config else "Is missing.",
                f"One of: {', '.join(kinds())}.",
            )
            self._next(key, config, None, place.at("next"))
            return None
        settings = {name: part for name, part in config.items() if name not in ("kind", "next")}
        before = len(self.problems)
        node = kind.read(key, settings, place)
        wrong = len(self.problems) > before
        outcomes = node.outcomes_of(settings) if wrong else node.outcomes
        follows = self._next(key, config, outcomes, place.at("next"))
        if isinstance(follows, str):
            follows = dict.fromkeys(node.outcomes, follows)
        return Node(node, follows)

    def _next(
        self, key: str, config: dict[str, Any], outcomes: tuple[str, ...] | None, place: Place
    ) -> str | dict[str, str]:
        """Where a node leads: all of it to one, or each outcome to another.

        ``outcomes`` are those that it may have; None where that can't be told.
        """
        if "next" not in config:
            return {}
        follows = config["next"]
        if outcomes == ():
            place.error("Nothing comes after this node.", "Leave next out.")
            return {}
        if isinstance(follows, str):
            self.edges[key][place.path] = follows
            return follows
        if not isinstance(follows, dict):
            place.error("Must be a node's id, or a mapping from outcome to node.")
            self.unread.add(key)
            return {}
        for outcome, target in follows.items():
            if outcomes is not None and outcome not in outcomes:
                place.at(outcome).error(
                    "Is no outcome of this node.", f"One of: {', '.join(outcomes)}."
                )
            if isinstance(target, str):
                self.edges[key][place.at(outcome).path] = target
            else:
                place.at(outcome).error("Must be a node's id.")
                self.unread.add(key)
        return {out: target for out, target in follows.items() if isinstance(target, str)}

    def _check_graph(self, definition: Definition) -> None:
        for edges in self.edges.values():
            for path, target in edges.items():
                if target not in self.edges:
                    self.place(path).error(
                        f"There is no node “{target}”.", "Connect it, or leave it out to end there."
                    )
        lines = {key: list(edges.values()) for key, edges in self.edges.items()}
        self._check_reached(lines)
        # What could not be read may rest.
        slow = {
            key
            for key in lines
            if key not in definition.nodes or definition.nodes[key].kind.slows()
        }
        for group in graph.cycles(lines, slow):
            self.place(f"nodes.{group[0]}").error(
                f"Goes in a circle without resting: {' → '.join([*group, group[0]])}.",
                "Put a wait of at least one minute into the circle.",
            )

    def _check_reached(self, lines: Mapping[str, list[str]]) -> None:
        """Report nodes that nothing leads to, unless one that can't be read may do so."""
        start = self.data.get("start")
        found = graph.reachable(lines, start) if isinstance(start, str) else set()
        if not found or found & self.unread:
            return
        for key in lines:
            if key not in found:
                self.place(f"nodes.{key}").error(
                    "Cannot be reached.", "Connect an outcome to it, or remove it."
                )

    def _check_references(self, definition: Definition) -> None:
        for key, node in definition.nodes.items():
            for setting, catalog in node.kind.references().items():
                slug = node.kind.config.get(setting)
                if slug is not None:
                    self._known(f"nodes.{key}.{setting}", catalog, slug)
        if isinstance(definition.trigger, SegmentTrigger):
            self._known("entry.trigger.segment", "segments", definition.trigger.segment)
        self._check_segments()

    def _known(self, path: str, catalog: str, slug: str) -> None:
        if slug not in self.sections.known[catalog]:
            self.place(path).error(
                f"There is no {catalog[:-1]} “{slug}”.",
                f"Make it first, or let the file carry it under {catalog}.",
            )

    def _check_segments(self) -> None:
        if not self.sections.segments:
            return
        parsed: dict[str, conditions.Condition | None] = {
            slug: None if data is None else conditions.parse_segment(data)
            for slug, data in self.catalog.segments.items()
        }
        for slug, segment in self.sections.segments.items():
            place = replace(self.place(f"segments.{slug}.when"), scope=self.sections.scope)
            parsed[slug] = None
            if segment.members is None:
                parsed[slug] = ConditionSetting().read(segment.when, place)
        for slug in self._too_large(parsed):
            self.place(f"segments.{slug}.when").error(
                f"The segment “{slug}” is built on too many others.", conditions.HOW_LARGE
            )
        for slug in self.sections.segments:
            circle = conditions.built_on(slug, parsed)
            if slug in circle:
                self.place(f"segments.{slug}.when").error(
                    f"The segment “{slug}” is built on itself"
                    + (f", by way of {_listed(circle - {slug})}." if circle - {slug} else "."),
                    "Segments can't be built in a circle.",
                )

    def _too_large(self, parsed: Mapping[str, conditions.Condition | None]) -> list[str]:
        """The segments of the file that no database can count; the first of a chain says enough."""
        if not self.counted:
            return []
        large = [slug for slug in conditions.too_large(parsed) if slug in self.sections.segments]
        return [slug for slug in large if not conditions.built_on(slug, parsed).intersection(large)]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"“{name}”" for name in sorted(names))
