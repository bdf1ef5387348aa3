"""Which key a request carries: as basic authentication, as a bearer token, or in the body."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from contacts.api.replies import Failure
from contacts.models import ApiKey


def authorize(
    request: HttpRequest,
    body: Mapping[str, Any],
    now: datetime,
    *,
    scope: str = ApiKey.Scope.INGEST,
) -> ApiKey:
    """The key of the request. Raises ``Failure`` without one, or where it may not do this."""
    text = _from_header(request.headers.get("Authorization", "")) or body.get("writeKey")
    if not isinstance(text, str) or not text:
        raise Failure(401, "no_key", "The request carries no API key.")
    key = ApiKey.find(text)
    if key is None:
        raise Failure(401, "invalid_key", "The API key is not known.")
    if scope != ApiKey.Scope.INGEST and key.scope != scope:
        raise Failure(403, "forbidden", "This API key may only send events and people.")
    key.used(now)
    return key


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
