from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from journeys import bundles
from journeys.models import Journey


class Command(BaseCommand):
    """Write a journey's draft as YAML that `import_journey` reads."""

    help = "Export a journey as YAML."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument(
            "--out", type=Path, metavar="FILE.yaml", help="instead of standard output"
        )
        parser.add_argument(
            "--bundle",
            action="store_true",
            help="carry the templates, segments and topics that it refers to",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        journey = Journey.objects.filter(slug=options["slug"]).first()
        if journey is None:
            raise CommandError(f"There is no journey “{options['slug']}”.", returncode=1)
        text = bundles.write(journey, bundle=options["bundle"])
        out: Path | None = options["out"]
        if out is None:
            self.stdout.write(text, ending="")
            return
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{out} could not be written: {error.strerror}.") from error
