"""Each form of the condition language (§3), made with the mouse, and the same after a reload."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from contacts.models import AttributeName, EventName, Segment
from messaging.models import Topic
from tests.browser import condition_pages
from tests.browser.test_condition_editor import show, text, value
from tests.contacts.condition_cases import NOW

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "x" * 150
NAMES = ("plan", "seats", "vip", "due", "tags", "address.city", "first name", "a.b c", 'the "best"')
ODD = ("🎉", "שם פרטי", "الخطة", LONG, "it's <b>&amp;</b>", "10", "__proto__")
TYPES = {"seats": ["number"], "vip": ["boolean"], "due": ["date"], "tags": ["list"]}
TITLES = {"beta": "Beta testers", "product": "Product news", "welcome": "Welcome mail"}
LABELS = {"created_at": "Created", "timezone": "Time zone", "email": "Email"}
WAYS = {"all": "all of these", "any": "at least one of these"}


@pytest.fixture
def page(signed_in_page: Any, settings: Any) -> Any:
    """A browser, and names to pick from."""
    settings.ROOT_URLCONF = "tests.browser.condition_pages"
    condition_pages.start.clear()
    condition_pages.saved.clear()
    for name in (*NAMES, *ODD):
        AttributeName.objects.create(
            name=name, types=TYPES.get(name, ["text"]), first_seen_at=NOW, last_seen_at=NOW
        )
    for event in ("bought", "order_placed", "message_opened"):
        EventName.objects.create(
            name=event,
            properties={"total": ["number"], "order_id": ["text"], "node": ["text"]},
            first_seen_at=NOW,
            last_seen_at=NOW,
        )
    Segment.objects.create(slug="beta", name="Beta testers")
    Topic.objects.create(slug="product", name="Product news")
    return signed_in_page


# --- a hand on the mouse --------------------------------------------------------------------------


def pick(page: Any, field: Any, label: str) -> None:
    """Open a list and click on what it offers."""
    field.click()
    options = page.locator(".ce-list:popover-open .ce-option")
    options.filter(has=page.get_by_text(label, exact=True)).first.click()


def part(row: Any, name: str) -> Any:
    """A field of a row."""
    return row.locator(f'[data-part="{name}"]').first


def build(page: Any, group: Any, items: list[Any]) -> None:
    """Put conditions into a group, whose first row may be blank already."""
    for index, item in enumerate(items):
        parts = group.locator(":scope > .ce-parts > .ce-part")
        mode = next((key for key in WAYS if key in item), None)
        if parts.count() <= index:
            foot = group.locator(":scope > .ce-foot")
            foot.get_by_role("button", name="Group" if mode else "Condition").click()
        place = parts.nth(index)
        if mode is None:
            fill(page, place.locator(":scope > .ce-row"), item)
            continue
        if not place.locator(":scope > .ce-group").count():
            part(place, "wrap").click()
        inner = place.locator(":scope > .ce-group")
        part(inner, "mode").select_option(WAYS[mode])
        build(page, inner, item[mode])


def fill(page: Any, row: Any, item: dict[str, Any]) -> None:
    """Make a blank row say what the condition says."""
    denied = "not" in item
    item = item["not"] if denied else item
    form = next(iter(item))
    subject = part(row, "subject")
    if form in ("segment", "subscribed", "message"):
        labels = {"segment": "Segments", "subscribed": "Topics"}
        pick(page, subject, labels.get(form, "Message of this journey"))
        pick(page, part(row, form), TITLES[item[form]])
        if form == "message":
            part(row, "did").select_option(item["did"])
        if denied:
            part(row, "op").select_option("fails")
        return
    pick(page, subject, LABELS.get(item[form], item[form]))
    compare(page, row, item) if form == "attribute" else happen(page, row, item)


def happen(page: Any, row: Any, item: dict[str, Any]) -> None:
    """How often, since when, and where."""
    if count := item.get("count"):
        never = count == {"op": "eq", "value": 0}
        part(row, "count.op").select_option("never" if never else count["op"])
        if not never:
            part(row, "count.value").fill(str(count["value"]))
    if within := item.get("within"):
        row.get_by_label(f"When: {item['event']}").select_option("in the last")
        period(row, "within", within)
    if "since" in item:
        row.get_by_label("Only since the entry").check()
    for index, term in enumerate(item.get("where", ())):
        row.locator(".ce-add-where").click()
        inner = row.locator(".ce-term").nth(index)
        pick(page, part(inner, "subject"), term["property"])
        compare(page, inner, term)


def period(row: Any, name: str, written: str) -> None:
    """A number and its unit; several units are written."""
    unit = part(row, name).locator("xpath=following-sibling::select")
    if written[:-1].isdigit():
        part(row, name).fill(written[:-1])
        unit.select_option(written[-1])
    else:
        unit.select_option("other…")
        part(row, name).fill(written)


def compare(page: Any, row: Any, item: dict[str, Any]) -> None:
    """An operator and a value, by the field that the value needs."""
    row.locator(".ce-op").last.select_option(item["op"])
    if "value" not in item:
        return
    written = item["value"]
    kind = row.locator("select.ce-kind").last
    if isinstance(written, dict):
        kind.select_option("trigger")
        pick(page, part(row, "value"), written["trigger"])
    elif item["op"] in ("within_last", "within_next"):
        period(row, "value", written)
    elif item["op"] in ("before", "after"):
        way = "now" if written == "now" else "time" if "T" in written else "date"
        row.locator(".ce-typed select").first.select_option(way)
        if way != "now":
            part(row, "value").fill(written.removesuffix("Z"))
    elif isinstance(written, list):
        for each in written:
            if kind.count():
                kind.select_option("number" if isinstance(each, int) else "text")
            part(row, "value").fill(str(each))
            part(row, "value").press("Enter")
    elif isinstance(written, bool):
        if kind.count():
            kind.select_option("yes_no")
        part(row, "value").select_option("true" if written else "false")
    else:
        if kind.count():
            kind.select_option("number" if isinstance(written, int | float) else "text")
        part(row, "value").fill(str(written))


# --- the forms ------------------------------------------------------------------------------------


def about(name: str, op: str, *value: Any) -> dict[str, Any]:
    """A comparison of an attribute."""
    return {"attribute": name, "op": op, **({"value": value[0]} if value else {})}


def bought(**more: Any) -> dict[str, Any]:
    """A condition on the event “bought”."""
    return {"event": "bought", **more}


def term(op: str, *value: Any, name: str = "order_id") -> dict[str, Any]:
    """A comparison of a property."""
    return {"property": name, "op": op, **({"value": value[0]} if value else {})}


FORMS = {
    "comparisons": [
        about("plan", "eq", "pro"), about("plan", "ne", "10"), about("seats", "gt", 3),
        about("seats", "gte", 2.5), about("seats", "lt", 9), about("seats", "lte", 0),
        about("plan", "contains", "x y"), about("plan", "starts_with", "p"),
        about("plan", "in", ["pro", "team, plus"]), about("seats", "in", [1, 2]),
        about("plan", "is_set"), about("email", "is_not_set"), about("vip", "eq", False),
        about("tags", "contains", "new"),
    ],
    "dates": [
        about("due", "before", "now"), about("due", "after", "2026-03-01"),
        about("due", "before", "2026-03-01T09:30Z"), about("created_at", "within_last", "7d"),
        about("due", "within_next", "1d12h"), about("due", "within_last", "90m"),
        about("created_at", "after", "now"),
    ],
    "events": [
        bought(), bought(count={"op": "eq", "value": 0}),
        bought(count={"op": "gte", "value": 2}, within="30d"),
        bought(count={"op": "ne", "value": 3}), bought(count={"op": "lte", "value": 10}),
        bought(within="1w"), bought(within="1d6h"),
        bought(where=[term("eq", "o1"), term("gt", 5, name="total"), term("is_set", name="node")]),
        {"event": "message_opened", "where": [term("in", ["welcome"], name="node")]},
    ],
    "of the enrollment": [
        bought(since="entry", within="2h", where=[term("eq", {"trigger": "order_id"})]),
        bought(where=[term("lte", {"trigger": "total"}, name="total")]),
        {"message": "welcome", "did": "clicked"}, {"not": {"message": "welcome", "did": "bounced"}},
    ],
    "picked": [
        {"segment": "beta"}, {"not": {"segment": "beta"}}, {"subscribed": "product"},
        {"not": {"subscribed": "product"}}, about("timezone", "eq", "Europe/Berlin"),
    ],
    "nested": [
        about("plan", "eq", "pro"),
        {"any": [about("seats", "gte", 10),
                 {"all": [bought(), {"any": [about("vip", "eq", True), {"segment": "beta"}]}]}]},
        {"any": [about("plan", "is_set")]},
    ],
    "odd names": [about(name, "eq", name) for name in (*NAMES[5:], *ODD)],
    "many rows": [about("plan", "eq", f"p{n}") for n in range(20)],
}  # fmt: skip


@pytest.mark.parametrize("forms", FORMS)
def test_every_form_is_made_by_mouse_and_comes_back(page: Any, forms: str) -> None:
    items = FORMS[forms]
    scope = "branch" if forms == "of the enrollment" else "segment"
    show(page, None, scope)
    build(page, page.locator(".ce-root"), items)
    wanted = {"all": items}
    assert value(page) == wanted
    page.locator(".ce-summary:not(.ce-waiting)").wait_for()
    assert page.locator(".ce-problem").count() == 0
    page.click("#save")
    page.wait_for_selector("#saved", state="attached")
    show(page, wanted, scope)
    assert value(page) == wanted
    assert page.locator(".ce-row-verbatim").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("wrong", "row", "said"),
    [
        ({"attribute": "plan", "op": "eq"}, "Condition 2", "Give a value."),
        ({"attribute": "due", "op": "within_last", "value": "soon"}, "Condition 2", "Give a time"),
        ({"segment": "gone"}, "Condition 2", "There is no segment “gone”."),
        ({"any": [{"event": "e", "where": [term("eq")]}]}, "Condition 2.1.1", "Give a value."),
        ({"any": [{"subscribed": "gone"}]}, "Condition 2.1", "There is no topic “gone”."),
        ({}, "Condition 2", "Choose what this row is about."),
    ],
)
def test_an_invalid_row_says_where_and_why(page: Any, wrong: Any, row: str, said: str) -> None:
    show(page, {"all": [about("plan", "is_set"), wrong]})
    place = page.get_by_role("group", name=row, exact=True)
    place.get_by_text(said).wait_for()
    assert page.locator(".ce-words").inner_text() == "Complete the rows to see them in words."


def test_too_deep_is_said_and_nothing_is_lost(page: Any) -> None:
    deep: Any = about("plan", "is_set")
    for level in range(40):
        deep = {"any" if level % 2 else "all": [deep]}
    before = value(show(page, deep))
    page.get_by_text("nested at most 32 deep").first.wait_for()
    page.click("#save")
    page.get_by_text("nested at most 32 deep").first.wait_for()
    assert value(page) == before == deep
    assert text(page)


def test_without_the_right_to_see_contacts_it_works_without_values_and_number(page: Any) -> None:
    user = User.objects.get()
    user.is_superuser = False
    user.save()
    show(page, {"all": [about("plan", "eq", "pro")]})
    page.get_by_text("Plan is pro.").wait_for()
    page.get_by_label("plan", exact=True).fill("team")
    page.get_by_text("Plan is team.").wait_for()
    assert page.locator(".ce-count").inner_text() == ""
