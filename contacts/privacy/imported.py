"""What imports keep of a contact: rows of files, refused rows, and what a chunk changed.

Files are streamed. A row that speaks of the contact is replaced by one that is refused, so that
the rows behind it keep their numbers, and an import that was paused goes on where it stood.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, cast

from django.core.files import File
from django.db import transaction
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from contacts.imports import reading, running
from contacts.imports.reading import Format
from contacts.models import Import, ImportChunk, RefusedRow
from contacts.privacy.subject import ERASED, Subject


class Busy(Exception):
    """An import that speaks of the contact is at work; it has to be paused or done first."""


def addresses(pk: int) -> Iterator[str]:
    """The addresses that imports took from the contact or gave it."""
    for chunk in ImportChunk.objects.filter(changed__has_key=str(pk)):
        yield from (value for value in chunk.changed[str(pk)].get("email", {}).values() if value)


def export(subject: Subject) -> list[dict[str, Any]]:
    """The rows of import files, and the changes that imports made."""
    rows: list[dict[str, Any]] = []
    for source in Import.objects.order_by("pk"):
        rows += (
            {
                "import": source.filename,
                "at": source.created_at,
                "row": dict(zip(source.columns, cells, strict=False)),
            }
            for cells in _rows(source, subject)
        )
    for refused in _refused(subject):
        rows.append(
            {
                "import": refused.source.filename,
                "at": refused.source.created_at,
                "row": dict(zip(refused.source.columns, refused.cells, strict=False)),
                "refused": refused.reason,
            }
        )
    for chunk in _chunks(subject):
        for pk in subject.pks:
            if str(pk) in chunk.changed:
                changes = chunk.changed[str(pk)]
                rows.append({"import": chunk.source.filename, "changed": changes})
    return rows


def count(subject: Subject) -> int:
    """How many rows speak of the contact."""
    return len(export(subject))


def erase(subject: Subject) -> None:
    """Take the contact out of all of it. Raises ``Busy``."""
    for source in Import.objects.select_for_update().order_by("pk"):
        if next(_rows(source, subject), None) is not None:
            if source.status in running.AT_WORK:
                raise Busy(f"The import {source} speaks of this person and is at work. Pause it.")
            _rewrite(source, subject)
        _strike_out(source, subject)
    for chunk in _chunks(subject):
        for pk in subject.pks:
            chunk.changed.pop(str(pk), None)
        chunk.save(update_fields=["changed"])
    RefusedRow.objects.filter(pk__in=[row.pk for row in _refused(subject)]).delete()


def _chunks(subject: Subject) -> Iterator[ImportChunk]:
    keys = [str(pk) for pk in subject.pks]
    found = ImportChunk.objects.filter(changed__has_any_keys=keys)
    return found.select_related("source").iterator(chunk_size=50)


def _strike_out(source: Import, subject: Subject) -> None:
    """Names of columns in a file without a header, and what a dry run said of rows."""
    names = ("filename", "columns", "mapping", "preview")
    cleaned = {name: subject.without(getattr(source, name)) for name in names}
    if any(value != getattr(source, name) for name, value in cleaned.items()):
        Import.objects.filter(pk=source.pk).update(**cleaned)


# Rows


def _is_meant(cells: Sequence[str], id_columns: Sequence[int], subject: Subject) -> bool:
    """Whether a row speaks of the contact. What is a short id is one only in a column of ids."""
    if any(subject.is_meant_by(cell) for cell in cells):
        return True
    return any(cells[at].strip() in subject.ids for at in id_columns if at < len(cells))


def _id_columns(source: Import) -> list[int]:
    return [at for at, column in enumerate(source.mapping) if column.get("to") == "external_id"]


def _rows(source: Import, subject: Subject) -> Iterator[list[str]]:
    """The rows of the file that speak of the contact; none where the file is gone."""
    id_columns = _id_columns(source)
    try:
        file = running.opened(source) if source.file else io.BytesIO()
    except FileNotFoundError:
        return
    with file:
        for row in reading.rows(file, _format(source)):
            if _is_meant(row.cells, id_columns, subject):
                yield row.cells


def _format(source: Import) -> Format:
    return Format(source.encoding or "utf-8", source.delimiter or ",")


def _refused(subject: Subject) -> list[RefusedRow]:
    """The refused rows that speak of the contact."""
    asked = Q()
    for text in subject.emails | subject.ids:
        # Texts beyond ASCII may be kept escaped.
        for written in {text, text.encode("unicode_escape").decode()}:
            asked |= Q(text__icontains=written) | Q(reason__icontains=written)
    if not asked:
        return []
    rows = RefusedRow.objects.annotate(text=Cast("cells", TextField())).filter(asked)
    return [
        row
        for row in rows.select_related("source").order_by("pk")
        if subject.is_meant_by(row.reason) or _is_meant(row.cells, _id_columns(row.source), subject)
    ]


def _rewrite(source: Import, subject: Subject) -> None:
    """Put a file without the contact in the place of the old one, which goes after the commit."""
    storage, old = source.file.storage, str(source.file.name)
    with running.opened(source) as file, tempfile.TemporaryFile() as made:
        _copy(file, cast(BinaryIO, made), source, subject)
        made.seek(0)
        source.file.save("contacts.csv", File(made), save=False)
    new = str(source.file.name)
    try:
        Import.objects.filter(pk=source.pk).update(file=new)
    except Exception:
        storage.delete(new)
        raise
    transaction.on_commit(lambda: storage.delete(old))


def _copy(file: BinaryIO, made: BinaryIO, source: Import, subject: Subject) -> None:
    """Write every row again, and instead of the contact's one with a cell too many."""
    how, id_columns = _format(source), _id_columns(source)
    errors = "replace" if how.encoding.startswith("utf-16") else "surrogateescape"
    text = io.TextIOWrapper(made, how.encoding, errors=errors, newline="")
    writer = csv.writer(text, delimiter=how.delimiter, lineterminator="\r\n")
    writer.writerow(subject.without(reading.columns(file, how)))
    nobody = [""] * len(source.columns) + [ERASED]
    for row in reading.rows(file, how):
        if _is_meant(row.cells, id_columns, subject):
            writer.writerow(nobody)
        elif row.problem and len(row.cells) == 1:
            text.write(f"{row.cells[0]}\r\n")  # a line that can't be read stays as it is
        else:
            writer.writerow(row.cells)
    text.flush()
    text.detach()
