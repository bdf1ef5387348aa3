"""The names seen so far."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from contacts.admin.base import ReadOnly
from contacts.models import AttributeName, EventName


@admin.register(AttributeName)
class AttributeNameAdmin(ReadOnly):
    """Attributes that contacts have had."""

    list_display = ["name", "kinds", "first_seen_at", "last_seen_at"]
    fields = ["name", "kinds", "first_seen_at", "last_seen_at"]
    search_fields = ["name"]

    @display(description="Types")
    def kinds(self, attribute: AttributeName) -> str:
        """The types of value seen in it."""
        return ", ".join(attribute.types)


@admin.register(EventName)
class EventNameAdmin(ReadOnly):
    """Events that were received, with their properties."""

    list_display = ["name", "seen", "first_seen_at", "last_seen_at"]
    fields = ["name", "seen", "first_seen_at", "last_seen_at"]
    search_fields = ["name"]

    @display(description="Properties")
    def seen(self, event: EventName) -> str:
        """Its properties with their types."""
        pairs = sorted(event.properties.items())
        return ", ".join(f"{name} ({' or '.join(types)})" for name, types in pairs)
