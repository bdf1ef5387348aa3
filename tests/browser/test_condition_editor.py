"""The condition editor in a real browser: by keyboard, by mouse, and losing nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from contacts.models import AttributeName, Contact, Event, EventName, Segment
from messaging.models import Topic
from tests.browser import condition_pages
from tests.contacts.condition_cases import NOW, Chance

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ATTRIBUTES = {
    "plan": ["text"],
    "seats": ["number"],
    "newsletter": ["boolean"],
    "due": ["date"],
    "tags": ["list"],
    "address": ["object"],
}
EVENTS = {
    "bought": {"total": ["number"], "plan": ["text"]},
    "order_placed": {"order_id": ["text"]},
}


@pytest.fixture
def page(signed_in_page: Any, settings: Any) -> Any:
    """A browser, names to pick from, and pages that show an editor."""
    settings.ROOT_URLCONF = "tests.browser.condition_pages"
    condition_pages.start.clear()
    condition_pages.saved.clear()
    for name, types in ATTRIBUTES.items():
        AttributeName.objects.create(name=name, types=types, first_seen_at=NOW, last_seen_at=NOW)
    for name, properties in EVENTS.items():
        EventName.objects.create(
            name=name, properties=properties, first_seen_at=NOW, last_seen_at=NOW
        )
    for slug in ("static", "dynamic", "nested"):
        Segment.objects.create(slug=slug, name=slug.title())
    Topic.objects.create(slug="product", name="Product news")
    return signed_in_page


def show(page: Any, condition: Any = None, scope: str = "segment") -> Any:
    """Open the page on a condition."""
    condition_pages.start[scope] = condition
    page.goto(f"{page.site}/try/{scope}/")
    page.wait_for_selector(".ce-rows > *")
    return page


def text(page: Any) -> str:
    """What the form would send."""
    return str(page.eval_on_selector("textarea.ce-source", "field => field.value"))


def value(page: Any) -> Any:
    """The same as data."""
    return json.loads(text(page) or "null")


def choose(page: Any, field: Any, label: str) -> None:
    """Pick something in a combobox by typing."""
    field.fill(label)
    page.get_by_role("option", name=re.compile(rf"^(\w+ )?{label}")).first.wait_for()
    field.press("Enter")


def exact(data: Any) -> str:
    """Data as text that tells 1 from 1.0 and keeps no order of keys."""
    return json.dumps(data, sort_keys=True)


# --- editing --------------------------------------------------------------------------------------


def test_a_condition_made_by_keyboard_is_saved(page: Any) -> None:
    Contact.objects.create(attributes={"plan": "pro"})
    Contact.objects.create(attributes={"plan": "team"})
    show(page)
    assert page.locator(".ce-words").inner_text() == "Everybody."
    page.get_by_role("button", name="Condition", exact=True).focus()
    page.keyboard.press("Enter")
    page.keyboard.type("pla")
    page.get_by_role("option", name="plan").wait_for()
    assert page.locator(":focus").get_attribute("aria-expanded") == "true"
    page.keyboard.press("Enter")
    page.keyboard.type("pro")
    page.get_by_text("Plan is pro.").wait_for()
    page.get_by_text("1 contact matches now.").wait_for()
    assert value(page) == {"attribute": "plan", "op": "eq", "value": "pro"}
    page.keyboard.press("Enter")  # does not send the form
    page.click("#save")
    page.wait_for_selector("#saved", state="attached")
    assert condition_pages.saved == ['{"attribute": "plan", "op": "eq", "value": "pro"}']


def test_values_are_typed_by_the_field(page: Any) -> None:
    parts = [
        {"attribute": "seats", "op": "gte", "value": 1},
        {"attribute": "newsletter", "op": "eq", "value": True},
        {"attribute": "due", "op": "within_next", "value": "3d"},
        {"attribute": "due", "op": "after", "value": "2026-01-01"},
        {"attribute": "plan", "op": "in", "value": ["pro"]},
        {"attribute": "created_at", "op": "before", "value": "now"},
    ]
    show(page, {"all": parts})
    rows = page.locator(".ce-row")
    rows.nth(0).get_by_label("seats", exact=True).fill("2.50")
    rows.nth(1).get_by_label("newsletter", exact=True).select_option("No")
    rows.nth(2).get_by_label("due: how many").fill("12")
    rows.nth(2).get_by_label("due: unit").select_option("hours")
    rows.nth(3).get_by_label("due", exact=True).fill("2026-03-01")
    rows.nth(4).get_by_label("Add to the list: plan").fill("team, plus")
    rows.nth(4).get_by_label("Add to the list: plan").press("Enter")
    rows.nth(4).get_by_label("Remove pro").click()
    rows.nth(5).get_by_label("Created: now, or when").select_option("the date")
    rows.nth(5).get_by_label("Created", exact=True).fill("2026-02-03")
    assert [part["value"] for part in value(page)["all"]] == [
        2.5,
        False,
        "12h",
        "2026-03-01",
        ["team, plus"],
        "2026-02-03",
    ]
    assert '"value": 2.50' in text(page)


def test_a_number_that_is_none_is_not_sent(page: Any) -> None:
    show(page, {"attribute": "seats", "op": "gte", "value": 1})
    page.get_by_label("seats", exact=True).fill("ten")
    assert value(page) == {"attribute": "seats", "op": "gte"}
    page.eval_on_selector("#save", "one => one.form.addEventListener('submit', () => one.remove())")
    page.click("#save")
    assert page.eval_on_selector("#save", "one => one.form.checkValidity()") is False
    assert condition_pages.saved == []


def test_events_with_count_period_and_where(page: Any) -> None:
    show(page)
    page.get_by_role("button", name="Condition", exact=True).click()
    choose(page, page.get_by_label("What the row is about"), "bought")
    page.get_by_label("How often: bought").select_option("at least")
    page.get_by_label("Number of times: bought").fill("3")
    page.get_by_label("When: bought").select_option("in the last")
    page.get_by_role("button", name="Where a property").click()
    choose(page, page.get_by_label("Property of bought"), "total")
    page.get_by_label("Operator: total").select_option("is more than")
    page.get_by_label("total", exact=True).fill("50")
    words = "Bought at least 3 times in the last 30 days where total is more than 50."
    page.get_by_text(words).wait_for()
    assert value(page) == {
        "event": "bought",
        "count": {"op": "gte", "value": 3},
        "within": "30d",
        "where": [{"property": "total", "op": "gt", "value": 50}],
    }
    page.get_by_label("How often: bought").select_option("never")
    assert value(page)["count"] == {"op": "eq", "value": 0}
    page.get_by_label("Remove: total").click()
    assert "where" not in value(page)


def test_groups_can_be_made_changed_and_removed(page: Any) -> None:
    first = {"attribute": "plan", "op": "is_set"}
    show(page, first)
    page.get_by_role("button", name="Group", exact=True).click()
    choose(page, page.locator(".ce-group .ce-group").get_by_label("What the row"), "Segments")
    choose(page, page.locator('[data-part="segment"]'), "Static")
    assert value(page) == {"all": [first, {"any": [{"segment": "static"}]}]}
    modes = page.get_by_label("How the conditions of this group are joined")
    modes.nth(1).select_option("none of these")
    assert value(page)["all"][1] == {"not": {"any": [{"segment": "static"}]}}
    modes.nth(0).select_option("not all of these")
    page.get_by_label("Operator: Segments").select_option("do not include")
    inner = {"not": {"any": [{"not": {"segment": "static"}}]}}
    assert value(page) == {"not": {"all": [first, inner]}}
    page.get_by_label("Remove this group").click()
    assert value(page) == {"not": {"all": [first]}}
    page.get_by_label("Remove this row").click()
    assert text(page) == ""


def test_the_words_for_a_journey_stand_only_in_a_journey(page: Any) -> None:
    show(page)
    page.get_by_role("button", name="Condition", exact=True).click()
    page.get_by_label("What the row is about").press("ArrowDown")
    page.get_by_role("option", name="Segments").wait_for()
    assert page.get_by_role("option", name="Message of this journey").count() == 0
    show(page, None, "branch")
    page.get_by_role("button", name="Condition", exact=True).click()
    choose(page, page.get_by_label("What the row is about"), "Message of this journey")
    choose(page, page.locator('[data-part="message"]'), "Welcome mail")
    page.get_by_label("What it did").select_option("was clicked")
    page.get_by_role("button", name="Condition", exact=True).click()
    choose(page, page.get_by_label("What the row is about").nth(1), "bought")
    page.get_by_label("Only since the entry").check()
    page.get_by_role("button", name="Where a property").click()
    choose(page, page.get_by_label("Property of bought"), "plan")
    page.get_by_label("Type of the value: plan").select_option("Starting event’s")
    choose(page, page.get_by_label("Property of the starting event: plan"), "order_id")
    page.get_by_text("since the entry where plan is the starting event’s").wait_for()
    term = {"property": "plan", "op": "eq", "value": {"trigger": "order_id"}}
    assert value(page) == {
        "all": [
            {"message": "welcome", "did": "clicked"},
            {"event": "bought", "since": "entry", "where": [term]},
        ]
    }
    assert page.locator(".ce-count").inner_text() == ""


def test_a_number_that_comes_too_late_leaves_what_is_asked_next_pending(page: Any) -> None:
    """A change while the people are counted gives the count up, and only that."""
    with page.expect_request("**/conditions/count/"):
        page.route("**/conditions/count/", lambda route: None)
        show(page, {"attribute": "plan", "op": "eq", "value": "pro"})
    asked: list[Any] = []
    page.route("**/conditions/check/", lambda route: asked.append(route))
    with page.expect_request("**/conditions/check/"):
        page.get_by_label("plan", exact=True).fill("team")
    page.locator(".ce-summary.ce-waiting").wait_for()
    assert page.locator(".ce-words").inner_text() == "Plan is pro."
    asked[0].continue_()
    page.get_by_text("Plan is team.").wait_for()


def test_names_stand_in_words_as_they_are_written(page: Any) -> None:
    show(page, {"event": "order_placed"})
    page.get_by_text("order_placed at least once.", exact=True).wait_for()
    show(page, {"attribute": "address.city", "op": "is_set"})
    page.get_by_text("address.city is set.", exact=True).wait_for()
    show(page, {"event": "bought"})
    page.get_by_text("Bought at least once.", exact=True).wait_for()


def test_problems_stand_at_their_rows(page: Any) -> None:
    show(page, {"all": [{"attribute": "plan", "op": "is_set"}, {"attribute": "plan", "op": "eq"}]})
    said = page.locator(".ce-row").nth(1).get_by_text("Give a value.")
    said.wait_for()
    field = page.locator(".ce-row").nth(1).locator('[data-part="value"]')
    assert field.get_attribute("aria-invalid") == "true"
    assert field.get_attribute("aria-describedby") == said.get_attribute("id")
    field.fill("pro")
    page.get_by_text("Plan is set, and plan is pro.").wait_for()
    assert page.locator("[aria-invalid]").count() == 0


def test_a_name_that_nobody_has_seen_can_be_used(page: Any) -> None:
    show(page)
    page.get_by_role("button", name="Condition", exact=True).click()
    field = page.get_by_label("What the row is about")
    field.fill("new_one")
    page.get_by_role("option", name="new_one").nth(1).wait_for()
    field.press("ArrowDown")
    field.press("Enter")
    assert value(page) == {"event": "new_one"}


def test_json_is_shown_only_when_asked_for(page: Any) -> None:
    show(page, {"attribute": "plan", "op": "eq", "value": "pro"})
    assert not page.locator("textarea").filter(visible=True).count()
    page.get_by_role("button", name="Edit as JSON").click()
    area = page.locator("textarea").filter(visible=True)
    area.fill('{"attribute": "plan", ')
    page.get_by_text("This is not JSON").first.wait_for()
    page.get_by_role("button", name="Edit in rows").click()  # refused
    area.fill('{"attribute": "seats", "op": "gt", "value": 5}')
    page.get_by_role("button", name="Edit in rows").click()
    page.get_by_text("Seats is more than 5.").wait_for()
    assert page.get_by_label("seats", exact=True).input_value() == "5"


def test_a_place_that_a_script_makes(page: Any) -> None:
    show(page)
    page.evaluate(
        """() => {
        const endpoints = JSON.parse(document.getElementById("endpoints").textContent);
        window.heard = [];
        window.made = ConditionEditor.mountWhere(document.getElementById("mounted"), {
            value: [{property: "plan", op: "eq", value: "pro"}], event: "bought", endpoints,
            onChange: (value, text) => window.heard.push([value, text]),
        });
        return window.made.ready;
    }"""
    )
    mounted = page.locator("#mounted")
    mounted.get_by_text("Plan is pro.").wait_for()
    mounted.get_by_label("plan", exact=True).fill("team")
    heard = page.evaluate("window.heard")
    assert heard[-1] == [
        [{"property": "plan", "op": "eq", "value": "team"}],
        '[{"property": "plan", "op": "eq", "value": "team"}]',
    ]
    mounted.get_by_label("Remove: plan").click()
    mounted.get_by_text("Every event of that name.").wait_for()
    assert page.evaluate("window.made.text") == ""
    page.evaluate("window.made.remove()")
    assert mounted.inner_text() == ""


def test_it_fits_a_phone(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    term = {"property": "total", "op": "gte", "value": 10}
    event = {"event": "bought", "where": [term], "within": "30d", "count": {"op": "lt", "value": 9}}
    show(page, {"all": [event, {"any": [{"all": [event, {"segment": "static"}]}]}]})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    over = """() => [...document.querySelectorAll(".ce *")].filter(
        (e) => e.getBoundingClientRect().right > innerWidth).length"""
    assert page.evaluate(over) == 0


def test_the_server_asks_back_with_the_rows_kept(page: Any) -> None:
    show(page, {"attribute": "plan", "op": "eq"})
    page.click("#save")
    page.locator(".errorlist").get_by_text("needs a value").wait_for()
    page.get_by_text("Give a value.").wait_for()
    assert value(page) == {"attribute": "plan", "op": "eq"}


# --- moving, and going back -----------------------------------------------------------------------

A, B, C, D = ({"attribute": name, "op": "is_set"} for name in "abcd")


def press(page: Any, field: str, keys: str) -> None:
    """Press keys where the row of an attribute has its operator."""
    page.get_by_label(f"Operator: {field}", exact=True).focus()
    page.keyboard.press(keys)


def test_rows_move_by_buttons_into_groups_and_out(page: Any) -> None:
    show(page, {"all": [A, {"any": [B, C]}, D]})
    up, down = page.get_by_label("Move up: this row"), page.get_by_label("Move down: this row")
    assert up.nth(0).is_disabled()
    assert down.nth(3).is_disabled()
    down.nth(0).click()
    assert value(page) == {"all": [{"any": [A, B, C]}, D]}
    assert page.locator(":focus").get_attribute("aria-label") == "Move down: this row"
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert value(page) == {"all": [{"any": [B, C]}, A, D]}
    up.nth(3).click()
    assert value(page) == {"all": [{"any": [B, C]}, D, A]}
    page.get_by_label("Move down: this group").click()
    assert value(page) == {"all": [D, {"any": [B, C]}, A]}
    page.get_by_label("Put into a group: this row").nth(0).click()
    assert value(page) == {"all": [{"any": [D]}, {"any": [B, C]}, A]}
    assert page.get_by_role("group", name="Condition 2.1", exact=True).count() == 1


def test_rows_move_by_keyboard_and_an_empty_group_goes(page: Any) -> None:
    show(page, {"any": [A, {"not": B}]})
    press(page, "b", "Alt+Shift+ArrowDown")
    assert value(page) == {"any": [A, B]}
    assert page.locator(":focus").get_attribute("aria-label") == "Operator: b"
    page.keyboard.press("Alt+Shift+ArrowUp")
    assert value(page) == {"any": [B, A]}
    page.keyboard.press("Alt+Shift+ArrowUp")
    assert value(page) == {"any": [B, A]}
    page.get_by_text("B is set, or a is set.").wait_for()


def test_what_does_not_move_stays_as_it_was_written(page: Any) -> None:
    odd = {"not": {"any": [{"attribute": "seats", "op": "eq", "value": 1.0}]}}
    show(page, {"all": [A, B, odd, {"any": []}]})
    press(page, "b", "Alt+Shift+ArrowUp")
    assert text(page) == json.dumps({"all": [B, A, odd, {"any": []}]})


def test_changes_are_undone_and_redone(page: Any) -> None:
    show(page, {"all": [A, B]})
    undo, redo = page.get_by_label("Undo"), page.get_by_label("Redo")
    assert undo.is_disabled()
    page.get_by_label("Remove this row").nth(0).click()
    assert value(page) == {"all": [B]}
    page.get_by_role("button", name="Condition", exact=True).click()
    choose(page, page.get_by_label("What the row is about").nth(1), "plan")
    page.get_by_label("plan", exact=True).fill("pro")
    undo.click()
    assert value(page)["all"][1] == {"attribute": "plan", "op": "eq"}
    undo.click()
    undo.click()
    undo.click()
    assert value(page) == {"all": [A, B]}
    assert undo.is_disabled()
    redo.click()
    assert value(page) == {"all": [B]}
    press(page, "b", "Control+z")
    assert value(page) == {"all": [A, B]}
    page.get_by_text("A is set, and b is set.").wait_for()
    page.click("#save")
    page.wait_for_selector("#saved", state="attached")
    assert json.loads(condition_pages.saved[0]) == {"all": [A, B]}


# --- suggestions ----------------------------------------------------------------------------------


def test_known_values_are_suggested_and_any_other_can_be_written(page: Any) -> None:
    for number in range(9):
        plan = ("free", "pro", "team")[number % 3]
        contact = Contact.objects.create(attributes={"plan": plan, "seats": number % 2})
        Event.objects.create(contact=contact, name="bought", properties={"plan": "gold"})
    term = {"property": "plan", "op": "eq", "value": "x"}
    show(page, {"all": [
        {"attribute": "plan", "op": "eq", "value": "x"},
        {"attribute": "plan", "op": "in", "value": ["free"]},
        {"attribute": "seats", "op": "eq", "value": 7},
        {"event": "bought", "where": [term]},
    ]})  # fmt: skip
    rows = page.locator(".ce-part > .ce-row")
    plan = rows.nth(0).get_by_label("plan", exact=True)
    plan.fill("")
    page.get_by_role("option", name="team").wait_for()
    assert page.locator(".ce-list:popover-open .ce-option").all_inner_texts() == [
        "free",
        "pro",
        "team",
    ]
    plan.press("ArrowDown")
    plan.press("ArrowDown")
    plan.press("Enter")
    assert plan.input_value() == "pro"
    plan.fill("professional")
    plan.press("Enter")
    assert plan.input_value() == "professional"
    items = rows.nth(1).get_by_label("Add to the list: plan")
    items.fill("t")
    page.get_by_role("option", name="team").click()
    assert not page.get_by_role("option", name="free").is_visible()
    items.fill("gold")
    items.press("Enter")
    rows.nth(2).get_by_label("seats", exact=True).fill("")
    page.get_by_role("option", name="1").click()
    rows.nth(3).get_by_label("plan", exact=True).fill("g")
    page.get_by_role("option", name="gold").click()
    found = value(page)["all"]
    assert found[0]["value"] == "professional"
    assert found[1]["value"] == ["free", "team", "gold"]
    assert found[2]["value"] == 1
    assert found[3]["where"][0]["value"] == "gold"


# --- losing nothing -------------------------------------------------------------------------------

TOUCH = """
async (texts) => {
    const endpoints = JSON.parse(document.getElementById("endpoints").textContent);
    const nodes = {welcome: "Welcome", nudge: ""};
    const scope = {enrollment: true, trigger: "order_placed", nodes};
    const place = document.getElementById("mounted");
    const results = [];
    for (const [kind, text] of texts) {
        place.replaceChildren();
        const options = {text, scope: kind ? scope : {}, count: false, endpoints: {
            names: endpoints.names, properties: endpoints.properties}};
        const editor = ConditionEditor.mount(place, options);
        await editor.ready;
        const opened = editor.text;
        const fields = place.querySelectorAll(".ce-rows :is(input, select, textarea)");
        const verbatim = place.querySelectorAll(".ce-row-verbatim").length;
        for (const field of fields) {
            if (field.closest(".ce-combo:not(.ce-suggesting)")) continue;
            field.dispatchEvent(new Event("input", {bubbles: true}));
            field.dispatchEvent(new Event("change", {bubbles: true}));
        }
        const touched = editor.text;
        const toggle = place.querySelector(".ce-toggle");
        toggle.click();
        const area = place.querySelector(".ce-whole");
        area.dispatchEvent(new Event("input", {bubbles: true}));
        toggle.click();
        results.push([opened, touched, editor.text, fields.length, verbatim]);
    }
    return results;
}
"""


class JourneyChance(Chance):
    """Conditions as they may stand in a branch: with messages, topics and the starting event."""

    def condition(self, seen: dict[str, list[Any]], depth: int = 3) -> dict[str, Any]:
        roll = self.rng.random()
        if roll < 0.06:
            did = self.rng.choice(("sent", "opened", "bounced"))
            return {"message": self.rng.choice(("welcome", "nudge")), "did": did}
        if roll < 0.1:
            return {"subscribed": "product"}
        return super().condition(seen, depth)

    def event(self, seen: dict[str, list[Any]]) -> dict[str, Any]:
        event = super().event(seen)
        if self.rng.random() < 0.2:
            event["since"] = "entry"
        for term in event.get("where", ()):
            if "value" in term and self.rng.random() < 0.3:
                term["value"] = {"trigger": self.rng.choice(("order_id", "a.b"))}
        return event


@pytest.mark.parametrize("seed", range(3))
def test_every_condition_comes_out_as_it_went_in(page: Any, seed: int) -> None:
    """Opened, every field touched, shown as JSON and back: nothing changes, not even 1.0 into 1."""
    show(page)
    known = {"plan": ["pro", "team"], "seats": [3, 2.0], "due": ["2026-03-01"], "tags": [["a"]]}
    conditions = [
        (journey, (JourneyChance if journey else Chance)(seed * 1000 + n).condition(known))
        for n in range(120)
        for journey in (False, True)
    ]
    texts = [[journey, json.dumps(condition)] for journey, condition in conditions]
    for (_, condition), sent, result in zip(
        conditions, texts, page.evaluate(TOUCH, texts), strict=True
    ):
        opened, touched, toggled, fields, verbatim = result
        assert opened == sent[1]
        assert exact(json.loads(touched)) == exact(condition), condition
        assert exact(json.loads(toggled)) == exact(condition), condition
        assert fields, condition
        assert not verbatim, condition


STRANGE = [
    '{"what": 1}',
    '{"all": {"10": 1, "9": 1e400, "__proto__": {}}}',
    '{"all": [3, null, {"attribute": 3}, {"attribute": "a", "op": 7}, {"event": "e", "count": 2}]}',
    '{"event": "e", "where": {"property": "p"}}',
    '{"attribute": "a", "op": "within_last", "value": 12345678901234567890123}',
    '{"attribute": "a", "op": "before", "value": ["2026-01-01"]}',
    '{"attribute": "a", "op": "in", "value": "pro", "extra": {"b": 1.50}}',
    '{"not": {"not": {"any": []}}}',
]


@pytest.mark.parametrize("strange", STRANGE)
def test_what_is_no_condition_is_kept_as_written(page: Any, strange: str) -> None:
    show(page)
    opened, touched, toggled, *_ = page.evaluate(TOUCH, [[False, strange]])[0]
    assert opened == touched == strange
    assert digits(toggled) == digits(strange)


def digits(text: str) -> Any:
    """Data with its numbers as they are written."""
    return json.loads(text, parse_float=str, parse_int=str)


def test_what_is_wrong_with_a_part_kept_as_written_is_said_in_the_words_of_the_file(
    page: Any,
) -> None:
    show(page, {"all": [{"event": "bought", "count": {"gte": 2}}]})
    page.get_by_text("The key “gte” is not known here.").wait_for()
