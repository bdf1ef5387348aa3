"""What moving people to a draft would do, before anybody moves: figures and suggestions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q

from contacts.values import parse_duration
from journeys.models import Enrollment, Journey
from journeys.nodes import kinds
from journeys.publishing.relocating import Standing, standing


def nearest(node: str, old: Any, draft: Any) -> str | None:
    """Where those who stand at ``node`` of ``old`` go on by themselves in the draft: at the same
    node, else at the first that follows it and is still there; None where none is.
    """
    kept, before = _nodes(draft), _nodes(old)
    looked_at: set[str] = set()
    next_ones = [node]
    while next_ones:
        found = next((key for key in next_ones if key in kept), None)
        if found is not None:
            return found
        looked_at.update(next_ones)
        after = [target for key in next_ones for target in _targets(before.get(key))]
        next_ones = [key for key in dict.fromkeys(after) if key not in looked_at]
    return None


def _nodes(data: Any) -> Mapping[str, Any]:
    nodes = data.get("nodes") if isinstance(data, dict) else None
    return nodes if isinstance(nodes, dict) else {}


def _targets(node: Any) -> list[str]:
    follows = node.get("next") if isinstance(node, dict) else None
    targets = follows.values() if isinstance(follows, dict) else [follows]
    return [target for target in targets if isinstance(target, str)]


def over_by_then(journey: Journey, stands: Collection[Standing], at: datetime) -> dict[str, int]:
    """How many of those who stand at a changed wait would go on at once if they were moved, since
    the wait is over by its new length (V1): by node, one statement at most.
    """
    nodes = _nodes(journey.draft)
    spans = {
        one.node: span
        for one in stands
        if one.state == "changed" and (span := _span(nodes[one.node])) is not None
    }
    if not spans:
        return {}
    rows = Enrollment.objects.filter(journey=journey, status__in=[*Enrollment.OPEN])
    counts = {
        f"at_{number}": Count("pk", filter=Q(node__key=key, arrived_at__lte=at - span))
        for number, (key, span) in enumerate(spans.items())
    }
    found = rows.aggregate(**counts)
    return {key: found[f"at_{number}"] for number, key in enumerate(spans)}


def _span(node: Any) -> timedelta | None:
    """How long the node waits at most, where that is a span from the arrival on."""
    if not isinstance(node, dict) or node.get("kind") != "wait":
        return None
    until = node.get("until_event")
    written = until.get("timeout") if isinstance(until, dict) else node.get("for")
    try:
        return parse_duration(written) if isinstance(written, str) else None
    except ValueError:
        return None


def mails_at(node: str, draft: Any) -> int:
    """How many mails at most somebody is sent at once who arrives at ``node`` of the draft, up to
    the first step that holds people or lets them choose.
    """
    nodes, mails, looked_at = _nodes(draft), 0, set()
    while node in nodes and node not in looked_at:
        looked_at.add(node)
        kind = kinds().get(str(nodes[node].get("kind")))
        if kind is None or not kind.passed_at_once:
            break
        mails += "templates" in kind.references().values()
        node = next(iter(_targets(nodes[node])), "")
    return mails


def mails_after(node: str, draft: Any) -> int:
    """The same for somebody whose wait at ``node`` is over."""
    follows = _nodes(draft)[node].get("next")
    if isinstance(follows, dict):
        follows = follows.get("timeout", follows.get("next"))
    return mails_at(follows, draft) if isinstance(follows, str) else 0


@dataclass(frozen=True)
class Expected:
    """Whom moves that wait for a resumption will move then: how many people go on in the version
    that is live, how many leave, and how many mails at most are sent at once.
    """

    people: int = 0
    leaving: int = 0
    mails: int = 0


def moved_at_resumption(journey: Journey) -> Expected:
    """What a publication in a pause left to be done; a fixed number of statements."""
    waiting = journey.relocations.filter(finished_at=None, taken_back_at=None)
    found = list(waiting.select_related("version").order_by("-pk"))
    if not found:
        return Expected()
    people = leaving = mails = 0
    for stand in standing(journey, found[0].version.definition):
        move = next(
            (
                (one.choices[stand.node], one.version.definition)
                for one in found
                if stand.node in one.choices and stand.version < one.version.number
            ),
            None,
        )
        if move is None:
            continue
        choice, definition = move
        if choice["how"] == "exit":
            leaving += stand.people
            continue
        people += stand.people
        if choice["how"] == "node":
            mails += stand.people * mails_at(choice["node"], definition)
    return Expected(people, leaving, mails)
