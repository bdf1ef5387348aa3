"""What a person's page shows of messages: the choices made, and the mails in the timeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.http import HttpRequest
from django.urls import reverse

from contacts.admin import panels, shown
from contacts.models import Contact, Event
from messaging import subscriptions, wording
from messaging.admin import sources
from messaging.admin.choices import CHANGE
from messaging.models import Message, Subscription, Template, Topic

Status = Message.Status

_SHOWN: dict[str, tuple[str, str, panels.Tone]] = {
    Status.QUEUED: ("schedule", "“{}” waits to be sent", ""),
    Status.SENDING: ("outgoing_mail", "“{}” is being sent", ""),
    Status.SENT: ("mail", "“{}” was sent", ""),
    Status.FAILED: ("mail_off", "“{}” could not be sent", "bad"),
    Status.SKIPPED: ("mail_off", "“{}” was not sent", ""),
    Status.UNCERTAIN: ("question_mark", "“{}” may have been sent", "warning"),
    Status.CANCELLED: ("cancel_schedule_send", "“{}” was called off", ""),
}


@panels.section(order=30)
def choices(contact: Contact, request: HttpRequest) -> panels.Section | None:
    """What the person takes."""
    if not request.user.has_perm("messaging.view_subscription"):
        return None
    chosen = subscriptions.takes([contact.pk]).get(contact.pk, subscriptions.NO_CHOICE)
    stored = Subscription.objects.filter(contact=contact)
    said: dict[str | None, str] = {
        slug: f"{shown.moment(at)}, {source}" if source else shown.moment(at)
        for slug, at, source in stored.values_list("topic__slug", "changed_at", "source")
    }
    rows = [
        panels.Row(
            topic.name,
            "Takes it" if taken else "Does not take it",
            tone="good" if taken else "",
            note=said.get(topic.slug, "") if topic.slug in chosen.topics else "by default",
        )
        for topic in Topic.objects.all()
        for taken in [chosen.take(topic.slug, topic.subscribed_by_default)]
    ]
    if contact.email and subscriptions.suppressed([contact.email]):
        rows.insert(0, panels.Row("The address", "Suppressed", tone="bad", note="nothing is sent"))
    if chosen.unsubscribed_all:
        rows.insert(
            0, panels.Row("All marketing mail", "Unsubscribed", tone="bad", note=said.get(None, ""))
        )
    may = request.user.has_perm(CHANGE)
    url = reverse("admin:messaging_subscription_of", args=[contact.pk]) if may else ""
    link = "Change" if may else ""
    return panels.Section("Subscriptions", "label", rows, "There are no topics yet.", url, link)


@panels.timeline
def mails(contact: Contact, before: datetime | None, limit: int) -> Sequence[panels.Entry]:
    """The mails to the person."""
    found = Message.objects.filter(contact=contact).select_related("template")
    if before:
        found = found.filter(queued_at__lt=before)
    newest = found.defer("text", "html", "context").order_by("-queued_at", "-pk")[:limit]
    return [_entry(message) for message in newest]


_TOLD = {
    "message_delivered": ("mark_email_read", "“{}” was delivered"),
    "message_opened": ("drafts", "Opened “{}”"),
    "message_clicked": ("ads_click", "Followed a link in “{}”"),
    "message_bounced": ("mail_off", "“{}” bounced"),
}


@panels.event_words
def told(events: Sequence[Event]) -> dict[int, tuple[str, str, str]]:
    """What became of mails (T7), by the names of template and journey; two statements."""
    mine = [event for event in events if event.name in _TOLD]
    slugs = {str(event.properties.get("template")) for event in mine}
    names = dict(Template.objects.filter(slug__in=slugs).values_list("slug", "name"))
    journeys = sources.called(str(event.properties.get("journey") or "") for event in mine)
    found = {}
    for event in mine:
        icon, title = _TOLD[event.name]
        template = str(event.properties.get("template"))
        journey, node = (str(event.properties.get(part) or "") for part in ("journey", "node"))
        title = title.format(names.get(template, template))
        found[event.pk] = (icon, title, " · ".join(filter(None, (journeys.get(journey), node))))
    return found


def _entry(message: Message) -> panels.Entry:
    icon, title, tone = _SHOWN[message.status]
    told = [
        words
        for at, words in (
            (message.delivered_at, "delivered"),
            (message.opened_at, "opened"),
            (message.clicked_at, "a link followed"),
            (message.bounced_at, "bounced"),
            (message.complained_at, "reported as spam"),
        )
        if at
    ]
    return panels.Entry(
        at=message.queued_at,
        icon=icon,
        title=title.format(message.subject or message.template.name),
        detail=", ".join(told).capitalize() or wording.why(message.reason),
        url=reverse("admin:messaging_message_change", args=[message.pk]),
        tone="bad" if message.bounced_at or message.complained_at else tone,
        rank=(panels.Phase.WENT_THROUGH, message.visit or 0),
    )
