"""The people on journeys: who is where, why, and who was not let in."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import display
from unfold.views import ChangeList

from contacts.admin.base import LargeChangeList
from contacts.admin.periods import PeriodFilter
from contacts.clock import now
from journeys import publishing
from journeys.admin import cards, story
from journeys.admin.lists import (
    EndlessAdmin,
    EnteredFilter,
    JourneyFilter,
    NodeFilter,
    PassedFilter,
    PeopleSearch,
    ReasonFilter,
    link,
)
from journeys.admin.pages import may
from journeys.models import Enrollment, Refusal, WebhookCall
from journeys.naming import names_in
from journeys.picture import ENTRY, read_cards
from journeys.timing import moment
from messaging import outbox

LABELS = {
    "Active": "info",
    "Waiting": "info",
    "Completed": "success",
    "Exited": "default",
    "Goal reached": "success",
    "Failed": "danger",
}


class Stylish:
    """Brings the styles of our own pages."""

    class Media:
        css = {"all": ["journeys/pages.css"]}


class Passages(LargeChangeList):
    """The list of passages, in which each says its step in the words of its version."""

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page; their versions and names come in a fixed number of statements."""
        super().get_results(request)
        known = cards.of_nodes(one.node for one in self.result_list if one.node)
        for one in self.result_list:
            one.step = known.words(one.node) if one.node else ""


@admin.register(Enrollment)
class EnrollmentAdmin(PeopleSearch, EndlessAdmin):
    """Every passage of a person through a journey, with a page that explains itself."""

    list_display = ("person", "in_journey", "state", "where", "began", "until", "why_ended")
    list_display_links = ("person",)
    list_filter = (
        JourneyFilter,
        NodeFilter,
        PassedFilter,
        EnteredFilter,
        ("status", admin.ChoicesFieldListFilter),
        ReasonFilter,
    )
    list_select_related = ("contact", "journey", "version", "node")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrollment]:
        """Without what the versions say, which would come with each row anew."""
        return super().get_queryset(request).defer("version__definition")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that knows the steps."""
        return Passages

    @display(description="Person", ordering="contact")
    def person(self, enrollment: Enrollment) -> str:
        """The contact."""
        return str(enrollment.contact)

    @display(description="Journey")
    def in_journey(self, enrollment: Enrollment) -> str:
        """The journey and its version."""
        return f"{enrollment.journey.name}, version {enrollment.version.number}"

    @display(description="Status", label=LABELS)
    def state(self, enrollment: Enrollment) -> str:
        """The status; a conversion is told from other exits."""
        return enrollment.standing

    @display(description="Step")
    def where(self, enrollment: Enrollment) -> str:
        """Where it stands, or stood last."""
        step: str = enrollment.step  # type: ignore[attr-defined]
        return step or "–"

    @display(description="Entered", ordering="-id")
    def began(self, enrollment: Enrollment) -> str:
        """When it began."""
        return moment(enrollment.entered_at)

    @display(description="Goes on")
    def until(self, enrollment: Enrollment) -> str:
        """When the wait is over at the latest."""
        return moment(enrollment.resume_at) or "–"

    @display(description="Reason")
    def why_ended(self, enrollment: Enrollment) -> str:
        """Why it ended."""
        return "–" if enrollment.reached_goal else enrollment.why or "–"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one enrollment: its path, and why it is where it is."""
        enrollment = self._find(request, object_id)
        moment_now = now()
        definition = enrollment.version.definition
        known = read_cards(definition, names_in(definition))
        steps = story.steps(enrollment, moment_now)
        context = {
            **self.admin_site.each_context(request),
            "model_admin": self,
            "title": f"{enrollment.contact} in {enrollment.journey.name}",
            "content_title": str(enrollment.contact),
            "media": self.media,
            "enrollment": enrollment,
            "may_take_out": enrollment.ended_at is None and may(request, "publish"),
            "label_type": LABELS[enrollment.standing],
            "entry": known[ENTRY],
            "why": story.why(enrollment, known, steps, moment_now),
            "steps": steps,
            "refusals": Refusal.objects.filter(story.refusals(enrollment)).order_by("-at")[:10],
            "others": Enrollment.objects.filter(story.refusals(enrollment))
            .exclude(pk=enrollment.pk)
            .order_by("-pk")[:10],
            "contact_link": link(enrollment.contact),
            "journey_link": link(enrollment.journey, enrollment.journey.name),
            "has_view_permission": True,
        }
        return TemplateResponse(request, "journeys/enrollment.html", context)

    def _find(self, request: HttpRequest, pk: str) -> Enrollment:
        chosen = Enrollment.objects.select_related("contact", "journey", "version", "node", "event")
        enrollment = chosen.filter(pk=pk).first() if pk.isdecimal() else None
        if enrollment is None or not self.has_view_permission(request, enrollment):
            raise Http404
        return enrollment

    def get_urls(self) -> list[URLPattern]:
        """Also the page that takes a person out."""
        view = self.admin_site.admin_view(self.take_out)
        page = path("<str:pk>/take-out/", view, name="journeys_enrollment_take_out")
        return [page, *super().get_urls()]

    def take_out(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Say what it means to take the person out of the journey; done by a POST."""
        enrollment = self._find(request, pk)
        if not may(request, "publish"):
            raise PermissionDenied
        back = reverse("admin:journeys_enrollment_change", args=[enrollment.pk])
        if request.method == "POST":
            if publishing.take_out(enrollment, by=request.user, at=now()):  # type: ignore[arg-type]
                messages.success(request, f"{enrollment.contact} was taken out.")
            else:
                messages.info(request, "The journey had ended for this person already.")
            return HttpResponseRedirect(back)
        if enrollment.ended_at is not None:
            return HttpResponseRedirect(back)
        entry = enrollment.version.definition["entry"]
        context = {
            **self.admin_site.each_context(request),
            "model_admin": self,
            "content_title": f"{enrollment.contact} in {enrollment.journey.name}",
            "title": f"Take {enrollment.contact} out of {enrollment.journey.name}",
            "media": self.media,
            "enrollment": enrollment,
            "unsent": outbox.unsent(enrollment.pk),
            "comes_back": entry.get("reentry", "once") != "once" or "key" in entry["trigger"],
        }
        return TemplateResponse(request, "journeys/take_out.html", context)


@admin.register(Refusal)
class RefusalAdmin(PeopleSearch, EndlessAdmin):
    """Why a trigger did not enroll somebody (E1)."""

    list_display = ("person", "journey", "why", "when")
    list_filter = (
        JourneyFilter,
        ("reason", admin.ChoicesFieldListFilter),
        PeriodFilter.on("at"),
    )
    list_select_related = ("contact", "journey")

    @display(description="Person")
    def person(self, refusal: Refusal) -> str:
        """The contact."""
        return str(refusal.contact)

    @display(description="Not enrolled because of")
    def why(self, refusal: Refusal) -> str:
        """The first rule that failed."""
        return refusal.get_reason_display()

    @display(description="At", ordering="-id")
    def when(self, refusal: Refusal) -> str:
        """When it was refused."""
        return moment(refusal.at)


@admin.register(WebhookCall)
class WebhookCallAdmin(EndlessAdmin):
    """The requests that webhook nodes asked for."""

    list_display = ("request_line", "state", "for_whom", "tries", "answered", "when")
    list_filter = (("status", admin.ChoicesFieldListFilter),)
    list_select_related = ("enrollment__contact", "enrollment__journey")
    fields = (
        "request_line", "for_whom", "status", "created_at", "attempts", "next_attempt_at",
        "headers", "body", "response_status", "response_body", "error",
    )  # fmt: skip
    readonly_fields = ("request_line", "for_whom")

    @display(description="Request")
    def request_line(self, call: WebhookCall) -> str:
        """Method and address."""
        return f"{call.method} {call.url}"

    @display(
        description="Status",
        label={"Answered": "success", "Failed": "danger", "Queued": "info", "Being sent": "info"},
    )
    def state(self, call: WebhookCall) -> str:
        """The status."""
        return call.get_status_display()

    @display(description="For")
    def for_whom(self, call: WebhookCall) -> str:
        """The person and the journey."""
        return link(call.enrollment, f"{call.enrollment.contact} in {call.enrollment.journey.name}")

    @display(description="Tries")
    def tries(self, call: WebhookCall) -> int:
        """How often it was tried."""
        return call.attempts

    @display(description="Answer")
    def answered(self, call: WebhookCall) -> str:
        """The HTTP status, or what went wrong."""
        return str(call.response_status or "") or call.error[:80] or "–"

    @display(description="Asked for", ordering="-id")
    def when(self, call: WebhookCall) -> str:
        """When the node asked for it."""
        return moment(call.created_at)
