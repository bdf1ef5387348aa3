from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from contacts.clock import now
from contacts.models import ApiKey, Contact, Segment
from journeys import bundles, demo
from journeys.demo.past import Past
from journeys.demo.replay import Replay
from messaging.models import Installation

KEY_FILE = "demo_api_key.txt"


class Command(BaseCommand):
    """Fill an empty installation with journeys, 500 contacts and what they did."""

    help = "Load the demo into an empty installation."

    def handle(self, *args: Any, **options: Any) -> None:
        if Contact.objects.exists():
            self.stdout.write("There are contacts already: the demo was not loaded.")
            return
        chance, at = random.Random(7), now()  # noqa: S311  the same demo everywhere
        began = at - demo.PAST
        Installation(
            from_name="Journeys demo",
            from_email="hello@example.com",
            postal_address="Journeys demo, 1 Example Street, 12345 Exampletown",
        ).save()
        for slug, (name, condition) in demo.SEGMENTS.items():
            Segment.objects.create(slug=slug, name=name, condition=condition)
        for path in demo.LIVE:
            bundles.take_in(path.read_text(encoding="utf-8"), at=began, publish_it=True)
        for path in demo.DRAFTS:
            bundles.take_in(path.read_text(encoding="utf-8"), at=began)
        Replay(chance, at).play(Past(chance, at).told())
        self._write_key(settings.VAR_DIR / KEY_FILE)
        self.stdout.write(
            f"The demo is loaded: {demo.PEOPLE} contacts with {demo.PAST.days} days of history, "
            f"{len(demo.LIVE)} live journeys and {len(demo.DRAFTS)} drafts."
        )

    @staticmethod
    def _write_key(path: Path) -> None:
        _, text = ApiKey.make("Demo")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text + "\n")
