"""Signatures as Standard Webhooks has them, so that any of its libraries can check them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac

PREFIX = "whsec_"


def message_id(call: int) -> str:
    """The id of a request, the same at each attempt, that does not tell how many there were."""
    return "msg_" + salted_hmac("journeys.webhooks", str(call), algorithm="sha256").hexdigest()[:32]


def headers(identifier: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that sign ``body``; ``timestamp`` in seconds since 1970."""
    signed = f"{identifier}.{timestamp}.".encode() + body
    digest = hmac.new(_key(), signed, hashlib.sha256).digest()
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _key() -> bytes:
    """The bytes of settings.WEBHOOK_SECRET, which is base64 after ``whsec_``."""
    try:
        return base64.b64decode(str(settings.WEBHOOK_SECRET).removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ImproperlyConfigured("WEBHOOK_SECRET must be base64, after “whsec_”.") from error
