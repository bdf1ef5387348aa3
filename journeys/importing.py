"""This room's part in an import: the journeys it may enter people into, and whom undoing it must
leave.
"""

from __future__ import annotations

from collections.abc import Collection

from contacts.entries import Entry
from journeys.models import Enrollment, Journey, Version


def on_a_journey(contact_ids: Collection[int]) -> set[int]:
    """Those of the contacts who are or were on a journey."""
    rows = Enrollment.objects.filter(contact__in=contact_ids).order_by()
    return set(rows.values_list("contact_id", flat=True))


def by_hand() -> list[Entry]:
    """The live journeys that start by hand, by name."""
    live = Journey.objects.filter(
        status=Journey.Status.LIVE, live_version__trigger=Version.Trigger.MANUAL
    )
    return [Entry(*row) for row in live.order_by("name").values_list("pk", "slug", "name")]
