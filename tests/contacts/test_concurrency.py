"""Batches that meet: one wins, nothing is lost, nothing is doubled (FACTS F13)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import Count

from contacts import identity, ingest, privacy
from contacts.imports import undoing
from contacts.ingest import Identify, Outcome, Track
from contacts.models import Contact, Event, Fact, Import, ImportChunk
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


def test_a_batch_is_not_kept_out_by_others_that_change_its_people_all_the_time(monkeypatch):
    """Once they are locked nobody changes them any more, so that a second look holds."""
    record(Identify({}, email="a@x.org"))
    lock, spellings = identity.lock, itertools.cycle(["A@x.org", "a@X.org"])

    def lock_late(contact_ids: Iterable[int]) -> dict[int, identity.Person]:
        Contact.objects.update(email=next(spellings))
        return lock(contact_ids)

    monkeypatch.setattr(identity, "lock", lock_late)
    record(Identify({"x": 1}, email="a@x.org"))
    assert Contact.objects.get().attributes == {"x": 1}


def test_an_id_that_somebody_loses_meanwhile_is_locked_before_it_is_given_to_another(monkeypatch):
    """Else two batches that both see it free would make a contact each."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer.")
    record(Identify({}, email="a@x.org"))
    lock, lock_keys, asked = identity.lock, identity.lock_keys, []

    def lock_late(contact_ids: Iterable[int]) -> dict[int, identity.Person]:
        monkeypatch.setattr(identity, "lock", lock)
        at_once([lambda: Contact.objects.update(email="b@x.org")])
        return lock(contact_ids)

    def noted(keys: Collection[str]) -> bool:
        asked.append(set(keys))
        return lock_keys(keys)

    monkeypatch.setattr(identity, "lock", lock_late)
    monkeypatch.setattr(identity, "lock_keys", noted)
    record(Identify({}, email="a@x.org"))
    assert asked == [set(), {"email a@x.org"}]
    assert set(Contact.objects.values_list("email", flat=True)) == {"a@x.org", "b@x.org"}


def test_two_merges_of_the_same_people_at_once_are_one():
    record(*(Track("a", external_id=f"u{n}") for n in range(3)))
    ids = list(Contact.objects.order_by("external_id").values_list("id", flat=True))

    def join(winner: int, loser: int) -> bool:
        try:
            identity.merge(winner, loser, at=NOW)
        except Contact.DoesNotExist:
            return False
        return True

    pairs = [(one, other) for one in ids for other in ids if one != other]
    done = at_once([lambda pair=pair: join(*pair) for pair in pairs])
    assert sum(done) == 2
    contact = Contact.objects.get()
    assert contact.events.count() == 3
    assert {contact.external_id, *contact.former_ids.values_list("value", flat=True)} == {
        "u0",
        "u1",
        "u2",
    }


@pytest.mark.parametrize("address", ["u{}@x.org", "all@x.org"])
def test_erasing_while_events_come_in_keeps_every_event_of_the_others(address: str):
    record(*(Identify({}, external_id=f"u{n}", email=address.format(n)) for n in range(6)))
    people = list(Contact.objects.order_by("id"))

    def job(n: int) -> Any:
        if n % 5 == 0:
            return privacy.erase(people[n // 5], at=NOW)
        return record(*(Track("b", {"n": n}, external_id=f"u{k}") for k in range(6)))

    at_once([lambda n=n: job(n) for n in range(20)])
    stored = Contact.objects.annotate(number=Count("events")).values_list("external_id", "number")
    assert {who: number for who, number in stored if who in ("u4", "u5")} == {"u4": 16, "u5": 16}
    assert not Contact.objects.filter(pk__in=[contact.pk for contact in people[:4]]).exists()


def test_an_import_is_taken_back_while_its_people_do_something():
    """Whoever did something by then stays, with all that was done."""
    source = Import.objects.create(filename="a.csv", columns=[], mapping=[])
    record(*(Identify({}, external_id=f"u{n}") for n in range(20)))
    ids = list(Contact.objects.values_list("id", flat=True))
    ImportChunk.objects.create(source=source, position=0, created=ids)

    def undo() -> undoing.Undone:
        return ingest.again(lambda: undoing.undo_chunk(source, ImportChunk.objects.get(), NOW))

    jobs = [lambda n=n: record(Track("b", external_id=f"u{n}")) for n in range(20)]
    at_once([*jobs[:5], undo, *jobs[5:]])
    done = Contact.objects.filter(events__name="b")
    assert sorted(done.values_list("external_id", flat=True)) == sorted(f"u{n}" for n in range(20))
    assert Event.objects.count() == 20


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
