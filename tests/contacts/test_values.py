"""Durations, moments, equality and dotted names (§2, §3)."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts.values import (
    format_duration,
    format_moment,
    get_path,
    json_eq,
    json_key,
    parse_duration,
    parse_moment,
    set_path,
    words_duration,
)
from tests.contacts import condition_cases as cases

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("3d", 3 * DAY),
        ("1d12h", timedelta(hours=36)),
        ("1w2d3h4m5s", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5)),
        ("0s", timedelta(0)),
        ("90m", timedelta(minutes=90)),
        ("007d", 7 * DAY),
    ],
)
def test_a_duration_is_whole_numbers_with_units_in_falling_order(
    text: str, length: timedelta
) -> None:
    assert parse_duration(text) == length
    assert parse_duration("-" + text, signed=True) == -length
    assert parse_duration("+" + text, signed=True) == length


@pytest.mark.parametrize(
    "text",
    ["", "3", "d", "3 d", "12h1d", "1d1d", "1.5d", "-3d", "+3d", "3D", "٣d", "3d\n", "1y", 3, None,
     True, ["3d"], "9" * 30 + "w", "9" * 5000 + "s"],
)  # fmt: skip
def test_anything_else_is_no_duration(text: Any) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "-", "+", "--3d", "3d-"])
def test_a_sign_alone_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text, signed=True)


@given(st.integers(-(10**9), 10**9))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    assert parse_duration(format_duration(length), signed=True) == length


def test_a_duration_in_words() -> None:
    assert words_duration(parse_duration("1d12h")) == "1 day 12 hours"
    assert words_duration(parse_duration("30d")) == "30 days"
    assert words_duration(parse_duration("1m1s")) == "1 minute 1 second"
    assert words_duration(timedelta(0)) == "0 seconds"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T10:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01 10:00:05Z", datetime(2026, 3, 1, 10, 0, 5, tzinfo=UTC)),
        ("2026-03-01T10:00+01:30", datetime(2026, 3, 1, 8, 30, tzinfo=UTC)),
        ("2026-03-01T00:00-00:30", datetime(2026, 3, 1, 0, 30, tzinfo=UTC)),
        ("2026-03-01T10:00:00.5Z", datetime(2026, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-01T10:00:00.1234569Z", datetime(2026, 3, 1, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_moment_is_an_iso_date_or_datetime(text: str, instant: datetime) -> None:
    moment = parse_moment(text)
    assert moment is not None
    assert moment.instant == instant
    assert moment.is_date == (len(text) == 10)
    assert moment.date == (instant.date() if moment.is_date else None)


@pytest.mark.parametrize(
    "value",
    ["2026-02-30", "2025-02-29", "1900-02-29", "0000-01-01", "2026-03-01T24:00", "2026-03-01T9:00",
     "2026-03-01T09", "2026-03-01  09:00", "2026-03-01t09:00", "2026-03-01T09:00z", "20260301",
     "2026-03-01T09:00:00.", "2026-03-01T09:00:60Z", "2026-03-01T09:00+24:00", "2026-03-01\n",
     "2026-03-01T09:00+01", "2026-03-01T09:00+0100", "0001-01-01T00:00+00:01", "2026-03-01Z",
     "9999-12-31T23:59:59-00:01", "２026-03-01", "now", "", 20260301, None, True, ["2026-03-01"],
     date(2026, 3, 1)],
)  # fmt: skip
def test_anything_else_is_no_moment(value: Any) -> None:
    assert parse_moment(value) is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_is_written_as_it_is_read(instant: datetime) -> None:
    text = format_moment(instant)
    moment = parse_moment(text)
    assert moment is not None
    assert moment.instant == instant
    assert ("." in text) == (instant.microsecond != 0)


def test_c3_a_boolean_is_no_number_and_1_is_1_0() -> None:
    assert not json_eq(True, 1)
    assert not json_eq(0, False)
    assert json_eq(1, 1.0)
    assert json_eq({"a": [1, {"b": None}]}, {"a": [1.0, {"b": None}]})
    assert not json_eq({"a": [1]}, {"a": [True]})
    assert not json_eq([], {})
    assert not json_eq("", None)
    assert not json_eq("1", 1)
    assert not json_eq([1, 2], [2, 1])
    assert json_eq({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert not json_eq({"a": None}, {})


def test_c3_numbers_are_equal_as_their_digits_read() -> None:
    assert json_eq(10**23, 1e23)
    assert not json_eq(2**53 + 1, 2.0**53)
    assert json_eq(-0.0, 0)


def test_a_key_is_equal_exactly_where_the_values_are() -> None:
    values = [*cases.DATES, *cases.TEXTS, *cases.NUMBERS, True, False, None, [], {}, [[]], [{}]]
    values += [[value] for value in values] + [{"a": value} for value in values]
    values += [[1, 2], [12], ["1", "2"], {"a": 1, "b": 2}, {"b": 2, "a": 1.0}, {"a": {"b": 1}}]
    for a, b in itertools.product(values, repeat=2):
        assert (json_key(a) == json_key(b)) == json_eq(a, b), (a, b)


def test_deep_values_do_not_raise() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert json_eq(deep, deep)
    assert json_key(deep) == json_key(deep)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(json_values)
def test_what_json_carries_stays_equal(value: Any) -> None:
    again = json.loads(json.dumps(value))
    assert json_eq(value, again)
    assert json_key(value) == json_key(again)


def test_a_dotted_name_reaches_into_objects_only() -> None:
    nested = {"a": {"b": {"c": 1}, "list": [5], "0": None, "": 2}, "a.b": 3}
    assert get_path(nested, "a.b.c") == 1
    assert get_path(nested, "a.b") == {"c": 1}
    assert get_path(nested, "a.list.0") is None
    assert get_path(nested, "a.0") is None
    assert get_path(nested, "a.") == 2
    assert get_path(nested, "a.b.c.d") is None
    assert get_path(nested, "x.y") is None
    assert get_path(None, "a") is None


def test_t6_a_dotted_name_makes_objects_on_the_way_and_null_removes() -> None:
    before = {"a": {"b": 1}, "text": "x"}
    assert set_path(before, "a.c", 2) == {"a": {"b": 1, "c": 2}, "text": "x"}
    assert set_path(before, "n.e.w", 2) == {**before, "n": {"e": {"w": 2}}}
    assert set_path(before, "text.a", 1) == {"a": {"b": 1}, "text": {"a": 1}}
    assert set_path(before, "a.b", None) == {"a": {}, "text": "x"}
    assert set_path(before, "a", None) == {"text": "x"}
    assert set_path(before, "x.y", None) == before
    assert set_path(before, "text.y", None) == before
    assert set_path(before, "a.", 3) == {"a": {"b": 1, "": 3}, "text": "x"}
    assert before == {"a": {"b": 1}, "text": "x"}


@given(st.dictionaries(st.sampled_from("ab"), json_values), st.sampled_from(("a", "a.b", "c.d.e")))
def test_what_is_set_is_found(mapping: dict[str, Any], path: str) -> None:
    assert get_path(set_path(mapping, path, "x"), path) == "x"
    assert get_path(set_path(mapping, path, None), path) is None
