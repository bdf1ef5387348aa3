"""Batches that meet: one wins, nothing is lost, nothing is doubled (FACTS F13)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections

from contacts import identity, ingest
from contacts.ingest import Identify, Outcome, Track
from contacts.models import Contact, Event, Fact
from tests.contacts.conftest import NOW, record

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contacts.ingest.announce", lambda signal, ids: None)


def at_once(jobs: list[Callable[[], Any]]) -> list[Any]:
    def run(job: Callable[[], Any]) -> Any:
        try:
            return job()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=10) as pool:
        return list(pool.map(run, jobs))


def test_fifty_posts_of_one_message_id_are_one_event_T8():
    def post(n: int) -> Outcome:
        return record(Track("a", {"n": n}, message_id="m1", external_id=f"u{n}"))

    outcomes = at_once([lambda n=n: post(n) for n in range(50)])
    assert sum(outcome.accepted for outcome in outcomes) == 1
    assert sum(outcome.duplicates for outcome in outcomes) == 49
    assert Event.objects.count() == Contact.objects.count() == 1
    assert Fact.objects.filter(kind="event").count() == 1


def test_a_duplicate_inside_batches_that_meet_costs_nobody_else():
    def post(n: int) -> Outcome:
        shared = [Track("a", message_id=f"s{k}", external_id=f"c{k}") for k in range(5)]
        own = [Track("b", message_id=f"{n}-{k}", external_id=f"c{k}") for k in range(5)]
        return record(*(shared + own if n % 2 else own + shared[::-1]))

    outcomes = at_once([lambda n=n: post(n) for n in range(20)])
    assert sum(outcome.accepted for outcome in outcomes) == 20 * 5 + 5
    assert Event.objects.count() == 105
    assert Contact.objects.count() == 5


def test_many_first_sights_of_one_person_make_one_contact():
    items = [
        lambda: Track("a", external_id="u1"),
        lambda: Identify({"x": 1}, external_id="u1", email="a@x.org"),
        lambda: Track("a", anonymous_id="d1"),
        lambda: Identify({"y": 1}, email="b@x.org"),
        lambda: Identify({"y": 2}, email="B@x.org"),
    ]
    at_once([lambda n=n: record(items[n % 5]()) for n in range(40)])
    assert Contact.objects.filter(external_id="u1").count() == 1
    assert Contact.objects.filter(email__iexact="b@x.org").count() == 1
    assert Contact.objects.count() == 3
    assert Event.objects.count() == 16


def test_batches_over_the_same_contacts_do_not_wait_for_each_other_forever():
    people = [f"u{n}" for n in range(30)]
    record(*(Identify({}, external_id=who) for who in people))

    def post(n: int) -> Outcome:
        order = people if n % 2 else people[::-1]
        return record(*(Identify({f"n{n}": n}, external_id=who) for who in order))

    at_once([lambda n=n: post(n) for n in range(20)])
    assert all(len(contact.attributes) == 20 for contact in Contact.objects.all())


def test_the_ids_of_facts_follow_the_changes_of_a_contact():
    """The engine goes back over the facts of a contact, so each must begin where the last ended."""
    record(Identify({"n": -1}, external_id="u1"))
    at_once([lambda n=n: record(Identify({"n": n}, external_id="u1")) for n in range(30)])
    value = -1
    for fact in Fact.objects.order_by("id")[1:]:
        change = fact.payload["changes"]["attributes"]["n"]
        assert change["old"] == value
        value = change["new"]
    assert Contact.objects.get().attributes == {"n": value}


def test_a_device_whose_contact_was_merged_while_it_was_looked_up_is_looked_up_again(monkeypatch):
    record(Identify({}, external_id="u1", anonymous_id="d1"))
    contact_id = Contact.objects.get().pk
    find = identity.Keys.find

    def find_late(self: identity.Keys) -> identity.Found:
        monkeypatch.setattr(identity.Keys, "find", find)
        found = find(self)
        # As if the device had been read just before a merge, and the contacts just after it.
        found.anonymous, found.identities = {"d1": contact_id + 1}, {}
        return found

    monkeypatch.setattr(identity.Keys, "find", find_late)
    assert record(Track("a", anonymous_id="d1")).contact_ids == [contact_id]


def test_merges_and_events_that_meet_lose_no_event():
    record(*(Track("a", anonymous_id=f"d{n}") for n in range(10)))
    record(*(Identify({}, external_id=f"u{n}") for n in range(10)))

    def job(n: int) -> Any:
        if n % 4 == 0:
            return record(Identify(external_id=f"u{n % 10}", anonymous_id=f"d{n % 10}"))
        return record(Track("b", anonymous_id=f"d{n % 10}"), Track("c", external_id=f"u{n % 10}"))

    at_once([lambda n=n: job(n) for n in range(40)])
    assert Event.objects.count() == 10 + 2 * 30


def test_a_batch_that_waits_for_a_merge_looks_again():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer.")
    record(Track("a", external_id="u1"), Track("a", external_id="u2"))
    one, two = Contact.objects.order_by("external_id").values_list("id", flat=True)
    at_once(
        [
            lambda: identity.merge(one, two, at=NOW),
            *(lambda: record(Track("b", external_id="u2")) for _ in range(9)),
        ]
    )
    assert Contact.objects.get().events.count() == 11
    assert ingest.ATTEMPTS > 1
