"""What is drawn is kept and means what it seems to: names, loops, ends, copies, conflicts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from contacts import clock
from journeys import bundles, plans
from journeys.models import Journey
from tests.browser.driving import Keyboard, Marketer, Mouse

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEXT = """
journey: busy
name: Busy
entry: {trigger: {event: began}}
start: quiet
nodes:
  quiet:
    kind: wait
    until_event: {event: began, timeout: 1h}
    next: {event: quiet, timeout: hello}
  hello: {kind: send, template: hello, transactional: true, next: look}
  look:
    kind: branch
    paths:
    - {name: opened, when: {message: hello, did: opened}}
    - {name: pro, when: {attribute: plan, op: eq, value: pro}}
    next: {opened: test, else: rest}
  test: {kind: split, variants: {a: 50, b: 50}, next: {a: rest, b: last}}
  rest: {kind: wait, for: 1d, next: last}
  last: {kind: exit}
templates:
  hello: {name: Hello, subject: Hello, text: Hello}
"""


@pytest.fixture
def journey(signed_in_page: Any) -> Journey:
    plans.forget()
    return bundles.take_in(TEXT, at=clock.now()).journey


@pytest.fixture
def marketer(signed_in_page: Any, journey: Journey) -> Marketer:
    signed_in_page.set_viewport_size({"width": 1440, "height": 900})
    made = Marketer(signed_in_page, Mouse(signed_in_page))
    made.open(f"journeys/journey/{journey.pk}/change/")
    made.ready()
    return made


def panel(marketer: Marketer, key: str) -> Any:
    """Open the panel of a step."""
    marketer.page.locator(f"#jb-card-{key}").click()
    marketer.page.wait_for_selector(f"#jb-card-{key}.jb-chosen")
    return marketer.page.locator(".jb-panel")


def nodes(marketer: Marketer) -> Any:
    return marketer.draft()["nodes"]


def typed(field: Any, words: str) -> None:
    """Key by key, as a person does."""
    field.press("Control+A")
    field.press_sequentially(words)


def lines(box: Any) -> dict[str, str]:
    """What stands under *Where it leads*: outcomes with the key of the next step."""
    selects = box.locator("[data-outcome]")
    return dict(selects.evaluate_all("all => all.map((one) => [one.dataset.outcome, one.value])"))


LEADS = """([outcome, key]) =>
    document.querySelector(`.jb-panel [data-outcome="${outcome}"]`)?.value === key"""


# names


def test_a_variant_keeps_its_line_whatever_is_typed_on_the_way(marketer: Marketer) -> None:
    """“bonus” begins with the name of the other variant."""
    box = panel(marketer, "test")
    names = box.locator('[data-row] [data-part="name"]')
    typed(names.first, "bonus")
    assert nodes(marketer)["test"]["variants"] == {"bonus": 50, "b": 50}
    assert nodes(marketer)["test"]["next"] == {"bonus": "rest", "b": "last"}
    typed(names.first, "b")
    box.get_by_text("Another one is called “b”").wait_for()
    assert set(nodes(marketer)["test"]["variants"]) == {"bonus", "b"}, "the last that was its own"
    typed(names.nth(1), "a")
    assert nodes(marketer)["test"]["next"] == {"b": "rest", "a": "last"}
    assert box.get_by_text("Another one is called").count() == 0
    assert lines(box) == {"b": "rest", "a": "last"}


def test_a_path_keeps_its_line_and_is_never_the_way_of_all_others(marketer: Marketer) -> None:
    box = panel(marketer, "look")
    name = box.locator('[data-row] [data-part="name"]').first
    typed(name, "elsewhere")
    assert nodes(marketer)["look"]["next"] == {"elsewhere": "test", "else": "rest"}
    typed(name, "pro")
    box.get_by_text("Another one is called “pro”").wait_for()
    name.press("Control+A")
    name.press("Delete")
    box.get_by_text("Give it a name.").wait_for()
    paths = [path["name"] for path in nodes(marketer)["look"]["paths"]]
    assert len(set(paths)) == 2
    assert len(nodes(marketer)["look"]["next"]) == 2


def test_a_journey_without_a_name_keeps_the_one_it_had(
    marketer: Marketer, journey: Journey
) -> None:
    marketer.page.locator('[data-do="start"]').click()
    name = marketer.page.locator("#jb-name")
    name.fill("Busier")
    name.fill("")
    marketer.page.get_by_text("Give the journey a name. Until then it is still called").wait_for()
    assert marketer.draft()["name"] == "Busier"
    assert marketer.page.locator("span[data-name]").inner_text() == "Busier"


# where it leads


def test_the_panel_follows_what_becomes_of_the_outcomes(marketer: Marketer) -> None:
    box = panel(marketer, "test")
    box.get_by_role("button", name="Add a variant").click()
    box.locator('[data-outcome="c"]').select_option("last")
    assert nodes(marketer)["test"]["next"] == {"a": "rest", "b": "last", "c": "last"}
    typed(box.locator('[data-row] [data-part="name"]').first, "control")
    box.get_by_label("Control", exact=True).select_option("last")
    marketer.page.wait_for_function(
        "document.querySelector('[data-builder]').builder.draft.nodes.test.next === 'last'"
    )
    box = panel(marketer, "quiet")
    box.get_by_text("Not within 1 hour").wait_for()
    box.locator('[data-part="text"], [data-timeout] [data-part="count"]').last.fill("3")
    box.get_by_text("Not within 3 hours").wait_for()
    assert lines(box) == {"event": "quiet", "timeout": "hello"}


# moving, copying, ends


def test_a_step_that_is_moved_keeps_its_loop_and_its_open_ends(marketer: Marketer) -> None:
    page = marketer.page
    box = panel(marketer, "quiet")
    box.get_by_role("button", name="Move", exact=True).click()
    page.locator('.jb-plus[data-source="rest"]').click()
    page.wait_for_function(
        "document.querySelector('[data-builder]').builder.draft.start === 'hello'"
    )
    assert nodes(marketer)["quiet"]["next"] == {"event": "quiet", "timeout": "last"}
    assert nodes(marketer)["rest"]["next"] == "quiet"
    marketer.page.keyboard.press("Control+z")
    page.wait_for_function(
        "document.querySelector('[data-builder]').builder.draft.start === 'quiet'"
    )
    # A branch of which one end is open: who took it was done, and still is.
    box = panel(marketer, "test")
    box.locator('[data-outcome="b"]').select_option("")
    assert nodes(marketer)["test"]["next"] == {"a": "rest"}
    box.get_by_role("button", name="Move", exact=True).click()
    page.locator('.jb-plus[data-source="quiet"][data-target="hello"]').click()
    page.wait_for_selector(".jb:not(.jb-carrying)")
    assert nodes(marketer)["test"]["next"] == {"a": "hello"}


def test_what_ends_the_journey_cuts_nothing_off(marketer: Marketer) -> None:
    page = marketer.page
    before = marketer.draft()
    onto = '.jb-plus[data-source="rest"]'
    page.locator("#jb-card-last").drag_to(page.locator('.jb-plus[data-source="hello"]'))
    page.get_by_text("It ends the journey for who comes there").wait_for()
    assert marketer.draft() == before
    page.locator("#jb-card-last").focus()
    page.keyboard.press("Control+c")
    page.locator(onto).focus()
    page.keyboard.press("Control+v")
    page.get_by_text("It ends the journey for who comes there").wait_for()
    page.locator(onto).click()
    assert page.locator('.jb-option:has-text("Paste")').count() == 0
    page.keyboard.press("Escape")
    page.locator('.jb-plus[data-source="look"][data-outcomes*="pro"]').click()
    page.locator('.jb-option:has-text("Paste last")').click()
    page.wait_for_selector("#jb-card-last-2")
    assert nodes(marketer)["look"]["next"]["pro"] == "last-2"


def test_a_step_with_several_ways_says_why_it_cant_be_dragged_onto_a_line(
    marketer: Marketer,
) -> None:
    page = marketer.page
    before = marketer.draft()
    page.locator("#jb-card-look").drag_to(page.locator('.jb-plus[data-source="rest"]'))
    page.get_by_text("can be moved to an open end only").wait_for()
    assert marketer.draft() == before


def test_a_copied_branch_asks_about_its_own_mails(marketer: Marketer) -> None:
    page = marketer.page
    page.locator("#jb-card-hello").focus()
    page.keyboard.press("Control+Shift+C")
    page.locator('.jb-plus[data-source="look"][data-outcomes*="pro"]').focus()
    page.keyboard.press("Control+v")
    page.wait_for_selector("#jb-card-hello-2")
    found = nodes(marketer)
    assert found["look-2"]["paths"][0]["when"] == {"message": "hello-2", "did": "opened"}
    assert found["look"]["paths"][0]["when"] == {"message": "hello", "did": "opened"}


def test_enter_takes_what_is_called_as_one_types(marketer: Marketer) -> None:
    """Also where something copied is described by the same word, but not for ever."""
    page = marketer.page
    page.locator("#jb-card-rest").focus()
    page.keyboard.press("Control+c")
    hand = Keyboard(page)
    page.locator('.jb-plus[data-source="rest"]').click()
    hand.pick("wait")
    page.wait_for_selector("#jb-card-wait")
    assert nodes(marketer)["wait"] == {"kind": "wait", "for": "1d", "next": "last"}
    kept = json.loads(page.evaluate("localStorage.getItem('journeys.clip')"))
    day = 24 * 3600 * 1000
    page.evaluate(
        "clip => localStorage.setItem('journeys.clip', clip)",
        json.dumps({**kept, "at": kept["at"] - day}),
    )
    page.locator('.jb-plus[data-source="rest"]').click()
    page.wait_for_selector("[data-palette][open]")
    assert page.locator('.jb-option:has-text("Paste")').count() == 0


# the way to the server


def saved_elsewhere(journey: Journey) -> None:
    """Somebody else saves the draft."""
    ben = User.objects.filter(username="ben").first() or User.objects.create_superuser("ben")
    client = Client()
    client.force_login(ben)
    there = Journey.objects.get(pk=journey.pk)
    answer = client.post(
        f"/admin/journeys/journey/{journey.pk}/save/",
        {"draft": {**there.draft, "name": "Theirs"}, "revision": there.draft_revision},
        content_type="application/json",
    )
    assert answer.status_code == 200


def test_a_conflict_stays_said_whatever_else_is(marketer: Marketer, journey: Journey) -> None:
    page = marketer.page
    saved_elsewhere(journey)
    typed(panel(marketer, "rest").locator('[data-part="count"]').first, "4")
    banner = page.locator("[data-banner]")
    banner.get_by_text("ben saved this journey").wait_for()
    page.locator("#jb-card-rest").focus()
    page.keyboard.press("Control+c")
    page.get_by_text("Copied. Press a plus").wait_for()
    panel(marketer, "rest").get_by_role("button", name="Move", exact=True).click()
    page.keyboard.press("Escape")
    page.locator("#jb-card-rest").drag_to(page.locator("#jb-card-look"))
    assert banner.is_visible()
    page.get_by_role("button", name="Keep mine instead").click()
    marketer.saved()
    assert Journey.objects.get(pk=journey.pk).draft["nodes"]["rest"]["for"] == "4d"
    assert not banner.is_visible()


def test_who_goes_on_under_the_news_may_keep_it(marketer: Marketer, journey: Journey) -> None:
    page = marketer.page
    saved_elsewhere(journey)
    page.evaluate("document.querySelector('[data-builder]').builder.liveNumbers.refresh()")
    page.get_by_role("button", name="Take over what was saved").wait_for()
    assert page.get_by_role("button", name="Keep mine instead").count() == 0
    typed(panel(marketer, "rest").locator('[data-part="count"]').first, "5")
    page.get_by_role("button", name="Keep mine instead").wait_for()
    assert page.locator("[data-saved]").inner_text() == "Not saved"
    page.get_by_role("button", name="Keep mine instead").click()
    marketer.saved()
    assert Journey.objects.get(pk=journey.pk).draft["nodes"]["rest"]["for"] == "5d"


def test_signing_in_again_elsewhere_saves_what_was_drawn(
    marketer: Marketer, journey: Journey
) -> None:
    """In another tab, as one does; the session's secrets are new then."""
    page = marketer.page
    count = panel(marketer, "rest").locator('[data-part="count"]').first
    user = User.objects.get()
    user.set_password("a long enough secret")
    user.save()  # ends the session, too
    typed(count, "6")
    page.get_by_text("You are signed out: sign in in another tab.").wait_for()
    page.locator("#jb-card-look").click()
    page.get_by_text("You are signed out").wait_for()
    assert page.locator(".jb-panel input[name=username]").count() == 0
    tab = page.context.new_page()
    tab.goto(f"{page.site}/admin/login/?next=/admin/")
    tab.fill("[name=username]", user.username)
    tab.fill("[name=password]", "a long enough secret")
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"{page.site}/admin/")
    tab.close()
    page.evaluate("document.querySelector('[data-builder]').builder.save()")
    marketer.saved()
    assert Journey.objects.get(pk=journey.pk).draft["nodes"]["rest"]["for"] == "6d"
    assert not page.locator("[data-banner]").is_visible()


def test_a_panel_that_cant_be_had_says_so(marketer: Marketer) -> None:
    page = marketer.page
    page.route("**/panel/", lambda route: route.abort())
    page.locator("#jb-card-rest").click()
    page.get_by_text("The server could not be reached.").wait_for()
    page.unroute("**/panel/")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("#jb-card-rest.jb-chosen")
    assert not page.locator("[data-banner]").is_visible()


# what comes and goes while one types


def test_a_timeout_that_is_typed_anew_keeps_its_line_and_no_other_gets_it(
    marketer: Marketer,
) -> None:
    page = marketer.page
    box = panel(marketer, "quiet")
    box.locator('[data-outcome="event"]').select_option("")
    assert nodes(marketer)["quiet"]["next"] == {"timeout": "hello"}
    count = box.locator('[data-timeout] [data-part="count"]')
    count.fill("")
    marketer.saved()
    assert "next" not in nodes(marketer)["quiet"]
    box.locator('[data-outcome="timeout"]').wait_for(state="detached")
    assert lines(box) == {"event": ""}
    count.fill("3")
    page.wait_for_function(
        "document.querySelector('[data-builder]').builder.draft.nodes.quiet.next?.timeout"
    )
    assert nodes(marketer)["quiet"]["next"] == {"timeout": "hello"}
    box.get_by_text("Not within 3 hours").wait_for()
    page.wait_for_function(LEADS, arg=["timeout", "hello"])
    assert lines(box) == {"event": "", "timeout": "hello"}


def test_what_a_removed_variant_led_to_is_not_led_to_by_the_others(marketer: Marketer) -> None:
    box = panel(marketer, "test")
    box.locator('[data-outcome="b"]').select_option("")
    assert nodes(marketer)["test"]["next"] == {"a": "rest"}
    box.get_by_role("button", name="Remove this variant").first.click()
    marketer.saved()
    assert "next" not in nodes(marketer)["test"]


def test_a_path_may_be_led_somewhere_before_it_has_a_name(marketer: Marketer) -> None:
    box = panel(marketer, "look")
    box.get_by_role("button", name="Add a path").click()
    marketer.as_json(".jb-path:nth-of-type(3)", {"attribute": "plan", "op": "eq", "value": "free"})
    box.get_by_label("(no name yet)").select_option("last")
    typed(box.locator('[data-row] [data-part="name"]').nth(2), "free")
    box.get_by_label("Free", exact=True).wait_for()
    page = marketer.page
    page.wait_for_function(LEADS, arg=["free", "last"])
    assert nodes(marketer)["look"]["next"]["free"] == "last"
    assert lines(box)["free"] == "last"


def test_a_plus_that_is_pressed_before_the_name_is_saved_means_the_new_name(
    marketer: Marketer,
) -> None:
    page = marketer.page
    box = panel(marketer, "look")
    page.route("**/save/", lambda route: None)  # no answer comes
    typed(box.locator('[data-row] [data-part="name"]').nth(1), "paying")
    page.locator('.jb-plus[data-source="look"][data-outcomes*="paying"]').click()
    page.locator('.jb-option:has(strong:text-is("Update"))').click()
    page.unroute("**/save/")
    next_of = page.evaluate(
        "document.querySelector('[data-builder]').builder.draft.nodes.look.next"
    )
    assert next_of["paying"] == "update"


def test_a_body_that_is_json_is_kept_as_json(marketer: Marketer) -> None:
    page = marketer.page
    page.locator('.jb-plus[data-source="rest"]').click()
    Mouse(page).pick("Webhook")
    body = page.locator('[data-setting="body"] textarea')
    body.fill('{"email": "{{ contact.email }}", "n": 5}')
    assert nodes(marketer)["webhook"]["body"] == {"email": "{{ contact.email }}", "n": 5}
    body.fill("{{ contact.email }}")
    assert nodes(marketer)["webhook"]["body"] == "{{ contact.email }}"


def test_undo_brings_back_the_name_above_the_map(marketer: Marketer) -> None:
    page = marketer.page
    page.locator('[data-do="start"]').click()
    page.locator("#jb-name").fill("Renamed")
    marketer.saved()
    page.locator('[data-do="undo"]').click()
    marketer.saved()
    assert page.locator("span[data-name]").inner_text() == "Busy"


def test_a_conflict_outlasts_an_outage(marketer: Marketer, journey: Journey) -> None:
    page = marketer.page
    saved_elsewhere(journey)
    typed(panel(marketer, "rest").locator('[data-part="count"]').first, "4")
    page.get_by_role("button", name="Keep mine instead").wait_for()
    page.route("**/panel/", lambda route: route.abort())
    page.locator("#jb-card-look").click()
    page.get_by_text("The server could not be reached.").wait_for()
    page.unroute("**/panel/")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("#jb-card-look.jb-chosen")
    assert page.get_by_role("button", name="Keep mine instead").is_visible()


def test_what_cant_be_moved_into_itself_says_so(marketer: Marketer) -> None:
    page = marketer.page
    before = marketer.draft()
    panel(marketer, "look").get_by_role("button", name="Move", exact=True).click()
    page.locator('.jb-plus[data-source="look"][data-outcomes*="pro"]').click()
    page.get_by_text("It can't go there").wait_for()
    assert marketer.draft() == before
