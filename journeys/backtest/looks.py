"""What of the past a journey looks at, so that no more than that is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

from contacts.conditions import Condition, References
from journeys.definition import Definition, EventTrigger, ManualTrigger, SegmentTrigger
from journeys.nodes.update import Update
from journeys.plans import SegmentRule


@dataclass(frozen=True)
class Looks:
    """What is read of each contact's past.

    ``events`` are facts by these names; ``back`` are those that conditions count, also from before
    the period. With ``every`` each event is a fact that matters: where a goal, an exit or a
    membership looks at the time, an event of any name is a moment at which it is judged.
    ``starts`` are the events that can enroll somebody; None where something else can.
    """

    events: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()
    every: bool = False
    starts: frozenset[str] | None = frozenset()
    by_hand: bool = False
    static: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()

    def __or__(self, other: Looks) -> Looks:
        both = self.starts is not None and other.starts is not None
        return Looks(
            self.events | other.events,
            self.back | other.back,
            self.every or other.every,
            (self.starts or frozenset()) | (other.starts or frozenset()) if both else None,
            self.by_hand or other.by_hand,
            self.static | other.static,
            self.addresses | other.addresses,
        )


def looks(definition: Definition, rules: Mapping[str, SegmentRule]) -> Looks:
    """What this journey looks at, with the segments it is built on."""
    segments = _closure(definition.segment_slugs(), rules)
    inner = [rule.condition for rule in segments if rule.condition is not None]
    counted = _seen([*definition.conditions(), *inner]).events
    trigger, heard = definition.trigger, set(counted)
    if isinstance(trigger, EventTrigger):
        heard.add(trigger.match.event)
    if definition.goal_event is not None:
        heard.add(definition.goal_event.event)
    for node in definition.nodes.values():
        heard.update(node.kind.events())
    by_hand = isinstance(trigger, ManualTrigger)
    starts = frozenset({trigger.match.event}) if isinstance(trigger, EventTrigger) else None
    return Looks(
        events=frozenset(heard),
        back=counted,
        every=_judged_by_time(definition, rules),
        starts=frozenset() if by_hand else starts,
        by_hand=by_hand,
        static=frozenset(rule.slug for rule in segments if rule.condition is None),
        addresses=frozenset(_addresses(definition)),
    )


def _closure(slugs: Iterable[str], rules: Mapping[str, SegmentRule]) -> list[SegmentRule]:
    found: dict[str, SegmentRule] = {}
    rest = list(slugs)
    while rest:
        slug = rest.pop()
        if slug in rules and slug not in found:
            found[slug] = rules[slug]
            condition = rules[slug].condition
            rest += condition.looks_at().segments if condition is not None else ()
    return list(found.values())


def _seen(conditions: Iterable[Condition]) -> References:
    return reduce(or_, (condition.looks_at() for condition in conditions), References())


def _judged_by_time(definition: Definition, rules: Mapping[str, SegmentRule]) -> bool:
    """Whether a goal, an exit or a membership may come to hold by time alone."""
    trigger = definition.trigger
    if isinstance(trigger, SegmentTrigger) and rules[trigger.segment].time_dependent:
        return True
    for condition in (definition.goal_condition, definition.exit_when):
        if condition is None:
            continue
        inner = condition.looks_at().segments
        if condition.time_dependent or any(rules[slug].time_dependent for slug in inner):
            return True
    return False


def _addresses(definition: Definition) -> Iterable[str]:
    """The addresses that the journey itself may give to contacts."""
    for node in definition.nodes.values():
        if isinstance(node.kind, Update):
            address = node.kind.config["set"].get("email")
            if address:
                yield str(address).lower()
