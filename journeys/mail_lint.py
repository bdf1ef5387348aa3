"""What looks wrong with the mails of a journey: templates, variables, footer, number."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from contacts.problems import Problems, under
from contacts.values import words_duration
from journeys import load
from journeys.definition import Definition, EventTrigger
from journeys.seen import Seen, listed, made, sends, step, used_at, where
from messaging import rendering, variables
from messaging.variables import CONTACT_FIELDS, is_known

#: What a template says to give the link itself.
LINKS = frozenset(("unsubscribe_url", "preferences_url"))


def lint_mail(definition: Definition, seen: Seen, problems: Problems) -> None:
    """Report all that looks wrong with what is sent."""
    _check_templates(definition, seen, problems)
    _check_load(definition, seen, problems)


def _check_templates(definition: Definition, seen: Seen, problems: Problems) -> None:
    for slug, section in definition.templates.items():
        fields = {"subject": section.subject, **section.bodies}
        for problem in rendering.check(fields):
            if problem.level == "warning":
                place = under(f"templates.{slug}", problem.place)
                problems.warning(place, problem.message, problem.hint)
    linkless: dict[str, str] = {}
    read: dict[str, list[str]] = {}
    for key, slug, marketing in sends(definition):
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
        for name in sorted(_each(variables.bare, fields)):
            read.setdefault(name, []).append(place)
        if marketing and not _each(rendering.variables, fields) & LINKS:
            linkless.setdefault(slug, place)
    _check_variables(definition, seen, read, problems)
    _check_footer(definition, seen, linkless, problems)


def _check_footer(
    definition: Definition, seen: Seen, linkless: Mapping[str, str], problems: Problems
) -> None:
    """Said once for the whole journey: the footer comes by itself."""
    if linkless:
        steps = listed([where(definition, seen, place) for place in linkless.values()])
        problems.warning(
            next(iter(linkless.values())),
            f"Without a link to unsubscribe of its own: {steps}.",
            "Nothing to do: a footer with the link is added. To place it yourself, write "
            "{{ unsubscribe_url }}.",
        )
    if not seen.address and any(marketing for *_, marketing in sends(definition)):
        problems.warning(
            "nodes",
            "Marketing mail must show a postal address, and none is set.",
            "Set it under Settings › Installation.",
        )


def _each(names: Callable[[str], set[str]], fields: Mapping[str, str]) -> set[str]:
    """The names that the parts of a template use; what can't be parsed uses none."""
    return set().union(*(names(source) for source in fields.values()))


def _check_variables(
    definition: Definition, seen: Seen, read: Mapping[str, list[str]], problems: Problems
) -> None:
    """Variables that leave a gap in everybody's mail; ``read``: where each is used."""
    known = seen.attributes | CONTACT_FIELDS | made(definition)
    trigger = definition.trigger
    event = trigger.match.event if isinstance(trigger, EventTrigger) else None
    properties = seen.properties(event) if event else None
    for name, places in read.items():
        root, _, rest = name.partition(".")
        if root == "contact" and rest and not is_known(rest, known):
            said = f"Nobody has “{rest}” so far, so the mail stays empty there."
        elif root == "event" and rest:
            rest = rest.removeprefix("properties.")
            if event is None:
                said = f"The mail uses “{rest}” of an event, and no event starts this journey."
            elif properties is not None and not is_known(rest, properties | {"name"}):
                said = f"“{event}” never had “{rest}” so far, so the mail stays empty there."
            else:
                continue
        else:
            continue
        hint = variables.with_default(name) or "Leave it out of the template."
        problems.warning(places[0], said + used_at(definition, seen, places), hint)


def _check_load(definition: Definition, seen: Seen, problems: Problems) -> None:
    most = load.mails_a_day(definition)
    if most is None:
        problems.warning(
            "nodes",
            "There is no limit to the mails that one person can get in a day: the way goes round.",
            "Put a wait for a length of time between the mail and the way back.",
        )
        return
    if most.mails < 2:
        return
    first = step(definition, seen, most.node)
    said = f"One person can get up to {most.mails} mails within 24 hours, from {first} on."
    hint = "Put waits between them if that is too many."
    if most.once < most.mails:
        how = "The way goes round"
        if most.again:
            how = f"Who does {listed([f'“{event}”' for event in most.again])} goes round again"
        mails = "1 mail" if most.once == 1 else f"{most.once} mails"
        said += f" {how}; once round is {mails}."
        hint = "Make the waits longer, or set a frequency cap under Settings › Installation."
    if seen.cap is not None:
        count, within = seen.cap
        hint = f"The frequency cap holds marketing mail at {count} in {words_duration(within)}."
    problems.warning(f"nodes.{most.node}", said, hint)
