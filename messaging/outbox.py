"""The only maker of messages: the rules S1 to S6, decided for a batch that is in memory."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from django.db.models import Q

from contacts import bulk
from messaging.models import Message


class Recipient(Protocol):
    """What the rules look at in a contact."""

    email: str
    #: When marketing messages to the contact were queued, as far back as the cap looks.
    marketing: list[datetime]

    def takes(self, topic: str | None) -> bool: ...

    def is_suppressed(self) -> bool: ...


@dataclass(frozen=True)
class Cap:
    """At most ``count`` marketing messages within ``within``, all journeys together (S5)."""

    count: int
    within: timedelta


@dataclass(slots=True)
class Draft:
    """A message as it will be inserted; ``status`` is queued, skipped or cancelled."""

    contact_id: int
    template_id: int
    topic_id: int | None
    transactional: bool
    journey: str
    node: str
    template: str
    visit: int
    context: dict[str, object]
    to: str
    queued_at: datetime
    status: str = Message.Status.QUEUED
    reason: str = ""
    enrollment: int | None = None
    did: set[str] = field(default_factory=set)


def refusal_before_window(
    recipient: Recipient, *, topic: str | None, transactional: bool
) -> str | None:
    """Why a message must not be queued, by S1 to S3, or None."""
    if not recipient.email:
        return "no_address"
    if recipient.is_suppressed():
        return "suppressed"
    if not transactional and not recipient.takes(topic):
        return "unsubscribed"
    return None


def is_capped(recipient: Recipient, cap: Cap | None, now: datetime) -> bool:
    """Whether the contact got as many marketing messages as the cap allows (S5)."""
    if cap is None:
        return False
    # Subtracted from now, since `within` may reach back beyond the calendar.
    return sum(1 for at in recipient.marketing if at <= now and now - at < cap.within) >= cap.count


def insert(drafts: Sequence[Draft]) -> None:
    """Insert the messages of a batch in one statement, in the caller's transaction (S6)."""
    bulk.insert(
        Message,
        [
            {
                "uuid": uuid.uuid4(),
                "contact_id": draft.contact_id,
                "template_id": draft.template_id,
                "topic_id": draft.topic_id,
                "transactional": draft.transactional,
                "journey": draft.journey,
                "node": draft.node,
                "enrollment": draft.enrollment,
                "visit": draft.visit,
                "context": draft.context,
                "to": draft.to,
                "status": draft.status,
                "reason": draft.reason,
                "queued_at": draft.queued_at,
                "next_attempt_at": draft.queued_at,
            }
            for draft in drafts
        ],
    )


def unsent(enrollment: int) -> int:
    """How many messages an enrollment queued that `cancel` would still stop."""
    return Message.objects.filter(enrollment=enrollment, status=Message.Status.QUEUED).count()


def cancel(enrollments: Sequence[int], reason: str) -> None:
    """Cancel what these enrollments queued and nobody has handed over yet (G1)."""
    if enrollments:
        Message.objects.filter(Q(status=Message.Status.QUEUED), enrollment__in=enrollments).update(
            status=Message.Status.CANCELLED, reason=reason, next_attempt_at=None
        )
