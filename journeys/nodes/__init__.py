"""The node kinds. A kind is one file in this package: to add one, no other file changes."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache

from journeys.nodes.base import End, NodeKind, Result, Wait

__all__ = ["End", "NodeKind", "Result", "Wait", "choices", "kinds"]


@lru_cache(maxsize=1)
def kinds() -> dict[str, type[NodeKind]]:
    """All node kinds by name, found as management commands are found."""
    found: dict[str, type[NodeKind]] = {}
    for module in pkgutil.iter_modules(__path__):
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, NodeKind) and "kind" in vars(value):
                found[value.kind] = value
    return dict(sorted(found.items()))


def choices() -> list[tuple[str, str]]:
    """The kinds for a form: name and label."""
    return [(name, kind.label) for name, kind in kinds().items()]
