"""Write all that is known of one contact."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder

from contacts import privacy
from contacts.clock import now
from contacts.management.meant import contact


class Command(BaseCommand):
    """``manage.py export_contact ID``."""

    help = "Write all that is known of one contact to the standard output, as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what may be asked for."""
        parser.add_argument(
            "id", help="The contact's user id or email address, or # and its number."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Export the contact."""
        found = privacy.export(contact(options["id"]), at=now())
        text = json.dumps(found, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False)
        self.stdout.write(text)
