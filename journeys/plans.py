"""Versions as the engine works by them: compiled once a process, looked up by id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import or_
from typing import Any

from contacts import conditions
from contacts.models import Segment
from contacts.problems import Problems
from journeys import graph
from journeys.calendar import Window
from journeys.definition import Catalog, DateTrigger, Definition, EventTrigger, Node, parse
from journeys.models import Journey, Version
from messaging.models import Template, Topic


@dataclass
class Plan:
    """A version, ready to run: its definition and the ids of the rows that stand for its parts."""

    version_id: int
    journey_id: int
    definition: Definition
    node_ids: Mapping[str, int]
    template_ids: Mapping[str, int]
    topic_ids: Mapping[str, int]

    @property
    def slug(self) -> str:
        return self.definition.slug

    @property
    def window(self) -> Window | None:
        return self.definition.window

    @cached_property
    def key_of_node(self) -> dict[int, str]:
        """The key of each node by the id of its row."""
        return {pk: key for key, pk in self.node_ids.items()}

    @cached_property
    def looks_at(self) -> conditions.References:
        """All that its conditions look at."""
        looks = (condition.looks_at() for condition in self.definition.conditions())
        return reduce(or_, looks, conditions.References())

    @property
    def has_date(self) -> bool:
        return isinstance(self.definition.trigger, DateTrigger)

    @property
    def trigger_event(self) -> str:
        """The name of the event that starts it, or nothing where none does."""
        trigger = self.definition.trigger
        return trigger.match.event if isinstance(trigger, EventTrigger) else ""

    def starts_with(self, name: str) -> bool:
        """Whether an event of that name can start it."""
        return bool(name) and self.trigger_event == name

    def node(self, key: str) -> Node:
        return self.definition.nodes[key]


@dataclass(frozen=True)
class SegmentRule:
    """A segment as the engine works by it; ``condition`` is None for a static one.

    ``looks_at_time`` are its own and its inner segments' conditions where any of them looks at the
    time (T5), so that the membership may change by time alone.
    """

    pk: int
    slug: str
    condition: conditions.Condition | None
    looks_at_time: tuple[conditions.Condition, ...] = ()

    @property
    def time_dependent(self) -> bool:
        return bool(self.looks_at_time)


def segment_rules(segments: Mapping[str, tuple[int, Any]]) -> dict[str, SegmentRule]:
    """The rules of these segments, given by slug as id and condition (None: static)."""
    scope = conditions.Scope(enrollment=False, trigger=False)
    parsed = {
        slug: None if condition is None else _parsed(slug, condition, scope)
        for slug, (_, condition) in segments.items()
    }
    rules = {}
    for slug, (pk, _) in segments.items():
        closure = [one for one in map(parsed.get, _inner(slug, parsed)) if one is not None]
        timed = tuple(closure) if any(one.time_dependent for one in closure) else ()
        rules[slug] = SegmentRule(pk, slug, parsed[slug], timed)
    return rules


_conditions: dict[str, conditions.Condition] = {}


def _parsed(slug: str, data: Any, scope: conditions.Scope) -> conditions.Condition:
    """A segment's condition, parsed once a process for each of its texts."""
    text = json.dumps(data, sort_keys=True)
    if text not in _conditions:
        if len(_conditions) > 10_000:
            _conditions.clear()
        _conditions[text] = conditions.parse(data, scope, f"segments.{slug}.when")
    return _conditions[text]


def _inner(slug: str, parsed: Mapping[str, conditions.Condition | None]) -> set[str]:
    """The segment and all that it is built on."""
    lines = {
        name: sorted(condition.looks_at().segments) if condition else []
        for name, condition in parsed.items()
    }
    return graph.reachable(lines, slug)


class NotRunnable(RuntimeError):
    """A published version does not parse; its message says why."""


_plans: dict[int, Plan] = {}


def forget() -> None:
    """Drop what was compiled; for tests and simulations, whose ids begin anew."""
    _plans.clear()


def load(version_ids: Iterable[int]) -> dict[int, Plan]:
    """The plans of these versions. Versions never change, so each is compiled once a process."""
    wanted = set(version_ids)
    missing = wanted - set(_plans)
    if missing:
        versions = Version.objects.filter(pk__in=missing).prefetch_related("nodes")
        catalog = Catalog(segments=dict(Segment.objects.values_list("slug", "condition")))
        for version in versions:
            _plans[version.pk] = _compile(version, catalog)
    return {pk: _plans[pk] for pk in wanted if pk in _plans}


def compile_definition(data: Any, catalog: Catalog) -> Definition:
    """The definition of a published version; raises NotRunnable where it has errors."""
    problems = Problems()
    definition = parse(data, catalog, problems)
    if definition is None:
        raise NotRunnable("; ".join(f"{one.place}: {one.message}" for one in problems))
    return definition


def _compile(version: Version, catalog: Catalog) -> Plan:
    """Check against what the rows of the version protect, which can't have been deleted since."""
    nodes = list(version.nodes.all())
    templates = {node.config["template"]: node.template_id for node in nodes if node.template_id}
    topics = {node.config["topic"]: node.topic_id for node in nodes if node.topic_id}
    every_topic = frozenset(Topic.objects.values_list("slug", flat=True)) | frozenset(topics)
    known = Catalog(frozenset(templates), every_topic, catalog.segments)
    return Plan(
        version_id=version.pk,
        journey_id=version.journey_id,
        definition=compile_definition(version.definition, known),
        node_ids={node.key: node.pk for node in nodes},
        template_ids=templates,
        topic_ids=topics,
    )


def installed() -> Catalog:
    """What exists in the installation."""
    return Catalog(
        frozenset(Template.objects.values_list("slug", flat=True)),
        frozenset(Topic.objects.values_list("slug", flat=True)),
        dict(Segment.objects.values_list("slug", "condition")),
    )


def open_journeys() -> list[tuple[int, str, int]]:
    """The journeys that are live or paused: id, status and id of the live version, oldest first."""
    return list(
        Journey.objects.filter(
            status__in=[Journey.Status.LIVE, Journey.Status.PAUSED], live_version__isnull=False
        )
        .order_by("pk")
        .values_list("pk", "status", "live_version_id")
    )
