"""What the installation has seen and holds, and how a journey's parts are called by it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from contacts.models import AttributeName, EventName
from journeys.definition import Definition
from journeys.nodes import NodeKind
from messaging.models import Installation, Template
from messaging.rendering import SOURCES

#: Events that the program itself records (T7).
OWN_EVENTS = frozenset(f"message_{did}" for did in ("delivered", "opened", "clicked", "bounced"))
#: Types of values that a wait until a date can use.
DATES = frozenset(("date", "datetime"))
OWN_PROPERTIES = frozenset(("journey", "node", "template"))


@dataclass(frozen=True)
class Seen:
    """What the installation has seen and holds."""

    events: Mapping[str, frozenset[str]] = field(default_factory=dict)
    attributes: frozenset[str] = frozenset()
    #: Attributes that have been something, and never a date.
    dateless: frozenset[str] = frozenset()
    templates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: What templates are called, by slug.
    names: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    cap: tuple[int, timedelta] | None = None

    def properties(self, event: str) -> frozenset[str] | None:
        """The properties an event has had; None where it was never seen."""
        return OWN_PROPERTIES if event in OWN_EVENTS else self.events.get(event)

    @classmethod
    def load(cls, templates: Collection[str]) -> Seen:
        """From the database, with these templates."""
        installation = Installation.load()
        rows = list(Template.objects.filter(slug__in=templates))
        types = dict(AttributeName.objects.values_list("name", "types"))
        return cls(
            events={
                name: frozenset(properties)
                for name, properties in EventName.objects.values_list("name", "properties")
            },
            attributes=frozenset(types),
            dateless=frozenset(
                name for name, had in types.items() if had and not DATES.intersection(had)
            ),
            templates={
                row.slug: {name: getattr(row, name) for name in ("subject", *SOURCES)}
                for row in rows
            },
            names={row.slug: row.name or row.slug for row in rows},
            address=installation.postal_address,
            cap=installation.cap,
        )


def sends(definition: Definition) -> Iterator[tuple[str, str, bool]]:
    """The nodes that send: key, template, and whether it is marketing."""
    for key, node in definition.nodes.items():
        if "templates" in node.kind.references().values():
            template = node.kind.config.get("template")
            yield key, str(template or ""), not node.kind.config.get("transactional")


def step(definition: Definition, seen: Seen, key: str) -> str:
    """A node as one says it: by its words, and by its key where others have the same."""
    every = [_words(definition, seen, node.kind) for node in definition.nodes.values()]
    words = _words(definition, seen, definition.nodes[key].kind)
    return f"“{words}”" if every.count(words) == 1 else f"“{words}” ({key})"


def _words(definition: Definition, seen: Seen, kind: NodeKind) -> str:
    slug = kind.config.get("template")
    if not isinstance(slug, str):
        return kind.words()
    section = definition.templates.get(slug)
    name = section.name if section else seen.names.get(slug, slug)
    return type(kind)(kind.key, {**kind.config, "template": name}).words()


def where(definition: Definition, seen: Seen, place: str) -> str:
    """The part of the journey in which a place lies, in words."""
    if place.startswith("nodes."):
        key = place.removeprefix("nodes.").split(".")[0]
        return step(definition, seen, key)
    head = place.split(".")[0]
    return {"goal": "the goal", "exit_when": "“Leaves early”"}.get(head, "the start")


def listed(parts: list[str]) -> str:
    """``a, b and c``, each once; of many, the first three."""
    parts = list(dict.fromkeys(parts))
    if len(parts) > 4:
        parts = [*parts[:3], f"{len(parts) - 3} more"]
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def used_at(definition: Definition, seen: Seen, places: list[str]) -> str:
    """Where something is used that is used in several places; empty for a single one."""
    parts = [where(definition, seen, place) for place in places]
    return f" It is used by {listed(parts)}." if len(set(parts)) > 1 else ""


def made(definition: Definition) -> frozenset[str]:
    """The attributes that the journey itself sets."""
    return frozenset(
        name for node in definition.nodes.values() for name in node.kind.config.get("set") or ()
    )
