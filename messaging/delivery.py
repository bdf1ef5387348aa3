"""Handing messages over, each at most once (DESIGN §6).

Three short transactions and no open one while anything leaves the process: claim (the rules are
asked once more, and the row is leased), write what will be sent, hand over, record. A process that
dies in between leaves a lease behind; when it has run out the message is *uncertain* and nobody
sends it again by himself.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.core.exceptions import ValidationError
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import Q, QuerySet

from contacts import bulk, ingest
from messaging import backends, envelope, leases, outcomes, rendering, subscriptions, tracking
from messaging.leases import BACKOFF, LEASE, MARGIN
from messaging.models import Channel, Installation, Message
from messaging.outcomes import Kind, Outcome
from messaging.rendering import Rendered
from messaging.tracking import News, What

log = logging.getLogger(__name__)

#: Messages that are claimed together, and share a connection.
BATCH = 50
#: How long one call of `run` goes on; an RQ job may take 300 s.
LONGEST_RUN = timedelta(minutes=3)
#: Conditions on messages that may not leave now and stay queued. A higher room adds its own, such
#: as “the journey is paused”; each is asked in every claim.
gates: list[Callable[[], Q]] = []

Status = Message.Status


@dataclass(slots=True)
class Parcel:
    """A claimed message on its way.

    ``doubtful_since`` is since when nobody knows whether it was sent, should its lease run out.
    """

    message: Message
    lease_until: datetime
    doubtful_since: datetime
    rendered: Rendered | None = None
    outcome: Outcome | None = None
    begun: bool = False
    provider_id: str = ""


class Stopwatch:
    """What time it is, counted on from a moment that was given."""

    def __init__(self, now: datetime) -> None:
        self.began = now
        self.started = time.monotonic()

    @property
    def now(self) -> datetime:
        return self.began + timedelta(seconds=time.monotonic() - self.started)


def run(now: datetime, *, limit: int = 10_000) -> int:
    """Hand over what is queued and due; the number of messages that were handed over.

    Any number of processes may call it at once. It returns when nothing is due, the way out is
    closed, ``limit`` messages were looked at, or `LONGEST_RUN` is over.
    """
    watch = Stopwatch(now)
    leases.recover(now)
    accepted = seen = 0
    while seen < limit and watch.now - now < LONGEST_RUN:
        if not due(watch.now).exists() or Channel.load().is_closed(watch.now):
            break
        looked_at, parcels = claim(watch.now, min(BATCH, limit - seen))
        if not looked_at:
            break
        seen += looked_at
        accepted += _deliver(parcels, watch)
    return accepted


def due(now: datetime) -> QuerySet[Message]:
    """The messages that may be handed over now."""
    queued = Message.objects.filter(status=Status.QUEUED, next_attempt_at__lte=now)
    held = [gate() for gate in gates]
    return queued.exclude(reduce(or_, held)) if held else queued


# 1 Claiming


def claim(now: datetime, limit: int) -> tuple[int, list[Parcel]]:
    """Take up to ``limit`` messages. How many were looked at, and those that may go.

    Whatever has been suppressed or unsubscribed by now does not go (S1 to S3).
    """
    with transaction.atomic():
        messages = list(
            due(now)
            .select_related("contact", "template", "topic")
            .order_by("next_attempt_at", "pk")
            .select_for_update(of=("self",), skip_locked=True)[:limit]
        )
        if not messages:
            return 0, []
        suppressed = subscriptions.suppressed(message.contact.email for message in messages)
        choices = subscriptions.takes({message.contact_id for message in messages})
        for message in messages:
            chosen = choices.get(message.contact_id, subscriptions.NO_CHOICE)
            _decide(message, _refusal(message, suppressed, chosen), now)
        _write(messages, "to", "status", "reason", "attempts", *_TIMES)
    claimed = [message for message in messages if message.status == Status.SENDING]
    return len(messages), [Parcel(m, now + LEASE, m.doubtful_since or now) for m in claimed]


_TIMES = ("lease_until", "next_attempt_at", "ended_at")


def _refusal(message: Message, suppressed: set[str], chosen: subscriptions.Choices) -> str | None:
    """Why a message must not go, by S1 to S3, or None."""
    topic = message.topic
    if not message.contact.email.strip():
        return "no_address"
    if message.contact.email in suppressed:
        return "suppressed"
    welcome = chosen.take(topic.slug, topic.subscribed_by_default) if topic else chosen.take(None)
    return None if message.transactional or welcome else "unsubscribed"


def _decide(message: Message, refusal: str | None, now: datetime) -> None:
    message.to = message.contact.email.strip()
    message.next_attempt_at = None
    if message.doubtful_since and not leases.may_repeat(message, now):
        message.status, message.reason, message.ended_at = Status.UNCERTAIN, "interrupted", now
    elif refusal:
        message.status, message.reason, message.ended_at = Status.SKIPPED, refusal, now
    else:
        message.status, message.reason, message.ended_at = Status.SENDING, "", None
        message.lease_until = now + LEASE
        message.attempts += 1


def _write(messages: Sequence[Message], *fields: str) -> None:
    rows = [{"id": m.pk, **{name: getattr(m, name) for name in fields}} for m in messages]
    bulk.update(Message, rows, list(fields))


# 2 Rendering


def prepare(parcels: Sequence[Parcel], installation: Installation, now: datetime) -> None:
    """Render what was claimed and write it down. A message that can't be rendered has failed, and
    the others go on. One that was tried before goes out as it was.
    """
    fresh = []
    for parcel in parcels:
        message = parcel.message
        if message.text or message.html:
            parcel.rendered = Rendered(message.subject, message.text, message.html)
            continue
        try:
            parcel.rendered = envelope.render(message, installation, now)
        except Exception as error:
            expected = isinstance(error, rendering.TemplateError)
            if not expected:
                log.exception("Message %s can't be rendered", message.uuid)
            detail = str(error) if expected else f"{type(error).__name__}: {error}"
            parcel.outcome = Outcome(Kind.FAILED, "template", detail[:1000])
        else:
            message.subject = parcel.rendered.subject
            message.text, message.html = parcel.rendered.text, parcel.rendered.html
            fresh.append(message)
    _write(fresh, "subject", "text", "html")


# 3 Handing over


def _deliver(parcels: Sequence[Parcel], watch: Stopwatch) -> int:
    """Hand the parcels over and record what became of them; how many were accepted."""
    if not parcels:
        return 0
    installation = Installation.load()
    connection = backends.connect()
    try:
        prepare(parcels, installation, watch.now)
        for parcel in parcels:
            if parcel.outcome is not None:
                continue
            if watch.now > parcel.lease_until - MARGIN:
                break
            parcel.begun = True
            parcel.outcome = attempt(parcel, installation, connection)
            if parcel.outcome.kind is Kind.UNAVAILABLE:
                break
    finally:
        # Also when told to stop in the middle: what was not begun has not been sent.
        with contextlib.suppress(Exception):
            connection.close()
        record(parcels, watch.now)
    return sum(p.outcome is not None and p.outcome.kind is Kind.ACCEPTED for p in parcels)


def attempt(parcel: Parcel, installation: Installation, connection: BaseEmailBackend) -> Outcome:
    """Hand one parcel over. What became of it, whatever happens."""
    assert parcel.rendered is not None
    try:
        outgoing = envelope.mail(parcel.message, parcel.rendered, installation, connection)
    except ValidationError:
        return Outcome(Kind.FAILED, "invalid_address", "This is no e-mail address.")
    except Exception as error:
        return Outcome(Kind.FAILED, "unsendable", f"{type(error).__name__}: {error}"[:1000])
    try:
        connection.open()
        sent = connection.send_messages([outgoing])
    except Exception as error:
        with contextlib.suppress(Exception):
            connection.close()  # the next one begins on a connection of its own
        return outcomes.of(error)
    if not sent:
        return Outcome(Kind.FAILED, "unsendable", "The backend did not send it.")
    status = getattr(outgoing, "anymail_status", None)
    parcel.provider_id = str(getattr(status, "message_id", None) or "")[:255]
    return outcomes.of_status(getattr(status, "status", None))


# 4 Recording


def record(parcels: Sequence[Parcel], now: datetime) -> None:
    """Write what became of the parcels, and about bounces the address and the event too (T7).

    A fixed number of statements. A message that was settled meanwhile is left as it is.
    """
    for parcel in parcels:
        _conclude(parcel, now)
    ingest.again(lambda: _record(parcels, now))


def _record(parcels: Sequence[Parcel], now: datetime) -> None:
    bounces = [p for p in parcels if p.outcome and p.outcome.kind is Kind.BOUNCED]
    if bounces:
        tracking.lock(parcel.message.pk for parcel in bounces)
    mine = _still_ours(parcels)
    _write([parcel.message for parcel in mine], *_RECORDED)
    news = [_bounce(parcel, now) for parcel in bounces if parcel in mine]
    tracking.note(news, received_at=now)
    _record_channel(parcels, now)


def _bounce(parcel: Parcel, now: datetime) -> News:
    assert parcel.outcome is not None
    blamed = parcel.outcome.suppress
    return News(
        *(parcel.message.pk, What.BOUNCED, now),
        suppress=blamed,
        soft=not blamed,
        detail=parcel.outcome.detail,
    )


_RECORDED = (
    *("status", "reason", "error", "attempts", "sent_at", "provider", "provider_id"),
    *("doubtful_since", *_TIMES),
)


def _still_ours(parcels: Sequence[Parcel]) -> list[Parcel]:
    """The parcels whose rows are under our lease still, or uncertain since it ran out."""
    rows = (
        Message.objects.filter(
            pk__in=[parcel.message.pk for parcel in parcels],
            status__in=[Status.SENDING, Status.UNCERTAIN],
        )
        .order_by("pk")
        .select_for_update()
        .values_list("pk", "lease_until", "doubtful_since")
    )
    found = {pk: (lease, doubtful_since) for pk, lease, doubtful_since in rows}
    return [parcel for parcel in parcels if _is_ours(parcel, *found.get(parcel.message.pk, ()))]


def _is_ours(parcel: Parcel, *row: datetime | None) -> bool:
    """Whether the row says so: under our lease, or in doubt since the attempt that we made.

    Somebody may have queued it again by hand and another process may have left it in doubt; then
    what we know is about an attempt that counts no more.
    """
    if not row:
        return False
    lease_until, doubtful_since = row
    if lease_until is not None:
        return lease_until == parcel.lease_until
    return doubtful_since == parcel.doubtful_since


def _conclude(parcel: Parcel, now: datetime) -> None:
    """What the row says after this attempt."""
    message, outcome = parcel.message, parcel.outcome
    message.lease_until = message.ended_at = None
    message.provider, message.provider_id = backends.name(), parcel.provider_id
    if outcome is None and parcel.begun:
        outcome = Outcome(Kind.UNCERTAIN, "interrupted", "The process was stopped.")
    if outcome is None or (outcome.kind is Kind.UNAVAILABLE and not outcome.about_message):
        _queue(message, now, burnt=False)
        return
    message.reason, message.error = outcome.reason, outcome.detail
    if outcome.kind is Kind.ACCEPTED:
        message.status, message.sent_at, message.doubtful_since = Status.SENT, now, None
    elif outcome.kind in (Kind.RETRY, Kind.UNAVAILABLE):
        _retry(message, now, outcome)
    elif outcome.kind is Kind.UNCERTAIN:
        _doubt(message, now)
    else:
        message.status, message.ended_at = Status.FAILED, now


def _queue(message: Message, at: datetime, *, burnt: bool = True) -> None:
    message.status, message.next_attempt_at = Status.QUEUED, at
    message.attempts -= not burnt


def _retry(message: Message, now: datetime, outcome: Outcome) -> None:
    if message.attempts > len(BACKOFF):
        message.status, message.reason, message.ended_at = Status.FAILED, "gave_up", now
    else:
        wait = outcome.retry_after or BACKOFF[message.attempts - 1]
        _queue(message, now + wait)


def _doubt(message: Message, now: datetime) -> None:
    """Nobody knows: uncertain, or sent again where that does no harm or is wanted."""
    message.doubtful_since = message.doubtful_since or now
    if leases.may_repeat(message, now):
        _queue(message, now + BACKOFF[0])
    else:
        message.status, message.ended_at = Status.UNCERTAIN, now


def _record_channel(parcels: Iterable[Parcel], now: datetime) -> None:
    """Close the way out when nobody can send, and open it when somebody could."""
    outcomes_ = [parcel.outcome for parcel in parcels if parcel.outcome is not None]
    trouble = next((o for o in outcomes_ if o.kind is Kind.UNAVAILABLE), None)
    if trouble is None and not any(o.kind is Kind.ACCEPTED for o in outcomes_):
        return
    channel = Channel.load()
    if trouble is None:
        channel.reopen()
        return
    if any(o.kind is Kind.ACCEPTED for o in outcomes_):
        channel = Channel()
    channel.close(now, trouble.reason, trouble.detail, trouble.retry_after)
    log.warning("Mail can't go out (%s) until %s", trouble.reason, channel.closed_until)
