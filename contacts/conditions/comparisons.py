"""A comparison: an operator and the value written beside it, for attributes and for ``where``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from contacts.conditions import wording
from contacts.conditions.language import Reader, one_of, storable
from contacts.conditions.operators import OPERATORS, Test, changes, make_test, never_true
from contacts.values import get_path, parse_duration


@dataclass(frozen=True)
class Comparison:
    """``op`` with the ``written`` value; None where it takes none, or where null is written."""

    op: str
    written: Any = None

    @cached_property
    def test(self) -> Test:
        """Whether a value passes at a moment."""
        return make_test(self.op, self.written)

    def bind(self, trigger: Mapping[str, Any] | None) -> Comparison:
        """The comparison with what is written; see `TriggerComparison`."""
        return self

    @property
    def time_dependent(self) -> bool:
        """Whether its truth changes by time alone."""
        return OPERATORS[self.op].looks_at_the_time or (
            self.op in ("before", "after") and self.written == "now"
        )

    def moments(self, value: Any) -> Iterator[datetime]:
        """The instants at which its truth about ``value`` changes by time alone."""
        return changes(self.op, self.written, value)

    def words(self) -> str:
        """What follows the attribute's name in a sentence."""
        return wording.comparison(self.op, self.written)

    def denial(self) -> str:
        """What follows it where the comparison does not hold."""
        return wording.comparison(self.op, self.written, denied=True)


@dataclass(frozen=True)
class TriggerComparison(Comparison):
    """``op`` with ``{trigger: q}``: ``written`` is the property q of the starting event."""

    written: str = ""

    def bind(self, trigger: Mapping[str, Any] | None) -> Comparison:
        """The comparison with the property's value; absent or null it is like a null (C1)."""
        return Comparison(self.op, get_path(trigger, self.written))

    @property
    def time_dependent(self) -> bool:
        return OPERATORS[self.op].looks_at_the_time

    def words(self) -> str:
        return wording.follows(self.op, self.written)

    def denial(self) -> str:
        return wording.follows(self.op, self.written, denied=True)


def read_comparison(
    data: Mapping[str, Any], reader: Reader, *, may_trigger: bool = False
) -> Comparison | None:
    """The comparison that ``op`` and ``value`` of ``data`` write; None after a problem.

    ``may_trigger``: the value may be ``{trigger: q}``, as far as the scope allows it.
    """
    op = data.get("op")
    if not isinstance(op, str) or op not in OPERATORS:
        what = "An operator is missing." if op is None else f"There is no operator “{op}”."
        reader.error("op", what, one_of(OPERATORS))
        return None
    if not _value_is_right(data, op, reader):
        return None
    written = data.get("value")
    if isinstance(written, Mapping) and set(written) == {"trigger"}:
        if may_trigger:
            return _read_trigger(op, written["trigger"], reader)
        reader.warning(
            "value",
            "{trigger: …} means a property of the starting event only in “where”.",
            "Here it is compared as it stands.",
        )
    return _read_written(op, written, reader)


def _value_is_right(data: Mapping[str, Any], op: str, reader: Reader) -> bool:
    takes_none = OPERATORS[op].takes == "nothing"
    if takes_none and data.get("value") is not None:
        reader.error("value", f"“{op}” takes no value.", "Leave it out.")
        return False
    if not takes_none and "value" not in data:
        reader.error("value", f"“{op}” needs a value.")
        return False
    return True


def _read_trigger(op: str, name: Any, reader: Reader) -> Comparison | None:
    if not reader.scope.trigger:
        reader.error("value", "No event starts an enrollment here, so there is no {trigger: …}.")
        return None
    if not isinstance(name, str) or not name:
        reader.error("value", "Give the name of a property of the starting event as text.")
        return None
    return TriggerComparison(op, name) if storable(name, reader.below("value")) else None


def _read_written(op: str, written: Any, reader: Reader) -> Comparison | None:
    if not storable(written, reader.below("value")):
        return None
    if OPERATORS[op].looks_at_the_time and written is not None:
        try:
            parse_duration(written)
        except ValueError as error:
            reader.error("value", str(error))
            return None
    if never_true(op, written):
        reader.warning("value", f"Nothing can pass “{op}” with this value.", _HINTS[op])
    return Comparison(op, written)


_ORDERED = "It takes a number or a text."
_MOMENT = "It takes a date such as 2026-03-01 or 2026-03-01T09:00:00Z, or now."
_HINTS = {
    "eq": "To ask whether there is a value at all, use is_set or is_not_set.",
    **dict.fromkeys(("gt", "gte", "lt", "lte"), _ORDERED),
    "contains": "It takes a value.",
    "starts_with": "It takes a text.",
    "in": "It takes a list of values.",
    **dict.fromkeys(("before", "after"), _MOMENT),
    **dict.fromkeys(("within_last", "within_next"), "It takes a duration such as 3d."),
}


def soonest_first(moments: Iterable[datetime], now: datetime) -> list[datetime]:
    """The ``moments`` after ``now``, each once, in order."""
    return sorted({moment for moment in moments if moment > now})
