"""A mail made for looking at it: a template, filled in for somebody, and sent to nobody else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from email.utils import make_msgid
from typing import Any

from django.core.mail import EmailMultiAlternatives

from contacts.models import Contact, Event
from contacts.problems import Problem
from messaging import backends, envelope, links, rendering
from messaging.models import Installation, Template
from messaging.rendering import Rendered
from messaging.sandbox import TemplateError

#: Whom a template is shown for while there is nobody.
NOBODY = {
    "email": "ann@example.com",
    "external_id": "ann",
    "attributes": {"first_name": "Ann", "last_name": "Example", "name": "Ann Example"},
}


@dataclass
class Preview:
    """What a template makes of a sample, or what is wrong with it."""

    rendered: Rendered | None = None
    problems: list[Problem] = field(default_factory=list)
    contact: Contact | None = None
    event: Event | None = None


def preview(
    template: Template, contact: Contact | None, *, transactional: bool, now: datetime
) -> Preview:
    """The unsaved template as it would look for the contact, or for the newest one there is.

    The event is the last one of the contact that the template could speak of.
    """
    fields = {name: getattr(template, name) for name in ("subject", *rendering.SOURCES)}
    if not any(value.strip() for value in fields.values()):
        return Preview()
    found = Preview(problems=rendering.check(fields))
    if any(problem.level == "error" for problem in found.problems):
        return found
    found.contact = contact or Contact.objects.exclude(email="").order_by("-pk").first()
    person = found.contact or Contact(created_at=now, **NOBODY)
    properties, name = {}, ""
    if found.contact and (started := _event(template, found.contact)):
        found.event, properties, name = started, started.properties, started.name
    template.compiled_html = rendering.compile_html(mjml=template.mjml, markdown=template.markdown)
    context = rendering.context(
        person,
        now=now,
        event=properties,
        event_name=name,
        postal_address=Installation.load().postal_address,
        message_id="test",
        **links.template_urls(None),
    )
    try:
        found.rendered = rendering.render(template, context, footer=not transactional)
    except TemplateError as error:
        found.problems.append(Problem("", f"It can't be filled in for this person. {error}"))
    return found


def _event(template: Template, contact: Contact) -> Event | None:
    """The contact's last event with all that the template reads of one, else the last of all."""
    sources = (getattr(template, name) for name in ("subject", *rendering.SOURCES))
    used = {
        name.split(".")[1]
        for source in sources
        for name in rendering.variables(source)
        if name.startswith("event.")
    } - {"name", "properties"}
    latest: Any = contact.events.exclude(name__startswith="message_").order_by("-occurred_at")[:50]
    events = list(latest)
    fitting = (event for event in events if used <= event.properties.keys())
    return next(fitting, events[0] if events else None)


def send(rendered: Rendered, address: str) -> None:
    """Send a sample. Raises what the backend raises."""
    sender = envelope.sender_of(Installation.load())
    mail = EmailMultiAlternatives(
        f"[Test] {rendered.subject}",
        rendered.text or rendered.html,
        sender,
        [address],
        connection=backends.connect(),
        headers={"Message-ID": make_msgid(domain=backends.domain(sender))},
    )
    if rendered.html and rendered.text:
        mail.attach_alternative(rendered.html, "text/html")
    mail.send()
