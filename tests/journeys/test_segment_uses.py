"""A segment stays while a journey looks at it, be it only in its draft."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from contacts.clock import now
from contacts.models import Segment
from journeys import plans, publishing
from journeys.admin.uses import by_journeys
from journeys.models import Journey

pytestmark = pytest.mark.django_db


def draft(slug: str, **trigger: str) -> dict[str, Any]:
    return {
        "journey": slug,
        "name": slug.title(),
        "entry": {"trigger": trigger},
        "start": "done",
        "nodes": {"done": {"kind": "exit", "reason": "thanked"}},
    }


def test_a_segment_that_only_a_draft_uses_is_not_deleted(admin_client: Client):
    plans.forget()
    vip = Segment.objects.create(slug="vip", name="VIP")
    other = Segment.objects.create(slug="other", name="Other")
    Journey.objects.create(slug="odd", name="Odd", draft={"nodes": "none"})
    journey = publishing.create(draft("welcome", segment="vip"), at=now())
    url = reverse("admin:contacts_segment_delete", args=[vip.pk])
    page = admin_client.post(url, {"post": "yes"}).text
    assert "“VIP” is used by the draft of the journey <a" in page
    assert reverse("admin:journeys_journey_change", args=[journey.pk]) in page
    assert by_journeys(other) == []
    assert Segment.objects.count() == 2


def test_what_is_published_protects_it_whatever_the_draft_says():
    plans.forget()
    vip = Segment.objects.create(slug="vip", name="VIP")
    journey = publishing.create(draft("welcome", segment="vip"), at=now())
    publishing.publish(journey, at=now())
    Journey.objects.filter(pk=journey.pk).update(draft=draft("welcome", event="go"))
    assert [(use.kind, use.name) for use in by_journeys(vip)] == [("the journey", "Welcome")]
