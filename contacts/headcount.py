"""How many contacts a condition holds for, in bounded time: exactly, or nearly, or not at all.

A count over a million contacts may take long, and an editor asks for one at each change. So the
database is given a moment for the exact answer, and is stopped; then a sample is judged.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError, connection, models, transaction

from contacts.conditions import Condition
from contacts.models import Contact

#: Seconds that the exact count, and then the sample, may take.
SECONDS = 1.0
SAMPLE = 2_000
#: With fewer than this in the sample, only a bound is said.
SURE = 10
#: With fewer contacts than this, a percentage says nothing.
SHARES_FROM = 100
#: SQLite looks at the clock after so many steps of its machine.
_STEPS = 20_000


@dataclass(frozen=True)
class Headcount:
    """How many of ``total`` contacts; ``count`` is None where it took too long to say.

    ``exact`` is False where both are an estimate from ``judged`` contacts, of which ``sampled``
    match.
    """

    count: int | None
    total: int | None
    exact: bool = True
    sampled: int = 0
    judged: int = SAMPLE

    def words(self) -> str:
        """The number as a sentence."""
        if self.count is None or self.total is None:
            return "Counting takes too long here. The condition works all the same."
        if self.exact:
            number = "1 contact matches" if self.count == 1 else f"{self.count:,} contacts match"
            return f"{number} now{self._share()}."
        how = f" Counting all takes too long, so this is an estimate from {self.judged:,} of them."
        if self.sampled >= SURE:
            return f"About {self.count:,} contacts match now{self._share()}.{how}"
        return f"Fewer than {self._most():,} contacts match now.{how}"

    def _share(self) -> str:
        if not self.count or not self.total or self.total < SHARES_FROM:
            return ""
        percent = 100 * self.count / self.total
        return ", less than 1% of all" if percent < 1 else f", {percent:.0f}% of all"

    def _most(self) -> int:
        """A bound that holds 95 times in 100: of so many found, three more and twice their root."""
        found = self.sampled + 2 * self.sampled**0.5 + 3
        return _rounded_up(found * (self.total or 0) / self.judged)


def headcount(condition: Condition, now: datetime, *, seconds: float = SECONDS) -> Headcount:
    """How many contacts ``condition`` holds for at ``now``; takes about twice ``seconds`` at most.

    Raises TypeError where the condition needs an enrollment.
    """
    matching = Contact.objects.filter(condition.expression(now))
    try:
        with at_most(seconds):
            return Headcount(matching.count(), Contact.objects.count())
    except OperationalError:
        pass
    try:
        with at_most(seconds):
            return _estimate(matching)
    except OperationalError:
        return Headcount(None, None, exact=False)


def _estimate(matching: models.QuerySet[Contact]) -> Headcount:
    few = Contact.objects.order_by("pk").values_list("pk", flat=True)[: SAMPLE + 1]
    if len(few) <= SAMPLE:
        return Headcount(matching.filter(pk__in=list(few)).count(), len(few))
    ends = Contact.objects.aggregate(first=models.Min("pk"), last=models.Max("pk"))
    ids = range(ends["first"], ends["last"] + 1)
    # The same ids for the same contacts, so that the number does not jump about while one types.
    chosen = random.Random(ends["last"]).sample(ids, SAMPLE)  # noqa: S311
    there = Contact.objects.filter(pk__in=chosen).count()
    if not there:
        return Headcount(None, None, exact=False)
    found = matching.filter(pk__in=chosen).count()
    scale = len(ids) / len(chosen)
    return Headcount(_rounded(found * scale), _rounded(there * scale), False, found, there)


def _rounded(number: float) -> int:
    """To two digits that count."""
    return int(float(f"{number:.2g}"))


def _rounded_up(number: float) -> int:
    """To one digit that counts: 1,730 is 2,000."""
    unit = 10 ** max(0, len(str(int(number))) - 1)
    return int(-(-number // unit) * unit)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Stop queries that take longer: they raise OperationalError."""
    limit = _on_postgresql if connection.vendor == "postgresql" else _on_sqlite
    with limit(seconds):
        yield


@contextmanager
def _on_postgresql(seconds: float) -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        limit = f"{seconds * 1000:.0f}"
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [limit])
        # Compiling a query that is stopped after a second costs more than it saves.
        cursor.execute("SET LOCAL jit = off")
        yield
        cursor.execute("SET LOCAL statement_timeout = DEFAULT; SET LOCAL jit = DEFAULT")


@contextmanager
def _on_sqlite(seconds: float) -> Iterator[None]:
    connection.ensure_connection()
    until = time.monotonic() + seconds
    connection.connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, _STEPS)
