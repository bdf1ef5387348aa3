"""What the lists of the admin share: pages without counting, a search for people, filters."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib import admin
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts import lookup
from contacts.admin import periods
from contacts.admin.base import LargeList, ReadOnly
from contacts.admin.filters import number
from journeys.admin import cards
from journeys.models import Enrollment, Journey, Node, Visit
from journeys.models.enrollment import REASONS

#: In place of an outcome: those whose journey ended at the node because the goal was reached.
REACHED_GOAL = "@goal"
#: In place of an outcome: those who went on, by any.
WENT_ON = "@on"
#: In place of an outcome: those whose passage failed at the node.
FAILED = "@failed"


def link(target: Model | None, text: str = "") -> SafeString | str:
    """A link to the admin page of ``target``, or its text where it has none."""
    if target is None:
        return ""
    meta, label = target._meta, text or str(target)
    if not admin.site.is_registered(type(target)):
        return label
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[target.pk])
    return format_html('<a class="jl-link" href="{}">{}</a>', url, label)


class EndlessAdmin(ReadOnly, LargeList):
    """A list that may have millions of rows: read-only, newest first."""

    ordering = ("-pk",)
    actions = None
    list_disable_select_all = True


def of_people(rows: QuerySet[Any], term: str, path: str = "contact") -> QuerySet[Any]:
    """The rows about people whose address or id begins with ``term``."""
    if not term.strip():
        return rows
    return rows.filter(**{f"{path}__in": lookup.beginning(term)})


class PeopleSearch:
    """Searches a list by the person, as the list of people does."""

    search_fields = ("contact__email",)
    search_help_text = "Address or user id"
    search_title = "The beginning of an email address or user id, or a whole anonymous id."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The rows about the people that are meant."""
        return of_people(queryset, search_term), False


class JourneyFilter(admin.SimpleListFilter):
    """By journey; the query is one for the whole list."""

    title = "journey"
    parameter_name = "journey"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All journeys by name."""
        rows = Journey.objects.order_by("name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in rows]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the chosen one."""
        value = self.value()
        return queryset.filter(journey=number(value)) if value else queryset


class NodeFilter(admin.SimpleListFilter):
    """By the node where people stand; offered once a journey is chosen."""

    title = "step"
    parameter_name = "node"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The nodes of the chosen journey, over all versions."""
        journey = number(request.GET.get("journey"))
        if not journey:
            return []
        # A key that several versions have is called as the newest of them has it.
        nodes = Node.objects.filter(version__journey=journey).order_by("version__number")
        newest = {node.key: node for node in nodes}
        known = cards.of_nodes(newest.values())
        named = [(key, known.words(node)) for key, node in newest.items()]
        often = Counter(words for _, words in named)
        called = [(key, words if often[words] == 1 else f"{words} ({key})") for key, words in named]
        return sorted(called, key=lambda one: one[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those who stand at that node now."""
        value = self.value()
        if not value:
            return queryset
        return queryset.filter(node__key=value, status__in=["active", "waiting"])


class ReasonFilter(admin.SimpleListFilter):
    """By why passages ended; offered once a journey is chosen: to list all would read every row."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The reasons found in the chosen journey."""
        journey = number(request.GET.get("journey"))
        if not journey:
            return []
        ended = Enrollment.objects.filter(journey=journey).exclude(reason="").order_by("reason")
        found = ended.values_list("reason", flat=True).distinct()
        return [(each, REASONS.get(each, each)) for each in found]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those that ended by it."""
        return queryset.filter(reason=self.value()) if self.value() else queryset


#: What each ending at a node means.
ENDINGS = {
    REACHED_GOAL: {"status": "exited", "reason": "goal"},
    FAILED: {"status": "failed"},
}


class PassedFilter(admin.SimpleListFilter):
    """By a node that people went through; offered once a journey is chosen."""

    title = "went through"
    parameter_name = "through"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The nodes of the chosen journey, over all versions."""
        return NodeFilter.lookups(self, request, model_admin)  # type: ignore[arg-type]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those who have been at that node in the period, by the outcome where one is given."""
        value = self.value()
        if not value:
            return queryset
        key, _, outcome = value.partition(":")
        began = periods.chosen(request)
        if outcome in ENDINGS:
            ended = {"ended_at__gte": began} if began else {}
            return queryset.filter(node__key=key, **ENDINGS[outcome], **ended)
        visits = Visit.objects.filter(enrollment=OuterRef("pk"), node__key=key)
        if began:
            visits = visits.filter(entered_at__gte=began)
        if outcome:
            by = {"outcome__gt": ""} if outcome == WENT_ON else {"outcome": outcome}
            visits = visits.filter(**by)
        return queryset.filter(Exists(visits))


class EnteredFilter(periods.PeriodFilter):
    """By the period in which they entered, or came to the step that is chosen beside it."""

    column = "entered_at"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those of the period; where a step is chosen, that filter has seen to it."""
        step = any(request.GET.get(one.parameter_name) for one in (PassedFilter, NodeFilter))
        return queryset if step else super().queryset(request, queryset)
