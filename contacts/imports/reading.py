"""Rows from what spreadsheets write: their encodings, delimiters, line ends and quotes.

The file is streamed; nothing but the row at hand is kept. A row that can't be read is handed on
with what is wrong with it, and reading goes on behind its first line.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

DELIMITERS = (",", ";", "\t")
#: Characters in one line, and in one row with all the lines in its quotes.
MAX_ROW = 1024 * 1024
BLOCK = 1024 * 1024
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

#: How files begin that are no text, and what is to be done with them.
_WORKBOOK = "This is an Excel workbook: save it as CSV."
_BINARY = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _WORKBOOK),
    (b"\x89PNG\r\n\x1a\n", "This is a picture, not a CSV file."),
    (b"\xff\xd8\xff", "This is a picture, not a CSV file."),
    (b"%PDF-", "This is a PDF, not a CSV file."),
    (b"PK\x03\x04", "This is an archive: unpack it first."),
)
#: What stands in the beginning of an archive that is a workbook.
_IN_WORKBOOKS = (b"[Content_Types].xml", b"docProps/", b"xl/", b"opendocument.spreadsheet")

csv.field_size_limit(MAX_ROW)


class Unreadable(ValueError):
    """The file as a whole is nothing that contacts can be read from."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a file is written."""

    encoding: str
    delimiter: str


@dataclass(slots=True)
class Row:
    """One row: its number from 1, the line it begins in, its cells, and what is wrong with it."""

    number: int
    line: int
    cells: list[str] = field(default_factory=list)
    problem: str = ""


def recognise(file: BinaryIO) -> Format:
    """The format of a file. Raises ``Unreadable`` where there is nothing to read."""
    _must_be_text(file)
    encoding = recognise_encoding(file)
    with _Lines(file, encoding) as lines:
        while line := lines.take():
            if line.strip():
                if "\0" in line:  # further below it is refused with its row
                    raise Unreadable("This is no text file: save it as CSV.")
                return Format(encoding, recognise_delimiter(line))
    raise Unreadable("The file is empty.")


def _must_be_text(file: BinaryIO) -> None:
    file.seek(0)
    start = file.read(4096)
    if start.startswith(b"PK") and any(name in start for name in _IN_WORKBOOKS):
        raise Unreadable(_WORKBOOK)
    for mark, words in _BINARY:
        if start.startswith(mark):
            raise Unreadable(words)


def recognise_encoding(file: BinaryIO) -> str:
    """By the byte order mark, else UTF-8 where all of it is, else what old spreadsheets write."""
    file.seek(0)
    start = file.read(4096)
    for mark, encoding in _BOMS:
        if start.startswith(mark):
            return encoding
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = start[offset::2]
        if half.count(0) > 0.6 * max(len(half), 1):
            return encoding
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while block := file.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def recognise_delimiter(header: str) -> str:
    """What separates the names of the columns, outside of quotes; a comma where nothing does."""
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def columns(file: BinaryIO, how: Format) -> list[str]:
    """The names in the first row. Raises ``Unreadable`` where they can't be read."""
    header = next(_records(file, how), None)
    if header is None:
        raise Unreadable("The file is empty.")
    if header.problem:
        raise Unreadable(f"The names of the columns can't be read. {header.problem}")
    return [name.strip() for name in header.cells]


def rows(file: BinaryIO, how: Format, *, after: int = 0) -> Iterator[Row]:
    """The rows below the header, from the one behind number ``after`` on. Blank ones are none."""
    records = _records(file, how)
    width = len(next(records, Row(0, 0)).cells)
    number = 0
    for row in records:
        number += 1
        if number <= after:
            continue
        row.number = number
        if not row.problem and len(row.cells) > width:
            if any(cell.strip() for cell in row.cells[width:]):
                row.problem = f"The row has {len(row.cells)} cells, and the header has {width}."
            else:
                del row.cells[width:]
        yield row


def must_have_rows(file: BinaryIO, how: Format) -> None:
    """Raises ``Unreadable`` where nothing follows the header."""
    if next(rows(file, how), None) is None:
        raise Unreadable("The file has no rows below the names of its columns.")


def _records(file: BinaryIO, how: Format) -> Iterator[Row]:
    with _Lines(file, how.encoding) as lines:
        feed = _Feed(lines)
        reader = csv.reader(feed, delimiter=how.delimiter, strict=True)
        while True:
            line = lines.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(0, line, [feed.give_back().rstrip("\r\n")], _words(error))
                continue
            feed.taken.clear()
            if any(cell and not cell.isspace() for cell in cells):
                yield Row(0, line, cells)


def _words(error: csv.Error) -> str:
    text = str(error)
    if "end of data" in text or "too long" in text:
        return "A quote that opens in this line is never closed."
    if "field limit" in text:
        return f"The line is longer than {MAX_ROW:,} characters."
    return "The quotes in this line do not match."


class _Lines:
    """The lines of a file with their ends, which can be given back. The file stays open."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        file.seek(0)
        errors = "replace" if encoding.startswith("utf-16") else "surrogateescape"
        self.text = io.TextIOWrapper(file, encoding, errors=errors, newline="")
        self.back: list[str] = []
        self.number = 0

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *error: object) -> None:
        self.text.detach()

    def take(self) -> str:
        """The next line, or an empty text at the end."""
        line = self.back.pop() if self.back else self._read()
        self.number += bool(line)
        return line

    def _read(self) -> str:
        line = self.text.readline(MAX_ROW + 1)
        rest = line
        while len(rest) > MAX_ROW and rest[-1] not in "\r\n":
            rest = self.text.readline(MAX_ROW + 1)
        return line

    def give_back(self, lines: list[str]) -> None:
        """These lines come again, in this order."""
        self.back += reversed(lines)
        self.number -= len(lines)


class _Feed:
    """Lines for the CSV reader, kept until their row is complete."""

    def __init__(self, lines: _Lines) -> None:
        self.lines = lines
        self.taken: list[str] = []
        self.size = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self.lines.take()
        if not line:
            raise StopIteration
        self.size = self.size + len(line) if self.taken else len(line)
        self.taken.append(line)
        if self.size > MAX_ROW:
            raise csv.Error("too long" if len(self.taken) > 1 else "field limit")
        return line

    def give_back(self) -> str:
        """The first line of a row that can't be read; the others are read again."""
        first, *others = self.taken
        self.taken = []
        self.lines.give_back(others)
        return first
