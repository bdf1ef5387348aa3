"""Values that pickers suggest: what many share, never what points at one person."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from contacts import suggestions
from contacts.models import Contact, Event

pytestmark = pytest.mark.django_db


def people(number: int, **attributes: Any) -> list[Contact]:
    """Contacts whose attributes are made from their number."""
    return Contact.objects.bulk_create(
        Contact(attributes={name: make(n) for name, make in attributes.items()})
        for n in range(number)
    )


def test_the_values_seen_are_offered_the_most_frequent_first() -> None:
    people(30, plan=lambda n: ("free", "free", "pro", "team", "free", "pro")[n % 6])
    assert suggestions.of_attribute("plan") == ["free", "pro", "team"]
    assert suggestions.of_attribute("plans") == []


def test_a_handful_of_contacts_is_enough() -> None:
    people(3, plan=lambda n: ("free", "pro", "team")[n], seats=lambda n: n)
    assert suggestions.of_attribute("plan") == ["free", "pro", "team"]
    assert suggestions.of_attribute("seats") == [0, 1, 2]


def test_items_of_lists_and_values_in_objects_are_offered() -> None:
    people(9, tags=lambda n: ["new", "vip"][: 1 + n % 2], place=lambda n: {"land": "de"})
    assert suggestions.of_attribute("tags") == ["new", "vip"]
    assert suggestions.of_attribute("place.land") == ["de"]
    assert suggestions.of_attribute("place") == []


def test_booleans_and_nulls_need_no_suggestions() -> None:
    people(9, vip=lambda n: True, gone=lambda n: None, blank=lambda n: " ")
    assert [suggestions.of_attribute(name) for name in ("vip", "gone", "blank")] == [[], [], []]


@pytest.mark.parametrize("number", [9, 400])
def test_what_differs_from_contact_to_contact_is_not_offered(number: int) -> None:
    people(number, company=lambda n: f"Company {n}", score=lambda n: n)
    assert suggestions.of_attribute("company") == []
    assert suggestions.of_attribute("score") == []


def test_among_many_a_value_of_one_alone_is_not_offered() -> None:
    people(60, plan=lambda n: "secret deal" if n == 7 else "pro")
    assert suggestions.of_attribute("plan") == ["pro"]


@pytest.mark.parametrize(
    "value",
    [
        "ada@example.com",
        "https://example.com/ada",
        "+49 170 1234567",
        "0170/1234567",
        "2026-03-01",
        "0b7e1f9a-0000-4000-8000-000000000001",
        "sk_live_51HxyzABCDEFGHIJKLMNOP",
        "x" * 41,
    ],
)
def test_what_may_point_at_somebody_is_not_offered(value: str) -> None:
    people(20, contact=lambda n: value)
    assert suggestions.of_attribute("contact") == []


@pytest.mark.parametrize(
    "name", ["email", "e_mail", "phoneNumber", "Home.street", "first_name", "name", "user.ip"]
)
def test_names_of_what_is_personal_are_never_offered(name: str) -> None:
    contact = Contact(email="a@b.c", attributes={})
    place = contact.attributes
    *objects, last = name.split(".")
    for key in objects:
        place = place.setdefault(key, {})
    place[last] = "Ada"
    contact.save()
    assert suggestions.of_attribute(name) == []


@pytest.mark.parametrize("name", ["plan_name", "address.city", "event_id", "mailing"])
def test_names_that_only_sound_alike_are_offered(name: str) -> None:
    first, _, second = name.partition(".")
    people(3, **{first: lambda n: {second: "x"} if second else "x"})
    assert suggestions.of_attribute(name) == ["x"]


def test_time_zones_are_all_offered_those_in_use_first() -> None:
    Contact.objects.create(timezone="Pacific/Auckland")
    offered = suggestions.of_attribute("timezone")
    assert offered[0] == "Pacific/Auckland"
    assert offered.count("Pacific/Auckland") == 1
    assert {"Europe/Berlin", "UTC"} <= set(offered)


def test_properties_of_an_event() -> None:
    contact = Contact.objects.create()
    Event.objects.create(contact=contact, name="bought", properties={"plan": "pro", "total": 5})
    Event.objects.create(contact=contact, name="seen", properties={"plan": "team"})
    assert suggestions.of_property("bought", "plan") == ["pro"]
    assert suggestions.of_property("bought", "total") == [5]
    assert suggestions.of_property("bought", "email") == []


def test_it_looks_at_so_many_rows_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(suggestions, "ROWS", 10)
    contact = people(25, plan=lambda n: "pro")[0]
    Event.objects.bulk_create(Event(contact=contact, name="bought") for _ in range(25))
    with CaptureQueriesContext(
        connection,
    ) as few:
        suggestions.of_attribute("plan")
        suggestions.of_property("bought", "plan")
    people(400, plan=lambda n: "pro")
    Event.objects.bulk_create(Event(contact=contact, name="bought") for _ in range(400))
    with CaptureQueriesContext(connection) as many:
        suggestions.of_attribute("plan")
        suggestions.of_property("bought", "plan")
    assert len(many) == len(few)
    reads = [query["sql"] for query in many if "FROM" in query["sql"]]
    assert len(reads) == 4
    assert all("LIMIT 10" in sql or "LIMIT 1" in sql or sql.count(",") < 15 for sql in reads)


def test_older_contacts_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestions, "ROWS", 10)
    people(20, plan=lambda n: "old")
    people(10, source=lambda n: "import")
    assert suggestions.of_attribute("plan") == ["old"]


def test_where_it_takes_too_long_nothing_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(seconds: float) -> Any:
        raise OperationalError("stopped")

    people(3, plan=lambda n: "pro")
    monkeypatch.setattr(suggestions, "at_most", stopped)
    assert suggestions.of_attribute("plan") == []


@pytest.mark.parametrize(("permission", "offered"), [("view_contact", ["pro"]), ("", [])])
def test_they_are_for_those_who_may_see_contacts(permission: str, offered: list[str]) -> None:
    contact = people(3, plan=lambda n: "pro")[0]
    Event.objects.create(contact=contact, name="bought", properties={"plan": "pro"})
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename=permission))
    client = Client()
    client.force_login(user)
    for asked in ({"attribute": "plan"}, {"event": "bought", "property": "plan"}):
        assert client.get("/conditions/values/", asked).json() == {"values": offered}
    assert client.get("/conditions/values/").json() == {"values": []}
