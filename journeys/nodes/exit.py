from __future__ import annotations

from django import forms

from journeys.fields import TextSetting
from journeys.models import Enrollment
from journeys.nodes.base import End, NodeKind, Result
from journeys.world import Passage


class Exit(NodeKind):
    """Ends the enrollment with a reason."""

    kind = "exit"
    label = "Exit"
    description = "Ends the journey for this person, with a reason."
    icon = "logout"
    order = 70

    class Config(forms.Form):
        reason = TextSetting(
            required=False, max_length=200, help_text="Shown where people left the journey."
        )

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ()

    def enter(self, passage: Passage) -> Result:
        return End(Enrollment.Status.EXITED, self.config.get("reason") or "exit")

    def words(self) -> str:
        reason = self.config.get("reason")
        return f"Leaves the journey: {reason}" if reason else "Leaves the journey"
