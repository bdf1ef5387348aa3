"""Messages: each mail as it was sent, what became of it, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.header import decode_header, make_header
from typing import Any

from django.contrib import admin
from django.contrib import messages as notices
from django.core.exceptions import PermissionDenied
from django.db import connections, router
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import action, display
from unfold.views import ChangeList

from contacts import lookup
from contacts.admin import shown
from contacts.admin.base import LargeChangeList, LargeList, ReadOnly
from contacts.admin.periods import PeriodFilter
from contacts.clock import now
from messaging import envelope, jobs, leases, wording
from messaging.admin import frames, sources
from messaging.became import BECAME
from messaging.models import Channel, Installation, Message

Status = Message.Status

TONES = {
    Status.QUEUED: "info",
    Status.SENDING: "info",
    Status.SENT: "success",
    Status.FAILED: "danger",
    Status.SKIPPED: "",
    Status.UNCERTAIN: "warning",
    Status.CANCELLED: "",
}
SETTLE = "messaging.settle_message"


class JourneyFilter(DropdownFilter):
    """Messages of one journey."""

    title = "journey"
    parameter_name = "journey"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The journeys that ever queued one, found by leaps through the index."""
        table = Message._meta.db_table
        with connections[router.db_for_read(Message)].cursor() as cursor:
            cursor.execute(
                f"WITH RECURSIVE found(journey) AS (SELECT min(journey) FROM {table} UNION ALL"  # noqa: S608
                f" SELECT (SELECT min(journey) FROM {table} WHERE journey > found.journey)"
                " FROM found WHERE found.journey IS NOT NULL)"
                " SELECT journey FROM found WHERE journey > '' LIMIT 500"
            )
            known = sources.called(slug for (slug,) in cursor.fetchall())
        return sorted(known.items(), key=lambda one: one[1].lower())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        """Those of the journey."""
        return queryset.filter(journey=self.value()) if self.value() else queryset


class StepFilter(admin.SimpleListFilter):
    """Messages of one step; it comes with an address, since listing all would read every row."""

    title = "step"
    parameter_name = "node"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The one that was chosen."""
        key = request.GET.get(self.parameter_name)
        return [(key, key)] if key else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        """Those of the step."""
        return queryset.filter(node=self.value()) if self.value() else queryset


class BecameFilter(DropdownFilter):
    """By what became of them."""

    title = "what became of it"
    parameter_name = "became"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All that is counted anywhere."""
        return [(name, name.capitalize()) for name in BECAME]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        """Those of which that holds."""
        condition = BECAME.get(self.value() or "")
        return queryset.filter(condition) if condition else queryset


@dataclass(frozen=True)
class State:
    """One line of what became of a message."""

    at: datetime
    icon: str
    title: str
    tone: str = ""
    detail: str = ""


class Messages(LargeChangeList):
    """The list of messages, in which each says from which journey it comes."""

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page; the names of their journeys come in one statement."""
        super().get_results(request)
        known = sources.called(message.journey for message in self.result_list)
        for message in self.result_list:
            message.journey_name = known.get(message.journey, "")


@admin.register(Message)
class MessageAdmin(LargeList, ReadOnly):
    """All messages, the newest first."""

    list_display = ["mail", "person", "status_label", "became", "source", "when"]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        BecameFilter,
        JourneyFilter,
        StepFilter,
        ("template", RelatedDropdownFilter),
        PeriodFilter.on("queued_at"),
        ("queued_at", RangeDateTimeFilter),
    ]
    list_select_related = ["contact", "template"]
    list_before_template = "messaging/admin/channel.html"
    search_fields = ["to"]
    search_help_text = "Address or user id"
    search_title = "The beginning of an address or user id, or the whole address a mail went to."
    ordering = ["-queued_at", "-id"]
    show_facets = admin.ShowFacets.NEVER  # each would count all messages
    actions = ["mark_as_sent", "send_again"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        """Without the mails themselves, which are long."""
        return super().get_queryset(request).defer("text", "html", "context", "error")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that knows the journeys."""
        return Messages

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        """By the address it went to, or by the person it was for."""
        term = search_term.strip()
        if not term:
            return queryset, False
        sent = queryset.annotate(mailbox=Lower("to")).filter(mailbox=term.lower())
        if "@" in term and sent.exists():
            return sent, False
        return queryset.filter(contact__in=lookup.beginning(term)), False

    # The list

    @display(description="Mail")
    def mail(self, message: Message) -> SafeString:
        """Its subject, or what it would have been."""
        subject = message.subject or message.template.name
        return format_html('<span class="m-subject">{}</span>', subject)

    @display(description="Person")
    def person(self, message: Message) -> SafeString:
        """To whom, with a way there."""
        url = reverse("admin:contacts_contact_change", args=[message.contact_id])
        return format_html(
            '<a class="p-link" href="{}">{}</a>', url, message.to or str(message.contact)
        )

    @display(description="State", label={label: TONES[Status(v)] for v, label in Status.choices})
    def status_label(self, message: Message) -> str:
        """Its state."""
        return str(message.get_status_display())

    @display(description="Latest")
    def became(self, message: Message) -> str:
        """The last that was told about it, or why it stands where it stands."""
        told = [
            (message.complained_at, "Reported as spam"),
            (message.bounced_at, "Bounced"),
            (message.clicked_at, "Clicked"),
            (message.opened_at, "Opened"),
            (message.delivered_at, "Delivered"),
        ]
        return next((words for at, words in told if at), wording.why(message.reason))

    @display(description="From")
    def source(self, message: Message) -> str:
        """The journey and the node that queued it."""
        journey: str = message.journey_name  # type: ignore[attr-defined]
        return " · ".join(part for part in (journey, message.node) if part) or "–"

    @display(description="Queued")
    def when(self, message: Message) -> SafeString:
        """When it was queued."""
        return format_html('<span class="m-when">{}</span>', shown.moment(message.queued_at))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """The list, and above it why nothing goes out at the moment."""
        channel = Channel.load()
        closed = channel if channel.closed_until else None
        return super().changelist_view(request, {"channel": closed, **(extra_context or {})})

    # Uncertain messages

    def has_settle_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may say what became of a message, or send it again."""
        return bool(request.user.has_perm(SETTLE))

    @action(description="Mark as sent", permissions=["settle"])
    def mark_as_sent(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        """Settle those that are uncertain."""
        count = leases.mark_sent(Message.objects.filter(pk__in=list(_ids(queryset))))
        notices.success(request, f"{count} uncertain marked as sent.")

    @action(description="Send again", permissions=["settle"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        """Queue those that are uncertain or failed once more."""
        chosen = Message.objects.filter(pk__in=list(_ids(queryset)))
        count = leases.send_again(chosen, now=now())
        jobs.nudge()
        notices.success(request, f"{count} uncertain or failed queued again.")

    # One message

    def get_urls(self) -> list[URLPattern]:
        """Beside the usual pages, the mail itself and what is done about it."""
        view = self.admin_site.admin_view
        return [
            path("try-now/", view(self.try_now), name="messaging_message_try_now"),
            path("<int:pk>/mail/", view(self.mail_page), name="messaging_message_mail"),
            path("<int:pk>/settle/", view(self.settle), name="messaging_message_settle"),
            *super().get_urls(),
        ]

    def _found(self, request: HttpRequest, pk: int | str) -> Message:
        if not self.has_view_permission(request):
            raise PermissionDenied
        related = Message.objects.select_related("contact", "template", "topic")
        message = related.filter(pk=pk).first() if str(pk).isdecimal() else None
        if message is None:
            raise Http404
        return message

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The mail as it was sent, and what became of it."""
        message = self._found(request, object_id)
        sender = envelope.sender_of(Installation.load())
        journey = sources.called([message.journey]).get(message.journey, "")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": message.subject or message.template.name,
            "message": message,
            "journey": journey,
            "tone": TONES[Status(message.status)],
            "said": wording.said(message),
            "states": sorted(_states(message, journey), key=lambda state: state.at),
            "headers": {
                "From": _readable(sender),
                "To": message.to,
                **envelope.headers(message, sender),
            },
            "may_settle": self.has_settle_permission(request)
            and message.status in (Status.UNCERTAIN, Status.FAILED),
        }
        return TemplateResponse(request, "messaging/admin/message.html", context)

    def mail_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The HTML of the mail, for its frame."""
        return frames.mail(self._found(request, pk).html)

    def settle(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Say that an uncertain message was sent, or send it again."""
        message = self._found(request, pk)
        if not self.has_settle_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            chosen = Message.objects.filter(pk=pk)
            if request.POST.get("do") == "sent":
                self.mark_as_sent(request, chosen)
            elif request.POST.get("do") == "again":
                self.send_again(request, chosen)
        return HttpResponseRedirect(reverse("admin:messaging_message_change", args=[message.pk]))

    def try_now(self, request: HttpRequest) -> HttpResponse:
        """Do not wait any longer before the next attempt to send anything."""
        if not self.has_settle_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            Channel.objects.filter(closed_until__gt=now()).update(closed_until=now())
            jobs.nudge()
            notices.success(request, "It is being tried again now.")
        return HttpResponseRedirect(reverse("admin:messaging_message_changelist"))

    class Media:
        css = {"all": ["contacts/people.css", "messaging/admin.css"]}


def _readable(header: str) -> str:
    """A header as people read it, with what is encoded in it decoded."""
    return str(make_header(decode_header(header)))


def _ids(queryset: QuerySet[Message]) -> Iterator[int]:
    return queryset.values_list("pk", flat=True).iterator()


def _states(message: Message, journey: str) -> Iterator[State]:
    """What became of the message, with the moment of each."""
    yield State(message.queued_at, "schedule", "Queued", detail=_queued_by(message, journey))
    told: list[tuple[datetime | None, str, str, str]] = [
        (message.sent_at, "outgoing_mail", "Handed over", "good"),
        (message.delivered_at, "mark_email_read", "Delivered", "good"),
        (message.machine_opened_at, "smart_toy", "Opened by a program, which is not counted", ""),
        (message.opened_at, "drafts", "Opened", "good"),
        (message.clicked_at, "ads_click", "A link was followed", "good"),
        (message.bounced_at, "block", "Bounced", "bad"),
        (message.complained_at, "report", "Reported as spam", "bad"),
    ]
    for at, icon, title, tone in told:
        if at:
            yield State(at, icon, title, tone)
    if message.ended_at:
        tone = {Status.FAILED: "bad", Status.UNCERTAIN: "warning"}.get(Status(message.status), "")
        yield State(message.ended_at, "flag", str(message.get_status_display()), tone)
    if message.status == Status.QUEUED and message.attempts and message.next_attempt_at:
        yield State(message.next_attempt_at, "update", "Next attempt", "warning")


def _queued_by(message: Message, journey: str) -> str:
    return f"By the journey “{journey}”, node “{message.node}”." if journey else ""
