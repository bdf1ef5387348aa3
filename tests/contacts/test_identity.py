"""Who is meant, and two contacts that turn out to be one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Lower

from contacts import identity, lookup, segments
from contacts.ingest import Alias, Identify, Track
from contacts.models import (
    AnonymousId,
    Contact,
    Event,
    Fact,
    FormerId,
    Membership,
    Merge,
    Segment,
)
from tests.contacts.conftest import NOW, record

pytestmark = pytest.mark.django_db


def names(contact: Contact) -> list[str]:
    return list(contact.events.order_by("id").values_list("name", flat=True))


def test_an_external_id_wins_over_the_address_and_the_anonymous_id():
    record(
        Identify(external_id="u1", email="a@x.org"),
        Identify(email="b@x.org"),
        Track("x", anonymous_id="d1"),
    )
    record(Track("y", external_id="u1", email="b@x.org", anonymous_id="d1"))
    assert names(Contact.objects.get(external_id="u1")) == ["y"]


def test_an_address_is_compared_without_regard_to_case():
    record(Identify(external_id="u1", email="Ann@X.org"))
    record(Track("y", email="ann@x.ORG"), Identify({"a": 1}, email="ANN@x.org"))
    contact = Contact.objects.get()
    assert names(contact) == ["y"]
    assert contact.attributes == {"a": 1}


def test_the_address_wins_over_the_anonymous_id():
    record(Identify(email="a@x.org"), Track("x", anonymous_id="d1"))
    record(Track("y", email="a@x.org", anonymous_id="d1"))
    assert names(Contact.objects.get(email="a@x.org")) == ["y"]


def test_identify_gives_an_anonymous_contact_its_external_id():
    record(Track("x", anonymous_id="d1"))
    record(Identify({"a": 1}, external_id="u1", anonymous_id="d1"))
    contact = Contact.objects.get()
    assert contact.external_id == "u1"
    assert names(contact) == ["x"]
    payload = Fact.objects.order_by("-id").first().payload
    assert payload["changes"]["external_id"] == {"old": None, "new": "u1"}


def test_identify_joins_an_anonymous_history_to_a_known_contact():
    record(Identify({"plan": "pro"}, external_id="u1"))
    record(
        Track("x", anonymous_id="d1", occurred_at=NOW - timedelta(hours=1)),
        Identify({"plan": "free", "source": "ad"}, anonymous_id="d1"),
        at=NOW - timedelta(days=1),
    )
    record(Identify(external_id="u1", anonymous_id="d1"), Track("z", anonymous_id="d1"))
    contact = Contact.objects.get()
    assert names(contact) == ["x", "z"]
    assert contact.attributes == {"plan": "pro", "source": "ad"}
    assert contact.created_at == NOW - timedelta(days=1)
    merged = Merge.objects.get()
    assert (merged.contact, merged.attributes) == (contact, {"plan": "free", "source": "ad"})
    assert merged.created_at == NOW - timedelta(days=1)


def test_a_joined_history_keeps_its_place_in_the_queue_without_its_old_values():
    record(Identify({"plan": "free"}, anonymous_id="d1"), Track("x", anonymous_id="d1"))
    record(Identify({"plan": "pro"}, external_id="u1"))
    record(Identify(external_id="u1", anonymous_id="d1"))
    facts = Fact.objects.order_by("id")
    assert [(fact.kind, fact.payload.get("changes", {}).get("attributes")) for fact in facts] == [
        ("change", None),
        ("event", None),
        ("change", {"plan": {"new": "pro"}}),
        ("change", None),
    ]
    assert {fact.contact_id for fact in facts} == {Contact.objects.get().pk}


def test_a_history_is_joined_within_one_batch():
    record(
        Track("x", anonymous_id="d1"),
        Track("y", external_id="u1"),
        Identify({"a": 1}, external_id="u1", anonymous_id="d1"),
        Track("z", anonymous_id="d1"),
    )
    contact = Contact.objects.get()
    assert contact.external_id == "u1"
    assert names(contact) == ["x", "y", "z"]
    assert AnonymousId.objects.get().contact == contact


def test_a_device_that_somebody_else_uses_is_not_joined():
    record(Identify(external_id="u1", anonymous_id="d1"), Track("x", anonymous_id="d1"))
    record(Identify(external_id="u2", anonymous_id="d1"), Track("y", anonymous_id="d1"))
    assert names(Contact.objects.get(external_id="u1")) == ["x"]
    assert names(Contact.objects.get(external_id="u2")) == ["y"]


def test_who_was_known_by_address_alone_gets_the_external_id():
    record(Identify({"plan": "pro"}, email="a@x.org"))
    record(Identify(external_id="u1", email="A@x.org"))
    contact = Contact.objects.get()
    assert (contact.external_id, contact.email) == ("u1", "A@x.org")


def test_two_people_with_their_own_ids_may_share_an_address():
    record(Identify(external_id="u1", email="home@x.org"))
    record(Identify(external_id="u2", email="home@x.org"))
    assert Contact.objects.count() == 2


def test_alias_joins_an_anonymous_id():
    record(Track("x", anonymous_id="d1"))
    record(Alias("d1", "u1"))
    contact = Contact.objects.get()
    assert (contact.external_id, names(contact)) == ("u1", ["x"])
    record(Alias("d2", "u1"), Track("y", anonymous_id="d2"))
    assert names(contact) == ["x", "y"]


def test_alias_joins_two_external_ids_and_the_former_leads_to_the_contact():
    record(Track("x", external_id="old"), Track("y", external_id="new"))
    record(Alias("old", "new"))
    record(Track("z", external_id="old"), Identify({"a": 1}, external_id="old"))
    contact = Contact.objects.get()
    assert (contact.external_id, names(contact)) == ("new", ["x", "y", "z"])
    assert contact.attributes == {"a": 1}
    assert FormerId.objects.get().value == "old"
    assert Merge.objects.get().external_id == "old"


def test_alias_to_an_id_nobody_has_renames():
    record(Track("x", external_id="old"))
    record(Alias("old", "new"))
    record(Track("y", external_id="old"))
    contact = Contact.objects.get()
    assert (contact.external_id, names(contact)) == ("new", ["x", "y"])


def test_alias_of_two_nobodies_makes_one_contact():
    record(Alias("d1", "u1"), Track("x", anonymous_id="d1"))
    assert names(Contact.objects.get(external_id="u1")) == ["x"]


def two(one: str = "u1", other: str = "u2") -> tuple[Contact, Contact]:
    return Contact.objects.get(external_id=one), Contact.objects.get(external_id=other)


def test_merge_loses_nothing_and_can_be_read_afterwards(admin_user):
    record(
        Identify({"a": 1, "b": 1}, external_id="u1", anonymous_id="d1"),
        Identify({"b": 2, "c": 2}, external_id="u2", email="two@x.org", timezone="Asia/Tokyo"),
        Track("x", external_id="u1"),
        Track("y", external_id="u2"),
    )
    winner, loser = two()
    segment, other = (Segment.objects.create(slug=slug, name=slug) for slug in "st")
    for contact, days in ((winner, 1), (loser, 2)):
        Membership.objects.create(
            segment=segment, contact=contact, entered_at=NOW - timedelta(days=days)
        )
    Membership.objects.create(segment=other, contact=loser)
    seen = []
    identity.mergers.append(lambda pairs, at: seen.append((list(pairs), at)))
    try:
        identity.merge(winner.pk, loser.pk, at=NOW, by=admin_user)
    finally:
        identity.mergers.pop()
    contact = Contact.objects.get()
    assert seen == [([(winner.pk, loser.pk)], NOW)]
    assert (contact.external_id, contact.email, contact.timezone) == (
        "u1",
        "two@x.org",
        "Asia/Tokyo",
    )
    assert contact.attributes == {"a": 1, "b": 1, "c": 2}
    assert names(contact) == ["x", "y"]
    assert Event.objects.count() == 2
    open_ = contact.memberships.filter(left_at=None)
    assert {membership.segment for membership in open_} == {segment, other}
    assert contact.memberships.count() == 3
    merged = contact.merges.get()
    assert (merged.merged_pk, merged.external_id, merged.merged_by) == (loser.pk, "u2", admin_user)
    assert Fact.objects.order_by("-id").first().payload == {
        "changes": {
            "email": {"old": "", "new": "two@x.org"},
            "timezone": {"old": "", "new": "Asia/Tokyo"},
            "attributes": {"c": {"new": 2}},
        },
    }
    record(Track("z", external_id="u2"))
    assert names(contact) == ["x", "y", "z"]


def test_merge_into_a_contact_without_external_id_takes_it_over():
    record(Identify(email="a@x.org"), Track("x", external_id="u2"))
    winner = Contact.objects.get(email="a@x.org")
    identity.merge(winner.pk, Contact.objects.get(external_id="u2").pk, at=NOW)
    winner.refresh_from_db()
    assert winner.external_id == "u2"
    assert not FormerId.objects.exists()


def test_merge_with_somebody_who_is_gone_says_so():
    record(Track("x", external_id="u1"))
    with pytest.raises(Contact.DoesNotExist):
        identity.merge(Contact.objects.get().pk, 10**9, at=NOW)


def test_a_contact_merged_twice_leads_to_the_last():
    record(*(Track("x", external_id=f"u{n}") for n in (1, 2, 3)))
    record(Alias("u1", "u2"), Alias("u2", "u3"))
    contact = Contact.objects.get()
    assert contact.external_id == "u3"
    record(Track("y", external_id="u1"), Track("y", external_id="u2"))
    assert contact.events.count() == 5
    assert Merge.objects.filter(contact=contact).count() == 2


def test_letters_beyond_ascii_are_compared_without_regard_to_case_too():
    record(Identify(external_id="u1", email="JÖRG@BÜCHER.org"))
    record(Track("x", email="jörg@bücher.org"), Identify({"a": 1}, email="Jörg@Bücher.ORG"))
    contact = Contact.objects.get()
    assert (contact.attributes, names(contact)) == ({"a": 1}, ["x"])
    assert list(lookup.exactly("jörg@BÜCHER.org")) == [contact]
    assert lookup.beginning("JÖR") == {contact.pk}
    if connection.vendor == "sqlite":
        plan = Contact.objects.annotate(low=Lower("email")).filter(low="jörg@bücher.org").explain()
        assert "contact_email" in plan


def test_what_a_loser_joined_is_still_to_be_worked_through_for_the_winner():
    record(Track("x", external_id="u1"), Track("x", external_id="u2"))
    winner, loser = two()
    both, own = (Segment.objects.create(slug=slug, name=slug) for slug in "bo")
    segments.add(both, [winner.pk], at=NOW)
    Fact.objects.all().delete()
    segments.add(both, [loser.pk], at=NOW)
    segments.add(own, [loser.pk], at=NOW, quiet=True)
    identity.merge(winner.pk, loser.pk, at=NOW)
    first, second, _ = Fact.objects.order_by("id").values_list("payload", flat=True)
    assert first == {"joined": []}  # the winner was in it before
    assert second == {"joined": [own.pk], "quiet": True}
