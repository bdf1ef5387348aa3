"""One call beyond Segment's: somebody is entered into a journey by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from ninja import Router

from contacts import entries, ingest, lookup
from contacts.api import body as bodies
from contacts.api.keys import authorize
from contacts.api.replies import Failure, Received
from contacts.api.segment import RESPONSES, described
from contacts.clock import now
from contacts.items import Identify, Refused, clean

router = Router()


def enter(request: HttpRequest) -> Received:
    """Ask the person in; a ``messageId`` that is known changes nothing. A known address stays
    written as it is: it says who is meant.
    """
    message = bodies.read(request, bodies.MAX_CALL)
    at = now()
    authorize(request, message, at)
    entry = entries.find(message.get("journey"))
    if entry is None:
        raise Failure(400, "unknown_journey", "“journey” is no live journey that starts by hand.")
    try:
        who = clean(_who(message), received_at=at, internal=False)
    except Refused as refused:
        raise Failure(400, refused.code, refused.message) from None
    assert isinstance(who, Identify)
    with transaction.atomic():
        outcome = ingest.record([who], received_at=at, source="api")
        if outcome.duplicates:
            return Received(accepted=0, duplicate=1)
        contact = lookup.meant(who.external_id, who.email, who.anonymous_id)
        ingest.enter([contact], entry.pk, at=at)
    return Received(accepted=1, duplicate=0)


def _who(message: Mapping[str, Any]) -> Identify:
    return Identify(
        message_id=message.get("messageId"),
        external_id=message.get("userId"),
        anonymous_id=message.get("anonymousId"),
        email=message.get("email"),
        respell=False,
    )


for _path in ("/enter", "/enter/"):
    router.post(
        _path,
        response=RESPONSES,
        summary="Somebody is entered into a journey",
        operation_id="enter",
        include_in_schema=not _path.endswith("/"),
        **described(
            "enter",
            "Asks the person into the live journey with the slug `journey`, which starts by hand."
            " Its entry rules decide. Who is not known yet is made.",
        ),
    )(enter)
