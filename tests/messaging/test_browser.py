"""A template's page in a real browser."""

from __future__ import annotations

from typing import Any

import pytest

from contacts.models import AttributeName
from messaging.models import Template
from tests.messaging.conftest import make_contact, make_template

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_a_marketer_writes_a_mail_and_sees_it(signed_in_page: Any) -> None:
    make_contact(attributes={"first_name": "Zoë"})
    page = signed_in_page
    page.goto(f"{page.site}/admin/messaging/template/add/")
    page.locator("#id_name").press_sequentially("Spring news")
    assert page.input_value("#id_slug") == "spring-news"
    # Nothing was shown yet, so nothing is spoken of as shown.
    page.fill("#id_subject", "Hello {{ contact.first_name")
    page.wait_for_selector(".m-error")
    assert not page.is_visible(".m-stale-note")
    page.fill("#id_subject", "Hello {{ contact.first_name }}")
    page.fill("#id_markdown", "# Spring\n\nDear {{ contact.first_name }}")
    page.wait_for_function("document.querySelector('[data-subject]').textContent === 'Hello Zoë'")
    frame = page.frame_locator(".m-stage iframe:last-child")
    frame.get_by_role("heading", name="Spring").wait_for()
    page.click("#tab-text")
    assert "Dear Zoë" in page.inner_text("[data-text]")

    # What is wrong is told at once, with its line, and the last good mail stays.
    page.fill("#id_markdown", "# Spring\n\n{% if contact.vip %}")
    page.wait_for_selector(".m-error")
    assert "Line 3" in page.inner_text(".m-problems")
    assert page.is_visible(".m-stale-note")

    # Another format.
    page.fill("#id_markdown", "")
    page.click("text=Text only")
    assert not page.is_visible("#id_markdown")
    page.fill("#id_text", "Just text for ")
    page.select_option(".m-insert select", "contact.email")
    assert page.input_value("#id_text") == "Just text for {{ contact.email }}"
    page.click("button[name=_save]")
    page.wait_for_url("**/admin/messaging/template/")
    template = Template.objects.get()
    assert (template.slug, template.text) == ("spring-news", "Just text for {{ contact.email }}")


def test_an_odd_name_is_inserted_as_liquid_and_comes_out(signed_in_page: Any) -> None:
    contact = make_contact(attributes={"First name": "Zoë"})
    AttributeName.objects.create(
        name="First name", first_seen_at=contact.created_at, last_seen_at=contact.created_at
    )
    page = signed_in_page
    page.goto(f"{page.site}/admin/messaging/template/add/")
    page.fill("#id_subject", "Dear ")
    page.focus("#id_subject")
    page.keyboard.press("End")
    page.select_option(".m-insert select", label="contact.First name")
    assert page.input_value("#id_subject") == 'Dear {{ contact["First name"] }}'
    page.fill("#id_markdown", "Hello {{ contact.nick }}")
    page.wait_for_function("document.querySelector('[data-subject]').textContent === 'Dear Zoë'")
    page.get_by_text("Nobody has “nick” so far").wait_for()

    # Dark, as the mail's own colours say.
    page.click("[data-dark]")
    stage = page.locator(".m-stage")
    assert stage.get_attribute("data-scheme") == "dark"
    frame = page.locator(".m-stage iframe").last
    assert frame.evaluate("frame => getComputedStyle(frame).colorScheme") == "dark"
    page.click("[data-dark]")
    assert stage.get_attribute("data-scheme") == "light"


def test_a_mail_that_is_looked_at_runs_no_script(signed_in_page: Any) -> None:
    evil = "<h1>Hi</h1><script>top.document.title = 'pwned'</script><img src=x onerror='top.x=1'>"
    template = make_template(html=evil, text="")
    page = signed_in_page
    # The policy stops the script, and the browser says so; that is what is wanted here.
    page.goto(f"{page.site}/admin/messaging/template/{template.pk}/change/")
    page.frame_locator(".m-stage iframe:last-child").get_by_role("heading", name="Hi").wait_for()
    assert "pwned" not in page.title()
    assert page.evaluate("window.x") is None
    page.complaints.clear()
