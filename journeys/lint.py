"""What is allowed in a journey and probably not meant: each with its place and a hint.

Errors are `journeys.definition`'s affair; what is found here is a warning, but for templates that
do not parse (L1) and names too long for the database. A definition with errors is looked at too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta

from contacts import conditions
from contacts.conditions import Condition, EventCount, Where
from contacts.problems import Problems
from contacts.values import words_duration
from journeys.definition import (
    DateTrigger,
    Definition,
    EventTrigger,
    SegmentSection,
    TemplateSection,
    TopicSection,
)
from journeys.fields import EventMatch
from journeys.mail_lint import lint_mail
from journeys.nodes import NodeKind
from journeys.seen import Seen, made, sends, used_at
from messaging import rendering
from messaging.variables import CONTACT_FIELDS, is_known

LONGEST = 100
#: Who waits longer is rather meant to wait for less.
LONGEST_WAIT = timedelta(days=5 * 365 + 2)


def lint(definition: Definition, problems: Problems, seen: Seen | None = None) -> None:
    """Report all that looks wrong with a journey."""
    if seen is None:
        seen = Seen.load([template for _, template, _ in sends(definition)])
    _check_lengths(definition, problems)
    _check_events(definition, seen, problems)
    _check_attributes(definition, seen, problems)
    _check_conditions(definition, problems)
    _check_nodes(definition, problems)
    lint_mail(definition, seen, problems)


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
    unseen: dict[str, list[str]] = {}
    for place, name in listened:
        if name and seen.properties(name) is None:
            unseen.setdefault(name, []).append(place)
    for name, places in unseen.items():
        problems.warning(
            places[0],
            f"The event “{name}” was never seen so far.{used_at(definition, seen, places)}",
            "Check how it is written, also in capitals, or send it once to see it here.",
        )


def _check_attributes(definition: Definition, seen: Seen, problems: Problems) -> None:
    known = seen.attributes | CONTACT_FIELDS | made(definition)
    missing: dict[str, list[str]] = {}
    for place, condition in _conditions(definition):
        for name in sorted(condition.looks_at().attributes):
            if not is_known(name, known):
                missing.setdefault(name, []).append(place)
    for name, places in missing.items():
        problems.warning(
            places[0],
            f"Nobody has the attribute “{name}” so far.{used_at(definition, seen, places)}",
            "Check how it is written, also in capitals.",
        )
    _check_dates(definition, seen, known, problems)


def _check_dates(
    definition: Definition, seen: Seen, known: Collection[str], problems: Problems
) -> None:
    """Dates that nobody has: on these nobody enters, and no wait ends by them."""
    dates: dict[str, list[str]] = {}
    if isinstance(definition.trigger, DateTrigger):
        dates.setdefault(definition.trigger.rule.attribute, []).append("entry.trigger.date")
    for key, node in definition.nodes.items():
        for name in node.kind.dates():
            dates.setdefault(name, []).append(f"nodes.{key}.until_date.attribute")
    for name, places in dates.items():
        enters = places[0].startswith("entry")
        what = "nobody enters by it" if enters else "people go on by “no date known”"
        if not is_known(name, known):
            message = f"Nobody has the date “{name}” so far, so {what}."
            hint = "Check how it is written, also in capitals, or import people with it."
        elif name in seen.dateless:
            message = f"“{name}” was never a date so far, so {what}."
            hint = "Dates are written like 2026-03-31, or with a time: 2026-03-31T09:00."
        else:
            continue
        problems.warning(places[0], message + used_at(definition, seen, places), hint)


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
        problems.warning(
            place, always if certain else never, "Change the condition, or leave it out."
        )


# nodes


def _check_nodes(definition: Definition, problems: Problems) -> None:
    trigger = definition.trigger
    keyed = isinstance(trigger, EventTrigger) and trigger.key
    if keyed and definition.reentry.rule == "every_time":
        problems.warning(
            "entry.trigger.key",
            "“One passage for each” does nothing where every event enters.",
            "Leave it empty, or choose another rule under “How often”.",
        )
    for key, node in definition.nodes.items():
        _check_wait(key, node.kind, problems)
        if _is_drawn(definition, node.next.get("event")):
            _check_left_before(key, node.kind, definition, problems)
        _check_url(key, node.kind, problems)
        for name, weight in (node.kind.config.get("variants") or {}).items():
            if weight == 0:
                problems.warning(
                    f"nodes.{key}.variants.{name}",
                    f"Nobody gets the variant “{name}”.",
                    "Give it a weight above 0, or remove it.",
                )


def _check_url(key: str, kind: NodeKind, problems: Problems) -> None:
    url = kind.config.get("url")
    if url and not url.startswith(("https://", "{{")):
        problems.warning(
            f"nodes.{key}.url",
            "What is sent to an address without https:// can be read on the way.",
            "Let it start with https://.",
        )


def _check_wait(key: str, kind: NodeKind, problems: Problems) -> None:
    length = kind.config.get("for")
    if length is not None and length > LONGEST_WAIT:
        problems.warning(
            f"nodes.{key}.for",
            f"People wait here for {words_duration(length)}, which is more than 5 years.",
            "Check the number and its unit.",
        )
    match = kind.config.get("until_event")
    if match is not None and match.timeout is None:
        problems.warning(
            f"nodes.{key}.until_event.timeout",
            f"Whoever never does “{match.event}” waits here for ever.",
            "Say how long people wait at most, such as 30 days.",
        )


def _is_drawn(definition: Definition, target: str | None) -> bool:
    """Whether a line leads to something that people would miss, and not to an end."""
    node = definition.nodes.get(target) if target else None
    return node is not None and bool(node.kind.outcomes)


def _check_left_before(
    key: str, kind: NodeKind, definition: Definition, problems: Problems
) -> None:
    """A wait for what ends the passage first: goals and exits come before waits (T2)."""
    match = kind.config.get("until_event")
    if match is None:
        return
    goal = definition.goal_event
    if goal is not None and (goal.event == match.event and _covers(goal.where, match.where)):
        first, what = "reaches the goal first and leaves", "choose another goal"
    elif definition.exit_when is not None and _ends(definition.exit_when, match):
        first, what = "leaves the journey first", "take the event out of “Leaves early”"
    else:
        return
    never = kind.outcome_labels["event"]
    problems.warning(
        f"nodes.{key}.until_event.event",
        f"Whoever does “{match.event}” {first}, so “{never}” is never taken.",
        f"Wait for a length of time or for another event, or {what}.",
    )


def _covers(wide: Where, narrow: Where) -> bool:
    """Whether it is plain to see that what is ``narrow`` is also ``wide``."""
    return all(term in narrow.terms for term in wide.terms)


def _ends(condition: Condition, match: EventMatch) -> bool:
    """Whether it is plain to see that the condition holds as soon as the event comes."""
    if isinstance(condition, conditions.Any):
        return any(_ends(part, match) for part in condition.parts)
    return (
        isinstance(condition, EventCount)
        and condition.name == match.event
        and condition.within is None
        and condition.count.op in ("gt", "gte")
        and condition.count.passes(1)
        and _covers(condition.where, match.where)
    )
