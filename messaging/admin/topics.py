"""Topics, and who chose what."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from contacts import lookup
from contacts.admin import uses
from contacts.admin.base import LargeList, ReadOnly
from contacts.admin.deleting import Explained
from messaging.admin import choices
from messaging.models import Subscription, Topic


class TopicForm(forms.ModelForm):
    """A topic; `all` means something else in a journey file."""

    class Meta:
        model = Topic
        fields = ["name", "slug", "description", "subscribed_by_default"]
        help_texts = {
            "description": "People read this where they choose what they get.",
            "subscribed_by_default": "People get this until they say otherwise.",
        }

    def clean_slug(self) -> str:
        """Any but “all”."""
        slug: str = self.cleaned_data["slug"]
        if slug == "all":
            raise forms.ValidationError("“all” stands for all marketing mail. Take another slug.")
        return slug


@admin.register(Topic)
class TopicAdmin(Explained):
    """What people can choose to get."""

    form = TopicForm
    list_display = ["name", "default", "chosen", "refused", "slug"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Topic]:
        """With the number of choices."""
        return (
            super()
            .get_queryset(request)
            .annotate(
                taken=Count("subscriptions", filter=Q(subscriptions__subscribed=True)),
                not_taken=Count("subscriptions", filter=Q(subscriptions__subscribed=False)),
            )
        )

    def kept_by(self, objs: Sequence[Topic]) -> list[str]:
        """What a journey sends about it would be sent about nothing."""
        return [said for topic in objs if (said := uses.kept(topic))]

    def get_readonly_fields(self, request: HttpRequest, obj: Topic | None = None) -> list[str]:
        """The slug stands in journeys, so it stays."""
        return ["slug"] if obj else []

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Topic | None = None
    ) -> dict[str, Any]:
        """The slug comes from the name, once."""
        return {} if obj else {"slug": ["name"]}

    @display(description="Who has not chosen", label={"Gets it": "success", "Does not get it": ""})
    def default(self, topic: Topic) -> str:
        """What holds for somebody who has not chosen."""
        return "Gets it" if topic.subscribed_by_default else "Does not get it"

    @display(description="Subscribed by choice")
    def chosen(self, topic: Any) -> SafeString:
        """How many said yes."""
        return _link(topic, topic.taken, "1")

    @display(description="Unsubscribed")
    def refused(self, topic: Any) -> SafeString:
        """How many said no."""
        return _link(topic, topic.not_taken, "0")


def _link(topic: Topic, number: int, subscribed: str) -> SafeString:
    url = reverse("admin:messaging_subscription_changelist")
    return format_html(
        '<a class="p-link" href="{}?topic__id__exact={}&subscribed__exact={}">{}</a>',
        *(url, topic.pk, subscribed, f"{number:,}"),
    )


@admin.register(Subscription)
class SubscriptionAdmin(LargeList, ReadOnly):
    """Choices that people made. They change on a person's page, or by the person."""

    list_display = ["person", "about", "choice", "changed_at", "source"]
    list_filter = [("topic", RelatedDropdownFilter), "subscribed"]
    list_select_related = ["contact", "topic"]
    list_display_links = None
    search_fields = ["contact__email"]
    search_help_text = "Address or user id"
    search_title = "The beginning of an address or user id."
    ordering = ["-id"]

    def get_urls(self) -> list[URLPattern]:
        """Also the page on which one person's choices are changed."""
        view = self.admin_site.admin_view(partial(choices.change, self))
        return [path("of/<int:pk>/", view, name="messaging_subscription_of"), *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Subscription], search_term: str
    ) -> tuple[QuerySet[Subscription], bool]:
        """By the person."""
        if not search_term.strip():
            return queryset, False
        return queryset.filter(contact__in=lookup.beginning(search_term)), False

    @display(description="Person")
    def person(self, subscription: Subscription) -> SafeString:
        """Who chose, with a way there."""
        url = reverse("admin:contacts_contact_change", args=[subscription.contact_id])
        return format_html('<a class="p-link" href="{}">{}</a>', url, subscription.contact)

    @display(description="About")
    def about(self, subscription: Subscription) -> str:
        """The topic, or everything."""
        return subscription.topic.name if subscription.topic else "All marketing mail"

    @display(description="Choice", label={"Subscribed": "success", "Unsubscribed": "danger"})
    def choice(self, subscription: Subscription) -> str:
        """Yes or no."""
        return "Subscribed" if subscription.subscribed else "Unsubscribed"
