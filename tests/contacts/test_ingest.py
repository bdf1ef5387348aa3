"""Events and changes on their way in: T2, T3, T7, T8, C5."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.dispatch import Signal
from django.test.utils import CaptureQueriesContext

from contacts import ingest
from contacts.ingest import Alias, Identify, Track
from contacts.models import AnonymousId, Contact, Event, Fact
from contacts.signals import contacts_changed, events_recorded
from tests.contacts.conftest import NOW, record

pytestmark = pytest.mark.django_db


def facts() -> list[tuple[str, str | None, dict[str, Any]]]:
    rows = Fact.objects.select_related("contact").order_by("id")
    return [(fact.kind, fact.contact.external_id, fact.payload) for fact in rows]


def test_an_event_of_somebody_unknown_makes_the_contact_and_is_one_fact_before_its_creation():
    outcome = record(Track("order_placed", {"total": 12.5}, external_id="u1"))
    assert (outcome.accepted, outcome.duplicates, outcome.rejected) == (1, 0, [])
    contact = Contact.objects.get()
    assert (contact.external_id, contact.created_at) == ("u1", NOW)
    event = Event.objects.get()
    assert (event.name, event.properties, event.contact) == (
        "order_placed",
        {"total": 12.5},
        contact,
    )
    assert (event.occurred_at, event.received_at) == (NOW, NOW)
    assert facts() == [("event", "u1", {}), ("change", "u1", {"created": True})]
    assert Fact.objects.first().event == event


def test_identify_keeps_old_and_new_in_the_fact_so_that_the_engine_can_go_back():
    record(Identify({"plan": "free", "seats": 1}, external_id="u1", email="A@example.com"))
    record(Identify({"plan": "pro", "seats": None, "address.city": "Bonn"}, external_id="u1"))
    contact = Contact.objects.get()
    assert contact.attributes == {"plan": "pro", "address": {"city": "Bonn"}}
    assert contact.email == "A@example.com"
    assert facts() == [
        (
            "change",
            "u1",
            {
                "changes": {
                    "external_id": {"old": None, "new": "u1"},
                    "email": {"old": "", "new": "A@example.com"},
                    "attributes": {"plan": {"new": "free"}, "seats": {"new": 1}},
                }
            },
        ),
        (
            "change",
            "u1",
            {
                "changes": {
                    "attributes": {
                        "plan": {"old": "free", "new": "pro"},
                        "seats": {"old": 1},
                        "address": {"new": {"city": "Bonn"}},
                    }
                }
            },
        ),
    ]


def test_a_change_that_changes_nothing_is_a_fact_too_T2():
    record(Identify({"plan": "pro"}, external_id="u1"))
    record(Identify({"plan": "pro"}, external_id="u1"))
    assert facts()[1] == ("change", "u1", {})


def test_true_is_not_1_so_the_change_is_kept_C3():
    record(Identify({"flag": 1}, external_id="u1"), Identify({"flag": True}, external_id="u1"))
    assert Contact.objects.get().attributes["flag"] is True
    assert facts()[1][2] == {"changes": {"attributes": {"flag": {"old": 1, "new": True}}}}


def test_email_and_timezone_are_fields_and_blank_is_none():
    record(Identify({"email": "a@b.c", "timezone": "Europe/Berlin"}, external_id="u1"))
    record(Identify({"email": "  ", "timezone": None}, external_id="u1"))
    contact = Contact.objects.get()
    assert (contact.email, contact.timezone, contact.attributes) == ("", "", {})


def test_facts_stand_in_the_order_of_the_batch():
    record(
        Identify({"n": 1}, external_id="u1"),
        Track("a", external_id="u2"),
        Track("b", external_id="u1"),
        Identify({"n": 2}, external_id="u1"),
    )
    assert [(kind, who) for kind, who, _ in facts()] == [
        ("change", "u1"),
        ("event", "u2"),
        ("change", "u2"),
        ("event", "u1"),
        ("change", "u1"),
    ]
    assert facts()[-1][2] == {"changes": {"attributes": {"n": {"old": 1, "new": 2}}}}


def test_a_known_message_id_changes_nothing_at_all_T8():
    record(Track("a", message_id="m1", external_id="u1"))
    outcome = record(
        Track("b", message_id="m1", external_id="u2"),
        Identify({"x": 1}, message_id="m2", external_id="u3"),
        Identify({"x": 2}, message_id="m2", external_id="u3"),
        Track("c", message_id="m2", external_id="u4"),
    )
    assert (outcome.accepted, outcome.duplicates) == (1, 3)
    again = record(Identify({"x": 3}, message_id="m2", external_id="u3"))
    assert (again.accepted, again.duplicates) == (0, 1)
    assert set(Contact.objects.values_list("external_id", flat=True)) == {"u1", "u3"}
    assert Contact.objects.get(external_id="u3").attributes == {"x": 1}
    assert Event.objects.get().name == "a"


def test_an_event_from_the_future_occurred_at_its_receipt_C5():
    record(
        Track("a", occurred_at=NOW + timedelta(days=1), external_id="u1"),
        Track("b", occurred_at=datetime.max.replace(tzinfo=UTC), external_id="u1"),
        Track("c", occurred_at=NOW - timedelta(hours=1), external_id="u1"),
        Track("d", occurred_at=datetime(2026, 3, 1, 8), external_id="u1"),
    )
    moments = dict(Event.objects.values_list("name", "occurred_at"))
    hour_ago = NOW - timedelta(hours=1)
    assert moments == {"a": NOW, "b": NOW, "c": hour_ago, "d": hour_ago}


def test_names_that_begin_with_message_are_refused_from_outside_T7():
    outcome = record(Track("message_opened", external_id="u1"), Track("ok", external_id="u1"))
    assert [(index, code) for index, code, _ in outcome.rejected] == [(0, "reserved_name")]
    assert record(Track("message_opened", external_id="u1"), internal=True).accepted == 1


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


POISON: dict[str, Any] = {
    "NUL in a value": Track("a", {"x": "a\x00b"}, external_id="p"),
    "NUL in a key": Track("a", {"a\x00": 1}, external_id="p"),
    "NUL in a name": Track("a\x00", external_id="p"),
    "NUL in an id": Track("a", external_id="p\x00"),
    "lone surrogate": Track("a", {"x": ["\ud800"]}, external_id="p"),
    "NaN": Track("a", {"x": float("nan")}, external_id="p"),
    "Infinity": Identify({"x": {"y": float("-inf")}}, external_id="p"),
    "1e400": Track("a", {"x": 1e400}, external_id="p"),
    "5,000 digits": Track("a", {"x": 10**4999}, external_id="p"),
    "nested 900 deep": Track("a", deep(900), external_id="p"),
    "nested 100,000 deep": Identify(deep(100_000), external_id="p"),
    "name over the column": Track("n" * 101, external_id="p"),
    "id over the column": Track("a", external_id="p" * 151),
    "anonymous id over the column": Track("a", anonymous_id="p" * 151),
    "message id over the column": Track("a", message_id="m" * 101, external_id="p"),
    "address over the column": Identify({"email": "e" * 255}, external_id="p"),
    "timezone over the column": Identify({"timezone": "e" * 65}, external_id="p"),
    "language over the column": Identify(language="e" * 17, external_id="p"),
    "attribute name too long": Identify({"a" * 151: 1}, external_id="p"),
    "attribute without name": Identify({"a..b": 1}, external_id="p"),
    "own id as attribute": Identify({"external_id": "z"}, external_id="p"),
    "created_at as attribute": Identify({"created_at": "z"}, external_id="p"),
    "address that is no text": Identify({"email": ["a@b.c"]}, external_id="p"),
    "name that is no text": Track({"a": 1}, external_id="p"),  # type: ignore[arg-type]
    "id that is no text": Track("a", external_id=["p"]),  # type: ignore[arg-type]
    "id that is true": Track("a", external_id=True),  # type: ignore[arg-type]
    "properties that are a list": Track("a", [1], external_id="p"),  # type: ignore[arg-type]
    "traits that are a text": Identify("x", external_id="p"),  # type: ignore[arg-type]
    "no id": Track("a"),
    "blank id": Track("a", external_id="  "),
    "no name": Track("", external_id="p"),
    "year 1": Track("a", occurred_at=datetime(1, 1, 1), external_id="p"),
    "alias of nothing": Alias("", "p"),
}


@pytest.mark.parametrize("what", POISON)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_poison_is_rejected_alone_wherever_it_stands(what: str, place: int):
    """FACTS F14; the same on both databases."""
    items = [Track("ok", {"n": n}, external_id=f"u{n}") for n in range(2)]
    outcome = record(*items[:place], POISON[what], *items[place:])
    assert outcome.accepted == 2
    assert [index for index, _, _ in outcome.rejected] == [place]
    assert all(message.endswith(".") for _, _, message in outcome.rejected)
    assert sorted(Contact.objects.values_list("external_id", flat=True)) == ["u0", "u1"]


def test_what_is_merely_odd_is_kept_as_it_is():
    properties = {
        "big": 2**63 - 1,
        "float": 0.1,
        "nested": deep(20),
        "": "empty name",
        "emoji": "\U0001f600 ‮",
        "list": [[], [None, True, 1.5]],
        "__class__": "x",
        "dotted.name": 1,
    }
    assert record(Track("n" * 100, properties, external_id="u1")).rejected == []
    assert Event.objects.get().properties == properties


def _items(count: int) -> list[Any]:
    items: list[Any] = []
    for n in range(count):
        items += [
            Identify({"n": n, "plan": "pro"}, external_id=f"u{n}", email=f"u{n}@x.org"),
            Track("seen", {"n": n}, message_id=f"m{n}", external_id=f"u{n}"),
            Track("seen", {"n": n}, anonymous_id=f"a{n}"),
            Identify({"x": 1}, external_id=f"v{n}", anonymous_id=f"a{n}"),
        ]
    return items


@pytest.mark.parametrize("round_", ["new contacts", "known contacts", "merges"])
def test_the_number_of_statements_does_not_depend_on_the_size_of_the_batch(round_: str):
    counts = []
    for size in (10, 250):
        items = _items(size)
        if round_ != "new contacts":
            record(*items)
        if round_ == "known contacts":
            items = [Identify({"n": -n, "new": n}, external_id=f"u{n}") for n in range(size)] + [
                Track("seen", message_id=f"k{n}", external_id=f"u{n}") for n in range(size)
            ]
        elif round_ == "merges":
            record(*(Track("b", anonymous_id=f"b{n}") for n in range(size)))
            items = [Identify(external_id=f"u{n}", anonymous_id=f"b{n}") for n in range(size)]
        with CaptureQueriesContext(connection) as queries:
            assert record(*items).rejected == []
        counts.append(len([q for q in queries if "SAVEPOINT" not in q["sql"]]))
        Contact.objects.all().delete()
    assert counts[0] == counts[1], counts
    assert counts[0] <= 40


def test_one_event_of_a_known_contact_costs_few_statements():
    record(Identify({"a": 1}, external_id="u1"))
    with CaptureQueriesContext(connection) as queries:
        record(Track("seen", message_id="m1", external_id="u1"))
    statements = [q["sql"] for q in queries if "SAVEPOINT" not in q["sql"]]
    assert len(statements) <= 8, statements


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Callable[[Signal], list[list[int]]]:
    """What a signal announces, with nobody else listening."""

    def listen_to(signal: Signal) -> list[list[int]]:
        calls: list[list[int]] = []

        def listen(sender: object, contact_ids: list[int], **kwargs: Any) -> None:
            calls.append(contact_ids)

        alone = Signal()
        alone.connect(listen, weak=False)
        monkeypatch.setattr(signal, "send_robust", alone.send_robust)
        return calls

    return listen_to


def test_a_batch_is_announced_once_after_the_commit(heard, django_capture_on_commit_callbacks):
    events, changes = heard(events_recorded), heard(contacts_changed)
    with django_capture_on_commit_callbacks(execute=True):
        record(*(Track("a", external_id=f"u{n}") for n in range(3)), Identify({}, external_id="v"))
        assert events == changes == []
    ids = list(Contact.objects.exclude(external_id="v").values_list("id", flat=True))
    assert [sorted(call) for call in events] == [sorted(ids)]
    assert len(changes) == 1


def test_an_event_made_through_the_orm_is_a_fact_and_is_announced(
    heard, django_capture_on_commit_callbacks
):
    record(Identify({}, external_id="u1"))
    Fact.objects.all().delete()
    events = heard(events_recorded)
    heard(contacts_changed)
    contact = Contact.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        event = Event.objects.create(contact=contact, name="seen")
    fact = Fact.objects.get()
    assert (fact.kind, fact.event, fact.contact) == ("event", event, contact)
    assert events == [[contact.pk]]


def test_a_contact_saved_through_the_orm_is_a_change_with_its_difference():
    contact = Contact.objects.create(external_id="u1", attributes={"a": 1})
    contact.attributes = {"a": 1, "b": 2}
    contact.email = "x@y.z"
    contact.save()
    contact.email = "other@y.z"
    contact.save(update_fields=["attributes"])
    assert [payload for _, _, payload in facts()] == [
        {
            "changes": {
                "external_id": {"old": None, "new": "u1"},
                "attributes": {"a": {"new": 1}},
            }
        },
        {
            "changes": {
                "email": {"old": "", "new": "x@y.z"},
                "attributes": {"b": {"new": 2}},
            }
        },
        {},
    ]


def test_change_touch_and_enter_append_facts_for_those_who_are_there():
    record(Identify({}, external_id="u1"), Identify({}, external_id="u2"))
    Fact.objects.all().delete()
    one, two = Contact.objects.order_by("external_id").values_list("id", flat=True)
    assert ingest.change({two: {"plan": "pro", "email": "n@x.y"}, 10**9: {"a": 1}}, at=NOW) == [two]
    ingest.touch([one, 10**9], at=NOW)
    ingest.enter([two, one], 7, at=NOW)
    assert facts() == [
        (
            "change",
            "u2",
            {
                "changes": {
                    "email": {"old": "", "new": "n@x.y"},
                    "attributes": {"plan": {"new": "pro"}},
                }
            },
        ),
        ("change", "u1", {}),
        ("enter", "u1", {"journey": 7}),
        ("enter", "u2", {"journey": 7}),
    ]
    with pytest.raises(ingest.Refused):
        ingest.change({one: {"a": "\x00"}}, at=NOW)


def test_an_anonymous_event_finds_its_contact_again():
    record(Track("a", anonymous_id="d1"), Track("b", anonymous_id="d1"))
    record(Track("c", anonymous_id="d1"))
    assert Contact.objects.count() == AnonymousId.objects.count() == 1
    assert Event.objects.count() == 3
