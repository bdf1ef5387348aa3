"""The forms that messaging adds to the condition language, as an editor offers them."""

from __future__ import annotations

from contacts.picks import Choices, Pick, offer
from messaging.conditions import DEEDS


def _topics() -> Choices:
    from messaging.models import Topic

    return list(Topic.objects.order_by("name").values_list("slug", "name"))


offer(
    Pick(
        form="subscribed",
        label="Topics",
        icon="label",
        holds="include",
        fails="do not include",
        choices=_topics,
    )
)
offer(
    Pick(
        form="message",
        label="Message of this journey",
        icon="mail",
        holds="from the node",
        fails="none from the node",
        key="did",
        words=DEEDS,
        enrollment=True,
    )
)
