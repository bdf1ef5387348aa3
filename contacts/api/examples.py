"""What the documentation shows as the body of each call."""

from __future__ import annotations

from typing import Any

_TRACK: dict[str, Any] = {
    "userId": "u1",
    "event": "order_placed",
    "properties": {"total": 49.9, "currency": "EUR"},
    "timestamp": "2026-03-01T09:00:00Z",
    "messageId": "order-4711",
}
_IDENTIFY: dict[str, Any] = {
    "userId": "u1",
    "traits": {
        "email": "ann@example.com",
        "timezone": "Europe/Berlin",
        "plan": "team",
        "address": {"city": "Bonn"},
    },
}
_BATCH: dict[str, Any] = {
    "batch": [{"type": "identify", **_IDENTIFY}, {"type": "track", **_TRACK}],
    "sentAt": "2026-03-01T09:00:01Z",
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "enter": {"userId": "u1", "journey": "onboarding", "messageId": "enter-4711"},
    "track": _TRACK,
    "identify": _IDENTIFY,
    "batch": _BATCH,
    "import": _BATCH,
    "page": {
        "anonymousId": "d1",
        "name": "Pricing",
        "properties": {"url": "https://example.com/pricing"},
    },
    "screen": {"userId": "u1", "name": "Settings"},
    "group": {"userId": "u1", "groupId": "g1", "traits": {"name": "Example Ltd"}},
    "alias": {"previousId": "d1", "userId": "u1"},
}
