"""What people see of contacts in the admin."""

from contacts.admin import (  # noqa: F401  found by Django's autodiscovery through here
    catalogue,
    events,
    facts,
    imports,
    keys,
    people,
    segments,
)
