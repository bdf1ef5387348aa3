"""Who takes what: choices by topic, the unsubscription from all, and suppressed addresses."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models.functions import Lower

from contacts import bulk, ingest
from contacts.models import Contact
from messaging.models import Subscription, Suppression, Topic, address_hash


class Choices(NamedTuple):
    """What one contact chose: the unsubscription from all, and topic slug → subscribed."""

    unsubscribed_all: bool
    topics: dict[str, bool]

    def take(self, topic: str | None, default: bool = True) -> bool:
        """Whether marketing mail on this topic is welcome (S3); ``default`` is the topic's own."""
        if self.unsubscribed_all:
            return False
        return topic is None or self.topics.get(topic, default)


NO_CHOICE = Choices(False, {})


def takes(contact_ids: Collection[int]) -> dict[int, Choices]:
    """The choices of these contacts, in one statement; who made none has no entry."""
    chosen: dict[int, tuple[bool, dict[str, bool]]] = {}
    rows = Subscription.objects.filter(contact__in=contact_ids).values_list(
        "contact_id", "topic__slug", "subscribed"
    )
    for contact_id, topic, subscribed in rows:
        unsubscribed_all, topics = chosen.get(contact_id, (False, {}))
        if topic:
            topics[topic] = subscribed
        else:
            unsubscribed_all = not subscribed
        chosen[contact_id] = unsubscribed_all, topics
    return {contact_id: Choices(*found) for contact_id, found in chosen.items()}


def suppressed(addresses: Iterable[str]) -> set[str]:
    """Those of the addresses, as they are spelled here, that are suppressed (S2); one statement."""
    by_hash: dict[str, list[str]] = {}
    for address in set(addresses):
        if address.strip():
            by_hash.setdefault(address_hash(address), []).append(address)
    if not by_hash:
        return set()
    found = Suppression.objects.filter(hash__in=by_hash).values_list("hash", flat=True)
    return {address for hashed in found for address in by_hash[hashed]}


def subscribe(
    contact_id: int, topic: str | None, subscribed: bool, *, at: datetime, source: str = ""
) -> None:
    """Record a contact's choice about a topic, or about all marketing mail where it is None.

    It is a change of the contact (T2), also when it was so before. ``source`` says where the choice
    was made. Raises ``Topic.DoesNotExist`` for an unknown slug, and ``Contact.DoesNotExist`` where
    the contact is gone: merged into another, or erased.
    """
    choose(contact_id, {topic: subscribed}, at=at, source=source)


def choose(
    contact_id: int, choices: dict[str | None, bool], *, at: datetime, source: str = ""
) -> None:
    """Record several choices of one contact as one change; otherwise as `subscribe`."""
    slugs = {slug for slug in choices if slug is not None}
    topics = Topic.objects.in_bulk(slugs, field_name="slug")
    if slugs - topics.keys():
        raise Topic.DoesNotExist(f"No topic is called {', '.join(sorted(slugs - topics.keys()))}.")
    with transaction.atomic():
        if not ingest.touch([contact_id], at=at):  # first: it locks the contact
            raise Contact.DoesNotExist(f"There is no contact {contact_id} any more.")
        for slug, subscribed in choices.items():
            Subscription.objects.update_or_create(
                contact_id=contact_id,
                topic=None if slug is None else topics[slug],
                defaults={"subscribed": subscribed, "changed_at": at, "source": source[:100]},
            )


def suppress(
    addresses: str | Iterable[str],
    reason: str = Suppression.Reason.MANUAL,
    *,
    at: datetime,
) -> None:
    """Let nothing be sent to these addresses any more, for whoever has them (T8).

    It is a change of the contacts that have them (T2).
    """
    cleaned = _cleaned(addresses)
    ingest.again(lambda: _suppress(cleaned, reason, at))


def _suppress(cleaned: Collection[str], reason: str, at: datetime) -> None:
    ingest.touch(_owners(cleaned), at=at)  # first, as everybody does: contacts, then addresses
    insert(cleaned, reason, at=at)


def insert(addresses: Iterable[str], reason: str, *, at: datetime) -> None:
    """Write the suppressions alone, in one statement: for a caller that records the fact itself."""
    bulk.insert(
        Suppression,
        [
            {"hash": address_hash(address), "address": address, "reason": reason, "created_at": at}
            for address in sorted(_cleaned(addresses))
        ],
        ignore_conflicts=True,
    )


def unsuppress(addresses: str | Iterable[str], *, at: datetime) -> None:
    """Let mail go to these addresses again; a change of the contacts that have them (T2)."""
    cleaned = _cleaned(addresses)
    ingest.again(lambda: _unsuppress(cleaned, at))


def _unsuppress(cleaned: Collection[str], at: datetime) -> None:
    ingest.touch(_owners(cleaned), at=at)
    Suppression.objects.filter(hash__in=[address_hash(item) for item in cleaned]).delete()


def _cleaned(addresses: str | Iterable[str]) -> set[str]:
    given = [addresses] if isinstance(addresses, str) else addresses
    return {lowered for address in given if (lowered := address.strip().lower())}


def _owners(addresses: Collection[str]) -> list[int]:
    owners = Contact.objects.annotate(lowered=Lower("email")).filter(lowered__in=addresses)
    return list(owners.values_list("pk", flat=True))
