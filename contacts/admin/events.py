"""Events: what was received, and one by hand for a try."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from contacts import lookup
from contacts.admin import shown
from contacts.admin.base import LargeList
from contacts.admin.choosing import PersonWidget
from contacts.admin.filters import EventNameFilter
from contacts.admin.rows import RowsField
from contacts.items import RESERVED
from contacts.models import Event


class EventForm(forms.ModelForm):
    """An event by hand; it is received now."""

    properties = RowsField(required=False, initial={})

    class Meta:
        model = Event
        fields = ["contact", "name", "properties"]
        widgets = {"contact": PersonWidget()}

    def clean_name(self) -> str:
        """Names of our own are not for others (T7)."""
        name: str = self.cleaned_data["name"].strip()
        if name.startswith(RESERVED):
            raise forms.ValidationError(f"Names that begin with “{RESERVED}” are taken.")
        return name


@admin.register(Event)
class EventAdmin(LargeList):
    """What people did."""

    form = EventForm
    list_display = ["name", "person", "said", "occurred_at", "received_at"]
    list_filter = [EventNameFilter, ("received_at", RangeDateTimeFilter)]
    list_select_related = ["contact"]
    search_fields = ["name"]
    search_help_text = "Event, address or user id"
    search_title = "The name of an event, or the address or user id of the person."
    ordering = ["-received_at", "-id"]
    readonly_shown = [
        "name",
        "person",
        "all_properties",
        "occurred_at",
        "received_at",
        "message_id",
    ]

    @display(description="Person", ordering=None)
    def person(self, event: Event) -> SafeString:
        """Who did it, with a way there."""
        from django.urls import reverse

        url = reverse("admin:contacts_contact_change", args=[event.contact_id])
        return format_html('<a class="p-link" href="{}">{}</a>', url, event.contact)

    @display(description="Properties")
    def said(self, event: Event) -> str:
        """The first properties."""
        return shown.line(event.properties)

    @display(description="Properties")
    def all_properties(self, event: Event) -> SafeString:
        """All properties."""
        return shown.table(event.properties)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """A whole name, else what somebody did."""
        term = search_term.strip()
        if not term:
            return queryset, False
        named = queryset.filter(name=term)
        if Event.objects.filter(name=term).exists():
            return named, False
        return queryset.filter(contact__in=lookup.beginning(term)), False

    def get_fields(self, request: HttpRequest, obj: Event | None = None) -> list[str]:
        """An event is made by hand, or read."""
        return self.readonly_shown if obj else ["contact", "name", "properties"]

    def get_readonly_fields(self, request: HttpRequest, obj: Event | None = None) -> list[str]:
        """An event never changes."""
        return self.readonly_shown if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What has happened has happened."""
        return False

    class Media:
        css = {"all": ["contacts/people.css"]}
