"""What the tests of the contacts room share."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from contacts import catalogue, ingest
from contacts.items import Item
from contacts.models import ApiKey

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def empty_catalogue() -> Iterator[None]:
    """No test knows what another has seen."""
    catalogue.forget()
    yield
    catalogue.forget()


def record(*items: Item, at: datetime = NOW, **options: Any) -> ingest.Outcome:
    """Record items as received at NOW."""
    return ingest.record(items, received_at=at, **options)


# The API


@pytest.fixture
def key() -> str:
    """The text of an API key."""
    return ApiKey.make("shop")[1]


@pytest.fixture
def post(client: Client, key: str) -> Any:
    """POST a body, as it is or as JSON, with the key."""

    def send(path: str, body: Any, content_type: str = "application/json", **headers: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers.setdefault("Authorization", basic(key))
        return client.post(f"/v1/{path}", data, content_type=content_type, headers=headers)

    return send


def basic(key: str) -> str:
    """The header of a key."""
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def event(**more: Any) -> dict[str, Any]:
    """An item of a batch."""
    return {"type": "track", "userId": "u1", "event": "seen", **more}
