"""What providers tell through Anymail's webhooks, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason, tracking
from django.dispatch import receiver

from contacts.clock import now
from messaging import machines
from messaging.models import Message
from messaging.tracking import News, What, note

_WHAT = {
    EventType.DELIVERED: What.DELIVERED,
    EventType.OPENED: What.OPENED,
    EventType.CLICKED: What.CLICKED,
    EventType.BOUNCED: What.BOUNCED,
    EventType.REJECTED: What.BOUNCED,
    EventType.COMPLAINED: What.COMPLAINED,
    EventType.UNSUBSCRIBED: What.UNSUBSCRIBED,
    EventType.FAILED: What.FAILED,
}
#: Reasons that lie in the address; a policy or a timeout says nothing about it (FACTS 4.2).
_ADDRESS = frozenset(
    {RejectReason.BOUNCED, RejectReason.INVALID, RejectReason.SPAM, RejectReason.UNSUBSCRIBED}
)


@receiver(tracking)
def told(sender: Any, event: AnymailTrackingEvent, esp_name: str, **kwargs: Any) -> None:
    """A provider tells something. It is told again until we answer, so errors are let through."""
    what = _WHAT.get(event.event_type)
    pk = what and find(event)
    if not what or not pk:
        return
    at = now()
    soft = is_soft(event)
    news = News(
        pk,
        what,
        min(event.timestamp or at, at),
        suppress=not soft and event.reject_reason in _ADDRESS,
        soft=soft,
        machine=_by_machine(what, event),
        detail=" ".join(str(event.description or event.mta_response or "").split())[:1000],
    )
    note([news], received_at=at)


def find(event: AnymailTrackingEvent) -> int | None:
    """The message that an event is about: by our id in its metadata, else by the provider's."""
    metadata: Mapping[str, Any] = event.metadata or {}
    try:
        uuid = UUID(str(metadata.get("message")))
    except ValueError:
        uuid = None
    if uuid:
        return Message.objects.filter(uuid=uuid).values_list("pk", flat=True).first()
    if not event.message_id:
        return None
    same = Message.objects.filter(provider_id=str(event.message_id)[:255])
    return same.order_by("-pk").values_list("pk", flat=True).first()


def is_soft(event: AnymailTrackingEvent) -> bool:
    """Whether a bounce may be only for a while. Anymail tells most of these as “deferred”, but not
    those of every provider.
    """
    raw = event.esp_event
    if event.event_type != EventType.BOUNCED or not isinstance(raw, Mapping):
        return False
    bounce = raw.get("bounce")
    if isinstance(bounce, Mapping) and bounce.get("bounceType"):  # Amazon SES
        return bounce["bounceType"] != "Permanent"
    return (
        raw.get("Type") == "SoftBounce"  # Postmark
        or raw.get("event") in ("soft_bounce", "softBounce", "soft_bounced")  # Brevo, Mandrill
        or raw.get("type") == "activity.soft_bounced"  # MailerSend
        or (raw.get("event") == "bounce" and raw.get("hard_bounce") is False)  # Mailjet
    )


def _by_machine(what: What, event: AnymailTrackingEvent) -> bool:
    """Whether a program opened it: only where the provider tells who it was."""
    agent = event.user_agent
    if what is not What.OPENED or not agent:
        return False
    return machines.is_machine("GET", agent, machines.TOO_SOON)
