"""The addresses of this room."""

from django.urls import include, path

from contacts.admin import condition_views
from contacts.api import api

urlpatterns = [
    path("conditions/", include(condition_views.urlpatterns)),
    path("", api.urls),
]
