"""Journeys and their versions in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.views import ChangeList as UnfoldChangeList

from journeys import publishing, reports
from journeys.admin.backtest import Backtests
from journeys.admin.builder import Builder
from journeys.admin.gallery import Gallery
from journeys.admin.operating import Operating
from journeys.models import Enrollment, Journey
from journeys.picture import entry_words
from journeys.timing import moment

LABELS = {"Draft": "default", "Live": "success", "Paused": "warning", "Archived": "default"}


class NumberedList(UnfoldChangeList):
    """A page of journeys, each with its totals: one query for the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        found = reports.totals(journey.pk for journey in self.result_list)
        for journey in self.result_list:
            journey.totals = found[journey.pk]


class TriggerFilter(admin.SimpleListFilter):
    """By what starts the live version."""

    title = "started by"
    parameter_name = "trigger"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The kinds of trigger."""
        return [
            ("event", "An event"),
            ("segment", "A segment"),
            ("date", "A date"),
            ("manual", "By hand"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The journeys whose live version starts so."""
        value = self.value()
        return queryset.filter(live_version__trigger=value) if value else queryset


class FailuresFilter(admin.SimpleListFilter):
    """Journeys in which something failed."""

    title = "failures"
    parameter_name = "failed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """One choice."""
        return [("yes", "With failed passages")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those with at least one failed enrollment."""
        if self.value() != "yes":
            return queryset
        failed = Enrollment.objects.filter(status=Enrollment.Status.FAILED)
        return queryset.filter(pk__in=failed.values("journey"))


@admin.register(Journey)
class JourneyAdmin(ModelAdmin):
    """Journeys: a list with numbers; the page of one is its map."""

    list_display = (
        "called",
        "state",
        "starts",
        "entered",
        "under_way",
        "completed",
        "converted",
        "failed",
        "edited",
    )
    list_display_links = ("called",)
    list_filter = (("status", admin.ChoicesFieldListFilter), TriggerFilter, FailuresFilter)
    list_filter_submit = True
    list_per_page = 50
    list_select_related = ("live_version",)
    search_fields = ("name", "slug", "description")
    search_help_text = "Name, description or slug"
    ordering = ("name",)
    list_fullwidth = True

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list with numbers."""
        return NumberedList

    def get_urls(self) -> list[URLPattern]:
        """The map's own addresses before the usual ones."""
        pages = (Gallery(self), Builder(self), Operating(self), Backtests(self))
        return [*(one for page in pages for one in page.urls()), *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Journey | None = None) -> bool:
        """Only what was never published: all else is archived."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and obj is not None and obj.live_version_id is None

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The map."""
        return Builder(self).page(request, object_id)

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The gallery of recipes, a file, a copy, or an empty map."""
        return Gallery(self).page(request)

    # --- columns ---

    @display(description="Journey", ordering="name", header=True)
    def called(self, journey: Journey) -> list[str]:
        """Name, file name, and whether the draft has changes that are not live."""
        open_changes = "unpublished changes" if publishing.unpublished(journey) else ""
        return [journey.name, " · ".join(part for part in (journey.slug, open_changes) if part)]

    @display(description="Status", ordering="status", label=LABELS)
    def state(self, journey: Journey) -> str:
        """The status."""
        return journey.get_status_display()

    @display(description="Starts")
    def starts(self, journey: Journey) -> str:
        """The trigger in words, of the live version where there is one."""
        live = journey.live_version
        words, _ = entry_words(live.definition if live else journey.draft or {})
        return format_html('<span class="jl-starts">{}</span>', words)

    @display(description="Entered")
    def entered(self, journey: Any) -> str:
        """All who ever entered."""
        return f"{journey.totals.entered:,}"

    @display(description="Under way")
    def under_way(self, journey: Any) -> str:
        """Those who wait, and those who are being moved."""
        return f"{journey.totals.open:,}"

    @display(description="Completed")
    def completed(self, journey: Any) -> str:
        """Those who came to the end."""
        return f"{journey.totals.completed:,}"

    @display(description="Reached the goal")
    def converted(self, journey: Any) -> str:
        """Those who reached the goal, and their share of all that ended."""
        rate = journey.totals.conversion
        if rate is None:
            return "–"
        return f"{journey.totals.converted:,} ({100 * rate:.0f} % of those who ended)"

    @display(description="Failed")
    def failed(self, journey: Any) -> str:
        """Those that failed."""
        count = journey.totals.failed
        return format_html('<span class="jl-bad">{}</span>', f"{count:,}") if count else "0"

    @display(description="Edited", ordering="draft_saved_at")
    def edited(self, journey: Journey) -> str:
        """When the draft was saved last."""
        return moment(journey.draft_saved_at) or "–"

    class Media:
        css = {"all": ["journeys/pages.css"]}
