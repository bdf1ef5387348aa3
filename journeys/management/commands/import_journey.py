from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contacts.clock import now
from contacts.problems import Invalid
from journeys import bundles, files


class Command(BaseCommand):
    """Take in a journey file: the journey, and the templates, segments and topics it carries."""

    help = "Import a journey from YAML or JSON. What is there under the same slugs is replaced."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.yaml")
        parser.add_argument("--publish", action="store_true", help="make it the live version too")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            done = bundles.take_in(files.read_file(path), at=now(), publish_it=options["publish"])
        except files.NotReadable as error:
            raise CommandError(str(error), returncode=1) from error
        except Invalid as error:
            lines = [files.line_about(path, problem) for problem in error.problems]
            raise CommandError("\n".join(lines), returncode=1) from error
        for problem in done.warnings:
            self.stderr.write(files.line_about(path, problem))
        if options["verbosity"]:
            self.stdout.write(self._said(done, options["publish"]))

    @staticmethod
    def _said(done: bundles.Imported, published: bool) -> str:
        carried = [
            f"{count} {name if count != 1 else name.removesuffix('s')}"
            for count, name in (
                (done.templates, "templates"),
                (done.segments, "segments"),
                (done.topics, "topics"),
            )
            if count
        ]
        beside = f", with {', '.join(carried)}" if carried else ""
        verb = "Made" if done.is_new else "Replaced the draft of"
        what = f"{verb} the journey “{done.journey.slug}”{beside}"
        return f"{what}, and published it." if published else f"{what}."
