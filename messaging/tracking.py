"""What becomes of messages after they were handed over: each news is an event of the contact (T7).

News comes from the provider's webhooks, from our own picture and links, and from a server that
refuses an address. All of it goes through `note`, which may hear the same thing any number of times
and in any order: a message is opened once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Count, Max, Min

from contacts import bulk, ingest
from contacts.identity import Moved
from contacts.models import Contact
from messaging import happened, subscriptions
from messaging.happened import Happened
from messaging.models import Message, SoftBounce, Suppression, address_hash

#: So many soft bounces over at least so long make an address useless (FACTS 4.2).
SOFT_BOUNCES = 5
SOFT_BOUNCES_OVER = timedelta(days=7)


class What(StrEnum):
    """What is told about a message. The first four are events of the contact (T7)."""

    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    FAILED = "failed"


@dataclass(frozen=True)
class News:
    """Something that was told about one message.

    ``suppress`` says that a bounce is the address's own fault; ``soft`` that it may be only for a
    while; ``machine`` that a program opened it and not a person.
    """

    message_id: int
    what: What
    at: datetime
    suppress: bool = False
    soft: bool = False
    machine: bool = False
    detail: str = ""


def note(news: Sequence[News], *, received_at: datetime) -> None:
    """Write what was told, first the messages and the addresses, then the events; all or nothing.

    A fixed number of statements, however much was told.
    """
    if news:
        ingest.again(lambda: Notes(news, received_at).write())


def lock(message_ids: Iterable[int]) -> dict[int, Message]:
    """The messages, locked after their contacts: in the order that everybody locks them in."""
    ids = set(message_ids)
    contacts = Contact.objects.filter(messages__in=ids).values("pk")
    locked = set(
        Contact.objects.filter(pk__in=contacts)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", flat=True)
    )
    messages = {
        message.pk: message
        for message in Message.objects.filter(pk__in=ids)
        .select_related("template")
        .defer("subject", "text", "html")
        .order_by("pk")
        .select_for_update(of=("self",))
    }
    if any(message.contact_id not in locked for message in messages.values()):
        raise Moved  # by a merge, while we waited for the lock
    return messages


class Notes:
    """One batch of news, worked in memory and then written."""

    def __init__(self, news: Sequence[News], received_at: datetime) -> None:
        self.news = news
        self.at = received_at
        self.messages = lock(item.message_id for item in news)
        self.changed: set[int] = set()
        self.events: list[Happened] = []
        self.bounced: set[str] = set()
        self.complained: set[str] = set()
        self.soft: dict[int, tuple[str, datetime]] = {}
        self.recovered: set[str] = set()
        self.unsubscribed: set[int] = set()
        self.touched: set[int] = set()

    def write(self) -> None:
        """Write the batch."""
        for item in self.news:
            if message := self.messages.get(item.message_id):
                self._take(item, message)
        bulk.update(
            Message,
            [_row(self.messages[pk]) for pk in sorted(self.changed)],
            _FIELDS,
        )
        self._write_addresses()
        happened.record(self.events, at=self.at)
        for contact_id in sorted(self.unsubscribed):
            subscriptions.subscribe(contact_id, None, False, at=self.at, source="provider")
        if self.touched:
            ingest.touch(self.touched, at=self.at)

    def _take(self, item: News, message: Message) -> None:
        settle(message, item.at)
        self.changed.add(message.pk)
        if item.what is What.UNSUBSCRIBED:
            self.unsubscribed.add(message.contact_id)
        elif item.what is What.FAILED:
            message.status, message.reason = Message.Status.FAILED, "refused_by_provider"
            message.error, message.ended_at = item.detail, item.at
        elif item.machine:
            message.machine_opened_at = message.machine_opened_at or item.at
        elif getattr(message, f"{item.what}_at") is None:
            setattr(message, f"{item.what}_at", item.at)
            self._first(item, message)

    def _first(self, item: News, message: Message) -> None:
        """What follows when a message is delivered, bounced and so on for the first time."""
        hashed = address_hash(message.to)
        if item.what is What.COMPLAINED:
            self.complained.add(message.to)
            self.touched.add(message.contact_id)
            return
        if item.what is What.DELIVERED:
            self.recovered.add(hashed)
        if item.what is What.BOUNCED:
            message.error = item.detail or message.error
            if item.suppress:
                self.bounced.add(message.to)
            elif item.soft:
                self.soft[message.pk] = hashed, item.at
        self.events.append(
            Happened(
                contact_id=message.contact_id,
                name=f"message_{item.what}",
                properties={
                    "journey": message.journey,
                    "node": message.node,
                    "template": message.template.slug,
                },
                occurred_at=item.at,
                message_id=f"message:{message.uuid}:{item.what}",
            )
        )

    def _write_addresses(self) -> None:
        if self.recovered:
            SoftBounce.objects.filter(hash__in=self.recovered).delete()
        if self.soft:
            self._write_soft_bounces()
        subscriptions.insert(self.bounced, Suppression.Reason.BOUNCE, at=self.at)
        subscriptions.insert(self.complained, Suppression.Reason.COMPLAINT, at=self.at)

    def _write_soft_bounces(self) -> None:
        bulk.insert(
            SoftBounce,
            [
                {"message_id": pk, "hash": hashed, "bounced_at": at}
                for pk, (hashed, at) in self.soft.items()
            ],
            ignore_conflicts=True,
        )
        hashes = {hashed for hashed, _ in self.soft.values()}
        counted = (
            SoftBounce.objects.filter(hash__in=hashes)
            .values("hash")
            .annotate(number=Count("pk"), first=Min("bounced_at"), last=Max("bounced_at"))
        )
        useless = {
            row["hash"]
            for row in counted
            if row["number"] >= SOFT_BOUNCES and row["last"] - row["first"] >= SOFT_BOUNCES_OVER
        }
        self.bounced |= {
            self.messages[pk].to for pk, (hashed, _) in self.soft.items() if hashed in useless
        }


def settle(message: Message, at: datetime) -> None:
    """Somebody has the mail: one that was uncertain, or was to be sent again, has been sent."""
    doubtful = message.status == Message.Status.UNCERTAIN or (
        message.status == Message.Status.QUEUED and message.attempts > 0
    )
    if doubtful:
        message.status, message.reason, message.error = Message.Status.SENT, "", ""
        message.sent_at = message.sent_at or at
        message.ended_at = message.next_attempt_at = message.lease_until = None


_FIELDS = (
    *("status", "reason", "error", "sent_at", "ended_at", "next_attempt_at", "lease_until"),
    *("delivered_at", "opened_at", "machine_opened_at", "clicked_at", "bounced_at"),
    "complained_at",
)


def _row(message: Message) -> dict[str, Any]:
    return {"id": message.pk, **{name: getattr(message, name) for name in _FIELDS}}
