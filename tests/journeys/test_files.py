"""The journey file as text (SEMANTICS §2, §6)."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts.problems import Invalid, Problems
from journeys import files
from journeys.definition import Catalog
from tests.reference import generate

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ODD_TEXTS = st.sampled_from(
    [
        "no", "on", "yes", "True", "NULL", "0123", "0x1F", "0o7", "09:00", "17:00", "1:30", "1e3",
        "1E-3", ".5", "5.", "+1", "-1", "-0", "1_000", ".inf", ".nan", "2026-03-01", "2026-03-01T1",
        "2026-03-01 10:00:00Z", "", "~", "null", "true", "- a", "? a", "a: b", "a #b", "#a", "<<",
        "=", "!a", "&a", "*a", "%a", "@a", "`a", "{a", "[a", "]", "}", ",", "|", ">", "'", '"',
        "a\n", "a\n\n", "\na", " a", "a ", "a \nb", "\ta", "a\tb\nc", "a\n b\n", "a\r\nb", "a\rb",
        "a\x85b", "a\u2028b", "\ufeff", "\x07", "\U0001f600", "---", "...", "--- a", "a\n---\nb",
        "a" * 300, "word " * 100, "\ufffe", "\x7f", "\ue000", "a\n\tb", "a\n\n  b\n",
    ]
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False)
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, ODD_TEXTS)
KEYS = st.one_of(TEXTS, ODD_TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)
SECTIONS = st.sampled_from(["nodes", "entry", "templates", "window", "goal"])
DATA = st.dictionaries(KEYS | SECTIONS, VALUES, max_size=5)


def same(a: Any, b: Any) -> bool:
    """Equal with the same types, and with the keys in the same order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    return a == b


def errors_of(text: str) -> Problems:
    with pytest.raises(Invalid) as caught:
        files.read(text)
    return caught.value.problems


# round trips


@settings(max_examples=400)
@given(DATA)
def test_what_is_written_reads_back_the_same(data: Any) -> None:
    assert same(files.read(files.write(data)), data)


@settings(max_examples=200)
@given(DATA)
def test_writing_again_what_was_read_gives_the_same_text(data: Any) -> None:
    text = files.write(data)
    assert files.write(files.read(text)) == text


@settings(max_examples=300)
@given(DATA, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_json_is_read_as_json_reads_it(data: Any, escaped: bool, indent: Any) -> None:
    text = json.dumps(data, ensure_ascii=escaped, indent=indent)
    assert same(files.read(text), data)


@settings(max_examples=300)
@given(st.text(max_size=60) | st.text("{}[]:,-#&*!|>'\"%@`? \n\tab0", max_size=40))
def test_any_text_is_data_or_problems_and_never_another_error(text: str) -> None:
    problems = Problems()
    source = files.read_source(text, problems)
    if not problems.errors:
        assert source is not None
        assert same(files.read(files.write(source.data)), source.data)


# scalars (§2, §6)


@pytest.mark.parametrize(
    "text",
    ["no", "on", "yes", "off", "y", "True", "FALSE", "Null", "17:00", "2026-03-01", "0123", "0x10",
     "0o17", "1_000", "+1", ".5", "5.", ".inf", ".nan", "1e", "-", "2026-03-01T09:00:00Z", "=",
     "<<", "1 2"],
)  # fmt: skip
def test_plain_scalars_that_json_would_not_know_are_text(text: str) -> None:
    assert files.read(f"a: {text}" if text != "-" else "a: '-'") == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("false", False), ("null", None), ("~", None), ("", None), ("1", 1),
        ("-1", -1), ("0", 0), ("1.0", 1.0), ("1e3", 1000.0), ("-1.5E-2", -0.015), ('"1"', "1"),
        ("'true'", "true"), ('""', ""),
    ],
)  # fmt: skip
def test_scalars_are_what_they_look_like(text: str, value: Any) -> None:
    assert same(files.read(f"a: {text}"), {"a": value})


def test_keys_are_the_text_that_stands_there() -> None:
    text = "1: a\ntrue: b\n~: c\nno: d\n1.50: e\n09:00: f\n'': g\n"
    assert list(files.read(text)) == ["1", "true", "~", "no", "1.50", "09:00", ""]


def test_line_separators_are_ordinary_characters() -> None:
    assert files.read('a: "x \u2028 y\x85z"\nb: x\u2029y\n') == {
        "a": "x \u2028 y\x85z",
        "b": "x\u2029y",
    }


def test_json_joins_halves_of_surrogate_pairs() -> None:
    assert files.read('{"a": "\\ud83d\\ude00"}') == {"a": "😀"}
    assert files.read('a: "\\ud83d\\ude00"') == {"a": "😀"}
    assert files.read('{"a":\t1,\n\t"b":2}') == {"a": 1, "b": 2}


def test_a_flow_mapping_that_is_no_json_is_yaml() -> None:
    assert files.read("{journey: x, nodes: {a: [1, no]}}") == {
        "journey": "x",
        "nodes": {"a": [1, "no"]},
    }


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert files.read("\ufeffa: 1") == {"a": 1}
    assert files.read('\ufeff{"a": 1}') == {"a": 1}


# what is wrong


def test_keys_that_stand_twice_are_errors_all_together_with_their_lines() -> None:
    problems = errors_of("a: 1\nb:\n  c: 1\n  c: {d: 2}\na: 3\n1: x\n'1': y\n")
    assert [(one.place, one.line) for one in problems] == [("b.c", 4), ("a", 5), ("1", 7)]  # type: ignore[attr-defined]
    assert all(one.message == "This key stands twice." and one.hint for one in problems)
    assert "line 4: b.c: This key stands twice." in str(problems[0])


def test_keys_that_stand_twice_in_json_are_errors() -> None:
    problems = errors_of('{"a": 1,\n "a": {"b": 1, "b": 2}}')
    assert [one.place for one in problems] == ["a", "a.b"]


@pytest.mark.parametrize(
    "text",
    ["a: !!str 1", "a: !x {}", "!!map {a: 1}", "a: ! x", "a: 1\n---\nb: 2", "{a: 1", "a: b: c",
     "? [a]\n: 1", "a: *b", "a: &b [*b]", "a:\n\t- b", "a: \x07", 'a: "\\0"', 'a: "\\ud800"',
     "a: 1e999", "a: " + "9" * 400, "%YAML 2.0\n---\na: 1", "[" * 200 + "]" * 200,
     '{"a":' * 150 + "1" + "}" * 150, "a: @b", "- a\nb: c"],
)  # fmt: skip
def test_what_is_no_journey_file_is_refused(text: str) -> None:
    problems = errors_of(text)
    assert all(one.message and one.message.endswith(".") for one in problems)


def test_a_syntax_error_names_its_line_and_tabs_get_a_hint() -> None:
    [problem] = errors_of("journey: x\nnodes:\n\ta: {}\n")
    assert problem.line == 3  # type: ignore[attr-defined]
    assert "spaces" in problem.hint


def test_aliases_are_expanded_within_limits() -> None:
    assert files.read("a: &x {b: [1]}\nc: *x\n") == {"a": {"b": [1]}, "c": {"b": [1]}}
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    [problem] = errors_of(bomb)
    assert "more than 100,000 values" in problem.message
    deep = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 120))
    assert "deep" in errors_of(deep)[0].message


def test_too_long_a_file_is_refused() -> None:
    assert "characters" in errors_of("a: " + "x" * 4_000_000)[0].message


# problems of the journey with their lines


def test_problems_of_the_journey_have_the_lines_of_the_file() -> None:
    text = """\
journey: t
entry: {trigger: {manual: true}}
start: a
nodes:
  a:
    kind: wait
    for: 3x
    next: b
  b: {kind: exit}
  b: {kind: exit}
colour: red
"""
    definition, data, problems = files.load(text, Catalog())
    assert definition is None
    assert data["start"] == "a"
    assert [(one.place, one.line) for one in problems] == [
        ("nodes.a.for", 7),
        ("nodes.b", 10),
        ("colour", 11),
    ]


def test_a_file_without_problems_is_loaded() -> None:
    text = "journey: t\nentry: {trigger: {manual: true}}\nstart: a\nnodes: {a: {kind: exit}}\n"
    definition, _, problems = files.load(text, Catalog())
    assert not problems
    assert definition is not None
    assert definition.slug == "t"
    assert files.load("[", Catalog())[:2] == (None, None)


# how it looks


def test_a_journey_is_written_as_a_person_would() -> None:
    data = {
        "nodes": {
            "b": {"next": "c", "kind": "wait", "for": "1d"},
            "c": {"kind": "exit"},
            "a": {"next": {"x": "c", "else": "b"}, "kind": "branch",
                  "paths": [{"when": {"op": "is_set", "attribute": "x"}, "name": "x"}]},
        },
        "start": "a",
        "entry": {"reentry": "once", "trigger": {"event": "e"}},
        "window": {"to": "17:00", "from": "09:00", "days": ["mon"]},
        "templates": {"t": {"text": "Hello\n  you\n", "subject": "Yes", "name": "no"}},
        "journey": "j",
    }  # fmt: skip
    assert (
        files.write(files.arranged(data))
        == """\
journey: j
entry:
  trigger: {event: e}
  reentry: once
window: {days: [mon], from: "09:00", to: "17:00"}
start: a
nodes:
  a:
    kind: branch
    paths: [{name: x, when: {attribute: x, op: is_set}}]
    next: {x: c, else: b}
  c: {kind: exit}
  b: {kind: wait, for: 1d, next: c}
templates:
  t:
    name: "no"
    subject: "Yes"
    text: |
      Hello
        you
"""
    )


@settings(max_examples=200)
@given(DATA)
def test_arranging_changes_nothing_but_the_order(data: Any) -> None:
    assert files.arranged(data) == data


# random journeys


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_random_journeys_are_read_accepted_and_written_the_same(first: int) -> None:
    for seed in range(first, first + 50):
        journey = generate.case(seed).journey
        assert same(files.read(generate.to_yaml(journey, random.Random(seed))), journey)
        text = files.write(files.arranged(journey))
        definition, data, problems = files.load(text, Catalog())
        assert definition is not None, (seed, list(problems))
        assert data == journey


@pytest.mark.parametrize("name", sorted(generate.JOURNEY_BREAKERS))
def test_random_journeys_with_a_mistake_are_refused(name: str) -> None:
    every = [*generate.JOURNEY_BREAKERS, *generate.LINE_BREAKERS]
    broken = generate.invalid_case(every.index(name))
    assert broken.broken == f"journey: {name}"
    text = broken.journey_text or json.dumps(broken.case.journey)
    assert files.load(text, Catalog()).definition is None
