from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contacts.values import parse_moment
from journeys.simulation import SimulationError, simulate


class Command(BaseCommand):
    """Replay a journey file over past facts; nothing is sent, and no table is written."""

    help = "Replay a journey over contacts and events with a clock of its own (SEMANTICS §5)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("journey", type=Path, metavar="JOURNEY.yaml")
        parser.add_argument("--contacts", type=Path, required=True)
        parser.add_argument("--events", type=Path, required=True)
        parser.add_argument("--from", dest="start", help="facts before it move nothing")
        parser.add_argument("--until", required=True, help="the last moment, included")
        parser.add_argument("--out", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        start = _moment("--from", options["start"]) if options["start"] else None
        try:
            simulate(
                options["journey"],
                options["contacts"],
                options["events"],
                until=_moment("--until", options["until"]),
                start=start,
                out=options["out"],
                progress=_bar if sys.stderr.isatty() else None,
            )
        except SimulationError as error:
            raise CommandError(str(error), returncode=1) from error


def _moment(option: str, text: str) -> datetime:
    moment = parse_moment(text)
    if moment is None:
        raise CommandError(f"{option} must be a time such as 2026-03-01T09:00:00Z.", returncode=1)
    return moment.instant


def _bar(done: int, total: int) -> None:
    filled = 40 * done // total
    end = "\n" if done == total else ""
    sys.stderr.write(f"\r[{'#' * filled}{'.' * (40 - filled)}] {100 * done // total:3d} %{end}")
    sys.stderr.flush()
