"""How an enrollment moves: in, on and out, always at the contact's present moment (T4)."""

from __future__ import annotations

from journeys.nodes.base import End, Result, Wait
from journeys.world import Passage, VisitRecord


def start(passage: Passage) -> None:
    """Send a new enrollment to the journey's start."""
    arrive(passage, passage.plan.definition.start)


def leave(passage: Passage, outcome: str) -> None:
    """Leave the node by ``outcome`` and go on until the enrollment waits or ends (T4)."""
    settle(passage, outcome)


def arrive(passage: Passage, node: str) -> None:
    """Enter a node, and go on until the enrollment waits or ends (T4)."""
    settle(passage, _enter(passage, node))


def jump(passage: Passage, node: str) -> None:
    """Leave the node without an outcome, and enter another one (V1)."""
    _close(passage, None)
    arrive(passage, node)


def settle(passage: Passage, result: Result) -> None:
    """Act on what a node said, node by node, until the enrollment waits or ends (T4)."""
    while isinstance(result, str):
        target = _leave(passage, result)
        if target is None:
            return
        result = _enter(passage, target)
    if isinstance(result, End):
        end(passage, result.status, result.reason)
    else:
        _wait(passage, result)


def _enter(passage: Passage, node: str) -> Result:
    now = passage.now
    passage.touch()
    passage.node, passage.arrived_at = node, now
    passage.visits_count += 1
    passage.visit = VisitRecord(passage.visits_count, node, now)
    passage.visits.append(passage.visit)
    return passage.plan.node(node).kind.enter(passage)


def _leave(passage: Passage, outcome: str) -> str | None:
    """Close the visit; the next node, or None where no edge leads on: then it is completed."""
    assert passage.node is not None
    target = passage.plan.node(passage.node).next.get(outcome)
    _close(passage, outcome)
    if target is None:
        _finish(passage, "completed", "")
    return target


def _close(passage: Passage, outcome: str | None) -> None:
    visit = passage.visit
    if visit is not None:
        visit.left_at, visit.outcome = passage.now, outcome
        if visit.pk is not None:
            passage.person.world.left_visits.append(visit)
    passage.visit = None
    passage.resume_at, passage.resume_outcome = None, ""
    passage.touch()


def _wait(passage: Passage, wait: Wait) -> None:
    person = passage.person
    person.wait_order += 1
    passage.status, passage.wait_order = "waiting", person.wait_order
    passage.resume_at = wait.until
    passage.touch()


def end(passage: Passage, status: str, reason: str) -> None:
    """End the enrollment where it is."""
    _close(passage, None)
    _finish(passage, status, reason)


def _finish(passage: Passage, status: str, reason: str) -> None:
    passage.status, passage.reason = status, reason
    passage.ended_at = passage.now
    passage.touch()
    if passage.exclusive is not None and not passage.exclusive.startswith("once"):
        passage.exclusive = None


def mark(passage: Passage, outcome: str) -> None:
    """Note the outcome by which a held wait has ended; it goes on when the journey resumes (V2)."""
    passage.resume_outcome, passage.resume_at = outcome, passage.now
    passage.touch()
