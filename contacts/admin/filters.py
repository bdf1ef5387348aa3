"""Filters of the lists of this room."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.contrib.filters.admin import DropdownFilter, RadioFilter

from contacts.models import EventName, Import, ImportChunk, Membership, Segment

#: So many imports can be chosen; of one that created more people, they are not listed.
LAST, MOST_CREATED = 20, 50_000


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


class ImportFilter(DropdownFilter):
    """Those that an import created, by its own account; large imports have none that is read."""

    title = "created by the import"
    parameter_name = "import"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The last imports, for whoever may see them; the chosen one too."""
        if not request.user.has_perm("contacts.view_import"):
            return []
        found = Import.objects.filter(created__gt=0, created__lte=MOST_CREATED)
        last = list(found.exclude(status=Import.Status.UNDONE)[:LAST])
        chosen = [one for one in found.filter(pk=number(self.value())) if one not in last]
        return [
            (str(one.pk), f"{one.filename}, {one.created_at:%-d %b %Y}") for one in last + chosen
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those whom it made and who are still there."""
        if not self.value():
            return queryset
        chunks = ImportChunk.objects.filter(
            source=number(self.value()), source__created__lte=MOST_CREATED
        )
        ids = [pk for created in chunks.values_list("created", flat=True) for pk in created]
        return queryset.filter(pk__any_of=ids)


def created_by(source: Import) -> str:
    """The list of people, with only those whom the import created; empty where it can't be."""
    if not 0 < source.created <= MOST_CREATED or source.status == Import.Status.UNDONE:
        return ""
    return f"{reverse('admin:contacts_contact_changelist')}?import={source.pk}"


def number(text: str | None) -> int:
    """A row's number as an address says it; 0 where it says none."""
    return int(text) if text and text.isdecimal() and len(text) < 19 else 0


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
