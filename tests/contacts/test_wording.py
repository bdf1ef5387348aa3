"""Conditions in words: each form, its opposite, and names that make a sentence hard to read."""

from __future__ import annotations

from typing import Any

import pytest

from contacts import conditions
from contacts.conditions import OPERATORS, Scope, wording
from messaging.conditions import DEEDS, NOT_DONE

SCOPE = Scope(
    enrollment=True,
    trigger=True,
    segments={"beta": "Beta testers", "pro": "Pro", "nameless": ""},
    topics={"product": "Product news"},
    nodes={"welcome": "Welcome mail"},
)
PRO = {"attribute": "plan", "op": "eq", "value": "pro"}
BIG = {"attribute": "seats", "op": "gte", "value": 10}
BETA = {"segment": "beta"}


def words(data: Any) -> str:
    """The sentence about a condition."""
    return conditions.parse(data, SCOPE).words()


def about(op: str, value: Any = None, name: str = "a") -> dict[str, Any]:
    """A comparison of an attribute."""
    return {"attribute": name, "op": op, "value": value}


def event(**more: Any) -> dict[str, Any]:
    """A condition on the event “bought”."""
    return {"event": "bought", **more}


def times(op: str, value: int) -> dict[str, Any]:
    """A condition on how often the event “bought” happened."""
    return event(count={"op": op, "value": value})


@pytest.mark.parametrize(
    ("data", "said", "denied"),
    [
        (about("eq", "pro"), "a is pro", "a is not pro"),
        (about("ne", 3), "a is not 3", "a is 3"),
        (about("gt", 3), "a is more than 3", "a is not more than 3"),
        (about("gte", 2.5), "a is at least 2.5", "a is not at least 2.5"),
        (about("lt", 3), "a is less than 3", "a is not less than 3"),
        (about("lte", "b"), "a is at most b", "a is not at most b"),
        (about("contains", "x"), "a contains x", "a does not contain x"),
        (about("starts_with", "x"), "a starts with x", "a does not start with x"),
        (about("in", ["a", 1, True]), "a is one of a, 1 or yes", "a is not one of a, 1 or yes"),
        (about("in", ["pro"]), "a is pro", "a is not pro"),
        (about("in", []), "a is one of nothing", "a is not one of nothing"),
        (about("in", [*range(3000)]), "a is one of 0, 1, 2, 3, 4, 5, 6, 7 or 2,992 more",
         "a is not one of 0, 1, 2, 3, 4, 5, 6, 7 or 2,992 more"),
        (about("is_set"), "a is set", "a is not set"),
        (about("is_not_set"), "a is not set", "a is set"),
        (about("before", "2026-03-01"), "a is before 1 March 2026", "a is not before 1 March 2026"),
        (about("after", "2026-03-01T17:05:00+02:00"), "a is after 1 March 2026 15:05 UTC",
         "a is not after 1 March 2026 15:05 UTC"),
        (about("before", "now"), "a is in the past", "a is not in the past"),
        (about("after", "now"), "a is in the future", "a is not in the future"),
        (about("within_last", "1d12h"), "a was in the last 1 day 12 hours",
         "a was not in the last 1 day 12 hours"),
        (about("within_next", "3d"), "a is in the next 3 days", "a is not in the next 3 days"),
        (about("eq", True), "a is yes", "a is not yes"),
        (about("eq", ""), "a is an empty text", "a is not an empty text"),
        (about("eq"), "a is nothing", "a is not nothing"),
        (about("eq", {"b": 1}), 'a is {"b": 1}', 'a is not {"b": 1}'),
        (event(), "bought at least once", "never bought"),
        (times("gte", 2), "bought at least twice", "bought fewer than 2 times"),
        (times("gte", 1200), "bought at least 1,200 times", "bought fewer than 1,200 times"),
        (times("gt", 0), "bought at least once", "never bought"),
        (times("gt", 1), "bought more than once", "bought at most once"),
        (times("lt", 1), "never bought", "bought at least once"),
        (times("lte", 2), "bought at most twice", "bought more than twice"),
        (times("eq", 0), "never bought", "bought at least once"),
        (times("eq", 1), "bought exactly once", "bought any number of times but once"),
        (times("ne", 3), "bought any number of times but 3 times", "bought exactly 3 times"),
        (event(within="30d"), "bought at least once in the last 30 days",
         "never bought in the last 30 days"),
        (event(since="entry"), "bought at least once since the entry",
         "never bought since the entry"),
        (event(within="7d", since="entry", where=[{"property": "a b", "op": "is_set"}]),
         "bought at least once in the last 7 days since the entry where “a b” is set",
         "never bought in the last 7 days since the entry where “a b” is set"),
        (event(where=[{"property": "plan", "op": "in", "value": ["x", "y"]},
                      {"property": "id", "op": "eq", "value": {"trigger": "id"}}]),
         "bought at least once where plan is one of x or y and id is the starting event’s id",
         "never bought where plan is one of x or y and id is the starting event’s id"),
        (event(where=[{"property": "at", "op": "within_last", "value": {"trigger": "q"}}]),
         "bought at least once where at was in the time before now that is the starting event’s q",
         "never bought where at was in the time before now that is the starting event’s q"),
        (BETA, "in the segment “Beta testers”", "not in the segment “Beta testers”"),
        ({"segment": "nameless"}, "in the segment “nameless”", "not in the segment “nameless”"),
        ({"subscribed": "product"}, "subscribed to “Product news”",
         "not subscribed to “Product news”"),
        ({"message": "welcome", "did": "opened"}, "the message “Welcome mail” was opened",
         "the message “Welcome mail” was not opened"),
        ({"message": "welcome", "did": "bounced"}, "the message “Welcome mail” bounced",
         "the message “Welcome mail” did not bounce"),
        ({"all": [PRO, BIG]}, "plan is pro, and seats is at least 10",
         "plan is not pro, or seats is not at least 10"),
        ({"any": [PRO, BIG]}, "plan is pro, or seats is at least 10",
         "plan is not pro, and seats is not at least 10"),
        ({"any": [BETA, {"all": [PRO, BIG]}]},
         "in the segment “Beta testers”, or (plan is pro, and seats is at least 10)",
         "not in the segment “Beta testers”, and (plan is not pro, or seats is not at least 10)"),
        ({"all": [BETA, {"not": {"any": [PRO, BIG]}}]},
         "in the segment “Beta testers”, and (plan is not pro, and seats is not at least 10)",
         "not in the segment “Beta testers”, or (plan is pro, or seats is at least 10)"),
        ({"all": [BETA, {"all": [{"any": [PRO, BIG]}]}]},
         "in the segment “Beta testers”, and (plan is pro, or seats is at least 10)",
         "not in the segment “Beta testers”, or (plan is not pro, and seats is not at least 10)"),
        ({"all": []}, "everybody", "nobody"),
        ({"any": []}, "nobody", "everybody"),
        ({"all": [PRO, {"all": []}]}, "plan is pro", "plan is not pro"),
        ({"all": [PRO, {"any": []}]}, "nobody", "everybody"),
        ({"any": [PRO, {"not": {"any": []}}]}, "everybody", "nobody"),
    ],
)  # fmt: skip
def test_each_form_and_its_opposite(data: Any, said: str, denied: str) -> None:
    data = {key: part for key, part in data.items() if part is not None or data["op"] == "eq"}
    assert words(data) == said
    assert words({"not": data}) == denied
    assert words({"not": {"not": data}}) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("address.city", "address.city is set"),
        ("email", "email is set"),
        ("created_at", "creation date is set"),
        ("external_id", "external id is set"),
        ("timezone", "time zone is set"),
        ("first name", "“first name” is set"),
        ('the "best"', '“the "best"” is set'),
        ("🎉 party", "“🎉 party” is set"),
        ("two\nlines", "“two lines” is set"),
        ("größe", "größe is set"),
        ("שם", "\u2068שם\u2069 is set"),
        ("a\u202eb", "“ab” is set"),
        ("x" * 150, f"{'x' * 59}… is set"),
    ],
)
def test_names_that_are_hard_to_read(name: str, said: str) -> None:
    assert words({"attribute": name, "op": "is_set"}) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("New York", "a is “New York”"),
        ("10", "a is “10”"),
        ("yes", "a is “yes”"),
        ("pro, and b is c", "a is “pro, and b is c”"),
        (" ", "a is “ ”"),
        ("2026-03-01", "a is 2026-03-01"),
        ("Europe/Berlin", "a is Europe/Berlin"),
        ("u1@example.com", "a is u1@example.com"),
        ("مرحبا", "a is \u2068مرحبا\u2069"),
        ("y" * 500, f"a is {'y' * 59}…"),
    ],
)
def test_texts_that_could_be_mistaken_stand_in_quotation_marks(value: str, said: str) -> None:
    assert words(about("eq", value)) == said


def test_names_of_the_scope_do_not_make_two_conditions_different() -> None:
    assert conditions.parse(BETA, SCOPE) == conditions.parse(BETA)


def test_every_operator_and_deed_has_an_opposite() -> None:
    assert set(wording.DENIED) == set(OPERATORS)
    assert set(NOT_DONE) == set(DEEDS)
    assert set(wording.OWN) == set(conditions.OWN_FIELDS)
