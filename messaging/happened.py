"""Events that the installation itself records about contacts it knows by their row (T7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contacts import bulk, catalogue, ingest
from contacts.items import Track
from contacts.models import Event, Fact
from contacts.signals import announce, events_recorded


@dataclass(frozen=True)
class Happened:
    """An event of a contact; ``message_id`` is unique in the installation (T8)."""

    contact_id: int
    name: str
    properties: dict[str, Any]
    occurred_at: datetime
    message_id: str


def record(events: Sequence[Happened], *, at: datetime) -> None:
    """Store events and the facts that they are, in this order, in a fixed number of statements.

    The caller holds a transaction in which the contacts are locked, and has made sure that none of
    the events is there already. An event that is told before it occurred occurs now (C5).
    """
    if not events:
        return
    ids = bulk.reserve(Event, len(events))
    bulk.insert(
        Event,
        [
            {
                "id": pk,
                "contact_id": event.contact_id,
                "name": event.name,
                "properties": event.properties,
                "occurred_at": min(event.occurred_at, at),
                "received_at": at,
                "message_id": event.message_id,
            }
            for pk, event in zip(ids, events, strict=True)
        ],
    )
    ingest.insert_facts(
        [
            (event.contact_id, Fact.Kind.EVENT, pk, {})
            for pk, event in zip(ids, events, strict=True)
        ],
        at=at,
    )
    catalogue.note(
        events=[Track(name=event.name, properties=event.properties) for event in events],
        attributes=[],
        at=at,
    )
    announce(events_recorded, {event.contact_id for event in events})
