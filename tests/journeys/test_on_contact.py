"""What a person's page tells of journeys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import ingest
from contacts.admin import panels
from contacts.items import Identify, Track
from contacts.models import Contact, Event
from journeys import plans, publishing, work
from messaging.models import Template

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def contact() -> Contact:
    plans.forget()
    definition = {
        "journey": "trial",
        "name": "Trial",
        "entry": {"trigger": {"event": "go"}},
        "start": "which",
        "nodes": {
            "which": {
                "kind": "branch",
                "paths": [
                    {"name": "pro", "when": {"attribute": "plan", "op": "eq", "value": "pro"}}
                ],
                "next": {"pro": "rest"},
            },
            "rest": {"kind": "wait", "for": "7d"},
        },
    }
    publishing.publish(publishing.create(definition, at=T0), at=T0)
    ingest.record(
        [Identify({"plan": "pro"}, external_id="u1"), Track("go", external_id="u1")],
        received_at=T0,
    )
    work.work(T0)
    return Contact.objects.get()


def test_visits_stand_in_the_timeline_in_their_order(contact: Contact) -> None:
    entries = panels.entries_of(contact, None, 40)
    told = [(entry.icon, entry.detail) for entry in reversed(entries) if "Trial ·" in entry.detail]
    assert told == [
        ("call_split", "Trial · went on by “pro”"),
        ("hourglass_empty", "Trial · is still there"),
    ]
    assert panels.entries_of(contact, T0, 40) == []


def test_what_has_one_moment_stands_in_the_order_of_cause(contact: Contact) -> None:
    at_once = [one.title for one in reversed(panels.entries_of(contact, None, 40)) if one.at == T0]
    assert at_once == ["Became known", "go", "Entered Trial", "If plan is pro", "Wait 7 days"]


def test_what_became_of_mails_is_told_in_words(contact: Contact, admin_client: Client) -> None:
    """T7: the events say it for conditions; a person reads what happened to which mail."""
    Template.objects.create(slug="hello", name="Good day", subject="x", text="x")
    names = ("delivered", "opened", "clicked", "bounced")
    properties = {"journey": "trial", "node": "rest", "template": "hello"}
    Event.objects.bulk_create(
        Event(
            contact=contact,
            name=f"message_{name}",
            message_id=name,
            properties={**properties, "template": "gone"} if name == "bounced" else properties,
            occurred_at=T0 + timedelta(minutes=number),
            received_at=T0 + timedelta(minutes=number),
        )
        for number, name in enumerate(names, 1)
    )
    entries = [one for one in panels.entries_of(contact, None, 4) if "·" in one.detail]
    assert [(one.title, one.detail) for one in reversed(entries)] == [
        ("“Good day” was delivered", "Trial · rest"),
        ("Opened “Good day”", "Trial · rest"),
        ("Followed a link in “Good day”", "Trial · rest"),
        ("“gone” bounced", "Trial · rest"),
    ]
    events = list(Event.objects.filter(contact=contact))
    with CaptureQueriesContext(connection) as statements:
        panels.words_of(events)
    assert len(statements) == 2


def test_the_page_shows_journeys_and_visits(contact: Contact, admin_client: Client) -> None:
    address = reverse("admin:contacts_contact_change", args=[contact.pk])
    page = admin_client.get(address).content.decode()
    assert "Trial · is still there" in page
    assert "Waiting at “Wait 7 days”" in page
