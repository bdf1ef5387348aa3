"""The admin's sidebar, in the words of the people who use it."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

# group → (model, Material symbol). A model that isn't in the admin, or that the reader may not see,
# has no link; a group without links isn't shown.
GROUPS: dict[str, list[tuple[str, str]]] = {
    "Journeys": [
        ("journeys.Journey", "route"),
        ("journeys.Enrollment", "directions_walk"),
        ("journeys.Refusal", "do_not_disturb_on"),
        ("journeys.WebhookCall", "webhook"),
    ],
    "People": [
        ("contacts.Contact", "person"),
        ("contacts.Segment", "groups"),
        ("contacts.Event", "bolt"),
        ("contacts.Import", "upload_file"),
        ("contacts.PrivacyRecord", "policy"),
    ],
    "Messages": [
        ("messaging.Template", "draft"),
        ("messaging.Message", "mail"),
        ("messaging.Topic", "label"),
        ("messaging.Suppression", "block"),
    ],
    "Operation": [
        ("contacts.ApiKey", "key"),
        ("contacts.Fact", "sync"),
        ("messaging.Installation", "tune"),
        ("auth.User", "badge"),
        ("auth.Group", "shield_person"),
        ("axes.AccessAttempt", "lock"),
    ],
}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return Unfold's navigation for the reader of this page."""
    groups = (
        {"title": title, "separator": True, "items": [*_links(request, models)]}
        for title, models in GROUPS.items()
    )
    return [group for group in groups if group["items"]]


def _links(request: HttpRequest, models: list[tuple[str, str]]) -> list[dict[str, Any]]:
    links = []
    for label, icon in models:
        try:
            model = apps.get_model(label)
        except LookupError:
            continue
        if not admin.site.is_registered(model):
            continue
        if not admin.site.get_model_admin(model).has_view_permission(request):
            continue
        name = model._meta
        links.append(
            {
                "title": str(name.verbose_name_plural).capitalize().replace("Api", "API"),
                "icon": icon,
                "link": reverse(f"admin:{name.app_label}_{name.model_name}_changelist"),
            }
        )
    return links
