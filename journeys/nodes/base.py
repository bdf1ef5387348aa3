"""What every node kind is; one file a kind beside this one, found by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms

from contacts.conditions import Condition
from journeys.fields import Place, Setting, SlugSetting

if TYPE_CHECKING:
    from journeys.world import Happening, Passage


@dataclass(frozen=True, slots=True)
class Wait:
    """Stay in the node until ``until`` (aware, UTC); None has no end."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class End:
    """The enrollment ends here."""

    status: str
    reason: str


#: Leave by an outcome, stay, or end.
Result = str | Wait | End


class NodeKind:
    """A station's kind: what it is called, how it is set up, and what it does with an enrollment.

    The engine calls ``enter`` when an enrollment arrives, ``due`` when its timer fires, ``hears``
    with each event while it waits, and ``changed`` with each change of the contact while it waits.
    None of these touches the database: what they need is in memory for the whole batch, and what
    they ask for is written for the whole batch.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str]
    icon: ClassVar[str]
    #: Its place in the builder's palette; small numbers come first.
    order: ClassVar[int] = 100
    #: The settings of a new node in the builder.
    starts_as: ClassVar[dict[str, Any]] = {}
    #: Whether exactly one of the settings is given, so that the builder lets one choose.
    one_of: ClassVar[bool] = False
    #: Whether people go on by ``next`` as soon as they arrive, where nothing speaks against it.
    passed_at_once: ClassVar[bool] = False
    #: What outcomes are called on the map, where the file's word says too little.
    outcome_labels: ClassVar[dict[str, str]] = {"next": "then"}

    class Config(forms.Form):
        """The settings; its fields are the schema of the file and the panel of the builder."""

    def __init__(self, key: str, config: dict[str, Any]) -> None:
        self.key = key
        self.config = config

    @classmethod
    def read(cls, key: str, config: dict[str, Any], place: Place) -> NodeKind:
        """The node that ``config`` describes; what is wrong with it is reported to ``place``."""
        fields: dict[str, forms.Field] = cls.Config.base_fields
        for name in config:
            if name not in fields:
                place.at(str(name)).error("Unknown key.", f"One of: {', '.join(fields)}.")
        clean: dict[str, Any] = {}
        for name, field in fields.items():
            if name in config:
                if isinstance(field, Setting):
                    clean[name] = field.read(config[name], place.at(name))
            elif field.required:
                place.at(name).error("Is missing.")
        cls.check(clean, place)
        return cls(key, clean)

    @classmethod
    def check(cls, clean: dict[str, Any], place: Place) -> None:
        """Report what is wrong between the settings."""

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The ways out, in the order in which they are shown."""
        return ("next",)

    def outcomes_of(self, written: Mapping[str, Any]) -> tuple[str, ...] | None:
        """The ways out that it may have where something is wrong with the settings ``written``.

        None where that can't be told before they are right.
        """
        return self.outcomes

    def led_anew(self, follows: Mapping[str, Any]) -> Any:
        """Where all of it leads after a change of the settings, when none of the outcomes in
        ``follows`` is left; None where it leads nowhere then.
        """
        return None

    def outcome_label(self, outcome: str) -> str:
        """What an outcome is called on the map."""
        return self.outcome_labels.get(outcome, outcome)

    def enter(self, passage: Passage) -> Result:
        """What happens to an enrollment that arrives."""
        raise TypeError(f"{type(self).__name__} does not say what happens on arrival.")

    def due(self, passage: Passage) -> Result:
        """What happens when the timer of an enrollment that waits here fires."""
        return "next"

    def hears(self, passage: Passage, happening: Happening) -> str | None:
        """The outcome by which an event ends the wait, or None."""
        return None

    def changed(self, passage: Passage) -> Result | None:
        """What a change of the contact does to the wait; None leaves it as it is."""
        return None

    def planned(self, passage: Passage) -> Result | None:
        """The wait worked out anew for an enrollment that was moved here while waiting (V1)."""
        return self.changed(passage)

    def words(self) -> str:
        """What this node does, in one sentence without a full stop."""
        return self.label

    def without_end(self) -> str:
        """What one is told of somebody who waits here and has no deadline."""
        return "It goes on when what it waits for happens; there is no time limit."

    def conditions(self) -> Iterator[Condition]:
        """The conditions it judges by."""
        yield from ()

    def events(self) -> Iterator[str]:
        """The events it listens for."""
        yield from ()

    def dates(self) -> Iterator[str]:
        """The attributes whose dates it waits for."""
        yield from ()

    def slows(self) -> bool:
        """Whether it holds each passage for at least a minute, so that cycles may pass it (L1)."""
        return False

    @classmethod
    def references(cls) -> dict[str, str]:
        """The settings that name something of the installation, with the catalog each is in."""
        return {
            name: field.catalog
            for name, field in cls.Config.base_fields.items()
            if isinstance(field, SlugSetting)
        }
