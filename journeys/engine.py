"""The engine: takes the facts of each contact one at a time, in order, and moves enrollments.

Everything here works on a batch in memory (``journeys.world``) and touches no database, so the same
functions run live, in a simulation and in tests. ``run`` is the way in.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from journeys import triggers
from journeys.moves import leave, mark, settle
from journeys.nodes.base import Wait
from journeys.world import (
    MOST_CHANGES,
    BirthFact,
    ChangeFact,
    EnterFact,
    EventFact,
    Fact,
    Happening,
    MessageFact,
    Passage,
    Person,
    RecountFact,
    TooManyChanges,
    WebhookFact,
    World,
)


class Due(NamedTuple):
    """What a contact's next moment is; ordered as T1 orders: facts, timers, entries by time."""

    at: datetime
    rank: int
    order: int


FACT, TIMER, ENTRY, FULL_HOUR = range(4)


def run(world: World) -> int:
    """Work through all facts of the batch, and all timers and entries due up to ``world.until``.

    Contacts are taken in the order of their moments, since a suppressed address counts for whoever
    has it from then on (T8). Returns how many facts, timers and entries there were.
    """
    steps = 0
    heap: list[tuple[datetime, int]] = []
    for person in world.people.values():
        # What is still to come is after whatever this batch enters before it (`since: entry`).
        to_come = (fact.happening.id for fact in person.facts if isinstance(fact, EventFact))
        person.position = min((one - 1 for one in to_come), default=person.position)
        due = next_due(person)
        if due is not None:
            heap.append((due.at, person.id))
    heapq.heapify(heap)
    while heap:
        _, pk = heapq.heappop(heap)
        person = world.people[pk]
        due = next_due(person)
        while due is not None:
            step(person, due)
            steps += 1
            due = next_due(person)
            if due is not None and heap and heap[0] < (due.at, pk):
                heapq.heappush(heap, (due.at, pk))
                break
    world.current = None
    return steps


def next_due(person: Person) -> Due | None:
    """The contact's next moment in the order of T1, or None where nothing is due."""
    best: Due | None = None
    if person.facts:
        best = Due(person.facts[0].at, FACT, 0)
    until = person.world.until
    for passage in person.passages:
        at = passage.resume_at
        if at is not None and at <= until and not passage.held:
            best = _earlier(best, Due(at, TIMER, passage.wait_order))
    for journey_id, state in person.dates.items():
        if state.due_at is not None and state.due_at <= until:
            best = _earlier(best, Due(state.due_at, ENTRY, journey_id))
    if person.next_hour is not None and person.next_hour <= until:
        best = _earlier(best, Due(person.next_hour, FULL_HOUR, 0))
    return best


def _earlier(best: Due | None, due: Due) -> Due:
    return due if best is None or due < best else best


def step(person: Person, due: Due) -> None:
    """Process one fact of a contact, with all that follows from it at the same moment."""
    if due.rank == FACT:
        fact = person.facts.popleft()
        person.world.current = (person, fact)
        _begin(person, fact.at)
        take(person, fact)
        if fact.row is not None:
            person.world.done_facts.append(fact.row)
    elif due.rank == TIMER:
        passage = next(one for one in person.passages if one.wait_order == due.order)
        person.world.current = (person, passage)
        _begin(person, person.world.policy.timer_time(due.at, person.world.until))
        timer(passage)
    elif due.rank == ENTRY:
        person.world.current = (person, None)
        _begin(person, person.world.policy.timer_time(due.at, person.world.until))
        triggers.date(person, due.order, due.at)
    else:
        person.world.current = (person, None)
        _begin(person, due.at)
        triggers.membership(person, hourly=True)
    follow(person)
    if person.world.policy.counts_hours:
        person.next_hour = triggers.next_hour(person)
    person.passages = [passage for passage in person.passages if passage.is_open]


def _begin(person: Person, at: datetime) -> None:
    """Set the contact's time; the engine never rewinds (T3)."""
    person.now = person.clock = max(at, person.clock)
    person.link = 0


def take(person: Person, fact: Fact) -> None:
    """Process a fact from the queue (T2)."""
    if isinstance(fact, EventFact):
        event(person, fact.happening)
    elif isinstance(fact, ChangeFact):
        fact.apply(person)
        change(person, quiet=fact.quiet)
    elif isinstance(fact, BirthFact):
        triggers.refresh_dates(person)
    elif isinstance(fact, MessageFact):
        message(person, fact)
    elif isinstance(fact, EnterFact) and fact.again:
        triggers.again(person, fact.journey, fact.happening)
    elif isinstance(fact, EnterFact):
        triggers.by_hand(person, fact.journey)
    elif isinstance(fact, RecountFact):
        triggers.membership(person, hourly=True)
    elif isinstance(fact, WebhookFact):
        webhook(person, fact)


def event(person: Person, happening: Happening) -> None:
    """T2 for an event: goals, exits, the waits it ends, then entries. Too late, it does nothing."""
    person.remember(happening)
    if happening.too_late:
        triggers.note_membership(person)
        return
    _goals_and_exits(person, happening)
    for passage in _open(person):
        hear(passage, happening)
    triggers.membership(person)
    triggers.by_event(person, happening)


def change(person: Person, *, quiet: bool = False) -> None:
    """T2 for a change of the contact: goals, exits, the waits it moves, entries by membership.

    ``quiet``: without the entries.
    """
    _goals_and_exits(person, None)
    for passage in _open(person):
        shift(passage)
    if quiet:
        triggers.note_membership(person)
    else:
        triggers.membership(person)
    triggers.refresh_dates(person)


def message(person: Person, fact: MessageFact) -> None:
    """What became of a message: its state and the address first, then the event (T7).

    That it was sent is no event, since queued counts as sent.
    """
    draft = next(iter(person.messages_of(fact.node)), None)
    if draft is None or fact.did == "sent":
        return
    draft.did.add(fact.did)
    if fact.did == "bounced":
        person.world.suppress(draft.to)
    properties = {"journey": draft.journey, "node": draft.node, "template": draft.template}
    happening = Happening(fact.event_id, f"message_{fact.did}", properties, person.now)
    event(person, happening)


def webhook(person: Person, fact: WebhookFact) -> None:
    """The answer to a webhook ends its wait, if the enrollment still is in that visit."""
    for passage in person.passages:
        if (passage.pk, passage.visits_count) == (fact.enrollment, fact.visit) and passage.is_open:
            if passage.held:
                mark(passage, fact.outcome)
            elif not triggers.ends_by_goal_or_exit(passage, None):
                leave(passage, fact.outcome)
            return


def timer(passage: Passage) -> None:
    """T2 for a timer: goal, exit and then the end of the wait, of its own enrollment alone."""
    if triggers.ends_by_goal_or_exit(passage, None):
        return
    assert passage.node is not None
    outcome = passage.resume_outcome
    passage.resume_outcome = ""
    settle(passage, outcome or passage.plan.node(passage.node).kind.due(passage))


def follow(person: Person) -> None:
    """The changes that this fact's moves made, each a fact of its own, until none is left (T6)."""
    changes = 0
    while person.chain:
        changes += 1
        if changes > MOST_CHANGES:
            raise TooManyChanges(
                f"One fact set off more than {MOST_CHANGES:,} changes of the contact {person.key}:"
                " the updates of its journeys set off one another."
            )
        person.link = person.chain.popleft()
        change(person)


def _open(person: Person) -> Iterator[Passage]:
    """The enrollments that are open, in the order in which they began."""
    for passage in tuple(person.passages):
        if passage.is_open:
            yield passage


def _goals_and_exits(person: Person, happening: Happening | None) -> None:
    for passage in _open(person):
        triggers.goal(passage, happening)
    for passage in _open(person):
        triggers.exit_when(passage)


def hear(passage: Passage, happening: Happening) -> None:
    """Let an event end the wait of an enrollment; while paused, only mark it so (V2)."""
    if passage.node is None or passage.resume_outcome:
        return
    outcome = passage.plan.node(passage.node).kind.hears(passage, happening)
    if outcome is None:
        return
    if passage.held:
        mark(passage, outcome)
    else:
        leave(passage, outcome)


def shift(passage: Passage) -> None:
    """Work a wait out anew after a change of the contact (W3, W4)."""
    if passage.node is None or passage.resume_outcome:
        return
    result = passage.plan.node(passage.node).kind.changed(passage)
    if result is None:
        return
    if isinstance(result, Wait):
        passage.resume_at = result.until
        passage.touch()
    elif passage.held:
        if isinstance(result, str):
            mark(passage, result)
    else:
        settle(passage, result)
