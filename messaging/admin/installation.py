"""What holds for all journeys: one form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminSelect2Widget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from contacts import timezones
from contacts.values import format_duration, parse_duration
from messaging.models import Installation


class WithinField(forms.Field):
    """A duration as the journey file writes it."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        """As it is written."""
        return value if isinstance(value, str) or value is None else format_duration(value)

    def to_python(self, value: Any) -> Any:
        """The duration, at least a second."""
        if not value:
            return None
        try:
            length = parse_duration(value.strip())
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None
        if length.total_seconds() < 1:
            raise forms.ValidationError("It is at least a second.")
        return length


def _zones() -> list[tuple[str, str]]:
    names = sorted(timezones.names())
    return [(name, name.replace("_", " ")) for name in names if "/" in name or name == "UTC"]


class InstallationForm(forms.ModelForm):
    """The one form."""

    timezone = forms.ChoiceField(
        label="Time zone",
        choices=_zones,
        widget=UnfoldAdminSelect2Widget,
        help_text="For people without a time zone of their own.",
    )
    cap_within = WithinField(
        required=False,
        label="Within",
        help_text="Such as 7d or 1d12h, all journeys together.",
    )

    class Meta:
        model = Installation
        fields = "__all__"  # noqa: DJ007  a form for the whole of it
        widgets = {"postal_address": UnfoldAdminTextareaWidget(attrs={"rows": 4})}
        labels = {
            "cap_count": "At most so many",
            "from_name": "Name",
            "from_email": "Address",
            "reply_to": "Answers go to",
        }
        help_texts = {
            "cap_count": "Marketing messages to one person. Empty for no limit.",
            "from_name": "What people see as the sender.",
            "from_email": "Without one, mail comes from the address in the settings.",
            "reply_to": "Where it differs from the address.",
            "postal_address": "Shown at the end of marketing mail; the law of many countries asks "
            "for it.",
        }


@admin.register(Installation)
class InstallationAdmin(ModelAdmin):
    """One row, so its list leads to its form."""

    form = InstallationForm
    fieldsets = [
        ("Sender", {"fields": [("from_name", "from_email"), "reply_to", "postal_address"]}),
        ("Frequency cap", {"fields": [("cap_count", "cap_within")]}),
        ("Time", {"fields": ["timezone"]}),
        ("What is measured", {"fields": ["track_opens", "track_clicks"]}),
    ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """There is but one."""
        if not Installation.objects.filter(pk=1).exists():
            Installation().save()
        return HttpResponseRedirect(reverse("admin:messaging_installation_change", args=[1]))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """It is there."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It stays."""
        return False

    def response_change(self, request: HttpRequest, obj: Installation) -> HttpResponse:
        """Stay on the form."""
        answer: HttpResponse = super().response_change(request, obj)
        if "_popup" in request.POST:
            return answer
        return HttpResponseRedirect(request.path)
