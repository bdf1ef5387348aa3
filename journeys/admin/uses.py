"""The journeys that use a segment, so that it is not deleted under them."""

from __future__ import annotations

from django.urls import reverse

from contacts.admin import uses
from contacts.models import Segment
from contacts.problems import Problems
from journeys import plans
from journeys.definition import Catalog, read
from journeys.models import Journey


@uses.of_segment
def by_journeys(segment: Segment) -> list[uses.Use]:
    """Those of which a version or the draft looks at it."""
    published = set(
        Journey.objects.filter(versions__segment_uses__segment=segment).values_list("pk", flat=True)
    )
    catalog = plans.installed()
    found = []
    for journey in Journey.objects.all():
        if journey.pk in published:
            found.append(_use("the journey", journey))
        elif segment.slug in _segments(journey, catalog):
            found.append(_use("the draft of the journey", journey))
    return found


def _segments(journey: Journey, catalog: Catalog) -> set[str]:
    draft = read(journey.draft, catalog, Problems())
    return draft.segment_slugs() if draft else set()


def _use(kind: str, journey: Journey) -> uses.Use:
    return uses.Use(kind, journey.name, reverse("admin:journeys_journey_change", args=[journey.pk]))
