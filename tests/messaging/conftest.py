"""What the tests of the messaging room share."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from contacts.models import Contact
from messaging.models import Message, Template, Topic

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
_numbers = itertools.count(1)


def make_contact(**fields: Any) -> Contact:
    """A contact of its own."""
    number = next(_numbers)
    fields = {"external_id": f"u{number}", "email": f"u{number}@example.com"} | fields
    [contact] = Contact.objects.bulk_create([Contact(**fields)])
    return contact


def make_template(**fields: Any) -> Template:
    """A template that greets."""
    number = next(_numbers)
    written = {"subject": "Hello {{ contact.name }}", "text": "Dear {{ contact.name }},"}
    return Template.objects.create(slug=f"t{number}", name=f"T {number}", **(written | fields))


def make_topic(**fields: Any) -> Topic:
    """A topic of its own."""
    number = next(_numbers)
    return Topic.objects.create(**({"slug": f"topic{number}", "name": f"Topic {number}"} | fields))


def queue(
    contact: Contact | None = None, template: Template | None = None, **fields: Any
) -> Message:
    """A message that waits to be handed over, as the outbox leaves it."""
    contact = contact or make_contact()
    number = next(_numbers)
    return Message.objects.create(
        **{
            "contact": contact,
            "template": template or make_template(),
            "to": contact.email,
            "journey": "welcome",
            "node": "hello",
            "enrollment": number,
            "visit": 1,
            "queued_at": NOW,
            "next_attempt_at": NOW,
            **fields,
        }
    )
