from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms

from contacts.conditions import Condition
from journeys.fields import Path, PathsSetting
from journeys.nodes.base import NodeKind, Result
from journeys.world import Passage


class Branch(NodeKind):
    """Sends each person along the first path whose condition holds now."""

    kind = "branch"
    label = "Branch"
    description = "Sends people different ways by what they did or who they are."
    icon = "call_split"
    order = 30
    starts_as = {"paths": [{"name": "yes"}]}
    outcome_labels = {"else": "everybody else"}

    class Config(forms.Form):
        paths = PathsSetting(help_text="Tried from top to bottom; the first that holds is taken.")

    @property
    def paths(self) -> list[Path]:
        return self.config.get("paths") or []

    @property
    def outcomes(self) -> tuple[str, ...]:
        return (*(path.name for path in self.paths), "else")

    def outcomes_of(self, written: Mapping[str, Any]) -> tuple[str, ...] | None:
        paths = written.get("paths")
        items = paths if isinstance(paths, list) else []
        named: list[str] = [
            item["name"]
            for item in items
            if isinstance(item, dict) and isinstance(item.get("name"), str)
        ]
        told = len({*named} - {"", "else"}) == len(items) > 0
        return (*named, "else") if told else None

    def enter(self, passage: Passage) -> Result:
        for path in self.paths:
            if path.when.holds(passage):
                return path.name
        return "else"

    def conditions(self) -> Iterator[Condition]:
        return (path.when for path in self.paths)

    def words(self) -> str:
        if len(self.paths) == 1:
            return f"If {self.paths[0].when.words()}"
        return f"One of {len(self.paths)} paths, or everybody else"
