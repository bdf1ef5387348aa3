"""The RQ jobs of the messaging room, thin."""

from __future__ import annotations

from contacts.clock import now
from contacts.nudges import nudge as enqueue

MESSAGES = "messages"


def nudge() -> None:
    """Have the queued messages handed over."""
    enqueue(MESSAGES, deliver, "deliver")


def deliver() -> int:
    """Hand over the messages that are due."""
    from messaging import delivery

    return delivery.run(now())
