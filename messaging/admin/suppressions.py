"""Addresses that nothing may be sent to."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from contacts.admin.base import LargeList
from contacts.clock import now
from messaging import subscriptions
from messaging.models import Suppression, address_hash

MOST = 10_000


class SuppressionForm(forms.ModelForm):
    """One address or many, each in a line of its own."""

    addresses = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text="One or more, each in a line of its own. Nothing is sent to them any more, "
        "whoever has them.",
    )

    class Meta:
        model = Suppression
        fields: list[str] = []

    def clean_addresses(self) -> list[str]:
        """The addresses; the first that is none is named."""
        found = [
            line for raw in self.cleaned_data["addresses"].split() if (line := raw.strip(",;"))
        ]
        if not found:
            raise forms.ValidationError("Write at least one address.")
        if len(found) > MOST:
            raise forms.ValidationError(f"At most {MOST:,} at a time.")
        for address in found:
            try:
                validate_email(address)
            except forms.ValidationError:
                raise forms.ValidationError(f"“{address}” is no e-mail address.") from None
        return found


@admin.register(Suppression)
class SuppressionAdmin(LargeList):
    """Suppressed addresses: by bounces and complaints, or by hand."""

    form = SuppressionForm
    list_display = ["shown", "why", "created_at"]
    list_filter = [("reason", ChoicesDropdownFilter)]
    search_fields = ["address"]
    search_help_text = "Whole address"
    search_title = "A whole address; one that was erased is found too."
    ordering = ["-id"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Suppression], search_term: str
    ) -> tuple[QuerySet[Suppression], bool]:
        """By the hash of the address, which is all that is left after an erasure."""
        term = search_term.strip()
        return (queryset.filter(hash=address_hash(term)) if term else queryset), False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It is made or deleted, nothing else."""
        return False

    def get_fields(self, request: HttpRequest, obj: Suppression | None = None) -> list[str]:
        """What is asked for, and what is shown."""
        return ["shown", "why", "created_at"] if obj else ["addresses"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Suppression | None = None
    ) -> list[str]:
        """Nothing changes."""
        return ["shown", "why", "created_at"] if obj else []

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        """Suppress all of them, as one fact of each contact that has one of them."""
        addresses = form.cleaned_data["addresses"]
        subscriptions.suppress(addresses, at=now())
        saved = Suppression.objects.get(hash=address_hash(addresses[0]))
        obj.pk, obj.address, obj.hash = saved.pk, saved.address, saved.hash

    def delete_model(self, request: HttpRequest, obj: Suppression) -> None:
        """Let mail go there again."""
        self.delete_queryset(request, Suppression.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        """Let mail go to all of them again."""
        addresses = list(queryset.exclude(address="").values_list("address", flat=True))
        queryset.filter(address="").delete()
        subscriptions.unsuppress(addresses, at=now())

    @display(description="Address")
    def shown(self, suppression: Suppression) -> str:
        """The address, where it is still known."""
        return str(suppression)

    @display(
        description="Why",
        label={
            "Hard bounce": "danger",
            "Complaint": "danger",
            "By hand": "info",
            "Erased on request": "",
        },
    )
    def why(self, suppression: Suppression) -> str:
        """What led to it."""
        return str(suppression.get_reason_display())
