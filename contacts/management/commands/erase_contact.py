"""Remove every trace of one contact."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contacts import privacy
from contacts.clock import now
from contacts.management.meant import contact


class Command(BaseCommand):
    """``manage.py erase_contact ID``."""

    help = (
        "Remove every trace of one contact. Only a keyed hash of the address is left, so that"
        " nobody writes to it again. This can't be undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what may be asked for."""
        parser.add_argument(
            "id", help="The contact's user id or email address, or # and its number."
        )
        parser.add_argument("--yes", action="store_true", help="Erase without asking.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Erase the contact, after asking."""
        found = contact(options["id"])
        for name, number in privacy.counts(found).items():
            self.stdout.write(f"{number:>8,} {name}")
        if not options["yes"] and input("Erase all of it? Type yes: ") != "yes":
            raise CommandError("Nothing was erased.")
        try:
            privacy.erase(found, at=now())
        except privacy.Busy as error:
            raise CommandError(str(error)) from error
        self.stdout.write("The contact was erased.")
