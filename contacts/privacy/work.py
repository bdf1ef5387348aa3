"""Exporting and erasing a contact, through all rooms."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import models, transaction

from contacts import ingest
from contacts.models import Contact, PrivacyRecord
from contacts.privacy import queued
from contacts.privacy.rooms import rooms
from contacts.privacy.subject import Subject

Action = PrivacyRecord.Action


def subject_of(contact: Contact) -> Subject:
    """The contact with all that leads to it, by what every room keeps."""
    addresses: Iterable[str] = (one for room in rooms for one in room.addresses(contact))
    return Subject.of(contact, addresses)


def counts(contact: Contact) -> dict[str, int]:
    """What there is of a contact, and how much of it, by words in the plural."""
    return _counts(subject_of(contact))


def _counts(subject: Subject) -> dict[str, int]:
    return {name: number for room in rooms for name, number in room.counts(subject).items()}


def export(contact: Contact, *, at: datetime, by: models.Model | None = None) -> dict[str, Any]:
    """All that is known of a contact, by section, for ``DjangoJSONEncoder``. It is recorded."""
    subject = subject_of(contact)
    found: dict[str, Any] = {"exported_at": at}
    for room in rooms:
        found |= room.export(subject)
    _record(Action.EXPORT, subject, at, by)
    return found


def erase(contact: Contact, *, at: datetime, by: models.Model | None = None) -> None:
    """Remove every trace of a contact; a keyed hash alone keeps its addresses suppressed.

    All or nothing. Raises ``Busy`` while an import that speaks of it is at work, and
    ``Contact.DoesNotExist`` where it is gone.
    """
    subject = subject_of(contact)
    ingest.again(lambda: _erase(subject, at, by))


def _erase(subject: Subject, at: datetime, by: models.Model | None) -> None:
    _record(Action.ERASE, subject, at, by)
    for room in reversed(rooms):
        room.erase(subject, at)
    # Last, since an import at work locks its own row before those of contacts.
    Contact.objects.select_for_update().get(pk=subject.contact.pk).delete()
    transaction.on_commit(lambda: queued.forget(subject))


def _record(action: str, subject: Subject, at: datetime, by: models.Model | None) -> None:
    PrivacyRecord.objects.create(
        action=action,
        contact_pk=subject.contact.pk,
        at=at,
        by_id=by.pk if by is not None else None,
        counts=_counts(subject),
    )
