from __future__ import annotations

from datetime import timedelta

from django.db import models

from contacts.clock import now
from contacts.models.contact import Contact

TOO_LATE = timedelta(hours=72)


class Event(models.Model):
    """Something a contact did. Its id is its order of receipt; the row never changes.

    ``message_id`` is unique in the installation (T8). ``occurred_at`` is never after
    ``received_at`` (C5).
    """

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="events")
    name = models.CharField(max_length=100)
    properties = models.JSONField(default=dict, blank=True)
    occurred_at = models.DateTimeField(default=now)
    received_at = models.DateTimeField(default=now)
    message_id = models.CharField(max_length=100, unique=True, null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["contact", "name", "occurred_at"], name="event_of_contact"),
            models.Index(fields=["name", "occurred_at"], name="event_by_name"),
            models.Index(fields=["contact", "-occurred_at", "-id"], name="event_timeline"),
            models.Index(fields=["-received_at"], name="event_newest"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def too_late(self) -> bool:
        """Received so late that it starts nothing and ends nothing (T3)."""
        return self.received_at - self.occurred_at > TOO_LATE
