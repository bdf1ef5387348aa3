"""Which key a request carries: as basic authentication, as a bearer token, or in the body."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from contacts import limits
from contacts.api.replies import Failure
from contacts.models import ApiKey

#: Seconds in which the calls with a key are counted, so that a burst is no trouble.
WINDOW = 10


def authorize(
    request: HttpRequest,
    body: Mapping[str, Any],
    now: datetime,
    *,
    scope: str = ApiKey.Scope.INGEST,
) -> ApiKey:
    """The key of the request.

    Raises ``Failure`` without one, where it may not do this, and where it comes too often.
    """
    text = _from_header(request.headers.get("Authorization", "")) or body.get("writeKey")
    if not isinstance(text, str) or not text:
        raise Failure(401, "no_key", "The request carries no API key.")
    key = ApiKey.find(text)
    if key is None:
        raise Failure(401, "invalid_key", "The API key is not known.")
    if scope != ApiKey.Scope.INGEST and key.scope != scope:
        raise Failure(403, "forbidden", "This API key may only send events and people.")
    _hold_up(key, now)
    key.used(now)
    return key


def _hold_up(key: ApiKey, now: datetime) -> None:
    """Raise ``Failure`` where more calls come with a key than ``API_RATE_LIMIT`` a second."""
    most = settings.API_RATE_LIMIT * WINDOW
    if wait := limits.count(f"key:{key.pk}", most=most, seconds=WINDOW, now=now):
        raise Failure(
            429,
            "too_many_calls",
            f"More than {most:,} calls came with this key in {WINDOW} seconds; none of this one is"
            " stored. Send it again later, or many items in one batch.",
            retry_after=wait,
        )


def _from_header(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        decoded = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    user, _, password = decoded.partition(":")
    return user or password
