"""``{attribute: a, op: o, value: v}``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models.expressions import Combinable

from contacts.conditions import wording
from contacts.conditions.comparisons import Comparison, read_comparison, soonest_first
from contacts.conditions.language import Condition, Never, Reader, References, form
from contacts.conditions.operators import Test
from contacts.conditions.sql import JsonPath, OwnField, compare
from contacts.conditions.view import OWN_FIELDS, View


@dataclass(frozen=True)
class Attribute(Condition):
    """The contact's attribute, or own field, compares so."""

    name: str
    comparison: Comparison

    @cached_property
    def _test(self) -> Test:
        return self.comparison.test

    @cached_property
    def time_dependent(self) -> bool:  # type: ignore[override]
        return self.comparison.time_dependent

    def holds(self, view: View) -> bool:
        return self._test(view.attribute(self.name), view.now)

    def expression(self, now: datetime, inside: tuple[str, ...] = ()) -> Combinable:
        own = self.name in OWN_FIELDS
        subject = OwnField(self.name) if own else JsonPath("attributes", self.name)
        return compare(subject, self.comparison, now)

    def words(self) -> str:
        return f"{wording.attribute(self.name)} {self.comparison.words()}"

    def denial(self) -> str:
        return f"{wording.attribute(self.name)} {self.comparison.denial()}"

    def looks_at(self) -> References:
        return References(attributes=frozenset({self.name}))

    def moments(self, view: View) -> Iterable[datetime]:
        if not self.time_dependent:
            return ()
        return soonest_first(self.comparison.moments(view.attribute(self.name)), view.now)


@form("attribute", "Attribute", ("op", "value"))
def _parse(data: Mapping[str, Any], reader: Reader) -> Condition:
    name = reader.name(data, "attribute", "an attribute")
    comparison = read_comparison(data, reader)
    return Attribute(name, comparison) if name and comparison else Never()
