"""The draft as the builder sends it, made fit to be saved."""

from __future__ import annotations

from typing import Any

from journeys.picture import read_kind


def tidied(draft: Any, slug: str) -> dict[str, Any]:
    """The draft under the journey's own slug, without lines from outcomes that are gone.

    Where a wait ends in another way, so that all its outcomes are new, they lead where the old ones
    led first.
    """
    given = dict(draft) if isinstance(draft, dict) else {}
    nodes = given.get("nodes")
    given["journey"] = slug
    given["nodes"] = (
        {str(key): _tidied_node(str(key), node) for key, node in nodes.items()}
        if isinstance(nodes, dict)
        else {}
    )
    return given


def _tidied_node(key: str, node: Any) -> Any:
    follows = node.get("next") if isinstance(node, dict) else None
    kind, problems = read_kind(key, node)
    if kind is None or problems.errors or follows is None:
        return node
    rest = {name: value for name, value in node.items() if name != "next"}
    if not kind.outcomes:
        return rest
    if not isinstance(follows, dict):
        return node
    known = {outcome: to for outcome, to in follows.items() if outcome in kind.outcomes}
    anew = known or kind.led_anew(follows)
    return {**rest, "next": anew} if anew else rest
