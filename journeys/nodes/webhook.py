from __future__ import annotations

from django import forms

from journeys.fields import BodySetting, ChoiceSetting, HeadersSetting, LiquidSetting
from journeys.nodes.base import NodeKind, Result, Wait
from journeys.world import Passage

METHODS = ("POST", "PUT", "PATCH", "GET", "DELETE")


class Webhook(NodeKind):
    """Asks for one HTTP request and waits for its result."""

    kind = "webhook"
    label = "Webhook"
    description = "Calls another system, with retries, and goes on by the result."
    icon = "webhook"
    order = 60
    outcome_labels = {"ok": "it worked", "failed": "it failed"}

    class Config(forms.Form):
        url = LiquidSetting(
            label="URL", max_length=2000, help_text="An address that starts with https://."
        )
        method = ChoiceSetting(
            choices=[(method, method) for method in METHODS], required=False, initial="POST"
        )
        headers = HeadersSetting(required=False)
        body = BodySetting(
            required=False, help_text="Liquid; empty sends the person and the event as JSON."
        )

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ("ok", "failed")

    def enter(self, passage: Passage) -> Result:
        return "ok" if passage.call(self.config) else Wait(None)

    def words(self) -> str:
        return f"Call {self.config.get('url')}"

    def without_end(self) -> str:
        return "It goes on when the request was answered, or has failed for good."
