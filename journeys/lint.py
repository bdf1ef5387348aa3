"""What is allowed in a journey and probably not meant: each with its place and a hint.

Errors are `journeys.definition`'s affair; what is found here is a warning, but for templates that
do not parse (L1) and names too long for the database. A definition with errors is looked at too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from contacts import conditions
from contacts.conditions import OWN_FIELDS, Condition, EventCount
from contacts.models import AttributeName, EventName
from contacts.problems import Problems, under
from contacts.values import words_duration
from journeys import load
from journeys.definition import (
    Definition,
    EventTrigger,
    SegmentSection,
    TemplateSection,
    TopicSection,
)
from journeys.nodes import NodeKind
from messaging import rendering
from messaging.models import Installation, Template
from messaging.rendering import SOURCES

LONGEST = 100
#: Fields of a contact that a template sees beside the attributes.
CONTACT_FIELDS = frozenset((*OWN_FIELDS, "language"))
#: What a template says to give the link itself.
LINKS = frozenset(("unsubscribe_url", "preferences_url"))
#: Events that the program itself records (T7).
OWN_EVENTS = frozenset(f"message_{did}" for did in ("delivered", "opened", "clicked", "bounced"))
OWN_PROPERTIES = frozenset(("journey", "node", "template"))


@dataclass(frozen=True)
class Seen:
    """What the installation has seen and holds."""

    events: Mapping[str, frozenset[str]] = field(default_factory=dict)
    attributes: frozenset[str] = frozenset()
    templates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    address: str = ""
    cap: tuple[int, timedelta] | None = None

    def properties(self, event: str) -> frozenset[str] | None:
        """The properties an event has had; None where it was never seen."""
        return OWN_PROPERTIES if event in OWN_EVENTS else self.events.get(event)

    @classmethod
    def load(cls, templates: Collection[str]) -> Seen:
        """From the database, with these templates."""
        installation = Installation.load()
        rows = Template.objects.filter(slug__in=templates)
        return cls(
            events={
                name: frozenset(properties)
                for name, properties in EventName.objects.values_list("name", "properties")
            },
            attributes=frozenset(AttributeName.objects.values_list("name", flat=True)),
            templates={
                row.slug: {name: getattr(row, name) for name in ("subject", *SOURCES)}
                for row in rows
            },
            address=installation.postal_address,
            cap=installation.cap,
        )


def lint(definition: Definition, problems: Problems, seen: Seen | None = None) -> None:
    """Report all that looks wrong with a journey."""
    if seen is None:
        seen = Seen.load([template for _, template, _ in _sends(definition)])
    _check_lengths(definition, problems)
    _check_events(definition, seen, problems)
    _check_attributes(definition, seen, problems)
    _check_conditions(definition, problems)
    _check_nodes(definition, problems)
    _check_templates(definition, seen, problems)
    _check_load(definition, seen, problems)


def _sends(definition: Definition) -> Iterator[tuple[str, str, bool]]:
    """The nodes that send: key, template, and whether it is marketing."""
    for key, node in definition.nodes.items():
        if "templates" in node.kind.references().values():
            template = node.kind.config.get("template")
            yield key, str(template or ""), not node.kind.config.get("transactional")


def _conditions(definition: Definition) -> Iterator[tuple[str, Condition]]:
    """Every condition with its place."""
    for place, condition in (
        ("entry.filter", definition.filter),
        ("goal", definition.goal_condition),
        ("exit_when", definition.exit_when),
    ):
        if condition is not None:
            yield place, condition
    for key, node in definition.nodes.items():
        for number, condition in enumerate(node.kind.conditions()):
            yield f"nodes.{key}.paths[{number}].when", condition


# lengths that the database has room for


def _check_lengths(definition: Definition, problems: Problems) -> None:
    said = [("journey", definition.slug)]
    if isinstance(definition.trigger, EventTrigger):
        said.append(("entry.trigger.event", definition.trigger.match.event))
    for key, node in definition.nodes.items():
        said.append((f"nodes.{key}", key))
        said += [(f"nodes.{key}", outcome) for outcome in node.kind.outcomes]
    sections: dict[str, Mapping[str, TemplateSection | SegmentSection | TopicSection]] = {
        "templates": definition.templates,
        "segments": definition.segments,
        "topics": definition.topics,
    }
    for title, section in sections.items():
        for slug, one in section.items():
            said.append((f"{title}.{slug}", slug))
            if len(one.name) > 2 * LONGEST:
                problems.error(f"{title}.{slug}.name", f"Has more than {2 * LONGEST} characters.")
    for slug, template in definition.templates.items():
        if len(template.subject) > rendering.MAX_SUBJECT:
            problems.error(
                f"templates.{slug}.subject", f"Has more than {rendering.MAX_SUBJECT} characters."
            )
    for place, name in said:
        if len(name) > LONGEST:
            problems.error(place, f"“{name[:40]}…” has more than {LONGEST} characters.")
    if len(definition.name) > 2 * LONGEST:
        problems.error("name", f"The name has more than {2 * LONGEST} characters.")


# what nobody has seen


def _check_events(definition: Definition, seen: Seen, problems: Problems) -> None:
    listened: list[tuple[str, str]] = []
    if isinstance(definition.trigger, EventTrigger):
        listened.append(("entry.trigger.event", definition.trigger.match.event))
    if definition.goal_event is not None:
        listened.append(("goal.event", definition.goal_event.event))
    for key, node in definition.nodes.items():
        listened += [(f"nodes.{key}.until_event.event", name) for name in node.kind.events()]
    for place, condition in _conditions(definition):
        listened += [(place, name) for name in sorted(condition.looks_at().events)]
    for place, name in listened:
        if name and seen.properties(name) is None:
            problems.warning(
                place,
                f"The event “{name}” was never seen so far.",
                "Check how it is written; names are compared exactly.",
            )


def _made(definition: Definition) -> frozenset[str]:
    """The attributes that the journey itself sets."""
    return frozenset(
        name for node in definition.nodes.values() for name in node.kind.config.get("set") or ()
    )


def _is_known(name: str, known: Collection[str]) -> bool:
    """Whether an attribute, or what it lies in, was seen."""
    return any(one == name or name.startswith(f"{one}.") for one in known)


def _check_attributes(definition: Definition, seen: Seen, problems: Problems) -> None:
    known = seen.attributes | CONTACT_FIELDS | _made(definition)
    for place, condition in _conditions(definition):
        for name in sorted(condition.looks_at().attributes):
            if not _is_known(name, known):
                problems.warning(
                    place,
                    f"Nobody has the attribute “{name}” so far.",
                    "Check how it is written; names are compared exactly.",
                )


# what is always so


def certainty(condition: Condition) -> bool | None:
    """True for a condition that always holds, False for one that never does, None for others."""
    if isinstance(condition, conditions.All | conditions.Any):
        decisive = isinstance(condition, conditions.Any)
        parts = [certainty(part) for part in condition.parts]
        if decisive in parts or _contradicts(condition.parts):
            return decisive
        return not decisive if all(part is not None for part in parts) else None
    if isinstance(condition, conditions.Not):
        inner = certainty(condition.part)
        return None if inner is None else not inner
    if isinstance(condition, conditions.Attribute):
        return _attribute_certainty(condition)
    if isinstance(condition, EventCount):
        passed = {condition.count.passes(n) for n in range(condition.count.limit + 2)}
        return passed.pop() if len(passed) == 1 else None
    return False if isinstance(condition, conditions.Never) else None


def _contradicts(parts: tuple[Condition, ...]) -> bool:
    """Whether a condition stands beside its own opposite."""
    return any(isinstance(part, conditions.Not) and part.part in parts for part in parts)


def _attribute_certainty(condition: conditions.Attribute) -> bool | None:
    op, value = condition.comparison.op, condition.comparison.written
    if op in ("is_set", "is_not_set"):
        return op == "is_set" if condition.name == "created_at" else None
    if value is None or (op == "in" and value == []):
        return op == "ne"  # C1
    return None


def _check_conditions(definition: Definition, problems: Problems) -> None:
    said = {
        "entry.filter": ("The filter is always true.", "Nobody can enter: the filter never holds."),
        "goal": ("The goal always holds, so nobody can enter.", "The goal can never be reached."),
        "exit_when": (
            "Everybody leaves at once: this always holds.",
            "Nobody ever leaves by this.",
        ),
    }
    for place, condition in _conditions(definition):
        certain = certainty(condition)
        if certain is None or isinstance(condition, conditions.Never):
            continue
        always, never = said.get(place) or ("This path is always taken.", "Nobody takes this path.")
        problems.warning(place, always if certain else never, "Change it, or leave it out.")


# nodes


def _check_nodes(definition: Definition, problems: Problems) -> None:
    trigger = definition.trigger
    keyed = isinstance(trigger, EventTrigger) and trigger.key
    if keyed and definition.reentry.rule == "every_time":
        problems.warning(
            "entry.trigger.key", "The key does nothing when each event enters.", "Leave it out."
        )
    for key, node in definition.nodes.items():
        _check_wait(key, node.kind, problems)
        _check_url(key, node.kind, problems)
        for name, weight in (node.kind.config.get("variants") or {}).items():
            if weight == 0:
                problems.warning(f"nodes.{key}.variants.{name}", "Nobody gets this variant.")


def _check_url(key: str, kind: NodeKind, problems: Problems) -> None:
    url = kind.config.get("url")
    if url and not url.startswith(("https://", "{{")):
        problems.warning(
            f"nodes.{key}.url",
            "What is sent to an address without https:// can be read on the way.",
            "Let it start with https://.",
        )


def _check_wait(key: str, kind: NodeKind, problems: Problems) -> None:
    match = kind.config.get("until_event")
    if match is not None and match.timeout is None:
        problems.warning(
            f"nodes.{key}.until_event.timeout",
            f"Whoever never does “{match.event}” waits here for ever.",
            "Give a timeout, such as 30d.",
        )


# mail


def _check_templates(definition: Definition, seen: Seen, problems: Problems) -> None:
    for slug, section in definition.templates.items():
        fields = {"subject": section.subject, **section.bodies}
        for problem in rendering.check(fields):
            if problem.level == "warning":
                place = under(f"templates.{slug}", problem.place)
                problems.warning(place, problem.message, problem.hint)
    links: dict[str, str] = {}
    for key, slug, marketing in _sends(definition):
        place = f"nodes.{key}.template"
        if slug in definition.templates:
            section = definition.templates[slug]
            fields = {"subject": section.subject, **section.bodies}
        elif slug in seen.templates:
            fields = dict(seen.templates[slug])
            for problem in rendering.check(fields):
                message = f"Template “{slug}”, {problem.place}: {problem.message}"
                report = problems.error if problem.level == "error" else problems.warning
                report(place, message, problem.hint)
        else:
            continue
        _check_variables(definition, seen, place, fields, problems)
        if marketing and not _used(fields) & LINKS:
            links.setdefault(slug, place)
    for slug, place in links.items():
        problems.warning(
            place,
            f"The template “{slug}” has no link to unsubscribe of its own.",
            "A footer with one is added; write {{ unsubscribe_url }} to place it yourself.",
        )
    if not seen.address and any(marketing for *_, marketing in _sends(definition)):
        problems.warning(
            "nodes",
            "Marketing mail must show a postal address, and none is set.",
            "Set it under Installation.",
        )


def _used(fields: Mapping[str, str]) -> set[str]:
    """The names that the parts of a template use; what can't be parsed uses none."""
    found: set[str] = set()
    for source in fields.values():
        try:
            found |= rendering.variables(source)
        except rendering.TemplateError:
            continue
    return found


def _check_variables(
    definition: Definition, seen: Seen, place: str, fields: Mapping[str, str], problems: Problems
) -> None:
    known = seen.attributes | CONTACT_FIELDS | _made(definition)
    trigger = definition.trigger
    event = trigger.match.event if isinstance(trigger, EventTrigger) else None
    properties = seen.properties(event) if event else None
    for name in sorted(_used(fields)):
        root, _, rest = name.partition(".")
        if root == "contact" and rest and not _is_known(rest, known):
            problems.warning(
                place,
                f"The template uses “{name}”, and nobody has the attribute “{rest}” so far.",
                "Give it a default: {{ " + name + ' | default: "…" }}.',
            )
        elif root == "event" and rest:
            rest = rest.removeprefix("properties.")
            if event is None:
                problems.warning(
                    place,
                    f"The template uses “{name}”, and no event starts this journey.",
                    "It will be empty.",
                )
            elif properties is not None and not _is_known(rest, properties | {"name"}):
                problems.warning(
                    place,
                    f"The template uses “{name}”, and “{event}” never had “{rest}” so far.",
                    "Check how it is written.",
                )


def _check_load(definition: Definition, seen: Seen, problems: Problems) -> None:
    most = load.mails_a_day(definition)
    if most is None:
        problems.warning(
            "nodes",
            "There is no limit to the mails that one person can get in a day.",
            "A circle sends as often as an event comes; put a wait of a length of time into it.",
        )
    elif most.mails > 1:
        hint = "All from one passage; put waits between them if that is too many."
        if seen.cap is not None:
            count, within = seen.cap
            hint = f"The frequency cap holds marketing mail at {count} in {words_duration(within)}."
        problems.warning(
            f"nodes.{most.node}",
            f"One person can get up to {most.mails} mails in a day, counted from here.",
            hint,
        )
