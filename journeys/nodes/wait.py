from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from django import forms

from contacts.values import parse_moment, words_duration
from journeys.calendar import instant, later, local_date, shifted
from journeys.fields import (
    DateRule,
    DateSetting,
    DurationSetting,
    EventSetting,
    Place,
    WindowSetting,
)
from journeys.nodes.base import NodeKind, Result, Wait
from journeys.wording import date_rule, event_match, window
from journeys.world import Happening, Passage

MINUTE = timedelta(minutes=1)
#: The ways to end, and the outcomes of each.
OUTCOMES = {
    "for": ("next",),
    "until_event": ("event", "timeout"),
    "until_date": ("next", "past", "missing"),
    "until_window": ("next",),
}
WAYS = tuple(OUTCOMES)


def day_of(value: Any, where: tzinfo) -> date | None:
    """The local date that an attribute's value names (W3), or None where it is no date."""
    moment = parse_moment(value)
    if moment is None:
        return None
    return moment.date if moment.is_date else local_date(moment.instant, where)


def moment_of(value: Any, rule: DateRule, where: tzinfo) -> datetime | None:
    """The moment that a rule makes of an attribute's value (W3); None where there is none."""
    if rule.at is None:
        moment = parse_moment(value)
        return later(moment.instant, rule.offset) if moment else None
    day = day_of(value, where)
    target = shifted(day, rule.offset.days) if day else None
    return instant(target, rule.at, where) if target else None


class WaitKind(NodeKind):
    """Holds people for a time, until an event, until a date of theirs, or until opening hours."""

    kind = "wait"
    label = "Wait"
    description = "Holds people for a time, or until something happens."
    icon = "hourglass_empty"
    order = 20
    starts_as = {"for": "1d"}
    one_of = True
    outcome_labels = {
        "next": "then",
        "event": "it happened",
        "past": "already past",
        "missing": "no date known",
    }

    class Config(forms.Form):
        until_event = EventSetting(
            required=False, extra=("timeout",), help_text="Until the person does something."
        )
        until_date = DateSetting(required=False, help_text="Until a date of the person.")
        until_window = WindowSetting(required=False, help_text="Until these opening hours.")

    # `for` is a word of Python's, so it can't be a name in the class body.
    Config.base_fields = {
        "for": DurationSetting(required=False, help_text="For a length of time."),
        **Config.base_fields,
    }

    @classmethod
    def check(cls, clean: dict[str, Any], place: Place) -> None:
        if len(clean) != 1:
            place.error("A wait needs exactly one way to end.", f"One of: {', '.join(WAYS)}.")

    @property
    def way(self) -> str:
        return next(iter(self.config), "for")

    @property
    def outcomes(self) -> tuple[str, ...]:
        setting = self.config.get(self.way)
        if self.way == "until_event":
            timed = setting is not None and setting.timeout is not None
            return OUTCOMES[self.way] if timed else ("event",)
        return OUTCOMES[self.way]

    def outcomes_of(self, written: Mapping[str, Any]) -> tuple[str, ...] | None:
        given = [way for way in WAYS if way in written] or WAYS
        found = dict.fromkeys(outcome for way in given for outcome in OUTCOMES[way])
        setting = written.get("until_event")
        # A key that is not known may have been meant for the timeout.
        known = isinstance(setting, dict) and {*written, *setting} <= {*WAYS, "event", "where"}
        return tuple(outcome for outcome in found if outcome != "timeout" or not known)

    def led_anew(self, follows: Mapping[str, Any]) -> Any:
        """Where another way to end led first; a timeout that is taken away is the same way."""
        same = set(follows) & set(OUTCOMES[self.way])
        return None if same else next(iter(follows.values()), None)

    def outcome_label(self, outcome: str) -> str:
        match = self.config.get("until_event")
        if outcome == "timeout" and match is not None and match.timeout is not None:
            return f"not within {words_duration(match.timeout)}"
        if outcome == "next" and self.way == "until_date":
            return "on the day"
        return super().outcome_label(outcome)

    def enter(self, passage: Passage) -> Result:
        setting = self.config[self.way]
        if self.way == "for":
            return Wait(later(passage.arrived_at, setting))
        if self.way == "until_event":
            return Wait(later(passage.arrived_at, setting.timeout) if setting.timeout else None)
        if self.way == "until_date":
            return self._date(passage)
        return passage.until_open(setting) or "next"

    def _date(self, passage: Passage) -> Result:
        rule: DateRule = self.config["until_date"]
        moment = moment_of(passage.attribute(rule.attribute), rule, passage.person.zone)
        if moment is None:
            return "missing"
        if moment < passage.now:
            return "past"
        return "next" if moment == passage.now else Wait(moment)

    def due(self, passage: Passage) -> Result:
        return "timeout" if self.way == "until_event" else "next"

    def hears(self, passage: Passage, happening: Happening) -> str | None:
        if self.way != "until_event":
            return None
        match = self.config["until_event"]
        heard = match.matches(happening.name, happening.properties, passage.trigger, passage.now)
        return "event" if heard else None

    def changed(self, passage: Passage) -> Result | None:
        if self.way == "until_date":
            rule: DateRule = self.config["until_date"]
            moment = moment_of(passage.attribute(rule.attribute), rule, passage.person.zone)
            return None if moment == passage.resume_at else self._date(passage)
        if self.way == "until_window":
            return passage.moved_opening(self.config["until_window"])
        return None

    def planned(self, passage: Passage) -> Result | None:
        if self.way in ("for", "until_event"):
            return self.enter(passage)
        return self.changed(passage)

    def events(self) -> Iterator[str]:
        if self.way == "until_event" and self.config["until_event"]:
            yield self.config["until_event"].event

    def dates(self) -> Iterator[str]:
        rule = self.config.get("until_date")
        if rule is not None:
            yield rule.attribute

    def slows(self) -> bool:
        setting = self.config.get(self.way)
        if len(self.config) != 1:
            return True  # what can't be read may rest
        if self.way == "for":
            return setting is None or setting >= MINUTE
        if self.way == "until_event":
            return setting is None or (setting.timeout or MINUTE) >= MINUTE
        return False

    def words(self) -> str:
        setting = self.config.get(self.way)
        if setting is None:
            return self.label
        if self.way == "for":
            return f"Wait {words_duration(setting)}"
        if self.way == "until_event":
            limit = f", at most {words_duration(setting.timeout)}" if setting.timeout else ""
            return f"Wait for {event_match(setting)}{limit}"
        if self.way == "until_date":
            return f"Wait until {date_rule(setting)}"
        return f"Wait until it is {window(setting)}"

    def without_end(self) -> str:
        if self.way == "for":
            return "The wait ends after the end of the calendar."
        if "timeout" in self.outcomes:
            return (
                "It goes on when that happens; the time limit lies after the end of the calendar."
            )
        return super().without_end()
