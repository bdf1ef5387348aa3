"""Filters of the admin's own pages."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import template

from journeys import timing

register = template.Library()


@register.filter
def moment(at: datetime | None) -> str:
    """A moment in a <time>."""
    return timing.moment(at)


@register.filter
def pretty(value: Any) -> str:
    """JSON with an indent, its keys in order."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


@register.filter
def item(mapping: Any, key: Any) -> Any:
    """A value of a mapping by its key."""
    return mapping.get(key) if mapping else None


@register.filter
def percent(part: float | None) -> str:
    """A share from 0 to 1 as ``12 %``."""
    return "–" if part is None else f"{100 * part:.0f} %"


@register.filter
def thousands(count: int) -> str:
    """``1,204``."""
    return f"{count:,}"
