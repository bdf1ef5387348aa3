from __future__ import annotations

import json

from django import forms

from journeys.fields import ChangesSetting
from journeys.models import Enrollment
from journeys.nodes.base import End, NodeKind, Result
from journeys.world import Passage


class Update(NodeKind):
    """Changes the contact; what follows from it is a change of its own (T6)."""

    kind = "update"
    label = "Update"
    description = "Sets or removes attributes of the person."
    icon = "edit_note"
    order = 50
    passed_at_once = True

    class Config(forms.Form):
        set = ChangesSetting(help_text="Attribute and value; an empty value removes it.")

    def enter(self, passage: Passage) -> Result:
        if not passage.person.change(self.config["set"]):
            return End(Enrollment.Status.FAILED, "loop")
        return "next"

    def words(self) -> str:
        return ", ".join(
            f"Remove {name}" if value is None else f"Set {name} to {_shown(value)}"
            for name, value in (self.config.get("set") or {}).items()
        )


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
