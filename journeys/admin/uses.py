"""The journeys that use a segment, a template or a topic, so that it is not deleted under them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Q
from django.urls import reverse

from contacts.admin import uses
from contacts.models import Segment
from contacts.problems import Problems
from journeys import plans
from journeys.definition import Catalog, read
from journeys.models import Journey
from messaging.models import Template, Topic


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


@uses.of(Template)
def drafts_with_template(template: Template) -> list[uses.Use]:
    """The drafts that send it; what is published protects it by itself."""
    return _drafts(template.slug, "template")


@uses.of(Topic)
def journeys_with_topic(topic: Topic) -> list[uses.Use]:
    """Those that send about it or ask who takes it, live or in their draft."""
    asks = Q(versions__topic_uses__topic=topic) | Q(versions__nodes__topic=topic)
    published = [_use("the journey", one) for one in Journey.objects.filter(asks).distinct()]
    known = {use.url for use in published}
    drafts = _drafts(topic.slug, "topic", "subscribed")
    return [*published, *(use for use in drafts if use.url not in known)]


def _drafts(slug: str, *keys: str) -> list[uses.Use]:
    """The drafts in which something stands under one of the keys, at whatever depth."""
    rows = Journey.objects.exclude(status=Journey.Status.ARCHIVED)
    return [_use("the draft of the journey", one) for one in rows if _holds(one.draft, slug, keys)]


def _holds(value: Any, slug: str, keys: Collection[str]) -> bool:
    if isinstance(value, list):
        return any(_holds(one, slug, keys) for one in value)
    if isinstance(value, dict):
        here = any(value.get(key) == slug for key in keys)
        return here or any(_holds(one, slug, keys) for one in value.values())
    return False
