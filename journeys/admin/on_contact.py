"""The nodes that a person went through, in the timeline of their page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.urls import reverse

from contacts.admin.panels import Entry, Phase, timeline
from contacts.models import Contact
from journeys.models import Visit
from journeys.naming import names_in
from journeys.picture import Card, read_nodes


@timeline
def visits(contact: Contact, before: datetime | None, limit: int) -> Sequence[Entry]:
    """Where the person has been, and how it went on; the mails themselves tell of sends."""
    found = Visit.objects.filter(enrollment__contact=contact).exclude(node__kind="send")
    if before is not None:
        found = found.filter(entered_at__lt=before)
    newest = list(
        found.select_related("node__version", "enrollment__journey").order_by("-entered_at", "-pk")[
            :limit
        ]
    )
    versions = {visit.node.version_id: visit.node.version for visit in newest}
    names = names_in(*(version.definition for version in versions.values()))
    cards = {pk: read_nodes(version.definition, names) for pk, version in versions.items()}
    return [_entry(visit, cards[visit.node.version_id].get(visit.node.key)) for visit in newest]


def _entry(visit: Visit, card: Card | None) -> Entry:
    told = [visit.enrollment.journey.name]
    if visit.outcome and visit.outcome != "next":
        told.append(f"went on by “{visit.outcome}”")
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
