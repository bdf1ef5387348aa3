from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from django import forms

from journeys.fields import VariantsSetting
from journeys.nodes.base import NodeKind, Result
from journeys.world import Passage


def draw(journey: str, node: str, contact: str, variants: dict[str, int]) -> str:
    """The variant a contact gets, the same at each visit and in each replay (P1)."""
    total = sum(variants.values())
    chance = int(sha256(f"{journey}:{node}:{contact}".encode()).hexdigest()[:8], 16) % total
    names = sorted(variants)
    cumulative = 0
    for name in names:
        cumulative += variants[name]
        if cumulative > chance:
            return name
    return names[-1]


class Split(NodeKind):
    """Divides people by chance, in fixed shares."""

    kind = "split"
    label = "Split"
    description = "Divides people by chance, to try one thing against another."
    icon = "alt_route"
    order = 40
    starts_as = {"variants": {"a": 50, "b": 50}}

    class Config(forms.Form):
        variants = VariantsSetting(help_text="The share of each variant, as a weight.")

    @property
    def variants(self) -> dict[str, int]:
        return self.config.get("variants") or {}

    @property
    def outcomes(self) -> tuple[str, ...]:
        return tuple(sorted(self.variants))

    def outcomes_of(self, written: Mapping[str, Any]) -> tuple[str, ...] | None:
        return self.outcomes or None

    def enter(self, passage: Passage) -> Result:
        return draw(passage.plan.slug, self.key, passage.person.key, self.variants)

    def words(self) -> str:
        total = sum(self.variants.values()) or 1
        shares = (
            f"{100 * self.variants[name] / total:.3g} % {name}" for name in sorted(self.variants)
        )
        return ", ".join(shares)
