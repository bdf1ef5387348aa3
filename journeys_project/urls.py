"""Every address of the house."""

from importlib.util import find_spec

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from journeys_project.pages import nowhere

# Each app lists its own addresses.
APPS = [f"{app}.urls" for app in ("journeys", "messaging", "contacts")]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    # Django's way from a row to its page on the site: the admin is the whole site.
    path("admin/r/<path:address>", nowhere),
    path("admin/", admin.site.urls),
    *(
        path("", include(urls))
        for urls in ("journeys.urls", "messaging.urls", "contacts.urls")
        if find_spec(urls)
    ),
]

handler400 = "journeys_project.pages.unreadable"
handler403 = "journeys_project.pages.refused"
handler404 = "journeys_project.pages.missing"

# Anymail accepts anybody's webhooks when it has no secret to tell them by, so then there are none.
if settings.ANYMAIL.get("WEBHOOK_SECRET"):
    urlpatterns.append(path("anymail/", include("anymail.urls")))
