"""Parts of sentences: settings as a marketer would say them."""

from __future__ import annotations

from datetime import time, timedelta
from typing import TYPE_CHECKING

from contacts.values import words_duration
from journeys.calendar import DAYS, Window

if TYPE_CHECKING:
    from journeys.fields import DateRule, EventMatch

DAY_NAMES = dict(zip(range(7), ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))


def event_match(match: EventMatch) -> str:
    """``order_placed where total is at least 50``."""
    where = match.where.words()
    return f"{match.event} where {where.removeprefix('where ')}" if where else match.event


def date_rule(rule: DateRule) -> str:
    """``3 days before birthday at 09:00, each year``."""
    day = rule.attribute
    if rule.offset:
        side = "before" if rule.offset < timedelta() else "after"
        day = f"{words_duration(abs(rule.offset))} {side} {day}"
    if rule.at is not None:
        day = f"{day} at {clock(rule.at)}"
    return f"{day}, each year" if rule.yearly else day


def window(setting: Window) -> str:
    """``Mon to Fri, 09:00 to 17:00``."""
    closes = clock(setting.closes) if setting.closes is not None else "24:00"
    hours = f"{clock(setting.opens)} to {closes}"
    return hours if len(setting.days) == len(DAYS) else f"{days(setting.days)}, {hours}"


def days(numbers: frozenset[int]) -> str:
    """``Mon to Fri`` for a run of three or more, else ``Mon, Wed``."""
    ordered = sorted(numbers)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{DAY_NAMES[ordered[0]]} to {DAY_NAMES[ordered[-1]]}"
    return ", ".join(DAY_NAMES[number] for number in ordered)


def clock(moment: time) -> str:
    """``09:00``."""
    return moment.strftime("%H:%M")
