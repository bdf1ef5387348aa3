"""The condition editor for any form of the admin: a widget, and a field that checks.

The widget is a textarea that a script turns into rows; the text is the condition as JSON, and what
the script does not touch it leaves as it was written. See docs/conditions.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.urls import NoReverseMatch, reverse

from contacts import picks
from contacts.conditions import Scope, parse, segment_problems
from contacts.problems import Problem, Problems

ENDPOINTS = ("names", "properties", "values", "check", "count")


def endpoints() -> dict[str, str]:
    """The addresses that the editor's script asks, by what it asks there."""
    try:
        return {name: reverse(f"condition_{name}") for name in ENDPOINTS}
    except NoReverseMatch:  # a project without these pages: rows without suggestions
        return {}


def with_known(scope: Scope) -> Scope:
    """The scope with the segments and topics that exist."""
    return replace(scope, segments=picks.known("segment"), topics=picks.known("subscribed"))


def find_problems(data: Any, scope: Scope, segment: str | None = None) -> Problems:
    """All that is wrong with a condition; of the segment with the slug ``segment``, circles too."""
    problems = Problems()
    try:
        if segment:
            return segment_problems(segment, data, topics=picks.known("subscribed"))
        parse(data, with_known(scope), problems=problems)
    except RecursionError:
        problems.error("", "This is nested too deep.")
    return problems


def row_of(place: str) -> str:
    """The row of an editor that a place names: ``all[1].any[0].op`` is row 2.1."""
    return ".".join(str(int(index) + 1) for index in re.findall(r"\[(\d+)\]", place))


class ConditionWidget(forms.Textarea):
    """A condition in rows. Without a script, its JSON in a textarea.

    - ``scope``: what may stand in it
    - ``trigger``: the name of the event that starts the enrollment, for suggestions
    - ``nodes``: id → label of the nodes that send
    - ``segment``: the slug of the segment that it is the condition of
    - ``empty``: the sentence that says what having no condition means
    """

    template_name = "contacts/condition_editor.html"

    class Media:
        css = {"all": ["contacts/condition_editor.css"]}
        js = [forms.Script("contacts/condition_editor.js", type="module")]

    def __init__(
        self,
        attrs: Mapping[str, Any] | None = None,
        *,
        scope: Scope | None = None,
        trigger: str = "",
        nodes: Mapping[str, str] | None = None,
        segment: str = "",
        empty: str = "",
    ) -> None:
        super().__init__({"class": "ce-source", "rows": 6, "spellcheck": "false", **(attrs or {})})
        self.scope = scope or Scope()
        self.trigger, self.nodes = trigger, dict(nodes or {})
        self.segment, self.empty = segment, empty

    def options(self) -> dict[str, Any]:
        """What the script is told."""
        return {
            "endpoints": endpoints(),
            "empty": self.empty,
            "scope": {
                "enrollment": self.scope.enrollment,
                "trigger": self.trigger or self.scope.trigger,
                "nodes": self.nodes,
                "segment": self.segment,
            },
        }

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["options"] = json.dumps(self.options())
        return context


class ConditionField(forms.JSONField):
    """A condition, as data that `contacts.conditions.parse` accepts; None where there is none."""

    widget = ConditionWidget

    def __init__(self, *, scope: Scope | None = None, widget: Any = None, **kwargs: Any) -> None:
        self.scope = scope or Scope()
        super().__init__(widget=widget or ConditionWidget(scope=self.scope), **kwargs)

    def for_segment(self, slug: str) -> None:
        """Check for circles of segments too: it is the condition of this one."""
        self.widget.segment = slug

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, InvalidJSONInput):
            return value
        return "" if value is None else json.dumps(value, ensure_ascii=False)

    def bound_data(self, data: Any, initial: Any) -> Any:
        # What was sent is shown again as it was, and not as Python writes it.
        return None if self.disabled or data is None else InvalidJSONInput(data)

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value.strip() if isinstance(value, str) else value)
        except RecursionError:
            raise ValidationError("This is nested too deep.") from None

    def validate(self, value: Any) -> None:
        if value is None:
            super().validate(value)
            return
        segment = getattr(self.widget, "segment", "")
        errors = find_problems(value, self.scope, segment).errors
        if errors:
            raise ValidationError([_sentence(problem) for problem in errors])


def _sentence(problem: Problem) -> str:
    row = row_of(problem.place)
    said = f"{problem.message} {problem.hint}".strip()
    return f"Row {row}: {said}" if row else said
