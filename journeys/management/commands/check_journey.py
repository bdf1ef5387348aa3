from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from journeys import bundles, files


class Command(BaseCommand):
    """Say all that is wrong with a journey file, and what looks wrong."""

    help = "Check a journey file against this installation. Exit status 1 where anything is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.yaml")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            problems = bundles.check(files.read_file(path))
        except files.NotReadable as error:
            raise CommandError(str(error), returncode=1) from error
        lines = [files.line_about(path, problem) for problem in problems]
        if problems.errors:
            raise CommandError("\n".join(lines), returncode=1)
        for line in lines:
            self.stderr.write(line)
        if options["verbosity"]:
            self.stdout.write(f"{path} is right.")
