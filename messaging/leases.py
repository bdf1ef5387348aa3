"""Messages that were being handed over when their process died, and those left in doubt."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from messaging import backends
from messaging.models import Message, Template

#: How long a claimed message is nobody else's. It is begun only while `MARGIN` of it is left, which
#: is what a server can take that answers each command just before the time is up.
LEASE = timedelta(minutes=3)
MARGIN = timedelta(seconds=75)
#: When a message is tried again that the other side did not want now; after the last it failed.
BACKOFF = [timedelta(minutes=m) for m in (1, 5, 15, 60, 180, 360, 720)]
#: Most leases that are looked at in one call.
MOST = 10_000

Status = Message.Status

#: Somebody has told that the message arrived or bounced, so it was sent.
TOLD = Q(
    *[
        Q(**{f"{what}_at__isnull": False})
        for what in ("delivered", "opened", "clicked", "bounced", "complained")
    ],
    _connector=Q.OR,
)


def may_repeat(message: Message, now: datetime) -> bool:
    """Whether a message in doubt may be handed over once more.

    Its owner may have chosen that, or the provider knows it by its key and for that time on.
    """
    if message.attempts > len(BACKOFF):
        return False
    if message.transactional and message.template.resend_uncertain:
        return True
    window = backends.idempotent_for()
    since = message.doubtful_since or now
    return window is not None and now + BACKOFF[0] < since + window


def recover(now: datetime) -> int:
    """Settle messages whose process died while it handed them over; how many there were.

    What the provider has told about is sent, the rest is uncertain, except what may be sent again.
    """
    expired = Message.objects.filter(status=Status.SENDING, lease_until__lte=now)
    ids = list(expired.order_by("lease_until").values_list("pk", flat=True)[:MOST])
    if not ids:
        return 0
    again = ~TOLD & Q(attempts__lte=len(BACKOFF)) & _repeatable(now)
    return expired.filter(pk__in=ids).update(
        status=Case(
            When(TOLD, then=Value(Status.SENT)),
            When(again, then=Value(Status.QUEUED)),
            default=Value(Status.UNCERTAIN),
        ),
        reason=Case(When(TOLD | again, then=Value("")), default=Value("interrupted")),
        sent_at=Case(When(TOLD, then=F("lease_until") - Value(LEASE)), default=F("sent_at")),
        next_attempt_at=Case(When(again, then=Value(now)), default=Value(None)),
        ended_at=Case(When(TOLD | again, then=Value(None)), default=Value(now)),
        doubtful_since=Coalesce("doubtful_since", F("lease_until") - Value(LEASE)),
        lease_until=None,
    )


def _repeatable(now: datetime) -> Q:
    """As `may_repeat`, of many messages at once."""
    resending = Template.objects.filter(resend_uncertain=True).values("pk")
    allowed = Q(transactional=True, template__in=resending)
    if window := backends.idempotent_for():
        fresh = now + BACKOFF[0] - window
        allowed |= Q(doubtful_since=None, lease_until__gt=fresh + LEASE)
        allowed |= Q(doubtful_since__gt=fresh)
    return allowed


# By hand


def mark_sent(messages: QuerySet[Message]) -> int:
    """Settle uncertain messages that turned out to be sent; how many."""
    uncertain = messages.filter(status=Status.UNCERTAIN)
    return uncertain.update(
        status=Status.SENT,
        sent_at=Coalesce("doubtful_since", "ended_at"),
        ended_at=None,
        doubtful_since=None,
        reason="",
        error="",
    )


def send_again(messages: QuerySet[Message], *, now: datetime) -> int:
    """Queue messages anew that are uncertain or failed; how many.

    They are rendered anew, so that a template that was mended counts.
    """
    return messages.filter(status__in=[Status.UNCERTAIN, Status.FAILED]).update(
        status=Status.QUEUED,
        next_attempt_at=now,
        attempts=0,
        ended_at=None,
        doubtful_since=None,
        reason="",
        error="",
        subject="",
        text="",
        html="",
    )
