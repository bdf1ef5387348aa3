"""This room's part: the contact, what it did, and where it is spoken of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import F, Q

from contacts.models import Contact, Event, Fact, Membership, Receipt
from contacts.privacy import imported
from contacts.privacy.subject import ERASED, Subject


class People:
    """The room of contacts."""

    def addresses(self, contact: Contact) -> Iterable[str]:
        """Those of contacts that were merged into it, and those that imports changed."""
        yield from contact.merges.values_list("email", flat=True)
        yield from imported.addresses(contact.pk)

    def export(self, subject: Subject) -> dict[str, Any]:
        """The row, the ids, events, segments, merges, what still waits, and rows of imports."""
        contact = subject.contact
        return {
            "contact": Contact.objects.filter(pk=contact.pk).values().get(),
            "anonymous_ids": list(contact.anonymous_ids.values("value", "created_at")),
            "former_ids": list(contact.former_ids.values_list("value", flat=True)),
            "merges": list(contact.merges.values()),
            "events": list(Event.objects.filter(contact=contact).order_by("pk").values()),
            "segments": list(
                contact.memberships.order_by("pk").values(
                    "entered_at", "left_at", slug=F("segment__slug"), name=F("segment__name")
                )
            ),
            "waiting": list(Fact.objects.filter(contact=contact).order_by("pk").values()),
            "imports": imported.export(subject),
        }

    def counts(self, subject: Subject) -> dict[str, int]:
        """How much there is of each."""
        contact = subject.contact
        return {
            "events": Event.objects.filter(contact=contact).count(),
            "memberships of segments": Membership.objects.filter(contact=contact).count(),
            "merges": contact.merges.count(),
            "rows of imports": imported.count(subject),
        }

    def erase(self, subject: Subject, at: datetime) -> None:
        """Take the contact out of imports, receipts and the admin's history."""
        imported.erase(subject)
        receipts = [row.pk for row in _receipts(subject) if subject.is_meant_by(row.message_id)]
        Receipt.objects.filter(pk__in=receipts).delete()
        _history(subject)


def _receipts(subject: Subject) -> Iterator[Receipt]:
    asked = Q()
    for text in subject.emails | subject.ids:
        asked |= Q(message_id__icontains=text)
    return Receipt.objects.filter(asked).iterator() if asked else iter(())


def _history(subject: Subject) -> None:
    """Strike the contact out of what the admin remembers of changes."""
    kind = ContentType.objects.get_for_model(Contact)
    own = LogEntry.objects.filter(content_type=kind, object_id__in=[str(pk) for pk in subject.pks])
    own.update(object_repr=ERASED, change_message="")
    asked = Q()
    for text in subject.emails | subject.ids:
        asked |= Q(object_repr__icontains=text) | Q(change_message__icontains=text)
    if not asked:
        return
    for entry in LogEntry.objects.filter(asked):
        LogEntry.objects.filter(pk=entry.pk).update(
            object_repr=subject.without(entry.object_repr)[:200],
            change_message=subject.without(entry.change_message),
        )
