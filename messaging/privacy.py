"""What this room keeps of a contact, for `contacts.privacy`: messages, choices, suppressions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Lower

from contacts import bulk, ingest
from contacts.models import Contact
from contacts.privacy import Subject
from messaging.models import Channel, Message, Subscription, Suppression, address_hash


class Mail:
    """The room of messages."""

    def addresses(self, contact: Contact) -> Iterable[str]:
        """Those that were written to."""
        rows = Message.objects.filter(contact=contact).order_by()
        return rows.values_list("to", flat=True).distinct()

    def export(self, subject: Subject) -> dict[str, Any]:
        """Choices, suppressed addresses, and messages with their bodies."""
        contact = subject.contact
        choices = Subscription.objects.filter(contact=contact).order_by("pk")
        messages = Message.objects.filter(contact=contact).order_by("pk")
        return {
            "subscriptions": [
                {
                    "topic": row.topic.slug if row.topic else "all",
                    "subscribed": row.subscribed,
                    "changed_at": row.changed_at,
                    "source": row.source,
                }
                for row in choices.select_related("topic")
            ],
            "suppressions": [
                {"address": address, "reason": row.reason, "created_at": row.created_at}
                for address in sorted(subject.emails)
                for row in Suppression.objects.filter(hash=address_hash(address))
            ],
            "messages": list(messages.values(*_columns(), slug=F("template__slug"))),
        }

    def counts(self, subject: Subject) -> dict[str, int]:
        """How much there is of each."""
        contact = subject.contact
        return {
            "messages": Message.objects.filter(contact=contact).count(),
            "choices about topics": Subscription.objects.filter(contact=contact).count(),
        }

    def erase(self, subject: Subject, at: datetime) -> None:
        """Keep of each address only that it is suppressed; messages go with the contact."""
        _suppress(subject, at)
        _forget_trouble(subject)
        uuids = Message.objects.filter(contact=subject.contact).values_list("uuid", flat=True)
        names = {str(uuid) for uuid in uuids}
        transaction.on_commit(lambda: _delete_files(names, subject))


def _columns() -> list[str]:
    """All of a message but the template, which is told by its slug."""
    return [field.attname for field in Message._meta.concrete_fields if field.name != "template"]


def _suppress(subject: Subject, at: datetime) -> None:
    hashes = {address_hash(address) for address in subject.emails}
    erased = {"address": "", "reason": Suppression.Reason.ERASED}
    Suppression.objects.filter(hash__in=hashes).update(**erased)
    bulk.insert(
        Suppression,
        [{"hash": key, "created_at": at, **erased} for key in sorted(hashes)],
        ignore_conflicts=True,
    )
    others = Contact.objects.annotate(mailbox=Lower("email")).filter(mailbox__in=subject.emails)
    ingest.touch(others.exclude(pk=subject.contact.pk).values_list("pk", flat=True), at=at)


def _forget_trouble(subject: Subject) -> None:
    """What a mail server answered may name the address."""
    for channel in Channel.objects.all():
        channel.detail = subject.without(channel.detail)
        channel.save()


def _delete_files(message_names: set[str], subject: Subject) -> None:
    """Mails that were written to files instead of being sent, by their message or their text."""
    for path in Path(settings.OUTBOX_DIR).glob("*.eml"):
        ours = any(path.stem.endswith(name) for name in message_names)
        if ours or subject.is_meant_by(path.read_text("utf-8", "replace")):
            path.unlink(missing_ok=True)
