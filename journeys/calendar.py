"""Local times: what an instant is where a contact lives, and the other way round (W3 to W5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from contacts import timezones

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ONE_DAY = timedelta(days=1)
#: The first and the last instant of the calendar.
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
#: Longest search for a window's next opening: a gap that swallows a span leaves out one day.
HORIZON_DAYS = 16


@lru_cache(maxsize=1024)
def zone(name: str, default: str = "UTC") -> tzinfo:
    """The zone called ``name``, or ``default`` where there is none or it is unknown (W5)."""
    for candidate in (name, default):
        if candidate in timezones.names():
            return ZoneInfo(candidate)
    return UTC


def is_zone(name: str) -> bool:
    """Whether ``name`` is an IANA time zone."""
    return name in timezones.names()


def _end_of_gap(naive: datetime, where: tzinfo) -> datetime:
    """The first instant after the gap in which ``naive`` lies, by halving the span around it."""
    late = naive.replace(tzinfo=where, fold=0).astimezone(UTC)
    early = naive.replace(tzinfo=where, fold=1).astimezone(UTC)
    before = early.astimezone(where).utcoffset()
    while late - early > timedelta(microseconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(where).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late


@lru_cache(maxsize=65536)
def instant(day: date, at: time, where: tzinfo) -> datetime | None:
    """The instant in UTC at which it is ``at`` on ``day`` (W5), or None beyond the calendar.

    A time that a clock change skips is the first instant after the gap; one that occurs twice is
    the first of the two.
    """
    naive = datetime.combine(day, at)
    try:
        result = naive.replace(tzinfo=where, fold=0).astimezone(UTC)
        if result.astimezone(where).replace(tzinfo=None) != naive:
            return _end_of_gap(naive, where)
    except OverflowError:
        return None
    return result


def shifted(day: date, days: int) -> date | None:
    """``day`` moved by whole days, or None beyond the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def later(moment: datetime, by: timedelta) -> datetime | None:
    """``moment`` moved by ``by``, or None beyond the calendar."""
    try:
        return moment + by
    except OverflowError:
        return None


def local_date(moment: datetime, where: tzinfo) -> date | None:
    """The date it is at ``moment`` in that zone, or None beyond the calendar."""
    try:
        return moment.astimezone(where).date()
    except OverflowError:
        return None


@dataclass(frozen=True)
class Window:
    """Opening hours in local time (W4): ``closes`` before ``opens`` runs over midnight.

    ``closes`` is None for 24:00. ``days`` are numbers from 0, Monday, of the day it opened on.
    """

    opens: time = time(0)
    closes: time | None = None
    days: frozenset[int] = frozenset(range(7))

    def span(self, day: date, where: tzinfo) -> tuple[datetime, datetime] | None:
        """When the window of ``day`` opens and closes, or None where it does not open that day."""
        if day.weekday() not in self.days:
            return None
        start = instant(day, self.opens, where)
        end = self._closing(day, where)
        # At the calendar's ends, a span is the part of it that the calendar holds.
        if start is None and day.year == MINYEAR:
            start = EARLIEST
        if end is None and day.year == MAXYEAR:
            end = LATEST
        if start is None or end is None or start >= end:
            return None
        return start, end

    def _closing(self, day: date, where: tzinfo) -> datetime | None:
        overnight = self.closes is None or self.closes < self.opens
        last = shifted(day, 1) if overnight else day
        if last is not None:
            return instant(last, self.closes or time(0), where)
        before = instant(day, self.closes or time(0), where)
        return later(before, ONE_DAY) if before else None

    def spans(self, moment: datetime, where: tzinfo) -> Iterator[tuple[datetime, datetime]]:
        """The spans around and after ``moment``, in order."""
        today = local_date(moment, where)
        if today is None:
            today = date.min if moment.year == MINYEAR else date.max
        for number in range(-2, HORIZON_DAYS):
            day = shifted(today, number)
            span = self.span(day, where) if day else None
            if span:
                yield span

    def opening(self, moment: datetime, where: tzinfo) -> datetime | None:
        """When the span that holds ``moment`` opened, else the next opening after it.

        At most ``moment`` inside the window, after it outside; None beyond the calendar.
        """
        for start, end in self.spans(moment, where):
            if moment < end:
                return start
        return None
