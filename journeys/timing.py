"""Times and counts as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts.values import words_duration

#: From so many days on, hours say nothing.
MANY = timedelta(days=10)


def moment(at: datetime | None) -> SafeString | str:
    """``23 Nov 2026, 20:46`` in a <time> with the exact instant; an empty text for None."""
    if at is None:
        return ""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        f"{at:%Y-%m-%d %H:%M:%S} UTC",
        plain(at),
    )


def plain(at: datetime) -> str:
    """``23 Nov 2026, 20:46``, where only text can stand; in the installation's timezone."""
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")


def ago(at: datetime, now: datetime) -> str:
    """``3 hours 20 minutes ago``, ``in 2 days``: by the two largest units, of many days by whole
    ones, and to the nearest.
    """
    distance = abs(now - at)
    if distance < timedelta(minutes=1):
        return "just now" if at <= now else "in a moment"
    if distance >= MANY:
        unit = timedelta(days=1)
    else:
        unit = timedelta(hours=1) if distance >= timedelta(days=1) else timedelta(minutes=1)
    words = words_duration((distance + unit / 2) // unit * unit)
    return f"{words} ago" if at <= now else f"in {words}"


def length(taken: timedelta) -> str:
    """How long something took, by its two largest units: ``2 days 3 hours``."""
    seconds = int(taken.total_seconds())
    if seconds < 1:
        return "at once"
    for large, small in ((86_400, 3_600), (3_600, 60), (60, 1)):
        if seconds >= large:
            return words_duration(timedelta(seconds=seconds // small * small))
    return words_duration(timedelta(seconds=seconds))


def share(part: int, whole: int) -> str:
    """``12 %``; ``–`` where there is no whole: nothing of nothing is no rate."""
    return f"{100 * part / whole:.0f} %" if whole else "–"
