"""The condition language, rule by rule, judged in Python and counted in SQL (§3, §6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts import conditions
from contacts.conditions import Happened, Scope
from contacts.models import Contact, Event, Membership, Segment
from contacts.problems import Invalid, Problem, Problems
from contacts.values import TICK, get_path
from tests.contacts.condition_cases import NOW, Chance, StoredView

DAY = timedelta(days=1)
EVERYWHERE = Scope(enrollment=True, trigger=True)


@dataclass
class Seen:
    """A contact at one moment, made up for a test."""

    attributes: dict[str, Any] = field(default_factory=dict)
    happened: dict[str, list[Happened]] = field(default_factory=dict)
    segments: frozenset[str] = frozenset()
    now: datetime = NOW
    trigger: dict[str, Any] | None = None
    entry_mark: int | None = None

    def attribute(self, path: str) -> Any:
        return get_path(self.attributes, path)

    def events(self, name: str) -> Sequence[Happened]:
        return self.happened.get(name, [])

    def in_segment(self, slug: str) -> bool:
        return slug in self.segments

    def takes(self, topic: str) -> bool:
        return False

    def message_did(self, node: str, did: str) -> bool:
        return False


ABSENT = object()


def holds(data: Any, scope: Scope = EVERYWHERE, **seen: Any) -> bool:
    return conditions.parse(data, scope).holds(Seen(**seen))


def passes(value: Any, op: str, written: Any = ABSENT) -> bool:
    """Whether an attribute of that value passes, asked in Python and in SQL."""
    data = {"attribute": "a", "op": op}
    if written is not ABSENT:
        data["value"] = written
    condition = conditions.parse(data)
    contact = Contact.objects.create(attributes={} if value is ABSENT else {"a": value})
    found = Contact.objects.filter(pk=contact.pk)
    by_python = condition.holds(StoredView(found.get()))
    assert found.filter(condition.expression(NOW)).exists() == by_python
    assert found.filter(conditions.negate(condition.expression(NOW))).exists() != by_python
    return by_python


pytestmark = pytest.mark.django_db

VALUED = [op for op, each in conditions.OPERATORS.items() if each.takes != "nothing"]


def written_for(op: str) -> Any:
    takes = conditions.OPERATORS[op].takes
    return {"duration": "3d", "moment": "now", "list": ["x"]}.get(takes, "x")


@pytest.mark.parametrize("op", VALUED)
def test_c1_of_an_absent_or_null_value_only_ne_is_true(op: str) -> None:
    for value in (ABSENT, None):
        assert passes(value, op, written_for(op)) == (op == "ne")


@pytest.mark.parametrize("op", VALUED)
def test_c1_a_written_null_is_like_an_absent_value(op: str) -> None:
    for value in (ABSENT, None, "x", 1, "2026-03-01", [None], ["x"], {}):
        assert passes(value, op, None) == (op == "ne")


@pytest.mark.parametrize("op", VALUED)
def test_c1_a_trigger_value_that_is_absent_or_null_makes_only_ne_true(op: str) -> None:
    where = [{"property": "p", "op": op, "value": {"trigger": "q"}}]
    happened = {"e": [Happened(1, {"p": "x"}, NOW)]}
    for trigger in (None, {}, {"q": None}):
        answer = holds({"event": "e", "where": where}, happened=happened, trigger=trigger)
        assert answer == (op == "ne")


def test_c1_is_set_and_is_not_set() -> None:
    for value in (ABSENT, None):
        assert not passes(value, "is_set")
        assert passes(value, "is_not_set")
    for value in ("", 0, False, [], {}):
        assert passes(value, "is_set")
        assert not passes(value, "is_not_set")
    assert passes(1, "is_set", None)


@pytest.mark.parametrize(
    ("value", "op", "written"),
    [
        ("1", "eq", 1), (1, "gt", "0"), ("1", "gt", 0), (True, "gt", 0), (True, "gte", True),
        ([1], "gt", 0), ({}, "lt", "x"), (5, "contains", 5), (5, "contains", "5"),
        ("5", "contains", 5),
        ({"a": 1}, "contains", "a"), (["ab"], "starts_with", "a"), (5, "starts_with", "5"),
        ("a", "starts_with", 1), ("a", "in", "abc"), (1, "in", 1), ("a", "in", {"a": 1}),
        ("soon", "before", "2026-01-01"), (20260301, "after", "2026-01-01"),
        ("2026-02-30", "before", "now"), ("2026-03-01", "before", "2026-02-30"),
        ("2026-03-01", "after", 5), ("now", "within_last", "1d"), (True, "within_next", "1d"),
    ],
)  # fmt: skip
def test_c2_what_does_not_fit_the_operator_is_false_and_raises_nothing(
    value: Any, op: str, written: Any
) -> None:
    assert not passes(value, op, written)


@pytest.mark.parametrize(
    ("value", "written"),
    [("1", 1), (True, 1), (0, False), ([], {}), ("", False), ("null", "x"), ({"a": 1}, '{"a":1}')],
)
def test_c2_ne_is_true_where_types_differ(value: Any, written: Any) -> None:
    assert passes(value, "ne", written)
    assert not passes(value, "eq", written)


def test_c3_a_boolean_is_no_number_at_any_depth() -> None:
    assert not passes(True, "eq", 1)
    assert not passes([1, {"a": True}], "eq", [1, {"a": 1}])
    assert not passes(True, "in", [1, "true"])
    assert not passes([True], "contains", 1)
    assert passes(True, "eq", True)
    assert passes([1, True], "contains", True)


def test_c3_1_is_1_0() -> None:
    assert passes(1, "eq", 1.0)
    assert passes(1.0, "in", ["x", 1])
    assert passes([1.0], "contains", 1)
    assert passes({"a": [1.0]}, "eq", {"a": [1]})
    assert not passes(1.5, "eq", 1)


def test_numbers_compare_exactly() -> None:
    assert not passes(9.999999999999998, "gte", 10)
    assert passes(2**53 + 1, "gt", 2**53)
    assert passes(10**23, "eq", 1e23)
    assert passes(0.1, "eq", 0.1)
    assert not passes(0.30000000000000004, "eq", 0.3)


def test_texts_compare_by_code_point() -> None:
    assert passes("b", "gt", "a")
    assert passes("a", "gt", "Z")
    assert passes("é", "gt", "z")
    assert passes("😀", "gt", "\uffff")
    assert passes("", "lt", "a")
    assert passes("10", "lt", "9")


def test_c5_contains_and_starts_with_ignore_case_as_unicode_lower_cases() -> None:
    assert passes("Straße ÄÖÜ", "contains", "äöü")
    assert passes("straße", "contains", "STRAẞE")
    assert not passes("straße", "contains", "STRASSE")
    assert passes("İstanbul", "contains", "i")
    assert passes("K", "starts_with", "k")
    assert passes("ΟΔΟΣ", "contains", "οδος")
    assert not passes("ΟΔΟΣ", "contains", "οδοσ")
    assert passes("ΟΔΟΣΑ", "contains", "οδοσ")
    assert passes("ÀB", "starts_with", "à")
    assert not passes("xÀB", "starts_with", "à")


def test_an_empty_text_is_in_every_text_and_starts_every_text() -> None:
    for text in ("", "x", "ä"):
        assert passes(text, "contains", "")
        assert passes(text, "starts_with", "")
    assert not passes(5, "contains", "")


def test_contains_on_a_list_is_eq_with_an_item() -> None:
    assert passes(["a", ["b"]], "contains", ["b"])
    assert not passes(["a", ["b"]], "contains", "b")
    assert not passes(["AB"], "contains", "ab")
    assert not passes([{"a": 1, "b": 2}], "contains", {"a": 1})
    assert passes([{"b": 2, "a": 1}], "contains", {"a": 1.0, "b": 2})


def test_in_a_list() -> None:
    assert passes("fr", "in", ["de", "fr"])
    assert not passes("FR", "in", ["de", "fr"])
    assert not passes("fr", "in", [])
    assert passes([1], "in", [[1.0], 2])
    assert not passes(None, "in", [None])


def test_before_and_after_are_strict_and_know_offsets() -> None:
    assert passes("2026-03-01T10:00+02:00", "before", "2026-03-01T08:00:00.000001Z")
    assert not passes("2026-03-01T10:00+02:00", "before", "2026-03-01T08:00Z")
    assert not passes("2026-03-01T10:00+02:00", "after", "2026-03-01 08:00")
    assert passes("2026-03-01", "before", "2026-03-01T00:00:01")
    assert passes("2026-03-01T09:00:00.0000019", "after", "2026-03-01T09:00:00.0000009")
    assert not passes("2026-03-01T09:00:00.0000019", "after", "2026-03-01T09:00:00.0000010")


def test_before_and_after_now() -> None:
    assert passes("2026-03-01T08:59:59Z", "before", "now")
    assert not passes("2026-03-01T09:00Z", "before", "now")
    assert not passes("2026-03-01T09:00Z", "after", "now")
    assert passes("2026-03-01T09:00:00.000001Z", "after", "now")


def test_within_last_and_next_include_both_ends() -> None:
    for text in ("2026-02-26T09:00Z", "2026-03-01T09:00Z"):
        assert passes(text, "within_last", "3d")
    assert not passes("2026-02-26T08:59:59.999999Z", "within_last", "3d")
    assert not passes("2026-03-01T09:00:00.000001Z", "within_last", "3d")
    for text in ("2026-03-01T09:00Z", "2026-03-04T09:00Z"):
        assert passes(text, "within_next", "3d")
    assert not passes("2026-03-04T09:00:00.000001Z", "within_next", "3d")
    assert passes("0001-01-01", "within_last", "999999w")
    assert passes("9999-12-31", "within_next", "999999w")


def test_own_fields_and_dotted_names() -> None:
    contact = Contact.objects.create(
        external_id="u1",
        email="Ann@x.example",
        timezone=" ",
        created_at=NOW + TICK,
        attributes={"email": "other", "address": {"city": "Köln", "geo": [1]}, "a.b": 1},
    )
    for name, op, written, answer in [
        ("email", "eq", "Ann@x.example", True),
        ("email", "contains", "ANN", True),
        ("external_id", "in", ["u1"], True),
        ("timezone", "is_set", None, False),
        ("timezone", "eq", " ", False),
        ("timezone", "ne", " ", True),
        ("created_at", "eq", "2026-03-01T09:00:00.000001Z", True),
        ("created_at", "starts_with", "2026-03-01t09", True),
        ("created_at", "contains", ".000001z", True),
        ("created_at", "gt", "2026", True),
        ("created_at", "eq", 5, False),
        ("created_at", "after", "now", True),
        ("created_at", "within_last", "1d", False),
        ("created_at", "is_set", None, True),
        ("address.city", "eq", "Köln", True),
        ("address.geo.0", "is_set", None, False),
        ("a.b", "is_set", None, False),
        ("email.x", "is_set", None, False),
        ("Email", "is_set", None, False),
    ]:
        condition = conditions.parse({"attribute": name, "op": op, "value": written})
        assert condition.holds(StoredView(contact)) == answer, (name, op, written)
        found = Contact.objects.filter(condition.expression(NOW))
        assert found.exists() == answer, (name, op, written)


def test_all_any_and_not() -> None:
    yes, no = {"all": []}, {"any": []}
    Contact.objects.create()
    for data, answer in [
        (yes, True), (no, False), ({"not": yes}, False), ({"not": no}, True),
        ({"all": [yes, no]}, False), ({"any": [yes, no]}, True), ({"not": {"not": yes}}, True),
        ({"not": {"all": [yes, {"attribute": "a", "op": "is_set"}]}}, True),
        ({"not": {"any": [no, {"attribute": "a", "op": "ne", "value": 1}]}}, False),
    ]:  # fmt: skip
        assert holds(data) == answer
        found = Contact.objects.filter(conditions.parse(data).expression(NOW))
        assert found.exists() == answer


def happened(*ages: timedelta, **properties: Any) -> dict[str, list[Happened]]:
    """Events e, the first received first, so long before now."""
    return {"e": [Happened(n, properties, NOW - age) for n, age in enumerate(ages, 1)]}


def test_c4_events_count_from_now_minus_within_to_now_with_both_ends() -> None:
    within = {"event": "e", "within": "3d"}
    assert holds(within, happened=happened(3 * DAY))
    assert not holds(within, happened=happened(3 * DAY + TICK))
    assert holds(within, happened=happened(0 * DAY))
    assert holds({"event": "e", "within": "0s"}, happened=happened(0 * DAY))
    assert holds({"event": "e", "within": "999999w"}, happened=happened(9 * DAY))


def test_c4_one_from_the_future_does_not_count() -> None:
    assert not holds({"event": "e"}, happened=happened(-TICK))
    assert holds({"event": "e", "count": {"op": "eq", "value": 0}}, happened=happened(-TICK))


@pytest.mark.parametrize("number", range(4))
def test_counts(number: int) -> None:
    contact = Contact.objects.create()
    for _ in range(number):
        Event.objects.create(contact=contact, name="e", occurred_at=NOW, received_at=NOW)
    for op, compare in conditions.operators.ORDER.items():
        for value in range(4):
            data = {"event": "e", "count": {"op": op, "value": value}}
            assert holds(data, happened=happened(*[DAY] * number)) == compare(number, value)
            found = Contact.objects.filter(conditions.parse(data).expression(NOW))
            assert found.exists() == compare(number, value), data


def test_without_a_count_at_least_one_event_is_meant() -> None:
    assert not holds({"event": "e"})
    assert holds({"event": "e"}, happened=happened(DAY))
    assert not holds({"event": "E"}, happened=happened(DAY))


def test_where_must_hold_of_one_event() -> None:
    both = [{"property": "a", "op": "eq", "value": 1}, {"property": "b", "op": "eq", "value": 1}]
    apart = {"e": [Happened(1, {"a": 1}, NOW), Happened(2, {"b": 1}, NOW)]}
    assert not holds({"event": "e", "where": both}, happened=apart)
    assert holds({"event": "e", "where": both}, happened=happened(DAY, a=1, b=1.0))
    assert holds({"event": "e", "where": []}, happened=happened(DAY))


def test_since_entry_counts_what_was_received_after_the_start() -> None:
    since = {"event": "e", "since": "entry"}
    assert not holds(since, happened=happened(DAY, DAY), entry_mark=2)
    assert holds(since, happened=happened(DAY, 9 * DAY), entry_mark=1)
    assert not holds({**since, "within": "3d"}, happened=happened(DAY, 9 * DAY), entry_mark=1)
    assert not holds(since, happened=happened(DAY))


def test_where_may_follow_the_starting_event() -> None:
    where = [{"property": "id", "op": "eq", "value": {"trigger": "order.id"}}]
    data = {"event": "e", "where": where}
    events = happened(DAY, id=7)
    assert holds(data, happened=events, trigger={"order": {"id": 7.0}})
    assert not holds(data, happened=events, trigger={"order": {"id": "7"}})
    assert not holds(data, happened=events, trigger={"order.id": 7})
    listed = [{"property": "id", "op": "in", "value": {"trigger": "ids"}}]
    assert holds({"event": "e", "where": listed}, happened=events, trigger={"ids": [6, 7]})
    lately = [{"property": "on", "op": "within_last", "value": {"trigger": "pause"}}]
    on = happened(DAY, on="2026-02-28")
    assert holds({"event": "e", "where": lately}, happened=on, trigger={"pause": "2d"})
    assert not holds({"event": "e", "where": lately}, happened=on, trigger={"pause": "soon"})


def test_where_of_a_goal_or_a_wait_is_asked_of_one_event() -> None:
    where = conditions.parse_where(
        [
            {"property": "id", "op": "eq", "value": {"trigger": "id"}},
            {"property": "due", "op": "after", "value": "now"},
        ],
        EVERYWHERE,
    )
    event = {"id": 1, "due": "2026-03-02"}
    assert where.matches(event, {"id": 1}, NOW)
    assert not where.matches(event, {"id": 2}, NOW)
    assert not where.matches(event, None, NOW)
    assert not where.matches(event, {"id": 1}, NOW + DAY)
    assert conditions.parse_where([]).matches({}, None, NOW)


def make_segment(slug: str, condition: Any = None, *members: Contact) -> None:
    segment = Segment.objects.create(slug=slug, name=slug, condition=condition)
    for member in members:
        Membership.objects.create(segment=segment, contact=member)


def count(data: Any) -> int:
    return Contact.objects.filter(conditions.parse(data).expression(NOW)).count()


def test_c5_a_segment_is_counted_now_also_inside_a_segment() -> None:
    ann, bob = Contact.objects.create(attributes={"plan": "pro"}), Contact.objects.create()
    make_segment("listed", None, ann, bob)
    make_segment("pro", {"attribute": "plan", "op": "eq", "value": "pro"})
    make_segment("both", {"all": [{"segment": "listed"}, {"segment": "pro"}]})
    assert [count({"segment": slug}) for slug in ("listed", "pro", "both", "gone")] == [2, 1, 1, 0]
    bob.attributes = {"plan": "pro"}
    bob.save()
    assert count({"segment": "both"}) == 2
    Membership.objects.filter(contact=ann).update(left_at=NOW)
    assert count({"segment": "both"}) == 1
    assert count({"not": {"segment": "both"}}) == 1
    assert holds({"segment": "both"}, segments=frozenset({"both"}))


def test_c5_a_circle_of_segments_is_refused_and_never_followed() -> None:
    make_segment("a", {"segment": "b"})
    make_segment("b", {"any": [{"segment": "c"}, {"not": {"segment": "a"}}]})
    make_segment("static")
    problems = conditions.segment_problems("a", {"segment": "b"}, place="when")
    assert problems.errors[0].place == "when"
    assert "built on “b”, and that one on “a”" in problems[-1].message
    assert conditions.segment_problems("x", {"segment": "x"})[0].message.endswith("on itself.")
    assert not conditions.segment_problems("x", {"segment": "static"})
    assert "no segment “gone”" in conditions.segment_problems("x", {"segment": "gone"})[0].message
    Contact.objects.create()
    assert count({"segment": "a"}) == 1  # it ends, whatever it says


def test_c5_a_segment_built_on_too_much_is_refused() -> None:
    others: dict[str, Any] = {"s0": {"attribute": "a", "op": "is_set"}}
    for number in range(1, 20):
        inner = {"segment": f"s{number - 1}"}
        others[f"s{number}"] = {"any": [inner, inner]}
    assert not conditions.segment_problems("x", {"segment": "s8"}, others)
    found = conditions.segment_problems("x", {"segment": "s19"}, others)
    assert [(problem.message, problem.hint) for problem in found] == [
        (
            "The segment “x” is built on too many others.",
            "With those in their places it may be nested at most 32 deep"
            " and ask at most 5,000 questions.",
        )
    ]
    assert conditions.segment_problems("x", {"segment": "s599"}, tower(600, TOWERS["nested"][1]))


@dataclass
class Member(Seen):
    """A contact whose segments are judged by their conditions; ``asked`` counts the judgements."""

    built: dict[str, conditions.Condition] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def in_segment(self, slug: str) -> bool:
        self.asked.append(slug)
        return self.built[slug].holds(self)


def tower(levels: int, top: Any) -> dict[str, Any]:
    """Segments each of which is built on the one below, as ``top`` makes it of a question."""
    built: dict[str, Any] = {"s0": {"attribute": "a", "op": "is_set"}}
    for level in range(1, levels):
        built[f"s{level}"] = top({"segment": f"s{level - 1}"})
    return built


TOWERS = {
    "a chain": (600, lambda below: below),
    "twice each": (600, lambda below: {"any": [below, below]}),
    "said and denied": (60, lambda below: {"any": [{"not": below}, {"all": [below, below]}]}),
    "nested": (100, lambda below: {"not": {"all": [{"not": {"any": [{"all": [below]}]}}]}}),
}


@pytest.mark.parametrize("name", TOWERS)
def test_c5_segments_built_on_segments_are_judged_at_any_height(name: str) -> None:
    levels, top = TOWERS[name]
    built = {slug: conditions.parse(data) for slug, data in tower(levels, top).items()}
    asked = conditions.parse({"segment": f"s{levels - 1}"})
    for attributes in ({"a": 1}, {}):
        expected = bool(attributes) or name == "said and denied"
        member = Member(attributes=attributes, built=built)
        assert asked.holds(member) == expected
        assert len(member.asked) <= 4 * levels


def test_c5_a_circle_that_was_stored_is_judged_as_it_is_counted() -> None:
    circle = {f"s{number}": {"segment": f"s{(number + 1) % 20}"} for number in range(20)}
    built = {slug: conditions.parse(data) for slug, data in circle.items()}
    assert not conditions.parse({"segment": "s7"}).holds(Member(built=built))


def test_c5_an_inner_segment_is_read_and_said_once_to_the_database(
    django_assert_max_num_queries: Any,
) -> None:
    Contact.objects.create(attributes={"a": 1})
    Contact.objects.create()
    for slug, data in tower(24, TOWERS["twice each"][1]).items():
        make_segment(slug, data)
    with django_assert_max_num_queries(26):
        assert count({"segment": "s23"}) == 1
    with django_assert_max_num_queries(26):
        assert count({"not": {"segment": "s23"}}) == 1
    make_segment("long0", {"segment": "s3"})
    for level in range(1, 300):
        make_segment(f"long{level}", {"segment": f"long{level - 1}"})
    assert count({"segment": "long299"}) == 1


def test_t5_which_segments_look_at_the_time() -> None:
    parsed = {
        "static": None,
        "plain": conditions.parse({"attribute": "a", "op": "is_set"}),
        "lately": conditions.parse({"event": "e", "within": "1d"}),
        "outer": conditions.parse({"not": {"segment": "middle"}}),
        "middle": conditions.parse({"all": [{"segment": "lately"}, {"segment": "static"}]}),
    }
    assert conditions.time_dependent(parsed) == {"lately", "middle", "outer"}
    assert conditions.built_on("outer", parsed) == {"middle", "lately", "static"}
    order = conditions.in_order(parsed)
    assert order.index("lately") < order.index("middle") < order.index("outer")


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        ({"event": "e"}, False),
        ({"event": "e", "within": "1d"}, True),
        ({"event": "e", "where": [{"property": "p", "op": "before", "value": "now"}]}, True),
        ({"attribute": "a", "op": "within_next", "value": "1d"}, True),
        ({"attribute": "a", "op": "after", "value": "now"}, True),
        ({"attribute": "a", "op": "after", "value": "2026-03-01"}, False),
        ({"attribute": "a", "op": "eq", "value": "now"}, False),
        ({"not": {"any": [{"attribute": "a", "op": "within_last", "value": "1d"}]}}, True),
        ({"segment": "s"}, False),
    ],
)
def test_t5_what_looks_at_the_time(data: Any, looks: bool) -> None:
    assert conditions.parse(data).time_dependent == looks


def test_t5_moments_are_where_the_truth_changes() -> None:
    def moments(data: Any, **seen: Any) -> list[datetime]:
        return list(conditions.parse(data).moments(Seen(**seen)))

    born = {"a": "2026-03-05"}
    midnight = datetime(2026, 3, 5, tzinfo=UTC)
    ask = {"attribute": "a", "op": "before", "value": "now"}
    assert moments(ask, attributes=born) == [midnight + TICK]
    assert moments({**ask, "op": "after"}, attributes=born) == [midnight]
    ask = {"attribute": "a", "op": "within_next", "value": "1d"}
    assert moments(ask, attributes=born) == [midnight - DAY, midnight + TICK]
    ask = {"attribute": "a", "op": "within_last", "value": "1d"}
    assert moments(ask, attributes=born) == [midnight, midnight + DAY + TICK]
    assert moments(ask, attributes={"a": "soon"}) == []
    assert moments(ask, attributes={"a": "9999-12-31"})[1:] == []
    seen = happened(DAY)
    assert moments({"event": "e", "within": "3d"}, happened=seen) == [NOW + 2 * DAY + TICK]
    assert moments({"event": "e", "within": "1h"}, happened=seen) == []
    assert moments({"event": "e"}, happened=seen) == []
    assert moments({"event": "e"}, happened=happened(-DAY)) == [NOW + DAY]


@pytest.mark.parametrize("seed", range(3))
def test_t5_between_two_moments_the_truth_is_the_same(seed: int) -> None:
    chance = Chance(seed)
    for _ in range(300):
        attributes = {
            key: chance.rng.choice((chance.near(), chance.near(), chance.value()))
            for key in ("plan", "due", "tags")
        }
        events = {
            name: [
                Happened(number, {"due": chance.near(), "plan": 1}, chance.moment())
                for number in range(chance.rng.randrange(4))
            ]
            for name in ("bought", "seen")
        }
        seen = Seen(attributes, events, frozenset({"static"}))
        condition = conditions.parse(chance.condition({}))
        edges = list(condition.moments(seen))
        assert edges == sorted(set(edges))
        assert all(edge > NOW for edge in edges)
        for start, end in zip([NOW, *edges], [*edges, NOW + 400 * DAY], strict=True):
            middles = [start + (end - start) * part / 7 for part in range(1, 7)]
            truths = set()
            for moment in (start, start + TICK, *middles, end - TICK):
                if start <= moment < end:
                    seen.now = moment
                    truths.add(condition.holds(seen))
            assert len(truths) <= 1, (condition, start, end)


# --- what may be written --------------------------------------------------------------------------


def wrong(data: Any, scope: Scope | None = None, place: str = "") -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        conditions.parse(data, scope, place)
    return caught.value.problems


def test_all_problems_are_reported_together_with_place_and_hint() -> None:
    found = wrong(
        {
            "all": [
                {"attribute": "a", "op": "is"},
                {"attribute": "", "op": "is_set", "value": 1},
                {"any": [{"event": "e", "where": [{"property": "p", "op": "gt"}], "wihtin": "3d"}]},
                {"attribute": "a", "op": "within_last", "value": "3 days"},
                7,
            ]
        },
        place="goal",
    )
    assert [problem.place for problem in found] == [
        "goal.all[0].op",
        "goal.all[1].attribute",
        "goal.all[1].value",
        "goal.all[2].any[0].wihtin",
        "goal.all[2].any[0].where[0].value",
        "goal.all[3].value",
        "goal.all[4]",
    ]
    assert found[0].hint.startswith("One of: eq, ne, gt")
    assert all(problem.message.endswith(".") for problem in found)
    assert all(not problem.hint or problem.hint.endswith(".") for problem in found)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (None, ""),
        ([], ""),
        ("plan", ""),
        ({}, ""),
        ({"atribute": "a", "op": "is_set"}, ""),
        ({"all": [], "any": []}, ""),
        ({"all": {}}, "all"),
        ({"any": None}, "any"),
        ({"not": []}, "not"),
        ({"all": [], "x": 1}, "x"),
        ({"attribute": 5, "op": "is_set"}, "attribute"),
        ({"attribute": None, "op": "is_set"}, "attribute"),
        ({"attribute": "a"}, "op"),
        ({"attribute": "a", "op": ["eq"], "value": 1}, "op"),
        ({"attribute": "a", "op": "EQ", "value": 1}, "op"),
        ({"attribute": "a", "op": "eq"}, "value"),
        ({"attribute": "a", "op": "is_set", "value": True}, "value"),
        ({"attribute": "a", "op": "is_not_set", "value": False}, "value"),
        ({"attribute": "a", "op": "within_next", "value": 3}, "value"),
        ({"attribute": "a", "op": "within_next", "value": "-3d"}, "value"),
        ({"attribute": "a", "op": "eq", "value": float("nan")}, "value"),
        ({"attribute": "a", "op": "eq", "value": {"b": ["x\0"]}}, "value"),
        ({"attribute": "a", "op": "eq", "value": {"\ud800": 1}}, "value"),
        ({"attribute": "a\0", "op": "is_set"}, "attribute"),
        ({"attribute": "a", "op": "eq", "value": datetime(2026, 3, 1, tzinfo=UTC)}, "value"),
        ({"event": ""}, "event"),
        ({"event": ["e"]}, "event"),
        ({"event": "e", "where": {}}, "where"),
        ({"event": "e", "where": ["p"]}, "where[0]"),
        ({"event": "e", "where": [{"op": "is_set"}]}, "where[0].property"),
        ({"event": "e", "where": [{"property": "p", "op": "is_set", "x": 1}]}, "where[0].x"),
        ({"event": "e", "where": [{"property": "p"}]}, "where[0].op"),
        ({"event": "e", "count": 2}, "count"),
        ({"event": "e", "count": {"value": 2}}, "count.op"),
        ({"event": "e", "count": {"op": "in", "value": 2}}, "count.op"),
        ({"event": "e", "count": {"op": "gte"}}, "count.value"),
        ({"event": "e", "count": {"op": "gte", "value": "2"}}, "count.value"),
        ({"event": "e", "count": {"op": "gte", "value": True}}, "count.value"),
        ({"event": "e", "count": {"op": "gte", "value": -1}}, "count.value"),
        ({"event": "e", "count": {"op": "gte", "value": 1.5}}, "count.value"),
        ({"event": "e", "count": {"op": "gte", "value": 1, "x": 1}}, "count.x"),
        ({"event": "e", "within": "3"}, "within"),
        ({"event": "e", "within": 3}, "within"),
        ({"event": "e", "within": "-3d"}, "within"),
        ({"event": "e", "since": "start"}, "since"),
        ({"event": "e", "since": "entry"}, "since"),
        ({"segment": None}, "segment"),
        ({"segment": "s", "op": "is_set"}, "op"),
    ],
)
def test_what_is_not_allowed_is_refused_at_its_place(data: Any, place: str) -> None:
    assert [problem.place for problem in wrong(data)] == [place]


TRIGGERED = {"event": "e", "where": [{"property": "p", "op": "eq", "value": {"trigger": "q"}}]}


def test_what_follows_the_starting_event_needs_one() -> None:
    assert [problem.place for problem in wrong(TRIGGERED)] == ["where[0].value"]
    assert [problem.place for problem in wrong(TRIGGERED, Scope(enrollment=True))] == [
        "where[0].value"
    ]
    conditions.parse(TRIGGERED, Scope(trigger=True))
    nameless = [{"property": "p", "op": "eq", "value": {"trigger": 5}}]
    assert wrong({"event": "e", "where": nameless}, EVERYWHERE)[0].place == "where[0].value"


def test_since_needs_an_enrollment() -> None:
    since = {"event": "e", "since": "entry"}
    assert wrong(since, Scope(trigger=True))[0].place == "since"
    conditions.parse(since, Scope(enrollment=True))


@pytest.mark.parametrize("data", [TRIGGERED, {"event": "e", "since": "entry"}])
def test_what_needs_an_enrollment_is_no_question_about_a_set(data: Any) -> None:
    with pytest.raises(TypeError, match="needs an enrollment"):
        conditions.parse(data, EVERYWHERE).expression(NOW)


@pytest.mark.parametrize("op", ["eq", "ne", "gt", "lte", "contains", "starts_with", "in", "before"])
def test_a_value_of_any_type_may_be_written(op: str) -> None:
    for value in (None, True, 0, -1.5, "", "x", [], [None, [1]], {}, {"trigger": "q"}, {"a": None}):
        passes("x", op, value)


@pytest.mark.parametrize(
    "data",
    [
        {"attribute": "a..b", "op": "is_set"},
        {"attribute": "a'; --\"%s{}", "op": "eq", "value": "%s'\"{}?"},
        {"attribute": "a", "op": "is_set", "value": None},
        {"event": "e", "count": {"op": "gte", "value": 0}},
        {"event": "e", "count": {"op": "lt", "value": 0}},
        {"event": "e", "count": {"op": "eq", "value": 2.0}, "within": "0s", "where": []},
        {"event": "x" * 300},
        {"not": {"not": {"not": {"all": [{"any": []}]}}}},
        {"any": [{"attribute": "a", "op": "is_set"}] * 2000},
        {"attribute": "a", "op": "in", "value": list(range(3000))},
    ],
)
def test_what_is_odd_and_allowed_is_allowed(data: Any) -> None:
    condition = conditions.parse(data)
    contact = Contact.objects.create()
    assert count(data) == condition.holds(StoredView(contact))
    assert condition.words()


def test_conditions_may_be_nested_deep_but_not_without_end() -> None:
    data: Any = {"attribute": "a", "op": "is_not_set"}
    for depth in range(conditions.language.MAX_DEPTH):
        data = {"any" if depth % 2 else "all": [{"event": "e"}, data]}
    Contact.objects.create()
    assert count(data) in (0, 1)
    assert "nested at most" in wrong({"not": data})[0].message
    for _ in range(5_000):
        data = {"not": data}
    assert len(wrong(data)) == 1


def test_a_value_that_nothing_can_pass_is_a_warning() -> None:
    problems = Problems()
    conditions.parse({"attribute": "a", "op": "gt", "value": True}, None, "when", problems)
    assert [(problem.place, problem.level) for problem in problems] == [("when.value", "warning")]
    conditions.parse({"attribute": "a", "op": "eq", "value": {"trigger": "q"}}, problems=problems)
    assert not problems.errors


def test_with_a_collector_nothing_is_raised_and_what_is_wrong_is_true_of_nobody() -> None:
    problems = Problems()
    data = {"any": [{"attribute": "a", "op": "is"}, {"all": [5]}]}
    condition = conditions.parse(data, None, "when", problems)
    assert len(problems.errors) == 2
    assert not condition.holds(Seen())
    assert not conditions.parse(5, problems=Problems()).holds(Seen())


def test_names_are_checked_where_they_are_known() -> None:
    scope = Scope(segments={"a", "b"})
    assert wrong({"segment": "c"}, scope)[0].hint == "One of: a, b."
    conditions.parse({"segment": "a"}, scope)
    goal = Scope(forms=("all", "attribute"))
    assert wrong({"all": [{"event": "e"}]}, goal)[0].place == "all[0]"


def test_looks_at_names_all_it_looks_at() -> None:
    data = {
        "any": [
            TRIGGERED,
            {"not": {"attribute": "a.b", "op": "is_set"}},
            {"all": [{"segment": "s"}]},
        ]
    }
    found = conditions.parse(data, EVERYWHERE).looks_at()
    assert found == conditions.References(
        events=frozenset({"e"}),
        attributes=frozenset({"a.b"}),
        segments=frozenset({"s"}),
        properties=frozenset({"p"}),
        trigger=frozenset({"q"}),
        spans=frozenset({("e", None)}),
    )
    assert conditions.References.of([]) == conditions.References()


def test_operators_are_listed_for_forms() -> None:
    labels = {each.name: each.label for each in conditions.operators_for("yes_no")}
    assert labels == {"eq": "is", "ne": "is not", "is_set": "is set", "is_not_set": "is not set"}
    for each in conditions.OPERATORS.values():
        assert each.label
        assert set(each.types) <= set(conditions.TYPES)
    assert set(conditions.COUNT_OPERATORS) == set(conditions.operators.ORDER)
    assert {"all", "any", "not", "attribute", "event", "segment"} <= set(conditions.FORMS)


@pytest.mark.parametrize("people", [1, 50])
def test_a_condition_is_one_query_however_many_people(
    people: int, django_assert_num_queries: Any
) -> None:
    Contact.objects.bulk_create(Contact() for _ in range(people))
    condition = conditions.parse({"any": [{"event": "e", "within": "3d"}, {"not": TRIGGERED_NOT}]})
    with django_assert_num_queries(1):
        assert Contact.objects.filter(condition.expression(NOW)).count() == people


TRIGGERED_NOT = {"event": "e", "count": {"op": "gte", "value": 3}}
