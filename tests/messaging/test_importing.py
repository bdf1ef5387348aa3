"""Choices about topics that come with an import: nobody is subscribed against their will."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.imports import hooks
from contacts.models import Contact
from messaging import importing, subscriptions
from messaging.models import Message, Subscription, Template, Topic

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def contact() -> Contact:
    Topic.objects.create(slug="news", name="News")
    return Contact.objects.create(external_id="u1", email="One@x.org")


def choose(contact: Contact, subscribed: bool, *, keep: bool = True) -> bool | None:
    assert hooks.topics is not None
    hooks.topics.choose(
        [(contact.pk, "news", subscribed), (contact.pk, "nonsense", True)],
        at=T0,
        keep_unsubscribed=keep,
        source="Import a.csv",
    )
    row = Subscription.objects.filter(contact=contact, topic__slug="news").first()
    return row and row.subscribed


def test_the_topics_are_offered_to_imports(contact):
    assert hooks.topics is not None
    assert hooks.topics.names() == [("news", "News")]


def test_a_choice_is_written_and_changed(contact):
    assert choose(contact, True) is True
    assert choose(contact, False) is False
    assert Subscription.objects.get().source == "Import a.csv"


@pytest.mark.parametrize(("keep", "after"), [(True, False), (False, True)])
def test_who_unsubscribed_from_the_topic_stays_so(contact, keep, after):
    subscriptions.subscribe(contact.pk, "news", False, at=T0)
    assert choose(contact, True, keep=keep) is after


def test_who_unsubscribed_from_all_stays_so(contact):
    subscriptions.subscribe(contact.pk, None, False, at=T0)
    assert choose(contact, True) is None
    assert choose(contact, True, keep=False) is True
    assert not subscriptions.takes([contact.pk])[contact.pk].take("news")


@pytest.mark.parametrize("keep", [True, False])
def test_a_suppressed_address_is_never_subscribed(contact, keep):
    subscriptions.suppress("one@x.org", at=T0)
    assert choose(contact, True, keep=keep) is None
    assert choose(contact, False, keep=keep) is False


def test_the_number_of_statements_is_fixed(contact):
    def counted(number: int) -> int:
        people = Contact.objects.bulk_create(
            Contact(external_id=f"{number}-{n}", email=f"{number}-{n}@x.org") for n in range(number)
        )
        assert hooks.topics is not None
        with CaptureQueriesContext(
            connection,
        ) as queries:
            hooks.topics.choose(
                [(person.pk, "news", True) for person in people],
                at=T0,
                keep_unsubscribed=True,
                source="Import a.csv",
            )
        return len({query["sql"].split(" VALUES ")[0] for query in queries})

    assert counted(3) == counted(30) <= 6


def test_an_import_that_is_undone_leaves_whom_something_was_said_to(contact):
    people = [contact, *(Contact.objects.create(external_id=f"v{n}") for n in range(3))]
    template = Template.objects.create(slug="t", name="T", subject="Hi", text="Hi")
    Message.objects.create(contact=people[1], template=template, queued_at=T0)
    subscriptions.subscribe(people[2].pk, "news", False, at=T0 + timedelta(1), source="Link")
    choose(people[3], True)
    ids = {person.pk for person in people}
    assert importing.spoken_to(ids) == {people[1].pk, people[2].pk}
