"""Contacts by what people type: each kind of id by its own index, so a million answer at once."""

from __future__ import annotations

from django.db import connections, router
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from contacts.models import AnonymousId, Contact, FormerId

#: How many of each kind are found at most.
MOST = 200


def beginning(text: str) -> set[int]:
    """The ids of contacts whose address or id begins so; anonymous and former ids count whole."""
    term = text.strip()
    low = term.lower()
    contacts = Contact.objects.order_by().annotate(mailbox=Lower("email"))
    if connections[router.db_for_read(Contact)].vendor == "postgresql":
        mailboxes = contacts.filter(mailbox__startswith=low)
        ids = contacts.filter(external_id__startswith=term)
    else:
        mailboxes = contacts.filter(mailbox__gte=low, mailbox__lt=low + "\U0010ffff")
        ids = contacts.filter(external_id__gte=term, external_id__lt=term + "\U0010ffff")
    found = {*mailboxes.values_list("pk", flat=True)[:MOST]}
    found |= {*ids.values_list("pk", flat=True)[:MOST]}
    found |= {*AnonymousId.objects.filter(value=term).values_list("contact_id", flat=True)}
    return found | {*FormerId.objects.filter(value=term).values_list("contact_id", flat=True)}


def exactly(text: str) -> QuerySet[Contact]:
    """The contacts with this external id or address."""
    term = text.strip()
    ids = Contact.objects.order_by().annotate(mailbox=Lower("email"))
    found = {*ids.filter(mailbox=term.lower()).values_list("pk", flat=True)[:MOST]} if term else ()
    return Contact.objects.filter(Q(external_id=term) | Q(pk__in=found)).order_by("pk")


def sharing(contact: Contact) -> QuerySet[Contact]:
    """The other contacts with the same address."""
    if not contact.email:
        return Contact.objects.none()
    same = Contact.objects.annotate(mailbox=Lower("email")).filter(mailbox=contact.email.lower())
    return same.exclude(pk=contact.pk).order_by("pk")
