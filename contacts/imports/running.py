"""An import from the upload to its report: checked, run, paused, resumed, undone.

Everything is in the row of the import: whoever holds its lease works on it, and when that process
dies the next one goes on at ``position``, which is written with the contacts themselves.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.core.files import File
from django.db import OperationalError, transaction
from django.db.models import Q

from contacts import nudges
from contacts.clock import now
from contacts.garbage import uncollected
from contacts.imports import mapping, reading
from contacts.imports.loading import SIZE, Chunk, Loader
from contacts.imports.reading import Format, Row, Unreadable
from contacts.imports.undoing import Undone, undo_chunk
from contacts.ingest import again
from contacts.models import Import

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
#: How long somebody works on an import who has more to do.
A_WHILE = timedelta(seconds=10)
#: Rows shown and looked at before an import is set up.
SAMPLE = 20
#: Refused rows that a dry run shows one by one.
SHOWN = 50
STATUS = Import.Status
AT_WORK = (STATUS.CHECKING, STATUS.RUNNING, STATUS.UNDOING)
QUEUE = "bulk"


def prepare(
    file: BinaryIO, filename: str, *, by: Any = None, how: Format | None = None, **options: Any
) -> Import:
    """Keep a file and recognise how it is written and what its columns are.

    Raises ``Unreadable``. ``options`` are fields of the import.
    """
    how = how or reading.recognise(file)
    names = reading.columns(file, how)
    reading.must_have_rows(file, how)
    sample = list(islice(reading.rows(file, how), SAMPLE))
    columns = mapping.recognise(names, sample)
    source = Import(
        filename=Path(filename).name[:255],
        encoding=how.encoding,
        delimiter=how.delimiter,
        columns=names,
        mapping=[column.as_json() for column in columns],
        created_by=by,
        **options,
    )
    file.seek(0, 2)
    source.size = file.tell()
    file.seek(0)
    source.file.save("contacts.csv", File(file), save=False)
    source.save()
    return source


def sample(source: Import, count: int = SAMPLE) -> list[Row]:
    """The first rows of the file."""
    with opened(source) as file:
        return list(islice(reading.rows(file, _format(source)), count))


def opened(source: Import) -> BinaryIO:
    """The file as it was uploaded."""
    return cast(BinaryIO, source.file.storage.open(str(source.file.name), "rb").file)


def _format(source: Import) -> Format:
    return Format(source.encoding, source.delimiter)


# What a person may ask for


def check(source: Import) -> bool:
    """Begin a dry run."""
    return _turn(source, STATUS.CHECKING, STATUS.UPLOADED, STATUS.CHECKED, preview={})


def start(source: Import) -> bool:
    """Begin to run, or go on after a pause or a failure."""
    begun = [STATUS.UPLOADED, STATUS.CHECKED, STATUS.PAUSED, STATUS.FAILED]
    return _turn(source, STATUS.RUNNING, *begun, error="")


def pause(source: Import) -> bool:
    """Stop behind the rows at hand."""
    return _turn(source, STATUS.PAUSED, STATUS.RUNNING)


def undo(source: Import) -> bool:
    """Begin to take back what the import did."""
    return _turn(source, STATUS.UNDOING, STATUS.DONE, STATUS.PAUSED, STATUS.FAILED)


def _turn(source: Import, to: str, *allowed: str, **changes: Any) -> bool:
    """Move to another status from one of those allowed; False where it has another by now."""
    # A lease that has run out says since when it waits.
    changes |= {"status": to, "lease_until": now() if to in AT_WORK else None}
    found = Import.objects.filter(pk=source.pk, status__in=allowed)
    turned = bool(found.update(**changes))
    if turned:
        for name, value in changes.items():
            setattr(source, name, value)
        if to in AT_WORK:
            transaction.on_commit(nudge)
    return turned


# Who does the work


def nudge() -> None:
    """Have a worker look for imports."""
    nudges.nudge(QUEUE, run_due, "run-imports")


def due(at: datetime) -> Any:
    """The imports that wait for somebody to work on them: none does, or who did has died."""
    free = Q(lease_until=None) | Q(lease_until__lte=at)
    return Import.objects.filter(free, status__in=AT_WORK).order_by("created_at", "pk")


def due_since(at: datetime) -> datetime | None:
    """Since when the first import waits, for the clock."""
    first = due(at).first()
    return first and (first.lease_until or first.started_at or first.created_at)


def run_due(at: datetime | None = None) -> int:
    """Work on all imports that wait, one after the other; returns how many."""
    done = 0
    while (source := due(at or now()).first()) is not None:
        run(source)
        done += 1
    return done


def run_for_a_while(at: datetime) -> bool:
    """Work on the first import that waits, for some seconds: the clock has other duties too."""
    source = due(at).first()
    return source is not None and run(source, stop_at=now() + A_WHILE)


def run(source: Import, *, stop_at: datetime | None = None) -> bool:
    """Work on one import until it is done, paused or stopped; False where somebody else does.

    At ``stop_at`` it is left as it is, for the next to go on; a dry run is not cut in two. What
    goes wrong is kept in the import, which can be resumed. Raises only where the database is
    away; the next to look goes on.
    """
    if not due(now()).filter(pk=source.pk).update(lease_until=now() + LEASE):
        return False
    source.refresh_from_db()
    work = {STATUS.CHECKING: _check, STATUS.RUNNING: _run, STATUS.UNDOING: _undo}
    try:
        work[STATUS(source.status)](source, stop_at)
    except OperationalError:
        raise
    except Exception as error:
        log.exception("Import %s stopped", source.pk)
        _turn(source, STATUS.FAILED, *AT_WORK, error=_words(error))
    finally:
        left = Import.objects.filter(pk=source.pk)
        left.update(lease_until=now() if stop_at is not None else None)
    source.refresh_from_db()
    return True


def _words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "The file is gone. Upload it again."
    if isinstance(error, Unreadable):
        return str(error)
    return f"It stopped at an error of the program: {type(error).__name__}."


def _chunks(file: BinaryIO, source: Import, after: int) -> Iterator[list[Row]]:
    rows: Iterable[Row] = reading.rows(file, _format(source), after=after)
    iterator = iter(rows)
    while chunk := list(islice(iterator, SIZE)):
        yield chunk


# Running


def _run(source: Import, stop_at: datetime | None) -> None:
    Import.objects.filter(pk=source.pk, started_at=None).update(started_at=now())
    with opened(source) as file:
        for rows in _chunks(file, source, source.position):
            if not again(lambda rows=rows: _load(source, rows)):  # type: ignore[misc]
                return
            if stop_at is not None and now() >= stop_at:
                return
    _finish(source, STATUS.RUNNING, STATUS.DONE)


def _load(source: Import, rows: list[Row]) -> bool:
    """One transaction: the contacts, the counts and the position; False where it was stopped."""
    stored = Import.objects.select_for_update().get(pk=source.pk)
    if stored.status != STATUS.RUNNING or stored.position != rows[0].number - 1:
        return False
    loader = Loader(stored)
    with uncollected():
        chunk = loader.decide(rows, now())
        loader.save(chunk)
    stored.position = rows[-1].number
    stored.lease_until = now() + LEASE
    for name in ("created", "updated", "unchanged"):
        setattr(stored, name, getattr(stored, name) + getattr(chunk, name))
    stored.refused += len(chunk.refused)
    stored.save(
        update_fields=["position", "lease_until", "created", "updated", "unchanged", "refused"]
    )
    return True


def _finish(source: Import, before: str, after: str) -> None:
    stored = Import.objects.get(pk=source.pk)
    Import.objects.filter(pk=source.pk, status=before).update(
        status=after, finished_at=now(), rows=stored.position
    )


# A dry run


def _check(source: Import, stop_at: datetime | None) -> None:
    """Decide each row as a run would, and write nothing."""
    tally = Tally(source.update_existing)
    loader = Loader(source)
    with opened(source) as file:
        for number, rows in enumerate(_chunks(file, source, 0)):
            tally.add(again(lambda rows=rows: loader.decide(rows, now())))  # type: ignore[misc]
            if number % 10 == 0 and not _still_checking(source, {"position": tally.rows}):
                return
    Import.objects.filter(pk=source.pk, status=STATUS.CHECKING).update(
        status=STATUS.CHECKED, preview=tally.as_json(), rows=tally.rows
    )


def _still_checking(source: Import, preview: dict[str, Any]) -> int:
    stored = Import.objects.filter(pk=source.pk, status=STATUS.CHECKING)
    return stored.update(preview=preview, lease_until=now() + LEASE)


class Tally:
    """What a dry run counts. It remembers, as hashes, what earlier rows said of whom."""

    def __init__(self, update_existing: bool) -> None:
        self.update_existing = update_existing
        self.rows = 0
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.shown: list[dict[str, Any]] = []
        self.said: dict[int, int] = {}

    def add(self, chunk: Chunk) -> None:
        """Count a chunk."""
        self.rows += chunk.rows
        self.counts["refused"] += len(chunk.refused)
        for row, reason in chunk.refused:
            if reason in self.reasons or len(self.reasons) < SHOWN:
                self.reasons[reason] += 1
            if len(self.shown) < SHOWN:
                self.shown.append({"line": row.line, "reason": reason})
        for item, outcome in chunk.taken:
            key = hash(item.external_id or (item.email or "").lower())
            says = hash(repr(item.set))
            before = self.said.get(key)
            if before is not None:
                new = before != says and self.update_existing
                outcome = "updated" if new else "unchanged"
            self.said[key] = says
            self.counts[outcome] += 1

    def as_json(self) -> dict[str, Any]:
        """As ``Import.preview`` keeps it."""
        return {
            "rows": self.rows,
            **{name: self.counts[name] for name in ("created", "updated", "unchanged", "refused")},
            "reasons": self.reasons.most_common(),
            "shown": self.shown,
        }


# Undoing


def _undo(source: Import, stop_at: datetime | None) -> None:
    while again(lambda: _undo_next(source)):
        if stop_at is not None and now() >= stop_at:
            return
    Import.objects.filter(pk=source.pk, status=STATUS.UNDOING).update(
        status=STATUS.UNDONE, finished_at=now()
    )


def undone(source: Import) -> Undone:
    """What was taken back so far."""
    return Undone(**{name: source.preview.get(name, 0) for name in ("gone", "back", "kept")})


def taken_back(source: Import) -> int:
    """How many rows are behind those that are still to be taken back: it goes from the end."""
    last = source.chunks.order_by("-position").values_list("position", flat=True).first()
    return source.position if last is None else max(0, source.position - last - SIZE)


def _undo_next(source: Import) -> bool:
    """Take back the last chunk that is left; False where none is."""
    stored = Import.objects.select_for_update().get(pk=source.pk)
    chunk = stored.chunks.order_by("-position").first()
    if chunk is None or stored.status != STATUS.UNDOING:
        return False
    done = undone(stored) + undo_chunk(stored, chunk, now())
    stored.preview = {**stored.preview, **asdict(done)}
    stored.lease_until = now() + LEASE
    stored.save(update_fields=["preview", "lease_until"])
    return True
