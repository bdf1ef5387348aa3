"""People who share an address: it may be so, and whoever edits or erases one of them must know."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from contacts import lookup
from contacts.admin.timeline import name_of
from contacts.models import Contact

#: So many of them are named.
NAMED = 3


def others(contact: Contact) -> SafeString:
    """Links to the other people with the contact's address; empty where it is theirs alone."""
    found = list(lookup.sharing(contact)[: NAMED + 1])
    more = " and others" if len(found) > NAMED else ""
    return format_html("{}{}", format_html_join(", ", "{}", map(_link, found[:NAMED])), more)


def _link(contact: Contact) -> tuple[SafeString]:
    url = reverse("admin:contacts_contact_change", args=[contact.pk])
    words = name_of(contact) or contact.external_id or f"contact {contact.pk}"
    return (format_html('<a class="underline" href="{}">{}</a>', url, words),)
