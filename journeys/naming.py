"""What templates, segments and topics are called, and a journey with those names in its words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from contacts.models import Segment
from journeys.models import Journey
from journeys.nodes import kinds
from messaging.models import Template, Topic

#: Where a condition names something of the installation: its key, and the catalog it is in.
IN_CONDITIONS = {"segment": "segments", "subscribed": "topics"}
_MODELS = {"templates": Template, "segments": Segment, "topics": Topic}


@dataclass(frozen=True)
class Names:
    """Names by slug, for each catalog; a slug without a name is called by itself."""

    templates: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    topics: Mapping[str, str] = field(default_factory=dict)

    def of(self, catalog: str, slug: Any) -> Any:
        """The name of what ``slug`` stands for; anything that is no text is given back."""
        return getattr(self, catalog).get(slug, slug) if isinstance(slug, str) else slug


def names_in(*journeys: Any) -> Names:
    """The names that the data of these journeys needs: a query for each catalog it refers to.

    What a journey file carries itself is called as the file says.
    """
    used: dict[str, set[str]] = {catalog: set() for catalog in _MODELS}
    for data in journeys:
        for catalog, slug in _references(data):
            used[catalog].add(slug)
    found: dict[str, dict[str, str]] = {}
    for catalog, slugs in used.items():
        found[catalog] = {}
        if slugs:
            rows: Any = _MODELS[catalog]._default_manager.filter(slug__in=slugs)
            found[catalog] = {slug: name or slug for slug, name in rows.values_list("slug", "name")}
    for data in journeys:
        for catalog, sections in own_names(data).items():
            found[catalog].update(sections)
    return Names(**found)


def journeys_called(slugs: Collection[str]) -> Mapping[str, str]:
    """The names of journeys, by slug."""
    return dict(Journey.objects.filter(slug__in=slugs).values_list("slug", "name"))


def own_names(data: Any) -> dict[str, dict[str, str]]:
    """The names in the sections that a journey file carries, by catalog."""
    return {
        catalog: {
            str(slug): section["name"]
            for slug, section in _items(data, catalog)
            if isinstance(section, dict) and isinstance(section.get("name"), str)
        }
        for catalog in _MODELS
    }


def _items(data: Any, section: str) -> list[tuple[Any, Any]]:
    found = data.get(section) if isinstance(data, dict) else None
    return list(found.items()) if isinstance(found, dict) else []


def _references(data: Any) -> Iterator[tuple[str, str]]:
    """Every slug that a journey names, with its catalog."""
    if not isinstance(data, dict):
        return
    trigger = _part(data, "entry", "trigger")
    if isinstance(trigger, dict) and isinstance(trigger.get("segment"), str):
        yield "segments", trigger["segment"]
    for condition in (_part(data, "entry", "filter"), data.get("goal"), data.get("exit_when")):
        yield from _in_condition(condition)
    for _, node in _items(data, "nodes"):
        for setting, catalog in _settings(node).items():
            if isinstance(node.get(setting), str):
                yield catalog, node[setting]
        paths = node.get("paths") if isinstance(node, dict) else None
        for path in paths if isinstance(paths, list) else ():
            yield from _in_condition(path.get("when") if isinstance(path, dict) else None)


def _part(data: Mapping[str, Any], section: str, key: str) -> Any:
    found = data.get(section)
    return found.get(key) if isinstance(found, dict) else None


def _settings(node: Any) -> dict[str, str]:
    kind = kinds().get(str(node.get("kind"))) if isinstance(node, dict) else None
    return kind.references() if kind else {}


def _in_condition(condition: Any) -> Iterator[tuple[str, str]]:
    if isinstance(condition, list):
        for part in condition:
            yield from _in_condition(part)
    elif isinstance(condition, dict):
        for key, catalog in IN_CONDITIONS.items():
            if isinstance(condition.get(key), str):
                yield catalog, condition[key]
        for key in ("all", "any", "not"):
            yield from _in_condition(condition.get(key))


# --- the same journey with names in place of slugs ---


def named_condition(condition: Any, names: Names, mails: Mapping[str, str]) -> Any:
    """The condition with names in place of slugs, only fit to be put into words.

    ``mails``: what the message of a node is called.
    """
    if isinstance(condition, list):
        return [named_condition(part, names, mails) for part in condition]
    if not isinstance(condition, dict):
        return condition
    made = dict(condition)
    for key, catalog in IN_CONDITIONS.items():
        if key in made:
            made[key] = names.of(catalog, made[key])
    for key in ("all", "any", "not"):
        if key in made:
            made[key] = named_condition(made[key], names, mails)
    if isinstance(made.get("message"), str):
        made["message"] = mails.get(made["message"], made["message"])
    return made


def named_node(node: Any, names: Names, mails: Mapping[str, str]) -> Any:
    """The node with names in place of slugs, only fit to be put into words."""
    if not isinstance(node, dict):
        return node
    made = dict(node)
    for setting, catalog in _settings(node).items():
        if setting in made:
            made[setting] = names.of(catalog, made[setting])
    if isinstance(made.get("paths"), list):
        made["paths"] = [
            {**path, "when": named_condition(path["when"], names, mails)}
            if isinstance(path, dict) and "when" in path
            else path
            for path in made["paths"]
        ]
    return made


def mails_of(data: Any, names: Names) -> dict[str, str]:
    """What the message of each node is called: by the name of its template."""
    return {
        str(key): str(names.of("templates", node["template"]))
        for key, node in _items(data, "nodes")
        if isinstance(node, dict) and isinstance(node.get("template"), str)
    }
