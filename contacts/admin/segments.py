"""Segments: the condition in rows and in words, how many, and how many there were."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from itertools import takewhile
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from contacts import conditions, segments
from contacts.admin import members, uses
from contacts.admin.base import AsStored
from contacts.admin.condition_editor import ConditionField, with_known
from contacts.admin.deleting import Explained
from contacts.admin.filters import number
from contacts.clock import now
from contacts.models import Segment
from contacts.problems import Problems

BOTH = "Untick this, or remove the condition below: members are by the one or the other."
DAYS = 30
CHART = {
    "animation": False,
    "maintainAspectRatio": False,
    "plugins": {"legend": {"display": False}},
    "scales": {
        "x": {"grid": {"display": False}, "ticks": {"maxTicksLimit": 6, "maxRotation": 0}},
        "y": {"beginAtZero": True, "ticks": {"maxTicksLimit": 3, "precision": 0}},
    },
}


class SegmentForm(forms.ModelForm):
    """A segment is either by a condition or by hand; that is chosen when it is made."""

    by_hand = forms.BooleanField(
        required=False,
        label="Members are listed by hand or by import",
        help_text="Otherwise the condition says who is a member, at any time.",
    )
    condition = ConditionField(required=False)

    class Meta:
        model = Segment
        fields = ["name", "slug", "description", "by_hand", "condition"]
        widgets = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in ("slug", "by_hand"):
                self.fields.pop(name, None)
            if self.instance.is_static:
                self.fields.pop("condition", None)
            elif "condition" in self.fields:
                self.fields["condition"].required = True
                self.fields["condition"].for_segment(self.instance.slug)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """A new segment needs the one or the other, and not both."""
        data: dict[str, Any] = super().clean() or {}
        if self.instance.pk or self.errors:
            return data
        if data.get("by_hand") and data.get("condition") is not None:
            raise ValidationError({"by_hand": BOTH})
        if data.get("by_hand"):
            self.instance.condition = data["condition"] = None
        elif data.get("condition") is None:
            raise ValidationError({"condition": "Say who is a member."})
        return data


@admin.register(Segment)
class SegmentAdmin(AsStored, Explained):
    """Sets of people."""

    form = SegmentForm
    list_display = ["name", "kind", "meaning", "number"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    actions_detail = ["people", "recount", "show_members"]
    goes_along = ("memberships",)
    change_form_outer_before_template = "contacts/admin/segment_top.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        """With the number of members of each, in the same statement."""
        open_ = Count("memberships", filter=Q(memberships__left_at=None))
        return super().get_queryset(request).annotate(members=open_)

    def get_fields(self, request: HttpRequest, obj: Segment | None = None) -> list[str]:
        """What can be set now; the address of a segment never changes."""
        if obj is None:
            return ["name", "slug", "description", "by_hand", "condition"]
        return ["name", "description", *([] if obj.is_static else ["condition"])]

    def get_prepopulated_fields(self, request: HttpRequest, obj: Segment | None = None) -> Any:
        """Only where the slug can be set."""
        return {} if obj else self.prepopulated_fields

    @display(description="Kind", label={"By condition": "info", "By hand": "primary"})
    def kind(self, segment: Segment) -> str:
        """How one becomes a member."""
        return "By hand" if segment.is_static else "By condition"

    @display(description="Who is a member")
    def meaning(self, segment: Segment) -> str:
        """The condition in words."""
        return meaning(segment)

    @display(description="Members")
    def number(self, segment: Segment) -> SafeString:
        """How many, with a way to them."""
        count: int = segment.members  # type: ignore[attr-defined]
        return format_html('<a class="p-link" href="{}">{}</a>', members_url(segment), f"{count:,}")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With size, sentence and chart above the form."""
        segment = self.get_object(request, object_id) if object_id else None
        extra = {**(extra_context or {}), **(top(segment) if segment else {})}
        response: HttpResponse = super().changeform_view(request, object_id, form_url, extra)
        return response

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        """Who is a member by a condition that was just written does not enter journeys by it."""
        super().save_model(request, obj, form, change)
        if not change or "condition" in form.changed_data:
            segments.recount(obj, now())

    def kept_by(self, objs: Sequence[Segment]) -> list[str]:
        """Who uses one of them and does not go with it would silently change."""
        going = [use(segment) for segment in objs]
        return [said for segment in objs if (said := uses.kept(segment, but=going))]

    @action(description="Put people in", url_path="people", permissions=["fill"], icon="group_add")
    def people(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Put people into a static segment by id or address, or take them out."""
        segment = _find(object_id)
        form = members.MembersForm(request.POST or None)
        if form.is_bound and form.is_valid():
            named = form.cleaned_data["people"]
            start = form.cleaned_data["start_journeys"]
            if not members.carry_out(request, segment, named.ids, start_journeys=start):
                raise PermissionDenied
            members.tell_unknown(request, named.unknown)
            return HttpResponseRedirect(reverse("admin:contacts_segment_change", args=[segment.pk]))
        context = {
            **self.admin_site.each_context(request),
            **members.buttons(request),
            "opts": self.opts,
            "original": segment,
            "title": f"Put people into “{segment}”",
            "form": form,
            "back": reverse("admin:contacts_segment_change", args=[segment.pk]),
        }
        return TemplateResponse(request, "contacts/admin/members.html", context)

    def has_fill_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whoever may put people in or take them out, where that is done by hand."""
        return members.may_any(request) and _is_static(object_id)

    def has_recount_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whoever may change segments, where there is something to count."""
        return self.has_change_permission(request) and not _is_static(object_id)

    @action(description="Count now", url_path="recount", permissions=["recount"], icon="refresh")
    def recount(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Count the members anew; no journey starts by it."""
        segment = _find(object_id)
        moves = segments.recount(segment, now())
        messages.success(
            request,
            f"{segments.size(segment):,} members: {len(moves.entered):,} came in,"
            f" {len(moves.left):,} left.",
        )
        return HttpResponseRedirect(reverse("admin:contacts_segment_change", args=[object_id]))

    @action(description="Show the members", url_path="members", icon="groups")
    def show_members(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The people in it."""
        return HttpResponseRedirect(members_url(_find(object_id)))

    class Media:
        css = {"all": ["contacts/people.css"]}


def _find(object_id: str) -> Segment:
    """The segment, without counting its members as the list does."""
    return get_object_or_404(Segment, pk=number(str(object_id)))


def _is_static(object_id: str | None) -> bool:
    return Segment.static().filter(pk=number(str(object_id))).exists()


def use(segment: Segment) -> uses.Use:
    """The segment as one that uses another."""
    url = reverse("admin:contacts_segment_change", args=[segment.pk])
    return uses.Use("the segment", segment.name, url)


@uses.of_segment
def by_segments(segment: Segment) -> list[uses.Use]:
    """The segments whose conditions ask who is in this one."""
    others = Segment.objects.filter(condition__isnull=False).exclude(pk=segment.pk)
    return [
        use(other)
        for other in others
        if segment.slug in conditions.parse_segment(other.condition).looks_at().segments
    ]


def meaning(segment: Segment) -> str:
    """Who is a member, in words."""
    if segment.condition is None:
        return "those who were put into it by hand or by import"
    known = with_known(conditions.Scope())
    words = conditions.parse(segment.condition, known, problems=Problems()).words()
    return f"everybody of whom it is true: {words}"


def members_url(segment: Segment) -> str:
    """The list of people, with only the members."""
    return f"{reverse('admin:contacts_contact_changelist')}?segment={segment.slug}"


def lived(segment: Segment, days: list[tuple[date, int]]) -> list[tuple[date, int]]:
    """The days without those on which there was no such segment."""
    made = segment.created_at.date()
    before = list(takewhile(lambda one: one[0] < made and not one[1], days[:-1]))
    return days[len(before) :]


def growth(segment: Segment, days: list[tuple[date, int]]) -> str:
    """How the size differs from what it was a month ago, or when the segment was made."""
    if len(days) == 1:
        return "made today"
    grown = days[-1][1] - days[0][1]
    young = len(days) < DAYS
    if not grown:
        return f"as many as {'when it was made' if young else f'{DAYS} days ago'}"
    words = f"{abs(grown):,} {'more' if grown > 0 else 'fewer'}"
    return f"{words} {'since it was made' if young else f'than {DAYS} days ago'}"


def top(segment: Segment) -> dict[str, Any]:
    """What stands above the form: how many, who, and the last month as a chart."""
    days = lived(segment, segments.sizes(segment, until=now().date(), days=DAYS))
    return {
        "segment": segment,
        "meaning": meaning(segment),
        "size": segments.size(segment),
        "growth": growth(segment, days),
        "days": len(days),
        "options": json.dumps(CHART),
        "chart": json.dumps(
            {
                "labels": [f"{day:%-d %b}" for day, _ in days],
                "datasets": [
                    {
                        "label": "Members",
                        "data": [count for _, count in days],
                        "borderColor": "var(--color-primary-600)",
                        "borderWidth": 2,
                        "pointRadius": 0,
                        "fill": False,
                    }
                ],
            }
        ),
    }
