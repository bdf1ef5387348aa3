"""Membership by set difference, at full hours (T5), and by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import segments
from contacts.ingest import Identify, Track
from contacts.models import Contact, Fact, Membership, Segment
from tests.contacts.conftest import NOW, record

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
PRO = {"attribute": "plan", "op": "eq", "value": "pro"}
BOUGHT = {"event": "bought", "within": "30d"}


def make(slug: str, condition: Any = None) -> Segment:
    return Segment.objects.create(slug=slug, name=slug, condition=condition)


def who(ids: list[int]) -> set[str | None]:
    return set(Contact.objects.filter(pk__in=ids).values_list("external_id", flat=True))


def inside(segment: Segment) -> set[str]:
    rows = Membership.objects.filter(segment=segment, left_at=None)
    return set(rows.values_list("contact__external_id", flat=True))


def test_recount_finds_who_came_and_who_left():
    record(*(Identify({"plan": "pro"}, external_id=f"u{n}") for n in range(3)))
    record(Identify({"plan": "free"}, external_id="f"))
    segment = make("pro", PRO)
    moves = segments.recount(segment, NOW)
    assert (who(moves.entered), moves.left) == ({"u0", "u1", "u2"}, [])
    assert segments.recount(segment, NOW) == segments.Moves([], [])
    record(Identify({"plan": "free"}, external_id="u0"), Identify({"plan": "pro"}, external_id="f"))
    moves = segments.recount(segment, NOW + HOUR)
    assert (who(moves.entered), who(moves.left)) == ({"f"}, {"u0"})
    assert inside(segment) == {"u1", "u2", "f"}
    gone = Membership.objects.get(segment=segment, contact__external_id="u0")
    assert (gone.entered_at, gone.left_at) == (NOW, NOW + HOUR)
    assert not Fact.objects.filter(kind="recount").exists()


def test_recount_of_a_segment_on_segments():
    record(
        Identify({"plan": "pro"}, external_id="a"),
        Identify({"plan": "pro", "country": "de"}, external_id="b"),
    )
    make("pro", PRO)
    vip = make("vip")
    segments.add(vip, [Contact.objects.get(external_id="a").pk], at=NOW)
    both = make("both", {"all": [{"segment": "pro"}, {"not": {"segment": "vip"}}]})
    assert who(segments.recount(both, NOW).entered) == {"b"}


def test_recount_takes_three_statements_whatever_the_number():
    segment = make("pro", PRO)
    counts, before = [], 0
    for size in (10, 300):
        record(*(Identify({"plan": "pro"}, external_id=f"{size}-{n}") for n in range(size)))
        record(*(Identify({"plan": "free"}, external_id=f"{before}-{n}") for n in range(before)))
        with CaptureQueriesContext(connection) as queries:
            moves = segments.recount(segment, NOW)
        assert (len(moves.entered), len(moves.left)) == (size, before)
        counts.append(len([q for q in queries if "SAVEPOINT" not in q["sql"]]))
        before = size
    assert counts == [2, 3]


def test_a_full_hour_makes_a_fact_only_for_those_whom_time_has_changed_T5():
    record(
        Track("bought", external_id="new"),
        Track("bought", external_id="old", occurred_at=NOW - timedelta(days=29, hours=23)),
        Identify({"plan": "pro"}, external_id="never"),
    )
    buyers, pro = make("buyers", BOUGHT), make("pro", PRO)
    lapsed = make("lapsed", {"not": {"segment": "buyers"}})
    segments.recount_all(NOW)
    assert inside(buyers) == {"new", "old"}
    assert inside(lapsed) == {"never"}
    Membership.objects.filter(segment=pro).delete()  # not hourly: left to the engine
    assert segments.recount_hour(NOW + HOUR) == 0
    assert segments.recount_hour(NOW + 2 * HOUR) == 1
    fact = Fact.objects.get(kind="recount")
    assert fact.contact.external_id == "old"
    assert fact.payload == {"at": "2026-03-01T11:00:00Z"}
    assert fact.received_at == NOW + 2 * HOUR


def test_a_full_hour_costs_a_statement_a_segment_and_one_whatever_the_number():
    make("buyers", BOUGHT)
    make("late", {"attribute": "due", "op": "before", "value": "now"})
    counts = []
    for size in (10, 200):
        record(*(Track("bought", external_id=f"{size}-{n}") for n in range(size)))
        with CaptureQueriesContext(connection) as queries:
            assert segments.recount_hour(NOW) >= size
        counts.append(len(queries))
        Fact.objects.all().delete()
    assert counts == [4, 4]


def test_without_a_segment_that_looks_at_the_time_a_full_hour_does_nothing():
    make("pro", PRO)
    assert segments.recount_hour(NOW) == 0


def test_putting_into_a_static_segment_is_a_change_that_says_so():
    record(*(Identify({}, external_id=f"u{n}") for n in range(3)))
    Fact.objects.all().delete()
    vip = make("vip")
    ids = list(Contact.objects.order_by("id").values_list("id", flat=True))
    assert segments.add(vip, [*ids, 10**9], at=NOW) == ids
    assert segments.add(vip, ids, at=NOW) == []
    assert (
        list(Fact.objects.values_list("kind", "payload")) == [("change", {"joined": [vip.pk]})] * 3
    )
    assert segments.remove(vip, ids[:1], at=NOW + HOUR) == ids[:1]
    assert inside(vip) == {"u1", "u2"}
    assert Fact.objects.order_by("-id").first().payload == {}
    with pytest.raises(ValueError):
        segments.add(make("pro", PRO), ids, at=NOW)


def test_the_size_over_time():
    record(*(Identify({}, external_id=f"u{n}") for n in range(4)))
    vip = make("vip")
    ids = list(Contact.objects.values_list("id", flat=True))
    segments.add(vip, ids[:1], at=NOW - timedelta(days=40))
    segments.add(vip, ids[1:], at=NOW - timedelta(days=2))
    segments.remove(vip, ids[:2], at=NOW)
    assert segments.size(vip) == 2
    found = dict(segments.sizes(vip, until=NOW.date(), days=4))
    assert found == {
        date(2026, 2, 26): 1,
        date(2026, 2, 27): 4,
        date(2026, 2, 28): 4,
        date(2026, 3, 1): 2,
    }
