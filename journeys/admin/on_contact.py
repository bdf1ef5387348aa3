"""The nodes that a person went through, in the timeline of their page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.urls import reverse

from contacts.admin.panels import Entry, Phase, timeline
from contacts.models import Contact
from journeys.admin import cards
from journeys.models import Visit
from journeys.picture import Card


@timeline
def visits(contact: Contact, before: datetime | None, limit: int) -> Sequence[Entry]:
    """Where the person has been, and how it went on; the mails themselves tell of sends."""
    found = Visit.objects.filter(enrollment__contact=contact).exclude(node__kind="send")
    if before is not None:
        found = found.filter(entered_at__lt=before)
    newest = list(
        found.select_related("node", "enrollment__journey").order_by("-entered_at", "-pk")[:limit]
    )
    known = cards.of_nodes(visit.node for visit in newest)
    return [_entry(visit, known.of(visit.node)) for visit in newest]


def _entry(visit: Visit, card: Card | None) -> Entry:
    told = [visit.enrollment.journey.name]
    if visit.outcome and visit.outcome != "next":
        told.append(f"went on by “{card.way(visit.outcome) if card else visit.outcome}”")
    elif visit.left_at is None:
        told.append("is still there")
    return Entry(
        visit.entered_at,
        card.icon if card else "circle",
        card.words if card else visit.node.key,
        " · ".join(told),
        reverse("admin:journeys_enrollment_change", args=[visit.enrollment_id]),
        rank=(Phase.WENT_THROUGH, visit.number),
    )
