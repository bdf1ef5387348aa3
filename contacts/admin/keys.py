"""API keys: made, shown once, revoked."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from contacts.clock import now
from contacts.models import ApiKey


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """Who may send events and people over HTTP."""

    list_display = ["name", "state", "scope", "beginning", "last_used_at", "created_at"]
    fields = ["name", "scope"]
    actions = ["revoke"]
    search_fields = ["name", "prefix"]

    @display(description="State", label={"Valid": "success", "Revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        """Whether it opens."""
        return "Revoked" if key.revoked_at else "Valid"

    @display(description="Begins with")
    def beginning(self, key: ApiKey) -> str:
        """The part of it that is kept."""
        return f"{key.prefix}…"

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One at a time: its text must be copied before the next."""
        extra = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**extra, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """A new key gets its text here, the only time it is there."""
        if change:
            super().save_model(request, obj, form, change)
            return
        made, text = ApiKey.make(obj.name, obj.scope)
        obj.pk, obj.prefix, obj.created_at = made.pk, made.prefix, made.created_at
        obj._state.adding = False
        request.made_key = text  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the key, on this page and on no other."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "key": obj,
            "text": request.made_key,  # type: ignore[attr-defined]
            "url": request.build_absolute_uri("/").rstrip("/"),
            "title": "API key",
        }
        response = TemplateResponse(request, "contacts/admin/key.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @action(description="Revoke")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """These open nothing any more."""
        count = queryset.filter(revoked_at=None).update(revoked_at=now())
        messages.success(request, f"{count} revoked: nobody can use them any more.")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A key can be revoked and deleted; what it may do never changes."""
        return obj is None and super().has_change_permission(request, obj)
