"""Contacts by what people type: each kind of id by its own index, so a million answer at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connections, router
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from contacts.items import UNFIT
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


def meant(external_id: str | None, email: str | None, anonymous_id: str | None) -> int:
    """The id of the contact that an item with these ids was about, once it is recorded: the user id
    wins, then the address, then the anonymous id. Raises ``Contact.DoesNotExist``.
    """
    contacts = Contact.objects.order_by("pk")
    if external_id:
        former = FormerId.objects.filter(value=external_id).values("contact_id")
        found = contacts.filter(Q(external_id=external_id) | Q(pk__in=former))
    elif email:
        found = contacts.annotate(mailbox=Lower("email")).filter(mailbox=email.strip().lower())
    else:
        device = AnonymousId.objects.filter(value=anonymous_id).values("contact_id")
        found = contacts.filter(pk__in=device)
    return found.values_list("pk", flat=True)[:1].get()


@dataclass(frozen=True, slots=True)
class Named:
    """The ids of the contacts that are meant, in order, and what nobody is known by."""

    ids: Sequence[int]
    unknown: Sequence[str]


def named(text: str) -> Named:
    """Whom a list names by user ids and addresses, one a line or parted by commas or semicolons.

    Two statements. An address may be that of several contacts: all are meant.
    """
    terms = list(dict.fromkeys(term.strip() for term in re.split(r"[\n,;]", text)))
    wanted = [term for term in terms if term]
    asked = [term for term in wanted if not UNFIT.search(term)]
    contacts = Contact.objects.order_by()
    by_id = dict(contacts.filter(external_id__any_of=asked).values_list("external_id", "pk"))
    mailboxes = contacts.annotate(mailbox=Lower("email"))
    lowered = [term.lower() for term in asked if "@" in term]
    by_address = list(mailboxes.filter(mailbox__any_of=lowered).values_list("mailbox", "pk"))
    known = {*by_id, *(mailbox for mailbox, _ in by_address)}
    ids = {*by_id.values(), *(pk for _, pk in by_address)}
    unknown = [term for term in wanted if term not in known and term.lower() not in known]
    return Named(sorted(ids), unknown)


def sharing(contact: Contact) -> QuerySet[Contact]:
    """The other contacts with the same address."""
    if not contact.email:
        return Contact.objects.none()
    same = Contact.objects.annotate(mailbox=Lower("email")).filter(mailbox=contact.email.lower())
    return same.exclude(pk=contact.pk).order_by("pk")
