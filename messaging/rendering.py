"""A template, a contact and an event become a subject, a text and an HTML part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from html import escape
from typing import Any, Protocol

from contacts.models import Contact
from contacts.problems import Problem
from messaging import compiling, plaintext, sandbox
from messaging.sandbox import TemplateError

#: What a template is written in; the names are those of the fields.
SOURCES = ("text", "html", "mjml", "markdown")
#: What a template is given beside the contact and the event.
GIVEN = frozenset({"contact", "event", "journey", "message", "now", "today"}) | {
    "unsubscribe_url",
    "preferences_url",
    "postal_address",
}
MAX_SUBJECT = 500


class Written(Protocol):
    """A template's fields; `messaging.models.Template` is one."""

    subject: str
    text: str
    html: str
    mjml: str
    markdown: str
    compiled_html: str


@dataclass(frozen=True)
class Rendered:
    """A mail. ``text`` or ``html`` is blank where the mail has no such part, never both."""

    subject: str
    text: str
    html: str


def compile_html(*, mjml: str = "", markdown: str = "") -> str:
    """What ``Template.compiled_html`` holds; MJML comes before Markdown.

    Raises `compiling.CompileError`.
    """
    if mjml.strip():
        return compiling.from_mjml(mjml)
    if markdown.strip():
        return compiling.from_markdown(markdown)
    return ""


def render(template: Written, context: Mapping[str, Any], *, footer: bool = False) -> Rendered:
    """The mail that ``context`` (see `context`) makes of the template.

    HTML written by hand comes before MJML, and that before Markdown. Where there is no text, it is
    made from the HTML; a mail with only a text stays a text. ``footer`` adds the link to
    unsubscribe and the postal address to each part that does not show them, as marketing mail must.
    Raises `TemplateError`.
    """
    subject = one_line(sandbox.render(template.subject, context, escape=False))
    source = _html_source(template)
    html = sandbox.render(source, context, escape=True) if source.strip() else ""
    text = sandbox.render(template.text, context, escape=False) if template.text.strip() else ""
    if html and not text.strip():
        text = plaintext.from_html(html)
    if not text.strip() and not html.strip():
        raise TemplateError("The mail would be empty.")
    if footer:
        text = text + _text_footer(text, context)
        html = html and _with_html_footer(html, context)
    return Rendered(subject[:MAX_SUBJECT], text, html)


def _html_source(template: Written) -> str:
    """The HTML that is filled in; a template written past its ``save`` is compiled here."""
    if template.html.strip() or template.compiled_html:
        return template.html if template.html.strip() else template.compiled_html
    try:
        return _compiled(template.mjml, template.markdown)
    except compiling.CompileError as error:
        raise TemplateError(str(error)) from error


@lru_cache(maxsize=32)
def _compiled(mjml: str, markdown: str) -> str:
    return compile_html(mjml=mjml, markdown=markdown)


def one_line(text: str) -> str:
    """The text without line breaks and other controls: nothing in it can begin a new header."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+", " ", text).split())


def context(
    contact: Contact,
    *,
    now: datetime,
    event: Mapping[str, Any] | None = None,
    event_name: str = "",
    journey: str = "",
    unsubscribe_url: str = "",
    preferences_url: str = "",
    postal_address: str = "",
    message_id: str = "",
) -> dict[str, Any]:
    """What a template sees: plain values only, never a model.

    ``contact`` holds the attributes and, before them, the contact's own fields. ``event`` holds the
    properties of the event that started the enrollment, once more in ``event.properties``.
    """
    properties = dict(event or {})
    named = {"name": event_name} if event_name else {}
    return {
        "contact": {
            **contact.attributes,
            "external_id": contact.external_id or "",
            "email": contact.email,
            "timezone": contact.timezone,
            "language": contact.language,
            "created_at": contact.created_at,
        },
        "event": {**properties, **named, "properties": properties},
        "journey": journey,
        "message": {"id": message_id},
        "unsubscribe_url": unsubscribe_url,
        "preferences_url": preferences_url,
        "postal_address": postal_address,
        "now": now,
        "today": now,
    }


def check(fields: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong with a template's fields (those of the journey file); place is the field.

    Parse errors name their line. What looks wrong but is allowed is a warning.
    """
    problems = [
        Problem(name, str(error))
        for name in ("subject", *SOURCES)
        for error in sandbox.check(str(fields.get(name) or ""))
    ]
    if not str(fields.get("subject") or "").strip():
        problems.append(Problem("subject", "A message needs a subject."))
    if not any(str(fields.get(name) or "").strip() for name in SOURCES):
        problems.append(
            Problem("text", "There is no content.", "Write a text, HTML, MJML or Markdown.")
        )
    if not problems and str(fields.get("mjml") or "").strip():
        problems += _check_mjml(str(fields["mjml"]))
    return problems + _check_names(fields)


def _check_mjml(source: str) -> list[Problem]:
    try:
        compiled = compiling.from_mjml(source)
    except compiling.CompileError as error:
        return [Problem("mjml", str(error))]
    return [Problem("mjml", f"After compiling: {error}") for error in sandbox.check(compiled)]


def _check_names(fields: Mapping[str, Any]) -> list[Problem]:
    return [
        Problem(
            name,
            f"“{root}” is always empty.",
            "A message knows contact, event, journey, now, unsubscribe_url, preferences_url and "
            "postal_address.",
            "warning",
        )
        for name in ("subject", *SOURCES)
        for root in sorted({used.split(".")[0] for used in variables(str(fields.get(name) or ""))})
        if root not in GIVEN
    ]


def variables(source: str) -> set[str]:
    """The dotted names a source reads, such as ``contact.city``; see `sandbox.variables`."""
    return sandbox.variables(source)


# The footer of marketing mail


def _missing(part: str, context: Mapping[str, Any]) -> tuple[str, str]:
    """The link and the postal address, as far as the part does not show them."""
    link, address = str(context["unsubscribe_url"]), str(context["postal_address"]).strip()
    shown = " ".join(part.split())
    known = " ".join(address.split()) in shown or " ".join(escape(address).split()) in shown
    return ("" if link in part else link), ("" if known else address)


def _text_footer(text: str, context: Mapping[str, Any]) -> str:
    link, address = _missing(text, context)
    lines = [line for line in (address, link and f"Unsubscribe: {link}") if line]
    if not lines:
        return ""
    return "\n" * (2 - text.endswith("\n")) + "—\n" + "\n".join(lines) + "\n"


def _with_html_footer(html: str, context: Mapping[str, Any]) -> str:
    link, address = _missing(html, context)
    parts = [escape(address).replace("\n", "<br>")] if address else []
    if link:
        parts.append(
            f'<a href="{escape(link)}" style="color:inherit;text-decoration:underline">'
            "Unsubscribe</a>"
        )
    if not parts:
        return html
    footer = (
        '<div style="font:13px/1.6 Helvetica,Arial,sans-serif;color:#7b8794;text-align:center;'
        f'padding:24px 16px 32px">{"<br>".join(parts)}</div>'
    )
    end = html.lower().rfind("</body>")
    return html[:end] + footer + html[end:] if end >= 0 else html + footer


__all__ = [
    "SOURCES",
    "Rendered",
    "TemplateError",
    "check",
    "compile_html",
    "context",
    "render",
    "variables",
]
