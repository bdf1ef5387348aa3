"""Contacts: found at once, readable by whoever supports them, edited without JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from contacts import exporting, identity, ingest, lookup, timezones
from contacts.admin import members, panels, privacy, sharing, timeline
from contacts.admin.base import AsStored, LargeList
from contacts.admin.filters import ImportFilter, KnownByFilter, SegmentFilter, number
from contacts.admin.rows import RowsField
from contacts.clock import now
from contacts.items import ADDRESS
from contacts.models import Contact

#: Entries of the timeline on one page.
PAGE = 40


class ContactForm(forms.ModelForm):
    """A contact's own fields, and attributes in rows."""

    attributes = RowsField(required=False, reserved=("email", "timezone"))

    class Meta:
        model = Contact
        fields = ["external_id", "email", "timezone", "language", "attributes"]
        labels = {"external_id": "User id", "timezone": "Time zone"}
        help_texts = {
            "external_id": "The id that your own systems use.",
            "timezone": "As Europe/Berlin. Local times are in the installation's without one.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["attributes"].initial = self.instance.attributes

    def clean_email(self) -> str:
        """One that mail can go to; what came in long ago may stay."""
        email: str = self.cleaned_data["email"].strip()
        if email and "email" in self.changed_data and not ADDRESS.fullmatch(email):
            raise forms.ValidationError(f"“{email[:50]}” is no email address.")
        return email

    def clean_external_id(self) -> str | None:
        """A blank id is none."""
        return self.cleaned_data["external_id"] or None

    def clean_timezone(self) -> str:
        """One that there is; what came in long ago may stay."""
        zone: str = self.cleaned_data["timezone"]
        if zone and "timezone" in self.changed_data and (wrong := timezones.fault(zone)):
            raise forms.ValidationError(wrong)
        return zone


class MergeForm(forms.Form):
    """Which contact is to be joined to the one at hand."""

    other = forms.CharField(
        label="The other person",
        help_text="Their user id or email address. They become one with this person.",
        widget=UnfoldAdminTextInputWidget(),
    )

    def __init__(self, *args: Any, contact: Contact, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.contact = contact

    def clean_other(self) -> Contact:
        """The one contact that is meant."""
        found = lookup.exactly(self.cleaned_data["other"]).exclude(pk=self.contact.pk)[:2]
        if len(found) != 1:
            number = "Nobody else has" if not found else "More than one person has"
            raise forms.ValidationError(f"{number} this id or address.")
        return found[0]


@admin.register(Contact)
class ContactAdmin(AsStored, LargeList):
    """The people we may message."""

    form = ContactForm
    list_display = ["who", "user_id", "zone", "language", "created_at"]
    list_filter = [SegmentFilter, ImportFilter, KnownByFilter, ("created_at", RangeDateFilter)]
    actions = ["choose_segment", "export_csv"]
    search_fields = ["email", "external_id"]
    search_help_text = "Address or user id"
    search_title = "The beginning of an email address or user id, or a whole anonymous id."
    ordering = ["-created_at", "-id"]
    fieldsets = [
        (None, {"fields": ["external_id", "email", "timezone", "language", "attributes"]}),
    ]

    @display(description="Person", header=True)
    def who(self, contact: Contact) -> list[str]:
        """Name or address, with what else there is below it."""
        name = timeline.name_of(contact)
        title = name or contact.email or contact.external_id or "Anonymous"
        return [title, contact.email if name else "", title[:1]]

    @display(description="User id")
    def user_id(self, contact: Contact) -> str:
        """The id in the customer's own systems."""
        return contact.external_id or self.get_empty_value_display()

    @display(description="Time zone")
    def zone(self, contact: Contact) -> str:
        """The IANA name."""
        return contact.timezone or self.get_empty_value_display()

    def has_delete_permission(self, request: HttpRequest, obj: Contact | None = None) -> bool:
        """Nobody is deleted and leaves half a history behind: a person is erased."""
        return False

    def has_merge_permission(self, request: HttpRequest, contact: Contact) -> bool:
        """Whoever may change contacts and, as one of the two goes, delete them."""
        may_delete = request.user.has_perm("contacts.delete_contact")
        return may_delete and self.has_change_permission(request, contact)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        """By index alone: a list of a million answers at once."""
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=lookup.beginning(search_term)), False

    def get_urls(self) -> list[URLPattern]:
        """The overview stands where Django has the form; the form has an address of its own."""
        name = "contacts_contact"
        own = [
            path("segments/", self._view(self.segments_view), name=f"{name}_segments"),
            path("<path:object_id>/edit/", self._view(self.edit_view), name=f"{name}_edit"),
            path("<path:object_id>/merge/", self._view(self.merge_view), name=f"{name}_merge"),
            path("<path:object_id>/export/", self._view(self.export_view), name=f"{name}_export"),
            path("<path:object_id>/erase/", self._view(self.erase_view), name=f"{name}_erase"),
        ]
        return own + super().get_urls()

    def _view(self, view: Any) -> Any:
        return self.admin_site.admin_view(view)

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form."""
        return self.changeform_view(request, object_id, reverse_edit(object_id))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Who this is, and what happened."""
        if request.method == "POST":
            return self.edit_view(request, object_id)
        contact = self.get_object(request, object_id)
        if contact is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_permission(request, contact):
            raise PermissionDenied
        before = _moment(request.GET.get("before"))
        entries = panels.entries_of(contact, before, PAGE + 1)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": contact,
            "contact": contact,
            "name": timeline.name_of(contact),
            "title": str(contact),
            "attributes": timeline.attributes(contact),
            "sections": panels.sections_of(contact, request),
            "entries": entries[:PAGE],
            "earlier": entries[PAGE - 1].at.isoformat() if len(entries) > PAGE else "",
            "before": before,
            "may_change": self.has_change_permission(request, contact),
            "may_merge": self.has_merge_permission(request, contact),
            "may_export": request.user.has_perm(privacy.EXPORT),
            "may_erase": request.user.has_perm(privacy.ERASE),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "contacts/admin/contact.html", context)

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        """Only what was changed is written, so that what came in meanwhile is kept."""
        if change:
            self._edit(obj, form)
        else:
            super().save_model(request, obj, form, change)
        shared = sharing.others(obj) if "email" in form.changed_data else ""
        if shared:
            said = "The address {} is also that of {}. Mails to any of them reach one mailbox."
            messages.warning(request, format_html(said, obj.email, shared))

    def _edit(self, obj: Contact, form: Any) -> None:
        initial = Contact.objects.values("attributes").get(pk=obj.pk)["attributes"]
        differing = identity.difference(form.initial.get("attributes") or initial, obj.attributes)
        wanted = {name: sides.get("new") for name, sides in differing.items()}
        fields = {
            name: getattr(obj, name) or ("" if name != "external_id" else None)
            for name in identity.FIELDS
            if name in form.changed_data
        }
        ingest.edit(obj.pk, attributes=wanted, fields=fields, at=now())

    def response_change(self, request: HttpRequest, obj: Contact) -> HttpResponse:
        """Back to the overview."""
        if "_continue" in request.POST:
            messages.success(request, f"{obj} was saved.")
            return HttpResponseRedirect(reverse_edit(str(obj.pk)))
        if "_addanother" in request.POST:
            return super().response_change(request, obj)
        messages.success(request, f"{obj} was saved.")
        return HttpResponseRedirect(reverse("admin:contacts_contact_change", args=[obj.pk]))

    def merge_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Join another contact to this one, after asking."""
        contact = self.get_object(request, object_id)
        if contact is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_merge_permission(request, contact):
            raise PermissionDenied
        form = MergeForm(request.POST or None, contact=contact)
        other = form.cleaned_data["other"] if form.is_bound and form.is_valid() else None
        if other is not None and "confirmed" in request.POST:
            identity.merge(contact.pk, other.pk, at=now(), by=cast(Model, request.user))
            messages.success(request, f"{other} is one with {contact} now.")
            return HttpResponseRedirect(reverse("admin:contacts_contact_change", args=[contact.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": contact,
            "contact": contact,
            "form": form,
            "other": other,
            "title": "Merge people",
        }
        return TemplateResponse(request, "contacts/admin/merge.html", context)

    @action(description="Put into a segment, or take out of one", permissions=["fill"])
    def choose_segment(self, request: HttpRequest, queryset: QuerySet[Contact]) -> Any:
        """Ask into or out of which static segment the chosen go."""
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: members.MOST + 1])
        if len(ids) > members.MOST:
            messages.error(
                request,
                f"These are more than {members.MOST:,} people: a condition or an import takes any"
                " number into a segment.",
            )
            return None
        return self._segments_page(request, members.ChosenForm(), ids)

    @action(description="Export as CSV", permissions=["export"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Contact]) -> HttpResponseBase:
        """The chosen, or all that the filters leave, as a file; kept in the admin's history."""
        LogEntry.objects.create(
            user=cast(User, request.user),
            content_type=ContentType.objects.get_for_model(Contact),
            object_repr=f"{queryset.count():,} people",
            action_flag=CHANGE,
            change_message="Exported as CSV.",
        )
        return exporting.response(exporting.contacts_csv(queryset), "people.csv")

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Whoever may export what is known of a person."""
        return bool(request.user.has_perm(privacy.EXPORT))

    def has_fill_permission(self, request: HttpRequest) -> bool:
        """Whoever may put people into segments or take them out."""
        return members.may_any(request)

    def segments_view(self, request: HttpRequest) -> HttpResponse:
        """Put those who were chosen into a static segment, or take them out of it."""
        if not members.may_any(request):
            raise PermissionDenied
        sent = request.POST if request.method == "POST" else request.GET
        ids = [pk for one in sent.get("ids", "").split(",")[: members.MOST] if (pk := number(one))]
        form = members.ChosenForm(request.POST or None)
        if not (form.is_bound and form.is_valid()):
            return self._segments_page(request, form, ids)
        segment, start = form.cleaned_data["segment"], form.cleaned_data["start_journeys"]
        if not members.carry_out(request, segment, ids, start_journeys=start):
            raise PermissionDenied
        return HttpResponseRedirect(_where(ids))

    def _segments_page(self, request: HttpRequest, form: forms.Form, ids: list[int]) -> Any:
        people = Contact.objects.filter(pk__any_of=ids).order_by("pk")
        count = people.count()
        if not count:
            messages.error(request, "Nobody was chosen.")
            return HttpResponseRedirect(_where([]))
        who = str(people[0]) if count == 1 else f"{count:,} people"
        context = {
            **self.admin_site.each_context(request),
            **members.buttons(request),
            "opts": self.opts,
            "title": f"Put {who} into a segment",
            "form": form,
            "ids": ",".join(map(str, ids)),
            "back": _where(ids),
        }
        return TemplateResponse(request, "contacts/admin/members.html", context)

    def export_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """All that is known of the contact, as a file."""
        contact = self.get_object(request, object_id)
        if contact is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return privacy.export_view(request, contact)

    def erase_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Remove every trace of the contact, after asking."""
        contact = self.get_object(request, object_id)
        if contact is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "original": contact}
        return privacy.erase_view(request, contact, context)


def reverse_edit(object_id: str) -> str:
    """Where a contact is edited."""
    return reverse("admin:contacts_contact_edit", args=[object_id])


def _where(ids: list[int]) -> str:
    """The page of the one person, or the list."""
    if len(ids) == 1:
        return reverse("admin:contacts_contact_change", args=ids)
    return reverse("admin:contacts_contact_changelist")


def _moment(text: str | None) -> datetime | None:
    try:
        found = parse_datetime(text.replace(" ", "+")) if text else None
        return found and (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
