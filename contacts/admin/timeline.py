"""This room's part of a contact's page: attributes, segments, events, merges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from contacts.admin import members, shown
from contacts.admin.panels import Entry, Phase, Row, Section, section, timeline, words_of
from contacts.models import Contact, Event, Membership, Merge
from contacts.values import leaves


def name_of(contact: Contact) -> str:
    """What a person is called, by the attributes that usually say it."""
    values = contact.attributes
    if isinstance(values.get("name"), str):
        return str(values["name"])
    parts = [values.get(name) for name in ("first_name", "last_name")]
    return " ".join(part for part in parts if isinstance(part, str) and part)


def attributes(contact: Contact) -> list[Row]:
    """The attributes as rows."""
    return [Row(name, shown.words(value)) for name, value in leaves(contact.attributes)]


@section(order=20)
def identity(contact: Contact, request: HttpRequest) -> Section:
    """By what the contact is known."""
    rows = [
        Row("User id", contact.external_id or "none"),
        Row("Email", contact.email or "none"),
        Row("Time zone", contact.timezone or "the installation's"),
        *([Row("Language", contact.language)] if contact.language else []),
        Row("Created", shown.moment(contact.created_at)),
    ]
    devices = contact.anonymous_ids.order_by("created_at").values_list("value", flat=True)[:5]
    rows += [Row("Anonymous id", value) for value in devices]
    former = contact.former_ids.values_list("value", flat=True)[:5]
    rows += [Row("Former user id", value) for value in former]
    return Section("Known by", "badge", rows)


@section(order=50)
def segments(contact: Contact, request: HttpRequest) -> Section:
    """The segments the contact is in."""
    inside = contact.memberships.filter(left_at=None).select_related("segment")
    rows = [
        Row(
            membership.segment.name,
            f"since {shown.day(membership.entered_at)}",
            reverse("admin:contacts_segment_change", args=[membership.segment_id]),
        )
        for membership in inside.order_by("segment__name")
    ]
    may, chosen = members.may_any(request), f"?ids={contact.pk}"
    url = reverse("admin:contacts_contact_segments") + chosen if may else ""
    link = "Put in or take out" if may else ""
    return Section("Segments", "groups", rows, "In no segment.", url, link)


@timeline
def events(contact: Contact, before: datetime | None, limit: int) -> Sequence[Entry]:
    """What the contact did."""
    found = Event.objects.filter(contact=contact).order_by("-occurred_at", "-id")
    if before is not None:
        found = found.filter(occurred_at__lt=before)
    latest = list(found[:limit])
    words = words_of(latest)
    return [
        Entry(
            event.occurred_at,
            *(words.get(event.pk) or ("bolt", event.name, shown.line(event.properties))),
            reverse("admin:contacts_event_change", args=[event.pk]),
            rank=(Phase.HAPPENED, event.pk),
        )
        for event in latest
    ]


@timeline
def memberships(contact: Contact, before: datetime | None, limit: int) -> Sequence[Entry]:
    """Segments the contact came into and left."""
    found = Membership.objects.filter(contact=contact).select_related("segment")
    if before is not None:
        found = found.filter(Q(entered_at__lt=before) | Q(left_at__lt=before))
    entries = []
    for membership in found.order_by("-entered_at")[: limit * 2]:
        moments = (
            (membership.entered_at, "login", "Came into"),
            (membership.left_at, "logout", "Left"),
        )
        for at, icon, verb in moments:
            if at is not None and (before is None or at < before):
                title = f"{verb} the segment {membership.segment.name}"
                entries.append(Entry(at, icon, title))
    return sorted(entries, key=lambda entry: entry.at, reverse=True)[:limit]


@timeline
def merges(contact: Contact, before: datetime | None, limit: int) -> Sequence[Entry]:
    """Other contacts that became this one."""
    found = Merge.objects.filter(contact=contact).select_related("merged_by")
    if before is not None:
        found = found.filter(merged_at__lt=before)
    return [
        Entry(
            merge.merged_at,
            "merge",
            f"Merged with {merge.external_id or merge.email or 'an anonymous visitor'}",
            shown.line(merge.attributes) + (f" · by {merge.merged_by}" if merge.merged_by else ""),
        )
        for merge in found[:limit]
    ]


@timeline
def creation(contact: Contact, before: datetime | None, limit: int) -> Sequence[Entry]:
    """When the contact was made."""
    if before is not None and contact.created_at >= before:
        return []
    return [Entry(contact.created_at, "person_add", "Became known", rank=(Phase.BECAME_KNOWN, 0))]
