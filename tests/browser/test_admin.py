"""The admin in a real browser, under the site's own content security policy."""

from typing import Any

import pytest

pytestmark = pytest.mark.browser


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
