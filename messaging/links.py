"""The signed addresses that mails carry, and what they stand for. None of them ever expires.

A key that was replaced stays good for links already sent while it stands in
``SECRET_KEY_FALLBACKS``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape, unescape
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse

MAX_URL = 2048
#: Stands in test mails in the place of a person's own link.
TEST = "test"


@dataclass(frozen=True)
class Recipient:
    """Whom a link to unsubscribe is for, about which topic (None: all), and in which message."""

    contact_id: int
    topic_id: int | None
    message: UUID | None


def _address(name: str, *args: str) -> str:
    return f"{settings.BASE_URL}{reverse(f'messaging:{name}', args=args)}"


def recipient_token(recipient: Recipient) -> str:
    """The token that stands for a recipient."""
    message = recipient.message.hex if recipient.message else None
    return signing.Signer(salt="messaging.recipient").sign_object(
        [recipient.contact_id, recipient.topic_id, message]
    )


def recipient(token: str) -> Recipient | None:
    """Whom a token stands for, or None where it is not one of ours."""
    try:
        contact_id, topic_id, message = signing.Signer(salt="messaging.recipient").unsign_object(
            token
        )
        return Recipient(contact_id, topic_id, UUID(message) if message else None)
    except (signing.BadSignature, ValueError, TypeError):
        return None


def unsubscribe_url(token: str) -> str:
    """Where a person, or a mail program with one click, unsubscribes."""
    return f"{_address('unsubscribe', token)}/"


def preferences_url(token: str) -> str:
    """Where a person chooses topics."""
    return f"{_address('preferences', token)}/"


# Opens and clicks


def _signature(salt: str, value: str) -> str:
    return signing.Signer(salt=salt).signature(value)


def _is_signed(salt: str, value: str, signature: str) -> bool:
    try:
        signing.Signer(salt=salt).unsign(f"{value}:{signature}")
    except signing.BadSignature:
        return False
    return True


def open_url(message: UUID) -> str:
    """The invisible picture of a message."""
    return _address("opened", message.hex, _signature("messaging.open", message.hex))


def is_open(message: UUID, signature: str) -> bool:
    """Whether the picture's address is one of ours."""
    return _is_signed("messaging.open", message.hex, signature)


def click_url(message: UUID, target: str) -> str:
    """The address that leads to ``target`` and tells us that it was followed."""
    signature = _signature("messaging.click", f"{message.hex} {target}")
    return f"{_address('clicked', message.hex, signature)}?to={quote(target, safe='')}"


def is_click(message: UUID, target: str, signature: str) -> bool:
    """Whether we made this address, and it leads where a mail may lead."""
    signed = _is_signed("messaging.click", f"{message.hex} {target}", signature)
    return signed and may_lead_to(target)


def may_lead_to(target: str) -> bool:
    """Whether a link may lead there through us: http or https, nobody's password, not too long."""
    if len(target) > MAX_URL or re.search(r"[\x00-\x20\x7f\\]", target):
        return False
    try:
        parts = urlsplit(target)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        )
    except ValueError:
        return False


_HREF = re.compile(
    r"""(<a\b(?:[^<>"']|"[^"<]*+"|'[^'<]*+')*?\bhref\s*=\s*)(["'])([^"'<>]*+)\2""", re.I
)


def track(html: str, message: UUID, *, opens: bool, clicks: bool, untouched: set[str]) -> str:
    """The HTML with our picture at its end and its links led through us.

    Links to ``untouched`` addresses, and those that lead to this installation's own pages, stay.
    """
    if not html:
        return html
    if clicks:
        html = _HREF.sub(lambda match: _led(match, message, untouched), html)
    if opens:
        picture = f'<img src="{escape(open_url(message))}" width="1" height="1" alt="" border="0">'
        end = html.lower().rfind("</body>")
        html = html[:end] + picture + html[end:] if end >= 0 else html + picture
    return html


def _led(match: re.Match[str], message: UUID, untouched: set[str]) -> str:
    target = unescape(match[3]).strip()
    if target in untouched or not may_lead_to(target):
        return match[0]
    return f"{match[1]}{match[2]}{escape(click_url(message, target))}{match[2]}"


def template_urls(recipient_or_test: Recipient | None) -> dict[str, Any]:
    """What a template is given as ``unsubscribe_url`` and ``preferences_url``."""
    token = TEST if recipient_or_test is None else recipient_token(recipient_or_test)
    return {
        "unsubscribe_url": unsubscribe_url(token),
        "preferences_url": preferences_url(token),
    }
