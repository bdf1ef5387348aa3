"""The order in which a person would write a journey: jsonb does not keep the order of keys."""

from __future__ import annotations

from typing import Any

from journeys.definition import BODIES, TOP

_ORDERS = {
    "entry": ("trigger", "filter", "reentry"),
    "window": ("days", "from", "to"),
    "installation": ("timezone", "frequency_cap"),
}
_NODE = ("kind",)
_LAST = ("next",)
_SECTIONS = {
    "templates": ("name", "subject", *BODIES),
    "segments": ("name", "when", "members"),
    "topics": ("name", "default"),
}
#: The keys within settings: what a thing is comes first, what bounds it later.
_INNER = (
    "name", "all", "any", "not", "attribute", "event", "segment", "message", "subscribed", "date",
    "property", "op", "value", "where", "key", "did", "when", "count", "within", "since", "offset",
    "at", "yearly", "timeout", "days", "from", "to",
)  # fmt: skip


def arranged(data: dict[str, Any]) -> dict[str, Any]:
    """The same journey with its keys in the order of SEMANTICS §2, the nodes as they are walked."""
    found = {key: _inner(value) for key, value in _sorted(data, TOP).items()}
    for key, order in _ORDERS.items():
        if isinstance(found.get(key), dict):
            found[key] = _sorted(found[key], order)
    for key, order in _SECTIONS.items():
        if isinstance(found.get(key), dict):
            section = _sorted(found[key], sorted(found[key]))
            found[key] = {slug: _sorted(value, order) for slug, value in section.items()}
    if isinstance(found.get("nodes"), dict):
        found["nodes"] = _nodes(found["nodes"], found.get("start"))
    return found


def _sorted(value: Any, first: Any, last: tuple[str, ...] = ()) -> Any:
    """A mapping with some keys at the front, in this order, and some at the end."""
    if not isinstance(value, dict):
        return value
    front = [key for key in first if key in value]
    back = [key for key in last if key in value]
    rest = [key for key in value if key not in front and key not in back]
    return {key: value[key] for key in (*front, *rest, *back)}


def _nodes(nodes: dict[str, Any], start: Any) -> dict[str, Any]:
    """The nodes in the order in which a walk from the start meets them, then the others."""
    order: dict[str, None] = {}
    todo = [start]
    while todo:
        key = todo.pop()
        if isinstance(key, str) and key in nodes and key not in order:
            order[key] = None
            todo.extend(reversed(_targets(nodes[key])))
    return {
        key: _sorted(nodes[key], _NODE, _LAST)
        for key in (*order, *sorted(key for key in nodes if key not in order))
    }


def _targets(node: Any) -> list[Any]:
    follows = node.get("next") if isinstance(node, dict) else None
    return list(follows.values()) if isinstance(follows, dict) else [follows]


def _inner(value: Any) -> Any:
    """Conditions and settings with what they are about first; other keys stay in their order."""
    if isinstance(value, list):
        return [_inner(one) for one in value]
    if isinstance(value, dict):
        return {key: _inner(one) for key, one in _sorted(value, _INNER).items()}
    return value
