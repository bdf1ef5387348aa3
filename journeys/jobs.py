"""The RQ jobs, thin: ids in, one call, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contacts.clock import now
from contacts.nudges import at_minutes
from contacts.nudges import nudge as enqueue
from messaging import jobs as mail

if TYPE_CHECKING:
    from journeys.store import Written

FACTS, BULK = "facts", "bulk"
#: Contacts a job moves before it hands over to the next, so that no job runs for minutes.
SLICE = 5000
#: Chunks of backtests a job replays before others that wait in the queue have their turn.
CHUNKS = 50


def nudge(written: Written) -> None:
    """After a batch is committed: hand over its messages and requests, and mark its minutes."""
    if written.messages:
        mail.nudge()
    if written.calls:
        enqueue_calls()
    at_minutes(FACTS, work_facts, "resume", written.minutes)


def enqueue_work() -> None:
    """Have the facts that wait worked through."""
    enqueue(FACTS, work_facts, "work-facts")


def enqueue_calls() -> None:
    """Have the requests sent that webhook nodes asked for."""
    enqueue(FACTS, call_webhooks, "call-webhooks")


def enqueue_publishing() -> None:
    """Have what publishing left to be done in batches carried on with."""
    enqueue(FACTS, carry_on, "publishing")


def enqueue_backtests() -> None:
    """Have the backtests that wait carried on with."""
    enqueue(BULK, run_backtests, "run-backtests")


def work_facts() -> int:
    """Work through facts, timers and dates that are due; hands over when there is more."""
    from journeys import work

    done = work.work(now(), most=SLICE)
    if done >= SLICE:
        enqueue_work()
    return done


def call_webhooks() -> int:
    """Send the requests that are due."""
    from journeys import webhooks

    return webhooks.deliver(now())


def carry_on() -> None:
    """Carry on with what publishing left to be done; hands over when there is more."""
    from journeys import publishing

    if publishing.carry_on(now()):
        enqueue_publishing()


def run_backtests() -> None:
    """Replay the next chunks of backtests; hands over when there is more."""
    from journeys import backtest

    for _ in range(CHUNKS):
        if not backtest.step(now()):
            return
    enqueue_backtests()
