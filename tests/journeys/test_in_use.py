"""What a journey needs stays: a segment already by its draft, a template by a version."""

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
from messaging.models import Template, Topic

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


def test_a_template_that_a_version_sends_stays_and_says_so(admin_client: Client):
    plans.forget()
    template = Template.objects.create(slug="hello", name="Hello", subject="Hi", text="Hello")
    data = draft("welcome", event="go")
    data["nodes"]["mail"] = {"kind": "send", "template": "hello", "next": "done"}
    publishing.publish(publishing.create(data | {"start": "mail"}, at=now()), at=now())
    url = reverse("admin:messaging_template_delete", args=[template.pk])
    page = admin_client.post(url, {"post": "yes"}).text
    assert "“Hello” stays: a version of a journey sends it." in page
    assert Template.objects.exists()


def test_what_only_a_draft_sends_stays_and_says_so(admin_client: Client):
    plans.forget()
    Journey.objects.create(slug="odd", name="Odd", draft={"nodes": ["none", {"a": 1}]})
    template = Template.objects.create(slug="hello", name="Hello", subject="Hi", text="Hello")
    topics = [Topic.objects.create(slug=slug, name=slug.title()) for slug in ("news", "asked")]
    data = draft("welcome", event="go")
    data["nodes"]["mail"] = {"kind": "send", "template": "hello", "topic": "news", "next": "done"}
    data["entry"]["filter"] = {"not": {"subscribed": "asked"}}
    publishing.create(data | {"start": "mail"}, at=now())
    for one in (template, *topics):
        url = reverse(f"admin:messaging_{one._meta.model_name}_delete", args=[one.pk])
        page = admin_client.post(url, {"post": "yes"}).text
        assert f"“{one}” is used by the draft of the journey <a" in page
    assert (Template.objects.count(), Topic.objects.count()) == (1, 2)


def test_a_topic_that_is_sent_about_says_where(admin_client: Client):
    plans.forget()
    Template.objects.create(slug="hello", name="Hello", subject="Hi", text="Hello")
    news = Topic.objects.create(slug="news", name="News")
    data = draft("welcome", event="go")
    data["nodes"]["mail"] = {"kind": "send", "template": "hello", "topic": "news", "next": "done"}
    publishing.publish(publishing.create(data | {"start": "mail"}, at=now()), at=now())
    url = reverse("admin:messaging_topic_delete", args=[news.pk])
    page = admin_client.post(url, {"post": "yes"}).text
    assert page.count("“News” is used by the journey <a") == 1
    assert "the draft of" not in page
