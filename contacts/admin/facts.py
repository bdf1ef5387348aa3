"""What waits to be worked through, and what could not be."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RadioFilter
from unfold.decorators import action, display

from contacts.admin import shown
from contacts.admin.base import LargeList, ReadOnly
from contacts.models import Fact
from contacts.signals import announce, contacts_changed


class StateFilter(RadioFilter):
    """Those that were put aside, or those that wait."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The two states."""
        return [("aside", "Put aside"), ("waiting", "Waiting")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Fact]) -> QuerySet[Fact]:
        """Those in the state."""
        if not self.value():
            return queryset
        return queryset.filter(failed_at__isnull=self.value() == "waiting")


@admin.register(Fact)
class FactAdmin(ReadOnly, LargeList):
    """The engine's queue: empty most of the time."""

    list_display = ["state", "kind", "person", "what", "received_at", "first_error_line"]
    list_filter = [StateFilter, ("kind", ChoicesDropdownFilter)]
    list_select_related = ["contact", "event"]
    ordering = ["id"]
    list_before_template = "contacts/admin/facts_aside.html"
    actions = ["try_again"]
    fields = ["state", "kind", "person", "what", "changes", "received_at", "failed_at", "error"]
    readonly_fields = fields

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With a word about those that were put aside."""
        aside = Fact.objects.filter(failed_at__isnull=False).count()
        response: HttpResponse = super().changelist_view(
            request, {**(extra_context or {}), "aside": aside}
        )
        return response

    @display(description="State", label={"Put aside": "danger", "Waiting": "info"})
    def state(self, fact: Fact) -> str:
        """Whether it waits or was put aside."""
        return "Put aside" if fact.failed_at else "Waiting"

    @display(description="Person")
    def person(self, fact: Fact) -> SafeString:
        """Whose it is."""
        url = reverse("admin:contacts_contact_change", args=[fact.contact_id])
        return format_html('<a class="p-link" href="{}">{}</a>', url, fact.contact)

    @display(description="What")
    def what(self, fact: Fact) -> str:
        """What happened, in a few words."""
        if fact.event is not None:
            return fact.event.name
        changes = fact.payload.get("changes", {})
        names = [*(n for n in changes if n != "attributes"), *changes.get("attributes", {})]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return ", ".join(names[:3]) + more

    @display(description="Changes")
    def changes(self, fact: Fact) -> SafeString:
        """What it was before and after."""
        changes = dict(fact.payload.get("changes", {}))
        changes |= changes.pop("attributes", {})
        values = {
            name: f"{shown.words(sides.get('old'))} → {shown.words(sides.get('new'))}"
            for name, sides in changes.items()
        }
        return shown.table(values or (fact.event.properties if fact.event else {}))

    @display(description="Error")
    def first_error_line(self, fact: Fact) -> str:
        """What went wrong, without the trace."""
        lines = fact.error.strip().splitlines()
        return lines[-1][:200] if lines else ""

    @action(description="Try again", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Fact]) -> None:
        """Have the engine look at these once more."""
        aside = queryset.filter(failed_at__isnull=False)
        contact_ids = list(aside.values_list("contact_id", flat=True))
        count = aside.update(error="", failed_at=None)
        announce(contacts_changed, contact_ids)
        messages.success(request, f"{count} will be tried again.")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Whoever may change facts."""
        return bool(request.user.has_perm("contacts.change_fact"))

    class Media:
        css = {"all": ["contacts/people.css"]}
