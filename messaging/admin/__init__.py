"""What people see of messages in the admin."""

from messaging.admin import (  # noqa: F401  found by Django's autodiscovery through here
    installation,
    messages,
    panels,
    suppressions,
    templates,
    topics,
)
