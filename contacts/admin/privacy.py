"""Exporting and erasing a person, from their page."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from contacts import privacy
from contacts.admin import sharing
from contacts.admin.base import ReadOnly
from contacts.admin.periods import PeriodFilter
from contacts.clock import now
from contacts.models import Contact, PrivacyRecord

EXPORT, ERASE = "contacts.export_contact", "contacts.erase_contact"


@admin.register(PrivacyRecord)
class PrivacyRecordAdmin(ReadOnly):
    """Which requests there were. Nothing here says who asked."""

    list_display = ["at", "action", "contact_pk", "by"]
    list_filter = ["action", PeriodFilter.on("at")]


@require_POST
def export_view(request: HttpRequest, contact: Contact) -> HttpResponse:
    """All that is known of the person, as a file."""
    if not request.user.has_perm(EXPORT):
        raise PermissionDenied
    found = privacy.export(contact, at=now(), by=cast(Model, request.user))
    response = JsonResponse(
        found, DjangoJSONEncoder, json_dumps_params={"indent": 2, "ensure_ascii": False}
    )
    response["Content-Disposition"] = f'attachment; filename="contact-{contact.pk}.json"'
    response["Cache-Control"] = "no-store"
    return response


def erase_view(request: HttpRequest, contact: Contact, context: dict[str, Any]) -> HttpResponse:
    """Ask, with all that goes by name, and erase."""
    if not request.user.has_perm(ERASE):
        raise PermissionDenied
    if request.method == "POST":
        pk = contact.pk
        try:
            privacy.erase(contact, at=now(), by=cast(Model, request.user))
        except privacy.Busy as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:contacts_contact_change", args=[pk]))
        messages.success(request, "The person was erased. Nobody can write to the address again.")
        return HttpResponseRedirect(reverse("admin:contacts_contact_changelist"))
    goes = [(number, name) for name, number in privacy.counts(contact).items() if number]
    context |= {
        "contact": contact,
        "goes": goes,
        "shared": sharing.others(contact),
        "title": "Erase a person",
    }
    return TemplateResponse(request, "contacts/admin/erase.html", context)
