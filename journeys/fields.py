"""Form fields for what a journey file can say: each reads the file's value, and says what is wrong.

They are the one description of a setting (DESIGN §3): a node kind's ``Config`` is made of them, the
file is validated by them, and the builder renders them. ``read`` turns the JSON of the file into
Python and reports problems at their place; ``None`` means that the value was reported as wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django import forms

from contacts import conditions, values
from contacts.problems import Problems
from journeys.calendar import DAYS, Window
from messaging import sandbox

SECOND = timedelta(seconds=1)
#: What a length of time is made of, for files and for forms.
HOW_LONG = "Say how long: a number and a unit, such as 3 days (3d)."
NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
#: Own fields of a contact that an `update` can't set.
FIXED = ("external_id", "created_at")


@dataclass(frozen=True)
class Place:
    """Where in the file a value stands, what is allowed there, and where problems go."""

    path: str
    problems: Problems
    scope: conditions.Scope

    def at(self, step: str | int) -> Place:
        """The place of an item or key of this value."""
        path = f"{self.path}[{step}]" if isinstance(step, int) else f"{self.path}.{step}"
        return Place(path.lstrip("."), self.problems, self.scope)

    def error(self, message: str, hint: str = "") -> None:
        """Report a problem with the value itself."""
        self.problems.error(self.path, message, hint)

    def mapping(
        self, value: Any, allowed: tuple[str, ...], required: tuple[str, ...] = ()
    ) -> dict[str, Any] | None:
        """``value`` as a mapping with known keys; reports anything else."""
        if not isinstance(value, dict):
            self.error("Must be a mapping.", f"Keys: {', '.join(allowed)}.")
            return None
        for key in value:
            if key not in allowed:
                self.at(str(key)).error("Unknown key.", f"One of: {', '.join(allowed)}.")
        for key in required:
            if key not in value:
                self.at(key).error("Is missing.")
        return value


class Setting(forms.Field):
    """A setting of a node or of a journey."""

    def read(self, value: Any, place: Place) -> Any:
        """Python for the file's ``value``, or None after a report to ``place``."""
        try:
            return self.clean(value)
        except forms.ValidationError as error:
            place.error(" ".join(error.messages))
            return None


class TextSetting(forms.CharField, Setting):
    """Plain text, with the blanks around it as they are written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, strip=False, **kwargs)

    def read(self, value: Any, place: Place) -> str | None:
        if not isinstance(value, str):
            place.error("Must be text.")
            return None
        return Setting.read(self, value, place)


class LiquidSetting(TextSetting):
    """Text with Liquid in it."""

    def read(self, value: Any, place: Place) -> str | None:
        text = TextSetting.read(self, value, place)
        if text is not None:
            check_liquid(text, place)
        return text


def check_liquid(text: str, place: Place) -> None:
    """Report what keeps a text from being parsed as Liquid (L1)."""
    for error in sandbox.check(text):
        place.error(str(error))


class SlugSetting(TextSetting):
    """The name of something that must exist: a template, a topic, a segment."""

    def __init__(self, *args: Any, catalog: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.catalog = catalog


class ChoiceSetting(forms.ChoiceField, Setting):
    """One of a few words."""

    def read(self, value: Any, place: Place) -> str | None:
        known = [key for key, _ in self.choices]  # type: ignore[misc,union-attr]
        if value not in known:
            place.error(f"“{value}” is not known here.", f"One of: {', '.join(known)}.")
            return None
        return str(value)


class FlagSetting(forms.BooleanField, Setting):
    """Yes or no."""

    def read(self, value: Any, place: Place) -> bool | None:
        if not isinstance(value, bool):
            place.error("Must be true or false.")
            return None
        return value


class DurationSetting(Setting):
    """A length of time such as ``1d12h``; at least ``least``."""

    def __init__(
        self, *args: Any, least: timedelta = SECOND, signed: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.least, self.signed = least, signed

    def read(self, value: Any, place: Place) -> timedelta | None:
        if not isinstance(value, str) or not value.strip():
            place.error(HOW_LONG)
            return None
        try:
            duration = values.parse_duration(value, signed=self.signed)
        except ValueError as error:
            place.error(str(error))
            return None
        if not self.signed and duration < self.least:
            place.error(f"Must be at least {values.words_duration(self.least)}.")
            return None
        return duration


class ConditionSetting(Setting):
    """A condition on the contact (SEMANTICS §3)."""

    def read(self, value: Any, place: Place) -> conditions.Condition:
        return read_condition(value, place)


def read_condition(value: Any, place: Place) -> conditions.Condition:
    """A condition; where nothing is chosen yet, that is what is wrong."""
    if value is None or value == {}:
        place.error("Add a condition.", "Such as {attribute: plan, op: is_set}.")
        return conditions.Never()
    return conditions.parse(value, place.scope, place.path, place.problems)


@dataclass(frozen=True)
class EventMatch:
    """An event by its name and what its properties must be."""

    event: str
    where: conditions.Where
    timeout: timedelta | None = None

    def matches(
        self, name: str, properties: Mapping[str, Any], trigger: Any, now: datetime
    ) -> bool:
        """Whether an event with that name and those properties is meant."""
        return name == self.event and self.where.matches(properties, trigger, now)


class EventSetting(Setting):
    """An event, with ``where``; where it is waited for, with a ``timeout``."""

    def __init__(self, *args: Any, extra: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.extra = extra

    def read(self, value: Any, place: Place) -> EventMatch | None:
        given = place.mapping(value, ("event", "where", *self.extra), ("event",))
        if given is None:
            return None
        name = read_event_name(given.get("event"), place.at("event")) if "event" in given else None
        where = conditions.parse_where(
            given.get("where", []), place.scope, place.at("where").path, place.problems
        )
        timeout = None
        if "timeout" in given and "timeout" in self.extra:
            timeout = DurationSetting().read(given["timeout"], place.at("timeout"))
        return EventMatch(name, where, timeout) if name else None


def read_event_name(value: Any, place: Place) -> str | None:
    """An event's name: text that is not empty."""
    if not isinstance(value, str) or not value:
        place.error("Name the event.")
        return None
    return value


def read_time(value: Any, place: Place, *, end: bool = False) -> time | None:
    """A time of day as HH:MM. With ``end``, 24:00 is allowed and read as None without a report."""
    if end and value == "24:00":
        return None
    match = (
        re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", value) if isinstance(value, str) else None
    )
    if not match:
        place.error("Give a time of day, such as 09:00.")
        return None
    return time(int(match[1]), int(match[2]))


@dataclass(frozen=True)
class DateRule:
    """A moment made from a date attribute (W3)."""

    attribute: str
    offset: timedelta
    at: time | None
    yearly: bool = False


class DateSetting(Setting):
    """A moment made from an attribute: ``{attribute, offset, at}``.

    ``name`` is the key under which the attribute stands.
    """

    def __init__(
        self, *args: Any, name: str = "attribute", extra: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.name, self.extra = name, extra

    def read(self, value: Any, place: Place) -> DateRule | None:
        given = place.mapping(value, (self.name, "offset", "at", *self.extra), (self.name,))
        if given is None:
            return None
        attribute = given.get(self.name)
        named = isinstance(attribute, str) and attribute != ""
        if self.name in given and not named:
            place.at(self.name).error("Name the attribute.")
        offset: timedelta | None = timedelta()
        if "offset" in given:
            offset = DurationSetting(signed=True).read(given["offset"], place.at("offset"))
        at = read_time(given["at"], place.at("at")) if "at" in given else None
        if "at" in given and offset is not None and offset % timedelta(days=1):
            place.at("offset").error(
                "With a time of day, the offset must be whole days.", "Such as -3d."
            )
        yearly = given.get("yearly", False) if "yearly" in self.extra else False
        if not isinstance(yearly, bool):
            place.at("yearly").error("Must be true or false.")
        elif yearly and "at" not in given:
            place.at("at").error("A yearly date needs a time of day.", 'Such as at: "09:00".')
        if not named:
            return None
        return DateRule(str(attribute), offset or timedelta(), at, yearly is True)


class WindowSetting(Setting):
    """Opening hours: ``{days, from, to}`` (W4)."""

    def read(self, value: Any, place: Place) -> Window | None:
        given = place.mapping(value, ("days", "from", "to"))
        if given is None:
            return None
        days = self._days(given.get("days", list(DAYS)), place.at("days"))
        opens = read_time(given.get("from", "00:00"), place.at("from"))
        closes = read_time(given.get("to", "24:00"), place.at("to"), end=True)
        if opens is not None and closes == opens:
            place.error("Opening and closing can't be the same time.")
        return Window(opens or time(0), closes, days)

    @staticmethod
    def _days(value: Any, place: Place) -> frozenset[int]:
        if not isinstance(value, list) or not value:
            place.error("Choose at least one day.", f"A list of: {', '.join(DAYS)}.")
            return frozenset()
        for number, day in enumerate(value):
            if day not in DAYS:
                place.at(number).error(f"“{day}” is no day.", f"One of: {', '.join(DAYS)}.")
        return frozenset(DAYS.index(day) for day in value if day in DAYS)


@dataclass(frozen=True)
class Path:
    """One way out of a branch."""

    name: str
    when: conditions.Condition


class PathsSetting(Setting):
    """The ways out of a branch: a list of ``{name, when}``, tried in order."""

    def read(self, value: Any, place: Place) -> list[Path]:
        if not isinstance(value, list) or not value:
            place.error("Add at least one path.", "A list of paths, each with a name and when.")
            return []
        paths: list[Path] = []
        for number, item in enumerate(value):
            here = place.at(number)
            given = here.mapping(item, ("name", "when"), ("name", "when"))
            if given is None:
                continue
            name = given.get("name")
            if "name" in given and (not isinstance(name, str) or not name):
                here.at("name").error("Give the path a name.", "A name is text.")
            elif name == "else":
                here.at("name").error("“else” is the way of those who take no other path.")
            elif any(path.name == name for path in paths):
                here.at("name").error(f"The name “{name}” stands twice.")
            when = (
                read_condition(given.get("when"), here.at("when"))
                if "when" in given
                else conditions.Never()
            )
            paths.append(Path(str(name), when))
        return paths


class VariantsSetting(Setting):
    """The variants of a split: a mapping from name to weight (P1)."""

    def read(self, value: Any, place: Place) -> dict[str, int]:
        if not isinstance(value, dict) or not value:
            place.error("Add at least one variant.", "Names with weights, such as {a: 50, b: 50}.")
            return {}
        weights = {
            name: weight
            for name, weight in value.items()
            if isinstance(weight, int) and not isinstance(weight, bool) and weight >= 0
        }
        for name in value:
            if name not in weights:
                place.at(name).error("Give a weight: a whole number from 0.")
        if len(weights) == len(value) and sum(weights.values()) == 0:
            place.error("The weights add up to 0.", "Give at least one variant a weight.")
        return dict.fromkeys(value, 0) | weights


class ChangesSetting(Setting):
    """What an update sets: a mapping from attribute to value; null removes."""

    def read(self, value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, dict) or not value:
            place.error(
                "Name an attribute and its value.", "Names with values, such as {lead: true}."
            )
            return {}
        for name, new in value.items():
            if name in FIXED:
                place.at(name).error("Can't be set.")
            elif name in ("email", "timezone") and not (new is None or isinstance(new, str)):
                place.at(name).error("Must be text, or null to remove it.")
            elif not all(name.split(".")):
                place.at(name).error("A dotted name has a part that is empty.")
            elif values.too_deep(name):
                place.at(name).error(
                    f"A dotted name can have at most {values.MAX_PARTS} parts.",
                )
        return dict(value)


class HeadersSetting(Setting):
    """HTTP headers: a mapping from name to text."""

    def read(self, value: Any, place: Place) -> dict[str, str]:
        if not isinstance(value, dict):
            place.error("Must be a mapping from header to value.")
            return {}
        for name, text in value.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
                place.at(name).error("Is no name of a header.")
            if not isinstance(text, str) or "\n" in text or "\r" in text:
                place.at(name).error("Must be text on one line.")
            else:
                check_liquid(text, place.at(name))
        return dict(value)


class BodySetting(Setting):
    """The body of a request: text (Liquid), or any JSON, whose texts are Liquid."""

    def read(self, value: Any, place: Place) -> Any:
        if isinstance(value, str):
            check_liquid(value, place)
        elif isinstance(value, list | dict):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for step, item in items:
                if isinstance(step, str):
                    check_liquid(step, place.at(step))
                self.read(item, place.at(step))
        return value
