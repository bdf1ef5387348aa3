"""This room's part in an import: columns that hold choices about topics, and who must stay."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from contacts import bulk
from contacts.models import Contact
from messaging import subscriptions
from messaging.models import Message, Subscription, Topic

#: How the source of a choice begins that came with an import.
SOURCE = "Import "


class TopicColumns:
    """Choices about topics that a column of a file may hold; see ``contacts.imports.hooks``."""

    def names(self) -> list[tuple[str, str]]:
        """The slug and the name of each topic."""
        return list(Topic.objects.order_by("name").values_list("slug", "name"))

    def choose(
        self,
        choices: Sequence[tuple[int, str, bool]],
        *,
        at: datetime,
        keep_unsubscribed: bool,
        source: str,
    ) -> None:
        """Write (contact id, topic, subscribed), at most six statements; unknown topics are left.

        With ``keep_unsubscribed`` who has unsubscribed from the topic, or from all, stays so. Whose
        address is suppressed is subscribed to nothing.
        """
        topics = dict(Topic.objects.values_list("slug", "pk"))
        made = _Made({contact for contact, _, _ in choices})
        changed: list[dict[str, Any]] = []
        new: list[dict[str, Any]] = []
        for contact, slug, subscribed in choices:
            if slug not in topics or (
                subscribed and not made.may_subscribe(contact, topics[slug], keep_unsubscribed)
            ):
                continue
            row: dict[str, Any] = {"subscribed": subscribed, "changed_at": at, "source": source}
            found = made.choices.get((contact, topics[slug]))
            if found is None:
                new.append({"contact_id": contact, "topic_id": topics[slug], **row})
            elif found[1] != subscribed:
                changed.append({"id": found[0], **row})
        bulk.update(Subscription, changed, ["subscribed", "changed_at", "source"])
        bulk.insert(Subscription, new)


class _Made:
    """The choices that contacts made before, and whose address is suppressed."""

    def __init__(self, contact_ids: Collection[int]) -> None:
        rows = Subscription.objects.filter(contact__in=contact_ids)
        self.choices: dict[tuple[int, int | None], tuple[int, bool]] = {
            (contact, topic): (pk, subscribed)
            for pk, contact, topic, subscribed in rows.values_list(
                "pk", "contact_id", "topic_id", "subscribed"
            )
        }
        addresses = dict(Contact.objects.filter(pk__in=contact_ids).values_list("pk", "email"))
        refused = subscriptions.suppressed(addresses.values())
        self.suppressed = {pk for pk, address in addresses.items() if address in refused}

    def may_subscribe(self, contact: int, topic: int, keep_unsubscribed: bool) -> bool:
        """Whether a file may subscribe this contact to this topic."""
        if contact in self.suppressed:
            return False
        chosen = (self.choices.get((contact, one), (0, True))[1] for one in (topic, None))
        return not keep_unsubscribed or all(chosen)


def spoken_to(contact_ids: Collection[int]) -> set[int]:
    """Those of the contacts who got a message, or who chose something themselves."""
    messages = Message.objects.filter(contact__in=contact_ids).order_by()
    own = Subscription.objects.filter(contact__in=contact_ids).exclude(source__startswith=SOURCE)
    found = set(messages.values_list("contact_id", flat=True))
    return found | set(own.values_list("contact_id", flat=True))
