"""What the links in a mail's footer do: unsubscribe with one click, and choose topics."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from contacts.models import Contact, Merge
from messaging import links, subscriptions
from messaging.models import Message, Topic

#: Where a choice was made that was not made with one click.
PAGE = "preference page"


@dataclass(frozen=True)
class TopicChoice:
    """A topic, and whether the person takes it."""

    slug: str
    name: str
    description: str
    taken: bool


@dataclass(frozen=True)
class Preferences:
    """What a person takes at the moment. ``topic`` is what the mail was about, if anything."""

    address: str
    unsubscribed_all: bool
    topic: TopicChoice | None
    topics: list[TopicChoice]


def find(token: str) -> tuple[Contact, Topic | None] | None:
    """Whom a link is for and about which topic; None where it is none of ours or nobody is left."""
    recipient = links.recipient(token)
    if recipient is None:
        return None
    contact = _contact(recipient)
    if contact is None:
        return None
    topic = Topic.objects.filter(pk=recipient.topic_id).first() if recipient.topic_id else None
    return contact, topic


def _contact(recipient: links.Recipient) -> Contact | None:
    """The contact, or the one it was merged into since."""
    if contact := Contact.objects.filter(pk=recipient.contact_id).first():
        return contact
    if contact := _merged_into(recipient.contact_id):
        return contact
    if recipient.message is None:
        return None
    message = Message.objects.filter(uuid=recipient.message).select_related("contact").first()
    return message.contact if message else None


def _merged_into(contact_id: int) -> Contact | None:
    """The contact that one who is gone was merged into; None where it was erased."""
    merge = Merge.objects.filter(merged_pk=contact_id).select_related("contact").order_by("-pk")
    found = merge.first()
    return found.contact if found else None


def preferences(contact: Contact, topic: Topic | None) -> Preferences:
    """What the contact takes now."""
    chosen = subscriptions.takes([contact.pk]).get(contact.pk, subscriptions.NO_CHOICE)
    topics = [
        TopicChoice(
            found.slug,
            found.name,
            found.description,
            chosen.topics.get(found.slug, found.subscribed_by_default),
        )
        for found in Topic.objects.all()
    ]
    about = next((choice for choice in topics if topic and choice.slug == topic.slug), None)
    return Preferences(contact.email, chosen.unsubscribed_all, about, topics)


def unsubscribe(contact: Contact, topic: Topic | None, *, at: datetime, source: str) -> None:
    """Unsubscribe from the topic, or from everything where there is none."""
    _choose(contact, {topic.slug if topic else None: False}, at=at, source=source)


def resubscribe(contact: Contact, topic: Topic | None, *, at: datetime) -> None:
    """Take an unsubscription back."""
    _choose(contact, {topic.slug if topic else None: True}, at=at, source=PAGE)


def save(contact: Contact, taken: Collection[str], *, nothing: bool, at: datetime) -> None:
    """Write the choices of the preference page: the topics taken, or ``nothing`` at all.

    Who wants nothing keeps the choices by topic for the day that changes.
    """
    choices: dict[str | None, bool] = {None: not nothing}
    if not nothing:
        choices |= {slug: slug in taken for slug in Topic.objects.values_list("slug", flat=True)}
    _choose(contact, choices, at=at, source=PAGE)


def _choose(
    contact: Contact, choices: dict[str | None, bool], *, at: datetime, source: str
) -> None:
    """Write choices of a contact, also where it is merged into another one at this very moment.

    Of one who is erased meanwhile nothing is left to write about, and nobody to write to.
    """
    person: Contact | None = contact
    while person is not None:
        try:
            return subscriptions.choose(person.pk, choices, at=at, source=source)
        except Contact.DoesNotExist:
            person = _merged_into(person.pk)
    return None
