"""What is shown instead of a page that somebody may not see, or that there is not."""

from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from contacts.values import words_duration


def unreadable(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What was sent can't be read."""
    # Not called after the status, as Django's own answer looks for it and gives it no context.
    return _page(request, "This can't be read", 400, "unreadable.html")


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The account may not see this page."""
    return _page(request, "Not allowed", 403)


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """There is no such page."""
    return _page(request, "Page not found", 404)


def nowhere(request: HttpRequest, **_: str) -> NoReturn:
    """An address of Django's that is none here."""
    raise Http404


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """Whoever signs in has failed too often."""
    wait = words_duration(settings.AXES_COOLOFF_TIME)
    return _page(request, "Too many failed sign-ins", 429, "locked_out.html", wait=wait)


def _page(
    request: HttpRequest, title: str, status: int, template: str = "", **more: Any
) -> HttpResponse:
    """In the admin's look for who works here; whoever comes by a link of a mail sees no admin."""
    user = getattr(request, "user", None)
    inside = user is not None and admin.site.has_permission(request)
    context = {
        **(admin.site.each_context(request) if inside else {}),
        "title": title,
        "status": status,
        "layout": "contacts/admin/page.html" if inside else "plain.html",
        **more,
    }
    return render(request, template or f"{status}.html", context, status=status)
