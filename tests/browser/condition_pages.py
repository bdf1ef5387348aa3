"""A page of the admin with a form around a condition editor, and room to mount others."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.urls import path

from contacts.admin.condition_editor import ConditionField, ConditionWidget, endpoints
from contacts.conditions import Scope
from journeys_project.urls import urlpatterns as site

PAGE = """{% extends "admin/base_site.html" %}
{% block extrahead %}{{ form.media }}{% endblock %}
{% block content %}
<form method="post" action="?">{% csrf_token %}
{% for field in form %}
<div class="flex flex-col gap-2 mb-4">
<label for="{{ field.id_for_label }}" class="font-semibold">{{ field.label }}</label>{{ field }}
{{ field.errors }}</div>
{% endfor %}
<button id="save">Save</button></form>
<pre id="saved" hidden>{{ saved }}</pre>
{{ endpoints|json_script:"endpoints" }}
<div id="mounted"></div>
{% endblock %}"""

#: What the next page starts with, by the name of its scope.
start: dict[str, Any] = {}
saved: list[Any] = []
SCOPES = {
    "segment": (Scope(), {}),
    "filter": (Scope(trigger=True), {"trigger": "order_placed"}),
    "branch": (
        Scope(enrollment=True, trigger=True, nodes=["welcome", "nudge"]),
        {"trigger": "order_placed", "nodes": {"welcome": "Welcome mail", "nudge": ""}},
    ),
}


def page(request: HttpRequest, scope: str) -> HttpResponse:
    """A form with one condition."""
    allowed, options = SCOPES[scope]

    class Form(forms.Form):
        condition = ConditionField(
            required=False,
            scope=allowed,
            widget=ConditionWidget(scope=allowed, empty="Everybody.", **options),
        )

    text = ""
    if request.method == "POST":
        form = Form(request.POST)
        if form.is_valid():
            saved.append(request.POST["condition"])
            text = json.dumps(form.cleaned_data["condition"])
    else:
        form = Form(initial={"condition": start.get(scope)})
    context = {
        **admin.site.each_context(request),
        "title": "Conditions",
        "form": form,
        "saved": text,
        "endpoints": endpoints(),
    }
    return HttpResponse(Template(PAGE).render(RequestContext(request, context)))


def show(request: HttpRequest, scope: str) -> HttpResponse:
    """The page, for people who may see the admin."""
    return admin.site.admin_view(page)(request, scope=scope)


urlpatterns = [path("try/<scope>/", show), *site]
