from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from contacts.clock import now
from journeys.clock import tick


class Command(BaseCommand):
    """The loop that sees to all that is due, with or without Redis and workers."""

    help = "Keep time: resume waits, count hours, hand over what was left."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=float, default=1.0, help="seconds between two looks")
        parser.add_argument("--once", action="store_true", help="look once, and end")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("The clock runs.")
        while True:
            tick(now())
            if options["once"] or stop.wait(options["every"]):
                return
