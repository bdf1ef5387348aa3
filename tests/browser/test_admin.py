"""The admin in a real browser, under the site's own content security policy."""

import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from django.contrib import admin

from contacts import ingest
from contacts.imports import running
from contacts.items import Identify, Track
from contacts.models import ApiKey, Segment
from messaging import subscriptions
from messaging.models import Installation
from tests.browser.barriers import barriers, in_theme, pages, theme
from tests.messaging.conftest import make_topic, queue

pytestmark = pytest.mark.browser
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_signed_in_user_finds_the_way(signed_in_page: Any) -> None:
    signed_in_page.goto(f"{signed_in_page.site}/admin/")
    signed_in_page.get_by_role("link", name="Users").first.click()
    signed_in_page.wait_for_url("**/admin/auth/user/")
    assert "Journeys" in signed_in_page.title()


def test_alpine_runs_and_inline_scripts_do_not(signed_in_page: Any) -> None:
    signed_in_page.goto(f"{signed_in_page.site}/admin/")
    assert signed_in_page.evaluate("typeof window.Alpine") == "object"
    signed_in_page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.wasRun = true";
            document.body.append(script);
        }"""
    )
    assert signed_in_page.evaluate("window.wasRun") is None
    assert any("inline script" in complaint for complaint in signed_in_page.complaints)
    signed_in_page.complaints.clear()


@pytest.mark.django_db(transaction=True)
def test_no_page_has_serious_barriers(signed_in_page: Any) -> None:
    """Journeys and what happens in them have a test of their own."""
    ingest.record(
        [
            Identify({"plan": "pro"}, external_id="u1", email="u1@example.com"),
            Track("order_placed", {"total": 5}, external_id="u1"),
        ],
        received_at=NOW,
    )
    Segment.objects.create(slug="pro", name="Pro", condition={"event": "order_placed"})
    ApiKey.make("shop")
    Installation().save()
    queue(topic=make_topic())
    subscriptions.suppress("gone@example.com", at=NOW)
    for start in (False, True):
        source = running.prepare(BytesIO(b"email,plan\na@example.com,pro\nnobody,\n"), "people.csv")
        if start:
            running.start(source)
            running.run(source)
    in_theme(signed_in_page, "password_change/", theme())
    found = barriers(signed_in_page, f"{theme()} password_change")
    names = set()
    models = [one._meta.label for one in admin.site._registry if one._meta.app_label != "journeys"]
    for address in pages(signed_in_page, *models):
        names.add(address.split("/")[-2])
        found |= barriers(signed_in_page, f"{theme()} /{address}")
    assert names >= {"merge", "erase", "columns", "undo"}
    assert not found, json.dumps(found, indent=1)
