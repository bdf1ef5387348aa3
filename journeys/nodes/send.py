from __future__ import annotations

from django import forms

from journeys.fields import FlagSetting, SlugSetting
from journeys.nodes.base import NodeKind, Result, Wait
from journeys.world import Passage
from messaging import outbox


class Send(NodeKind):
    """Queues one message, by the rules S1 to S6, and goes on."""

    kind = "send"
    label = "Send"
    description = "Sends an e-mail made from a template."
    icon = "mail"
    order = 10
    passed_at_once = True

    class Config(forms.Form):
        template = SlugSetting(catalog="templates")
        topic = SlugSetting(
            catalog="topics", required=False, help_text="Only to those who take this topic."
        )
        transactional = FlagSetting(
            required=False,
            help_text="Expected by the person, such as a receipt: ignores topics, window and cap.",
        )

    @property
    def transactional(self) -> bool:
        return bool(self.config.get("transactional"))

    def enter(self, passage: Passage) -> Result:
        person, topic = passage.person, self.config.get("topic")
        reason = outbox.refusal_before_window(person, topic=topic, transactional=self.transactional)
        if reason is None and not self.transactional:
            closed = self._closed(passage)
            if closed:
                return closed
            if outbox.is_capped(person, person.world.cap, passage.now):
                reason = "capped"
        passage.queue(
            template=self.config["template"],
            topic=topic,
            transactional=self.transactional,
            skipped=reason,
        )
        return "next"

    @staticmethod
    def _closed(passage: Passage) -> Wait | None:
        """The wait for the journey's window (S4), or None inside it."""
        return passage.until_open(passage.plan.window) if passage.plan.window else None

    def due(self, passage: Passage) -> Result:
        return self.enter(passage)

    def changed(self, passage: Passage) -> Result | None:
        if passage.plan.window is None:
            return None
        moved = passage.moved_opening(passage.plan.window)
        return self.enter(passage) if moved == "next" else moved

    def planned(self, passage: Passage) -> Result | None:
        return self.enter(passage)

    def words(self) -> str:
        return f"Send {self.config.get('template')}"
