"""The builder's server side: drafts, panels, problems at their cards, publishing, permissions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import clock, ingest
from contacts.items import Identify, Track
from contacts.models import Segment
from journeys import bundles, files, publishing, reports, work
from journeys.admin import attention, drafts, gallery, home, maps
from journeys.admin.panels import WIDGETS, described
from journeys.definition import Catalog
from journeys.lettering import wrapped
from journeys.models import Enrollment, Journey
from journeys.naming import names_in
from journeys.nodes import kinds
from journeys.picture import ENTRY, card_of, difference, draw, draw_changes
from messaging.models import Template

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)

FILE = """
journey: short
name: Short
entry: {trigger: {event: began}, reentry: every_time}
start: hello
nodes:
  hello: {kind: send, template: hello, transactional: true, next: pause}
  pause: {kind: wait, for: 1d, next: which}
  which:
    kind: branch
    paths: [{name: big, when: {attribute: seats, op: gte, value: 10}}]
    next: {big: done}
  done: {kind: exit}
templates: {hello: {name: Hello, subject: Hello, text: Hello}}
"""


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Totals of lists are kept for a while; ids of tests come again."""
    cache.clear()


@pytest.fixture
def journey() -> Journey:
    return bundles.take_in(FILE, at=NOW).journey


@pytest.fixture
def anna(admin_user: User) -> User:
    return admin_user


@pytest.fixture
def admin(client: Client, anna: User) -> Client:
    client.force_login(anna)
    return client


def send(client: Client, journey: Journey, name: str, data: Any) -> Any:
    url = reverse(f"admin:journeys_journey_{name}", args=[journey.pk])
    return client.post(url, json.dumps(data), content_type="application/json")


def with_nodes(count: int) -> dict[str, Any]:
    nodes = {
        f"n{number}": {"kind": "wait", "for": "1d", "next": f"n{number + 1}"}
        for number in range(count - 1)
    }
    nodes[f"n{count - 1}"] = {"kind": "exit"}
    return {
        "journey": "short",
        "name": "Short",
        "entry": {"trigger": {"event": "began"}},
        "start": "n0",
        "nodes": nodes,
    }


# Drafts


def test_a_draft_is_saved_with_who_and_when(admin: Client, journey: Journey, anna: User) -> None:
    draft = {**journey.draft, "name": "Longer", "description": "For all."}
    answer = send(admin, journey, "save", {"draft": draft, "revision": journey.draft_revision})
    assert answer.status_code == 200
    journey.refresh_from_db()
    assert (journey.name, journey.description, journey.draft_saved_by) == (
        "Longer",
        "For all.",
        anna,
    )
    assert answer.json()["revision"] == journey.draft_revision


def test_two_who_edit_the_same_draft_are_told(admin: Client, journey: Journey) -> None:
    revision = journey.draft_revision
    first = {**journey.draft, "name": "First"}
    assert send(admin, journey, "save", {"draft": first, "revision": revision}).status_code == 200
    second = send(admin, journey, "save", {"draft": journey.draft, "revision": revision})
    assert second.status_code == 409
    assert second.json()["revision"] == revision + 1
    assert "saved in another window" in second.json()["other"]
    journey.refresh_from_db()
    assert journey.name == "First"


def test_the_slug_stays_the_journeys_own(admin: Client, journey: Journey) -> None:
    draft = {**journey.draft, "journey": "other"}
    send(admin, journey, "save", {"draft": draft, "revision": journey.draft_revision})
    journey.refresh_from_db()
    assert journey.draft["journey"] == "short"


def test_lines_from_outcomes_that_are_gone_are_taken_away() -> None:
    def tidied(node: dict[str, Any]) -> Any:
        return drafts.tidied({"nodes": {"a": node}}, "x")["nodes"]["a"].get("next")

    wait = {"kind": "wait", "until_event": {"event": "seen"}}
    assert tidied({**wait, "next": {"event": "b", "timeout": "c"}}) == {"event": "b"}
    assert tidied({**wait, "next": {"next": "b"}}) == "b"
    assert tidied({"kind": "wait", "for": "1d", "next": {"event": "b", "timeout": "c"}}) == "b"
    assert tidied({"kind": "exit", "next": "b"}) is None
    assert tidied({"kind": "wait", "for": "?", "next": {"event": "b"}}) == {"event": "b"}


@pytest.mark.parametrize("draft", [None, 3, [], {}, {"nodes": 3}, {"nodes": {"a": 1}, "start": 4}])
def test_any_draft_can_be_saved_and_drawn(admin: Client, journey: Journey, draft: Any) -> None:
    answer = send(admin, journey, "save", {"draft": draft, "revision": journey.draft_revision})
    assert answer.status_code == 200
    assert answer.json()["errors"] > 0
    page = admin.get(reverse("admin:journeys_journey_change", args=[journey.pk]))
    assert page.status_code == 200


# What is shown


def test_problems_sit_at_their_cards(admin: Client, journey: Journey) -> None:
    nodes = {**journey.draft["nodes"], "pause": {"kind": "wait", "for": "never", "next": "which"}}
    draft = {**journey.draft, "nodes": nodes}
    state = send(admin, journey, "save", {"draft": draft, "revision": journey.draft_revision})
    cards = state.json()["cards"]
    assert [one["place"] for one in cards["pause"]["problems"]] == ["nodes.pause.for"]
    assert cards["pause"]["words"] == "Needs to be set up"


def test_a_place_leads_to_its_card() -> None:
    cards = {"a", "a-b", ENTRY}
    assert card_of("nodes.a.next", cards) == "a"
    assert card_of("nodes.a-b.paths[0].when", cards) == "a-b"
    assert card_of("entry.trigger", cards) == ENTRY
    assert card_of("goal.where[0]", cards) == ENTRY
    assert card_of("nodes", cards) is None
    assert card_of("nodes.gone", cards) is None


def test_every_setting_of_every_kind_has_a_widget() -> None:
    for kind in kinds().values():
        for setting in kind.Config.base_fields.values():
            assert any(isinstance(setting, one) for one in WIDGETS), (kind, setting)


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_a_new_node_of_each_kind_has_a_panel(admin: Client, journey: Journey, kind: str) -> None:
    node = {"kind": kind, **kinds()[kind].starts_as}
    draft = {**journey.draft, "nodes": {**journey.draft["nodes"], "new": node}}
    answer = send(admin, journey, "panel", {"draft": draft, "key": "new"})
    html = answer.content.decode()
    assert answer.status_code == 200
    assert kinds()[kind].label in html
    for name in kinds()[kind].Config.base_fields:
        assert f'data-setting="{name}"' in html


def test_the_start_has_a_panel_for_each_trigger(admin: Client, journey: Journey) -> None:
    for trigger in (
        {"event": "began", "where": [{"property": "a", "op": "eq", "value": 1}], "key": "a"},
        {"segment": "germans"},
        {"date": "birthday", "offset": "-3d", "at": "09:00", "yearly": True},
        {"manual": True},
        {},
    ):
        draft = {**journey.draft, "entry": {"trigger": trigger}}
        answer = send(admin, journey, "panel", {"draft": draft, "key": ENTRY})
        assert answer.status_code == 200
        assert b"Starts when" in answer.content


def test_a_difference_is_said_and_drawn(journey: Journey) -> None:
    nodes = dict(journey.draft["nodes"])
    nodes["pause"] = {**nodes["pause"], "for": "2d"}
    nodes["extra"] = {"kind": "wait", "for": "1h"}
    nodes["which"] = {**nodes["which"], "next": {"big": "extra"}}
    del nodes["done"]
    new = {**journey.draft, "nodes": nodes}
    found = difference(journey.draft, new)
    assert found.marks() == {
        "extra": "added",
        "pause": "changed",
        "which": "changed",
        "done": "removed",
    }
    assert "“Wait 1 day” becomes “Wait 2 days”." in found.sentences
    drawn = draw_changes(journey.draft, new)
    assert drawn.cards["done"].mark == "removed"
    assert "done" in drawn.layout.boxes


def test_a_difference_calls_steps_by_their_words(journey: Journey) -> None:
    """By the key only where two say the same."""
    day = {"kind": "wait", "for": "1d"}
    nodes = {**journey.draft["nodes"], "more": {**day, "next": "done"}, "again": day}
    nodes["hello"] = {**nodes["hello"], "next": "which"}
    nodes["which"] = {**nodes["which"], "next": {"big": "more"}}
    assert difference(journey.draft, {**journey.draft, "nodes": nodes}).sentences == [
        "“Wait 1 day” (more) is new.",
        "“Wait 1 day” (again) is new.",
        "“Send hello” leads to “If seats is at least 10”.",
        "“If seats is at least 10” leads by “big” to “Wait 1 day” (more).",
    ]


def test_the_history_calls_mails_by_their_names(admin_user: User, journey: Journey) -> None:
    nodes = {**journey.draft["nodes"], "bye": {"kind": "send", "template": "hello"}}
    draft = {**journey.draft, "nodes": nodes}
    revision = journey.draft_revision
    publishing.save_draft(journey, draft, by=admin_user, at=NOW, revision=revision)
    entry = publishing.entries(journey).latest("pk")
    assert "“Send Hello” (bye) is new." in entry.change_message


def test_text_is_broken_so_that_it_fits() -> None:
    lines = wrapped("Wait for a_very_long_name_of_an_event_that_goes_on_and_on at most", 120, 13)
    assert len(lines) > 2
    assert "".join(lines).replace(" ", "") == (
        "Waitfora_very_long_name_of_an_event_that_goes_on_and_onatmost"
    )


def test_the_svg_stands_by_itself(admin: Client, journey: Journey) -> None:
    answer = admin.get(reverse("admin:journeys_journey_svg", args=[journey.pk]))
    text = answer.content.decode()
    assert text.startswith("<svg xmlns=")
    assert "Wait 1 day" in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


# Speed


def test_statements_do_not_grow_with_nodes(admin: Client, journey: Journey) -> None:
    counts = []
    for size in (4, 5, 100):
        journey.refresh_from_db()
        sent = {"draft": with_nodes(size), "revision": journey.draft_revision}
        with CaptureQueriesContext(
            connection,
        ) as saving:
            assert send(admin, journey, "save", sent).status_code == 200
        with CaptureQueriesContext(connection) as opening:
            admin.get(reverse("admin:journeys_journey_change", args=[journey.pk]))
        counts.append((len(saving), len(opening)))
    assert counts[1] == counts[2]


def test_lists_have_a_fixed_number_of_statements(admin: Client, journey: Journey) -> None:
    def count(url: str) -> int:
        with CaptureQueriesContext(connection) as statements:
            assert admin.get(reverse(url)).status_code == 200
        return len(statements)

    lists = ["journey", "enrollment", "refusal", "webhookcall"]
    publishing.publish(journey, at=NOW)
    enroll(1)
    before = [count(f"admin:journeys_{name}_changelist") for name in lists]
    enroll(20)
    for _ in range(5):
        publishing.duplicate(journey, at=NOW)
    assert [count(f"admin:journeys_{name}_changelist") for name in lists] == before


# Publishing


def enroll(people: int, at: datetime = NOW) -> None:
    items: list[Any] = []
    for number in range(people):
        items.append(Identify(external_id=f"u{number}", email=f"u{number}@example.com"))
        items.append(Track("began", {}, at, None, f"u{number}"))
    ingest.record(items, received_at=at)
    while work.work(at):
        pass


def test_publishing_shows_who_stands_where_and_moves_them(admin: Client, journey: Journey) -> None:
    publishing.publish(journey, at=NOW)
    enroll(3, clock.now())
    nodes = dict(journey.draft["nodes"])
    nodes["rest"] = {"kind": "wait", "for": "3d", "next": "which"}
    nodes["hello"] = {**nodes["hello"], "next": "rest"}
    del nodes["pause"]
    saved = publishing.save_draft(
        journey, {**journey.draft, "nodes": nodes}, at=NOW, revision=journey.draft_revision
    )
    url = reverse("admin:journeys_journey_publish", args=[journey.pk])
    page = admin.get(url).content.decode()
    assert "3 people are on the way" in page
    assert "gone" in page
    form = {"revision": saved.draft_revision, "move-pause": "to:rest"}
    assert admin.post(url, form).status_code == 302
    stand = Enrollment.objects.values_list("node__key", "version__number")
    assert set(stand) == {("rest", 2)}
    move = journey.relocations.get()
    back = reverse("admin:journeys_journey_back", args=[journey.pk, move.pk])
    assert admin.post(back, {"sure": "yes"}).status_code == 302
    assert set(stand.all()) == {("pause", 1)}


def test_a_draft_with_errors_is_not_published(admin: Client, journey: Journey) -> None:
    draft = {**journey.draft, "start": "nowhere"}
    publishing.save_draft(journey, draft, at=NOW, revision=journey.draft_revision)
    url = reverse("admin:journeys_journey_publish", args=[journey.pk])
    assert "to solve first" in admin.get(url).content.decode()
    admin.post(url, {})
    journey.refresh_from_db()
    assert journey.live_version is None


def test_pause_resume_duplicate_restore_and_archive(admin: Client, journey: Journey) -> None:
    publishing.publish(journey, at=NOW)
    enroll(2)

    def act(name: str, *args: Any, **form: str) -> None:
        url = reverse(f"admin:journeys_journey_{name}", args=[journey.pk, *args])
        assert admin.post(url, form).status_code == 302
        journey.refresh_from_db()

    act("pause")
    assert journey.status == "paused"
    resume = reverse("admin:journeys_journey_resume", args=[journey.pk])
    assert "2 people are overdue" in admin.get(resume).content.decode()
    act("resume", how="spread", over="1h")
    assert journey.status == "live"
    act("duplicate")
    assert Journey.objects.filter(slug="short-copy").exists()
    act("restore", 1)
    for page in ("versions", "archive"):
        url = reverse(f"admin:journeys_journey_{page}", args=[journey.pk])
        assert admin.get(url).status_code == 200
    version = reverse("admin:journeys_journey_version", args=[journey.pk, 1])
    assert admin.get(version).status_code == 200
    act("archive")
    assert journey.status == "archived"
    assert set(Enrollment.objects.values_list("reason", flat=True)) == {"archived"}


# Numbers and people


def test_numbers_of_each_node(admin: Client, journey: Journey) -> None:
    publishing.publish(journey, at=NOW)
    enroll(4)
    found = reports.nodes(journey, None)
    assert (found["hello"].left, found["pause"].waiting) == (4, 4)
    assert found["hello"].messages["queued"] == 4
    assert found["hello"].outcomes == {"next": 4}
    totals = reports.totals([journey.pk])[journey.pk]
    assert (totals.entered, totals.waiting, totals.conversion) == (4, 4, None)
    url = reverse("admin:journeys_journey_numbers", args=[journey.pk])
    told = admin.get(url, {"period": "all"}).json()
    assert told["nodes"]["pause"]["waiting"] == 4
    assert told["entered"] == 4


def test_the_page_of_an_enrollment_explains_itself(admin: Client, journey: Journey) -> None:
    publishing.publish(journey, at=NOW)
    enroll(1)
    enrollment = Enrollment.objects.get()
    url = reverse("admin:journeys_enrollment_change", args=[enrollment.pk])
    page = admin.get(url).content.decode()
    assert "It stands at “Wait 1 day”" in page
    assert "“Hello” is waiting to be sent to u0@example.com." in page
    assert "by the event began" in page


def test_home_shows_what_needs_attention(admin: Client, journey: Journey) -> None:
    publishing.publish(journey, at=NOW)
    enroll(1)
    Enrollment.objects.update(resume_at=NOW - timedelta(days=1))
    publishing.pause(journey, at=NOW)
    page = admin.get(reverse("admin:index")).content.decode()
    assert "“Short” is paused" in page
    assert "Journeys that run" in page


def test_home_counts_one_as_one_and_writes_thousands_apart(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(count: int) -> str:
        one = attention.Matter("help", count, "mail failed", "mails failed", "")
        monkeypatch.setattr(home, "matters", lambda _: [one])
        return admin.get(reverse("admin:index")).content.decode()

    assert "<strong>1</strong> mail failed" in said(1)
    assert "<strong>1,010</strong> mails failed" in said(1010)


# Starting


def test_every_recipe_can_be_read_written_and_read_again() -> None:
    found = gallery.recipes()
    assert len(found) == 11
    for recipe in found:
        loaded = files.load(recipe.text, Catalog())
        assert loaded.definition is not None, (recipe.slug, list(loaded.problems))
        assert files.read(files.write(loaded.data)) == loaded.data


def test_a_recipe_becomes_a_journey_that_can_be_published(admin: Client) -> None:
    Template.objects.create(slug="cart-waiting", name="Mine", subject="Mine", text="Mine")
    url = reverse("admin:journeys_journey_add_recipe")
    for slug in ("abandoned-cart", "abandoned-cart-2"):
        assert admin.post(url, {"recipe": "abandoned-cart"}).status_code == 302
        made = Journey.objects.get(slug=slug)
        assert not publishing.problems(made).errors
    assert Template.objects.get(slug="cart-waiting").text == "Mine", "a recipe replaces nothing"


def test_the_ways_to_start(admin: Client, journey: Journey) -> None:
    page = admin.get(reverse("admin:journeys_journey_add")).content.decode()
    assert "Abandoned cart" in page
    assert admin.post(reverse("admin:journeys_journey_add_empty"), {"name": "Ünique"}).url.endswith(
        "/change/"
    )
    copied = admin.post(reverse("admin:journeys_journey_add_copy"), {"journey": journey.pk})
    assert copied.status_code == 302
    refused = admin.post(reverse("admin:journeys_journey_add_file"), {})
    assert (refused.status_code, b"Choose a file first." in refused.content) == (400, True)


def test_a_file_replaces_nothing_unless_somebody_chooses(admin: Client, journey: Journey) -> None:
    """A live journey keeps its draft, and the mails it sends stay as they are."""
    publishing.publish(journey, at=NOW)
    Template.objects.update(text="Mine")
    url = reverse("admin:journeys_journey_add_file")

    def take_in(**form: str) -> str:
        text = FILE.replace("for: 1d", "for: 9d")
        sent = {"file": SimpleUploadedFile("short.yaml", text.encode()), **form}
        return admin.post(url, sent, follow=True).content.decode()

    page = take_in()
    assert "There is a journey “short” already, so the file became “short-2”." in page
    assert "“Hello” was here already and stays as it is." in page
    journey.refresh_from_db()
    assert journey.draft["nodes"]["pause"]["for"] == "1d"
    made = Journey.objects.get(slug="short-2")
    assert (made.name, made.draft["nodes"]["pause"]["for"]) == ("Short 2", "9d")
    assert Template.objects.get().text == "Mine"
    assert "“Short” has the file as its draft." in take_in(replace="on")
    journey.refresh_from_db()
    assert journey.draft["nodes"]["pause"]["for"] == "9d"
    assert (Template.objects.get().text, Journey.objects.count()) == ("Hello", 2)


def test_a_file_replaces_only_what_its_sender_may_change(client: Client, journey: Journey) -> None:
    user = User.objects.create_user("who", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="add_journey"))
    client.force_login(user)
    sent = {"file": SimpleUploadedFile("short.yaml", FILE.encode()), "replace": "on"}
    assert client.post(reverse("admin:journeys_journey_add_file"), sent).status_code == 403


def test_a_file_round_trips_through_the_map(admin: Client, journey: Journey) -> None:
    sent = {"draft": journey.draft, "revision": journey.draft_revision}
    saved = send(admin, journey, "save", sent).json()["draft"]
    url = reverse("admin:journeys_journey_file", args=[journey.pk])
    text = admin.get(url).content.decode()
    assert files.read(text) == saved == journey.draft


def test_a_template_can_be_made_beside_the_map(admin: Client) -> None:
    url = reverse("admin:journeys_journey_template")

    def make(**data: str) -> Any:
        return admin.post(url, json.dumps(data), content_type="application/json")

    assert set(make().json()["problems"]) == {"name", "subject", "body"}
    made = make(name="Good day", subject="Hello", body="# Hello").json()
    assert made == {"slug": "good-day", "name": "Good day", "subject": "Hello"}
    assert "already" in make(name="Good day", subject="a", body="b").json()["problems"]["name"]
    preview = admin.get(reverse("admin:journeys_journey_preview"), {"template": "good-day"})
    assert preview.json()["subject"] == "Hello"
    assert preview.json()["source"]["format"] == "Markdown"
    mail = admin.get(reverse("admin:journeys_journey_mail"), {"template": "good-day"})
    assert "<h1" in mail.content.decode()
    assert mail["Content-Security-Policy"].startswith("sandbox;")


def test_a_template_can_be_changed_beside_the_map(admin: Client, journey: Journey) -> None:
    url = reverse("admin:journeys_journey_template")

    def change(**data: str) -> Any:
        return admin.post(url, json.dumps(data), content_type="application/json")

    before = {"slug": "hello", "name": "Hello", "subject": "Hello", "body": "Hi"}
    assert change(**{**before, "slug": "nobody"}).status_code == 404
    wrong = change(**{**before, "subject": "{{ x", "body": "{% if %}"}).json()["problems"]
    assert set(wrong) == {"subject", "body"}
    assert change(**{**before, "name": "Welcome", "body": "Hi {{ contact.email }}"}).json() == {
        "slug": "hello", "name": "Welcome", "subject": "Hello"}  # fmt: skip
    saved = Template.objects.get(slug="hello")
    assert (saved.text, saved.markdown, saved.name) == ("Hi {{ contact.email }}", "", "Welcome")


def test_templates_are_changed_only_by_those_who_may(client: Client, journey: Journey) -> None:
    client.force_login(User.objects.create_user("who", is_staff=True))
    sent = json.dumps({"slug": "hello", "name": "x", "subject": "x", "body": "x"})
    url = reverse("admin:journeys_journey_template")
    assert client.post(url, sent, content_type="application/json").status_code == 403
    for name in ("mail", "preview"):
        found = client.get(reverse(f"admin:journeys_journey_{name}"), {"template": "hello"})
        assert found.status_code == 403


# Permissions


def as_member(client: Client, group: str) -> Client:
    user = User.objects.create_user(group, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return client


@pytest.mark.parametrize(
    ("group", "sees", "edits", "publishes", "adds"),
    [
        ("Marketer", 200, 200, 200, 200),
        ("Analyst", 200, 403, 403, 403),
        ("Operator", 200, 403, 200, 403),
        ("Owner", 200, 200, 200, 200),
    ],
)
def test_each_group_may_do_its_work(
    client: Client,
    journey: Journey,
    groups: None,
    group: str,
    sees: int,
    edits: int,
    publishes: int,
    adds: int,
) -> None:
    member = as_member(client, group)
    at = [journey.pk]
    assert member.get(reverse("admin:journeys_journey_change", args=at)).status_code == sees
    sent = {"draft": journey.draft, "revision": journey.draft_revision}
    assert send(member, journey, "save", sent).status_code == edits
    assert member.get(reverse("admin:journeys_journey_publish", args=at)).status_code == publishes
    assert member.get(reverse("admin:journeys_journey_add")).status_code == adds
    for page in ("index", "journeys_enrollment_changelist", "journeys_journey_changelist"):
        assert member.get(reverse(f"admin:{page}")).status_code == 200


def test_nobody_is_let_in_without_a_permission(client: Client, journey: Journey) -> None:
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    for name in ("change", "publish", "numbers", "svg", "file", "versions", "enter", "draft"):
        url = reverse(f"admin:journeys_journey_{name}", args=[journey.pk])
        assert client.get(url).status_code == 403, name
    for name in ("pause", "resume", "archive", "duplicate", "save", "panel"):
        url = reverse(f"admin:journeys_journey_{name}", args=[journey.pk])
        assert client.post(url).status_code == 403, name
    client.logout()
    for name in ("change", "publish", "numbers"):
        url = reverse(f"admin:journeys_journey_{name}", args=[journey.pk])
        assert client.get(url).status_code == 302, name


def test_changes_are_in_the_history_with_their_difference(admin: Client, journey: Journey) -> None:
    nodes = {**journey.draft["nodes"], "pause": {"kind": "wait", "for": "2d", "next": "which"}}
    draft = {**journey.draft, "nodes": nodes}
    send(admin, journey, "save", {"draft": draft, "revision": journey.draft_revision})
    page = admin.get(reverse("admin:journeys_journey_history", args=[journey.pk]))
    assert "“Wait 1 day” becomes “Wait 2 days”" in page.content.decode()


def test_saves_of_one_sitting_are_one_entry(admin: Client, journey: Journey) -> None:
    for days in range(2, 6):
        journey.refresh_from_db()
        pause = {"kind": "wait", "for": f"{days}d", "next": "which"}
        draft = {**journey.draft, "nodes": {**journey.draft["nodes"], "pause": pause}}
        send(admin, journey, "save", {"draft": draft, "revision": journey.draft_revision})
    entry = LogEntry.objects.get()
    assert "“Wait 1 day” becomes “Wait 5 days”" in entry.change_message


def test_a_map_is_read_from_top_to_bottom(journey: Journey) -> None:
    drawn = maps.make(draw(journey.draft))
    said = [thing.said for thing in drawn.things if thing.card]
    assert said[0].startswith("Start: When began happens")
    assert any(
        "“big” leads to “Leaves the journey”" in one and "“everybody else” ends here" in one
        for one in said
    )


def test_words_name_templates_segments_and_topics(journey: Journey) -> None:
    """The draft keeps the slugs; cards, lines and panels say the names."""
    data = {
        "entry": {"trigger": {"segment": "vip"}, "filter": {"subscribed": "news"}},
        "exit_when": {"not": {"message": "mail", "did": "opened"}},
        "start": "mail",
        "nodes": {
            "mail": {"kind": "send", "template": "hello", "next": "which"},
            "which": {"kind": "branch", "paths": [{"name": "in", "when": {"segment": "vip"}}]},
            "mark": {"kind": "update", "set": {"segment": "vip"}},
        },
        "topics": {"news": {"name": "Weekly letter"}},
    }
    Segment.objects.create(slug="vip", name="Best customers")
    names = names_in(data)
    drawn = draw(data, names=names)
    start = drawn.cards[ENTRY]
    assert "Best customers" in start.words
    rows = [row.text for row in start.rows]
    assert any("Weekly letter" in row for row in rows)
    assert any("Hello" in row for row in rows)
    assert drawn.cards["mail"].words == "Send Hello"
    assert "Best customers" in drawn.cards["which"].words
    assert drawn.cards["mark"].words == "Set segment to vip"
    assert data["nodes"]["mail"]["template"] == "hello"


def test_the_names_of_a_journey_take_a_query_for_each_catalog(
    journey: Journey, django_assert_num_queries: Any
) -> None:
    data = {
        "nodes": {
            f"n{number}": {"kind": "send", "template": f"t{number}", "topic": "news"}
            for number in range(30)
        }
    }
    with django_assert_num_queries(2):
        assert names_in(data).of("topics", "news") == "news"


def test_a_step_is_called_by_its_kind_unless_somebody_named_it() -> None:
    cards = draw({"nodes": {"wait-2": {"kind": "wait", "for": "1d"},
                            "a-day": {"kind": "wait", "for": "1d"}}}).cards  # fmt: skip
    assert cards["wait-2"].subtitle == "Wait"
    assert cards["a-day"].subtitle == "Wait · a-day"


def test_lines_say_what_outcomes_mean() -> None:
    until = {"event": "ordered", "timeout": "3d"}
    nodes = {
        "look": {"kind": "wait", "until_event": until, "next": {"event": "call"}},
        "call": {"kind": "webhook", "url": "https://example.com"},
        "day": {"kind": "wait", "until_date": {"attribute": "birthday"}},
    }
    drawn = draw({"nodes": nodes, "start": "look"})
    labels = {drawn.label(route.line) for route in drawn.routes}
    assert {"it happened", "not within 3 days", "it worked", "it failed"} <= labels
    assert {"on the day", "already past", "no date known"} <= labels


def test_only_an_exit_can_not_be_put_on_a_line() -> None:
    assert [kind.kind for kind in kinds().values() if described(kind)["ends"]] == ["exit"]
