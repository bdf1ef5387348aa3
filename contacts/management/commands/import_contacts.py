"""Import contacts from a CSV file."""

from __future__ import annotations

import csv
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contacts import entries
from contacts.imports import mapping, reading, running
from contacts.imports.mapping import Column
from contacts.imports.reading import Format, Unreadable
from contacts.imports.report import refused_csv
from contacts.models import Import, Segment

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}


class Command(BaseCommand):
    """``manage.py import_contacts FILE.csv``."""

    help = (
        "Import contacts from a CSV file: external_id, email, timezone, locale and created_at are"
        " the contact's own fields, every other column is an attribute."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what may be asked for."""
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="COLUMN=TARGET",
            help="TARGET: a field (email), skip, attributes (JSON), topic:SLUG, or NAME:TYPE for an"
            f" attribute, where TYPE is one of {', '.join(mapping.TYPES)}. May be repeated.",
        )
        parser.add_argument("--text", action="store_true", help="Take unmapped columns as text.")
        parser.add_argument("--only-new", action="store_true", help="Leave known people alone.")
        parser.add_argument("--fill", action="store_true", help="Write only into what is empty.")
        parser.add_argument(
            "--keep",
            action="append",
            default=[],
            metavar="COLUMN",
            help="Write this column only where nothing is known yet. May be repeated.",
        )
        parser.add_argument("--tag", default="")
        parser.add_argument("--segment", help="The slug of a static segment to add everybody to.")
        parser.add_argument("--start-journeys", action="store_true")
        parser.add_argument("--enter", help="The slug of a journey that starts by hand.")
        parser.add_argument("--dry-run", action="store_true", help="Count, and write nothing.")
        parser.add_argument("--encoding", help="Where it is not recognised rightly.")
        parser.add_argument("--delimiter", choices=DELIMITERS)
        parser.add_argument("--refused", type=Path, help="Write the refused rows here, as CSV.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, and print an account of the rows."""
        source = self._prepare(options)
        self.stdout.write(f"{source.filename}: {source.encoding}, {len(source.columns)} columns")
        begun = running.check(source) if options["dry_run"] else running.start(source)
        if not begun or not running.run(source):
            raise CommandError("Another process works on this import.")
        if source.status == Import.Status.FAILED:
            raise CommandError(f"{source.error} {source.position} rows are in.")
        self._report(source, options)

    def _prepare(self, options: dict[str, Any]) -> Import:
        try:
            with options["file"].open("rb") as file:
                source = running.prepare(
                    file,
                    options["file"].name,
                    how=self._format(file, options),
                    update_existing=not options["only_new"],
                    overwrite=Import.Overwrite.EMPTY if options["fill"] else Import.Overwrite.ALL,
                    tag=options["tag"],
                    segment=self._segment(options["segment"]),
                    start_journeys=options["start_journeys"],
                    enter_journey=self._journey(options["enter"]),
                )
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}.") from None
        except (Unreadable, LookupError) as error:
            raise CommandError(str(error)) from None
        try:
            columns = self._columns(source, options)
        except CommandError:
            source.delete()
            raise
        source.mapping = [column.as_json() for column in columns]
        source.save()
        return source

    def _columns(self, source: Import, options: dict[str, Any]) -> list[Column]:
        columns = [Column.from_json(item) for item in source.mapping]
        if options["text"]:
            columns = [replace(column, type="text") for column in columns]
        columns = kept(mapped(columns, options["map"]), options["keep"])
        problems = mapping.problems(columns)
        if problems:
            raise CommandError("\n".join(problems))
        return columns

    def _format(self, file: Any, options: dict[str, Any]) -> Format:
        found = reading.recognise(file)
        delimiter = DELIMITERS.get(options["delimiter"] or "", found.delimiter)
        return Format(options["encoding"] or found.encoding, delimiter)

    def _segment(self, slug: str | None) -> Segment | None:
        if slug is None:
            return None
        segment = Segment.static().filter(slug=slug).first()
        if segment is None:
            raise CommandError(f"There is no static segment “{slug}”.")
        return segment

    def _journey(self, slug: str | None) -> int | None:
        if slug is None:
            return None
        entry = entries.find(slug)
        if entry is None:
            raise CommandError(f"“{slug}” is no live journey that starts by hand.")
        return entry.pk

    def _report(self, source: Import, options: dict[str, Any]) -> None:
        counts = source.preview if options["dry_run"] else vars(source)
        for name in ("created", "updated", "unchanged", "refused"):
            self.stdout.write(f"{name:>10} {counts[name]:>10,}")
        if options["dry_run"]:
            for shown in source.preview["shown"]:
                self.stdout.write(f"line {shown['line']}: {shown['reason']}")
            source.delete()
            return
        for row in source.refused_rows.all()[: running.SHOWN]:
            self.stdout.write(f"line {row.line}: {row.reason}")
        if options["refused"]:
            with options["refused"].open("w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerows(refused_csv(source))


def mapped(columns: list[Column], wishes: list[str]) -> list[Column]:
    """The columns with what ``--map`` says about some of them. Raises ``CommandError``."""
    found = list(columns)
    for wish in wishes:
        name, sign, target = wish.rpartition("=")
        places = [index for index, column in enumerate(columns) if column.name == name]
        if not sign or not places:
            raise CommandError(f"--map {wish}: the file has no column “{name}”.")
        found[places[0]] = _column(name, target, wish)
    return found


def kept(columns: list[Column], names: list[str]) -> list[Column]:
    """The columns, of which those that ``--keep`` names only fill in. Raises ``CommandError``."""
    for name in names:
        if name not in [column.name for column in columns if column.to in mapping.KEEPABLE]:
            raise CommandError(f"--keep {name}: no such column is written to a field or attribute.")
    return [replace(column, keep=column.keep or column.name in names) for column in columns]


def _column(name: str, target: str, wish: str) -> Column:
    first, colon, second = target.rpartition(":")
    if not colon:
        if target in mapping.TARGETS and target not in ("attribute", "topic"):
            return Column(name, target)
        return Column(name, "attribute", target)
    if first == "topic":
        return Column(name, "topic", second)
    if second not in mapping.TYPES:
        raise CommandError(f"--map {wish}: “{second}” is none of {', '.join(mapping.TYPES)}.")
    return Column(name, "attribute", first, second)
