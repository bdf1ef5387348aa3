"""The words that messaging adds to the condition language: ``subscribed`` and ``message``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef
from django.db.models.expressions import Combinable

from contacts.conditions import (
    Condition,
    Never,
    Reader,
    References,
    View,
    every,
    form,
    negate,
    wording,
)
from contacts.conditions.language import one_of
from contacts.conditions.sql import constant

#: What a message can have done, with the words for it.
DEEDS = {
    "sent": "was sent",
    "delivered": "was delivered",
    "opened": "was opened",
    "clicked": "was clicked",
    "bounced": "bounced",
}
#: The words for a message that has not.
NOT_DONE = {
    "sent": "was not sent",
    "delivered": "was not delivered",
    "opened": "was not opened",
    "clicked": "was not clicked",
    "bounced": "did not bounce",
}


@dataclass(frozen=True)
class Subscribed(Condition):
    """The contact takes the topic: by own choice, else by the topic's default; never when
    unsubscribed from all.
    """

    topic: str
    title: str = field(default="", compare=False)

    def holds(self, view: View) -> bool:
        return view.takes(self.topic)

    def expression(self, now: datetime, inside: tuple[str, ...] = ()) -> Combinable:
        """As `Condition.expression`; nobody takes a topic that does not exist."""
        from messaging.models import Subscription, Topic

        topic = Topic.objects.filter(slug=self.topic).first()
        if topic is None:
            return constant(False)
        choices = Subscription.objects.filter(contact=OuterRef("pk"))
        refused = Exists(choices.filter(topic=topic, subscribed=False))
        chosen = Exists(choices.filter(topic=topic, subscribed=True))
        refused_all = Exists(choices.filter(topic__isnull=True, subscribed=False))
        takes = negate(refused) if topic.subscribed_by_default else chosen
        return every([takes, negate(refused_all)])

    def words(self) -> str:
        return f"subscribed to {wording.quoted(self.title or self.topic)}"

    def denial(self) -> str:
        return f"not {self.words()}"

    def looks_at(self) -> References:
        return References(topics=frozenset({self.topic}))


@dataclass(frozen=True)
class MessageDid(Condition):
    """A message of this enrollment from the send node did that; a queued one counts as sent."""

    node: str
    did: str
    title: str = field(default="", compare=False)

    def holds(self, view: View) -> bool:
        return view.message_did(self.node, self.did)

    def expression(self, now: datetime, inside: tuple[str, ...] = ()) -> Combinable:
        raise TypeError("“message” needs an enrollment, so it is no question about a set.")

    def words(self) -> str:
        return f"the message {self._shown} {DEEDS[self.did]}"

    def denial(self) -> str:
        return f"the message {self._shown} {NOT_DONE[self.did]}"

    @property
    def _shown(self) -> str:
        return wording.quoted(self.title or self.node)

    def looks_at(self) -> References:
        return References(nodes=frozenset({self.node}))


@form("message", "Message of this journey", ("did",))
def _parse_message(data: Mapping[str, Any], reader: Reader) -> Condition:
    node = reader.name(data, "message", "a node")
    reader.known(node, "message", reader.scope.nodes, "node that sends,")
    did = data.get("did")
    known = isinstance(did, str) and did in DEEDS
    if not known:
        what = "Say what the message did." if did is None else f"No message can be “{did}”."
        reader.error("did", what, one_of(DEEDS))
    if not reader.scope.enrollment:
        reader.error(
            None,
            "There is no enrollment here, so no message of it.",
            "“message” may stand in branches and in exit_when.",
        )
        return Never()
    if not node or not known:
        return Never()
    return MessageDid(node, str(did), reader.title(node, reader.scope.nodes))


@form("subscribed", "Takes a topic")
def _parse_subscribed(data: Mapping[str, Any], reader: Reader) -> Condition:
    topic = reader.name(data, "subscribed", "a topic")
    if topic == "all":
        reader.error("subscribed", "“all” is not a topic.", "Name one topic.")
        return Never()
    reader.known(topic, "subscribed", reader.scope.topics, "topic")
    return Subscribed(topic, reader.title(topic, reader.scope.topics)) if topic else Never()
