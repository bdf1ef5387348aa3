"""What the condition editor asks while one edits: names, a sentence, problems, and a number."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import URLPattern, path

from contacts import clock, picks, suggestions
from contacts.admin.condition_editor import find_problems, with_known
from contacts.conditions import OPERATORS, Condition, Scope, Where, parse, parse_where
from contacts.headcount import headcount
from contacts.models import AttributeName, EventName
from contacts.problems import Problem, Problems

OWN_FIELDS = [
    {"name": "email", "label": "Email", "types": ["text"]},
    {"name": "external_id", "label": "External id", "types": ["text"]},
    {"name": "timezone", "label": "Time zone", "types": ["text"]},
    {"name": "created_at", "label": "Created", "types": ["datetime"]},
]

View = Callable[[HttpRequest], HttpResponseBase]


def names(request: HttpRequest) -> JsonResponse:
    """All that pickers offer, and the operators with the types of value that they suit."""
    return JsonResponse(
        {
            "own": OWN_FIELDS,
            "attributes": list(AttributeName.objects.values("name", "types")),
            "events": list(EventName.objects.values_list("name", flat=True)),
            "operators": [asdict(operator) for operator in OPERATORS.values()],
            "picks": [_pick(pick) for pick in picks.PICKS.values()],
        }
    )


def _pick(pick: picks.Pick) -> dict[str, Any]:
    return {
        "form": pick.form,
        "label": pick.label,
        "icon": pick.icon,
        "holds": pick.holds,
        "fails": pick.fails,
        "key": pick.key,
        "words": pick.words,
        "enrollment": pick.enrollment,
        "choices": None if pick.choices is None else pick.choices(),
    }


def properties(request: HttpRequest) -> JsonResponse:
    """The properties seen in the event that the query names, with their types."""
    found = EventName.objects.filter(name=request.GET.get("event", "")).first()
    return JsonResponse({"properties": found.properties if found else {}})


def values(request: HttpRequest) -> JsonResponse:
    """Values that the attribute, or the property of the event, is known to have.

    None for those who may not see contacts, whose values these are.
    """
    asked = {name: request.GET.get(name, "") for name in ("attribute", "event", "property")}
    found: list[Any] = []
    if request.user.has_perm("contacts.view_contact"):
        if asked["attribute"]:
            found = suggestions.of_attribute(asked["attribute"])
        elif asked["event"] and asked["property"]:
            found = suggestions.of_property(asked["event"], asked["property"])
    return JsonResponse({"values": found})


def check(request: HttpRequest) -> JsonResponse:
    """The condition, or only the ``where``, in words, and what is wrong with it."""
    asked = Asked(request)
    problems = asked.problems
    words = "" if problems.errors or asked.missing else asked.read(Problems()).words()
    return JsonResponse({"words": words, "problems": [_problem(each) for each in problems]})


def count(request: HttpRequest) -> JsonResponse:
    """How many contacts the condition holds for now, where that is a question about contacts."""
    if not request.user.has_perm("contacts.view_contact"):
        raise PermissionDenied
    asked = Asked(request)
    if asked.where or asked.scope.enrollment or asked.missing or asked.problems.errors:
        return JsonResponse({"words": ""})
    condition = asked.condition()
    if condition.looks_at().trigger:
        return JsonResponse({"words": "Who matches depends on the event that starts the journey."})
    found = headcount(condition, clock.now())
    return JsonResponse({"words": found.words(), **asdict(found)})


class Asked:
    """What the script sent: ``value`` (the JSON as text), ``scope``, and whether it is a where."""

    def __init__(self, request: HttpRequest) -> None:
        sent = _sent(request)
        scope = sent.get("scope")
        scope = scope if isinstance(scope, dict) else {}
        nodes = scope.get("nodes")
        self.scope = Scope(
            enrollment=scope.get("enrollment") is True,
            trigger=bool(scope.get("trigger")),
            nodes=_titles(nodes),
        )
        self.segment = str(scope.get("segment") or "")
        self.where = sent.get("where") is True
        value = sent.get("value")
        self.text: str = value if isinstance(value, str) else ""
        self.missing = not self.text
        self.data, self.problems = self._read()

    def _read(self) -> tuple[Any, Problems]:
        problems = Problems()
        if self.missing:
            return None, problems
        try:
            data = json.loads(self.text)
            if not self.where:
                return data, find_problems(data, self.scope, self.segment)
            parse_where(data, self.scope, problems=problems)
        except ValueError:
            data = None
            problems.error("", "This is not JSON.")
        except RecursionError:
            data = None
            problems.error("", "This is nested too deep.")
        return data, problems

    def read(self, problems: Problems) -> Condition | Where:
        """What was sent, parsed."""
        if self.where:
            return parse_where(self.data, self.scope, problems=problems)
        return self.condition()

    def condition(self) -> Condition:
        """The condition that was sent."""
        return parse(self.data, with_known(self.scope), problems=Problems())


def _titles(nodes: Any) -> dict[str, str] | None:
    """The nodes that send, with their labels; a list names them without."""
    if isinstance(nodes, list):
        return {str(node): "" for node in nodes}
    if isinstance(nodes, dict):
        return {str(node): str(label or "") for node, label in nodes.items()}
    return None


def _sent(request: HttpRequest) -> dict[str, Any]:
    try:
        sent = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return sent if isinstance(sent, dict) else {}


def _problem(problem: Problem) -> dict[str, str]:
    return asdict(problem)


def _page(view: View, method: str) -> View:
    def allowed(request: HttpRequest) -> HttpResponseBase:
        if request.method != method:
            return JsonResponse({}, status=405, headers={"Allow": method})
        return view(request)

    return admin.site.admin_view(allowed)


urlpatterns: list[URLPattern] = [
    path("names/", _page(names, "GET"), name="condition_names"),
    path("properties/", _page(properties, "GET"), name="condition_properties"),
    path("values/", _page(values, "GET"), name="condition_values"),
    path("check/", _page(check, "POST"), name="condition_check"),
    path("count/", _page(count, "POST"), name="condition_count"),
]
