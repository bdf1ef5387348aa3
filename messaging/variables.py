"""The variables of templates: how Liquid writes them, and which of them come out empty."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from contacts.conditions import OWN_FIELDS
from contacts.models import AttributeName, EventName
from contacts.problems import Problem
from messaging import sandbox
from messaging.rendering import SOURCES

#: Fields of a contact that a template sees beside the attributes.
CONTACT_FIELDS = frozenset((*OWN_FIELDS, "language"))
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_OUTPUT = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_CONDITION = re.compile(r"\{%-?\s*(?:if|elsif|unless|case)\b(.*?)-?%\}", re.DOTALL)
_DEFAULT = re.compile(r"\|\s*default\b")


@lru_cache(maxsize=2048)
def path(name: str) -> str:
    """How Liquid writes a dotted name: ``contact.city``, ``contact["First name"]``.

    Empty for a name that Liquid can't write at all.
    """
    root, *steps = name.split(".")
    written = root
    for step in steps:
        forms = [f".{step}"] if _PLAIN.match(step) else []
        forms += [f"[{quote}{step}{quote}]" for quote in "\"'" if quote not in step]
        for form in forms:
            if sandbox.variables("{{ x" + form + " }}") == {f"x.{step}"}:
                written += form
                break
        else:
            return ""
    return written


def bare(source: str) -> set[str]:
    """The dotted names whose absence would leave a gap: those without a default, and not asked
    for in an ``if``. Empty where the source can't be parsed.
    """
    defaulted: set[str] = set()
    plain: set[str] = set()
    for inner in _OUTPUT.findall(source):
        (defaulted if _DEFAULT.search(inner) else plain).update(
            sandbox.variables("{{" + inner + "}}")
        )
    asked = {
        name
        for inner in _CONDITION.findall(source)
        for name in sandbox.variables("{% if " + inner + " %}{% endif %}")
    }
    return sandbox.variables(source) - asked - (defaulted - plain)


def is_known(name: str, known: Collection[str]) -> bool:
    """Whether a dotted name, or what it lies in, is one of the known names."""
    return any(one == name or name.startswith(f"{one}.") for one in known)


def with_default(name: str) -> str:
    """What to write so that a name that somebody lacks leaves no gap."""
    written = path(name)
    return f"Give it a default: {{{{ {written} | default: '…' }}}}." if written else ""


def unknown(
    fields: Mapping[str, str],
    contact: Mapping[str, Any] | None = None,
    event: Mapping[str, Any] | None = None,
) -> list[Problem]:
    """What a template's fields read of people or events that nobody has so far; two queries.

    ``contact`` and ``event``: attributes and properties of the sample that is looked at.
    """
    listed = AttributeName.objects.values_list("name", flat=True)
    attributes = CONTACT_FIELDS | {*listed, *(contact or ())}
    properties = {"name", *(event or ())}.union(
        *EventName.objects.values_list("properties", flat=True)
    )
    found = []
    for place in ("subject", *SOURCES):
        for name in sorted(bare(fields.get(place) or "")):
            root, _, rest = name.partition(".")
            rest = rest.removeprefix("properties.") if root == "event" else rest
            if root == "contact" and rest and not is_known(rest, attributes):
                said = f"Nobody has “{rest}” so far, so it stays empty."
            elif root == "event" and rest not in ("", "properties"):
                if is_known(rest, properties):
                    continue
                said = f"No event has had “{rest}” so far, so it stays empty."
            else:
                continue
            found.append(Problem(place, said, with_default(name), "warning"))
    return found
