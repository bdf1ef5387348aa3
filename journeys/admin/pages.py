"""What the pages beside the map have in common."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from journeys.models import Journey


class Pages:
    """Some pages of a journey, for one ModelAdmin; ``names`` are methods and addresses at once."""

    names: tuple[str, ...] = ()

    def __init__(self, model_admin: Any) -> None:
        self.admin = model_admin

    def urls(self) -> list[URLPattern]:
        """Their addresses, beneath the journey's own."""
        return [self.route(f"{name}/", name) for name in self.names]

    def route(self, address: str, name: str) -> URLPattern:
        """The page of that method at an address beneath the journey's own."""
        view = self.admin.admin_site.admin_view(getattr(self, name))
        return path(f"<int:pk>/{address}", view, name=f"journeys_journey_{name}")

    def page(
        self, request: HttpRequest, template: str, journey: Journey, title: str, **context: Any
    ) -> HttpResponse:
        """A page about a journey, from ``journeys/{template}.html``."""
        shared = {
            **self.admin.admin_site.each_context(request),
            "opts": self.admin.opts,
            "original": journey,
            "journey": journey,
            "media": self.admin.media,
            "title": title,
        }
        return TemplateResponse(request, f"journeys/{template}.html", {**shared, **context})

    def to_map(self, journey: Journey) -> HttpResponseRedirect:
        """Back to the map."""
        return HttpResponseRedirect(reverse("admin:journeys_journey_change", args=[journey.pk]))


def may(request: HttpRequest, what: str) -> bool:
    """Whether the reader has the permission to do that with journeys."""
    return request.user.has_perm(f"journeys.{what}_journey")


def number(count: int, one: str, many: str) -> str:
    """``1 person``, ``1,204 people``."""
    return f"{count:,} {one if count == 1 else many}"
