"""A journey's nodes as a graph: what can be reached, and cycles that would never rest (L1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

Graph = Mapping[str, Collection[str]]


def reachable(graph: Graph, start: str) -> set[str]:
    """The nodes that can be reached from ``start``, itself included."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        node = todo.pop()
        if node not in seen and node in graph:
            seen.add(node)
            todo.extend(graph[node])
    return seen


def cycles(graph: Graph, without: Collection[str]) -> list[list[str]]:
    """The groups of nodes that can go round without touching ``without``, in the graph's order.

    Where each of ``without`` holds a passage long enough, what is left must have no cycle (L1).
    """
    rest = {
        node: [target for target in targets if target in graph and target not in without]
        for node, targets in graph.items()
        if node not in without
    }
    return [group for group in _components(rest) if _goes_round(group, rest)]


def _goes_round(group: list[str], graph: Graph) -> bool:
    return len(group) > 1 or group[0] in graph[group[0]]


def _components(graph: Graph) -> Iterable[list[str]]:
    """Strongly connected components, by Kosaraju's two passes, without recursion."""
    back: dict[str, list[str]] = {node: [] for node in graph}
    for node, targets in graph.items():
        for target in targets:
            back[target].append(node)
    assigned: set[str] = set()
    for root in reversed(finished(graph)):
        group: list[str] = []
        todo = [root]
        while todo:
            node = todo.pop()
            if node not in assigned:
                assigned.add(node)
                group.append(node)
                todo.extend(back[node])
        if group:
            yield sorted(group, key=list(graph).index)


def finished(graph: Graph) -> list[str]:
    """The nodes in the order in which a depth-first walk is done with them."""
    order: list[str] = []
    seen: set[str] = set()
    for root in graph:
        stack: list[tuple[str, bool]] = [(root, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend((target, False) for target in graph[node])
    return order
