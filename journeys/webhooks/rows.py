"""The row of a request, rendered when the enrollment arrives; nothing leaves the process here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from contacts.models import Contact
from contacts.values import format_moment
from journeys.world import Passage
from messaging import rendering, sandbox
from messaging.sandbox import TemplateError

JSON = "application/json"
PLAIN = "text/plain; charset=utf-8"
#: Methods whose requests have no body unless one is written.
BODILESS = ("GET", "DELETE")


def row(passage: Passage, visit: int, config: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """A `WebhookCall` for a visit of a webhook node, due at once.

    Text of the node is Liquid. Where it can't be rendered, the row says why in ``error`` and has no
    address, so that its delivery fails and the enrollment goes on by ``failed``.
    """
    method = config.get("method") or "POST"
    made: dict[str, Any] = {
        "enrollment_id": passage.pk,
        "visit": visit,
        "method": method,
        "url": "",
        "headers": {},
        "body": "",
        "created_at": at,
        "next_attempt_at": at,
        "error": "",
    }
    try:
        return made | _rendered(passage, config, method, at)
    except (TemplateError, ValueError, RecursionError) as error:
        return made | {"error": f"The request could not be made: {error}"}


def _rendered(
    passage: Passage, config: Mapping[str, Any], method: str, at: datetime
) -> dict[str, Any]:
    context = _context(passage, at)

    def fill(text: str) -> str:
        return sandbox.render(text, context, escape=False)

    body, kind = _body(passage, config.get("body"), fill, at)
    if method in BODILESS and "body" not in config:
        body, kind = "", ""
    headers = {"Content-Type": kind} if kind else {}
    for name, text in (config.get("headers") or {}).items():
        headers = {key: one for key, one in headers.items() if key.lower() != name.lower()}
        headers[name] = rendering.one_line(fill(text))
    return {"url": fill(config["url"]).strip(), "headers": headers, "body": body}


def _context(passage: Passage, at: datetime) -> dict[str, Any]:
    """What the text of the node sees: the same as a template."""
    person = cast(Contact, passage.person)  # it has the fields of one
    return rendering.context(person, now=at, event=passage.trigger, journey=passage.plan.slug)


def _body(passage: Passage, body: Any, fill: Callable[[str], str], at: datetime) -> tuple[str, str]:
    """The body and its type: text as it is written, anything else as JSON."""
    if body is None or body == "":
        return _json(_default(passage, at)), JSON
    if isinstance(body, str):
        return fill(body), PLAIN
    return _json(_filled(body, fill)), JSON


def _filled(value: Any, fill: Callable[[str], str]) -> Any:
    """JSON with each text in it rendered by itself, so that no value can break out of its text."""
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, list):
        return [_filled(one, fill) for one in value]
    if isinstance(value, dict):
        return {fill(key): _filled(one, fill) for key, one in value.items()}
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _default(passage: Passage, at: datetime) -> dict[str, Any]:
    """What is sent where nothing is written: the person, the event, and where they are."""
    person = passage.person
    return {
        "contact": {
            "external_id": person.external_id,
            "email": person.email or None,
            "timezone": person.timezone or None,
            "created_at": format_moment(person.created_at) if person.created_at else None,
            "attributes": person.attributes,
        },
        "event": None
        if passage.trigger is None
        else {"name": passage.plan.trigger_event, "properties": dict(passage.trigger)},
        "journey": passage.plan.slug,
        "node": passage.node,
        "enrollment": passage.pk,
        "visit": passage.visits_count,
        "entered_at": format_moment(passage.entered_at),
        "at": format_moment(at),
    }
