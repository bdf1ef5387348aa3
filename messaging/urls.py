"""The addresses that mails lead to. Each works with a slash at its end and without."""

from __future__ import annotations

from django.urls import re_path

from messaging import views

app_name = "messaging"

_TOKEN = r"(?P<token>[\w:.-]{1,500}?)"  # noqa: S105
_SIGNED = r"(?P<message>[0-9a-f]{32})/(?P<signature>[\w-]{1,100})"

urlpatterns = [
    re_path(rf"^u/{_TOKEN}/?$", views.unsubscribe_page, name="unsubscribe"),
    re_path(rf"^p/{_TOKEN}/?$", views.preferences_page, name="preferences"),
    re_path(rf"^o/{_SIGNED}\.gif$", views.opened, name="opened"),
    re_path(rf"^c/{_SIGNED}/?$", views.clicked, name="clicked"),
]
