"""The text of a file as steps: a mapping begins, a scalar stands there, something ends.

JSON has a reader of its own: what is a tab or half a surrogate pair to JSON is an error to YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import yaml

#: A number as JSON writes it; every other plain scalar but a few words is text (SEMANTICS §6).
NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"


@dataclass(frozen=True, slots=True)
class Step:
    """One step through a document; ``line`` counts from 1.

    ``plain`` is whether a scalar stands without quotes; ``text`` is its text, or an alias' name.
    """

    kind: Literal["map", "list", "end", "scalar", "alias"]
    line: int
    text: str = ""
    plain: bool = False
    anchor: str | None = None


class Unreadable(ValueError):
    """The text is no YAML; ``line`` says where, the message why, ``hint`` what to do."""

    def __init__(self, line: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.line, self.hint = line, hint


# JSON

_TOKEN = re.compile(
    r"[ \t\n\r]*(?:(?P<mark>[{}\[\],:])"
    r'|(?P<text>"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")'
    rf"|(?P<plain>(?:true|false|null|{NUMBER})(?![0-9A-Za-z_.+-]))|(?P<end>\Z))"
)


class NotJson(ValueError):
    """The text is no JSON; it may still be YAML."""


def json_steps(text: str) -> Iterator[Step]:
    """The steps of a JSON document. Raises NotJson at the first token that is none."""
    open_: list[str] = []
    expected: tuple[str, ...] = ("value",)
    position, line = 0, 1
    while True:
        token = _TOKEN.match(text, position)
        if token is None:
            raise NotJson
        start = token.start(token.lastgroup or 0)
        line += text.count("\n", position, start)
        position = token.end()
        mark = token["mark"] or ""
        if token.lastgroup == "end":
            if expected != ("end",):
                raise NotJson
            return
        if mark in (",", ":") and mark in expected:
            expected = ("value",) if mark == ":" or open_[-1] == "[" else ("key",)
            continue
        if mark and mark in ("}", "]") and mark in expected:
            open_.pop()
            yield Step("end", line)
        elif mark in ("{", "[") and "value" in expected:
            open_.append(mark)
            yield Step("map" if mark == "{" else "list", line)
            expected = ("key", "}") if mark == "{" else ("value", "]")
            continue
        elif token["text"] and ("value" in expected or "key" in expected):
            yield Step("scalar", line, json.loads(token["text"]))
            if "key" in expected:
                expected = (":",)
                continue
        elif token["plain"] and "value" in expected:
            yield Step("scalar", line, token["plain"], plain=True)
        else:
            raise NotJson
        expected = (",", "}" if open_[-1] == "{" else "]") if open_ else ("end",)


# YAML

#: Line breaks in YAML 1.1, which PyYAML reads, and ordinary characters in YAML 1.2.
_ODD = "\x85\u2028\u2029"


def yaml_steps(text: str) -> Iterator[Step]:
    """The steps of a YAML document. Raises Unreadable where it is none."""
    hidden, shown = _stand_ins(text)
    documents = 0
    try:
        for event in yaml.parse(text.translate(hidden), Loader=yaml.SafeLoader):
            documents += isinstance(event, yaml.DocumentStartEvent)
            if documents > 1:
                raise Unreadable(_line(event), "There is a second document.")
            step = _step(event, shown)
            if step is not None:
                yield step
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(mark.line + 1 if mark else 1, *_said(error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Unreadable(line, "There is a character that YAML does not permit.") from None


def _stand_ins(text: str) -> tuple[dict[int, str], dict[int, str]]:
    """Unused characters for the odd ones of ``text``, and the way back."""
    odd = [letter for letter in _ODD if letter in text]
    unused = (chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in text)
    pairs = list(zip(odd, unused, strict=False))
    return {ord(a): b for a, b in pairs}, {ord(b): a for a, b in pairs}


def _step(event: yaml.Event, shown: dict[int, str]) -> Step | None:
    line = _line(event)
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise Unreadable(line, f"The tag {tag} is not allowed.", "Leave it out.")
    if isinstance(event, yaml.AliasEvent):
        return Step("alias", line, str(event.anchor))
    if isinstance(event, yaml.ScalarEvent):
        plain = event.implicit[0]
        return Step("scalar", line, event.value.translate(shown), plain, event.anchor)
    if isinstance(event, yaml.MappingStartEvent):
        return Step("map", line, anchor=event.anchor)
    if isinstance(event, yaml.SequenceStartEvent):
        return Step("list", line, anchor=event.anchor)
    if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
        return Step("end", line)
    return None


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark else 1


def _said(error: yaml.MarkedYAMLError) -> tuple[str, str]:
    """PyYAML's complaint as a sentence, with a hint where there is one."""
    said = ", ".join(part for part in (error.context, error.problem) if part)
    hint = "Indent with spaces, not with tabs." if "'\\t'" in said else ""
    return f"This is no YAML: {said}.", hint
