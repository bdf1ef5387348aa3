"""The builder in a real browser: a journey from nothing, by mouse and by keyboard, then live."""

from __future__ import annotations

import base64
import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from django.apps import apps
from django.core.cache import cache

from contacts import catalogue, clock, ingest
from contacts.items import Identify, Track
from contacts.models import ApiKey, EventName
from journeys import bundles, files, plans, publishing, work
from journeys.admin.gallery import FOLDER
from journeys.backtest import running as backtests
from journeys.models import Enrollment, Journey
from journeys.publishing.drafts import SECTIONS
from messaging.models import Installation, Template, Topic
from tests.browser.barriers import barriers, in_theme, pages, theme
from tests.browser.driving import Keyboard, Marketer, Mouse
from tests.reference import generate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SAME_CART = [{"property": "cart_id", "op": "eq", "value": {"trigger": "cart_id"}}]
STEPS = (
    ("one-hour", "1", "h", "first", "cart-waiting"),
    ("one-day", "23", "h", "second", "cart-questions"),
    ("three-days", "2", "d", "third", "cart-last-call"),
)


@pytest.fixture
def page(signed_in_page: Any) -> Any:
    """A marketer's browser, and what an installation holds that has been used for a while."""
    plans.forget()
    catalogue.forget()
    cache.clear()
    signed_in_page.set_viewport_size({"width": 1440, "height": 1000})
    for slug in ("cart-waiting", "cart-questions", "cart-last-call"):
        Template.objects.create(slug=slug, name=slug.title(), subject="Your cart", text="Hello")
    Topic.objects.create(slug="offers", name="Offers")
    Installation(postal_address="Berlin").save()
    now = clock.now()
    for name in ("cart_updated", "order_placed", "checkout_started"):
        EventName.objects.create(
            name=name, properties={"cart_id": ["text"]}, first_seen_at=now, last_seen_at=now
        )
    return signed_in_page


def recipe() -> Any:
    """The recipe as its file says it, without what it carries."""
    data = files.read((FOLDER / "abandoned-cart.yaml").read_text())
    return {key: part for key, part in data.items() if key not in ("templates", "topics")}


def build_abandoned_cart(marketer: Marketer) -> None:
    """From an empty map to the recipe."""
    hand = marketer.hand
    start = '.jb-panel [data-setting="event"]'
    marketer.new("Abandoned cart")
    hand.tick('input[name="jb-trigger"][value="event"]')
    hand.fill(f'{start} [data-part="event"]', "cart_updated")
    hand.fill("#jb-event-key", "cart_id")
    hand.choose("#jb-reentry", "after_exit")
    hand.choose("#jb-goal", "event")
    hand.fill('[data-setting="goal"] [data-part="event"]', "order_placed")
    marketer.page.keyboard.press("Tab")
    marketer.as_json('[data-setting="goal"] [data-where]', SAME_CART)
    hand.tick("#jb-has-exit")
    leaves = {"any": [_since(name) for name in ("order_placed", "checkout_started")]}
    marketer.as_json('[data-shown-by="jb-has-exit"]', leaves)
    hand.fill("#jb-description", recipe()["description"])
    marketer.saved()
    plus = '[data-source="@entry"]'
    for wait, count, unit, mail, template in STEPS:
        marketer.add(plus, "Wait")
        hand.tick('input[name="jb-way"][value="until_event"]')
        event = '[data-setting="until_event"]'
        hand.fill(f'{event} [data-part="event"]', "cart_updated")
        marketer.page.keyboard.press("Tab")
        marketer.as_json(f"{event} [data-where]", SAME_CART)
        hand.fill(f'{event} [data-part="count"]', count)
        hand.choose(f'{event} [data-part="unit"]', unit)
        marketer.name(wait)
        plus = f'[data-source="{wait}"][data-outcomes*="timeout"]'
        marketer.add(plus, "Send")
        marketer.template(template.title())
        hand.choose("#jb-topic", "offers")
        marketer.name(mail)
        plus = f'[data-source="{mail}"]'
    for wait, *_ in STEPS:
        lead_back(marketer, wait)


def _since(name: str) -> dict[str, Any]:
    return {"event": name, "where": SAME_CART, "since": "entry"}


def lead_back(marketer: Marketer, wait: str) -> None:
    """Lead the outcome “event” of a wait to the first one, over the palette."""
    marketer.saved()
    marketer.hand.plus(f'[data-source="{wait}"][data-outcomes*="event"]')
    marketer.page.wait_for_selector("[data-palette][open]")
    option = '.jb-option:has(span:text-is("Wait · one-hour"))'
    if isinstance(marketer.hand, Mouse):
        marketer.hand.press(option)
    else:
        marketer.hand.fill("[data-search]", "one-hour")
        marketer.page.keyboard.press("Enter")
    marketer.page.wait_for_selector("[data-palette][open]", state="detached")
    marketer.saved()


def post_event(site: str, key: str, name: str, user: str, **properties: str) -> None:
    """Send an event as a shop does."""
    body = {"userId": user, "event": name, "properties": properties}
    credentials = base64.b64encode(f"{key}:".encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {credentials}"}
    request = Request(f"{site}/v1/track", json.dumps(body).encode(), headers)
    with urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def work_off() -> None:
    while work.work(clock.now()):
        pass


@pytest.mark.parametrize("hand", [Mouse, Keyboard])
def test_abandoned_cart_is_built_published_and_seen_at_work(page: Any, hand: Any) -> None:
    marketer = Marketer(page, hand(page))
    build_abandoned_cart(marketer)
    draft = marketer.draft()
    assert draft == recipe()
    assert page.locator("[data-problems]").get_attribute("data-level") != "error"

    marketer.hand.press("[data-publish]")
    page.wait_for_url("**/publish/")
    marketer.hand.press("[data-go]")
    page.wait_for_url("**/change/")
    marketer.ready()
    journey = Journey.objects.get(slug="abandoned-cart")
    assert journey.status == Journey.Status.LIVE

    _, key = ApiKey.make("shop")
    for user, cart in (("ada", "1"), ("ada", "2"), ("ben", "3")):
        post_event(page.site, key, "cart_updated", user, cart_id=cart)
    work_off()
    post_event(page.site, key, "order_placed", "ada", cart_id="1")
    work_off()
    assert Enrollment.objects.filter(reason="goal").count() == 1
    page.reload()
    marketer.ready()
    page.wait_for_selector('.jb-world [data-numbers="one-hour"] >> text=2 here')
    page.wait_for_selector('.jb-world [data-numbers="@entry"] >> text=3 entered')
    page.locator('.jb-world [data-numbers="one-hour"] >> text=2 here').click()
    page.wait_for_url("**/enrollment/**")
    assert page.locator("#result_list .data-row").count() == 2


def test_a_live_journey_is_changed_and_its_people_are_moved(page: Any) -> None:
    text = """
journey: calm
name: Calm
entry: {trigger: {event: began}}
start: pause
nodes:
  pause: {kind: wait, for: 1d, next: done}
  done: {kind: exit}
"""
    journey = bundles.take_in(text, at=clock.now()).journey
    publishing.publish(journey, at=clock.now())
    ingest.record(
        [Track("began", external_id=f"u{number}") for number in range(3)], received_at=clock.now()
    )
    work_off()
    marketer = Marketer(page, Mouse(page))
    marketer.open(f"journeys/journey/{journey.pk}/change/")
    marketer.ready()
    page.wait_for_selector('.jb-world [data-numbers="pause"] >> text=3 here')
    marketer.add('[data-source="@entry"]', "Wait")
    page.locator('.jb-panel [data-part="count"]').first.fill("5")
    marketer.name("rest")
    page.locator("#jb-card-pause").click()
    page.wait_for_selector('#jb-key[value="pause"]')
    page.locator('[data-action="delete"]').click()
    page.wait_for_selector("#jb-card-pause", state="detached")
    page.get_by_text("3 people stand at what you deleted.").wait_for()
    page.wait_for_selector('.jb-world [data-numbers="@entry"] >> text=3 at removed steps')
    assert set(marketer.draft()["nodes"]) == {"done", "rest"}
    page.locator("[data-publish]").click()
    page.wait_for_selector("text=3 people are on the way")
    assert page.locator(".jb-removed").count() == 1
    assert page.locator(".jb-added").count() == 1
    page.get_by_label("Choose for each step.").check()
    page.locator('[name="move-pause"]').select_option("to:rest")
    page.wait_for_selector("text=3 people move to the new version.")
    page.locator("[data-go]").click()
    page.wait_for_url("**/change/")
    page.wait_for_selector('.jb-world [data-numbers="rest"] >> text=3 here')
    due = Enrollment.objects.values_list("resume_at", flat=True)
    assert all(one and one > clock.now() + timedelta(days=4) for one in due)
    marketer.open(f"journeys/journey/{journey.pk}/versions/")
    page.get_by_role("link", name="Take it back").click()
    page.wait_for_selector("text=3 of the 3 who were moved go back to where they were.")
    page.get_by_role("button", name="Take it back").click()
    page.wait_for_url("**/change/")
    page.get_by_text("3 of 3 put back.").wait_for()
    assert set(Enrollment.objects.values_list("node__key", flat=True)) == {"pause"}


def test_undo_redo_copy_paste_and_a_second_editor(page: Any) -> None:
    journey = bundles.take_in((FOLDER / "welcome-series.yaml").read_text(), at=clock.now()).journey
    marketer = Marketer(page, Mouse(page))
    marketer.open(f"journeys/journey/{journey.pk}/change/")
    marketer.ready()
    before = marketer.draft()
    page.locator("#jb-card-day-2").focus()
    page.keyboard.press("Delete")
    page.wait_for_selector("#jb-card-day-2", state="detached")
    assert marketer.draft()["nodes"]["until-day-2"]["next"] == "until-day-4"
    page.keyboard.press("Control+z")
    page.wait_for_selector("#jb-card-day-2")
    assert marketer.draft() == before
    page.keyboard.press("Control+y")
    page.wait_for_selector("#jb-card-day-2", state="detached")
    page.locator('[data-do="undo"]').click()
    page.wait_for_selector("#jb-card-day-2")
    marketer.saved()
    page.locator("#jb-card-day-2").focus()
    page.keyboard.press("Control+c")
    page.locator('.jb-plus[data-source="day-7"]').focus()
    page.keyboard.press("Control+v")
    page.wait_for_selector("#jb-card-day-2-2")
    assert marketer.draft()["nodes"]["day-7"]["next"] == "day-2-2"
    marketer.saved()

    saved = Journey.objects.get(pk=journey.pk)
    other = {**saved.draft, "name": "Changed elsewhere"}
    publishing.save_draft(saved, other, at=clock.now(), revision=saved.draft_revision)
    page.locator("#jb-card-day-2").click()
    page.wait_for_selector("#jb-card-day-2.jb-chosen")  # and no longer the panel of the pasted one
    page.locator("#jb-transactional").focus()  # the news may come now, above the map, and move it
    page.keyboard.press("Space")
    page.wait_for_selector("[data-banner] >> text=another window")
    page.get_by_role("button", name="Take over what was saved").click()
    page.wait_for_function(
        "document.querySelector('[data-builder]').builder.draft.name === 'Changed elsewhere'"
    )


def test_a_card_is_dragged_onto_a_plus_and_dropped_beside_it(page: Any) -> None:
    journey = bundles.take_in((FOLDER / "welcome-series.yaml").read_text(), at=clock.now()).journey
    marketer = Marketer(page, Mouse(page))
    marketer.open(f"journeys/journey/{journey.pk}/change/")
    marketer.ready()
    page.locator('[data-do="fit"]').click()
    before = marketer.draft()
    card = page.locator("#jb-card-day-2")
    card.drag_to(page.locator("#jb-card-until-day-7"))
    page.wait_for_selector("[data-builder]:not(.jb-carrying)")
    assert marketer.draft() == before, "onto a card is nowhere"
    card.drag_to(page.locator('.jb-plus[data-source="until-day-7"]'))
    page.wait_for_function(
        "document.querySelector('[data-builder]').builder.draft.nodes['day-2'].next === 'day-7'"
    )
    nodes = marketer.draft()["nodes"]
    assert nodes["until-day-2"]["next"] == "until-day-4"
    assert nodes["until-day-7"]["next"] == "day-2"
    page.keyboard.press("Control+z")
    page.wait_for_function(
        "document.querySelector('[data-builder]').builder.draft.nodes['day-2'].next !== 'day-7'"
    )
    assert marketer.draft() == before


def test_a_template_is_made_without_leaving_the_map(page: Any) -> None:
    marketer = Marketer(page, Mouse(page))
    marketer.new("Short")
    marketer.add('[data-source="@entry"]', "Send")
    page.locator('[data-action="new-template"]').click()
    page.get_by_role("button", name="Make it").click()
    page.wait_for_selector("text=Give the template a name.")
    page.locator("#jb-template-name").fill("Good day")
    page.locator("#jb-template-subject").fill("A good day to you")
    page.locator("#jb-template-body").fill("# Hello")
    page.get_by_role("button", name="Make it").click()
    page.wait_for_selector(".jb-panel [data-preview] >> text=A good day to you")
    assert marketer.draft()["nodes"]["send"]["template"] == "good-day"
    assert page.inner_text("#jb-card-send .jb-card-words") == "Send Good day"

    # Changed beside the map too; Escape loses nothing at once, and what can't be sent is not saved.
    page.locator('[data-action="edit-template"]').click()
    page.fill("#jb-template-name", "Good night")
    page.keyboard.press("Escape")
    page.get_by_text("What you wrote is not saved.").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-write-template]:not([open])", state="attached")
    page.locator('[data-action="edit-template"]').click()
    page.wait_for_selector("[data-write-template][open]")
    assert page.input_value("#jb-template-name") == "Good day"
    page.locator("#jb-template-body").fill("{% if %}")
    page.get_by_role("button", name="Save it").click()
    page.wait_for_selector('[data-problem-of="body"]:not([hidden])')
    page.locator("#jb-template-body").fill("# Good evening")
    page.locator("#jb-template-name").fill("Good evening")
    page.get_by_role("button", name="Save it").click()
    mail = page.frame_locator(".jb-panel iframe")
    mail.get_by_role("heading", name="Good evening").wait_for()
    page.wait_for_selector('#jb-card-send .jb-card-words:text-is("Send Good evening")')
    assert Template.objects.get(slug="good-day").markdown == "# Good evening"


def test_a_template_is_found_by_what_it_looks_like(page: Any) -> None:
    for number in range(40):
        Template.objects.create(
            slug=f"t{number}", name=f"Letter {number}", subject=f"About {number}", text="x"
        )
    marketer = Marketer(page, Mouse(page))
    marketer.new("Short")
    marketer.add('[data-source="@entry"]', "Send")
    page.locator("#jb-template").click()
    page.locator("[data-mails] [data-search]").fill("about 17")
    page.wait_for_selector('[data-mails] [data-subject]:text-is("About 17")')
    assert page.locator("[data-mails] .jb-option:visible").count() == 1
    page.locator("[data-mails] [data-search]").fill("letter 3")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector('[data-mails] [data-subject]:text-is("About 23")')
    page.keyboard.press("Enter")
    assert marketer.draft()["nodes"]["send"]["template"] == "t23"
    assert page.inner_text("[data-picked]") == "Letter 23"


def test_pages_have_no_serious_barriers_and_load_nothing_from_elsewhere(page: Any) -> None:
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    journey = bundles.take_in(
        (FOLDER / "abandoned-cart.yaml").read_text(), at=clock.now(), publish_it=True
    ).journey
    ingest.record(
        [
            Identify(external_id="u1", email="u1@example.com"),
            Track("cart_updated", {"cart_id": "1"}, external_id="u1"),
        ],
        received_at=clock.now(),
    )
    work_off()
    looked_back = backtests.start(
        journey, clock.now() - timedelta(days=1), clock.now(), at=clock.now()
    )
    while backtests.step(clock.now()):
        pass
    for hours in ("2h", "3h"):
        draft = copy.deepcopy(journey.draft)
        draft["nodes"]["one-hour"]["until_event"]["timeout"] = hours
        publishing.save_draft(journey, draft, at=clock.now(), revision=journey.draft_revision)
        journey.refresh_from_db()
        if hours == "2h":
            moves = {"one-hour": publishing.Move("same")}
            publishing.publish(journey, at=clock.now(), moves=moves)
            journey.refresh_from_db()
    at = f"journeys/journey/{journey.pk}"
    in_theme(page, "", theme())
    found = barriers(page, f"{theme()} home")
    names = set()
    for address in pages(
        page, *(model._meta.label for model in apps.get_app_config("journeys").get_models())
    ):
        names.add(address.split("/")[-2])
        found |= barriers(page, f"{theme()} /{address}")
        if address == f"{at}/change/":
            page.locator("#jb-card-first").click()
            page.wait_for_selector(".jb-panel h2")
            found |= barriers(page, f"{theme()} panel")
            page.locator(".jb-plus").last.click()
            found |= barriers(page, f"{theme()} palette")
    assert names >= {"publish", "pause", "archive", "history", "versions", "1", "discard", "enter"}
    publishing.pause(journey, at=clock.now())
    moved = journey.relocations.get().pk
    for more in (f"backtest/{looked_back.pk}/", f"moves/{moved}/back/", "resume/"):
        page.goto(f"{page.site}/admin/{at}/{more}")
        found |= barriers(page, f"{theme()} /{at}/{more}")
    assert not found, json.dumps(found, indent=1)
    assert hosts == {urlsplit(page.site).netloc}


AGREES = """async () => {
    const { entryParts, nodeConfig } = await import("/static/journeys/builder/form.js");
    const { builder } = document.querySelector("[data-builder]");
    const { draft, panel } = builder;
    const sorted = (value) => {
        if (Array.isArray(value)) return value.map(sorted);
        if (typeof value === "string") return value.replace(/^\\+(?=[0-9]+[wdhms])/, "");
        if (!value || typeof value !== "object") return value;
        const keys = Object.keys(value).sort();
        return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
    };
    const same = (a, b) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
    const wrong = [];
    for (const key of Object.keys(draft.nodes)) {
        await panel.open(key, { focus: false });
        const { kind, next, ...config } = draft.nodes[key];
        const read = nodeConfig(panel.root);
        if (!same(read, config)) wrong.push([key, config, read]);
    }
    await panel.open("@entry", { focus: false });
    const parts = JSON.parse(JSON.stringify(entryParts(panel.root)));
    for (const part of ["entry", "goal", "exit_when", "window"]) {
        const written = structuredClone(draft[part]);
        if (part === "entry") written.reentry ??= "once";
        if (!same(parts[part], written)) wrong.push([part, written, parts[part]]);
    }
    return wrong;
}"""


def test_panels_lose_nothing_of_random_journeys(page: Any) -> None:
    """What a panel shows of a setting is read back as it was written in the file."""
    for seed in range(12):
        data = dict(generate.case(seed).journey)
        draft = {key: part for key, part in data.items() if key not in SECTIONS}
        journey = publishing.create({**draft, "journey": f"random-{seed}"}, at=clock.now())
        page.goto(f"{page.site}/admin/journeys/journey/{journey.pk}/change/")
        page.wait_for_selector("[data-builder][data-ready]", state="attached")
        assert page.evaluate(AGREES) == [], seed


UNDONE = """async () => {
    const ops = await import("/static/journeys/builder/draft.js");
    const { builder } = document.querySelector("[data-builder]");
    const { draft, cards } = builder;
    const wrong = [];
    const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
    const wait = { kind: "wait", for: "1h" };
    for (const plus of builder.world.querySelectorAll(".jb-plus")) {
        const at = builder.placeOf(plus);
        const more = ops.insert(draft, cards, at, "fresh", wait);
        const known = { ...cards, fresh: { outcomes: [["next", at.target]] } };
        const less = ops.remove(more, known, "fresh", at.target);
        if (!same(ops.targets(less, cards, at.source), ops.targets(draft, cards, at.source))) {
            wrong.push(["insert", at]);
        }
        if (more.nodes.fresh.next !== (at.target ?? undefined)) wrong.push(["next", at]);
    }
    for (const key of Object.keys(draft.nodes)) {
        const gone = ops.removeBranch(draft, cards, key);
        for (const one of Object.keys(gone.nodes)) {
            for (const target of Object.values(ops.targets(gone, cards, one))) {
                if (target && !gone.nodes[target]) wrong.push(["branch", key, one, target]);
            }
        }
        const there = ops.rename(ops.rename(draft, key, "other"), "other", key);
        const nodes = (one) => Object.keys(one.nodes).sort().map((name) => one.nodes[name]);
        if (!same(nodes(there), nodes(draft))) wrong.push(["rename", key]);
        const clip = ops.clip(draft, cards, key, true);
        const end = { source: "@entry", outcomes: ["start"], target: draft.start };
        const pasted = ops.paste(draft, cards, end, clip).draft;
        const count = Object.keys(draft.nodes).length + Object.keys(clip.nodes).length;
        if (Object.keys(pasted.nodes).length !== count) wrong.push(["paste", key]);
    }
    return wrong;
}"""


def test_what_is_done_on_the_map_can_be_undone_by_its_opposite(page: Any) -> None:
    for seed in range(6):
        data = dict(generate.case(seed).journey)
        draft = {key: part for key, part in data.items() if key not in SECTIONS}
        journey = publishing.create({**draft, "journey": f"random-{seed}"}, at=clock.now())
        page.goto(f"{page.site}/admin/journeys/journey/{journey.pk}/change/")
        page.wait_for_selector("[data-builder][data-ready]", state="attached")
        assert page.evaluate(UNDONE) == [], seed


def test_the_map_is_saved_as_svg_and_png(page: Any) -> None:
    journey = bundles.take_in((FOLDER / "win-back.yaml").read_text(), at=clock.now()).journey
    page.goto(f"{page.site}/admin/journeys/journey/{journey.pk}/change/")
    page.wait_for_selector("[data-builder][data-ready]", state="attached")
    for words, name, begins in (
        ("Save as SVG", "win-back.svg", b"<svg"),
        ("Save as PNG", "win-back.png", b"\x89PNG"),
    ):
        page.locator(".jb-menu summary").click()
        with page.expect_download() as download:
            page.get_by_text(words).click()
        assert download.value.suggested_filename == name
        assert Path(download.value.path()).read_bytes().startswith(begins)
        page.reload()
        page.wait_for_selector("[data-builder][data-ready]", state="attached")
