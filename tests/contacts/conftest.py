"""What the tests of the contacts room share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from contacts import catalogue, ingest
from contacts.items import Item

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
