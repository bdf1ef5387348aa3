from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from contacts import ingest
from contacts.clock import now
from contacts.models import ApiKey, Contact, Segment
from journeys import bundles, demo
from messaging.models import Installation

KEY_FILE = "demo_api_key.txt"


class Command(BaseCommand):
    """Fill an empty installation with two live journeys, 500 contacts and what they did."""

    help = "Load the demo into an empty installation."

    def handle(self, *args: Any, **options: Any) -> None:
        if Contact.objects.exists():
            self.stdout.write("There are contacts already: the demo was not loaded.")
            return
        chance, at = random.Random(7), now()  # noqa: S311  the same demo everywhere
        Installation(
            from_name="Journeys demo",
            from_email="hello@example.com",
            postal_address="Journeys demo, 1 Example Street, 12345 Exampletown",
        ).save()
        Segment.objects.create(
            slug="team-and-pro",
            name="On a paid plan",
            condition={"attribute": "plan", "op": "in", "value": ["team", "pro"]},
        )
        for items in (demo.people(chance), demo.history(chance, at)):
            ingest.record(list(items), received_at=at, source="demo")
        for path in demo.JOURNEYS:
            bundles.take_in(path.read_text(encoding="utf-8"), at=at, publish_it=True)
        self._write_key(settings.VAR_DIR / KEY_FILE)
        self.stdout.write(f"The demo is loaded: {demo.PEOPLE} contacts and two live journeys.")

    @staticmethod
    def _write_key(path: Path) -> None:
        _, text = ApiKey.make("Demo")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text + "\n")
