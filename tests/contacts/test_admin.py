"""The pages of people, events, segments, facts, keys and imports."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import clock, lookup, segments
from contacts.admin import panels, uses
from contacts.admin.base import MOST
from contacts.imports import running
from contacts.ingest import Alias, Identify, Track
from contacts.models import (
    ApiKey,
    AttributeName,
    Contact,
    Event,
    EventName,
    Fact,
    Import,
    Segment,
)
from tests.contacts.conftest import NOW, record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_nudges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contacts.imports.running.nudge", lambda: None)


def ann() -> Contact:
    record(
        Identify(
            {
                "first_name": "Ann",
                "last_name": "Becker",
                "seats": 12,
                "vip": True,
                "address": {"city": "Bonn"},
                "tags": ["a", "b"],
                "odd": [{"x": 1}],
                "due": "2026-05-01",
            },
            external_id="u1",
            email="Ann@x.org",
        ),
        Track("order_placed", {"total": 5}, external_id="u1"),
    )
    return Contact.objects.get()


def at(name: str, *args: Any) -> str:
    return reverse(f"admin:contacts_{name}", args=args)


@pytest.mark.parametrize(
    "model",
    ["contact", "event", "segment", "fact", "apikey", "import", "attributename", "eventname"],
)
def test_each_list_and_page_answers(admin_client: Client, model: str):
    contact = ann()
    Segment.objects.create(slug="s", name="S")
    ApiKey.make("k")
    assert admin_client.get(at(f"{model}_changelist")).status_code == 200
    if model in ("contact", "event", "segment", "apikey", "import"):
        assert admin_client.get(at(f"{model}_add")).status_code == 200
    first = {"contact": contact, "event": Event.objects.get(), "fact": Fact.objects.first()}
    row = first.get(model) or Segment.objects.get()
    if model in (*first, "segment"):
        assert admin_client.get(at(f"{model}_change", row.pk)).status_code == 200


def test_the_head_of_a_large_list_says_a_number_only_where_rows_were_chosen(admin_client: Client):
    ann()
    everybody = admin_client.get(at("contact_changelist"))
    assert "(<a" not in everybody.text
    chosen = admin_client.get(at("contact_changelist"), {"q": "nobody"})
    assert "0 results" in chosen.text


# People


def test_the_page_of_a_contact_says_who_this_is_and_what_happened(admin_client: Client):
    contact = ann()
    vip = Segment.objects.create(slug="vip", name="Good people")
    segments.add(vip, [contact.pk], at=NOW)
    record(Track("seen", anonymous_id="d1"))
    record(Alias("d1", "u1"))
    page = admin_client.get(at("contact_change", contact.pk)).content.decode()
    for text in ("Ann Becker", "Ann@x.org", "u1", "address.city", "Bonn", "order_placed"):
        assert text in page
    for text in ("total: 5", "Came into the segment Good people", "1 May 2026", "d1"):
        assert text in page
    assert "Merged with an anonymous visitor" in page
    assert "{&quot;" not in page
    assert "{&#x27;" not in page


def test_the_timeline_goes_back_page_by_page(admin_client: Client):
    record(
        *(
            Track(f"e{n:03}", external_id="u1", occurred_at=NOW - timedelta(hours=n))
            for n in range(60)
        )
    )
    contact = Contact.objects.get()
    first = admin_client.get(at("contact_change", contact.pk))
    assert "e010" in first.content.decode()
    assert "e050" not in first.content.decode()
    earlier = first.context["earlier"]
    second = admin_client.get(at("contact_change", contact.pk), {"before": earlier})
    text = second.content.decode()
    assert "e050" in text
    assert "e010" not in text
    assert admin_client.get(at("contact_change", contact.pk), {"before": "x"}).status_code == 200


def test_higher_rooms_add_sections_and_entries(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
):
    contact = ann()
    monkeypatch.setattr(panels, "_sections", [*panels._sections])
    monkeypatch.setattr(panels, "_sources", [*panels._sources])

    @panels.section(order=1)
    def topics(contact: Contact, request: Any) -> panels.Section:
        return panels.Section("Subscriptions", "label", [panels.Row("News", "subscribed")])

    @panels.timeline
    def mails(contact: Contact, before: Any, limit: int) -> list[panels.Entry]:
        return [panels.Entry(NOW + timedelta(hours=1), "mail", "Welcome was opened", tone="good")]

    page = admin_client.get(at("contact_change", contact.pk)).content.decode()
    assert "Subscriptions" in page
    assert page.index("Welcome was opened") < page.index("order_placed")


def form(contact: Contact, **changes: Any) -> dict[str, Any]:
    rows = {"first_name": ("text", "Ann"), "seats": ("number", "12"), "vip": ("boolean", "yes")}
    rows |= {"last_name": ("text", "Becker"), "address.city": ("text", "Bonn")}
    rows |= {"tags": ("list", "a, b"), "due": ("date", "2026-05-01")}
    rows |= changes.pop("rows", {})
    return {
        "external_id": contact.external_id or "",
        "email": contact.email,
        "timezone": contact.timezone,
        "language": contact.language,
        "attributes-name": list(rows),
        "attributes-type": [kind for kind, _ in rows.values()],
        "attributes-value": [value for _, value in rows.values()],
        **changes,
    }


def test_editing_writes_only_what_was_changed(admin_client: Client):
    contact = ann()
    Fact.objects.all().delete()
    data = form(
        contact,
        email="new@x.org",
        rows={"seats": ("number", "13"), "vip": ("boolean", ""), "address.zip": ("text", "01")},
    )
    answer = admin_client.post(at("contact_edit", contact.pk), data)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    contact.refresh_from_db()
    assert contact.email == "new@x.org"
    assert contact.attributes == {
        "first_name": "Ann",
        "last_name": "Becker",
        "seats": 13,
        "address": {"city": "Bonn", "zip": "01"},
        "tags": ["a", "b"],
        "odd": [{"x": 1}],
        "due": "2026-05-01",
    }
    changes = Fact.objects.get().payload["changes"]
    assert set(changes) == {"email", "attributes"}
    assert set(changes["attributes"]) == {"seats", "vip", "address"}


def test_editing_nothing_is_no_harm(admin_client: Client):
    contact = ann()
    before = contact.attributes
    admin_client.post(at("contact_edit", contact.pk), form(contact))
    contact.refresh_from_db()
    assert contact.attributes == before


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"seats": ("number", "many")}, "“many” in “seats” is no number."),
        ({"a..b": ("text", "x")}, "name can’t be empty"),
        ({"created_at": ("text", "x")}, "“created_at” can’t be set"),
    ],
)
def test_a_row_that_can_not_be_is_said(admin_client: Client, row: Any, message: str):
    contact = ann()
    answer = admin_client.post(at("contact_edit", contact.pk), form(contact, rows=row))
    errors = str(answer.context["adminform"].form.errors["attributes"])
    assert message.replace("’", "&#x27;") in errors


@pytest.mark.parametrize(("page", "rows"), [("contact", "attributes"), ("event", "properties")])
def test_an_address_that_names_rows_begins_without_them(admin_client: Client, page: str, rows: str):
    answer = admin_client.get(at(f"{page}_add"), {rows: "abc"})
    assert answer.status_code == 200
    assert 'value="abc"' not in answer.text


def test_a_contact_is_made_by_hand(admin_client: Client):
    data = {"external_id": "", "email": "x@y.z", "timezone": "", "language": ""}
    rows = {
        "attributes-name": ["plan"],
        "attributes-type": ["text"],
        "attributes-value": ["pro"],
    }
    assert admin_client.post(at("contact_add"), {**data, **rows}).status_code == 302
    contact = Contact.objects.get()
    assert (contact.external_id, contact.email, contact.attributes) == (
        None,
        "x@y.z",
        {"plan": "pro"},
    )
    assert Fact.objects.get().kind == "change"


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ("Mars/Phobos", "“Mars/Phobos” is no time zone. Write it as Europe/Berlin."),
        ("asia/tokyo", "“asia/tokyo” is no time zone. Write it as Asia/Tokyo."),
    ],
)
def test_a_time_zone_that_there_is_not_is_refused(admin_client: Client, zone: str, message: str):
    contact = ann()
    data = form(contact, timezone=zone, email="Typed@x.org")
    answer = admin_client.post(at("contact_edit", contact.pk), data)
    assert answer.context["adminform"].form.errors == {"timezone": [message]}
    assert str(answer.context["original"]) == "Ann@x.org"
    assert "Typed@x.org |" not in answer.text
    admin_client.post(at("contact_edit", contact.pk), form(contact, timezone="Asia/Tokyo"))
    contact.refresh_from_db()
    assert contact.timezone == "Asia/Tokyo"


def test_a_time_zone_that_came_in_long_ago_does_not_hinder(admin_client: Client):
    contact = ann()
    Contact.objects.update(timezone="Mars/Phobos")
    contact.refresh_from_db()
    admin_client.post(at("contact_edit", contact.pk), form(contact, language="de"))
    assert Contact.objects.get().language == "de"


def test_an_address_that_somebody_else_has_is_saved_and_said(admin_client: Client):
    contact = ann()
    record(Identify({}, external_id="u2"))
    other = Contact.objects.get(external_id="u2")
    alone = admin_client.post(at("contact_edit", other.pk), form(other, language="de"), follow=True)
    assert "is also that of" not in alone.text
    data = form(other, email="ann@X.org", rows={})
    page = admin_client.post(at("contact_edit", other.pk), data, follow=True).text
    link = f'<a class="underline" href="{at("contact_change", contact.pk)}">Ann Becker</a>'
    assert f"The address ann@X.org is also that of {link}." in page
    other.refresh_from_db()
    assert other.email == "ann@X.org"
    erase = admin_client.get(at("contact_erase", contact.pk)).text
    assert "The address Ann@x.org is also that of <a" in erase
    assert "Erasing suppresses it for all" in erase


def test_nobody_is_deleted_but_erased(admin_client: Client):
    contact = ann()
    for name in ("contact_change", "contact_edit", "contact_changelist"):
        page = admin_client.get(at(name, *([] if name.endswith("list") else [contact.pk]))).text
        assert at("contact_delete", contact.pk) not in page
        assert "delete_selected" not in page
    assert admin_client.post(at("contact_delete", contact.pk), {"post": "yes"}).status_code == 403
    page = admin_client.get(at("contact_change", contact.pk)).text
    assert at("contact_erase", contact.pk) in page
    assert at("contact_merge", contact.pk) in page


def test_merging_needs_to_change_and_to_delete(client: Client, django_user_model: type[User]):
    contact = ann()
    staff = django_user_model.objects.create_user("s", is_staff=True)
    client.force_login(staff)
    for codename, status in (
        ("view_contact", 403),
        ("change_contact", 403),
        ("delete_contact", 200),
    ):
        staff.user_permissions.add(Permission.objects.get(codename=codename))
        assert client.get(at("contact_merge", contact.pk)).status_code == status


def test_merging_asks_first(admin_client: Client):
    record(Track("x", external_id="u1"), Identify(external_id="u2", email="Two@x.org"))
    one = Contact.objects.get(external_id="u1")
    url = at("contact_merge", one.pk)
    assert "Nobody else has" in admin_client.post(url, {"other": "u1"}).content.decode()
    assert "can't be undone" in admin_client.post(url, {"other": "two@X.org"}).content.decode()
    assert Contact.objects.count() == 2
    admin_client.post(url, {"other": "two@X.org", "confirmed": "1"})
    assert Contact.objects.get().email == "Two@x.org"


@pytest.mark.parametrize("term", ["ann@", "ANN@x.org", "u1", "d1", "old", "Ann"])
def test_people_are_found_by_the_beginning_of_address_or_id(admin_client: Client, term: str):
    contact = ann()
    record(Identify(external_id="u1", anonymous_id="d1"), Track("x", external_id="other"))
    record(Track("x", external_id="old"), Alias("old", "u1"))
    found = admin_client.get(at("contact_changelist"), {"q": term}).context["cl"].result_list
    assert list(found) == [contact]


def test_a_search_says_in_its_field_and_in_full_what_is_searched(admin_client: Client):
    page = admin_client.get(at("contact_changelist")).text
    assert 'placeholder="Address or user id"' in page
    assert 'title="The beginning of an email address or user id, or a whole anonymous id."' in page
    assert 'title=""' not in admin_client.get(at("segment_changelist")).text


def test_the_search_and_the_list_use_indexes():
    if connection.vendor != "postgresql":
        record(Identify(email="a@x.org"))
        with CaptureQueriesContext(connection) as queries:
            lookup.beginning("a@")
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {queries[0]['sql']}")
            assert "USING INDEX contact_email" in str(cursor.fetchall())
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM contacts_contact WHERE lower(email)::text LIKE 'ab%'"
        )
        assert "contact_email_prefix" in str(cursor.fetchall())


def test_the_list_never_counts_beyond_what_anybody_turns_to(admin_client: Client):
    ann()
    with CaptureQueriesContext(connection) as queries:
        admin_client.get(at("contact_changelist"))
    counts = [q["sql"] for q in queries if "COUNT(" in q["sql"] and "contacts_contact" in q["sql"]]
    assert counts
    assert all(f"LIMIT {MOST + 1}" in sql for sql in counts)


def test_filters(admin_client: Client):
    contact = ann()
    record(Track("x", anonymous_id="d1"))
    vip = Segment.objects.create(slug="vip", name="VIP")
    segments.add(vip, [contact.pk], at=NOW)
    for query, number in (
        ({"segment": "vip"}, 1),
        ({"known_by": "id"}, 1),
        ({"known_by": "email"}, 1),
        ({"known_by": "nothing"}, 1),
        ({}, 2),
    ):
        page = admin_client.get(at("contact_changelist"), query)
        assert page.context["cl"].result_count == number


def test_without_permission_nothing_is_seen(client: Client, django_user_model: type[User]):
    contact = ann()
    staff = django_user_model.objects.create_user("s", is_staff=True)
    client.force_login(staff)
    names = ["contact_changelist", "event_changelist", "import_add", "apikey_add"]
    for url in (*(at(name) for name in names), at("contact_change", contact.pk)):
        assert client.get(url).status_code == 403
    for step in ("edit", "merge"):
        assert client.post(at(f"contact_{step}", contact.pk)).status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="view_contact"))
    assert client.get(at("contact_change", contact.pk)).status_code == 200
    assert client.post(at("contact_edit", contact.pk), form(contact)).status_code == 403
    assert client.get(at("contact_merge", contact.pk)).status_code == 403


# Events, facts, keys


def test_a_row_that_nobody_touched_keeps_its_value(admin_client: Client):
    """A field of one line shows neither line breaks nor blanks around a text."""
    kept = {
        "lines": "line1\nline2",
        "blank": "",
        "none": [],
        "edges": " x ",
        "parts": [" a", "b"],
        "big": 1234567890123456789,
        "tiny": 1e-7,
    }
    record(Identify({**kept, "plan": "free", "gone": "x"}, external_id="u1"))
    contact = Contact.objects.get()
    rows = {
        "lines": ("text", "line1line2"),
        "blank": ("text", ""),
        "none": ("list", ""),
        "edges": ("text", "x"),
        "parts": ("list", "a, b"),
        "big": ("number", "1234567890123456789"),
        "tiny": ("number", "1e-07"),
        "plan": ("text", "pro"),
        "wide": ("number", "9223372036854775807"),
    }
    sent = form(contact) | {
        "attributes-name": list(rows),
        "attributes-type": [kind for kind, _ in rows.values()],
        "attributes-value": [value for _, value in rows.values()],
    }
    answer = admin_client.post(at("contact_edit", contact.pk), sent)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    contact.refresh_from_db()
    assert contact.attributes == {**kept, "plan": "pro", "wide": 9223372036854775807}
    for odd in ({"email": "none"}, {"rows": {"email": ("text", "a@x.org")}}):
        answer = admin_client.post(at("contact_edit", contact.pk), form(contact, **odd))
        assert answer.status_code == 200
    deep = {"rows": {".".join("a" * 60): ("text", "x")}}
    assert (
        admin_client.post(at("contact_edit", contact.pk), form(contact, **deep)).status_code == 200
    )


@pytest.mark.parametrize(
    "before", ["2026-01-01", "0001-01-01T00:00:00+14:00", "x", "9999-12-31T23:59:59-14:00"]
)
def test_any_moment_in_the_address_of_a_timeline_is_read(admin_client: Client, before: str):
    contact = ann()
    answer = admin_client.get(at("contact_change", contact.pk), {"before": before})
    assert answer.status_code == 200


@pytest.mark.usefixtures("redis_server")
def test_an_event_made_by_hand_is_a_fact(
    admin_client: Client, django_capture_on_commit_callbacks: Any
):
    contact = ann()
    Fact.objects.all().delete()
    sent = {
        "contact": contact.pk,
        "name": "tried",
        "properties-name": ["n"],
        "properties-type": ["number"],
        "properties-value": ["3"],
    }
    with django_capture_on_commit_callbacks(execute=True):
        answer = admin_client.post(at("event_add"), sent)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert EventName.objects.get(name="tried").properties == {"n": ["number"]}
    event = Event.objects.get(name="tried")
    assert event.properties == {"n": 3}
    assert Fact.objects.get().event == event


@pytest.mark.parametrize("person", ["abc", "1.5", "-1", "٣é", "9" * 30])
def test_an_event_of_nobody_is_refused_at_its_field(admin_client: Client, person: str):
    sent = {"contact": person, "name": "tried"}
    answer = admin_client.post(at("event_add"), sent)
    assert (answer.status_code, Event.objects.count()) == (200, 0)
    assert "contact" in answer.context["adminform"].form.errors
    assert admin_client.get(at("event_add"), {"contact": person}).status_code == 200


def test_facts_that_were_put_aside_are_tried_again(
    admin_client: Client, django_capture_on_commit_callbacks: Any
):
    ann()
    pk = Fact.objects.order_by("id").first().pk
    Fact.objects.filter(pk=pk).update(error="Traceback\nKeyError: 'x'", failed_at=NOW)
    page = admin_client.get(at("fact_changelist")).content.decode()
    assert "1 could not be worked through" in page
    assert "KeyError" in page
    admin_client.post(at("fact_changelist"), {"action": "try_again", "_selected_action": [pk]})
    fact = Fact.objects.get(pk=pk)
    assert (fact.error, fact.failed_at) == ("", None)


def test_a_key_is_shown_once_and_opens_until_it_is_revoked(admin_client: Client):
    answer = admin_client.post(at("apikey_add"), {"name": "shop", "scope": "ingest"})
    text = answer.context["text"]
    assert "no-store" in answer["Cache-Control"]
    assert text in answer.content.decode()
    key = ApiKey.find(text)
    assert key is not None
    listed = admin_client.get(at("apikey_changelist")).content.decode()
    assert text not in listed
    assert key.hash not in listed
    admin_client.post(at("apikey_changelist"), {"action": "revoke", "_selected_action": [key.pk]})
    assert ApiKey.find(text) is None


# Segments


def test_a_segment_is_made_and_counted_without_starting_anything(admin_client: Client):
    record(Identify({"plan": "pro"}, external_id="a"), Identify({}, external_id="b"))
    condition = '{"attribute": "plan", "op": "eq", "value": "pro"}'
    answer = admin_client.post(
        at("segment_add"), {"name": "Pro", "slug": "pro", "condition": condition}
    )
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    segment = Segment.objects.get()
    assert segments.size(segment) == 1
    assert not Fact.objects.filter(kind="recount").exists()
    page = admin_client.get(at("segment_change", segment.pk)).content.decode()
    assert "plan is pro" in page
    assert "made today" in page
    assert "<canvas" not in page
    assert "plan is pro" in admin_client.get(at("segment_changelist")).content.decode()
    record(Identify({"plan": "pro"}, external_id="b"))
    url = reverse("admin:contacts_segment_recount", args=[segment.pk])
    assert "1 came in" in admin_client.get(url, follow=True).content.decode()


def test_the_line_of_a_segment_begins_when_it_was_made(admin_client: Client):
    record(*(Identify({}, external_id=f"u{n}") for n in range(3)))
    vip = Segment.objects.create(slug="vip", name="VIP")
    ids = list(Contact.objects.values_list("id", flat=True))
    today = clock.now()

    def page_of_age(days: int) -> str:
        Segment.objects.update(created_at=today - timedelta(days=days))
        page = admin_client.get(at("segment_change", vip.pk))
        assert len(json.loads(page.context["chart"])["labels"]) == min(days + 1, 30)
        return page.text

    segments.add(vip, ids[:1], at=today - timedelta(days=4))
    assert "as many as when it was made" in page_of_age(4)
    segments.add(vip, ids[1:], at=today)
    assert "2 more since it was made" in page_of_age(4)
    assert "3 more than 30 days ago" in page_of_age(60)


def test_a_segment_needs_a_condition_or_hands(admin_client: Client):
    data = {"name": "X", "slug": "x", "condition": ""}
    answer = admin_client.post(at("segment_add"), data)
    assert "Say who is a member." in answer.content.decode()
    assert admin_client.post(at("segment_add"), {**data, "by_hand": "on"}).status_code == 302
    assert Segment.objects.get().is_static


def test_a_condition_of_a_segment_by_hand_is_not_dropped(admin_client: Client):
    condition = {"attribute": "plan", "op": "eq", "value": "pro"}
    both = {"name": "X", "slug": "x", "condition": json.dumps(condition), "by_hand": "on"}
    answer = admin_client.post(at("segment_add"), both)
    assert "Untick this, or remove the condition" in answer.text
    assert not Segment.objects.exists()
    del both["by_hand"]
    assert admin_client.post(at("segment_add"), both).status_code == 302
    assert Segment.objects.get().condition == condition


def test_a_segment_that_others_use_is_not_deleted_and_says_by_whom(admin_client: Client):
    vip = Segment.objects.create(slug="vip", name="VIP")
    good = Segment.objects.create(
        slug="good", name="Good", condition={"not": {"any": [{"segment": "vip"}]}}
    )
    url = at("segment_delete", vip.pk)
    chosen = {"action": "delete_selected", "post": "yes", "_selected_action": [vip.pk]}
    for answer in (
        admin_client.get(url),
        admin_client.post(url, {"post": "yes"}),
        admin_client.post(at("segment_changelist"), chosen),
    ):
        assert "“VIP” is used by the segment <a" in answer.text
        assert at("segment_change", good.pk) in answer.text
    assert Segment.objects.count() == 2
    both = {**chosen, "_selected_action": [vip.pk, good.pk]}
    admin_client.post(at("segment_changelist"), both)
    assert not Segment.objects.exists()


def test_higher_rooms_say_that_they_use_a_segment(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
):
    vip = Segment.objects.create(slug="vip", name="VIP")
    monkeypatch.setattr(uses, "_uses", [*uses._uses])

    @uses.of_segment
    def drafts(segment: Segment) -> list[uses.Use]:
        names = ("Welcome", "Thanks")
        return [uses.Use("the draft of the journey", name, "/there/") for name in names]

    admin_client.post(at("segment_delete", vip.pk), {"post": "yes"})
    page = admin_client.get(at("segment_delete", vip.pk)).text
    assert "“Welcome”</a> and the draft of the journey <a" in page
    assert Segment.objects.exists()


def test_people_are_put_into_a_static_segment_and_taken_out(admin_client: Client):
    vip = segments.make("VIP")
    record(
        Identify(external_id="u1", email="Ann@x.org"),
        Identify(external_id="u2", email="ann@x.org"),
        Identify(external_id="u 3"),
        Identify(external_id="u4"),
    )
    people = at("segment_people", vip.pk)
    assert people in admin_client.get(at("segment_change", vip.pk)).text
    assert at("segment_recount", vip.pk) not in admin_client.get(at("segment_change", vip.pk)).text
    asked = {"people": "ANN@x.org, u 3\r\nnobody; \r\n", "start_journeys": "on", "what": "in"}
    told = admin_client.post(people, asked, follow=True).text
    assert "VIP: 3 people came in." in told
    assert "Not known: nobody." in told
    Fact.objects.all().delete()
    told = admin_client.post(people, {"people": "u 3\nu4", "what": "in"}, follow=True).text
    assert "VIP: 1 person came in, 1 was in it already." in told
    assert Fact.objects.get().payload == {"joined": [vip.pk], "quiet": True}
    told = admin_client.post(people, {"people": "u1\nu4\nu2", "what": "out"}, follow=True).text
    assert "VIP: 3 people left." in told
    assert [one.external_id for one in segments.members(vip, NOW)] == ["u 3"]
    assert (
        "Nobody has any of these" in admin_client.post(people, {"people": "x", "what": "in"}).text
    )


def test_only_a_static_segment_is_filled_by_hand(admin_client: Client):
    dynamic = Segment.objects.create(slug="d", name="D", condition={"event": "x"})
    page = admin_client.get(at("segment_change", dynamic.pk)).text
    assert at("segment_people", dynamic.pk) not in page
    assert at("segment_recount", dynamic.pk) in page
    assert admin_client.post(at("segment_people", dynamic.pk), {"people": "u1"}).status_code == 403
    for name in ("people", "recount", "show_members"):
        assert admin_client.get(at(f"segment_{name}", dynamic.pk + 1)).status_code in (403, 404)


def test_people_who_were_chosen_from_the_list_go_into_a_segment(admin_client: Client):
    vip = segments.make("VIP")
    record(*(Identify(external_id=f"u{number}") for number in range(3)))
    ids = list(Contact.objects.order_by("pk").values_list("pk", flat=True))
    asked = admin_client.post(
        at("contact_changelist"), {"action": "choose_segment", "_selected_action": ids[:2]}
    ).text
    assert "Put 2 people into a segment" in asked
    assert f'value="{ids[0]},{ids[1]}"' in asked
    chosen = {"ids": f"{ids[0]},{ids[1]}", "segment": vip.pk, "what": "in"}
    told = admin_client.post(at("contact_segments"), chosen, follow=True).text
    assert "VIP: 2 people came in." in told
    assert segments.size(vip) == 2
    page = admin_client.get(at("contact_change", ids[0])).text
    assert f"{at('contact_segments')}?ids={ids[0]}" in page
    assert "Put u0 into a segment" in admin_client.get(at("contact_segments"), {"ids": ids[0]}).text
    gone = {"ids": ids[0], "segment": vip.pk, "what": "out"}
    told = admin_client.post(at("contact_segments"), gone, follow=True)
    assert told.redirect_chain == [(at("contact_change", ids[0]), 302)]
    assert "VIP: 1 person left." in told.text
    for odd in ("", "x", "-1", "9" * 30):
        told = admin_client.get(at("contact_segments"), {"ids": odd}, follow=True).text
        assert "Nobody was chosen." in told


def test_people_are_exported_as_an_import_reads_them(admin_client: Client, client: Client):
    record(
        Identify(
            {
                "=cmd": "-x",
                "plan": "pro",
                "seats": 3,
                "vip": True,
                "tags": ["a", "b"],
                "odd": ["a,b", 1],
                "big": 1234567890123456789,
                "none": {},
                "formula": "=1+1",
                "address": {"city": "Köln", "zip": None},
            },
            external_id="u1",
            email="Ann@x.org",
            timezone="Europe/Berlin",
            language="de",
        ),
        Identify({"plan": "free"}, email="=1+1@x.org"),
        Identify(external_id="not chosen"),
    )
    ids = Contact.objects.exclude(external_id="not chosen").values_list("pk", flat=True)
    chosen = {"action": "export_csv", "_selected_action": list(ids)}
    answer = admin_client.post(at("contact_changelist"), chosen)
    file = b"".join(answer.streaming_content)
    header, one, two = csv.reader(io.StringIO(file.decode("utf-8-sig")))
    assert header[:5] == ["external_id", "email", "timezone", "locale", "created_at"]
    assert header[5:8] == ["'=cmd", "address.city", "big"]
    assert header[8:] == ["formula", "odd", "plan", "seats", "tags", "vip"]
    assert one[:4] == ["u1", "Ann@x.org", "Europe/Berlin", "de"]
    assert one[5:8] == ["'-x", "Köln", "1234567890123456789"]
    assert one[8:] == ["'=1+1", '["a,b", 1]', "pro", "3", "a, b", "true"]
    assert two[1] == "'=1+1@x.org"
    assert two[5:] == ["", "", "", "", "", "free", "", "", ""]
    kept = LogEntry.objects.get(change_message="Exported as CSV.")
    assert kept.object_repr == "2 people"

    for name in ("tags", "odd"):
        AttributeName.objects.create(name=name, types=["list"], first_seen_at=NOW, last_seen_at=NOW)
    before = Contact.objects.get(external_id="u1")
    before.delete()
    source = running.prepare(io.BytesIO(file), "people.csv")
    running.start(source)
    running.run(source)
    after = Contact.objects.get(external_id="u1")
    assert (after.email, after.language, after.created_at) == (
        before.email,
        before.language,
        before.created_at,
    )
    del before.attributes["none"]
    assert after.attributes == before.attributes | {"address": {"city": "Köln"}}

    staff = User.objects.create_user("s", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_contact"))
    client.force_login(staff)
    assert "Export as CSV" not in client.get(at("contact_changelist")).text
    assert client.post(at("contact_changelist"), chosen).status_code in (200, 302)
    assert LogEntry.objects.filter(user=staff).count() == 0


@pytest.mark.parametrize(
    ("codename", "may", "may_not"),
    [("add_membership", "in", "out"), ("delete_membership", "out", "in")],
)
def test_filling_segments_has_permissions_of_its_own(
    client: Client, codename: str, may: str, may_not: str
):
    vip = segments.make("VIP")
    record(Identify(external_id="u1"))
    staff = User.objects.create_user("s", is_staff=True)
    client.force_login(staff)
    sees = Permission.objects.filter(
        codename__in=["view_segment", "view_contact", "change_segment"]
    )
    staff.user_permissions.set(sees)
    people, chosen = at("segment_people", vip.pk), at("contact_segments")
    pk = Contact.objects.get().pk
    assert client.post(people, {"people": "u1", "what": may}).status_code == 403
    assert client.post(chosen, {"ids": pk, "segment": vip.pk, "what": may}).status_code == 403
    assert "Put in or take out" not in client.get(at("contact_change", pk)).text
    staff.user_permissions.add(Permission.objects.get(codename=codename))
    assert f'value="{may_not}"' not in client.get(people).text
    for url, sent in ((people, {"people": "u1"}), (chosen, {"ids": pk, "segment": vip.pk})):
        assert client.post(url, {**sent, "what": may}).status_code == 302
        assert client.post(url, {**sent, "what": may_not}).status_code == 403


# Imports


def upload(client: Client, text: str) -> Import:
    file = io.BytesIO(text.encode("cp1252"))
    file.name = "../people märz.csv"
    answer = client.post(at("import_add"), {"upload": file})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    source = Import.objects.latest("pk")
    assert answer["Location"] == at("import_columns", source.pk)
    return source


def options(source: Import, **changes: str) -> dict[str, str]:
    data = {"update_existing": "on", "overwrite": "all", "keep_unsubscribed": "on", "tag": ""}
    for index, item in enumerate(source.mapping):
        data[f"to-{index}"] = item["to"]
        data[f"name-{index}"] = item["name"]
        data[f"type-{index}"] = item["type"]
    return {**data, **changes}


def test_an_import_from_upload_to_undo(admin_client: Client):
    source = upload(admin_client, "E-Mail;Plan;Seats\na@x.org;pro;1\nb@x.org;frühling;many\n")
    assert "people märz.csv" in source.filename
    assert "/" not in source.filename
    assert source.file.name.startswith("imports/")
    page = admin_client.get(at("import_columns", source.pk)).content.decode()
    assert "frühling" in page
    wrong = options(source, **{"to-0": "skip"})
    answer = admin_client.post(at("import_columns", source.pk), wrong)
    assert "One column must be the user id or the email address." in answer.content.decode()
    right = options(
        source, **{"type-2": "number", "name-2": "seats", "tag": "spring", "keep-2": "on"}
    )
    admin_client.post(at("import_columns", source.pk), right)
    source.refresh_from_db()
    assert [item.get("keep") for item in source.mapping] == [None, None, True]
    assert running.run_due() == 1
    assert 'name="keep-2" checked' in admin_client.get(at("import_columns", source.pk)).text
    page = admin_client.get(at("import_change", source.pk)).content.decode()
    assert "would be created" in page
    assert "“many” in “Seats” is no number." in page
    assert Contact.objects.count() == 0
    do = at("import_do", source.pk)
    admin_client.post(do, {"what": "start"})
    progress = admin_client.get(at("import_progress", source.pk)).content.decode()
    assert "load delay" in progress
    assert running.run_due() == 1
    assert Contact.objects.get().attributes == {"plan": "pro", "seats": 1, "imports": ["spring"]}
    page = admin_client.get(at("import_change", source.pk)).content.decode()
    assert "load delay" not in page
    assert "Refused rows as CSV" in page
    record(Identify({}, external_id="somebody else"))
    people = f"{at('contact_changelist')}?import={source.pk}"
    assert f'href="{people}">1</a></dd><dt>created</dt>' in page
    assert [one.email for one in admin_client.get(people).context["cl"].result_list] == ["a@x.org"]
    Contact.objects.get(external_id="somebody else").delete()
    refused = admin_client.get(at("import_refused", source.pk))
    lines = b"".join(refused.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[1].startswith("3,“many”")
    asked = admin_client.get(at("import_undo", source.pk)).text
    assert "1 person that it created goes, 0 get back what it changed." in asked
    assert Contact.objects.count() == 1
    admin_client.post(do, {"what": "undo"})
    running.run_due()
    assert Contact.objects.count() == 0
    page = admin_client.get(at("import_change", source.pk)).text
    assert "<dd>1</dd><dt>removed again</dt>" in page
    assert "The import had created 1 person and updated 0. That was taken back." in page
    assert "<dt>created</dt>" not in page
    assert admin_client.get(at("import_undo", source.pk)).status_code == 302
    late = admin_client.post(do, {"what": "pause"}, follow=True)
    assert "moved on meanwhile" in late.content.decode()


def test_an_import_says_how_far_it_is_paused_or_being_undone(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(running, "SIZE", 2)
    source = upload(admin_client, "email\n" + "".join(f"{n}@x.org\n" for n in range(5)))
    admin_client.post(at("import_columns", source.pk), options(source))
    running.run_due()

    def page() -> str:
        return admin_client.get(at("import_change", source.pk)).text

    running.start(source)
    running.run(source, stop_at=clock.now())
    running.pause(source)
    assert "2 of 5 rows." in page()
    assert 'value="40"' in page()
    running.start(source)
    running.run_due()
    running.undo(source)
    for taken in (0, 1, 3):
        assert f"{taken} of 5 rows taken back." in page()
        assert f'value="{20 * taken}"' in page()
        running.run(source, stop_at=clock.now())
    assert running.taken_back(source) == 5
    running.run_due()
    assert "rows taken back" not in page()


def test_an_import_makes_the_segment_it_adds_everybody_to(admin_client: Client):
    Segment.objects.create(slug="spring-fair", name="Fair of spring")
    pros = Segment.objects.create(
        slug="pros", name="Pros", condition={"attribute": "p", "op": "exists"}
    )
    guests = segments.make("Guests")
    source = upload(admin_client, "E-Mail\na@x.org\n")
    columns = at("import_columns", source.pk)
    for wrong, said in (
        ({"new_segment": "guests"}, "There is a segment of that name: choose it above."),
        ({"new_segment": pros.name}, "has its members by a condition: take another name."),
        ({"new_segment": "X", "segment": str(guests.pk)}, "Choose a segment or name a new one"),
    ):
        assert said in admin_client.post(columns, options(source, **wrong)).text
    offered = admin_client.get(columns).context["form"].fields["segment"].queryset
    assert [one.name for one in offered] == ["Fair of spring", "Guests"]
    assert Segment.objects.count() == 3
    assert admin_client.post(columns, options(source, new_segment="Spring fair")).status_code == 302
    running.run_due()
    admin_client.post(at("import_do", source.pk), {"what": "start"})
    running.run_due()
    made = Segment.objects.get(name="Spring fair")
    assert made.slug == "spring-fair-2"
    assert [one.email for one in segments.members(made, NOW)] == ["a@x.org"]


def test_who_may_not_add_segments_is_not_asked_for_one(client: Client):
    staff = User.objects.create_user("s", is_staff=True)
    staff.user_permissions.set(
        Permission.objects.filter(codename__in=["view_import", "add_import"])
    )
    client.force_login(staff)
    source = upload(client, "E-Mail\na@x.org\n")
    assert "new_segment" not in client.get(at("import_columns", source.pk)).text
    client.post(at("import_columns", source.pk), options(source, new_segment="Mine"))
    assert not Segment.objects.exists()


def test_imports_are_deleted_with_their_files_but_not_while_they_are_at_work(admin_client: Client):
    done = upload(admin_client, "E-Mail\na@x.org\nbad\n")
    running.start(done)
    running.run(done)
    busy = upload(admin_client, "E-Mail\nb@x.org\n")
    running.start(busy)
    files = [source.file.storage.path(source.file.name) for source in (done, busy)]
    chosen = {"action": "delete_selected", "_selected_action": [done.pk, busy.pk]}
    told = admin_client.post(at("import_changelist"), chosen).text
    assert "is being worked on. Pause it first." in told
    admin_client.post(at("import_changelist"), {**chosen, "post": "yes"})
    assert Import.objects.count() == 2
    chosen["_selected_action"] = [done.pk]
    assert "Refused rows: 1" in admin_client.post(at("import_changelist"), chosen).text
    admin_client.post(at("import_changelist"), {**chosen, "post": "yes"})
    assert list(Import.objects.all()) == [busy]
    assert [Path(file).exists() for file in files] == [False, True]
    assert Contact.objects.get().email == "a@x.org"


def test_a_segment_is_deleted_without_naming_its_members(admin_client: Client):
    vip = segments.make("VIP")
    record(*(Identify(external_id=f"u{number}") for number in range(3)))
    segments.add(vip, Contact.objects.values_list("pk", flat=True), at=NOW)
    page = admin_client.get(at("segment_delete", vip.pk)).text
    assert "Memberships: 3" in page
    assert page.count("Membership:") == 0
    with CaptureQueriesContext(connection) as queries:
        admin_client.post(at("segment_delete", vip.pk), {"post": "yes"})
    assert not Segment.objects.exists()
    assert not any('"contacts_membership"."entered_at"' in one["sql"] for one in queries)


def test_undoing_says_who_stays_before_and_afterwards(admin_client: Client):
    source = upload(admin_client, "User ID;E-Mail\nu1;a@x.org\nu2;b@x.org\n")
    running.start(source)
    running.run(source)
    record(Track("seen", external_id="u2"))
    asked = admin_client.get(at("import_undo", source.pk)).text
    assert "1 person that it created goes, 0 get back what it changed." in asked
    assert "1 stays although created by it, because something has happened to them" in asked
    admin_client.post(at("import_do", source.pk), {"what": "undo"})
    running.run_due()
    page = admin_client.get(at("import_change", source.pk)).text
    assert "<dd>1</dd><dt>created, and stay</dt>" in page
    assert Contact.objects.get().external_id == "u2"


@pytest.mark.usefixtures("groups")
def test_who_may_only_look_sees_an_import_without_its_buttons(
    admin_client: Client, client: Client, django_user_model: type[User]
):
    source = upload(admin_client, "E-Mail\na@x.org\nbad\n")
    analyst = django_user_model.objects.create_user("a", is_staff=True)
    analyst.groups.add(Group.objects.get(name="Analyst"))
    client.force_login(analyst)
    assert at("import_change", source.pk) in client.get(at("import_changelist")).text
    assert "Waiting for its columns" in client.get(at("import_change", source.pk)).text
    admin_client.post(at("import_columns", source.pk), options(source))
    running.run_due()
    admin_client.post(at("import_do", source.pk), {"what": "start"})
    assert "load delay" in client.get(at("import_progress", source.pk)).text
    running.run_due()
    page = client.get(at("import_change", source.pk)).text
    assert "“bad” is no email address." in page
    assert "<button" not in page[page.index('id="standing"') : page.index("How it is read")]
    assert "Undo" not in page
    for step in ("columns", "do", "undo", "refused"):
        assert client.post(at(f"import_{step}", source.pk), {"what": "undo"}).status_code == 403
    assert admin_client.get(at("import_undo", source.pk + 1)).status_code == 404


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\n", "The file is empty."),
        (b"email,name\n", "The file has no rows below the names of its columns."),
        (b"PK\x03\x04\x14\0xl/workbook.xml", "This is an Excel workbook: save it as CSV."),
    ],
)
def test_a_file_without_anything_is_refused_at_once(
    admin_client: Client, data: bytes, message: str
):
    file = io.BytesIO(data)
    file.name = "x.csv"
    answer = admin_client.post(at("import_add"), {"upload": file})
    assert message in answer.text
    assert not Import.objects.exists()
