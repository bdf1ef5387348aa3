"""Two contacts become one: no choice and no suppression is lost, and nobody is mailed again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contacts import identity
from contacts.models import Contact
from messaging import subscriptions
from messaging.models import Message, Subscription, Suppression, Template, Topic

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def two() -> tuple[Contact, Contact]:
    Topic.objects.create(slug="news", name="News")
    return (
        Contact.objects.create(external_id="u1", email="one@x.org"),
        Contact.objects.create(external_id="u2", email="two@x.org"),
    )


def chosen(contact: Contact) -> subscriptions.Choices:
    return subscriptions.takes([contact.pk]).get(contact.pk, subscriptions.NO_CHOICE)


@pytest.mark.parametrize("topic", ["news", None])
@pytest.mark.parametrize(
    ("own", "other", "kept"),
    [
        (True, True, True),
        (True, False, False),
        (False, True, False),
        (False, False, False),
        (None, True, True),
        (None, False, False),
        (True, None, True),
        (False, None, False),
    ],
)
def test_one_choice_is_kept_and_an_unsubscription_stays(two, topic, own, other, kept):
    winner, loser = two
    for contact, subscribed, days in ((winner, own, 2), (loser, other, 1)):
        if subscribed is not None:
            subscriptions.subscribe(contact.pk, topic, subscribed, at=T0 - days * DAY, source="x")
    identity.merge(winner.pk, loser.pk, at=T0)
    row = Subscription.objects.get()
    assert (row.contact, row.subscribed) == (winner, kept)
    assert chosen(winner).take("news") is kept
    # The row that counts is the one that was made, with its moment.
    assert row.changed_at == T0 - (2 if own is kept else 1) * DAY


def test_choices_about_different_topics_are_all_kept(two):
    winner, loser = two
    Topic.objects.create(slug="offers", name="Offers")
    subscriptions.subscribe(winner.pk, "news", True, at=T0)
    subscriptions.choose(loser.pk, {"offers": False, None: False}, at=T0)
    identity.merge(winner.pk, loser.pk, at=T0)
    assert chosen(winner) == subscriptions.Choices(True, {"news": True, "offers": False})


def test_suppressions_and_messages_are_kept(two):
    winner, loser = two
    subscriptions.suppress("two@x.org", at=T0)
    template = Template.objects.create(slug="t", name="T", subject="Hi", text="Hi")
    for contact in two:
        Message.objects.create(contact=contact, template=template, queued_at=T0)
    identity.merge(winner.pk, loser.pk, at=T0)
    assert Message.objects.filter(contact=winner).count() == 2
    assert Suppression.objects.get().address == "two@x.org"
    assert subscriptions.suppressed(["two@x.org"])
