"""This room's part in undoing an import: whom it must leave."""

from __future__ import annotations

from collections.abc import Collection

from journeys.models import Enrollment


def on_a_journey(contact_ids: Collection[int]) -> set[int]:
    """Those of the contacts who are or were on a journey."""
    rows = Enrollment.objects.filter(contact__in=contact_ids).order_by()
    return set(rows.values_list("contact_id", flat=True))
