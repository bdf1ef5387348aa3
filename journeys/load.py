"""How many mails one passage through a journey can bring in a day, at the most."""

from __future__ import annotations

import heapq
from datetime import timedelta
from typing import NamedTuple

from journeys import graph
from journeys.definition import Definition, Node

DAY = timedelta(days=1)
#: Moments that are looked at; a journey with more is taken to have no limit.
MOST_MOMENTS = 200_000


class Most(NamedTuple):
    """The most mails within 24 hours, and the node that sends the first of them.

    ``once`` counts each sending node a single time: fewer where the way goes round. ``again`` are
    the events that bring somebody round.
    """

    mails: int
    node: str
    once: int = 0
    again: tuple[str, ...] = ()


def mails_a_day(definition: Definition) -> Most | None:
    """The most mails that one passage sends within any 24 hours; None where there is no limit.

    An event, a date or opening hours may come at once; only lengths of time hold anybody up.
    """
    sends = [key for key, node in definition.nodes.items() if _sends(node)]
    if _circles(definition, sends):
        return None
    best = Most(0, "")
    for key in sends:
        found = _from(definition, key)
        if found is None:
            return None
        if found.mails > best.mails:
            best = found
    return best


def _sends(node: Node) -> bool:
    return "templates" in node.kind.references().values()


def _holds(node: Node, outcome: str) -> timedelta:
    """How long a node holds at least whoever leaves it by that outcome."""
    length = node.kind.config.get("for")
    if length is not None:
        return length if isinstance(length, timedelta) else timedelta()
    match = node.kind.config.get("until_event")
    timeout = match.timeout if match is not None else None
    return timeout if timeout is not None and outcome == "timeout" else timedelta()


def _circles(definition: Definition, sends: list[str]) -> bool:
    """Whether a circle with a mail in it may be gone round without any time passing."""
    quick = {
        key: [
            target
            for outcome, target in node.next.items()
            if target in definition.nodes and not _holds(node, outcome)
        ]
        for key, node in definition.nodes.items()
    }
    return any(set(group) & set(sends) for group in graph.cycles(quick, ()))


#: A moment at which somebody may be at a node, by its rank.
Moment = tuple[timedelta, int]


def _from(definition: Definition, start: str) -> Most | None:
    """The most mails within a day from the moment at which ``start`` sends.

    Moments are taken in order, and those at the same time in the order in which they are passed.
    """
    rank = _ranks(definition)
    keys = sorted(rank, key=lambda key: rank[key])
    arrivals: dict[Moment, int] = {(timedelta(), rank[start]): 0}
    todo = list(arrivals)
    left: dict[Moment, int] = {}
    before: dict[Moment, tuple[Moment, str]] = {}
    while todo:
        moment = heapq.heappop(todo)
        at, node = moment[0], definition.nodes[keys[moment[1]]]
        mails = arrivals.pop(moment) + _sends(node)
        if left.get(moment, -1) >= mails:
            continue
        left[moment] = mails
        if len(left) > MOST_MOMENTS:
            return None
        for outcome, target in node.next.items():
            if target in rank:
                then = (at + _holds(node, outcome), rank[target])
                if then[0] >= DAY or left.get(then, -1) >= mails:
                    continue
                if then not in arrivals:
                    heapq.heappush(todo, then)
                if mails > arrivals.get(then, -1):
                    arrivals[then] = mails
                    before[then] = (moment, outcome)
    last = max(left, key=lambda moment: left[moment])
    return _told(definition, keys, before, last, Most(left[last], start))


def _told(
    definition: Definition,
    keys: list[str],
    before: dict[Moment, tuple[Moment, str]],
    last: Moment,
    most: Most,
) -> Most:
    """The way that brings the most mails, looked at from its end."""
    passed, events = {keys[last[1]]}, set()
    while last in before:
        last, outcome = before[last]
        node = definition.nodes[keys[last[1]]]
        passed.add(keys[last[1]])
        match = node.kind.config.get("until_event")
        if match is not None and outcome == "event":
            events.add(match.event)
    once = sum(_sends(definition.nodes[key]) for key in passed)
    return most._replace(once=once, again=tuple(sorted(events)) if once < most.mails else ())


def _ranks(definition: Definition) -> dict[str, int]:
    """Numbers for the nodes such that what is reached without time passing has a greater one."""
    lines = {
        key: [
            target
            for outcome, target in node.next.items()
            if target in definition.nodes and not _holds(node, outcome)
        ]
        for key, node in definition.nodes.items()
    }
    order = graph.finished(lines)
    return {key: number for number, key in enumerate(reversed(order))}
