"""What a person takes, changed by hand: by whoever answers the mails that say “no more of this”."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldBooleanSwitchWidget

from contacts.clock import now
from contacts.models import Contact
from messaging import subscriptions
from messaging.models import Topic
from messaging.subscriptions import Choices

CHANGE = "messaging.change_subscription"


class ChoicesForm(forms.Form):
    """A switch for all marketing mail and one for each topic, as they stand."""

    def __init__(self, *args: Any, chosen: Choices, topics: list[Topic], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stands: dict[str | None, bool] = {None: not chosen.unsubscribed_all}
        self._add(None, "All marketing mail", "Switched off, only transactional mail arrives.")
        for topic in topics:
            self.stands[topic.slug] = chosen.topics.get(topic.slug, topic.subscribed_by_default)
            note = "" if topic.slug in chosen.topics else " Not chosen yet; this is the default."
            self._add(topic.slug, topic.name, f"{topic.description}{note}".strip())

    def _add(self, slug: str | None, label: str, help_text: str) -> None:
        self.fields[self.field_of(slug)] = forms.BooleanField(
            label=label,
            help_text=help_text,
            required=False,
            initial=self.stands[slug],
            widget=UnfoldBooleanSwitchWidget(),
        )

    @staticmethod
    def field_of(slug: str | None) -> str:
        """The name of the switch."""
        return "all" if slug is None else f"topic-{slug}"

    @property
    def shown(self) -> str:
        """The switches that are on, for the page to send back."""
        return " ".join(self.field_of(slug) for slug, on in self.stands.items() if on)

    def changes(self) -> dict[str | None, bool]:
        """What was switched on the page. The rest was not chosen and stays as it is, also where the
        person has chosen something else since the page was opened.
        """
        was_on = set(self.data.get("shown", self.shown).split())
        found = {}
        for slug in self.stands:
            name = self.field_of(slug)
            if self.cleaned_data[name] != (name in was_on):
                found[slug] = self.cleaned_data[name]
        return found


def change(model_admin: ModelAdmin[Any], request: HttpRequest, pk: int) -> HttpResponse:
    """Show what a contact takes, and record what is switched."""
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied
    contact = get_object_or_404(Contact, pk=pk)
    back = reverse("admin:contacts_contact_change", args=[contact.pk])
    chosen = subscriptions.takes([contact.pk]).get(contact.pk, subscriptions.NO_CHOICE)
    form = ChoicesForm(request.POST or None, chosen=chosen, topics=list(Topic.objects.all()))
    if form.is_bound and form.is_valid():
        if changes := form.changes():
            source = f"{request.user.get_username()} in the admin"
            subscriptions.choose(contact.pk, changes, at=now(), source=source)
            messages.success(request, f"What {contact} takes was changed.")
        return HttpResponseRedirect(back)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": f"What {contact} takes",
        "form": form,
        "back": back,
    }
    return TemplateResponse(request, "messaging/admin/choices.html", context)
