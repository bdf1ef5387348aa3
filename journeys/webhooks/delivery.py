"""What is due is claimed, sent with no transaction open, and its result recorded with a fact.

A request is sent at least once: where a process dies between sending and recording, the lease
expires and it is sent again, with the same ``webhook-id``, by which the receiver can tell.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from django.db import transaction
from django.db.models import F, Q, QuerySet

from contacts.ingest import insert_facts
from contacts.models import Contact, Fact
from contacts.signals import announce, contacts_changed
from journeys.models import Enrollment, Journey, WebhookCall
from journeys.webhooks import guard, signing

log = logging.getLogger(__name__)

#: How long after each attempt the next one comes; after the last there is none.
BACKOFF = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 600, 2700))
MOST_PAUSE = timedelta(hours=1)
#: Longer than all that a claimed batch can take.
LEASE = timedelta(minutes=5)
#: Requests that are claimed together, and those that are under way at the same time.
BATCH = 32
THREADS = 8
#: Answers after which another attempt makes sense.
TRY_AGAIN = frozenset((408, 425, 429, *range(500, 600)))

Status = WebhookCall.Status


@dataclass(frozen=True)
class Result:
    """What became of one attempt; ``again`` is after how long to try once more, None for never."""

    ok: bool
    error: str = ""
    status: int | None = None
    body: str = ""
    again: timedelta | None = None


def deliver(now: datetime, limit: int = 1000) -> int:
    """Send the requests that are due, at most ``limit``; how many were tried."""
    _cancel_left_behind(now)
    done, started = 0, time.monotonic()

    def moment() -> datetime:
        return now + timedelta(seconds=time.monotonic() - started)

    while done < limit:
        calls = _claim(moment(), min(BATCH, limit - done))
        if not calls:
            break
        _send_all(calls, moment())
        done += len(calls)
    return done


def _due(now: datetime) -> QuerySet[WebhookCall]:
    """The requests that may be sent: also those whose sender died, none of a paused journey."""
    return WebhookCall.objects.filter(
        Q(status=Status.QUEUED) | Q(status=Status.SENDING, lease_until__lte=now),
        next_attempt_at__lte=now,
    )


def _cancel_left_behind(now: datetime) -> None:
    """Cancel the requests of enrollments that ended before they were sent."""
    left = _due(now).exclude(enrollment__status__in=[*Enrollment.OPEN]).values("pk")
    WebhookCall.objects.filter(pk__in=left).update(
        status=Status.CANCELLED, next_attempt_at=None, lease_until=None
    )


def _claim(now: datetime, count: int) -> list[WebhookCall]:
    """Claim requests by a lease, each by a compare-and-swap, so that nobody else has them too."""
    wanted = (
        _due(now)
        .filter(enrollment__status__in=[*Enrollment.OPEN])
        .exclude(enrollment__journey__status=Journey.Status.PAUSED)
        .order_by("next_attempt_at", "pk")
        .values_list("pk", "attempts")[:count]
    )
    lease = now + LEASE
    claimed = [
        pk
        for pk, attempts in wanted
        if _due(now)
        .filter(pk=pk, attempts=attempts)
        .update(
            status=Status.SENDING,
            lease_until=lease,
            next_attempt_at=lease,
            attempts=F("attempts") + 1,
        )
    ]
    calls = WebhookCall.objects.filter(pk__in=claimed).select_related("enrollment")
    return list(calls.order_by("pk"))


def _send_all(calls: Sequence[WebhookCall], now: datetime) -> None:
    """Send the claimed requests side by side, and record each as it is answered."""
    started = time.monotonic()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="webhook") as pool:
        futures = {pool.submit(_send, call, now): call for call in calls}
        for future in as_completed(futures):
            at = now + timedelta(seconds=time.monotonic() - started)
            try:
                _record(futures[future], future.result(), at)
            except Exception:
                log.exception("The answer to request %s was not recorded", futures[future].pk)


def _send(call: WebhookCall, now: datetime) -> Result:
    """One attempt, in a thread of its own and without the database. Never raises."""
    if not call.url:
        return Result(False, call.error or "The request has no address.")
    try:
        body = call.body.encode()
        signed = signing.headers(signing.message_id(call.pk), int(now.timestamp()), body)
        own = {name: str(text) for name, text in call.headers.items() if name.lower() not in signed}
        answer = guard.request(call.method, call.url, {**own, **signed}, body)
    except guard.Refused as error:
        return Result(False, str(error))
    except guard.Unreachable as error:
        return Result(False, str(error), again=_pause(call.attempts))
    except Exception as error:
        log.exception("Request %s could not be sent", call.pk)
        return Result(False, f"{type(error).__name__}: {error}")
    if 200 <= answer.status < 300:
        return Result(True, status=answer.status, body=answer.body)
    again = None
    if answer.status in TRY_AGAIN:
        again = _pause(call.attempts, _asked_pause(answer.retry_after, now))
    return Result(False, f"The answer was {answer.status}.", answer.status, answer.body, again)


def _pause(attempts: int, asked: timedelta = timedelta()) -> timedelta | None:
    """How long to wait after that many attempts, at least as long as was asked for."""
    if attempts > len(BACKOFF):
        return None
    return max(BACKOFF[attempts - 1], min(asked, MOST_PAUSE))


def _asked_pause(header: str, now: datetime) -> timedelta:
    """What a Retry-After header asks for: seconds, or a date."""
    if header.isascii() and header.isdigit():
        return timedelta(seconds=min(int(header[:9]), 10**6))
    try:
        moment = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return timedelta()
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now


def _record(call: WebhookCall, result: Result, at: datetime) -> None:
    """Write what became of a request, with the fact that moves the enrollment on."""
    final = result.ok or result.again is None
    status = Status.OK if result.ok else Status.FAILED if final else Status.QUEUED
    with transaction.atomic():
        contact = call.enrollment.contact_id
        # As all that makes facts does: their ids are the order of receipt within the contact.
        list(Contact.objects.select_for_update(no_key=True).filter(pk=contact).values_list("pk"))
        mine = WebhookCall.objects.filter(
            pk=call.pk, status=Status.SENDING, attempts=call.attempts
        ).update(
            status=status,
            error=result.error,
            response_status=result.status,
            response_body=result.body,
            lease_until=None,
            next_attempt_at=at + result.again if result.again is not None else None,
        )
        if mine and final:
            payload = {
                "enrollment": call.enrollment_id,
                "visit": call.visit,
                "outcome": "ok" if result.ok else "failed",
            }
            insert_facts([(contact, Fact.Kind.WEBHOOK, None, payload)], at=at)
            announce(contacts_changed, [contact])
