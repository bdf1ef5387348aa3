"""A message as the mail that leaves: its content, its headers and the links in it."""

from __future__ import annotations

from datetime import datetime
from email.utils import formataddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.validators import validate_email

from messaging import backends, links, rendering
from messaging.models import Installation, Message
from messaging.rendering import Rendered


def recipient_of(message: Message) -> links.Recipient:
    """Whom the links in a message are for."""
    return links.Recipient(message.contact_id, message.topic_id, message.uuid)


def render(message: Message, installation: Installation, now: datetime) -> Rendered:
    """The mail that a message is. Raises `TemplateError`."""
    context = rendering.context(
        message.contact,
        now=now,
        event=message.context.get("event"),
        event_name=message.context.get("event_name", ""),
        journey=message.journey,
        postal_address=installation.postal_address,
        message_id=str(message.uuid),
        **links.template_urls(recipient_of(message)),
    )
    return rendering.render(message.template, context, footer=not message.transactional)


def mail(
    message: Message,
    rendered: Rendered,
    installation: Installation,
    connection: BaseEmailBackend | None = None,
) -> EmailMultiAlternatives:
    """The mail as it leaves. Raises ValidationError where the address is none."""
    validate_email(message.to)
    sender = sender_of(installation)
    mail = EmailMultiAlternatives(
        rendered.subject,
        rendered.text,
        sender,
        [message.to],
        connection=connection,
        reply_to=[installation.reply_to] if installation.reply_to else None,
        headers=headers(message, sender),
    )
    _add_html(mail, message, rendered, installation)
    if backends.takes_metadata():
        mail.metadata = {"message": str(message.uuid)}  # type: ignore[attr-defined]
    mail.idempotency_key = str(message.uuid)  # type: ignore[attr-defined]
    return mail


def _add_html(
    mail: EmailMultiAlternatives, message: Message, rendered: Rendered, installation: Installation
) -> None:
    """The HTML part, with the picture and the links by which openings and clicks are told."""
    if not rendered.html:
        return
    html = links.track(
        rendered.html,
        message.uuid,
        opens=installation.track_opens,
        clicks=installation.track_clicks,
        untouched=set(links.template_urls(recipient_of(message)).values()),
    )
    if rendered.text:
        mail.attach_alternative(html, "text/html")
    else:
        mail.body, mail.content_subtype = html, "html"


def sender_of(installation: Installation) -> str:
    """The From of all mail."""
    if not installation.from_email:
        return str(settings.DEFAULT_FROM_EMAIL)
    return formataddr((rendering.one_line(installation.from_name), installation.from_email))


def headers(message: Message, sender: str) -> dict[str, str]:
    """The headers that say which message it is, and how to get no more (RFC 8058)."""
    found = {"Message-ID": f"<{message.uuid}@{backends.domain(sender)}>"}
    if not message.transactional:
        url = links.template_urls(recipient_of(message))["unsubscribe_url"]
        found["List-Unsubscribe"] = f"<{url}>"
        found["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return found | backends.idempotency_headers(str(message.uuid))
