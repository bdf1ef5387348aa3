"""The toolbar of the map: what is not published, two people at one draft, room for its words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client

from contacts import clock
from journeys import bundles, plans, publishing
from journeys.models import Journey, SavedDraft
from tests.browser.driving import Marketer, Mouse

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEXT = """
journey: calm
name: Calm
entry: {trigger: {event: began}}
start: pause
nodes:
  pause: {kind: wait, for: 1d, next: done}
  done: {kind: exit}
"""


@pytest.fixture
def journey(signed_in_page: Any) -> Journey:
    plans.forget()
    made = bundles.take_in(TEXT, at=clock.now()).journey
    publishing.publish(made, at=clock.now())
    return made


@pytest.fixture
def first(signed_in_page: Any, journey: Journey) -> Marketer:
    """The administrator at the map."""
    signed_in_page.set_viewport_size({"width": 1440, "height": 900})
    return at_map(signed_in_page, journey)


@pytest.fixture
def second(browser: Any, live_site: str, journey: Journey) -> Iterator[Marketer]:
    """Another person at the map, in a browser of their own."""
    ben = User.objects.create_superuser("ben", first_name="Ben", last_name="Blue")
    client = Client()
    client.force_login(ben)
    cookie = client.cookies[django_settings.SESSION_COOKIE_NAME]
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(30_000)
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_site}])
    page = context.new_page()
    page.site = live_site
    yield at_map(page, journey)
    context.close()


def at_map(page: Any, journey: Journey) -> Marketer:
    marketer = Marketer(page, Mouse(page))
    marketer.open(f"journeys/journey/{journey.pk}/change/")
    marketer.ready()
    return marketer


def wait_for(marketer: Marketer, days: int) -> None:
    """Change how long the wait lasts."""
    marketer.page.locator("#jb-card-pause").click()
    marketer.page.locator('.jb-panel [data-part="count"]').first.fill(str(days))


def days(journey: Journey) -> str:
    return str(Journey.objects.get(pk=journey.pk).draft["nodes"]["pause"]["for"])


def test_changes_that_are_not_published_are_shown_and_discarded(
    first: Marketer, journey: Journey
) -> None:
    page = first.page
    assert page.locator("[data-publish]").inner_text() == "Nothing to publish"
    assert page.get_by_text("Unpublished changes").is_hidden()
    wait_for(first, 3)
    page.get_by_text("Unpublished changes").wait_for()
    assert page.locator("[data-publish]").inner_text() == "Check and publish"
    first.saved()
    page.locator(".jb-menu summary").click()
    page.get_by_role("link", name="Discard changes").click()
    page.wait_for_selector("text=“Wait 1 day” becomes “Wait 3 days”")
    page.get_by_role("button", name="Discard the changes").click()
    page.wait_for_url("**/change/")
    assert page.locator("[data-publish]").inner_text() == "Nothing to publish"
    assert days(journey) == "1d"
    page.goto(f"{page.site}/admin/journeys/journey/{journey.pk}/history/")
    row = page.locator(".jp-past li", has_text="Changed the draft.").first
    row.get_by_role("button", name="Restore this").click()
    page.wait_for_url("**/change/")
    assert days(journey) == "3d"


def test_two_people_at_one_draft_are_told_and_nothing_is_lost(
    first: Marketer, second: Marketer, journey: Journey
) -> None:
    wait_for(second, 5)
    second.saved()
    wait_for(first, 7)
    banner = first.page.locator("[data-banner]")
    banner.get_by_text("Ben Blue saved this journey just now.").wait_for()
    assert days(journey) == "5d"
    assert first.page.evaluate("document.querySelector('[data-builder]').builder.dirty")
    first.page.get_by_role("button", name="Keep mine instead").click()
    first.saved()
    assert days(journey) == "7d"
    assert SavedDraft.objects.filter(draft__nodes__pause__for="5d").exists()
    second.page.evaluate("document.querySelector('[data-builder]').builder.liveNumbers.refresh()")
    told = second.page.locator("[data-banner]").get_by_text("admin saved this journey just now.")
    told.wait_for()
    second.page.get_by_role("button", name="Take over what was saved").click()
    second.page.wait_for_function(
        """document.querySelector("[data-builder]").builder.draft.nodes.pause.for === "7d" """
    )
    assert second.page.locator("[data-banner]").is_hidden()


def test_a_server_that_is_away_is_asked_once_and_what_was_drawn_is_kept(
    first: Marketer, journey: Journey
) -> None:
    page = first.page
    asked: list[str] = []
    page.route("**/save/", lambda route: (asked.append(route.request.url), route.abort()))
    wait_for(first, 4)
    page.get_by_text("The server could not be reached.").wait_for()
    assert page.evaluate("document.querySelector('[data-builder]').builder.dirty")
    page.evaluate("document.querySelector('[data-builder]').builder.liveNumbers.refresh()")
    assert len(asked) == 1
    page.unroute("**/save/")
    page.get_by_role("button", name="Try again").click()
    first.saved()
    assert days(journey) == "4d"


def test_taking_over_what_another_saved_can_be_undone(
    first: Marketer, second: Marketer, journey: Journey
) -> None:
    wait_for(second, 5)
    second.saved()
    wait_for(first, 7)
    first.page.get_by_role("button", name="Take over what was saved").click()
    first.page.locator("[data-banner]").wait_for(state="hidden")
    assert first.draft()["nodes"]["pause"]["for"] == "5d"
    first.page.locator('[data-do="undo"]').click()
    assert first.draft()["nodes"]["pause"]["for"] == "7d"
    assert days(journey) == "7d"


def test_the_menu_closes_where_one_goes_on_elsewhere(first: Marketer) -> None:
    page, menu = first.page, first.page.locator(".jb-menu")
    for leave in (
        lambda: page.locator("#jb-card-pause").click(),
        lambda: page.keyboard.press("Escape"),
    ):
        menu.locator("summary").click()
        page.wait_for_selector(".jb-menu[open]")
        leave()
        page.wait_for_selector(".jb-menu:not([open])")


def test_escape_closes_the_menu_although_a_panel_took_the_focus(first: Marketer) -> None:
    page = first.page
    page.locator(".jb-menu summary").click()
    page.wait_for_selector(".jb-menu[open]")
    page.evaluate("document.querySelector('#jb-card-pause').focus()")
    page.keyboard.press("Escape")
    page.wait_for_selector(".jb-menu:not([open])")


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_the_toolbar_has_room_for_its_words(first: Marketer, journey: Journey, width: int) -> None:
    """One row on a desk; on a telephone nothing is cut, covered or out of reach."""
    User.objects.filter(username="admin").update(first_name="Wilhelmina", last_name="Featherstone")
    wait_for(first, 3)
    first.saved()
    publishing.pause(journey, at=clock.now())
    page = first.page
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    first.ready()
    boxes = page.eval_on_selector_all(
        ".jb-tools > :is(button, a, select, details, div)",
        """all => all.map((one) => one.getBoundingClientRect())
            .map((box) => [box.left, box.top, box.right, box.bottom])""",
    )
    assert all(left >= 0 and right <= width for left, _, right, _ in boxes), boxes
    apart = [
        a[2] <= b[0] + 0.5 or b[2] <= a[0] + 0.5 or a[3] <= b[1] + 0.5 or b[3] <= a[1] + 0.5
        for number, a in enumerate(boxes)
        for b in boxes[number + 1 :]
    ]
    assert all(apart)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if width == 1440:
        assert page.locator(".jb-toolbar").bounding_box()["height"] < 64
