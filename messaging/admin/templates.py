"""Templates: written on the left, looked at on the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import PROTECT, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils.timesince import timesince
from django.views.decorators.clickjacking import xframe_options_sameorigin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from contacts.admin import uses
from contacts.admin.base import AsStored
from contacts.admin.choosing import PersonWidget
from contacts.admin.deleting import Explained
from contacts.clock import now
from contacts.models import AttributeName, Contact, EventName
from messaging import outcomes, samples
from messaging import variables as names
from messaging.admin import frames
from messaging.models import Message, Template

TEST = "messaging.send_test_template"
NO_ADDRESS = "Your account has no e-mail address yet, so there is nowhere to send a test to."
FORMATS = [
    ("markdown", "Markdown"),
    ("mjml", "MJML"),
    ("html", "HTML"),
    ("text", "Text only"),
]
#: Names that lists of variables offer, whatever is known of people.
ALWAYS = ["contact.email", "unsubscribe_url", "preferences_url", "postal_address", "journey"]


class SampleForm(forms.Form):
    """For whom a template is shown, and as what."""

    sample = forms.ModelChoiceField(
        Contact.objects.all(),
        required=False,
        label="Shown for",
        widget=PersonWidget(
            **{
                "form": "template_form",
                "data-placeholder": "The newest person",
                "data-allow-clear": "true",
            }
        ),
    )
    transactional = forms.BooleanField(required=False)


class TemplateForm(forms.ModelForm):
    """A template, written in one of four formats."""

    written_in = forms.ChoiceField(choices=FORMATS, widget=forms.RadioSelect, label="Written in")

    class Meta:
        model = Template
        fields = [
            "name",
            "slug",
            "subject",
            *("markdown", "mjml", "html", "text"),
            "resend_uncertain",
        ]
        help_texts = {
            "slug": "By this name journeys call the template.",
            "text": "For mail programs that show no HTML. Left empty, it is made from the HTML.",
        }
        widgets = {
            "subject": UnfoldAdminTextInputWidget(attrs={"class": "m-wide"}),
            **{
                name: UnfoldAdminTextareaWidget(
                    attrs={"rows": 22, "class": "m-code", "spellcheck": s}
                )
                for name, s in (("markdown", "true"), ("mjml", "false"), ("html", "false"))
            },
            "text": UnfoldAdminTextareaWidget(attrs={"rows": 8, "class": "m-code"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["written_in"].initial = format_of(self.instance)

    def clean(self) -> dict[str, Any]:
        """What is written in the other formats is no part of the template any more."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        chosen = cleaned.get("written_in")
        for name in ("markdown", "mjml", "html"):
            if chosen and name != chosen:
                cleaned[name] = ""
        return cleaned


def format_of(template: Template) -> str:
    """What a template is written in; a new one in Markdown."""
    if template.html.strip():
        return "html"
    if template.mjml.strip():
        return "mjml"
    return "text" if template.text.strip() and not template.markdown.strip() else "markdown"


@admin.register(Template)
class TemplateAdmin(AsStored, Explained):
    """What is sent."""

    form = TemplateForm
    list_display = ["name", "subject", "format", "used", "changed"]
    search_fields = ["name", "slug", "subject"]
    prepopulated_fields = {"slug": ["name"]}
    show_full_result_count = False
    list_per_page = 50
    warn_unsaved_form = True
    compressed_fields = False
    change_form_template = "messaging/admin/template.html"
    fieldsets = [
        (None, {"fields": [("name", "slug"), "subject"]}),
        (None, {"fields": ["written_in", "markdown", "mjml", "html", "text"]}),
        (None, {"fields": ["resend_uncertain"]}),
    ]

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Template]:
        """With the moment of their last message."""
        last = Message.objects.filter(template=OuterRef("pk")).order_by("-pk")
        return (
            super().get_queryset(request).annotate(last_at=Subquery(last.values("queued_at")[:1]))
        )

    @display(description="Written in", label=True)
    def format(self, template: Template) -> str:
        """Its format."""
        return dict(FORMATS)[format_of(template)]

    @display(description="Last used")
    def used(self, template: Any) -> str:
        """When a message was last made of it."""
        return f"{timesince(template.last_at)} ago" if template.last_at else "Never"

    @display(description="Changed", ordering="updated_at")
    def changed(self, template: Template) -> str:
        """When it was changed."""
        return f"{timesince(template.updated_at)} ago"

    def kept_by(self, objs: Sequence[Template]) -> list[str]:
        """What was sent leads back to its template, and what is published needs it."""
        return [
            *(
                f"“{template}” stays: {' and '.join(reasons)}."
                for template in objs
                if (reasons := _needed_by(template))
            ),
            *(said for template in objs if (said := uses.kept(template))),
        ]

    # The form

    def get_readonly_fields(self, request: HttpRequest, obj: Template | None = None) -> list[str]:
        """The slug stands in journeys, so it stays."""
        return ["slug"] if obj else []

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Template | None = None
    ) -> dict[str, Any]:
        """The slug comes from the name, once."""
        return {} if obj else {"slug": ["name"]}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form, and beside it the mail."""
        return super().changeform_view(
            request,
            object_id,
            form_url,
            {
                "sample_form": SampleForm(),
                "variables": variables(),
                "may_test": self.has_test_permission(request),
                "test_address": getattr(request.user, "email", ""),
                "own_account": _own_account(request),
                **(extra_context or {}),
            },
        )

    @property
    def media(self) -> forms.Media:
        """With what the choice of a person needs, each file once."""
        own = forms.Media(
            css={"all": ["contacts/people.css", "messaging/admin.css"]},
            js=["messaging/message.js", "messaging/template.js"],
        )
        media: forms.Media = super().media + SampleForm().media + own
        return media

    # Looking at it

    def get_urls(self) -> list[URLPattern]:
        """Beside the usual pages, what the page asks for while one writes."""
        view = self.admin_site.admin_view
        return [
            path("preview/", view(self.preview), name="messaging_template_preview"),
            path("frame/", view(self.frame), name="messaging_template_frame"),
            path("test/", view(self.test), name="messaging_template_test"),
            *super().get_urls(),
        ]

    def has_test_permission(self, request: HttpRequest) -> bool:
        """Whoever may send test mails to themselves."""
        return bool(request.user.has_perm(TEST))

    @staticmethod
    def _written(request: HttpRequest) -> dict[str, str]:
        """What stands in the form, without what is written in the formats not chosen."""
        written = {
            name: request.POST.get(name, "").replace("\r\n", "\n")
            for name in ("subject", "markdown", "mjml", "html", "text")
        }
        chosen = request.POST.get("written_in", "")
        for name in ("markdown", "mjml", "html"):
            if chosen and name != chosen:
                written[name] = ""
        return written

    def _sample(self, request: HttpRequest) -> samples.Preview:
        """The template as it stands in the form, filled in."""
        if request.method != "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        form = SampleForm(request.POST)
        contact = form.cleaned_data.get("sample") if form.is_valid() else None
        if contact and not request.user.has_perm("contacts.view_contact"):
            raise PermissionDenied
        template = Template(**self._written(request))
        transactional = bool(request.POST.get("transactional"))
        return samples.preview(template, contact, transactional=transactional, now=now())

    def preview(self, request: HttpRequest) -> HttpResponse:
        """Subject, text and problems, as JSON."""
        found = self._sample(request)
        rendered = found.rendered
        problems = [
            *found.problems,
            *names.unknown(
                self._written(request),
                found.contact.attributes if found.contact else None,
                found.event.properties if found.event else None,
            ),
        ]
        return JsonResponse(
            {
                "subject": rendered.subject if rendered else "",
                "text": rendered.text if rendered else "",
                "html": bool(rendered and rendered.html),
                "dark": bool(rendered and "prefers-color-scheme" in rendered.html),
                "problems": [
                    {"place": p.place, "message": f"{p.message} {p.hint}".strip(), "level": p.level}
                    for p in problems
                ],
                "shown_for": _shown_for(found),
            }
        )

    @xframe_options_sameorigin
    def frame(self, request: HttpRequest) -> HttpResponse:
        """The HTML, for the frame."""
        rendered = self._sample(request).rendered
        return frames.mail(rendered.html if rendered else "", "There is nothing to show yet.")

    def test(self, request: HttpRequest) -> HttpResponse:
        """Send it to whoever asks."""
        if not self.has_test_permission(request):
            raise PermissionDenied
        found = self._sample(request)
        address = getattr(request.user, "email", "")
        if not address:
            return _said(NO_ADDRESS, status=400)
        if found.rendered is None:
            return _said("It can't be sent before its problems are solved.", status=400)
        try:
            samples.send(found.rendered, address)
        except Exception as error:
            outcome = outcomes.of(error)
            return _said(f"It could not be sent: {outcome.detail}", status=502)
        return _said(f"Sent to {address}.")


def _needed_by(template: Template) -> list[str]:
    """Why a template can't go: mails of this room, and whatever the rooms above have published."""
    needing = {
        relation.related_model
        for relation in Template._meta.related_objects
        if relation.on_delete is PROTECT
        and relation.related_model._base_manager.filter(**{relation.field.name: template}).exists()
    }
    reasons = ["mails were made from it"] if Message in needing else []
    return reasons + (["a version of a journey sends it"] if needing - {Message} else [])


def _said(words: str, status: int = 200) -> JsonResponse:
    return JsonResponse({"message": words}, status=status)


def _own_account(request: HttpRequest) -> str:
    """The page on which whoever asks can give their account an address; empty if they may not."""
    if not request.user.has_perm("auth.change_user"):
        return ""
    return reverse("admin:auth_user_change", args=[request.user.pk])


def _shown_for(found: samples.Preview) -> str:
    """For whom, and with which event, in words."""
    if found.rendered is None:
        return ""
    who = str(found.contact) if found.contact else "Ann Example, who is made up"
    if found.event is None:
        return f"Shown for {who}."
    return f"Shown for {who}, with the event {found.event.name}."


def variables() -> list[tuple[str, list[tuple[str, str]]]]:
    """The variables to choose from, in groups: what each is called, and how Liquid writes it.

    People's attributes and events' properties; what Liquid can't write is left out.
    """
    attributes = AttributeName.objects.order_by("-last_seen_at").values_list("name", flat=True)
    events = EventName.objects.exclude(name__startswith="message_").order_by("-last_seen_at")
    properties = {
        f"event.{name}"
        for _, seen in events.values_list("name", "properties")[:50]
        for name in seen
    }
    groups = [
        ("Always", ALWAYS),
        ("Attributes", sorted(f"contact.{name}" for name in attributes[:100])),
        ("Event that started the journey", sorted(properties)[:100]),
    ]
    return [
        (group, [(name, written) for name in offered if (written := names.path(name))])
        for group, offered in groups
    ]
