"""What all worlds of a replay have in common, whether it is made from files or from rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from journeys import triggers
from journeys.definition import Definition, SegmentTrigger
from journeys.plans import Plan, SegmentRule
from journeys.world import Person, Policy, World
from messaging.outbox import Cap


class Replay(Policy):
    """Time as it was: a timer fires when it is due, and what is queued is handed over."""

    counts_hours = True
    hands_over = True

    def timer_time(self, due: datetime, until: datetime) -> datetime:
        return due

    def calls(self) -> bool:
        return False


def plan_of(definition: Definition) -> Plan:
    """A plan whose parts have no rows, since nothing of it will be written."""
    slugs = {node.kind.config.get("template", "") for node in definition.nodes.values()}
    return Plan(0, 0, definition, {}, dict.fromkeys(slugs, 0), {})


@dataclass
class Setting:
    """The journey, and what it is judged by; ``start`` and ``until`` bound the replay."""

    plan: Plan
    segments: Mapping[str, SegmentRule]
    topics: Mapping[str, bool]
    timezone: str
    cap: Cap | None
    start: datetime
    until: datetime

    def world(self) -> World:
        """A world without people."""
        trigger = self.plan.definition.trigger
        world = World(
            until=self.until,
            policy=Replay(),
            timezone=self.timezone,
            cap=self.cap,
            open_plans=[self.plan],
            segments=dict(self.segments),
            topic_defaults=dict(self.topics),
            looks_up=lambda address: False,
        )
        if isinstance(trigger, SegmentTrigger):
            rule = self.segments[trigger.segment]
            world.followed = [rule] if rule.condition is not None else []
        return world


def begin(person: Person, start: datetime) -> None:
    """Take stock of someone who is there from the start: memberships, and dates to come."""
    person.now = person.clock = start
    triggers.note_membership(person)
    person.next_hour = triggers.next_hour(person)
    triggers.refresh_dates(person)
