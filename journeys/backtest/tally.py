"""What a replay came to, counted so that chunks add up and nothing grows with the people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from typing import Any

from contacts.values import format_moment
from journeys.world import Passage, World

#: How many of those who entered are kept by id, the earliest first.
SHOWN = 100
#: What a side counts by one name.
SUMS = ("entered", "people", "goals", "mails", "open", "failed")


def empty() -> dict[str, Any]:
    """One side before anybody was replayed.

    ``days`` counts entries and mails of the whole journey, ``nodes`` people, mails and what was
    skipped at each node, with ``days`` of their own. A day is the installation's, ``YYYY-MM-DD``.
    """
    return {
        **dict.fromkeys(SUMS, 0),
        "ended": {},
        "skipped": {},
        "refused": {},
        "days": {},
        "nodes": {},
        "first": [],
    }


def count(side: dict[str, Any], world: World, zone: tzinfo) -> set[int]:
    """Add what became of the people of a world; the ids of those who entered."""
    people: dict[int, list[Passage]] = {}
    for passage in world.touched:
        people.setdefault(passage.person.id, []).append(passage)
    for passages in people.values():
        _count_person(side, passages, lambda at: at.astimezone(zone).date().isoformat())
    for refusal in world.refusals:
        _add(side["refused"], str(refusal["reason"]))
    side["people"] += len(people)
    first = [*side["first"], *(_first(passages) for passages in people.values())]
    side["first"] = sorted(first, key=lambda one: (one["at"], one["contact"]))[:SHOWN]
    return set(people)


def _count_person(
    side: dict[str, Any], passages: Iterable[Passage], day: Callable[[datetime], str]
) -> None:
    stood: set[tuple[str, str]] = set()
    for passage in passages:
        side["entered"] += 1
        _pair(side["days"], day(passage.entered_at))[0] += 1
        _count_end(side, passage)
        stood |= {(visit.node, day(visit.entered_at)) for visit in passage.visits}
        for draft in passage.sent:
            node = _node(side, draft.node)
            if draft.status == "skipped":
                node["skipped"] += 1
                _add(side["skipped"], draft.reason)
                continue
            side["mails"] += 1
            node["mails"] += 1
            _pair(node["days"], day(draft.queued_at))[1] += 1
            _pair(side["days"], day(draft.queued_at))[1] += 1
    for key, date in stood:
        _pair(_node(side, key)["days"], date)[0] += 1
    for key in {key for key, _ in stood}:
        _node(side, key)["people"] += 1


def _count_end(side: dict[str, Any], passage: Passage) -> None:
    if passage.is_open:
        side["open"] += 1
        return
    if passage.reason == "goal" and passage.status == "exited":
        side["goals"] += 1
    if passage.status == "failed":
        side["failed"] += 1
    _add(side["ended"], f"{passage.status}:{passage.reason}")


def _first(passages: list[Passage]) -> dict[str, Any]:
    """What is shown of someone: the first entry, and all mails."""
    passage = min(passages, key=lambda one: one.entered_at)
    mails = sum(draft.status != "skipped" for one in passages for draft in one.sent)
    return {
        "contact": passage.person.id,
        "at": format_moment(passage.entered_at),
        "entries": len(passages),
        "mails": mails,
        "status": str(passage.status),
        "reason": passage.reason,
    }


def _node(side: dict[str, Any], key: str) -> dict[str, Any]:
    empty_node = {"people": 0, "mails": 0, "skipped": 0, "days": {}}
    found: dict[str, Any] = side["nodes"].setdefault(key, empty_node)
    return found


def _pair(days: dict[str, list[int]], day: str) -> list[int]:
    return days.setdefault(day, [0, 0])


def _add(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
