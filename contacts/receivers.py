"""What is saved one by one through the ORM, or in the admin, is a fact like any other.

``contacts.ingest`` writes in bulk, which sends no such signals, so nothing is counted twice.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver

from contacts import catalogue
from contacts.clock import now
from contacts.identity import FIELDS, Person
from contacts.ingest import insert_facts, store_changes
from contacts.items import Track
from contacts.models import Contact, Event, Fact
from contacts.signals import announce, events_recorded

_BEFORE = "_before_this_save"


@receiver(post_save, sender=Event)
def event_saved(
    sender: type[Event], instance: Event, created: bool, raw: bool = False, **kwargs: Any
) -> None:
    """A new event waits to be worked through."""
    if not created or raw:
        return
    with transaction.atomic():
        insert_facts(
            [(instance.contact_id, Fact.Kind.EVENT, instance.pk, {})], at=instance.received_at
        )
        announce(events_recorded, [instance.contact_id])
    seen = Track(instance.name, instance.properties)
    catalogue.note(events=[seen], attributes=[], at=instance.received_at)


@receiver(pre_save, sender=Contact)
def contact_saves(
    sender: type[Contact], instance: Contact, raw: bool = False, **kwargs: Any
) -> None:
    """Remember what the row says before it is saved; in a transaction the row is locked."""
    if raw:
        return
    rows = Contact.objects.filter(pk=instance.pk).values(*FIELDS, "attributes")
    if transaction.get_connection().in_atomic_block:
        rows = rows.select_for_update(no_key=True)
    setattr(instance, _BEFORE, rows.first() if instance.pk else None)


@receiver(post_save, sender=Contact)
def contact_saved(
    sender: type[Contact],
    instance: Contact,
    raw: bool = False,
    update_fields: frozenset[str] | None = None,
    **kwargs: Any,
) -> None:
    """A change of the contact, with what differs from before."""
    if raw:
        return
    person = Person(**(instance.__dict__.pop(_BEFORE, None) or {}))
    saved = {
        name: getattr(instance, name)
        for name in (*FIELDS, "attributes")
        if update_fields is None or name in update_fields
    }
    with transaction.atomic():
        store_changes([(instance.pk, person.become(**saved))], at=now())
