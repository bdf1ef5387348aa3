"""Filters of the lists of this room."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, RadioFilter

from contacts.models import EventName, Membership, Segment


class SegmentFilter(DropdownFilter):
    """Members of a segment, by the stored list."""

    title = "segment"
    parameter_name = "segment"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All segments."""
        return list(Segment.objects.values_list("slug", "name"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those who are in it."""
        if not self.value():
            return queryset
        inside = Membership.objects.filter(
            contact=OuterRef("pk"), segment__slug=self.value(), left_at=None
        )
        return queryset.filter(Exists(inside))


class KnownByFilter(RadioFilter):
    """What is known of somebody."""

    title = "known by"
    parameter_name = "known_by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The three ways in which one is known."""
        return [("id", "User id"), ("email", "Email address"), ("nothing", "Neither of them")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those of whom that is known."""
        if self.value() == "id":
            return queryset.filter(external_id__isnull=False)
        if self.value() == "email":
            return queryset.exclude(email="")
        if self.value() == "nothing":
            return queryset.filter(external_id=None, email="")
        return queryset


class EventNameFilter(DropdownFilter):
    """Events of one name, from the catalogue."""

    title = "event"
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All names seen."""
        return [(name, name) for name in EventName.objects.values_list("name", flat=True)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those that are called so."""
        return queryset.filter(name=self.value()) if self.value() else queryset
